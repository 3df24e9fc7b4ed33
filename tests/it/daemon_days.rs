//! A week of a daemon in a minute: three targets of different families, new generations, faults, kills and new configurations.
//!
//! Only the clock of the schedule is hurried; servers, runs and leases have the real time. What happens when is drawn from a seed, which is
//! printed. Longer than a week:
//!
//! ```text
//! STERNA_TEST_DAYS=42 cargo test --locked --workspace --all-features --test it a_week_of_faults -- --nocapture
//! ```

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use sterna_servers::{Fault, Proxy, S3Server, apache, seaweedfs};

use crate::daemon::Daemon;
use crate::publication::{Bucket, Folder, PACKAGES, Reader, poll, publish};
use crate::sterna::Sterna;

/// How many times as fast the schedule's time passes: a day in 8 seconds.
const SPEED: u64 = 10_800;

/// Bytes by which a daemon may grow from its first day on: what allocators keep, and a history's pages.
const GROWTH: u64 = 64 * 1024 * 1024;

/// A week at three places, and the file that says what the daemon is to do.
struct Week {
    sterna: Sterna,
    near: String,
    job: String,
    clock: String,
    generation: u64,
}

impl Week {
    fn start(&self) -> Daemon {
        Daemon::start(&self.sterna, &["--clock", &self.clock])
    }

    /// The next generation is published at the source.
    fn publish(&mut self) {
        self.generation += 1;
        publish(&self.sterna, self.generation);
    }

    /// Waits for a run that began after now and left every target in step.
    fn in_step(&self, daemon: &Daemon) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64();
        daemon.until("a run that leaves all in step", |daemon| {
            let good = |run: &Value| ["in_step", "changed"].contains(&run["verdict"].as_str().unwrap_or_default());
            daemon.runs("repo").iter().any(|run| good(run) && seconds(&run["began"]) > now).then_some(())
        });
    }
}

fn seconds(time: &Value) -> f64 {
    let time: jiff::Timestamp = time.as_str().expect("a time").parse().expect("RFC 3339");
    time.as_millisecond() as f64 / 1000.0
}

/// Resident bytes of a process.
fn resident(id: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{id}/status")).expect("a process of ours");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

/// A home with the three targets; the bucket is behind a proxy that fails every fourth write while `storm` holds.
fn week(proxy: &Proxy, server: &S3Server, dav: &str) -> Week {
    let sterna = Sterna::at(&["near"]);
    let S3Server { access_key, secret_key, .. } = server;
    let bucket = server.bucket("week");
    sterna.config(&format!(
        "[remote.stormy]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\n\
         access_key_id = \"{access_key}\"\nsecret_access_key = \"{secret_key}\"\n\n",
        proxy.url
    ));
    sterna.dav("dav", dav, "");
    let targets = format!("targets = [\"dst\", \"stormy:{bucket}\", \"dav:\"]");
    let job = format!(
        "[job.repo]\nsource = \"src\"\n{targets}\nprofile = \"debian\"\nlimits = {{ max_delete = \"100%\" }}\n"
    );
    sterna.config(&format!("{job}every = \"3h\"\n"));
    let origin = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    publish(&sterna, 0);
    Week { sterna, near: format!("near:{bucket}"), job, clock: format!("{origin}:{SPEED}"), generation: 0 }
}

/// What may happen on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// None: two generations are published.
    None,
    /// A power cut, in the middle of whatever the daemon does.
    Kill,
    /// An orderly restart.
    Restart,
    /// A configuration that cannot be read, while the old one goes on.
    Broken,
    /// Another configuration.
    Other,
    /// A server that fails.
    Storm,
}

/// The troubles of a week, each once but for a second day without any. A daemon is not ended every week: what it keeps in
/// memory must show over longer than that.
const WEEK: [Trouble; 7] =
    [Trouble::None, Trouble::Kill, Trouble::Broken, Trouble::Other, Trouble::Storm, Trouble::Restart, Trouble::None];

/// What became of all the days.
struct Lived {
    daemon: Daemon,
    kills: usize,
    /// The seconds since the schedule's clock began, and what was resident, day by day; of each daemon for itself.
    memory: Vec<Vec<(u64, u64)>>,
}

