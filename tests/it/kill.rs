//! Promise 6: a run can be killed at any instant and started again.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use sterna_servers::seaweedfs;

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

/// How often each run is killed.
const ROUNDS: u32 = 5;

/// Parts small enough that a run has many of them.
const PARTS: [&str; 6] = ["--multipart-threshold", "6M", "--part-size", "5M", "--bwlimit", "24M"];

/// Small objects, and big ones of several parts.
fn source(sterna: &Sterna) {
    sterna.tree("src");
    for number in 0..60 {
        sterna.dated(format!("src/many/{number:02}"), noise(5_000 + number, number as u64), 1_600_000_000, 7);
    }
    sterna.dated("src/big one.iso", noise(21_000_000, 100), 1_500_000_000, 1);
    sterna.dated("src/z/big two.iso", noise(16_000_001, 101), 1_500_000_000, 2);
}

fn start(sterna: &Sterna, source: &str, destination: &str, log: &str) -> Child {
    let arguments = [&["copy", source, destination, "--use-json-log"], &PARTS[..]].concat();
    let log = std::fs::File::create(sterna.path(log)).expect("a writable directory");
    sterna.command(&arguments).stdout(Stdio::null()).stderr(log).spawn().expect("sterna runs")
}

/// Kills a run again and again, each time a little later, then lets one end. `whole` looks at what is visible after each
/// kill.
fn killed_and_finished(sterna: &Sterna, source: &str, destination: &str, whole: impl Fn()) {
    let mut resumed = 0;
    for round in 0..ROUNDS {
        let started = Instant::now();
        let mut run = start(sterna, source, destination, "log");
        // The instants differ from round to round, and from machine to machine.
        let instant = Duration::from_millis(u64::from(60 + 210 * round + std::process::id() % 97));
        let ended = loop {
            if let Some(status) = run.try_wait().expect("a child") {
                break Some(status);
            }
            if started.elapsed() >= instant {
                break None;
            }
            thread::sleep(Duration::from_millis(1));
        };
        resumed += events(sterna, "resumed");
        match ended {
            Some(status) => assert!(status.success(), "round {round}: {status}"),
            None => {
                run.kill().expect("a running child");
                run.wait().expect("a killed child");
            }
        }
        whole();
    }
    let mut last = start(sterna, source, destination, "log");
    assert!(last.wait().expect("a child").success(), "{}", log(sterna));
    resumed += events(sterna, "resumed");
    whole();
    let left = sterna.run(&["delete", "--incomplete", destination]).exits(0);
    // What a killed run left of small files is no part of any listing, and goes when it is asked to; in a bucket at most an
    // upload without a part is left, whose name the server had not told yet.
    if destination.contains(':') {
        left.says("given up (0 B)");
    }
    sterna.same(source, destination);
    let again = sterna.did(&["sync", source, destination]);
    assert_eq!(again, Did::NOTHING, "no work was left, and none is repeated");
    assert!(resumed > 0, "no part survived {ROUNDS} kills; the last log says\n{}", log(sterna));
}

fn log(sterna: &Sterna) -> String {
    std::fs::read_to_string(sterna.path("log")).expect("a log")
}

fn events(sterna: &Sterna, name: &str) -> usize {
    let event = format!("\"event\":\"{name}\"");
    log(sterna).lines().filter(|line| line.contains(&event)).count()
}

/// Every object that rclone sees is one of the source, with its size: no torn one, and no other.
#[track_caller]
fn only_whole_ones(sterna: &Sterna, destination: &str) {
    let source = sterna.files("src");
    for (name, object) in sterna.listed(destination) {
        let size = source.get(&name).map(|found| found.bytes.len() as u64);
        assert_eq!(object["Size"].as_u64(), size, "{name} in {destination}");
    }
}

