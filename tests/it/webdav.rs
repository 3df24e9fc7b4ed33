//! WebDAV: synced with disks and buckets in both directions, judged by rclone, and through faults.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use sterna_servers::{
    Fault, Proxy, WebServer, apache, moto, nginx, rclone_webdav, rclone_webdav_tls, seaweedfs_webdav, wsgidav,
};

use crate::judge::Did;
use crate::raw;
use crate::sterna::Sterna;

/// Names a disk and every one of the servers hold.
const ODD: &[&str] = &[
    " lead",
    "trail ",
    "in side/a b",
    "%41",
    "%2F",
    "100%",
    "plus+plus",
    "hash#hash",
    "ask?ask=1&b",
    "~tilde",
    "star*",
    "&<>\"'",
    "&amp;",
    "semi;colon",
    "s:colon",
    "e\u{301}-nfd",
    "\u{e9}-nfc",
    "🐦/🐦.txt",
    "{brace}[bracket]",
    "o",
    "o!",
    "o.txt",
    "o0/x",
    "-dash",
    "con",
    "...",
    ".hidden/.deeper",
    "deep/er/and/deep/er/still",
];

/// The servers, each with what rclone calls it.
fn servers() -> [(&'static WebServer, &'static str); 3] {
    [(apache(), "apache"), (rclone_webdav(), "rclone"), (&seaweedfs_webdav().0, "seaweedfs")]
}

fn odd(sterna: &Sterna, folder: &str) -> u64 {
    for name in ODD {
        sterna.file(format!("{folder}/{name}"), format!("the bytes of {name}"));
    }
    sterna.file(format!("{folder}/empty"), "");
    sterna.file(format!("{folder}/big"), vec![7; 3_000_000]);
    ODD.len() as u64 + 2
}

fn rclone_place(url: &str, vendor: &str) -> String {
    let vendor = if vendor == "rclone" { "rclone" } else { "other" };
    format!(":webdav,url=\"{url}\",vendor={vendor}:")
}

#[test]
fn a_disk_and_a_server_are_synced_both_ways() {
    for (server, name) in servers() {
        let sterna = Sterna::new();
        let url = server.folder("both");
        sterna.dav("dav", &url, "");
        let count = odd(&sterna, "src");
        assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: count, ..Did::NOTHING }, "{name}");
        sterna.same("src", &rclone_place(&url, name));
        let again = sterna.did(&["sync", "src", "dav:", "--allow-unproven"]);
        assert_eq!(Did { unproven: 0, ..again }, Did::NOTHING, "{name}: up again");
        assert_eq!(sterna.did(&["sync", "dav:", "back"]), Did { transferred: count, ..Did::NOTHING }, "{name}");
        sterna.same("src", "back");
        sterna.run(&["check", "--download", "src", "dav:"]).exits(0);
        fs::remove_file(sterna.path("src/o!")).expect("it was made");
        fs::remove_dir_all(sterna.path("src/deep")).expect("it was made");
        assert_eq!(
            Did { unproven: 0, code: 0, ..sterna.did(&["sync", "src", "dav:"]) },
            Did { deleted: 2, ..Did::NOTHING },
            "{name}"
        );
        sterna.same("src", &rclone_place(&url, name));
    }
}

/// Promise 1: a checksum file changes and keeps its size.
#[test]
fn a_change_that_keeps_the_size_is_copied() {
    for (server, name) in servers() {
        let sterna = Sterna::new();
        let url = server.folder("same-size");
        sterna.dav("dav", &url, "");
        sterna.file("src/repo.sha256", "1".repeat(64));
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did::NOTHING, "{name}");
        // The time differs where there are times, the bytes alone where there are none.
        let file = fs::File::open(sterna.file("src/repo.sha256", "2".repeat(64))).expect("it was written");
        file.set_modified(SystemTime::now() + Duration::from_secs(10)).expect("a file of ours");
        assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 1, ..Did::NOTHING }, "{name}");
        sterna.same("src", &rclone_place(&url, name));
        assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did::NOTHING, "{name}");
    }
}

