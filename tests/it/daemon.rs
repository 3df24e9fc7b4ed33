//! The daemon: it runs what is due, obeys signals, survives being killed, and lets in only whom it should.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use sterna_servers::{Prometheus, seaweedfs};

use crate::sterna::Sterna;
use crate::tree::noise;

/// How long something may take to come about on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);

/// The token of the daemons in these tests.
pub const TOKEN: &str = "a-token-nobody-would-guess";

/// A running daemon; dropped, it is killed.
pub struct Daemon {
    child: Child,
    /// `127.0.0.1:PORT` of its page.
    pub address: String,
    said: Arc<Mutex<String>>,
}

/// What it answered.
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// What the server at `address` answers.
    pub fn of(address: &str, (method, path): (&str, &str), lines: &[&str], body: &str) -> std::io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        let mut head = format!("{method} {path} HTTP/1.0\r\nContent-Length: {}\r\n", body.len());
        if !lines.iter().any(|line| line.starts_with("Host:")) {
            head.push_str(&format!("Host: {address}\r\n"));
        }
        lines.iter().for_each(|line| head.push_str(&format!("{line}\r\n")));
        stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let (head, body) = text.split_once("\r\n\r\n").ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
        Ok(Self { status, head: head.to_owned(), body: body.to_owned() })
    }
}

impl Daemon {
    /// Starts it on a free port, and waits until it listens.
    pub fn start(sterna: &Sterna, more: &[&str]) -> Self {
        let mut command = sterna.command(&["daemon", "--listen", "127.0.0.1:0"]);
        let mut child = command.args(more).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("sterna runs");
        let mut lines = BufReader::new(child.stderr.take().expect("piped")).lines();
        let said = Arc::new(Mutex::new(String::new()));
        let mut address = None;
        for line in lines.by_ref() {
            let line = line.expect("UTF-8");
            said.lock().expect("no panic holds it").push_str(&format!("{line}\n"));
            if let Some((_, rest)) = line.split_once("http://") {
                address = Some(rest.trim_end_matches('/').to_owned());
                break;
            }
        }
        let heard = Arc::clone(&said);
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                heard.lock().expect("no panic holds it").push_str(&format!("{line}\n"));
            }
        });
        let address = address.unwrap_or_else(|| panic!("it does not listen: {}", said.lock().expect("no panic")));
        Self { child, address, said }
    }

    /// What it said to people so far.
    pub fn said(&self) -> String {
        self.said.lock().expect("no panic holds it").clone()
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a request with these further lines in its head.
    pub fn ask(&self, method: &str, path: &str, lines: &[&str], body: &str) -> Answer {
        Answer::of(&self.address, (method, path), lines, body)
            .unwrap_or_else(|error| panic!("{path}: {error}\n{}", self.said()))
    }

    pub fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &[], "")
    }

    pub fn json(&self, path: &str) -> Value {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        serde_json::from_str(&answer.body).expect("JSON")
    }

    /// The runs of a job, the latest first.
    pub fn runs(&self, job: &str) -> Vec<Value> {
        self.json(&format!("/api/v1/jobs/{job}/runs?limit=1000"))["runs"].as_array().expect("a list").clone()
    }

    /// Asks again and again until there is an answer.
    #[track_caller]
    pub fn until<T>(&self, what: &str, ask: impl Fn(&Self) -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(answer) = ask(self) {
                return answer;
            }
            assert!(Instant::now() < end, "{what} did not come about; it said\n{}", self.said());
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(sent.expect("kill").success(), "{name}");
    }

    /// Waits for its end.
    pub fn ended(mut self) -> (ExitStatus, String) {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child") {
                return (status, self.said());
            }
            assert!(Instant::now() < end, "it does not end; it said\n{}", self.said());
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Writes the token where only its owner reads it.
pub fn token(sterna: &Sterna) -> String {
    let path = sterna.file("token", TOKEN);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    path.display().to_string()
}