/// Lives so many days at least, a trouble a day.
#[expect(clippy::print_stdout, reason = "how a long run goes is what it is made for")]
fn live(week: &mut Week, days: u64, rng: &mut fastrand::Rng, storm: &AtomicBool) -> Lived {
    let mut daemon = week.start();
    week.in_step(&daemon);
    let (mut kills, mut memory, mut number) = (0, vec![Vec::new()], 0_u64);
    let mut left: Vec<Trouble> = Vec::new();
    while week.day() < days || number < days {
        if left.is_empty() {
            left = WEEK.to_vec();
            if (number / WEEK.len() as u64) % 2 == 1 {
                left.retain(|trouble| !matches!(trouble, Trouble::Kill | Trouble::Restart));
            }
            rng.shuffle(&mut left);
        }
        let trouble = left.pop().expect("it was filled");
        week.publish();
        match trouble {
            Trouble::None => week.publish(),
            Trouble::Kill => {
                let until = Instant::now() + Duration::from_millis(rng.u64(200..1500));
                daemon.until("any moment", |_| (Instant::now() > until).then_some(()));
                daemon.signal("KILL");
                drop(daemon.ended());
                kills += 1;
                memory.push(Vec::new());
                daemon = week.start();
            }
            Trouble::Restart => {
                daemon.signal("TERM");
                let (status, said) = daemon.ended();
                assert!(status.success(), "{status}: {said}");
                memory.push(Vec::new());
                daemon = week.start();
                week.publish();
            }
            Trouble::Broken => week.breaks(&daemon),
            Trouble::Other => week.changes(&daemon),
            Trouble::Storm => {
                storm.store(true, SeqCst);
                let runs = daemon.runs("repo").len();
                daemon.until("runs in the storm", |daemon| (daemon.runs("repo").len() > runs + 2).then_some(()));
                storm.store(false, SeqCst);
            }
        }
        week.in_step(&daemon);
        number += 1;
        let (day, resident) = (week.day(), resident(daemon.id()));
        println!("trouble {number} ({trouble:?}), day {day}: {} KiB resident", resident / 1024);
        memory.last_mut().expect("there is a daemon").push((day, resident));
    }
    Lived { daemon, kills, memory }
}

impl Week {
    /// Days of the schedule's clock since it began.
    fn day(&self) -> u64 {
        let origin: u64 = self.clock.split(':').next().and_then(|origin| origin.parse().ok()).expect("as it was made");
        let real = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() - origin;
        real * SPEED / 86_400
    }

    fn breaks(&self, daemon: &Daemon) {
        let file = self.sterna.config_path();
        let good = fs::read_to_string(&file).expect("a file of ours");
        fs::write(&file, good.replace("max_delete", "max_deleet")).expect("a file of ours");
        daemon.signal("HUP");
        daemon.until("a refusal", |daemon| daemon.json("/api/v1/jobs")["refused"]["why"].as_str().map(|_| ()));
        self.in_step(daemon);
        self.takes(daemon, &good);
    }

    /// By cron, or again at equal distances.
    fn changes(&self, daemon: &Daemon) {
        const TIMES: [&str; 2] = ["every = \"3h\"", "schedule = \"0 */2 * * *\"\ntimezone = \"Europe/Berlin\""];
        let before = fs::read_to_string(self.sterna.config_path()).expect("a file of ours");
        let [from, to] = if before.contains(TIMES[0]) { TIMES } else { [TIMES[1], TIMES[0]] };
        let after = before.replace(from, to);
        assert!(after.contains(&self.job) && after != before, "{after}");
        self.takes(daemon, &after);
    }

    fn takes(&self, daemon: &Daemon, configuration: &str) {
        let loaded = |daemon: &Daemon| {
            let told = daemon.get("/metrics").body;
            told.lines().find(|line| line.starts_with("sterna_configuration_loaded")).map(str::to_owned)
        };
        let before = loaded(daemon);
        fs::write(self.sterna.config_path(), configuration).expect("a file of ours");
        daemon.until("it is taken", |daemon| {
            // One that is taken within the second in which the last one was tells the same time.
            daemon.signal("HUP");
            let refused = daemon.json("/api/v1/jobs")["refused"].is_null();
            (refused && loaded(daemon) != before).then_some(())
        });
    }
}