#[test]
fn a_bucket_and_a_server_are_synced_both_ways() {
    for (server, name) in servers() {
        let sterna = Sterna::at(&["keys"]);
        let url = server.folder("bucket");
        sterna.dav("dav", &url, "");
        let count = odd(&sterna, "src");
        let [from, to] = ["dav-from", "dav-to"].map(|name| format!("keys:{}", moto().bucket(name)));
        sterna.run(&["sync", "src", &from]).exits(0);
        assert_eq!(sterna.did(&["sync", &from, "dav:"]), Did { transferred: count, ..Did::NOTHING }, "{name}");
        sterna.same("src", &rclone_place(&url, name));
        assert_eq!(sterna.did(&["sync", "dav:", &to]), Did { transferred: count, ..Did::NOTHING }, "{name}");
        sterna.same("src", &to);
    }
}

#[test]
fn what_webdav_cannot_hold_is_said() {
    let sterna = Sterna::at(&["keys"]);
    let url = apache().folder("cannot");
    sterna.dav("dav", &url, "");
    let bucket = moto().bucket("dav-cannot");
    let refused = ["a//b", "/lead", "dir/", "p/./q", "p/../q"];
    for key in refused.into_iter().chain(["a/b", "lead", "p/q"]) {
        raw::put(moto(), &bucket, key, key.as_bytes());
    }
    let ran = sterna.run(&["sync", &format!("keys:{bucket}"), "dav:"]).exits(1);
    for key in refused {
        assert!(ran.stderr.lines().any(|line| line.contains(key)), "{key} was not named\n{ran}");
    }
    sterna.run(&["ls", "-R", "--keys", "dav:"]).exits(0).prints("a/b\nlead\np/q\n");
    sterna.run(&["cat", "dav:a/b"]).exits(0).prints("a/b");
    // The same, typed as an address.
    let typed = url.replacen("http", "webdav", 1);
    sterna.run(&["ls", "-R", "--keys", &typed]).exits(0).prints("a/b\nlead\np/q\n");
    sterna.run(&["cat", &format!("{typed}/a/b")]).exits(0).prints("a/b");
}

#[test]
fn times_travel_where_the_server_keeps_them() {
    let sterna = Sterna::new();
    let url = rclone_webdav().folder("times");
    sterna.dav("dav", &url, "");
    let file = fs::File::create(sterna.file("src/old", "x")).expect("a writable directory");
    let then = std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
    file.set_modified(then).expect("a file of ours");
    sterna.run(&["sync", "src", "dav:"]).exits(0);
    let told = || sterna.listed(&rclone_place(&url, "rclone"))["old"]["ModTime"].to_string();
    assert_eq!(told(), "\"2009-02-13T23:31:30Z\"");
    // The same bytes under another time: the time is set, and nothing is sent.
    file.set_modified(then + Duration::from_secs(1_000)).expect("a file of ours");
    assert_eq!(sterna.did(&["sync", "src", "dav:", "--checksum"]), Did { touched: 1, ..Did::NOTHING });
    assert_eq!(told(), "\"2009-02-13T23:48:10Z\"");
}

#[test]
fn one_signs_in() {
    let sterna = Sterna::new();
    let url = apache().folder("closed/in");
    sterna.dav("right", &url, "user = \"tern\"\npassword = \"secret\"");
    sterna.dav("wrong", &url, "user = \"tern\"\npassword = \"wr0ng-w0rd\"");
    sterna.dav("nobody", &url, "");
    sterna.file("src/a", "a");
    sterna.run(&["sync", "src", "right:"]).exits(0);
    sterna.run(&["cat", "right:a"]).exits(0).prints("a");
    for remote in ["wrong:", "nobody:"] {
        let ran = sterna.run(&["ls", remote]).says("access denied").never_says("wr0ng-w0rd");
        assert_ne!(ran.code, Some(0), "{ran}");
    }
    sterna.run(&["config", "check", "right"]).exits(0);
    assert_ne!(sterna.run(&["config", "check", "wrong"]).code, Some(0));
}