fn verdicts(runs: &[Value]) -> Vec<&str> {
    runs.iter().map(|run| run["verdict"].as_str().expect("a word")).collect()
}

#[test]
fn what_is_due_runs_and_everything_tells_of_it() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("daemon"));
    sterna.file("src/a", "1");
    sterna.config(&format!("[job.ports]\nsource = \"src\"\ntargets = [\"dst\", \"{near}\"]\nevery = \"1s\"\n"));
    let daemon = Daemon::start(&sterna, &[]);
    daemon.until("a run", |daemon| verdicts(&daemon.runs("ports")).contains(&"changed").then_some(()));
    daemon.until("another run", |daemon| verdicts(&daemon.runs("ports")).contains(&"in_step").then_some(()));
    sterna.mirrors("src", &near);
    assert_eq!(fs::read_to_string(sterna.path("dst/a")).expect("it was copied"), "1");

    let status = daemon.json("/api/v1/jobs/ports");
    assert!(
        status["targets"].as_array().expect("a list").iter().all(|target| target["age_seconds"].is_u64()),
        "{status}"
    );
    let mirrors = daemon.json("/static/tunasync.json");
    let mirror = &mirrors[0];
    assert_eq!(
        (&mirror["name"], &mirror["is_master"], &mirror["upstream"]),
        (&"ports".into(), &true.into(), &"src".into())
    );
    assert!(mirror["last_update_ts"].as_i64().expect("a time") > 1_700_000_000, "{mirror}");
    assert!(["success", "syncing"].contains(&mirror["status"].as_str().expect("a word")), "{mirror}");
    assert_eq!(mirror["size"], "1", "one object of one byte");
    let metrics = daemon.get("/metrics");
    assert!(metrics.head.contains("openmetrics-text"), "{}", metrics.head);
    assert!(metrics.body.contains("sterna_target_in_step{job=\"ports\",target=\"dst\"} 1"), "{}", metrics.body);
    assert!(metrics.body.ends_with("# EOF\n"), "{}", metrics.body);
    assert_eq!((daemon.get("/healthz").status, daemon.get("/healthz").body.as_str()), (200, "ok\n"));
    let page = daemon.get("/");
    assert!(page.body.contains("1 of 1 job in step."), "{}", page.body);
    let run = daemon.runs("ports").pop().expect("a run");
    let page = daemon.get(&format!("/jobs/ports/runs/{}", run["id"]));
    assert!(page.body.contains("1 object written"), "{}", page.body);
    assert_eq!((daemon.get("/jobs/none").status, daemon.get("/jobs/ports/runs/999999").status), (404, 404));

    daemon.signal("TERM");
    let (status, said) = daemon.ended();
    assert!(status.success(), "{status}: {said}");
    // What was written down is what everybody else reads.
    sterna.run(&["job", "list"]).exits(0);
}

/// `text` as it stands in the query of a URL.
fn in_query(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// The queries of the dashboard, for all jobs.
fn queries() -> Vec<String> {
    let text = include_str!("../../docs/monitoring/grafana.json");
    let board: Value = serde_json::from_str(text).expect("JSON");
    let panels = board["panels"].as_array().expect("a list");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().cloned().unwrap_or_default());
    targets.map(|target| target["expr"].as_str().expect("a query").replace("$job", ".*")).collect()
}

