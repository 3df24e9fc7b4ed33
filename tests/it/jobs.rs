//! Saved jobs, with the real binary: what is configured, run, killed, held and told.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sterna_servers::seaweedfs;

use crate::adopt::counted;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

fn job(sterna: &Sterna, name: &str, lines: &str) {
    sterna.config(&format!("\n[job.{name}]\n{lines}\n"));
}

fn values(ran: &Ran) -> Vec<Value> {
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}\n{ran}"))).collect()
}

fn status(sterna: &Sterna, name: &str) -> Value {
    values(&sterna.run(&["job", "status", name, "--json"])).pop().expect("one job")
}

fn spawn(sterna: &Sterna, name: &str) -> Child {
    sterna.command(&["job", "run", name]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sterna runs")
}

/// Waits until something is so, and no longer than anybody would.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_job_is_run_and_how_it_stands_is_told() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("job"));
    sterna.file("src/packages/a", "1");
    sterna.file("src/repo", "names a");
    let targets =
        format!("source = \"src\"\ntargets = [\"{near}/x\", \"dst\", \"gone:bucket\"]\ngroup = [\"index=repo\"]");
    job(&sterna, "ports", &targets);
    let dry = sterna.run(&["job", "run", "ports", "--dry-run"]);
    assert_ne!(dry.code, Some(0), "one target is no remote\n{dry}");
    let ran = sterna.run(&["job", "run", "ports", "--json"]).exits(2);
    let record = values(&ran).pop().expect("a record");
    let verdicts: Vec<&str> =
        record["targets"].as_array().unwrap().iter().map(|target| target["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["changed", "changed", "failed"], "{ran}");
    assert_eq!(record["targets"][0]["written"], 2);
    assert!(record["targets"][2]["failure"]["message"].as_str().unwrap().contains("no remote 'gone'"), "{ran}");
    let check = |target: &str| drop(sterna.run(&["check", "src", target, "--exclude", "/.mirror-trace"]).exits(0));
    check("dst");
    check(&format!("{near}/x"));
    assert!(!sterna.path("dst/.sterna-lease").exists(), "the lease is given back");

    let told = status(&sterna, "ports");
    assert_eq!(told["state"], "by_hand");
    assert_eq!(told["targets"][0]["verdict"], "changed");
    assert!(told["targets"][0]["age_seconds"].is_u64() && told["targets"][2]["age_seconds"].is_null(), "{told}");
    let words = sterna.run(&["job", "status"]).exits(1);
    assert!(words.stdout.contains("what to do: "), "{words}");
    let log = sterna.run(&["job", "logs", "ports"]).exits(0);
    assert!(log.stdout.contains("finished transfer packages/a") && log.stdout.contains("ended: failed"), "{log}");
    assert_eq!(values(&sterna.run(&["job", "history", "--json"]).exits(0)).len(), 1);
    sterna.run(&["job", "disable", "ports"]).exits(0);
    assert_eq!(status(&sterna, "ports")["state"], "paused");
    sterna.run(&["job", "enable", "ports"]).exits(0);
}

#[test]
fn a_second_run_is_refused_and_a_killed_one_is_recovered() {
    let sterna = Sterna::at(&["near"]);
    let elsewhere = Sterna::at(&["near"]);
    let near = format!("near:{}/x", seaweedfs().bucket("lease"));
    for number in 0..40_u64 {
        sterna.file(format!("src/{number:02}"), noise(100_000, number));
    }
    let source = sterna.path("src");
    let source = source.to_str().expect("UTF-8");
    let lines =
        format!("source = \"{source}\"\ntargets = [\"{near}\"]\nlimits = {{ bandwidth = \"1M\" }}\nlease = \"3s\"");
    job(&sterna, "ports", &lines);
    // Another machine: its own state, and so its own name.
    job(&elsewhere, "ports", &lines);
    let is_held = || sterna.rclone(&["lsf", "-R", &near]).stdout.contains("holder");

    let mut first = spawn(&sterna, "ports");
    until("the lease is there", is_held);
    sterna.run(&["job", "run", "ports"]).exits(5).says("another process of this machine");
    elsewhere.run(&["job", "run", "ports"]).exits(5).says("the job 'ports' is at work there");
    // Others do not see it: not as an object, and not as one too many.
    let listed = elsewhere.run(&["ls", "-R", "--keys", &near]).exits(0);
    assert!(!listed.stdout.contains("lease"), "{listed}");
    first.kill().expect("a running child");
    first.wait().expect("a killed child");
    assert!(is_held(), "what was killed leaves its lease");
    assert_eq!(status(&sterna, "ports")["last"]["verdict"], "killed");

    // Its own machine goes on at once; killed again, the other machine does when the lease is over.
    let mut again = spawn(&sterna, "ports");
    until("it is at work", || status(&sterna, "ports")["state"] == "running");
    until("the lease is there", is_held);
    again.kill().expect("a running child");
    again.wait().expect("a killed child");
    let mut last = None;
    until("the lease is over", || {
        let ran = elsewhere.run(&["job", "run", "ports"]);
        let ended = ran.code == Some(0);
        last = Some(ran);
        ended
    });
    assert!(!is_held(), "{:?}", last.map(|ran| ran.to_string()));
    sterna.mirrors("src", &near);
    let ran = sterna.run(&["job", "run", "ports", "--json"]).exits(0);
    assert_eq!(values(&ran)[0]["verdict"], "in_step", "{ran}");
    let history = values(&sterna.run(&["job", "history", "ports", "--json"]).exits(0));
    let verdicts: Vec<&str> = history.iter().map(|run| run["verdict"].as_str().unwrap()).collect();
    assert_eq!(verdicts, ["in_step", "killed", "killed"]);
}

#[test]
fn an_unchanged_source_costs_a_few_requests() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("tip");
    let proxy = counted(&sterna, seaweedfs());
    for number in 0..20_u64 {
        sterna.file(format!("src/packages/{number:02}.hpkg"), noise(1_000, number));
    }
    sterna.file("src/repo", "names 20");
    sterna.file("src/repo.sha256", "20");
    let publish = || drop(sterna.run(&["sync", "src", &format!("near:{bucket}/from")]).exits(0));
    publish();
    let places = format!("source = \"counted:{bucket}/from\"\ntargets = [\"counted:{bucket}/to\", \"dst\"]");
    job(&sterna, "ports", &format!("{places}\nprofile = \"haiku-repo\""));
    let run = || {
        let before: usize = proxy.counts().values().sum();
        let record = values(&sterna.run(&["job", "run", "ports", "--json"]).exits(0)).pop().expect("a record");
        let requests = proxy.counts().values().sum::<usize>() - before;
        (record["verdict"].as_str().unwrap().to_owned(), record["full"].as_bool().unwrap(), requests)
    };
    let (verdict, full, requests) = run();
    assert_eq!((verdict.as_str(), full), ("changed", true));
    assert!(requests > 40, "{requests}");
    let (verdict, full, requests) = run();
    assert_eq!((verdict.as_str(), full), ("in_step", false));
    // The bucket, what the source is, the index once from each side, and the target's trace read and written.
    assert!(requests <= 6, "{requests} requests: {:#?}", proxy.heads().iter().rev().take(requests).collect::<Vec<_>>());

    // Another index, and an index that others took away: each has it look at everything.
    sterna.file("src/packages/new.hpkg", "new");
    sterna.file("src/repo.sha256", "21");
    publish();
    let (verdict, full, _) = run();
    assert_eq!((verdict.as_str(), full), ("changed", true));
    std::fs::remove_file(sterna.path("dst/repo.sha256")).expect("it was mirrored");
    let (verdict, full, _) = run();
    assert_eq!((verdict.as_str(), full), ("changed", true));
    let (verdict, full, _) = run();
    assert_eq!((verdict.as_str(), full), ("in_step", false));
    sterna.config("full_every = \"0\"\n");
    let (verdict, full, _) = run();
    assert_eq!((verdict.as_str(), full), ("in_step", true));
}

#[test]
fn mistakes_in_a_job_are_told_with_their_place() {
    for (lines, words) in [
        ("source = \"src\"", "has no targets"),
        ("source = \"src\"\ntargets = [\"a\", \"a\"]", "it is a target already"),
        ("source = \"src\"\ntargets = [\"a\"]\nprofle = \"debian\"", "did you mean 'profile'?"),
        ("source = \"src\"\ntargets = [\"a\"]\nprofile = \"haiku\"", "haiku-repo"),
        ("source = \"src\"\ntargets = [\"a\"]\nlimits = { max_delete = \"lots\" }", "neither a number"),
        ("source = \"src\"\ntargets = [\"a\"]\nschedule = \"* * * * *\"\nevery = \"1h\"", "leave out one of them"),
        ("source = \"src\"\ntargets = [\"a\"]\nlease = \"0.1s\"", "at least a second"),
        ("source = \"src\"\ntargets = [\"a\"]\nbudget = { egress = \"1TB\" }", "1TB/month"),
    ] {
        let sterna = Sterna::new();
        job(&sterna, "ports", lines);
        sterna.run(&["job", "list"]).exits(2).says(words).says("sterna.toml:");
    }
    let sterna = Sterna::new();
    job(&sterna, "ports", "source = \"src\"\ntargets = [\"a\"]");
    sterna.run(&["job", "run", "port"]).exits(2).says("did you mean 'ports'?");
    sterna.run(&["job", "cron", "ports"]).exits(2).says("no time of its own");
}

#[test]
fn a_run_past_its_time_ends_cleanly_and_the_next_goes_on() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}/x", seaweedfs().bucket("limit"));
    for number in 0..30_u64 {
        sterna.file(format!("src/{number:02}"), noise(100_000, number));
    }
    let lines = format!(
        "source = \"src\"\ntargets = [\"{near}\"]\nlimits = {{ bandwidth = \"1M\", transfers = 1, max_duration = \"1s\" }}"
    );
    job(&sterna, "ports", &lines);
    let ran = sterna.run(&["job", "run", "ports", "--json"]).exits(10);
    let record = values(&ran).pop().expect("a record");
    assert_eq!(record["targets"][0]["verdict"], "stopped", "{ran}");
    until("it is in step", || sterna.run(&["job", "run", "ports"]).code == Some(0));
    sterna.mirrors("src", &near);
}

