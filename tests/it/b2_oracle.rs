//! The B2 server the tests stand on is no invention: Backblaze's own command line and rclone make the same round trip
//! against it.

use std::path::Path;
use std::process::Command;

use serde_json::json;
use sterna_servers::B2Server;

use crate::sterna::{Ran, Sterna};

/// One of the two clients, as the round trip needs them.
trait Client {
    fn run(&self, arguments: &[&str]) -> Ran;
    fn up(&self, from: &str, to: &str);
    fn down(&self, from: &str, to: &str);
    fn listed(&self, place: &str) -> String;
    fn versions(&self, place: &str) -> usize;
    fn hide(&self, object: &str);
}

struct Official<'a>(&'a Sterna, &'a B2Server);
struct Rclone<'a>(&'a Sterna, &'a B2Server);

fn run(mut command: Command, sterna: &Sterna, arguments: &[&str]) -> Ran {
    command.current_dir(sterna.path("")).args(arguments);
    Ran::of(command)
}

impl Client for Official<'_> {
    fn run(&self, arguments: &[&str]) -> Ran {
        run(self.1.official(), self.0, arguments)
    }
    fn up(&self, from: &str, to: &str) {
        self.run(&["sync", "--no-progress", "--threads", "4", from, &format!("b2://{to}")]).exits(0);
    }
    fn down(&self, from: &str, to: &str) {
        self.run(&["sync", "--no-progress", "--threads", "4", &format!("b2://{from}"), to]).exits(0);
    }
    fn listed(&self, place: &str) -> String {
        self.run(&["ls", "-r", &format!("b2://{place}")]).exits(0).stdout
    }
    fn versions(&self, place: &str) -> usize {
        self.run(&["ls", "-r", "--versions", &format!("b2://{place}")]).exits(0).stdout.lines().count()
    }
    fn hide(&self, object: &str) {
        self.run(&["file", "hide", &format!("b2://{object}")]).exits(0);
    }
}

impl Client for Rclone<'_> {
    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = self.1.rclone();
        command.env("RCLONE_B2_UPLOAD_CUTOFF", "6M").env("RCLONE_B2_CHUNK_SIZE", "5M");
        run(command, self.0, arguments)
    }
    fn up(&self, from: &str, to: &str) {
        self.run(&["sync", from, &format!("server:{to}")]).exits(0);
        self.run(&["check", "--download", from, &format!("server:{to}")]).exits(0);
    }
    fn down(&self, from: &str, to: &str) {
        self.run(&["sync", &format!("server:{from}"), to]).exits(0);
    }
    fn listed(&self, place: &str) -> String {
        let bucket = place.split('/').next().expect("a bucket");
        let told = self.run(&["lsf", "-R", "--files-only", &format!("server:{place}")]).exits(0).stdout;
        let folder = place[bucket.len()..].trim_matches('/');
        told.lines().map(|line| format!("{folder}/{line}\n")).collect()
    }
    fn versions(&self, place: &str) -> usize {
        let place = format!("server:{place}");
        self.run(&["lsf", "-R", "--files-only", "--b2-versions", &place]).exits(0).stdout.lines().count()
    }
    fn hide(&self, object: &str) {
        self.run(&["deletefile", &format!("server:{object}")]).exits(0);
    }
}

/// Odd names, one level deep and more, an empty file, and one that goes in parts.
fn tree(sterna: &Sterna) {
    for name in ["plain", "a b+c%2Bü~.txt", "d/e/f", "%41", "日本/é", "x#?&='\"", "-dash", "d/e!"] {
        sterna.file(format!("src/{name}"), format!("content of {name}"));
    }
    sterna.file("src/empty", "");
    sterna.file("src/big", vec![7; 12_000_001]);
}

/// rclone says of a hidden file's versions one less: it shows no markers.
fn round_trip(client: &dyn Client, sterna: &Sterna, server: &B2Server, markers: usize) {
    tree(sterna);
    let bucket = server.bucket("oracle");
    let place = format!("{bucket}/deep");
    client.up("src", &place);
    let listed = client.listed(&place);
    let mut names: Vec<&str> = listed.lines().collect();
    names.sort_unstable();
    let mut wanted = vec![
        "deep/%41",
        "deep/-dash",
        "deep/a b+c%2Bü~.txt",
        "deep/big",
        "deep/d/e!",
        "deep/d/e/f",
        "deep/empty",
        "deep/plain",
        "deep/x#?&='\"",
        "deep/日本/é",
    ];
    wanted.sort_unstable();
    assert_eq!(names, wanted);
    client.down(&place, "back");
    same(&sterna.path("src"), &sterna.path("back"));

    // Hidden is gone for readers and stays for those who ask for versions; a new version brings the name back.
    client.hide(&format!("{place}/d/e/f"));
    assert!(!client.listed(&place).contains("d/e/f"));
    assert_eq!(client.versions(&place), 10 + markers);
    sterna.file("src/d/e/f", "once more, and longer");
    client.up("src", &place);
    assert!(client.listed(&place).contains("d/e/f"));
    assert_eq!(client.versions(&place), 11 + markers);
    client.down(&place, "back");
    same(&sterna.path("src"), &sterna.path("back"));
}

