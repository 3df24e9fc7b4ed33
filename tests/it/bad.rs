//! What can be wrong: the code, the words, and a destination that is as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use sterna_servers::{S3Server, seaweedfs};

use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

#[test]
fn a_remote_that_is_not_configured() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    let ran = sterna.run(&["sync", "src", "naer:bucket"]).exits(2);
    ran.says("naer").says("near").says("sterna.toml");
    sterna.run(&["ls", "src:x:y"]).exits(2);
}

#[test]
fn wrong_keys_are_said_once_and_never_shown() {
    let sterna = Sterna::new();
    sterna.config(&format!(
        "[remote.near]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"{}\"\nsecret_access_key = \"not-the-secret-9f3\"\n",
        seaweedfs().endpoint,
        seaweedfs().access_key
    ));
    let place = format!("near:{}", seaweedfs().bucket("wrong-keys"));
    sterna.tree("src");
    sterna.file("dst/kept", "kept");
    let say = |arguments: &[&str]| {
        let ran = sterna.run(arguments).exits(1).says("access denied").says(&place);
        ran.never_says("not-the-secret-9f3")
    };
    say(&["sync", "src", &place]);
    say(&["sync", &place, "dst", "--max-delete", "100%"]);
    say(&["ls", &place]);
    assert_eq!(sterna.names("dst"), ["kept"]);
}

#[test]
fn a_bucket_that_is_not_there() {
    let sterna = Sterna::at(&["near"]);
    let place = format!("near:no-{}", seaweedfs().bucket("such"));
    sterna.file("dst/kept", "kept");
    for arguments in [&["sync", &place, "dst", "--max-delete", "100%"][..], &["ls", &place], &["size", &place]] {
        sterna.run(arguments).exits(3).says(&place).says("no such bucket");
    }
    // One word, and no table of what all is broken.
    let doctor = sterna.run(&["doctor", &place]).exits(3).says("no such bucket");
    assert_eq!(doctor.stdout, "");
    assert_eq!(sterna.names("dst"), ["kept"]);
}

#[test]
fn a_server_that_is_not_there() {
    let sterna = Sterna::new();
    // A port that is taken by a socket that never listens: connections are refused.
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = socket.local_addr().expect("bound").port();
    drop(socket);
    sterna.config(&format!(
        "[remote.gone]\ntype = \"s3\"\nendpoint = \"http://127.0.0.1:{port}\"\nregion = \"us-east-1\"\n\
         path_style = true\naccess_key_id = \"x\"\nsecret_access_key = \"y\"\n"
    ));
    sterna.file("dst/kept", "kept");
    let ran = sterna.run(&["sync", "gone:bucket", "dst", "--low-level-retries", "2"]).exits(5);
    ran.says("gone:bucket").says("refused");
    assert_eq!(sterna.names("dst"), ["kept"]);
}

#[test]
fn a_destination_that_cannot_be_written() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.file("file", "no directory");
    let ran = sterna.run(&["sync", "src", "file/below"]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran}");
    ran.says("file").says("directory");
    let ran = sterna.run(&["sync", "src", "file"]);
    assert!(ran.code.is_some_and(|code| code != 0), "{ran}");
    ran.says("file");
    assert_eq!(fs::read(sterna.path("file")).expect("still a file"), b"no directory");
}

#[test]
fn a_file_where_a_directory_should_be_and_the_other_way_round() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.file("dst/b", "in the way of b/a/c");
    sterna.file("dst/repo/below", "in the way of repo");
    let ran = sterna.run(&["copy", "src", "dst"]).exits(1);
    let ran = ran.says("b/a/c").says("repo");
    let dst = sterna.files("dst");
    assert_eq!(dst["b"].bytes, b"in the way of b/a/c", "{ran}");
    assert_eq!(dst["repo/below"].bytes, b"in the way of repo", "{ran}");
    assert_eq!(dst["packages/one-1.0-1.hpkg"], sterna.files("src")["packages/one-1.0-1.hpkg"], "the rest is copied");
    assert!(dst.keys().all(|name| !name.contains(".sterna-")), "{dst:?}");
}

/// Runs with a limit on the size of a file, which stands for a full disk wherever nobody may mount one.
fn limited(sterna: &Sterna, kilobytes: u32, arguments: &[&str]) -> Ran {
    // A POSIX shell counts in blocks of 512 bytes.
    let script = format!("trap '' XFSZ; ulimit -f {}; exec \"$0\" \"$@\"", kilobytes * 2);
    let mut words = vec!["-c", &script, env!("CARGO_BIN_EXE_sterna")];
    words.extend(arguments);
    Ran::of(sterna.program("sh", &words))
}

