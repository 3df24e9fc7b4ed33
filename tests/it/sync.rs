//! `copy`, `sync`, `move`: what arrives, what is left alone, and what the other tool says of it.

use std::fs;

use sterna_servers::{moto, rclone_s3_tls, seaweedfs, seaweedfs_second};

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

/// Objects in parts at the size of a test.
const PARTS: [&str; 4] = ["--multipart-threshold", "6M", "--part-size", "5M"];

/// Files in [`Sterna::tree`].
const TREE: u64 = 14;

/// Changes one file, renames one, removes one: one arrives, one is there already, and two go.
fn change(sterna: &Sterna, folder: &str) {
    let changed = noise(100 + 700 * 11, 99);
    sterna.dated(format!("{folder}/repo"), changed, 1_700_000_000, 5);
    let packages = sterna.path(folder).join("packages");
    fs::rename(packages.join("two-2.0-1.hpkg"), packages.join("two-2.1-1.hpkg")).expect("it is there");
    fs::remove_file(sterna.path(folder).join("b/a/c")).expect("it is there");
}

#[test]
fn local_to_s3_and_back() {
    let sterna = Sterna::at(&["near"]);
    let place = format!("near:{}/deep/er", seaweedfs().bucket("up-and-down"));
    sterna.tree("src");
    assert_eq!(sterna.did(&["sync", "src", &place]), Did { transferred: TREE, ..Did::NOTHING });
    sterna.same("src", &place);
    sterna.same_times("src", &place);
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);

    assert_eq!(sterna.did(&["sync", &place, "back"]), Did { transferred: TREE, ..Did::NOTHING });
    assert_eq!(sterna.files("src"), sterna.files("back"));
    assert_eq!(sterna.did(&["sync", &place, "back"]), Did::NOTHING);

    change(&sterna, "src");
    // What was renamed is copied where it goes.
    let changes = Did { transferred: 1, copied: 1, deleted: 2, ..Did::NOTHING };
    assert_eq!(sterna.did(&["sync", "src", &place]), changes);
    sterna.same("src", &place);
    assert_eq!(sterna.did(&["sync", &place, "back"]), changes);
    assert_eq!(sterna.files("src"), sterna.files("back"));
}

#[test]
fn local_to_local() {
    let sterna = Sterna::new();
    sterna.tree("src");
    let did = sterna.did(&["sync", "src", "new/dst"]);
    assert_eq!((did.code, did.transferred + did.copied), (0, TREE));
    assert_eq!(sterna.files("src"), sterna.files("new/dst"));
    assert_eq!(sterna.did(&["sync", "src", "new/dst"]), Did::NOTHING);
    change(&sterna, "src");
    let did = sterna.did(&["sync", "src", "new/dst"]);
    assert_eq!((did.code, did.transferred + did.copied, did.deleted), (0, 2, 2));
    assert_eq!(sterna.files("src"), sterna.files("new/dst"));
    sterna.same("src", "new/dst");
}

#[test]
fn a_folder_becomes_a_file_and_a_file_a_folder() {
    let sterna = Sterna::new();
    for at in 0..20 {
        sterna.dated(format!("one/same-{at}"), "the same", 1_700_000_000, 0);
        sterna.dated(format!("two/same-{at}"), "the same", 1_700_000_000, 0);
    }
    for (source, file, folder) in [("one", "a", "b"), ("two", "b", "a")] {
        sterna.file(format!("{source}/{file}"), "a file");
        sterna.file(format!("{source}/{folder}/x/1"), "below");
        sterna.file(format!("{source}/{folder}/2"), "below");
    }
    sterna.run(&["sync", "one", "dst"]).exits(0);
    // Without deletes nothing makes room; that is said, and nothing is lost.
    let before = sterna.files("dst");
    sterna.run(&["copy", "two", "dst"]).exits(1).says("a file stands where a directory is needed");
    assert_eq!(sterna.files("dst"), before);
    for source in ["two", "one"] {
        let did = sterna.did(&["sync", source, "dst"]);
        assert_eq!((did.code, did.transferred + did.copied, did.deleted), (0, 3, 3));
        sterna.same(source, "dst");
        assert_eq!(sterna.did(&["sync", source, "dst"]), Did::NOTHING);
    }
}