fn same(a: &Path, b: &Path) {
    let compared = Command::new("diff").arg("-r").args([a, b]).output().expect("diff is there");
    assert!(compared.status.success(), "{}", String::from_utf8_lossy(&compared.stdout));
}

#[test]
fn the_official_command_line_makes_the_round_trip() {
    let (sterna, server) = (Sterna::new(), B2Server::start());
    let client = Official(&sterna, &server);
    round_trip(&client, &sterna, &server, 1);
    let bucket = server.bucket("oracle");
    let object = format!("b2://{bucket}/object");
    client.run(&["file", "upload", &bucket, "src/plain", "object"]).exits(0);
    client.run(&["file", "server-side-copy", &object, &format!("b2://{bucket}/copy")]).exits(0);
    client.run(&["file", "hide", &object]).exits(0);
    assert_eq!(client.run(&["ls", &format!("b2://{bucket}")]).exits(0).stdout, "copy\n");
    client.run(&["file", "unhide", &object]).exits(0);
    assert_eq!(client.run(&["ls", &format!("b2://{bucket}")]).exits(0).stdout, "copy\nobject\n");
    client.run(&["rm", "-r", "--versions", "--no-progress", &format!("b2://{bucket}")]).exits(0);
    assert!(server.versions(&bucket).is_empty());
    // What does not exist cannot be hidden, and is not found.
    let missing = format!("b2://{bucket}/never");
    client.run(&["file", "hide", &missing]).exits(1).says("File not present");
    client.run(&["file", "download", &missing, "x"]).exits(1);
}

#[test]
fn rclone_makes_the_round_trip() {
    let (sterna, server) = (Sterna::new(), B2Server::start());
    let client = Rclone(&sterna, &server);
    round_trip(&client, &sterna, &server, 0);
    let calls = server.calls();
    assert!(calls["b2_upload_part"] >= 3 && calls["b2_finish_large_file"] >= 1, "{calls:?}");
    let bucket = server.bucket("oracle");
    let other = server.bucket("oracle");
    client.run(&["copyto", "src/big", &format!("server:{bucket}/big")]).exits(0);
    client.run(&["copyto", &format!("server:{bucket}/big"), &format!("server:{other}/copied")]).exits(0);
    client.run(&["cat", &format!("server:{other}/copied")]).exits(0);
    client.run(&["purge", &format!("server:{other}")]).exits(0);
    assert!(!server.versions(&bucket).is_empty());
}

/// What the official clients survive is survived here too: the faults are those of the service.
#[test]
fn rclone_survives_the_faults() {
    let (sterna, server) = (Sterna::new(), B2Server::start());
    let client = Rclone(&sterna, &server);
    let bucket = server.bucket("oracle");
    for number in 0..20 {
        sterna.file(format!("few/{number}"), format!("content {number}"));
    }
    for (number, fault) in [
        json!({ "call": "b2_upload_file", "what": "status", "status": 503 }),
        json!({ "call": "b2_upload_file", "what": "status", "status": 401, "code": "expired_auth_token" }),
        json!({ "call": "b2_upload_file", "what": "status", "status": 408, "code": "request_timeout" }),
        json!({ "call": "b2_upload_file", "what": "cut_request" }),
        json!({ "call": "b2_get_upload_url", "what": "expire" }),
        json!({ "call": "b2_upload_file", "what": "lose_answer" }),
    ]
    .into_iter()
    .enumerate()
    {
        server.reset();
        server.faults(json!([fault]));
        let place = format!("server:{bucket}/{number}");
        client.run(&["copy", "few", &place, "--retries", "1", "--transfers", "1"]).exits(0);
        client.run(&["check", "--download", "few", &place]).exits(0);
    }
    // 20 objects each, and what rclone sent once more when it was told nothing.
    assert_eq!(server.versions(&bucket).len(), 6 * 20 + 1);

    server.reset();
    server.faults(json!([{ "call": "b2_upload_file", "what": "flip" }]));
    client.run(&["copy", "few", &format!("server:{bucket}/flipped"), "--retries", "1"]).exits(1).says("Sha1");
}