#[test]
fn units_pass_systemds_own_check() {
    let sterna = Sterna::new();
    let lines = "source = \"src\"\ntargets = [\"dst dir\"]\nschedule = \"30 2 13 * fri\"\ntimezone = \"Europe/Berlin\"\njitter = \"5m\"";
    job(&sterna, "ports", lines);
    let ran = sterna.run(&["job", "systemd", "ports"]).exits(0);
    let mut units = ran.stdout.split("# /etc/systemd/system/").skip(1);
    let mut paths = Vec::new();
    for unit in units.by_ref() {
        let (name, text) = unit.split_once('\n').expect("a name and a unit");
        paths.push(sterna.file(name, text));
    }
    assert_eq!(paths.len(), 2, "{ran}");
    assert!(ran.stdout.contains("OnCalendar=*-*-13 02:30:00 Europe/Berlin\nOnCalendar=Fri *-*-* 02:30:00"), "{ran}");
    let mut verify = sterna.program("systemd-analyze", &["verify", "--man=no"]);
    verify.args(&paths);
    match verify.output() {
        Ok(output) => {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            let ours: Vec<&str> = said.lines().filter(|line| line.contains("sterna-ports")).collect();
            assert!(ours.is_empty(), "{said}");
        }
        // A machine without systemd has nobody to ask.
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound),
    }
}