#[test]
fn a_certificate_is_trusted_by_name_only() {
    let sterna = Sterna::new();
    let server = rclone_webdav_tls();
    let (user, password) = server.user.expect("one signs in there");
    let sign_in = format!("user = \"{user}\"\npassword = \"{password}\"");
    let ca_file = server.process.directory().join("certificate.pem");
    sterna.dav("trusting", &server.url, &format!("{sign_in}\nca_file = \"{}\"", ca_file.display()));
    sterna.dav("careful", &server.url, &sign_in);
    let count = odd(&sterna, "src");
    assert_eq!(sterna.did(&["sync", "src", "trusting:"]), Did { transferred: count, ..Did::NOTHING });
    assert_eq!(sterna.did(&["sync", "trusting:", "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    sterna.run(&["ls", "careful:"]).exits(1).says("certificate").says("ca_file").never_says(password);
}

/// The server copies what it already has, and a renamed file goes nowhere.
#[test]
fn what_is_there_is_copied_by_the_server() {
    for (server, name) in servers() {
        let sterna = Sterna::new();
        let url = server.folder("copied");
        sterna.dav("from", &format!("{url}/from"), "");
        sterna.dav("to", &format!("{url}/to"), "");
        sterna.file("src/a b", "x".repeat(10_000));
        sterna.run(&["sync", "src", "from:"]).exits(0);
        assert_eq!(sterna.did(&["sync", "from:", "to:"]), Did { copied: 1, ..Did::NOTHING }, "{name}");
        sterna.same("src", &rclone_place(&format!("{url}/to"), name));
    }
}

/// What a sync of many files costs, by method: collections are made once, and nothing is asked twice.
#[test]
fn calls_are_counted() {
    for (server, moves) in [(apache(), 1), (rclone_webdav(), 1)] {
        let sterna = Sterna::new();
        let folder = server.folder("calls");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        for number in 0..60 {
            sterna.file(format!("src/{}/{number}", number % 3), format!("{number}"));
        }
        let proxy = Proxy::new(&server.url, |_, _, _| None);
        sterna.dav("dav", &format!("{}{path}", proxy.url), "");
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        let counts = proxy.counts();
        let count = |method: &str| counts.get(method).copied().unwrap_or(0);
        assert_eq!(
            count("MKCOL"),
            3,
            "{counts:?} {:#?}",
            proxy.heads().iter().filter(|head| head.starts_with("MKCOL")).collect::<Vec<_>>()
        );
        assert_eq!(count("PUT"), 60, "nothing is tried where the first upload shows it: {counts:?}");
        assert_eq!(count("MOVE"), 60 * moves, "{counts:?}");
        // Whether it is empty, which is the listing, too, and one look an object.
        assert_eq!(count("PROPFIND"), 61, "{counts:?}");
        assert_eq!(count("HEAD") + count("GET"), 0, "{counts:?}");
        let proxy = Proxy::new(&server.url, |_, _, _| None);
        sterna.dav("again", &format!("{}{path}", proxy.url), "");
        sterna.run(&["sync", "src", "again:"]).exits(0);
        let counts = proxy.counts();
        assert_eq!((counts.get("MKCOL"), counts.get("MOVE")), (None, None), "{counts:?}");
        assert!(counts.get("PROPFIND").is_some_and(|count| *count <= 5), "a listing tells all: {counts:?}");
    }
}

/// Whether a server keeps times is tried by writing: only where something may be written. Who compares without having
/// tried takes equal times for evidence, and others for none.
#[test]
fn who_only_reads_writes_nothing() {
    for (server, keeps_times) in [(apache(), false), (rclone_webdav(), true)] {
        let sterna = Sterna::new();
        let folder = server.folder("reading");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        let then = SystemTime::now() - Duration::from_secs(100_000);
        for (name, size) in [("small", 1_000), ("deep/er", 10), ("big", 1_500_000)] {
            let file = fs::File::open(sterna.file(format!("src/{name}"), vec![7; size])).expect("it was written");
            file.set_modified(then).expect("a file of ours");
        }
        sterna.dav("writer", &folder, "");
        sterna.run(&["sync", "src", "writer:"]).exits(0);
        let proxy = Proxy::new(&server.url, |_, _, _| None);
        sterna.dav("dav", &format!("{}{path}", proxy.url), "");
        for command in [
            &["ls", "dav:"][..],
            &["ls", "-R", "--keys", "dav:"],
            &["tree", "dav:"],
            &["size", "dav:"],
            &["stat", "dav:small"],
            &["cat", "dav:deep/er"],
            &["hash", "sha256", "dav:small"],
            &["config", "check", "dav"],
            &["delete", "--dry-run", "dav:"],
            &["check", "dav:", "dav:"],
            &["check", "src", "dav:", "--download"],
        ] {
            sterna.run(command).exits(0);
        }
        let unproven = if keeps_times { 0 } else { 11 };
        sterna.run(&["check", "src", "dav:"]).exits(unproven);
        sterna.run(&["check", "dav:", "src"]).exits(unproven);
        // Of the same size, and something else: small enough to be read, or another time where times are kept.
        let file = fs::File::open(sterna.file("src/small", vec![8; 1_000])).expect("it was written");
        file.set_modified(then + Duration::from_secs(50)).expect("a file of ours");
        sterna.run(&["check", "src", "dav:"]).exits(1);
        // A source's times are taken as they come: what came with them is known again.
        assert_eq!(sterna.did(&["sync", "dav:", "back"]), Did { transferred: 3, ..Did::NOTHING });
        assert_eq!(sterna.did(&["sync", "dav:", "back"]), Did::NOTHING);
        sterna.run(&["plan", "dav:", "other", "-o", "plan"]).exits(0);
        sterna.run(&["apply", "plan"]).exits(0);
        let written: Vec<_> =
            proxy.counts().into_keys().filter(|method| !matches!(&**method, "PROPFIND" | "GET" | "HEAD")).collect();
        assert!(written.is_empty(), "{written:?}");
        // What may be written to is tried, once, and nothing stays of it.
        for _ in 0..2 {
            sterna.run(&["sync", "src", "dav:", "--dry-run", "--allow-unproven"]).exits(0);
            assert_eq!((proxy.counts().get("PUT"), proxy.counts().get("DELETE")), (Some(&1), Some(&1)));
        }
    }
}

/// What uploads show of a server is remembered; where it does otherwise later, the next upload shows that.
#[test]
fn a_server_that_no_longer_keeps_times_is_noticed() {
    let sterna = Sterna::new();
    let folder = rclone_webdav().folder("remembered");
    let path = folder.strip_prefix(&rclone_webdav().url).expect("a folder of this server");
    let (forgets, told) = (Arc::new(AtomicBool::new(false)), "x-oc-mtime: ");
    let forgetting = Arc::clone(&forgets);
    let proxy = Proxy::new(&rclone_webdav().url, move |_, head, _| {
        (forgetting.load(Ordering::Relaxed) && head.contains(told)).then_some(Fault::Rewrite(told, "x-nobody-reads: "))
    });
    sterna.dav("dav", &format!("{}{path}", proxy.url), "");
    let write = |content: &str, hours: u64| {
        let file = fs::File::options().write(true).open(sterna.file("src/a", content)).expect("it was written");
        let then = SystemTime::now() - Duration::from_secs(hours * 3_600);
        file.set_modified(then).expect("a file of ours");
    };
    write("1", 9);
    let puts = || proxy.counts().get("PUT").copied();
    assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 1, ..Did::NOTHING });
    assert_eq!((sterna.did(&["sync", "src", "dav:"]), puts()), (Did::NOTHING, Some(1)), "nothing was tried");
    forgets.store(true, Ordering::Relaxed);
    write("2", 8);
    assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 1, ..Did::NOTHING });
    // The server's time is not the file's, and no reason to send it again.
    assert_eq!((sterna.did(&["sync", "src", "dav:"]), puts()), (Did::NOTHING, Some(2)));
    write("3", 8);
    assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 1, ..Did::NOTHING });
    sterna.same("src", &rclone_place(&folder, "rclone"));
}

