//! Keys as people really have them: byte for byte where the server holds them, said aloud where it does not.

use std::collections::{BTreeMap, BTreeSet};

use sterna_servers::{Proxy, S3Server, moto, seaweedfs};

use crate::judge::Did;
use crate::raw;
use crate::sterna::Sterna;

/// Keys of which none is a folder of another, so that a file system can hold all of them.
const ODD: &[&str] = &[
    "/lead.txt",
    "//two",
    "a//b",
    "dir/",
    "dir2/",
    "dir2/below",
    "p/./q",
    "p/../q",
    "./x",
    "w/.",
    "w/..",
    " lead",
    "trail ",
    "tab\there",
    "return\rhere",
    "one\u{1}two",
    "del\u{7f}",
    "%41",
    "%2F",
    "plus+plus",
    "hash#hash",
    "ask?ask=1&b",
    "back\\slash",
    "~tilde",
    "star*",
    "&<>\"'",
    "e\u{301}-nfd",
    "\u{e9}-nfc",
    "🐦.txt",
    "\u{ff0e}\u{ff0e}",
    "\u{ff0f}",
    "{brace}[bracket]",
    "o",
    "o!",
    "o.txt",
    "o0/x",
    "-dash",
    "con",
    "s:colon",
];

/// The longest key there is, in segments a file system takes.
fn longest() -> String {
    let mut key = [0; 4].map(|_| "x".repeat(250)).join("/");
    key.push_str(&"y".repeat(1024 - key.len()).replacen('y', "/", 1));
    key
}

fn odd() -> BTreeMap<String, Vec<u8>> {
    let keys = ODD.iter().map(|key| (*key).to_owned()).chain([longest()]);
    keys.map(|key| (key.clone(), format!("the bytes of {key}").into_bytes())).collect()
}

fn fill(server: &S3Server, bucket: &str, objects: &BTreeMap<String, Vec<u8>>) {
    objects.iter().for_each(|(key, bytes)| raw::put(server, bucket, key, bytes));
}

/// A bucket holds exactly these objects.
#[track_caller]
fn holds(server: &S3Server, bucket: &str, objects: &BTreeMap<String, Vec<u8>>) {
    let listed: BTreeSet<String> = raw::keys(server, bucket).into_iter().collect();
    assert_eq!(listed, objects.keys().cloned().collect(), "{bucket}");
    for (key, bytes) in objects {
        assert_eq!(raw::get(server, bucket, key).as_ref(), Some(bytes), "{key:?}");
    }
}

#[test]
fn every_key_survives_the_way_down_and_up_again() {
    let sterna = Sterna::at(&["keys"]);
    let [from, to] = ["odd-from", "odd-to"].map(|name| moto().bucket(name));
    let objects = odd();
    fill(moto(), &from, &objects);
    let count = objects.len() as u64;
    let (from_place, to_place) = (format!("keys:{from}"), format!("keys:{to}"));
    assert_eq!(sterna.did(&["sync", &from_place, "local"]), Did { transferred: count, ..Did::NOTHING });
    assert_eq!(sterna.files("local").len(), objects.len());
    assert_eq!(sterna.did(&["sync", &from_place, "local"]), Did::NOTHING, "down again");
    assert_eq!(sterna.did(&["sync", "local", &to_place]), Did { transferred: count, ..Did::NOTHING });
    holds(moto(), &to, &objects);
    assert_eq!(sterna.did(&["sync", "local", &to_place]), Did::NOTHING, "up again");
    sterna.run(&["check", "--download", &from_place, &to_place]).exits(0);
    // Listed, read and deleted one by one, under the same names.
    let listed = sterna.run(&["ls", "-R", "--json", &to_place]).exits(0).stdout;
    let key = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["key"].clone();
    let listed: Vec<_> = listed.lines().map(key).collect();
    assert_eq!(listed, objects.keys().map(String::as_str).collect::<Vec<_>>(), "in byte order");
    sterna.run(&["delete", &to_place]).exits(0);
    holds(moto(), &to, &BTreeMap::new());
}