#[test]
fn prometheus_reads_the_metrics_and_answers_every_query() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("monitored"));
    slow(&sterna, &near);
    let config = fs::read_to_string(sterna.config_path()).expect("a file of ours");
    let config = config.replace("[remote.near]\n", "[remote.near]\nprice_offer = \"b2\"\n").replace("1h", "8s");
    fs::write(sterna.config_path(), config).expect("a file of ours");
    sterna.config("budget = { egress = \"1TB/month\", cost = \"20USD/month\" }\nstale_after = \"1h\"\n");
    let daemon = Daemon::start(&sterna, &[]);
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/monitoring/alerts.yaml");
    let prometheus = Prometheus::of(&daemon.address, &alerts);
    let told = |path: &str| -> Value {
        let host = format!("Host: {}", prometheus.address);
        let answer = Answer::of(&prometheus.address, ("GET", path), &[&host, "Connection: close"], "");
        serde_json::from_str(&answer.expect("a running server").body).expect("JSON")
    };
    // What it has of the last minutes: some things are told only while a run is under way.
    let has = |query: &str| {
        let now = std::time::UNIX_EPOCH.elapsed().expect("after 1970").as_secs();
        let path = format!("/api/v1/query_range?query={}&start={}&end={now}&step=1", in_query(query), now - 300);
        let told = told(&path);
        assert_eq!(told["status"], "success", "{query}: {told}");
        told["data"]["result"].as_array().is_some_and(|series| !series.is_empty())
    };
    for query in queries() {
        daemon.until(&query, |_| has(&query).then_some(()));
    }
    // Every metric that is documented is there, but for those of a configuration that was refused and of paused jobs.
    for line in include_str!("../../docs/jobs.md").lines().filter(|line| line.starts_with("| `sterna_")) {
        let names = line.split('|').nth(1).expect("a cell").split('`').filter(|name| name.starts_with("sterna_"));
        names.for_each(|name| assert!(has(name), "{name} is documented, and not told"));
    }
    let rules = daemon.until("the rules are tried", |_| {
        let rules = told("/api/v1/rules")["data"]["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] != "unknown").then_some(rules)
    });
    assert!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:#?}");
    // No alert is on what is not told, or else it would never come.
    let text = fs::read_to_string(&alerts).expect("a file of the repository");
    for name in text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_') {
        assert!(!name.starts_with("sterna_") || has(name), "{name} is alerted on, and not told");
    }
}

#[test]
fn a_new_configuration_is_taken_and_a_broken_one_is_not() {
    let sterna = Sterna::new();
    sterna.file("src/a", "1");
    sterna.config("[job.first]\nsource = \"src\"\ntargets = [\"dst\"]\nevery = \"1s\"\n");
    let daemon = Daemon::start(&sterna, &[]);
    daemon.until("a run", |daemon| daemon.path_is_there(&sterna, "dst/a"));
    let good = fs::read_to_string(sterna.config_path()).expect("a file of ours");
    sterna.config("[jib.second]\n");
    daemon.signal("HUP");
    let why =
        daemon.until("a refusal", |daemon| daemon.json("/api/v1/jobs")["refused"]["why"].as_str().map(str::to_owned));
    assert!(why.contains("did you mean 'job'") && why.contains("sterna.toml:"), "{why}");
    assert!(daemon.get("/").body.contains("The new configuration was not taken"));
    assert!(daemon.get("/metrics").body.contains("sterna_configuration_refused 1"));
    let runs = daemon.runs("first").len();
    daemon.until("a run by the old one", |daemon| (daemon.runs("first").len() > runs).then_some(()));

    let second = "[job.second]\nsource = \"src\"\ntargets = [\"other\"]\nevery = \"1s\"\n";
    fs::write(sterna.config_path(), good + second).expect("a file of ours");
    daemon.signal("HUP");
    daemon.until("a run by the new one", |daemon| daemon.path_is_there(&sterna, "other/a"));
    assert!(daemon.json("/api/v1/jobs")["refused"].is_null());
    assert!(daemon.said().contains("the old one holds"), "{}", daemon.said());
}

impl Daemon {
    fn path_is_there(&self, sterna: &Sterna, path: &str) -> Option<()> {
        sterna.path(path).exists().then_some(())
    }
}

/// A job that takes some seconds: 3 MB at 500 kB/s, two objects at once.
fn slow(sterna: &Sterna, target: &str) {
    for number in 0..60 {
        sterna.file(format!("src/{number}"), noise(50_000, number));
    }
    sterna.config(&format!(
        "[job.slow]\nsource = \"src\"\ntargets = [\"{target}\"]\nevery = \"1h\"\nlimits = {{ bandwidth = \"500k\", transfers = 2 }}\n"
    ));
}

