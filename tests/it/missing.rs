//! A source that is not there: an error, not an empty place. A destination that is not there is made.

use sterna_servers::{FtpServer, apache, gcs, pyftpdlib, rclone_webdav, sshd, vsftpd};

use crate::sterna::Sterna;

/// Holds a tree of files, remote `far`, to it; it has nothing in it.
fn holds(sterna: &Sterna) {
    sterna.file("src/deep/a", "the bytes of a");
    sterna.run(&["copy", "src", "far:there"]).exits(0);
    sterna.file("dst/kept", "kept");
    for missing in ["far:slip", "far:there/slip/", "far:there/deep/slip/further"] {
        for command in [
            &["ls", missing][..],
            &["ls", "-R", missing],
            &["size", missing],
            &["check", missing, "dst"],
            &["copy", missing, "dst"],
            &["sync", missing, "dst", "--max-delete", "100%"],
        ] {
            sterna.run(command).exits(3).says("no such bucket or directory");
        }
    }
    assert_eq!(sterna.names("dst"), ["kept"]);
    // Below a place that is there, a folder may be missing: so a filter that names one finds nothing.
    for place in ["far:", "far:there"] {
        sterna.run(&["ls", "-R", "--include", "/slip/*", place]).exits(0).prints("");
    }
    // A folder with nothing in it is there.
    sterna.run(&["mkdir", "far:bare"]).exits(0);
    sterna.run(&["ls", "far:bare"]).exits(0).prints("");
    // Destinations are made: the plan of a dry run tells so, and makes none.
    sterna.run(&["sync", "--dry-run", "src", "far:new/and/newer"]).exits(0);
    sterna.run(&["ls", "far:new"]).exits(3);
    sterna.run(&["sync", "src", "far:new/and/newer"]).exits(0);
    sterna.run(&["ls", "-R", "--keys", "far:new"]).exits(0).prints("and/newer/deep/a\n");
}

#[test]
fn webdav() {
    for server in [apache(), rclone_webdav()] {
        let sterna = Sterna::new();
        sterna.dav("far", &server.folder("missing"), "");
        holds(&sterna);
    }
}

/// Members are listed one level at a time.
#[test]
fn webdav_without_whole_trees() {
    let sterna = Sterna::new();
    sterna.dav("far", &apache().folder("flat/missing"), "vendor = \"apache\"");
    holds(&sterna);
}

fn ftp(server: &FtpServer) {
    let sterna = Sterna::new();
    let (folder, port) = (server.folder("missing"), server.port);
    sterna.config(&format!(
        "[remote.far]\ntype = \"ftp\"\nhost = \"127.0.0.1:{port}\"\nuser = \"{}\"\npassword = \"{}\"\nroot = \"{folder}\"\n",
        server.user, server.password
    ));
    holds(&sterna);
}

#[test]
fn ftp_with_facts() {
    ftp(pyftpdlib());
}

#[test]
fn ftp_listed_for_people() {
    ftp(vsftpd());
}

#[test]
fn sftp() {
    let sterna = Sterna::new();
    let (server, folder) = (sshd(), sshd().folder("missing"));
    sterna.config(&format!(
        "[remote.far]\ntype = \"sftp\"\nendpoint = \"{}\"\nkey = \"{}\"\nknown_hosts_strategy = \"Accept\"\nroot = \"{}\"\n",
        server.endpoint(),
        server.key.display(),
        folder.display()
    ));
    holds(&sterna);
}

/// A prefix is no directory: one without objects is empty, and only the bucket can be missing.
#[test]
fn a_bucket_of_gcs() {
    let sterna = Sterna::new();
    sterna.config(&format!("[remote.far]\ntype = \"gcs\"\nendpoint = \"{}\"\nskip_signature = true\n", gcs().endpoint));
    let bucket = gcs().bucket("missing");
    sterna.file("dst/kept", "kept");
    sterna.run(&["ls", &format!("far:{bucket}/slip")]).exits(0).prints("");
    for command in [&["ls", "far:slip"][..], &["ls", "-R", "far:slip/of/the/pen"], &["sync", "far:slip", "dst"]] {
        sterna.run(command).exits(3).says("no such bucket");
    }
    assert_eq!(sterna.names("dst"), ["kept"]);
}