#[test]
fn buckets_as_virtual_hosts() {
    let sterna = Sterna::at(&["near"]);
    let bucket = seaweedfs().bucket("virtual");
    let port = seaweedfs().endpoint.rsplit(':').next().expect("a port");
    let (key, secret) = (&seaweedfs().access_key, &seaweedfs().secret_key);
    sterna.config(&format!(
        "[remote.host]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"http://localhost:{port}\"\n\
         region = \"us-east-1\"\npath_style = false\naccess_key_id = \"{key}\"\nsecret_access_key = \"{secret}\"\n"
    ));
    sterna.tree("src");
    sterna.dated("src/big.iso", noise(13_000_000, 7), 1_500_000_000, 0);
    let (host, path) = (format!("host:{bucket}"), format!("near:{bucket}"));
    let up = [&["sync", "src", &host][..], &PARTS].concat();
    assert_eq!(sterna.did(&up), Did { transferred: TREE + 1, ..Did::NOTHING });
    sterna.same("src", &path);
    sterna.run(&["sync", &host, "back"]).exits(0);
    assert_eq!(sterna.files("src"), sterna.files("back"));
    sterna.run(&["delete", &host]).exits(0);
    assert_eq!(sterna.rclone(&["lsf", "-R", "--files-only", &path]).stdout, "");
}

#[test]
fn over_tls_with_a_certificate_of_ones_own() {
    let sterna = Sterna::new();
    let server = rclone_s3_tls();
    let bucket = server.bucket("tls");
    let remote = |name: &str, rest: &str| {
        sterna.config(&format!(
            "[remote.{name}]\ntype = \"s3\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
             access_key_id = \"{}\"\nsecret_access_key = \"{}\"\n{rest}\n",
            server.endpoint, server.access_key, server.secret_key
        ));
    };
    let ca_file = server.ca_file.as_ref().expect("it speaks TLS").display();
    remote("trusting", &format!("ca_file = \"{ca_file}\"\n"));
    remote("careful", "");
    sterna.tree("src");
    sterna.run(&["sync", "src", &format!("trusting:{bucket}")]).exits(0);
    sterna.run(&["sync", &format!("trusting:{bucket}"), "back"]).exits(0);
    assert_eq!(sterna.files("src"), sterna.files("back"));
    let ran = sterna.run(&["ls", &format!("careful:{bucket}")]).exits(1);
    ran.says("certificate").says("ca_file");
    // Nor does it help to ask for TLS again where nobody speaks it.
    let plain = moto().endpoint.replace("http://", "https://");
    sterna.config(&format!("[remote.plain]\ntype = \"s3\"\nendpoint = \"{plain}\"\nanonymous = true\n\n"));
    sterna.run(&["ls", "plain:bucket"]).exits(1).says("does not speak TLS");
}

#[test]
fn within_one_endpoint_the_server_copies() {
    let sterna = Sterna::at(&["near"]);
    let [from, to] = ["copy-from", "copy-to"].map(|name| format!("near:{}", seaweedfs().bucket(name)));
    sterna.tree("src");
    sterna.dated("src/big.iso", noise(13_000_000, 7), 1_500_000_000, 250);
    sterna.run(&["copy", "src", &from]).exits(0);
    let did = sterna.did(&["sync", &from, &to]);
    assert_eq!(did, Did { copied: TREE + 1, ..Did::NOTHING });
    sterna.same("src", &to);
    sterna.same_times("src", &to);
    assert_eq!(sterna.did(&["sync", &from, &to]), Did::NOTHING);
    assert_eq!(sterna.did(&["sync", "src", &to]), Did::NOTHING);
}

#[test]
fn across_two_endpoints() {
    let sterna = Sterna::at(&["near", "far"]);
    let from = format!("near:{}/x", seaweedfs().bucket("across"));
    let to = format!("far:{}/y", seaweedfs_second().bucket("across"));
    sterna.tree("src");
    sterna.run(&["copy", "src", &from]).exits(0);
    assert_eq!(sterna.did(&["sync", &from, &to]), Did { transferred: TREE, ..Did::NOTHING });
    sterna.same(&from, &to);
    sterna.same_times("src", &to);
    assert_eq!(sterna.did(&["sync", &from, &to]), Did::NOTHING);
    change(&sterna, "src");
    sterna.run(&["sync", "src", &from]).exits(0);
    assert_eq!(sterna.did(&["sync", &from, &to]), Did { transferred: 1, copied: 1, deleted: 2, ..Did::NOTHING });
    sterna.same("src", &to);
}