#[test]
fn every_key_survives_a_copy_by_the_server() {
    let sterna = Sterna::at(&["keys"]);
    let [from, to] = ["odd-copied", "odd-copy"].map(|name| moto().bucket(name));
    let mut objects = odd();
    // And what only an object store can hold.
    for key in ["f", "f/", "f/g", "f//g", ".", ".."] {
        objects.insert(key.to_owned(), key.as_bytes().to_vec());
    }
    fill(moto(), &from, &objects);
    let (from_place, to_place) = (format!("keys:{from}"), format!("keys:{to}"));
    assert_eq!(sterna.did(&["sync", &from_place, &to_place]), Did { copied: objects.len() as u64, ..Did::NOTHING });
    holds(moto(), &to, &objects);
    assert_eq!(sterna.did(&["sync", &from_place, &to_place]), Did::NOTHING);
}

#[test]
fn a_file_beside_its_folder_is_said() {
    let sterna = Sterna::at(&["keys"]);
    let bucket = moto().bucket("beside");
    let place = format!("keys:{bucket}");
    let objects: BTreeMap<String, Vec<u8>> =
        ["a", "a!", "a.txt", "a/b", "b"].map(|key| (key.to_owned(), key.as_bytes().to_vec())).into();
    fill(moto(), &bucket, &objects);
    let ran = sterna.run(&["sync", &place, "local"]).exits(1);
    ran.says("a/b").says("'a' is a file there");
    let local = sterna.names("local");
    assert_eq!(local, ["a", "a!", "a.txt", "b"], "everything that can be there is there");
    // The other way round nothing is lost: what is missing below is not deleted above.
    assert_eq!(sterna.did(&["sync", &place, "local"]).code, 1, "it is said again");
    holds(moto(), &bucket, &objects);
}

/// Whatever SeaweedFS cannot hold: it folds `//`, drops a leading `/`, loses `a/`, refuses `.` and `..`, and takes `\`
/// for `/`.
const NOT_FOR_SEAWEEDFS: &[&str] = &["a//b", "/lead", "dir/", "p/./q", "p/../q", "back\\slash"];

/// SeaweedFS as `weed:`, called what `provider` says.
fn weed(sterna: &Sterna, provider: &str) {
    let S3Server { endpoint, access_key, secret_key, .. } = seaweedfs();
    sterna.config(&format!(
        "[remote.weed]\ntype = \"s3\"\nprovider = \"{provider}\"\nendpoint = \"{endpoint}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"{access_key}\"\nsecret_access_key = \"{secret_key}\"\n"
    ));
}

#[test]
fn what_seaweedfs_cannot_hold_is_said() {
    cannot_hold_is_said("seaweedfs");
}

/// A server whose name says nothing is tried before it is trusted with an odd key.
#[test]
fn what_an_unknown_server_cannot_hold_is_said() {
    cannot_hold_is_said("other");
}

fn cannot_hold_is_said(provider: &str) {
    let sterna = Sterna::at(&["keys", "near"]);
    weed(&sterna, provider);
    let bucket = seaweedfs().bucket("cannot");
    let from = moto().bucket("cannot");
    let mut objects: BTreeMap<String, Vec<u8>> =
        NOT_FOR_SEAWEEDFS.iter().map(|key| ((*key).to_owned(), format!("odd {key}").into_bytes())).collect();
    // What a folded key would fall upon.
    objects.extend(["a/b", "lead", "p/q", "back/slash"].map(|key| (key.to_owned(), b"the real one".to_vec())));
    objects.extend(["a!", "a.txt", "a0", "b/c", "ünï"].map(|key| (key.to_owned(), key.as_bytes().to_vec())));
    fill(moto(), &from, &objects);
    let ran = sterna.run(&["sync", &format!("keys:{from}"), &format!("weed:{bucket}")]).exits(1);
    for key in NOT_FOR_SEAWEEDFS {
        assert!(ran.stderr.lines().any(|line| line.contains(key)), "{key} was not named\n{ran}");
    }
    // Everything else is there, under its own name with its own bytes, and nothing besides.
    sterna.rclone(&["copy", &format!("near:{bucket}"), "there"]).exits(0);
    let there: BTreeMap<String, Vec<u8>> =
        sterna.files("there").into_iter().map(|(name, found)| (name, found.bytes)).collect();
    objects.retain(|key, _| !NOT_FOR_SEAWEEDFS.contains(&key.as_str()));
    assert_eq!(there, objects);
}