fn objects(sterna: &Sterna, place: &str) -> usize {
    sterna.listed(place).keys().filter(|key| !key.starts_with(".sterna")).count()
}

#[test]
fn a_run_that_was_cut_off_is_told_and_made_again() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("cut-off"));
    slow(&sterna, &near);
    let token = token(&sterna);
    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/slow/run", &[&bearer], "").status, 202);
    daemon.until("half a run", |daemon| {
        let passed = daemon.json("/api/v1/jobs/slow")["progress"]["bytes_done"].as_u64().unwrap_or(0);
        (passed > 500_000).then_some(())
    });
    assert!(daemon.get("/").body.contains("<progress"), "the page shows how far it is");
    daemon.signal("KILL");
    drop(daemon.ended());
    let before = objects(&sterna, &near);
    assert!(before > 0 && before < 60, "{before} objects: it was not half a run");

    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    daemon.until("the end of it", |daemon| verdicts(&daemon.runs("slow")).contains(&"changed").then_some(()));
    let runs = daemon.runs("slow");
    let killed = runs.iter().find(|run| run["verdict"] == "killed").unwrap_or_else(|| panic!("{runs:#?}"));
    assert_eq!(killed["trigger"], "hand");
    let done = runs.iter().find(|run| run["verdict"] == "changed").expect("as awaited");
    assert_eq!(done["trigger"], "catch_up");
    assert!(done["targets"][0]["written"].as_u64().expect("a number") < 60, "nothing is sent twice: {done}");
    sterna.mirrors("src", &near);
}

#[test]
fn a_run_is_ended_cleanly_by_one_signal_and_at_once_by_two() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("drained"));
    slow(&sterna, &near);
    let token = token(&sterna);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    for signals in [1, 2] {
        let daemon = Daemon::start(&sterna, &["--token-file", &token]);
        daemon.ask("POST", "/api/v1/jobs/slow/run", &[&bearer], "");
        daemon.until("a run", |daemon| {
            let done = daemon.json("/api/v1/jobs/slow")["progress"]["bytes_done"].as_u64().unwrap_or(0);
            (done > 100_000).then_some(())
        });
        for _ in 0..signals {
            daemon.signal("TERM");
            daemon.until("the word", |daemon| daemon.said().contains("ending: 1 run").then_some(()));
        }
        let (status, said) = daemon.ended();
        match signals {
            1 => assert!(status.success() && said.contains("slow: stopped"), "{status}: {said}"),
            _ => assert!(status.code() == Some(130) && said.contains("at once"), "{status}: {said}"),
        }
    }
}

#[test]
fn of_two_daemons_one_runs_a_job() {
    let (one, other) = (Sterna::at(&["near"]), Sterna::at(&["near"]));
    let near = format!("near:{}", seaweedfs().bucket("two-daemons"));
    slow(&one, &near);
    slow(&other, &near);
    let (first, second) = (token(&one), token(&other));
    let daemons = [Daemon::start(&one, &["--token-file", &first]), Daemon::start(&other, &["--token-file", &second])];
    let bearer = format!("Authorization: Bearer {TOKEN}");
    for daemon in &daemons {
        daemon.ask("POST", "/api/v1/jobs/slow/run", &[&bearer], "");
    }
    let ended = |daemon: &Daemon| {
        let word = daemon.runs("slow").first()?["verdict"].as_str()?.to_owned();
        (word != "running").then_some(word)
    };
    let mut words = [0, 1].map(|at| daemons[at].until("the end of a run", ended));
    words.sort();
    assert_eq!(words, ["changed", "held_elsewhere"], "{}\n{}", daemons[0].said(), daemons[1].said());
    one.mirrors("src", &near);
}

