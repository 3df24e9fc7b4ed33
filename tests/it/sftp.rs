//! SFTP: synced with a disk in both directions, judged by rclone.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use sterna_servers::sshd;

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

/// Beside those that every store holds.
const MORE: &[&str] = &[
    " lead",
    "trail ",
    " ",
    "a/ lead",
    "star*",
    "back\\slash",
    "semi;colon",
    "{brace}[bracket]",
    "$(echo)",
    "`id`",
    "...",
    ".hidden/.deeper",
    "deep/er/and/deep/er/still",
];

fn remote(sterna: &Sterna, name: &str, lines: &str) {
    let server = sshd();
    sterna.config(&format!(
        "[remote.{name}]\ntype = \"sftp\"\nendpoint = \"{}\"\nkey = \"{}\"\nknown_hosts_strategy = \"Accept\"\n{lines}\n",
        server.endpoint(),
        server.key.display()
    ));
}

fn sorted(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|file| file.file_name().display().to_string())
        .collect();
    names.sort();
    names
}

#[test]
fn a_disk_and_a_server_are_synced_both_ways() {
    let sterna = Sterna::new();
    let folder = sshd().folder("both");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    let count = sterna.odd(MORE) + 1;
    sterna.file("src/big", vec![7; 3_000_000]);
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", &sshd().rclone_place(&folder));
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did::NOTHING);
    assert_eq!(sterna.did(&["sync", "far:", "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    assert_eq!(sterna.did(&["sync", "far:", "back"]), Did::NOTHING);
    let written = |path: PathBuf| fs::metadata(path).expect("it was synced").mtime();
    assert_eq!(written(folder.join("o")), written(sterna.path("src/o")));
    assert_eq!(written(sterna.path("back/o")), written(sterna.path("src/o")));
    sterna.run(&["check", "--download", "src", "far:"]).exits(0);
    // The same size, other bytes: promise 1.
    sterna.dated("src/o", "the bytes of 0", 1_900_000_000, 0);
    sterna.dated("src/o!", "the bytes of o?", 1_900_000_000, 0);
    fs::remove_dir_all(sterna.path("src/deep")).expect("it was made");
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did { transferred: 2, deleted: 1, ..Did::NOTHING });
    sterna.same("src", &sshd().rclone_place(&folder));
    assert!(!folder.join("deep").exists(), "a folder without files stays: {:?}", sorted(&folder));
}

/// Between places of one server no byte comes here.
#[test]
fn the_server_copies_by_itself() {
    let sterna = Sterna::new();
    let folder = sshd().folder("copies");
    remote(&sterna, "one", &format!("root = \"{}/one\"", folder.display()));
    remote(&sterna, "two", &format!("root = \"{}/two\"", folder.display()));
    sterna.dated("src/a b/\u{e9}", "small", 1_500_000_000, 0);
    sterna.dated("src/big", vec![7; 3_000_000], 1_600_000_000, 0);
    sterna.file("src/empty", "");
    assert_eq!(sterna.did(&["sync", "src", "one:"]), Did { transferred: 3, ..Did::NOTHING });
    assert_eq!(sterna.did(&["sync", "one:", "two:"]), Did { copied: 3, ..Did::NOTHING });
    sterna.same("src", &sshd().rclone_place(&folder.join("two")));
    assert_eq!(sterna.did(&["sync", "src", "two:"]), Did::NOTHING);
}

/// What rclone put there is found in sync, and places below the login's directory, and absolute ones, are the same.
#[test]
fn what_another_tool_wrote_is_read() {
    let sterna = Sterna::new();
    let folder = sshd().folder("other");
    remote(&sterna, "root", "root = \"/\"");
    sterna.file("src/a/b", "b");
    sterna.file("src/c", "c");
    sterna.rclone(&["copy", "src", &sshd().rclone_place(&folder)]).exits(0);
    let place = format!("root:{}", folder.display());
    sterna.run(&["ls", "-R", "--keys", &place]).exits(0).prints("a/b\nc\n");
    sterna.run(&["cat", &format!("{place}/a/b")]).exits(0).prints("b");
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);
}