#[test]
fn a_listing_out_of_byte_order_is_put_in_order() {
    for provider in ["seaweedfs", "other"] {
        let sterna = Sterna::at(&["keys"]);
        weed(&sterna, provider);
        let place = format!("weed:{}", seaweedfs().bucket("order"));
        let names = ["a!", "a.txt", "a/b", "a/b!", "a/b.c", "a/b0/c", "a0", "a0!/x", "b"];
        names.iter().for_each(|name| drop(sterna.file(format!("src/{name}"), name)));
        let run = |source: &str, destination: &str| sterna.did(&["sync", source, destination, "--max-delete", "100%"]);
        assert_eq!(run("src", &place), Did { transferred: 9, ..Did::NOTHING }, "{provider}");
        assert_eq!(run("src", &place), Did::NOTHING, "{provider}: nothing is missing, nothing is extra");
        assert_eq!(run(&place, "back"), Did { transferred: 9, ..Did::NOTHING }, "{provider}");
        let listed = || sterna.run(&["ls", "-R", "--keys", &place]).exits(0).stdout;
        assert_eq!(listed(), names.join("\n") + "\n", "{provider}");
        // An object beside the folder of its name: no disk has that.
        let from = moto().bucket("order");
        let objects = ["a", "a!", "a.txt", "a/b"].map(|key| (key.to_owned(), key.as_bytes().to_vec())).into();
        fill(moto(), &from, &objects);
        let from = format!("keys:{from}");
        assert_eq!(run(&from, &place), Did { transferred: 1, deleted: 6, ..Did::NOTHING }, "{provider}");
        assert_eq!(run(&from, &place), Did::NOTHING, "{provider}");
        assert_eq!(listed(), "a\na!\na.txt\na/b\n", "{provider}");
    }
}

#[test]
fn a_trusted_order_that_is_wrong_ends_the_run_and_deletes_nothing() {
    let sterna = Sterna::new();
    let server = seaweedfs();
    sterna.config(&format!(
        "[remote.weed]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nlist_order = \"bytes\"\nendpoint = \"{}\"\n\
         region = \"us-east-1\"\npath_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"{}\"\n",
        server.endpoint, server.access_key, server.secret_key
    ));
    let place = format!("weed:{}", server.bucket("trusted"));
    let names = ["a!", "a.txt", "a/b", "a0"];
    names.iter().for_each(|name| drop(sterna.file(format!("src/{name}"), name)));
    sterna.run(&["copy", "src", &place]).exits(0);
    names.iter().for_each(|name| drop(sterna.file(format!("dst/{name}"), name)));
    sterna.file("dst/extra", "extra");
    let ran = sterna.run(&["sync", &place, "dst", "--max-delete", "100%"]);
    assert_ne!(ran.code, Some(0), "{ran}");
    ran.says("list_order");
    assert_eq!(sterna.names("dst"), ["a!", "a.txt", "a/b", "a0", "extra"]);
}

/// A server that nobody knows is tried with a probe before the first odd key of each kind is written, and not before.
#[test]
fn who_only_reads_odd_keys_writes_nothing() {
    let sterna = Sterna::new();
    let bucket = moto().bucket("reading");
    let mut objects = odd();
    objects.remove(&longest());
    fill(moto(), &bucket, &objects);
    let proxy = Proxy::new(&moto().endpoint, |_, _, _| None);
    let S3Server { access_key, secret_key, .. } = moto();
    sterna.config(&format!(
        "[remote.unknown]\ntype = \"s3\"\nprovider = \"other\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\n\
         bucket = \"{bucket}\"\naccess_key_id = \"{access_key}\"\nsecret_access_key = \"{secret_key}\"\n",
        proxy.url
    ));
    for command in [
        &["ls", "-R", "--keys", "unknown:"][..],
        &["tree", "unknown:"],
        &["size", "unknown:"],
        &["stat", "unknown:a//b"],
        &["cat", "unknown:back\\slash"],
        &["hash", "sha256", "unknown:p/../q"],
        &["check", "unknown:", "unknown:"],
        &["config", "check", "unknown"],
        &["delete", "--dry-run", "unknown:"],
        &["copy", "unknown:", "back"],
        &["sync", "back", "unknown:", "--dry-run"],
        &["copy", "back", "unknown:elsewhere", "--dry-run"],
    ] {
        sterna.run(command).exits(0);
    }
    let written: Vec<_> = proxy.counts().into_keys().filter(|method| !matches!(&**method, "GET" | "HEAD")).collect();
    assert!(written.is_empty(), "{written:?}");
    sterna.file("src/x", "x");
    sterna.run(&["copy", "src", "unknown:new//place"]).exits(0);
    let probes =
        proxy.heads().iter().filter(|head| head.starts_with("PUT ") && head.contains("/sterna-probe-")).count();
    assert_eq!(probes, 1, "one kind of odd key was written");
}
