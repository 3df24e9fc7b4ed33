//! SFTP: synced with a disk in both directions, judged by rclone.

use std::fs;
use std::path::Path;

use sterna_servers::sshd;

use crate::judge::Did;
use crate::sterna::Sterna;

/// Names that a disk and the server hold, and that the library does not change.
const ODD: &[&str] = &[
    "a/ lead",
    "in side/a b",
    "%41",
    "100%",
    "plus+plus",
    "hash#hash",
    "ask?ask=1&b",
    "~tilde",
    "star*",
    "&<>\"'",
    "back\\slash",
    "semi;colon",
    "e\u{301}-nfd",
    "\u{e9}-nfc",
    "🐦/🐦.txt",
    "{brace}[bracket]",
    "o",
    "o!",
    "o0/x",
    "-dash",
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
    for name in ODD {
        sterna.file(format!("src/{name}"), format!("the bytes of {name}"));
    }
    sterna.file("src/empty", "");
    sterna.file("src/big", vec![7; 3_000_000]);
    let count = ODD.len() as u64 + 2;
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", &sshd().rclone_place(&folder));
    let again = sterna.did(&["sync", "src", "far:", "--allow-unproven"]);
    assert_eq!(Did { unproven: 0, ..again }, Did::NOTHING);
    assert_eq!(sterna.did(&["sync", "far:", "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    sterna.run(&["check", "--download", "src", "far:"]).exits(0);
    // The same size, other bytes: promise 1.
    sterna.file("src/o", "other bytes");
    sterna.dated("src/o!", "the bytes of o?", 1_900_000_000, 0);
    fs::remove_dir_all(sterna.path("src/deep")).expect("it was made");
    let did = Did { unproven: 0, code: 0, ..sterna.did(&["sync", "src", "far:"]) };
    assert_eq!(did, Did { transferred: 2, deleted: 1, ..Did::NOTHING });
    sterna.same("src", &sshd().rclone_place(&folder));
    assert!(!folder.join("deep").exists(), "a folder without files stays: {:?}", sorted(&folder));
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

#[test]
fn what_it_cannot_do_is_said() {
    let sterna = Sterna::new();
    let folder = sshd().folder("cannot");
    remote(&sterna, "far", &format!("root = \"{}\"", folder.display()));
    sterna.file("src/trail ", "x");
    sterna.file("src/fine", "x");
    sterna.run(&["sync", "src", "far:"]).exits(1).says("trail ");
    assert_eq!(sorted(&folder), ["fine"]);
    let typo = Sterna::new();
    remote(&typo, "typo", "rooot = \"/\"");
    typo.run(&["ls", "typo:"]).exits(2).says("did you mean 'root'?");
    // Nobody may sign in without the key.
    let endpoint = sshd().endpoint();
    sterna.config(&format!(
        "[remote.stranger]\ntype = \"sftp\"\nendpoint = \"{endpoint}\"\nknown_hosts_strategy = \"Accept\"\n"
    ));
    assert_ne!(sterna.run(&["ls", "stranger:"]).says("access denied").code, Some(0));
    // Nor is a server trusted that nobody knows.
    let key = sshd().key.display();
    sterna.config(&format!("[remote.strict]\ntype = \"sftp\"\nendpoint = \"{endpoint}\"\nkey = \"{key}\"\n"));
    assert_ne!(sterna.run(&["ls", "strict:"]).code, Some(0));
}