/// Some servers (sabre/dav, and with it Nextcloud) take `Depth: infinity` for `1` without a word. Here Apache is one.
#[test]
fn a_tree_that_is_told_in_part_is_walked() {
    let sterna = Sterna::new();
    let folder = apache().folder("depth");
    let path = folder.strip_prefix(&apache().url).expect("a folder of this server");
    let count = odd(&sterna, "src");
    fs::create_dir(sterna.path("src/nothing in it")).expect("a writable directory");
    sterna.dav("dav", &folder, "");
    sterna.run(&["sync", "src", "dav:"]).exits(0);
    let whole = sterna.run(&["ls", "-R", "--keys", "dav:"]).exits(0).stdout;
    assert_eq!(whole.lines().count() as u64, count);
    let faults = [Fault::Rewrite("depth: infinity", "depth: 1")]
        .into_iter()
        .chain([403, 400, 501, 504].map(|status| Fault::Answer(status, String::new())));
    for (number, fault) in faults.enumerate() {
        let (name, shown) = (format!("d{number}"), fault.clone());
        let proxy =
            Proxy::new(&apache().url, move |_, head, _| head.contains("depth: infinity").then(|| fault.clone()));
        sterna.dav(&name, &format!("{}{path}", proxy.url), "times = \"none\"");
        let told = sterna.run(&["ls", "-R", "--keys", &format!("{name}:")]).exits(0).stdout;
        assert_eq!(told, whole, "{shown:?}");
        assert!(proxy.heads().iter().any(|head| head.contains("depth: infinity")), "it was asked for");
    }
}