/// What no key can name, and what is no file, is told and left out; the rest of the listing stands.
#[test]
fn what_cannot_be_named_is_told_and_left_out() {
    let sterna = Sterna::new();
    let folder = sshd().folder("left-out");
    let elsewhere = sshd().folder("elsewhere");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    fs::write(folder.join(OsStr::from_bytes(b"bad\xff")), "x").expect("a folder of ours");
    fs::create_dir(folder.join(OsStr::from_bytes(b"worse\xfe"))).expect("a folder of ours");
    fs::write(folder.join("fine"), "x").expect("a folder of ours");
    fs::write(elsewhere.join("secret"), "x").expect("a folder of ours");
    symlink(&elsewhere, folder.join("link")).expect("a folder of ours");
    let ran = sterna.run(&["copy", "far:", "back"]).says("not UTF-8").says("a symbolic link");
    assert_eq!(ran.code, Some(0), "{ran}");
    assert_eq!(sorted(&sterna.path("back")), ["fine"]);
    // Nor is anything written through a link.
    sterna.file("src/link/x", "x");
    assert_ne!(sterna.run(&["copy", "src", "far:"]).says("already exists").code, Some(0));
    assert_eq!(sorted(&elsewhere), ["secret"]);
    // A link that the user names is meant.
    sterna.run(&["cat", "far:link/secret"]).exits(0).prints("x");
    sterna.run(&["ls", "-R", "--keys", "far:link"]).exits(0).prints("secret\n");
}

#[test]
fn a_source_that_is_not_there_is_an_error_and_a_destination_is_made() {
    let sterna = Sterna::new();
    let folder = sshd().folder("missing");
    remote(&sterna, "far", &format!("root = \"{}/not/yet\"", folder.display()));
    sterna.file("keep/a", "a");
    for place in ["far:", "far:deeper"] {
        sterna.run(&["sync", place, "keep"]).exits(3).says("no such bucket or directory");
        sterna.run(&["ls", place]).exits(3);
    }
    assert_eq!(sorted(&sterna.path("keep")), ["a"]);
    assert_eq!(sterna.did(&["sync", "keep", "far:deeper/still"]), Did { transferred: 1, ..Did::NOTHING });
    assert_eq!(sorted(&folder.join("not/yet/deeper/still")), ["a"]);
    sterna.run(&["cat", "far:deeper/still/a"]).exits(0).prints("a");
}

/// A run that sends a big file slowly, and how far it came: until the server has a mebibyte of it.
fn in_mid_body(sterna: &Sterna, folder: &Path, arguments: &[&str]) -> Child {
    let mut command = sterna.command(arguments);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("sterna runs");
    let begun = || {
        let files = fs::read_dir(folder).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).any(|file| file.len() > 1 << 20)
    };
    while !begun() {
        assert!(run.try_wait().expect("a child").is_none(), "it ended before it was in the middle");
        thread::sleep(Duration::from_millis(5));
    }
    run
}

/// The processes a run started: its `ssh`.
fn connections(run: &Child) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{}/task", run.id())).expect("it runs").flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children.flat_map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>()).collect()
}

const SLOWLY: &[&str] = &["sync", "src", "far:", "--bwlimit", "4M"];

#[test]
fn a_connection_that_is_lost_in_mid_body_is_made_anew() {
    let sterna = Sterna::new();
    let folder = sshd().folder("lost");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    sterna.file("src/big", vec![7; 6_000_000]);
    sterna.file("src/small", "x");
    let mut run = in_mid_body(&sterna, &folder, SLOWLY);
    let connections = connections(&run);
    assert!(!connections.is_empty(), "there is no ssh");
    for connection in connections {
        assert!(Command::new("kill").args(["-KILL", &connection]).status().expect("kill is there").success());
    }
    assert!(run.wait().expect("a child").success());
    sterna.same("src", &sshd().rclone_place(&folder));
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did::NOTHING);
}

/// Promise 6, on SFTP: nothing torn is seen, and the next run finishes.
#[test]
fn a_killed_upload_leaves_nothing_that_is_seen() {
    let sterna = Sterna::new();
    let folder = sshd().folder("killed");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    sterna.file("src/big", vec![7; 6_000_000]);
    let mut run = in_mid_body(&sterna, &folder, SLOWLY);
    run.kill().expect("a running child");
    run.wait().expect("a killed child");
    assert!(!folder.join("big").exists());
    sterna.run(&["ls", "-R", "--keys", "far:"]).exits(0).prints("");
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did { transferred: 1, ..Did::NOTHING });
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did::NOTHING);
    assert!(fs::read(folder.join("big")).expect("it was sent") == [7; 6_000_000]);
}

/// The content file of an upload in parts, and how many of its parts the ledger beside it has.
fn under_way(folder: &Path, key: &str) -> Option<(PathBuf, usize)> {
    let ledger = folder.join(sorted(folder).into_iter().find(|name| name.ends_with(".part.done"))?);
    let (head, record) = (28 + key.len() + 4, 32);
    let bytes = fs::read(&ledger).ok()?;
    let done = bytes.get(head..)?.chunks_exact(record).filter(|record| record[4] == 1).count();
    Some((ledger.with_extension(""), done))
}

