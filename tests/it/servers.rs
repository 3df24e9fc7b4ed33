//! The servers themselves: each answers, checks what it claims to check, and ends with the process that started it.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use sterna_servers::{S3Server, moto, rclone_s3, rclone_with, seaweedfs, seaweedfs_second};

fn output(command: &mut Command) -> (bool, String, String) {
    let output = command.output().expect("rclone was installed");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

/// A signed round trip: make a bucket, see it, write an object, read it back, find no other.
fn answers(server: &S3Server) {
    let bucket = server.bucket("answers");
    let (ok, listed, said) = output(server.rclone().args(["lsd", "server:"]));
    assert!(ok, "{said}");
    assert!(listed.lines().any(|line| line.ends_with(&format!(" {bucket}"))), "no {bucket} in\n{listed}");

    let place = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(place.path().join("a.txt"), "tern").expect("a writable directory");
    let remote = format!("server:{bucket}/deep");
    let (ok, _, said) = output(server.rclone().arg("copy").arg(place.path()).arg(&remote));
    assert!(ok, "{said}");
    let (ok, listed, said) = output(server.rclone().args(["lsf", "-R", "--files-only", &format!("server:{bucket}")]));
    assert!(ok, "{said}");
    assert_eq!(listed, "deep/a.txt\n");
    let (ok, _, said) = output(server.rclone().args(["check", "--download"]).arg(place.path()).arg(&remote));
    assert!(ok, "{said}");

    std::fs::write(place.path().join("a.txt"), "gull").expect("a writable directory");
    let (ok, ..) = output(server.rclone().args(["check", "--download"]).arg(place.path()).arg(&remote));
    assert!(!ok, "the judge finds no difference between `tern` and `gull`");
}

fn refuses_a_wrong_key(server: &S3Server) {
    let mut rclone = server.rclone();
    rclone.env("RCLONE_CONFIG_SERVER_SECRET_ACCESS_KEY", "not-the-secret");
    let (ok, ..) = output(rclone.args(["lsd", "server:", "--retries", "1", "--low-level-retries", "1"]));
    assert_eq!(ok, !server.checks_signatures, "a wrong key");
}

#[test]
fn seaweedfs_answers() {
    answers(seaweedfs());
    refuses_a_wrong_key(seaweedfs());
}

#[test]
fn rclone_s3_answers() {
    answers(rclone_s3());
    refuses_a_wrong_key(rclone_s3());
}

#[test]
fn moto_answers() {
    answers(moto());
    refuses_a_wrong_key(moto());
}

#[test]
fn two_seaweedfs_are_two() {
    answers(seaweedfs_second());
    let bucket = seaweedfs().bucket("only-the-first");
    let mut rclone = rclone_with(&[("near", seaweedfs()), ("far", seaweedfs_second())]);
    let (ok, near, said) = output(rclone.args(["lsd", "near:"]));
    assert!(ok, "{said}");
    let mut rclone = rclone_with(&[("near", seaweedfs()), ("far", seaweedfs_second())]);
    let (ok, far, said) = output(rclone.args(["lsd", "far:"]));
    assert!(ok, "{said}");
    assert!(near.contains(&bucket));
    assert!(!far.contains(&bucket));
}

#[test]
fn seaweedfs_makes_no_bucket_by_itself() {
    let place = tempfile::tempdir().expect("a temporary directory");
    std::fs::write(place.path().join("a.txt"), "tern").expect("a writable directory");
    let mut rclone = seaweedfs().rclone();
    rclone.env("RCLONE_S3_NO_CHECK_BUCKET", "true").args(["copy", "--retries", "1"]).arg(place.path());
    let (ok, ..) = output(rclone.arg("server:never-made"));
    assert!(!ok, "an upload into a missing bucket succeeded");
}

/// Every socket of a server is on the loopback interface, and there is at least one.
#[cfg(target_os = "linux")]
#[test]
fn servers_listen_on_loopback_only() {
    for server in [seaweedfs(), rclone_s3(), moto()] {
        let sockets = listening_sockets(server.process.id());
        assert!(!sockets.is_empty(), "{} listens nowhere", server.provider);
        for address in sockets {
            assert!(address.starts_with("0100007F:"), "{} listens on {address}", server.provider);
        }
    }
}

/// The local addresses, as `/proc` spells them, of the TCP sockets a process listens on.
#[cfg(target_os = "linux")]
fn listening_sockets(process: u32) -> Vec<String> {
    let inodes: Vec<String> = std::fs::read_dir(format!("/proc/{process}/fd"))
        .expect("a process of this user")
        .filter_map(|entry| {
            let target = std::fs::read_link(entry.ok()?.path()).ok()?;
            Some(target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned())
        })
        .collect();
    let mut addresses = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let table = std::fs::read_to_string(Path::new(table)).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // Field 3 is the state (0A: listening), field 9 the inode: proc_net_tcp in the kernel's documentation.
            if fields[3] == "0A" && inodes.iter().any(|inode| inode == fields[9]) {
                addresses.push(fields[1].to_owned());
            }
        }
    }
    addresses
}

/// The leash: a test process that is killed takes its servers and their data with it.
///
/// This test runs itself in a second process, which starts a server, says where it is, and waits to be killed.
#[test]
fn a_killed_process_leaves_no_server() {
    const CHILD: &str = "STERNA_TEST_LEASH_CHILD";
    if std::env::var_os(CHILD).is_some() {
        let server = seaweedfs();
        println!("\nleash: {} {}", server.process.id(), server.process.directory().display());
        std::io::stdin().read_line(&mut String::new()).expect("the parent holds the other end");
        return;
    }
    let mut child = Command::new(std::env::current_exe().expect("this binary"))
        .args(["--exact", "servers::a_killed_process_leaves_no_server", "--nocapture"])
        .env(CHILD, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("this binary runs again");
    let said = BufReader::new(child.stdout.take().expect("piped"));
    let line = said.lines().map_while(Result::ok).find(|line| line.starts_with("leash: "));
    let line = line.expect("the child says where its server is");
    let (id, directory) = line["leash: ".len()..].split_once(' ').expect("two words");
    let program = format!("/proc/{id}/exe");
    assert!(Path::new(directory).is_dir());
    if cfg!(target_os = "linux") {
        assert!(std::fs::read_link(&program).is_ok(), "no process {id}");
    }
    child.kill().expect("a running child");
    child.wait().expect("a killed child");
    // A zombie has no `exe` to read: it counts as gone.
    eventually("the server and its data are gone", || {
        std::fs::read_link(&program).is_err() && !Path::new(directory).exists()
    });
}

/// Waits for a condition, and says which one never came.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !condition() {
        assert!(Instant::now() < deadline, "not within 30 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