#[test]
fn a_big_object_goes_in_parts_up_down_and_across() {
    let sterna = Sterna::at(&["near", "far"]);
    let near = format!("near:{}", seaweedfs().bucket("parts"));
    let far = format!("far:{}", seaweedfs_second().bucket("parts"));
    // Neither a multiple of the part size nor of a page.
    sterna.dated("src/big.iso", noise(17_000_001, 3), 1_500_000_000, 999_999_999);
    let run = |source: &str, destination: &str| {
        let mut arguments = vec!["sync", source, destination];
        arguments.extend(PARTS);
        let did = sterna.did(&arguments);
        assert_eq!(did, Did { transferred: 1, ..Did::NOTHING }, "{source} -> {destination}");
        assert_eq!(sterna.did(&["sync", source, destination]), Did::NOTHING, "{source} -> {destination} again");
    };
    run("src", &near);
    let etag = |place: &str| {
        let told = sterna.run(&["stat", "--json", &format!("{place}/big.iso")]).exits(0).stdout;
        let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
        told["etag"].as_str().expect("an ETag").trim_matches('"').to_owned()
    };
    assert!(etag(&near).ends_with("-4"), "four parts: {}", etag(&near));
    run(&near, &far);
    assert!(etag(&far).ends_with("-4"), "four parts: {}", etag(&far));
    run(&far, "back");
    assert_eq!(sterna.files("src"), sterna.files("back"));
    sterna.same("src", &near);
    sterna.same("src", &far);
}

#[test]
fn a_bucket_that_rclone_filled_is_in_sync() {
    let sterna = Sterna::at(&["near"]);
    let place = format!("near:{}/by-rclone", seaweedfs().bucket("by-rclone"));
    sterna.tree("src");
    sterna.dated("src/big.iso", noise(12_000_000, 5), 1_500_000_000, 250);
    let parts = ["--s3-upload-cutoff", "6M", "--s3-chunk-size", "5M"];
    sterna.rclone(&[&["copy", "src", &place], &parts[..]].concat()).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING, "up");
    assert_eq!(sterna.did(&["sync", &place, "src"]), Did::NOTHING, "down");
    // A file of the same size and time with other bytes is what a time alone would miss, and MD5 finds.
    sterna.dated("src/a.txt", noise(1500, 1234), 1_600_000_002, 123_456_791);
    assert_eq!(sterna.did(&["sync", "--checksum", "src", &place]), Did { transferred: 1, ..Did::NOTHING });
    sterna.same("src", &place);
}

#[test]
fn rclone_finds_our_bucket_in_sync() {
    let sterna = Sterna::at(&["near"]);
    let place = format!("near:{}/ours", seaweedfs().bucket("ours"));
    sterna.tree("src");
    sterna.dated("src/big.iso", noise(12_000_000, 6), 1_500_000_000, 250);
    sterna.run(&[&["copy", "src", &place], &PARTS[..]].concat()).exits(0);
    let quiet = |arguments: &[&str]| {
        let ran = sterna.rclone(arguments).exits(0).says("nothing to transfer");
        ran.never_says("Copied").never_says("Updated modification time")
    };
    quiet(&["copy", "-v", "src", &place]);
    quiet(&["copy", "-v", "--checksum", "src", &place]);
    quiet(&["copy", "-v", &place, "src"]);
}

#[test]
fn metadata_travels() {
    let sterna = Sterna::at(&["near", "far"]);
    let near = format!("near:{}", seaweedfs().bucket("metadata"));
    let far = format!("far:{}", seaweedfs_second().bucket("metadata"));
    let files = ["index.html", "repo", "repo.sha256", "x.iso", "data.json"];
    for name in files {
        sterna.dated(format!("src/{name}"), name, 1_600_000_000, 5);
    }
    sterna
        .run(&[
            "copy",
            "src",
            &near,
            "--header",
            "repo*: cache-control=max-age=60",
            "--header",
            "*.json: content-disposition=attachment",
            "--header",
            "x-amz-meta-origin=tern",
        ])
        .exits(0);
    sterna.run(&["copy", &near, &far]).exits(0);
    for place in [&near, &far] {
        let listed = sterna.listed(place);
        let told = |name: &str, field: &str| listed[name]["Metadata"][field].as_str().map(str::to_owned);
        assert_eq!(told("index.html", "content-type").as_deref(), Some("text/html"), "{place}");
        assert_eq!(told("data.json", "content-type").as_deref(), Some("application/json"), "{place}");
        assert_eq!(told("data.json", "content-disposition").as_deref(), Some("attachment"), "{place}");
        for name in files {
            let cached = name.starts_with("repo").then_some("max-age=60");
            assert_eq!(told(name, "cache-control").as_deref(), cached, "{place}/{name}");
            assert_eq!(told(name, "origin").as_deref(), Some("tern"), "{place}/{name}");
            assert_eq!(told(name, "mtime").as_deref(), Some("2020-09-13T12:26:40.000000005Z"), "{place}/{name}");
        }
    }
}