#[test]
fn only_who_may_looks_and_acts() {
    let sterna = Sterna::new();
    sterna.file("src/a", "1");
    sterna.config("[job.hand]\nsource = \"src\"\ntargets = [\"dst\"]\n");
    sterna.run(&["daemon", "--listen", "0.0.0.0:0"]).exits(2).says("--token-file");
    let token = token(&sterna);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o644)).expect("a file of ours");
    sterna
        .run(&["daemon", "--listen", "127.0.0.1:0", "--token-file", &token])
        .exits(2)
        .says("chmod 600")
        .never_says(TOKEN);
    fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).expect("a file of ours");
    let good = fs::read(&token).expect("a file of ours");
    fs::write(&token, [&good[..], &[b'x'; 4096]].concat()).expect("a file of ours");
    let ran = sterna.run(&["daemon", "--listen", "127.0.0.1:0", "--token-file", &token]).exits(2).says("4096 bytes");
    ran.never_says(TOKEN);
    fs::write(&token, good).expect("a file of ours");

    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    assert_eq!(daemon.ask("GET", "/", &["Host: evil.example"], "").status, 421);
    assert_eq!(daemon.get("/").status, 200);
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/hand/run", &[], "").status, 403);
    assert_eq!(daemon.ask("POST", "/api/v1/jobs/hand/run", &["Authorization: Bearer wrong"], "").status, 403);
    assert_eq!(daemon.ask("POST", "/sign-in", &[], "token=wrong").status, 403);
    assert_eq!(daemon.ask("POST", "/sign-in", &["Origin: http://evil.example"], &format!("token={TOKEN}")).status, 403);
    let signed_in = daemon.ask("POST", "/sign-in", &[], &format!("token={TOKEN}"));
    assert_eq!(signed_in.status, 303, "{}", signed_in.head);
    let cookie = signed_in.head.lines().find_map(|line| line.strip_prefix("set-cookie: ")).expect("a cookie");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    let cookie = format!("Cookie: {}", cookie.split(';').next().expect("a value"));
    let page = daemon.ask("GET", "/jobs/hand", &[&cookie], "").body;
    let word = page.split("name=\"word\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
    assert_eq!(daemon.ask("POST", "/jobs/hand/run", &[&cookie], "").status, 403, "without the word of the form");
    let form = format!("word={word}");
    let elsewhere = daemon.ask("POST", "/jobs/hand/run", &[&cookie, "Origin: http://evil.example"], &form);
    assert_eq!(elsewhere.status, 403, "a form of another page");
    assert!(daemon.runs("hand").is_empty() && !sterna.path("dst/a").exists());
    assert_eq!(daemon.ask("POST", "/jobs/hand/run", &[&cookie], &form).status, 303);
    daemon.until("a run", |daemon| daemon.path_is_there(&sterna, "dst/a"));

    assert_eq!(daemon.ask("POST", "/jobs/hand/pause", &[&cookie], &form).status, 303);
    daemon.until("a pause", |daemon| (daemon.json("/api/v1/jobs/hand")["state"] == "paused").then_some(()));
    assert_eq!(daemon.ask("POST", "/jobs/hand/resume", &[&cookie], &form).status, 303);
    daemon.until("its end", |daemon| (daemon.json("/api/v1/jobs/hand")["state"] == "by_hand").then_some(()));
    for path in ["/", "/jobs/hand", "/metrics", "/api/v1/jobs", "/static/tunasync.json"] {
        assert!(!daemon.get(path).body.contains(TOKEN), "{path}");
    }
    assert!(!daemon.said().contains(TOKEN), "{}", daemon.said());
    drop(daemon);

    let daemon = Daemon::start(&sterna, &["--token-file", &token, "--allow-host", "mirror.example"]);
    let named = "Host: mirror.example";
    assert_eq!(daemon.ask("GET", "/", &[named], "").status, 303, "strangers sign in first");
    assert_eq!(daemon.ask("GET", "/metrics", &[named], "").status, 401);
    let bearer = format!("Authorization: Bearer {TOKEN}");
    assert_eq!(daemon.ask("GET", "/metrics", &[named, &bearer], "").status, 200);
    assert_eq!(daemon.ask("GET", "/static/tunasync.json", &[named], "").status, 200);
}
