//! Promise 6 without its records: an upload that was killed goes on on another machine, or after the records were lost;
//! an upload of something else under the same key is nobody's but its own.

use std::process::Stdio;
use std::time::{Duration, Instant};

use sterna_servers::{B2Server, Fault, Proxy, S3Server, moto, rclone_s3, seaweedfs};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// Above the size from which open uploads are looked for, and no whole number of parts.
const SIZE: usize = 140_000_001;

/// Parts of 16 MiB.
const PARTS: usize = 9;

/// Parts that are certainly there when a run is killed: of the sixth, with two under way at once, four are.
const THERE: usize = 4;

/// A place that counts the parts it is sent.
trait Counting {
    /// Parts so far.
    fn parts(&self) -> usize;
    /// Calls so far that look for open uploads.
    fn looks(&self) -> usize;
}

impl Counting for Proxy {
    fn parts(&self) -> usize {
        self.heads().iter().filter(|head| head.starts_with("PUT ") && head.contains("partNumber=")).count()
    }

    fn looks(&self) -> usize {
        let first = |head: &String| head.lines().next().unwrap_or_default().to_owned();
        self.heads().iter().map(first).filter(|line| line.starts_with("GET ") && line.contains("uploads")).count()
    }
}

impl Counting for B2Server {
    fn parts(&self) -> usize {
        self.calls().get("b2_upload_part").copied().map_or(0, |calls| usize::try_from(calls).unwrap_or(0))
    }

    fn looks(&self) -> usize {
        let calls = self.calls().get("b2_list_unfinished_large_files").copied();
        calls.map_or(0, |calls| usize::try_from(calls).unwrap_or(0))
    }
}

/// Copies `src` to `place` from a machine without records, and is killed when the sixth part begins.
fn killed(sterna: &Sterna, source: &str, place: &str, counting: &dyn Counting) {
    forget(sterna);
    let before = counting.parts();
    let arguments = ["copy", source, place, "--transfers", "2", "--part-size", "16M", "--bwlimit", "60M"];
    let mut command = sterna.command(&arguments);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sterna runs");
    let deadline = Instant::now() + Duration::from_secs(120);
    while counting.parts() < before + THERE + 2 {
        assert!(Instant::now() < deadline, "{} parts in two minutes", counting.parts() - before);
        assert!(run.try_wait().expect("a child").is_none(), "the run ended before it was killed");
        std::thread::sleep(Duration::from_millis(5));
    }
    run.kill().expect("a running child");
    run.wait().expect("a killed child");
    forget(sterna);
}

/// As on another machine: no record of any upload.
fn forget(sterna: &Sterna) {
    let state = sterna.path("../home/state");
    if state.exists() {
        std::fs::remove_dir_all(state).expect("a removable directory");
    }
}

/// Copies to the end, and returns what was said and how many parts were sent.
#[track_caller]
fn finished(sterna: &Sterna, place: &str, counting: &dyn Counting) -> (Ran, usize) {
    let before = counting.parts();
    let ran = sterna.run(&["copy", "src", place, "--part-size", "16M", "--use-json-log"]).exits(0);
    (ran, counting.parts() - before)
}

fn open(sterna: &Sterna, place: &str) -> String {
    sterna.run(&["delete", "--incomplete", "--dry-run", place]).exits(0).stderr
}

/// The same bytes: parts that are there are not sent again. Other bytes: the upload is left alone.
fn goes_on_or_keeps_off(sterna: &Sterna, place: &str, counting: &dyn Counting) {
    sterna.dated("src/big.iso", noise(SIZE, 1), 1_500_000_000, 0);
    killed(sterna, "src", place, counting);
    let looks = counting.looks();
    let (ran, sent) = finished(sterna, place, counting);
    assert!(sent <= PARTS - THERE, "{sent} of {PARTS} parts were sent again\n{ran}");
    assert_eq!(counting.looks() - looks, 1, "one call to look\n{ran}");
    ran.says("\"event\":\"resumed\"");
    assert_eq!(sterna.did(&["sync", "src", place]), Did::NOTHING);
    assert!(open(sterna, place).contains("0 unfinished uploads"), "{}", open(sterna, place));

    // Another client's upload of that key, with other bytes.
    sterna.dated("theirs/big.iso", noise(SIZE, 2), 1_600_000_000, 0);
    killed(sterna, "theirs", place, counting);
    sterna.dated("src/big.iso", noise(SIZE, 3), 1_700_000_000, 0);
    let (ran, sent) = finished(sterna, place, counting);
    assert_eq!(sent, PARTS, "nothing of another's was taken\n{ran}");
    ran.never_says("\"event\":\"resumed\"");
    assert_eq!(sterna.did(&["sync", "src", place]), Did::NOTHING);
    assert!(open(sterna, place).contains("1 unfinished upload "), "{}", open(sterna, place));
    // A run that has no records to keep looks for none.
    let looks = counting.looks();
    sterna.dated("src/big.iso", noise(SIZE, 4), 1_700_000_001, 0);
    sterna.run(&["copy", "src", place, "--no-resume"]).exits(0);
    assert_eq!(counting.looks(), looks);
    sterna.run(&["delete", "--incomplete", place]).exits(0);
}

