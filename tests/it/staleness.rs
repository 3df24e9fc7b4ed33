//! A job that no longer runs, hangs or fails: the daemon notices by itself that its targets have gone stale, and tells.

use std::fs;

use serde_json::Value;
use sterna_servers::{Receiver, hook, seaweedfs};

use crate::daemon::{Daemon, TOKEN, token};
use crate::sterna::Sterna;
use crate::tree::noise;

const BEARER: &str = "Authorization: Bearer a-token-nobody-would-guess";

/// What the webhook was told of `job`, notice by notice: its event, why, and what to do.
fn told(hook: &Receiver, job: &str) -> Vec<[String; 3]> {
    let notices = hook.told();
    let notices = notices.iter().map(|told| told.split_once('\n').expect("a path and a body").1);
    let notices = notices.map(|body| serde_json::from_str::<Value>(body).expect("JSON"));
    let of =
        |notice: Value| ["event", "message", "advice"].map(|name| notice[name].as_str().unwrap_or_default().to_owned());
    notices.filter(|notice| notice["job"] == job).map(of).collect()
}

fn events(hook: &Receiver, job: &str) -> Vec<String> {
    told(hook, job).into_iter().map(|[event, ..]| event).collect()
}

#[test]
fn the_daemon_notices_what_no_run_could_tell() {
    assert!(BEARER.ends_with(TOKEN));
    let (sterna, hook) = (Sterna::at(&["near"]), hook());
    let near = format!("near:{}", seaweedfs().bucket("stale"));
    sterna.file("src/a", "1");
    sterna.file("big/a", noise(200_000, 1));
    let told_to = format!("notify = [{{ webhook = \"{}\", on = [\"staleness\", \"recovery\"] }}]", hook.url);
    sterna.config(&format!(
        "[job.idle]\nsource = \"src\"\ntargets = [\"dst\"]\nstale_after = \"2s\"\n{told_to}\n\
         [job.hangs]\nsource = \"big\"\ntargets = [\"{near}\"]\nstale_after = \"2s\"\nlimits = {{ bandwidth = \"1k\" }}\n{told_to}\n\
         [job.fails]\nsource = \"gone\"\ntargets = [\"other\"]\nstale_after = \"2s\"\n{told_to}\n\
         [job.off]\nsource = \"src\"\ntargets = [\"never\"]\nstale_after = \"2s\"\nenabled = false\n{told_to}\n"
    ));
    let token = token(&sterna);
    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    for job in ["idle", "hangs", "fails"] {
        assert_eq!(daemon.ask("POST", &format!("/api/v1/jobs/{job}/run"), &[BEARER], "").status, 202);
    }
    daemon.until("it is told of all", |_| {
        let all = ["idle", "hangs", "fails"].iter().all(|job| events(&hook, job) == ["staleness"]);
        all.then_some(())
    });
    let [idle, hangs, fails] = ["idle", "hangs", "fails"].map(|job| told(&hook, job).remove(0));
    assert!(idle[1].starts_with("dst: last in step ") && idle[1].contains("the last run, begun "), "{idle:?}");
    assert!(hangs[1].contains("never in step yet: a run has been under way since "), "{hangs:?}");
    assert!(hangs[2].contains("limits.max_duration"), "{hangs:?}");
    assert!(fails[1].contains("gone") && fails[2].contains("or correct its name"), "{fails:?}");
    let page = daemon.get("/").body;
    assert!(page.contains("failing or stale") && page.contains(">stale<"), "{page}");
    assert!(daemon.get("/metrics").body.contains("sterna_target_stale{job=\"idle\",target=\"dst\"} 1"));
    let status = sterna.run(&["job", "status", "idle"]).exits(1);
    assert!(status.stdout.contains("dst: stale: in step "), "{status}");
    daemon.signal("KILL");
    drop(daemon.ended());

    // Another daemon knows what was told, and that a run has mended it: by whom is all the same.
    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    sterna.run(&["job", "run", "idle"]).exits(0);
    daemon.until("its end is told", |_| (events(&hook, "idle").len() > 1).then_some(()));
    assert_eq!(events(&hook, "idle"), ["staleness", "recovery"]);
    fs::rename(sterna.path("src"), sterna.path("gone")).expect("it was there");
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/fails/run", &[BEARER], "").status, 202);
    daemon.until("the failing one is well", |_| (events(&hook, "fails").len() > 1).then_some(()));
    assert_eq!(events(&hook, "fails"), ["staleness", "recovery"]);
    assert!(events(&hook, "off").is_empty());
}