/// Promise 6, on SFTP: of a big upload that was killed, what the server's disk has is not sent again. Where the server does
/// not say what its disk has, it is read back, and what is not what it was is sent again.
#[test]
fn a_killed_upload_of_a_big_file_goes_on() {
    const PART: usize = 2 << 20;
    const BIG: &[&str] = &["copy", "--part-size", "2M", "--multipart-threshold", "4M", "--use-json-log", "src"];
    const SLOWLY: &[&str] = &["--transfers", "2", "--bwlimit", "8M"];
    let sterna = Sterna::new();
    let content = noise(12 * PART + 1, 1);
    sterna.dated("src/big", &content, 1_500_000_000, 0);
    for (name, place, flushes) in [("flushed", "flushed:", true), ("not", "not:", false)] {
        let folder = sshd().folder(name);
        remote(&sterna, name, &format!("root = \"{}\"\nfsync = {flushes}", folder.display()));
        let mut run = in_mid_body(&sterna, &folder, &[BIG, &[place], SLOWLY].concat());
        let (begun, there) = loop {
            assert!(run.try_wait().expect("a child").is_none(), "it ended before it was killed");
            match under_way(&folder, "big") {
                Some((content, done)) if done >= 4 => break (content, done),
                _ => thread::sleep(Duration::from_millis(5)),
            }
        };
        run.kill().expect("a running child");
        run.wait().expect("a killed child");
        assert!(!folder.join("big").exists());
        sterna.run(&["ls", "-R", "--keys", place]).exits(0).prints("");
        let inode = begun.metadata().expect("it is under way").ino();
        if !flushes {
            let file = fs::File::options().write(true).open(&begun).expect("it is ours");
            std::os::unix::fs::FileExt::write_all_at(&file, b"another's", 5).expect("it is there");
        }

        let ran = sterna.run(&[BIG, &[place]].concat()).exits(0);
        let resumed = ran.stderr.lines().find(|line| line.contains("\"event\":\"resumed\"")).unwrap_or_default();
        let resumed: serde_json::Value = serde_json::from_str(resumed).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        let kept = resumed["bytes"].as_u64().expect("a number");
        let least = if flushes { there } else { there - 1 };
        assert!(kept >= (least * PART) as u64, "{kept} bytes of {there} parts were kept");
        assert!(flushes || kept <= (11 * PART) as u64, "the first part is not what it was");
        assert!(fs::read(folder.join("big")).expect("it was sent") == content);
        assert_eq!(folder.join("big").metadata().expect("it is there").ino(), inode, "it is another file");
        assert_eq!(sorted(&folder), ["big"], "nothing of ours is left");
        assert_eq!(sterna.did(&["sync", "src", place]), Did::NOTHING);
    }
    // An upload of what has changed meanwhile is not gone on with, and not left there.
    let folder = sshd().folder("changed");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    let mut run = in_mid_body(&sterna, &folder, &[BIG, &["far:"], SLOWLY].concat());
    run.kill().expect("a running child");
    run.wait().expect("a killed child");
    let content = noise(12 * PART + 1, 2);
    sterna.dated("src/big", &content, 1_600_000_000, 0);
    sterna.run(&[BIG, &["far:"]].concat()).exits(0).never_says("\"event\":\"resumed\"");
    assert!(fs::read(folder.join("big")).expect("it was sent") == content);
    assert_eq!(sorted(&folder), ["big"]);
}

#[test]
fn what_it_cannot_do_is_said() {
    let sterna = Sterna::new();
    let typo = Sterna::new();
    remote(&typo, "typo", "rooot = \"/\"");
    typo.run(&["ls", "typo:"]).exits(2).says("did you mean 'root'?");
    // Nobody may sign in without the key.
    let endpoint = sshd().endpoint();
    sterna.config(&format!(
        "[remote.stranger]\ntype = \"sftp\"\nendpoint = \"{endpoint}\"\nkey = \"/dev/null\"\nknown_hosts_strategy = \"Accept\"\n"
    ));
    assert_ne!(sterna.run(&["ls", "stranger:"]).says("access denied").code, Some(0));
    // Nor is a server trusted that nobody knows.
    let key = sshd().key.display();
    sterna.config(&format!(
        "[remote.strict]\ntype = \"sftp\"\nendpoint = \"ssh://{}@localhost:{}\"\nkey = \"{key}\"\n",
        sshd().user,
        sshd().port
    ));
    assert_ne!(sterna.run(&["ls", "strict:"]).says("verification failed").code, Some(0));
}