#[test]
fn promise_6_an_upload_is_killed_and_goes_on() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("killed-up"));
    source(&sterna);
    killed_and_finished(&sterna, "src", &near, || only_whole_ones(&sterna, &near));
    sterna.same_times("src", &near);
}

/// Every file that is visible under a name of the source is that file, byte for byte.
#[track_caller]
fn only_whole_files(sterna: &Sterna) {
    let source = sterna.files("src");
    for (name, found) in sterna.files("dst") {
        match source.get(&name) {
            Some(whole) => assert!(found.bytes == whole.bytes, "{name} is torn: {found:?} of {whole:?}"),
            None => assert!(name.contains(".sterna-"), "{name} is neither of the source nor a temporary file"),
        }
    }
}

#[test]
fn promise_6_a_download_is_killed_and_goes_on() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("killed-down"));
    source(&sterna);
    sterna.run(&["copy", "src", &near]).exits(0);
    killed_and_finished(&sterna, &near, "dst", || only_whole_files(&sterna));
    assert_eq!(sterna.files("src"), sterna.files("dst"), "the same times, and nothing else");
}

#[test]
fn promise_6_a_local_copy_is_killed_and_goes_on() {
    let sterna = Sterna::new();
    source(&sterna);
    // Without resumed parts to wait for: a local copy is made by the kernel, whole.
    for round in 0..ROUNDS {
        let mut run = start(&sterna, "src", "dst", "log");
        thread::sleep(Duration::from_millis(u64::from(5 + 9 * round)));
        run.kill().expect("a child that was not waited for");
        run.wait().expect("a child");
        only_whole_files(&sterna);
    }
    assert!(start(&sterna, "src", "dst", "log").wait().expect("a child").success(), "{}", log(&sterna));
    sterna.run(&["delete", "--incomplete", "dst"]).exits(0);
    assert_eq!(sterna.files("src"), sterna.files("dst"), "the same times, and nothing else");
}

/// A door before a server that carries the head of each PUT and `bytes` of its body, and then hangs up on both sides.
fn door(server: &'static str, bytes: usize) -> u16 {
    let door = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = door.local_addr().expect("bound").port();
    thread::spawn(move || {
        for visitor in door.incoming() {
            let Ok(mut visitor) = visitor else { return };
            let Some(head) = head(&mut visitor) else { continue };
            let mut stream = TcpStream::connect(server).expect("a running server");
            let put = head.starts_with("PUT ");
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            stream.write_all(head.as_bytes()).expect("a server that reads");
            if put {
                let mut body = vec![0; bytes];
                visitor.read_exact(&mut body).and_then(|()| stream.write_all(&body)).expect("so much of a body");
                // The server is given the time to see all of it before the end.
                stream.shutdown(Shutdown::Write).expect("an open stream");
                let _answer = stream.read_to_end(&mut Vec::new());
            } else {
                let mut answer = Vec::new();
                stream.read_to_end(&mut answer).expect("a server that answers");
                let _gone = visitor.write_all(&answer);
            }
        }
    });
    port
}

fn head(stream: &mut TcpStream) -> Option<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

#[test]
fn promise_6_a_connection_that_breaks_in_an_upload_leaves_no_object() {
    let server = seaweedfs();
    for bytes in [0, 50] {
        let sterna = Sterna::at(&["near"]);
        let bucket = server.bucket("cut");
        let port = door(server.endpoint.strip_prefix("http://").expect("plain HTTP"), bytes);
        sterna.config(&format!(
            "[remote.door]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"http://127.0.0.1:{port}\"\n\
             region = \"us-east-1\"\npath_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
            server.access_key, server.secret_key
        ));
        sterna.file("src/a", noise(100, 1));
        sterna.run(&["copy", "src", &format!("door:{bucket}"), "--low-level-retries", "1"]).exits(5);
        let listed = sterna.listed(&format!("near:{bucket}"));
        assert!(listed.is_empty(), "after {bytes} of 100 bytes: {listed:?}");
    }
}