/// Runs a sync through a proxy with a fault, and looks at what lies there.
fn survives(server: &WebServer, name: &str, rule: impl Fn(&str, &str, usize) -> Option<Fault> + Send + Sync + 'static) {
    let sterna = Sterna::new();
    let folder = server.folder("faults");
    let path = folder.strip_prefix(&server.url).expect("a folder of this server");
    for number in 0..12 {
        sterna.file(format!("src/{}/{number}", number % 3), vec![number; 100_000 + usize::from(number)]);
    }
    let proxy = Proxy::new(&server.url, rule);
    sterna.dav("dav", &format!("{}{path}", proxy.url), "");
    let ran = sterna.run(&["sync", "src", "dav:"]);
    assert_eq!(ran.code, Some(0), "{name}: {:?}\n{ran}", proxy.counts());
    // What a server keeps of an upload that was cut has a name that sterna hides, and removes a day later.
    let hidden = ["check", "--download", "--exclude", ".*.sterna-*.new", "src", &rclone_place(&folder, "other")];
    sterna.rclone(&hidden).exits(0);
    let ran = sterna.run(&["sync", "dav:", "back"]);
    assert_eq!(ran.code, Some(0), "{name}\n{ran}");
    sterna.same("src", "back");
    sterna.run(&["check", "src", "dav:", "--download"]).exits(0);
}

#[test]
fn faults_are_survived() {
    for server in [apache(), rclone_webdav()] {
        let every = |third: usize, fault: Fault| move |before: usize| (before % 3 == third).then(|| fault.clone());
        let cut = every(1, Fault::CutRequest(50_000));
        survives(server, "uploads cut", move |method, _, before| (method == "PUT").then(|| cut(before)).flatten());
        let cut = every(1, Fault::CutAnswer(60_000));
        survives(server, "downloads cut", move |method, _, before| (method == "GET").then(|| cut(before)).flatten());
        let lost = every(1, Fault::LoseAnswer);
        survives(server, "answers lost", move |method, _, before| {
            matches!(method, "PUT" | "MOVE" | "MKCOL").then(|| lost(before)).flatten()
        });
        let busy = every(1, Fault::Answer(503, "Retry-After: 0\r\n".to_owned()));
        survives(server, "throttled", move |method, _, before| (method != "DELETE").then(|| busy(before)).flatten());
        let broken = every(1, Fault::Answer(500, String::new()));
        survives(server, "broken", move |method, _, before| (method != "DELETE").then(|| broken(before)).flatten());
        survives(server, "no depth", |method, _, before| {
            (method == "PROPFIND" && before == 5).then_some(Fault::CutAnswer(300))
        });
    }
}