#[test]
fn a_time_alone_is_set_without_a_transfer() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.tree("dst");
    let repo = fs::read(sterna.path("dst/repo")).expect("it is there");
    sterna.dated("dst/repo", repo, 1_700_000_000, 0);
    assert_eq!(sterna.did(&["sync", "--checksum", "src", "dst"]), Did { touched: 1, ..Did::NOTHING });
    assert_eq!(sterna.files("src"), sterna.files("dst"));
    assert_eq!(sterna.did(&["sync", "src", "dst"]), Did::NOTHING);
}

#[test]
fn several_destinations() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("several"));
    sterna.tree("src");
    sterna.run(&["sync", "src", &near, "dst"]).exits(0);
    assert_eq!(sterna.files("src"), sterna.files("dst"));
    sterna.same("src", &near);
}

#[test]
fn a_single_object_keeps_its_name() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("single"));
    sterna.tree("src");
    sterna.run(&["copy", "src/repo", &format!("{near}/x")]).exits(0);
    assert_eq!(sterna.listed(&near).keys().collect::<Vec<_>>(), ["x/repo"]);
    sterna.run(&["copy", &format!("{near}/x/repo"), "back"]).exits(0);
    assert_eq!(sterna.files("back")["repo"], sterna.files("src")["repo"]);
}

#[test]
fn what_is_overwritten_or_deleted_is_kept_in_the_backup() {
    let sterna = Sterna::at(&["near"]);
    let bucket = format!("near:{}", seaweedfs().bucket("backup"));
    let [current, old] = ["current", "old"].map(|name| format!("{bucket}/{name}"));
    sterna.tree("src");
    sterna.tree("before");
    sterna.run(&["sync", "src", &current]).exits(0);
    change(&sterna, "src");
    sterna.run(&["sync", "src", &current, "--backup-dir", &old, "--suffix", ".bak"]).exits(0);
    sterna.same("src", &current);
    let kept = sterna.listed(&old);
    let names = ["b/a/c.bak", "packages/two-2.0-1.hpkg.bak", "repo.bak"];
    assert_eq!(kept.keys().collect::<Vec<_>>(), names);
    for name in names {
        let bytes = sterna.rclone(&["copyto", &format!("{old}/{name}"), &format!("kept/{name}")]).exits(0);
        drop(bytes);
        let before = sterna.files("before");
        assert_eq!(sterna.files("kept")[name].bytes, before[name.trim_end_matches(".bak")].bytes, "{name}");
    }
}

#[test]
fn a_suffix_alone_keeps_beside() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.tree("dst");
    sterna.tree("before");
    change(&sterna, "src");
    sterna.run(&["copy", "src", "dst", "--suffix", ".old"]).exits(0);
    let (dst, before) = (sterna.files("dst"), sterna.files("before"));
    assert_eq!(dst["repo"], sterna.files("src")["repo"]);
    assert_eq!(dst["repo.old"].bytes, before["repo"].bytes);
}

#[test]
fn move_leaves_nothing_behind() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("moved"));
    sterna.tree("src");
    sterna.tree("before");
    sterna.run(&["move", "src", &near]).exits(0);
    assert_eq!(sterna.names("src"), [""; 0]);
    sterna.same("before", &near);
    sterna.run(&["move", &near, "back"]).exits(0);
    assert!(sterna.listed(&near).is_empty());
    assert_eq!(sterna.files("before"), sterna.files("back"));
}