#[test]
fn a_full_destination_ends_the_run_and_leaves_nothing_half_written() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("full"));
    sterna.file("src/big", noise(3_000_000, 1));
    sterna.file("src/in/parts", noise(13_000_000, 2));
    sterna.run(&["copy", "src", &near]).exits(0);
    for source in ["src", &near] {
        for parts in [&[][..], &["--multipart-threshold", "6M", "--part-size", "5M"]] {
            sterna.file("dst/big", "as it was");
            let ran = limited(&sterna, 1000, &[&["copy", source, "dst"], parts].concat()).exits(7);
            let ran = ran.says("no space left");
            assert_eq!(sterna.names("dst"), ["big"], "{ran}");
            assert_eq!(sterna.files("dst")["big"].bytes, b"as it was", "{ran}");
            fs::remove_dir_all(sterna.path("dst")).expect("it is there");
        }
    }
}

#[test]
fn a_broken_configuration_is_told_by_line_and_column() {
    let sterna = Sterna::new();
    sterna.config("[remote.a]\ntype = \"s3\"\nregion = = 1\n");
    sterna.run(&["ls", "a:b"]).exits(2).says("sterna.toml:3:10");
    fs::remove_file(sterna.config_path()).expect("it is there");
    sterna.config("[remote.a]\ntype = \"s3\"\nregoin = \"x\"\n");
    sterna.run(&["ls", "a:b"]).exits(2).says("sterna.toml:3:").says("regoin").says("region");
    fs::remove_file(sterna.config_path()).expect("it is there");
    sterna.config("[remote.a]\ntype = \"s4\"\n");
    sterna.run(&["ls", "a:b"]).exits(2).says("s4").says("s3");
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    let sterna = Sterna::at(&["near"]);
    fs::set_permissions(sterna.config_path(), fs::Permissions::from_mode(0o644)).expect("our own file");
    let ran = sterna.run(&["ls", "near:"]).exits(2).says("sterna.toml").says("chmod");
    ran.never_says(&seaweedfs().secret_key);
}

#[test]
fn a_place_is_known_by_whatever_name_it_is_reached() {
    let sterna = Sterna::at(&["near"]);
    // The same server for another account.
    let S3Server { endpoint, .. } = seaweedfs();
    sterna.config(&format!(
        "[remote.again]\ntype = \"s3\"\nprovider = \"seaweedfs\"\nendpoint = \"{endpoint}\"\nanonymous = true\n\n"
    ));
    let bucket = seaweedfs().bucket("same");
    let [near, again] = ["near", "again"].map(|remote| format!("{remote}:{bucket}"));
    sterna.tree("src");
    sterna.run(&["copy", "src", &near]).exits(0);
    let before = sterna.files("src");
    std::os::unix::fs::symlink(sterna.path("src"), sterna.path("link")).expect("a link can be made");
    fs::create_dir(sterna.path("aside")).expect("a writable directory");
    let same: &[&[&str]] = &[
        &["move", "src", "aside/../src"],
        &["move", "src", "link"],
        &["move", "link", "src/new"],
        &["move", "src", "link/new/deeper"],
        &["move", "src/repo", "link"],
        &["sync", "src", "dst", "dst/deeper"],
        &["sync", "src", "dst", "./dst"],
        &["sync", "src", "dst", "--backup-dir", "src/old"],
        &["move", &near, &again],
        &["move", &format!("{near}/repo"), &again],
    ];
    for arguments in same {
        sterna.run(arguments).exits(2).says("overlap");
        assert_eq!(sterna.files("src"), before, "{arguments:?}");
    }
    assert_eq!(sterna.listed(&near).len(), 14);
    assert!(!sterna.path("dst").exists());
    // One object may go to a folder beside it.
    sterna.run(&["move", "src/repo", "src/old"]).exits(0);
    assert!(sterna.path("src/old/repo").exists() && !sterna.path("src/repo").exists());
}

#[test]
fn a_file_that_no_key_can_name_is_never_passed_over_in_silence() {
    use std::os::unix::ffi::OsStrExt;
    let sterna = Sterna::new();
    sterna.file("src/a", "a");
    sterna.file(std::ffi::OsStr::from_bytes(b"src/odd-\xff"), "the only copy");
    std::os::unix::fs::symlink("a", sterna.path("src/link")).expect("a link can be made");
    let ran = sterna.run(&["sync", "src", "dst", "--quiet"]).exits(0).says("odd-").says("not UTF-8");
    ran.never_says("link");
    sterna.run(&["sync", "src", "dst"]).exits(0).says("1 passed over");
}

