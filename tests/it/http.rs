//! Plain web servers: mirrored from their index pages, or by a list.

use std::fs;

use sterna_servers::{Fault, Proxy, WebServer, apache, caddy, lighttpd, nginx, rclone_http, seaweedfs_webdav};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};

const NAMES: &[&str] = &[
    "a b",
    "%41",
    "100%",
    "plus+plus",
    "hash#hash",
    "ask?ask=1&b",
    "&<>\"'",
    "&amp;",
    "s:colon",
    "\u{e9}",
    "🐦/🐦.txt",
    "o.txt",
    "o!",
    "o/x",
    "deep/er/still",
    "repo.sha256",
];

/// The servers, with their names.
fn servers() -> [(&'static WebServer, &'static str); 5] {
    [(apache(), "apache"), (nginx(), "nginx"), (lighttpd(), "lighttpd"), (caddy(), "caddy"), (rclone_http(), "rclone")]
}

fn fill(sterna: &Sterna, folder: &str) -> u64 {
    for name in NAMES {
        sterna.file(format!("{folder}/{name}"), format!("the bytes of {name}"));
    }
    sterna.file(format!("{folder}/big"), vec![7; 1_234_567]);
    NAMES.len() as u64 + 1
}

/// A folder of a server with the files in it.
fn served(sterna: &Sterna, server: &WebServer) -> (String, u64) {
    let url = server.folder("mirror");
    let count = fill(sterna, "src");
    let disk = server.on_disk(&url);
    Ran::of(sterna.program("cp", &["-a", "src/.", disk.to_str().expect("UTF-8")])).exits(0);
    (url, count)
}

#[test]
fn a_mirror_is_made_from_index_pages() {
    for (server, name) in servers() {
        let sterna = Sterna::new();
        let (url, count) = served(&sterna, server);
        // Typed as an address, and as a remote.
        sterna.config(&format!("[remote.web]\ntype = \"http\"\nurl = \"{url}\"\n"));
        assert_eq!(
            sterna.did(&["sync", &format!("{url}/"), "dst"]),
            Did { transferred: count, ..Did::NOTHING },
            "{name}"
        );
        sterna.same("src", "dst");
        assert_eq!(sterna.did(&["sync", "web:", "dst"]), Did::NOTHING, "{name}");
        sterna.run(&["check", "--download", "web:", "dst"]).exits(0);
        // A change that keeps the size, and another time.
        let disk = server.on_disk(&url);
        fs::write(disk.join("repo.sha256"), "the bytes of repo.sha25X").expect("a file of ours");
        let then = std::time::SystemTime::now() - std::time::Duration::from_secs(3_600);
        let file = fs::File::options().append(true).open(disk.join("repo.sha256")).expect("a file of ours");
        file.set_modified(then).expect("a file of ours");
        fs::remove_file(disk.join("o!")).expect("a file of ours");
        assert_eq!(sterna.did(&["sync", "web:", "dst"]), Did { transferred: 1, deleted: 1, ..Did::NOTHING }, "{name}");
        assert_eq!(sterna.run(&["cat", "web:repo.sha256"]).exits(0).stdout, "the bytes of repo.sha25X", "{name}");
        sterna.run(&["copy", &format!("{url}/o.txt"), "one"]).exits(0);
        assert_eq!(sterna.names("one"), ["o.txt"], "{name}");
        let ran = sterna.run(&["copy", "one", "web:other"]);
        assert_ne!(ran.code, Some(0), "{name}: a web server is only read from\n{ran}");
    }
}

