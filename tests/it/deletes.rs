//! Promise 4: deletes need a proof. Whatever ends a listing early, nothing is deleted.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use sterna_servers::seaweedfs;

use crate::sterna::Sterna;

#[test]
fn promise_4_an_empty_source_deletes_nothing() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("empty"));
    let dst = format!("near:{}", seaweedfs().bucket("not-empty"));
    std::fs::create_dir(sterna.path("empty")).expect("a writable directory");
    for (source, destination) in [("empty", "dst"), ("empty", &dst), (&near, "dst"), (&near, &dst)] {
        sterna.tree("dst");
        sterna.rclone(&["copy", "dst", &dst]).exits(0);
        let ran = sterna.run(&["sync", source, destination]).exits(12);
        ran.says("the source is empty").says("--max-delete 100%");
        sterna.run(&["sync", source, destination, "--max-delete", "1000"]).exits(12);
        assert_eq!(sterna.listed(destination).len(), 14, "{source} -> {destination}");
    }
    // One may say so.
    sterna.run(&["sync", "empty", "dst", "--max-delete", "100%"]).exits(0);
    assert!(sterna.names("dst").is_empty());
}

#[test]
fn promise_4_a_source_that_vanished_deletes_nothing() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("vanished");
    let near = format!("near:{bucket}");
    sterna.tree("src");
    sterna.run(&["sync", "src", &near]).exits(0);
    sterna.run(&["sync", &near, "dst"]).exits(0);
    sterna.rclone(&["purge", &near]).exits(0);
    std::fs::rename(sterna.path("src"), sterna.path("unmounted")).expect("it is there");
    for source in ["src", &near] {
        sterna.run(&["sync", source, "dst", "--max-delete", "100%"]).exits(3);
        assert_eq!(sterna.files("dst"), sterna.files("unmounted"), "{source}");
    }
}

#[test]
fn promise_4_a_transfer_that_failed_holds_the_deletes() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.tree("dst");
    // `b` is no folder but a link, which nothing is written through and no delete removes.
    std::fs::rename(sterna.path("dst/b"), sterna.path("elsewhere")).expect("it is there");
    std::os::unix::fs::symlink(sterna.path("nowhere"), sterna.path("dst/b")).expect("a link can be made");
    sterna.file("dst/extra", "extra");
    sterna.run(&["sync", "src", "dst"]).exits(1).says("not made").says("failed");
    assert!(sterna.path("dst/b").is_symlink() && sterna.path("dst/extra").exists());
}

/// Objects a page of [`broken`] tells of.
const PAGE: usize = 100;

/// A server that lists a bucket of `PAGE` objects a page, and after `pages` of them hangs up, or says 403. The counter
/// tells how many pages were asked for.
fn broken(pages: usize, refuses: bool) -> (u16, Arc<AtomicUsize>) {
    let server = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = server.local_addr().expect("bound").port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    thread::spawn(move || {
        for visitor in server.incoming() {
            let Ok(mut visitor) = visitor else { return };
            let Some(head) = head(&mut visitor) else { continue };
            assert!(head.starts_with("GET ") && head.contains("list-type=2"), "{head}");
            let page = count.fetch_add(1, Ordering::SeqCst).min(pages);
            let (status, body) = match (page < pages, refuses) {
                (true, _) => ("200 OK", listing(page)),
                (false, true) => ("403 Forbidden", "<Error><Code>AccessDenied</Code></Error>".to_owned()),
                (false, false) => continue,
            };
            let length = body.len();
            let _gone = write!(
                visitor,
                "HTTP/1.1 {status}\r\nContent-Type: application/xml\r\nContent-Length: {length}\r\n\
                 Connection: close\r\n\r\n{body}"
            );
        }
    });
    (port, asked)
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

fn name(number: usize) -> String {
    format!("n{number:04}")
}

fn listing(page: usize) -> String {
    let object = |number| {
        format!(
            "<Contents><Key>{}</Key><Size>1</Size><LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>",
            name(number)
        )
    };
    let objects: String = (page * PAGE..(page + 1) * PAGE).map(object).collect();
    format!(
        "<?xml version=\"1.0\"?><ListBucketResult><IsTruncated>true</IsTruncated>\
         <NextContinuationToken>{page}</NextContinuationToken>{objects}</ListBucketResult>"
    )
}

#[test]
fn promise_4_a_listing_that_breaks_off_deletes_nothing() {
    let names: Vec<String> = (0..3 * PAGE).map(name).collect();
    for (refuses, code, words) in [(false, 5, "unavailable"), (true, 1, "access denied")] {
        for pages in [0, 1, 2] {
            let (port, asked) = broken(pages, refuses);
            let sterna = Sterna::new();
            sterna.config(&format!(
                "[remote.broken]\ntype = \"s3\"\nendpoint = \"http://127.0.0.1:{port}\"\nregion = \"us-east-1\"\n\
                 provider = \"other\"\npath_style = true\naccess_key_id = \"x\"\nsecret_access_key = \"y\"\n"
            ));
            names.iter().for_each(|name| drop(sterna.file(format!("dst/{name}"), "x")));
            let flags = ["--max-delete", "100%", "--low-level-retries", "2", "--size-only"];
            let ran = sterna.run(&[&["sync", "broken:bucket", "dst"], &flags[..]].concat()).exits(code);
            let ran = ran.says("list broken:bucket").says(words);
            assert!(asked.load(Ordering::SeqCst) > pages, "the page that breaks was asked for\n{ran}");
            assert_eq!(sterna.names("dst"), names, "{ran}");
        }
    }
}