/// WsgiDAV reads the name something is moved to otherwise (`a?b` as `a`), and answers with a success.
#[test]
fn nothing_lands_under_another_name() {
    let sterna = Sterna::new();
    let url = wsgidav().folder("names");
    sterna.dav("dav", &url, "");
    for name in ["ask", "ask?1", "hash#1", "semi;1", "tab\tbed", "d;1/x", "plain"] {
        sterna.file(format!("src/{name}"), format!("the bytes of {name}"));
    }
    let at = |name: &str| fs::read_to_string(wsgidav().on_disk(&url).join(name));
    // Once into an empty folder, and once more with all that could be stored in place.
    for _ in 0..2 {
        let ran = sterna.run(&["copy", "src", "dav:"]).exits(1);
        for name in ["ask?1", "semi;1", "tab\tbed"] {
            assert!(ran.stderr.contains(name), "{name} is not told\n{ran}");
        }
        for name in ["ask", "plain", "hash#1", "d;1/x"] {
            assert_eq!(at(name).expect("it was stored"), format!("the bytes of {name}"));
        }
        for other in ["hash", "semi", "tabbed", "d"] {
            assert!(at(other).is_err(), "something lies under {other}\n{ran}");
        }
    }
}

/// RFC 4918 wants 412 for a name that is taken; copyparty answers 400, others 405 or 409.
#[test]
fn a_name_that_is_taken_is_told_in_several_ways() {
    let sterna = Sterna::new();
    let folder = apache().folder("taken");
    let path = folder.strip_prefix(&apache().url).expect("a folder of this server");
    sterna.file("src/a", "0");
    sterna.dav("dav", &folder, "");
    sterna.run(&["sync", "src", "dav:"]).exits(0);
    for status in [400, 405, 409, 412] {
        let proxy = Proxy::new(&apache().url, move |method, head, _| {
            (method == "MOVE" && head.contains("overwrite: F")).then(|| Fault::Answer(status, String::new()))
        });
        sterna.dav(&format!("d{status}"), &format!("{}{path}", proxy.url), "times = \"none\"");
        sterna.file("src/a", status.to_string());
        sterna.run(&["sync", "src", &format!("d{status}:")]).exits(0);
        sterna.run(&["cat", "dav:a"]).exits(0).prints(&status.to_string());
    }
}

/// To replace is to delete, and of a collection all that is in it: one that has the name since it was listed stays.
#[test]
fn a_collection_is_not_replaced() {
    for server in [apache(), rclone_webdav(), wsgidav()] {
        let sterna = Sterna::new();
        let folder = server.folder("replaced");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        let at = server.on_disk(&folder);
        let taken = at.join("d/taken");
        let turns = taken.clone();
        let proxy = Proxy::new(&server.url, move |method, _, before| {
            if method == "PUT" && before == 2 {
                fs::remove_file(&turns).expect("it was stored");
                fs::create_dir(&turns).expect("a writable directory");
                fs::write(turns.join("inner"), "of somebody else").expect("a writable directory");
            }
            None
        });
        sterna.dav("dav", &format!("{}{path}", proxy.url), "times = \"none\"");
        for content in ["1", "another"] {
            sterna.file("src/d/taken", format!("{content} to be taken"));
            sterna.file("src/d/free", content);
            sterna.run(&["sync", "src", "dav:"]).exits(i32::from(content != "1"));
        }
        assert_eq!(fs::read_to_string(taken.join("inner")).expect("it is still there"), "of somebody else");
        assert_eq!(fs::read_to_string(at.join("d/free")).expect("it was stored"), "another");
    }
}

/// In a folder of very many what is replaced is looked at by itself; and where the drafts are not listed, too.
#[test]
fn what_is_replaced_is_seen_in_every_folder() {
    for (server, members, moves) in [(apache(), 20, 1), (apache(), 150, 2), (nginx(), 20, 1)] {
        let sterna = Sterna::new();
        let folder = server.folder("members");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        for number in 0..members {
            sterna.file(format!("src/d/{number}"), format!("{number}"));
        }
        let proxy = Proxy::new(&server.url, |_, _, _| None);
        sterna.dav("dav", &format!("{}{path}", proxy.url), "times = \"none\"");
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        let moved = || proxy.counts().get("MOVE").copied().unwrap_or_default();
        let before = moved();
        sterna.file("src/d/7", "another");
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        assert_eq!(fs::read_to_string(server.on_disk(&folder).join("d/7")).expect("it was stored"), "another");
        assert_eq!(moved() - before, moves, "{members} members at {}", server.url);
    }
}