#[test]
fn exit_codes() {
    let sterna = Sterna::at(&["keys"]);
    let bucket = moto().bucket("codes");
    sterna.tree("src");
    sterna.run(&["sync", "src", "dst"]).exits(0);
    sterna.run(&["sync", "src", "dst", "--error-on-no-transfer"]).exits(9);
    sterna.run(&["sync", "src", "dst", "--no-such-flag"]).exits(2);
    sterna.run(&["sync", "nowhere", "dst"]).exits(3).says("nowhere");
    sterna.run(&["sync", &format!("keys:not-{bucket}"), "dst"]).exits(3).says(&format!("not-{bucket}"));
    sterna.run(&["cat", &format!("keys:{bucket}/nothing")]).exits(4).says("nothing");
    sterna.run(&["cat", "src/nothing"]).exits(4).says("src/nothing");
    sterna.run(&["check", "src/packages", "dst"]).exits(1);
    assert_eq!(sterna.files("src"), sterna.files("dst"), "nothing of that changed the destination");

    let limited = ["copy", "src", "part", "--transfers", "1"];
    sterna.run(&[&limited[..], &["--max-transfer", "20k"]].concat()).exits(8);
    let some = sterna.names("part").len();
    assert!(0 < some && some < TREE.try_into().expect("small"), "{some} files within 20k");
    let place = format!("keys:{bucket}");
    sterna.run(&["copy", "src", &place]).exits(0);
    let slow = ["--bwlimit", "30k", "--max-duration", "300ms"];
    sterna.run(&[&["copy", &place, "timed", "--transfers", "1"], &slow[..]].concat()).exits(10);
    assert!(sterna.names("timed").len() < TREE.try_into().expect("small"));
    for folder in ["part", "timed"] {
        let (src, reached) = (sterna.files("src"), sterna.files(folder));
        assert!(reached.iter().all(|(name, file)| src[name] == *file), "whole files only in {folder}");
    }
}

#[test]
fn promise_1_a_match_by_size_alone_is_no_success() {
    let sterna = Sterna::at(&["keys"]);
    let bucket = moto().bucket("unproven");
    // Above the size up to which files are read, with neither a time nor a sum of the whole.
    crate::raw::put_in_parts(moto(), &bucket, "big.iso", &noise(2_000_000, 1));
    sterna.file("src/big.iso", noise(2_000_000, 2));
    let place = format!("keys:{bucket}");
    let did = sterna.did(&["sync", "src", &place]);
    assert_eq!(did, Did { code: 11, unproven: 1, ..Did::NOTHING });
    assert_eq!(sterna.did(&["sync", "src", &place, "--allow-unproven"]), Did { code: 0, ..did });
    // Asked to look at the bytes, it sees that they are others.
    assert_eq!(sterna.did(&["sync", "src", &place, "--checksum"]), Did { transferred: 1, ..Did::NOTHING });
    sterna.same("src", &place);
}

#[test]
fn promise_4_deletes_are_limited() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("limit"));
    for dst in ["dst", &near] {
        sterna.tree("src");
        sterna.run(&["sync", "src", dst]).exits(0);
        for gone in ["a", "a!", "a.txt", "b/a.txt"] {
            fs::remove_file(sterna.path("src").join(gone)).expect("it is there");
        }
        sterna.file("src/new", "new");
        // 4 of 14 are more than a quarter; what is to be transferred is transferred all the same.
        let did = sterna.did(&["sync", "src", dst]);
        assert_eq!((did.code, did.transferred + did.copied, did.deleted), (12, 1, 0));
        sterna.run(&["sync", "src", dst]).exits(12).says("4 deletes not made").says("--max-delete");
        assert_eq!(sterna.did(&["sync", "src", dst, "--max-delete", "3"]).code, 12);
        assert_eq!(sterna.listed(dst).len() as u64, TREE + 1);
        assert_eq!(sterna.did(&["sync", "src", dst, "--max-delete", "4"]), Did { deleted: 4, ..Did::NOTHING });
        sterna.same("src", dst);
        fs::remove_file(sterna.path("src/new")).expect("it is there");
    }
}

#[test]
fn tags_travel_where_they_are_asked_for() {
    let sterna = Sterna::at(&["near", "far"]);
    let near = format!("near:{}", seaweedfs().bucket("tagged"));
    let far = format!("far:{}", seaweedfs_second().bucket("tagged"));
    sterna.file("src/a", "a");
    sterna.run(&["copy", "src", &near, "--header", "tag-kind=package"]).exits(0);
    for (flags, tagged) in [(&[][..], false), (&["--tags"], true)] {
        sterna.run(&[&["copy", &near, &far, "--ignore-times"][..], flags].concat()).exits(0);
        let told = sterna.run(&["stat", "--json", "--tags", &format!("{far}/a")]).exits(0).stdout;
        assert_eq!(told.contains("package"), tagged, "{told}");
    }
}