/// A number that was asked for in the environment.
fn asked(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{variable}={text}: no number")))
}

#[test]
fn promise_5_a_week_of_faults_kills_and_reloads_tears_nothing_and_loses_nothing() {
    let storm = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicUsize::new(0));
    let (stormy, refusals) = (Arc::clone(&storm), Arc::clone(&refused));
    let proxy = Proxy::new(&seaweedfs().endpoint, move |method, _, before| {
        let refuses = stormy.load(SeqCst) && method == "PUT" && before % 4 == 0;
        refuses.then(|| {
            refusals.fetch_add(1, SeqCst);
            Fault::Answer(503, String::new())
        })
    });
    let dav = apache().folder("week");
    let mut week = week(&proxy, seaweedfs(), &dav);
    let days = asked("STERNA_TEST_DAYS").unwrap_or(WEEK.len() as u64);
    let seed = asked("STERNA_TEST_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("STERNA_TEST_DAYS={days} STERNA_TEST_SEED={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let (over, polls) = (AtomicBool::new(false), [const { AtomicUsize::new(0) }; 3]);
    // The readers go their own way to each target, past the proxy and past sterna.
    let home = Sterna::at(&["near"]);
    let (bucket, near) = (week.near.clone(), &home);
    let readers: [&dyn Reader; 3] =
        [&Folder(week.sterna.path("dst")), &Bucket(near, &bucket), &Folder(apache().on_disk(&dav))];
    let Lived { daemon, kills, memory } = thread::scope(|scope| {
        let polling = [0, 1, 2].map(|at| {
            let (reader, over, polls) = (readers[at], &over, &polls[at]);
            scope.spawn(move || poll(reader, over, polls))
        });
        let lived = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| live(&mut week, days, &mut rng, &storm)));
        over.store(true, SeqCst);
        for (reader, polling) in polling.into_iter().enumerate() {
            let torn = polling.join().expect("no reader panics");
            assert!(torn.is_empty(), "reader {reader}: {torn:#?}");
        }
        lived.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    });
    assert!(polls.iter().all(|polls| polls.load(SeqCst) > 10), "{polls:?}");

    // No object is lost at any target, and none that is gone from the source stays.
    for life in &memory {
        if let (Some(first), Some(last)) = (life.first(), life.last()) {
            assert!(last.1 < first.1 + GROWTH, "{first:?} after the first day, {last:?} after the last");
        }
    }
    let runs = daemon.runs("repo");
    daemon.signal("TERM");
    assert!(daemon.ended().0.success());
    week.sterna.mirrors("src", &week.near);
    let source = week.sterna.files("src");
    for folder in [week.sterna.path("dst"), apache().on_disk(&dav)] {
        for (name, file) in &source {
            assert_eq!(fs::read(folder.join(name)).ok().as_ref(), Some(&file.bytes), "{name} in {}", folder.display());
        }
        // What killed runs left of objects on their way has names of its own, and goes when it is a day old by the real clock.
        let pool = fs::read_dir(folder.join("pool")).expect("a folder").map(|file| file.expect("a file").file_name());
        let packages = pool.filter(|name| !name.to_string_lossy().starts_with('.')).count();
        assert_eq!(packages as u64, PACKAGES, "{}", folder.display());
    }
    consistent(&runs, kills, days);
    assert!(refused.load(SeqCst) > 0, "no run met the storm");
}

/// Runs of one job follow one another, each has an end, and no more were killed than were.
fn consistent(runs: &[Value], kills: usize, days: u64) {
    // The slower the machine, the more of its days each run takes.
    assert!(runs.len() as u64 > days, "{} runs in {days} days", runs.len());
    for pair in runs.windows(2) {
        let (later, earlier) = (&pair[0], &pair[1]);
        assert!(earlier["id"].as_i64() < later["id"].as_i64(), "{earlier} {later}");
        assert!(seconds(&earlier["began"]) <= seconds(&later["began"]), "{earlier} {later}");
        assert!(!earlier["ended"].is_null(), "{earlier}");
        assert!(seconds(&earlier["ended"]) <= seconds(&later["began"]) + 0.001, "two at once: {earlier} {later}");
    }
    let killed = runs.iter().filter(|run| run["verdict"] == "killed").count();
    assert!(killed <= kills, "{killed} runs are told as killed");
}