/// Some servers delete what has the new name before they find that nothing is there to be moved any more.
#[test]
fn what_was_moved_already_is_not_moved_once_more() {
    let sterna = Sterna::new();
    let server = rclone_webdav();
    let folder = server.folder("moved");
    let path = folder.strip_prefix(&server.url).expect("a folder of this server");
    for number in 0..5 {
        sterna.file(format!("src/{number}"), format!("{number}"));
    }
    let proxy =
        Proxy::new(&server.url, |method, _, before| (method == "MOVE" && before % 2 == 0).then_some(Fault::LoseAnswer));
    sterna.dav("dav", &format!("{}{path}", proxy.url), "times = \"kept\"");
    assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 5, ..Did::NOTHING });
    assert_eq!(proxy.counts().get("PUT"), Some(&5), "nothing was sent twice");
    let replaced = || proxy.heads().iter().filter(|head| head.contains("overwrite: T")).count();
    assert_eq!(replaced(), 0, "nothing was deleted");
    sterna.same("src", &rclone_place(&folder, "rclone"));
    // What replaces another is moved over it, once.
    for number in 0..5 {
        sterna.file(format!("src/{number}"), format!("changed: {number}"));
    }
    assert_eq!(sterna.did(&["sync", "src", "dav:"]), Did { transferred: 5, ..Did::NOTHING });
    assert_eq!((proxy.counts().get("PUT"), replaced()), (Some(&10), 5));
    sterna.same("src", &rclone_place(&folder, "rclone"));
}

/// A server that writes atomically by itself, and is known to: one PUT, over what is there, too, and never over a collection.
#[test]
fn a_server_that_writes_atomically_needs_no_move() {
    for (server, vendor) in [(apache(), "apache"), (nginx(), "nginx")] {
        let sterna = Sterna::new();
        let folder = server.folder("at-once");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        let proxy = Proxy::new(&server.url, |method, _, before| {
            // Of the second upload half arrives.
            (method == "PUT" && before == 1).then_some(Fault::CutRequest(50_000))
        });
        sterna.dav("dav", &format!("{}{path}", proxy.url), &format!("vendor = \"{vendor}\""));
        let at = server.on_disk(&folder).join("d/a");
        sterna.file("src/d/a", vec![1; 100_000]);
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        sterna.file("src/d/a", vec![2; 90_000]);
        sterna.run(&["sync", "src", "dav:", "--low-level-retries", "1"]).exits(5);
        assert_eq!(fs::read(&at).expect("it was stored"), vec![1; 100_000], "{vendor}: half of it is seen");
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        assert_eq!(fs::read(&at).expect("it was stored"), vec![2; 90_000], "{vendor}");
        assert_eq!((proxy.counts().get("MOVE"), proxy.counts().get("PUT")), (None, Some(&3)), "{vendor}");
        // `d` is a collection, and stays one.
        fs::remove_dir_all(sterna.path("src/d")).expect("it was made");
        sterna.file("src/d", "an object");
        let ran = sterna.run(&["copy", "src", "dav:"]);
        assert_ne!(ran.code, Some(0), "{vendor}\n{ran}");
        assert_eq!(fs::read(&at).expect("it is still there"), vec![2; 90_000], "{vendor}");
        let left = fs::read_dir(server.on_disk(&folder).join("d")).expect("a collection").count();
        assert_eq!(left, 1, "{vendor}: something stayed of the half");
    }
}

/// An empty object is a body of no bytes, and not none.
#[test]
fn an_empty_object_is_stored_everywhere() {
    for server in [apache(), nginx(), wsgidav(), rclone_webdav()] {
        let sterna = Sterna::new();
        let folder = server.folder("empty");
        let path = folder.strip_prefix(&server.url).expect("a folder of this server");
        let proxy = Proxy::new(&server.url, |_, _, _| None);
        sterna.dav("dav", &format!("{}{path}", proxy.url), "");
        sterna.file("src/empty", "");
        sterna.run(&["sync", "src", "dav:"]).exits(0);
        assert!(proxy.heads().iter().any(|head| head.starts_with("PUT ") && head.contains("content-length: 0")));
        sterna.run(&["sync", "dav:", "back"]).exits(0);
        sterna.same("src", "back");
    }
}