/// The server behind a proxy, as the remote `counted:`.
pub fn counted(sterna: &Sterna, server: &S3Server) -> Proxy {
    let proxy = Proxy::new(&server.endpoint, |_, _, _| None);
    let S3Server { access_key, secret_key, provider, .. } = server;
    sterna.config(&format!(
        "[remote.counted]\ntype = \"s3\"\nprovider = \"{provider}\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"{access_key}\"\nsecret_access_key = \"{secret_key}\"\n\n",
        proxy.url
    ));
    proxy
}

fn s3(remote: &str, server: &S3Server) {
    let sterna = Sterna::at(&[remote]);
    let bucket = server.bucket("adopted");
    let proxy = counted(&sterna, server);
    let place = format!("counted:{bucket}");
    goes_on_or_keeps_off(&sterna, &place, &proxy);
    sterna.same("src", &format!("{remote}:{bucket}"));

    // S3 does not tell what an upload was begun with: another time and, since only the last byte differs and was not sent
    // yet, another SHA-256. The object says what it is all the same.
    sterna.dated("src/big.iso", noise(SIZE, 5), 1_500_000_000, 0);
    killed(&sterna, "src", &place, &proxy);
    let mut content = noise(SIZE, 5);
    content[SIZE - 1] ^= 1;
    sterna.dated("src/big.iso", content, 1_700_000_002, 0);
    let (ran, sent) = finished(&sterna, &place, &proxy);
    assert!(sent <= PARTS - THERE, "{sent} of {PARTS} parts were sent again\n{ran}");
    sterna.same("src", &format!("{remote}:{bucket}"));
    sterna.same_times("src", &format!("{remote}:{bucket}"));
    let hashes = |place: &str| sterna.run(&["hash", "sha256", place]).exits(0).stdout;
    assert_eq!(hashes("src"), hashes(&place));
    assert_eq!(sterna.did(&["sync", "--checksum", "src", &place]), Did::NOTHING);
}

#[test]
fn promise_6_an_upload_without_its_record_goes_on_at_seaweedfs() {
    s3("near", seaweedfs());
}

#[test]
fn promise_6_an_upload_without_its_record_goes_on_at_moto() {
    s3("keys", moto());
}

#[test]
fn promise_6_an_upload_without_its_record_goes_on_at_b2() {
    let (sterna, server) = (Sterna::new(), B2Server::start());
    sterna.b2("b", &server, "");
    let place = format!("b:{}", server.bucket("adopted"));
    goes_on_or_keeps_off(&sterna, &place, &server);
    let mut rclone = server.rclone();
    rclone.current_dir(sterna.path("")).args(["check", "--download", "src", &place.replace("b:", "server:")]);
    Ran::of(rclone).exits(0);
}

/// A server that does not list open uploads, and one that is asked and refuses: the object goes there all the same.
#[test]
fn a_server_that_tells_no_uploads_gets_the_object_all_the_same() {
    let sterna = Sterna::new();
    sterna.s3("rclone", rclone_s3());
    sterna.dated("src/big.iso", noise(SIZE, 6), 1_500_000_000, 0);
    let place = format!("rclone:{}", rclone_s3().bucket("adopted"));
    sterna.run(&["copy", "src", &place]).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);

    let sterna = Sterna::at(&["near"]);
    let refused = |_: &str, head: &str, _: usize| {
        let line = head.lines().next().unwrap_or_default();
        (line.starts_with("GET ") && line.contains("uploads")).then(|| Fault::Answer(403, String::new()))
    };
    let server = seaweedfs();
    let proxy = Proxy::new(&server.endpoint, refused);
    sterna.config(&format!(
        "[remote.deaf]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n\n",
        proxy.url, server.access_key, server.secret_key
    ));
    for name in ["src/one.iso", "src/two.iso"] {
        sterna.dated(name, noise(SIZE, 7), 1_500_000_000, 0);
    }
    let bucket = server.bucket("adopted");
    // One after the other: what the first has learnt the second need not ask.
    sterna.run(&["copy", "src", &format!("deaf:{bucket}"), "--transfers", "1"]).exits(0);
    assert!((1..=2).contains(&proxy.looks()), "asked {} times", proxy.looks());
    sterna.same("src", &format!("near:{bucket}"));
}