#[test]
fn a_mirror_is_made_from_a_filer() {
    let sterna = Sterna::new();
    let (dav, filer) = seaweedfs_webdav();
    let url = dav.folder("filer");
    let path = url.strip_prefix(&dav.url).expect("a folder of this server");
    let count = fill(&sterna, "src");
    sterna.rclone(&["copy", "src", &dav.rclone_place(path.trim_start_matches('/'))]).exits(0);
    assert_eq!(sterna.did(&["sync", &format!("{filer}{path}/"), "dst"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "dst");
    assert_eq!(sterna.did(&["sync", &format!("{filer}{path}/"), "dst"]), Did::NOTHING);
}

/// Promise 1: what a list says of the contents is proof.
#[test]
fn a_list_of_sums_is_the_listing_and_the_proof() {
    let sterna = Sterna::new();
    let (url, _) = served(&sterna, nginx());
    let disk = nginx().on_disk(&url);
    // An index page that hides the folder: the list alone says what is there.
    fs::write(disk.join("index.html"), "<a href=\"o.txt\">only this</a>").expect("a folder of ours");
    let sums = "sha256sum -- o.txt deep/er/still 'a b' '%41' repo.sha256 > SHA256SUMS";
    Ran::of(sterna.program("sh", &["-c", &format!("cd '{}' && {sums}", disk.display())])).exits(0);
    sterna.config(&format!("[remote.web]\ntype = \"http\"\nurl = \"{url}\"\nlist = \"{url}/SHA256SUMS\"\n"));
    sterna.config(&format!("[remote.page]\ntype = \"http\"\nurl = \"{url}\"\n"));
    assert_eq!(sterna.did(&["sync", "web:", "dst"]), Did { transferred: 5, ..Did::NOTHING });
    assert_eq!(sterna.names("dst"), ["%41", "a b", "deep/er/still", "o.txt", "repo.sha256"]);
    sterna.run(&["ls", "-R", "--keys", "web:"]).exits(0).prints("%41\na b\ndeep/er/still\no.txt\nrepo.sha256\n");
    // A page that is no index is not taken for one.
    sterna.run(&["ls", "page:"]).says("no index page");
    // What the server has is not what the list says: it is not taken.
    fs::write(disk.join("o.txt"), "the bytes of o.tXt").expect("a file of ours");
    fs::remove_dir_all(sterna.path("dst")).expect("it was made");
    let ran = sterna.run(&["sync", "web:", "dst"]);
    assert_ne!(ran.code, Some(0), "{ran}");
    assert_eq!(sterna.names("dst"), ["%41", "a b", "deep/er/still", "repo.sha256"]);
    // What the list names and the server has not is no object that vanished.
    fs::remove_file(disk.join("repo.sha256")).expect("a file of ours");
    let ran = sterna.run(&["sync", "web:", "dst"]).says("repo.sha256");
    assert_ne!(ran.code, Some(0), "{ran}");
    assert!(sterna.names("dst").contains(&"repo.sha256".to_owned()));
}

/// A place that is not there is no empty one: nobody takes a slip of the pen for a mirror that lost everything.
#[test]
fn a_folder_that_is_not_there_is_an_error() {
    for (server, name) in servers() {
        let sterna = Sterna::new();
        let (url, _) = served(&sterna, server);
        sterna.config(&format!("[remote.web]\ntype = \"http\"\nurl = \"{url}\"\n"));
        sterna.file("dst/kept", "kept");
        sterna.run(&["ls", "no-such-directory"]).exits(3);
        for missing in [&format!("{url}/slip"), &format!("{url}/o/slip/"), "web:slip", "web:o/slip"] {
            for command in
                [&["ls", missing][..], &["size", missing], &["copy", missing, "dst"], &["sync", missing, "dst"]]
            {
                sterna.run(command).exits(3);
            }
        }
        assert_eq!(sterna.names("dst"), ["kept"], "{name}");
        // Below a place that is there, a folder may be missing: so a filter that names one finds nothing.
        for place in [&format!("{url}/"), "web:", "web:deep"] {
            sterna.run(&["ls", "-R", "--include", "/slip/*", place]).exits(0).prints("");
        }
    }
}

#[test]
fn cut_downloads_go_on() {
    for server in [apache(), nginx(), caddy()] {
        let sterna = Sterna::new();
        let url = server.folder("cut");
        let bytes: Vec<u8> = (0..3_000_000_u32).map(|number| (number % 251) as u8).collect();
        fs::write(server.on_disk(&url).join("big"), &bytes).expect("a folder of ours");
        let path = url.strip_prefix(&server.url).expect("a folder of this server");
        let proxy = Proxy::new(&server.url, |method, head, before| match (method, head.contains("/big ")) {
            ("GET", true) if before < 6 => Some(Fault::CutAnswer(700_000)),
            ("GET", false) if before < 2 => Some(Fault::Answer(503, "Retry-After: 0\r\n".to_owned())),
            ("HEAD", _) if before < 2 => Some(Fault::Answer(500, String::new())),
            _ => None,
        });
        sterna.run(&["sync", &format!("{}{path}/", proxy.url), "dst"]).exits(0);
        assert_eq!(fs::read(sterna.path("dst/big")).expect("it came"), bytes);
        let ranges = proxy.heads().iter().filter(|head| head.to_ascii_lowercase().contains("\r\nrange:")).count();
        assert!(ranges >= 1, "it goes on where it broke: {:?}", proxy.counts());
    }
}

#[test]
fn nothing_is_tried_where_nothing_can_be_written() {
    let sterna = Sterna::new();
    sterna.file("src/a", "a");
    sterna.run(&["sync", "src", "http://127.0.0.1:1/x"]).exits(2).says("it can only be read from");
    sterna.run(&["move", &apache().folder("kept"), "dst"]).exits(2).says("it can only be read from");
}