#[test]
fn flags_that_make_no_sense() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.tree("dst");
    let before = sterna.files("dst");
    sterna.run(&["plan", "src", "dst", "-o", "plan.jsonl"]).exits(0);
    let plan = fs::read_to_string(sterna.path("plan.jsonl")).expect("a plan");
    sterna.file("secret.jsonl", plan.replacen("\"dst\"", "\"webdav://tern:hunter2@127.0.0.1:1/x\"", 1));
    let wrong: &[(&[&str], &str)] = &[
        (&["sync", "src"], "DESTINATIONS"),
        (&["sync", "src", "src/b"], "overlap"),
        (&["sync", "src", "src"], "overlap"),
        (&["sync", "src", "dst", "--checksum", "--size-only"], "--size-only"),
        (&["sync", "src", "dst", "--dry-run", "--interactive"], "--interactive"),
        (&["sync", "src", "dst", "--max-delete", "120%"], "120%"),
        (&["sync", "src", "dst", "--max-delete", "-1"], "-1"),
        (&["sync", "src", "dst", "--backup-dir", "dst/old"], "overlap"),
        (&["sync", "src", "dst", "--header", "x-powered-by=tern"], "x-powered-by"),
        (&["sync", "src", "dst", "--include", "[a"], "[a"),
        (&["sync", "src", "dst", "--filter", "what?"], "what?"),
        (&["sync", "src", "dst", "--files-from", "no-such-list"], "no-such-list"),
        (&["sync", "src", "dst", "--bwlimit", "fast"], "fast"),
        (&["sync", "src", "dst", "--tpslimit", "0"], "above 0"),
        (&["sync", "src", "dst", "--tpslimit", "nan"], "above 0"),
        (&["sync", "src", "dst", "other", "--require", "3"], "2 destinations only"),
        (&["sync", "src", "http://tern:hunter2@[::1/x"], "url"),
        (&["plan", "src", "ftp://tern:hunter2@127.0.0.1:1/x", "-o", "plan.jsonl"], "password"),
        (&["sync", "src", "sftp://tern:hunter2@127.0.0.1:1/x"], "password"),
        (&["apply", "secret.jsonl"], "password"),
        (&["sync", "src", "dst", "--part-size", "big"], "big"),
        (&["sync", "src", "dst", "--links", "--copy-links"], "--copy-links"),
        (&["sync", "src", "dst", "--max-age", "long ago"], "long ago"),
        (&["hash", "md4", "src"], "md4"),
        (&["wipe", "src"], "wipe"),
        (&["--quiet", "--verbose", "ls", "src"], "--verbose"),
    ];
    for (arguments, said) in wrong {
        let ran = sterna.run(arguments).exits(2).says(said).never_says("hunter2");
        assert!(ran.stdout.is_empty(), "{ran}");
    }
    assert_eq!(sterna.files("dst"), before);
}

/// Neither what is wrong about an address nor who cannot be reached there says what stands in it.
#[test]
fn a_password_in_an_address_is_refused_and_not_shown() {
    let sterna = Sterna::new();
    let http = "type = \"http\"\nurl = \"http://127.0.0.1:1/\"\n";
    for (name, lines) in [
        ("list", format!("{http}list = \"http://tern:hunter2@127.0.0.1:1/sums\"\n")),
        ("broken", format!("{http}list = \"http://tern:hunter2@[::1/sums\"\n")),
        ("signed", format!("{http}list = \"http://[::1/sums?token=hunter2\"\n")),
        ("far", format!("{http}list = \"http://127.0.0.1:1/sums?token=hunter2\"\n")),
        ("web", "type = \"http\"\nurl = \"http://tern:hunter2@127.0.0.1:1/\"\n".to_owned()),
        ("dav", "type = \"webdav\"\nurl = \"http://tern:hunter2@127.0.0.1:1/\"\n".to_owned()),
        ("ftp", "type = \"ftp\"\nhost = \"tern:hunter2@127.0.0.1:1\"\n".to_owned()),
        ("ssh", "type = \"sftp\"\nendpoint = \"ssh://tern:hunter2@127.0.0.1:1\"\n".to_owned()),
        ("ssh2", "type = \"sftp\"\nendpoint = \"tern:hunter2@127.0.0.1\"\n".to_owned()),
        ("ipfs", "type = \"ipfs\"\nendpoint = \"http://tern:hunter2@127.0.0.1:1/\"\n".to_owned()),
        ("s3", "type = \"s3\"\nregion = \"x\"\nendpoint = \"http://tern:hunter2@127.0.0.1:1\"\n".to_owned()),
    ] {
        sterna.config(&format!("[remote.{name}]\n{lines}\n"));
        let ran = sterna.run(&["-vv", "ls", &format!("{name}:x"), "--low-level-retries", "1"]).never_says("hunter2");
        assert!(matches!(ran.code, Some(2 | 5)) && !ran.stdout.contains("hunter2"), "{ran}");
    }
    let shown = sterna.run(&["config", "show"]).exits(0).stdout;
    let passwords = shown.lines().filter(|line| line.contains("hunter2") && !line.contains("token="));
    assert_eq!(passwords.count(), 0, "{shown}");
}

/// Nobody would find an upload again of which no record could be written: it is given up.
#[test]
fn an_upload_whose_record_has_no_room_is_given_up() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("no-record"));
    sterna.file("src/big", noise(13_000_000, 2));
    let parts = ["--multipart-threshold", "6M", "--part-size", "5M", "--no-index", "--no-history"];
    let ran =
        limited(&sterna, 0, &[&["copy", "src", &near], &parts[..]].concat()).exits(7).says("big").says("its record");
    sterna.run(&["delete", "--incomplete", "--dry-run", &near]).exits(0).says("0 unfinished uploads");
    assert_eq!(sterna.listed(&near).len(), 0, "{ran}");
    sterna.run(&[&["copy", "src", &near], &parts[..]].concat()).exits(0);
}
