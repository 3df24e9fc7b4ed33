//! IPFS: synced with a disk in both directions. The judge is the node itself, asked by bare HTTP.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use sterna_servers::{Fault, Proxy, ipfs};

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

/// Beside those that every store holds.
const MORE: &[&str] = &[" lead", "a/ lead", "star*", "semi;colon", "{brace}[bracket]", "...", ".hidden/.deeper"];

fn remote(sterna: &Sterna, name: &str, endpoint: &str, lines: &str) {
    sterna.config(&format!("[remote.{name}]\ntype = \"ipfs\"\nendpoint = \"{endpoint}\"\n{lines}\n"));
}

/// What the node answers to a command about a path. In HTTP/1.1: of a client that knows no trailers js-ipfs dies.
fn node(command: &str, path: &str) -> Vec<u8> {
    let address = ipfs().endpoint.strip_prefix("http://").expect("plain HTTP");
    let mut stream = TcpStream::connect(address).expect("a running node");
    let path: String = path.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let target = format!("/api/v0/{command}?arg={path}");
    write!(stream, "POST {target} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        .expect("a node that reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("a node that answers");
    let (head, body) = halves(&answer, b"\r\n\r\n");
    if !String::from_utf8_lossy(head).to_ascii_lowercase().contains("chunked") {
        return body.to_vec();
    }
    let (mut whole, mut rest) = (Vec::new(), body);
    loop {
        let (size, after) = halves(rest, b"\r\n");
        let size = usize::from_str_radix(&String::from_utf8_lossy(size), 16).expect("a size");
        if size == 0 {
            return whole;
        }
        whole.extend_from_slice(&after[..size]);
        rest = &after[size + 2..];
    }
}

/// What stands before and after the first `mark`.
fn halves<'a>(text: &'a [u8], mark: &[u8]) -> (&'a [u8], &'a [u8]) {
    let at = text.windows(mark.len()).position(|found| found == mark).expect("an answer of HTTP/1.1");
    (&text[..at], &text[at + mark.len()..])
}

/// Each file of `folder` lies below `root`, byte for byte.
fn holds(folder: &Path, root: &str) {
    for found in fs::read_dir(folder).expect("a folder of ours").flatten() {
        let at = format!("{root}/{}", found.file_name().display());
        if found.path().is_dir() {
            holds(&found.path(), &at);
        } else {
            assert!(node("files/read", &at) == fs::read(found.path()).expect("a file of ours"), "{at}");
        }
    }
}

/// Nothing that is called as files on their way are lies in `root`.
fn is_tidy(root: &str) {
    let told = String::from_utf8(node("files/ls", root)).expect("JSON");
    assert!(told.contains("Entries") && !told.contains(".part"), "{told}");
}

/// With times or without: up, again, down, a change of the same size, a rename at the source, a delete.
fn both_ways(lines: &str, times: bool) {
    let sterna = Sterna::new();
    let root = ipfs().folder("both");
    remote(&sterna, "far", &ipfs().endpoint, &format!("root = \"{root}\"\n{lines}"));
    let count = sterna.odd(MORE) + 1;
    sterna.file("src/big", noise(1_500_000, 1));
    let unproven = if times { 0 } else { 11 };
    sterna.run(&["sync", "src", "far:"]).exits(0);
    holds(&sterna.path("src"), &root);
    is_tidy(&root);
    let told = match times {
        true => " likely, 0 unproven)".to_owned(),
        false => format!("({} proven, 0 likely, 1 unproven)", count - 1),
    };
    // Without times the large file has only its size in common; the small ones are named by their digests.
    sterna.run(&["sync", "--no-index", "src", "far:"]).exits(unproven).says(&told);
    assert_eq!(sterna.did(&["sync", "far:", "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    if times {
        sterna.same_times("src", "back");
    }
    sterna.file("src/o", "the bytes of O");
    fs::rename(sterna.path("src/o!"), sterna.path("src/renamed")).expect("it was made");
    fs::remove_file(sterna.path("src/o0/x")).expect("it was made");
    sterna.run(&["sync", "src", "far:"]).exits(0);
    holds(&sterna.path("src"), &root);
    is_tidy(&root);
    sterna.run(&["check", "--download", "src", "far:"]).exits(0);
}

#[test]
fn a_disk_and_a_node_are_synced_both_ways() {
    both_ways("", true);
}

#[test]
fn without_times_small_files_are_proven_by_their_cids() {
    both_ways("times = \"none\"", false);
}

#[test]
fn what_it_cannot_do_is_said() {
    let sterna = Sterna::new();
    let root = ipfs().folder("cannot");
    remote(&sterna, "far", &ipfs().endpoint, &format!("root = \"{root}\""));
    sterna.run(&["ls", "far:"]).exits(3);
    sterna.file("src/back\\slash", "x");
    sterna.file("src/fine", "x");
    sterna.run(&["sync", "src", "far:"]).exits(1).says("back\\slash");
    sterna.run(&["ls", "-R", "--keys", "far:"]).exits(0).prints("fine\n");
    // Over all files of the node, what begins so would be an address of somebody else's contents.
    remote(&sterna, "all", &ipfs().endpoint, "");
    sterna.run(&["copy", "src", "all:ipfs"]).says("/ipfs");
    // A file where a directory is to be, which js-ipfs would write into.
    sterna.file("below/fine/x", "y");
    sterna.run(&["copy", "below", "far:"]).says("already exists");
    assert_eq!(node("files/read", &format!("{root}/fine")), b"x");
    remote(&sterna, "gone", "http://127.0.0.1:1", "");
    sterna.run(&["--low-level-retries", "1", "ls", "gone:"]).says("unavailable");
}

/// Runs a sync up, a change and one down through a proxy with a fault, and looks at what lies there.
fn survives(name: &str, rule: impl Fn(&str, usize) -> Option<Fault> + Send + Sync + 'static) {
    let sterna = Sterna::new();
    let root = ipfs().folder("faults");
    for number in 0..6_u8 {
        sterna.file(format!("src/{}/{number}", number % 3), vec![number; 100_000 + usize::from(number)]);
    }
    let proxy = Proxy::new(&ipfs().endpoint, move |_, head, before| rule(head, before));
    remote(&sterna, "far", &proxy.url, &format!("root = \"{root}\""));
    for change in 0..2_u8 {
        sterna.file("src/0/0", vec![change; 100_000]);
        let ran = sterna.run(&["sync", "src", "far:"]);
        assert_eq!(ran.code, Some(0), "{name}: {ran}");
        holds(&sterna.path("src"), &root);
    }
    let ran = sterna.run(&["sync", "far:", "back"]);
    assert_eq!(ran.code, Some(0), "{name}: {ran}");
    sterna.same("src", "back");
}

#[test]
fn faults_are_survived() {
    let of = |head: &str, command: &str| head.starts_with(&format!("POST /api/v0/{command}?"));
    // `before` counts requests of all commands.
    let at_times = |before: usize, fault: Fault| (before % 3 == 1).then_some(fault);
    survives("uploads cut", move |head, before| {
        of(head, "files/write").then(|| at_times(before, Fault::CutRequest(50_000))).flatten()
    });
    survives("downloads cut", move |head, before| {
        of(head, "cat").then(|| at_times(before, Fault::CutAnswer(60_000))).flatten()
    });
    survives("answers lost", move |head, before| {
        let changes = ["files/mv", "files/rm", "files/mkdir"].iter().any(|command| of(head, command));
        changes.then(|| at_times(before, Fault::LoseAnswer)).flatten()
    });
}
