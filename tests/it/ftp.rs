//! FTP: synced with a disk in both directions, judged by rclone.

use std::fs;
use std::time::{Duration, UNIX_EPOCH};

use sterna_servers::{FtpServer, proftpd, pyftpdlib, rclone_ftp, vsftpd};

use crate::judge::Did;
use crate::sterna::Sterna;

/// Beside those that every store holds.
const MORE: &[&str] = &[
    "a/ lead",
    "trail ",
    " outer",
    "star*",
    "back\\slash",
    "semi;colon=x; y",
    "arrow -> b",
    "{brace}[bracket]",
    "-a b/-c",
    "$(echo)",
    "`id`",
    "...",
    ".hidden/.deeper",
    "deep/er/and/deep/er/still",
    "Nov 22 18:35 x",
];

fn remote(sterna: &Sterna, name: &str, server: &FtpServer, lines: &str) {
    sterna.config(&format!(
        "[remote.{name}]\ntype = \"ftp\"\nhost = \"127.0.0.1:{}\"\nuser = \"{}\"\npassword = \"{}\"\n{lines}\n",
        server.port, server.user, server.password
    ));
}

/// `times`: what the configuration says of them; whether they are kept.
fn both_ways(server: &FtpServer, lines: &str, times: bool) {
    let sterna = Sterna::new();
    let folder = server.folder("both");
    let lines = format!("root = \"{folder}\"\n{lines}");
    remote(&sterna, "far", server, &lines);
    let count = sterna.odd(MORE) + 1;
    sterna.file("src/big", vec![7; 3_000_000]);
    let then = UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::open(sterna.path("src/o")).and_then(|file| file.set_modified(then)).expect("a file of ours");
    assert_eq!(sterna.did(&["sync", "src", "far:"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", &server.rclone_place(&folder));
    sterna.same("src", &server.on_disk(&folder).display().to_string());
    let again = sterna.did(&["sync", "src", "far:", "--allow-unproven"]);
    assert_eq!(Did { unproven: 0, ..again }, Did::NOTHING);
    assert_eq!(again.unproven == 0, times, "a big file is proven by its time alone");
    assert_eq!(sterna.did(&["sync", "far:", "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    if times {
        let seen = fs::metadata(sterna.path("back/o")).and_then(|facts| facts.modified()).expect("a file of ours");
        assert_eq!(seen, then);
    }
    sterna.run(&["check", "--download", "src", "far:"]).exits(0);
    // The same size, other bytes: promise 1.
    sterna.file("src/o", "other bytes");
    // Servers keep whole seconds: a file that is changed within the one in which it was made is not told apart.
    sterna.dated("src/o!", "the bytes of o?", 1_900_000_000, 0);
    fs::remove_dir_all(sterna.path("src/deep")).expect("it was made");
    let did = Did { unproven: 0, code: 0, ..sterna.did(&["sync", "src", "far:"]) };
    assert_eq!(did, Did { transferred: 2, deleted: 1, ..Did::NOTHING });
    sterna.same("src", &server.on_disk(&folder).display().to_string());
    assert!(!server.on_disk(&folder).join("deep").exists(), "a folder without files stays");
}

#[test]
fn a_disk_and_proftpd_are_synced_both_ways_under_tls() {
    let certificate = proftpd().certificate.as_ref().expect("it has one").display();
    both_ways(proftpd(), &format!("tls = \"explicit\"\nca_file = \"{certificate}\""), true);
}

#[test]
fn a_disk_and_pyftpdlib_are_synced_both_ways() {
    both_ways(pyftpdlib(), "", true);
}

/// It lists for people: times come file by file.
#[test]
fn a_disk_and_vsftpd_are_synced_both_ways() {
    both_ways(vsftpd(), "times = \"mdtm\"", true);
}

/// It sets no times.
#[test]
fn a_disk_and_rclone_are_synced_both_ways() {
    both_ways(rclone_ftp(), "", false);
}

/// What rclone put there is found in sync, times included; places are the same from a URL.
#[test]
fn what_another_tool_wrote_is_read() {
    let sterna = Sterna::new();
    let server = pyftpdlib();
    let folder = server.folder("other");
    remote(&sterna, "root", server, "");
    sterna.file("src/a/b", "b");
    sterna.file("src/c", vec![1; 2_000_000]);
    sterna.rclone(&["copy", "src", &server.rclone_place(&folder)]).exits(0);
    let place = format!("root:{folder}");
    sterna.run(&["ls", "-R", "--keys", &place]).exits(0).prints("a/b\nc\n");
    sterna.run(&["cat", &format!("{place}/a/b")]).exits(0).prints("b");
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);
    let data = vsftpd().folder("url");
    fs::write(vsftpd().on_disk(&data).join("x"), "from a URL").expect("a folder of ours");
    let name = data.rsplit('/').next().expect("a path");
    let url = format!("ftp://127.0.0.1:{}/{name}", vsftpd().port);
    sterna.run(&["cat", &format!("{url}/x")]).exits(0).prints("from a URL");
}

#[test]
fn what_it_cannot_do_is_said() {
    let sterna = Sterna::new();
    let server = pyftpdlib();
    let folder = server.folder("cannot");
    remote(&sterna, "far", server, &format!("root = \"{folder}\""));
    sterna.file("src/line\nbreak", "x");
    sterna.file("src/fine", "x");
    sterna.run(&["sync", "src", "far:"]).exits(1).says("line");
    assert_eq!(fs::read_dir(server.on_disk(&folder)).expect("it was made").count(), 1);
    // The same folder, which nothing but its words tell.
    sterna.run(&["move", "far:", "far:."]).exits(2);
    sterna.run(&["move", "far:", "far:deeper"]).exits(2).says("overlap");
    let wrong = Sterna::new();
    wrong.config(&format!(
        "[remote.far]\ntype = \"ftp\"\nhost = \"127.0.0.1\"\nport = {}\nuser = \"tern\"\npassword = \"guess\"\n",
        server.port
    ));
    let said = wrong.run(&["ls", "far:"]).says("access denied");
    assert!(!said.stderr.contains("guess") && said.code != Some(0), "{}", said.stderr);
    let typo = Sterna::new();
    remote(&typo, "far", server, "tsl = \"explicit\"");
    typo.run(&["ls", "far:"]).exits(2).says("did you mean 'tls'?");
}
