//! Google Cloud Storage: synced with a disk in both directions, judged by rclone.

use std::fs;

use sterna_servers::gcs;

use crate::judge::Did;
use crate::sterna::Sterna;

/// Beside those that every store holds.
const MORE: &[&str] = &["back\\slash", "{brace}[bracket]", "...", ".hidden/.deeper"];

/// By the MD5 that the service tells rclone: the links the emulator gives for downloads break at such names.
#[track_caller]
fn same(sterna: &Sterna, bucket: &str) {
    sterna.rclone(&["check", "src", &gcs().rclone_place(&format!("{bucket}/deep"))]).exits(0);
}

#[test]
fn a_disk_and_a_bucket_are_synced_both_ways() {
    let sterna = Sterna::new();
    let bucket = gcs().bucket("both");
    sterna
        .config(&format!("[remote.cloud]\ntype = \"gcs\"\nendpoint = \"{}\"\nskip_signature = true\n", gcs().endpoint));
    let place = format!("cloud:{bucket}/deep");
    let count = sterna.odd(MORE) + 1;
    // Above a chunk: a resumable upload.
    sterna.file("src/big", vec![7; 20_000_000]);
    assert_eq!(sterna.did(&["sync", "src", &place]), Did { transferred: count, ..Did::NOTHING });
    same(&sterna, &bucket);
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);
    assert_eq!(sterna.did(&["sync", &place, "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    sterna.run(&["check", "--download", "src", &place]).exits(0);
    // The same size, other bytes: promise 1.
    sterna.file("src/o", "other bytes");
    fs::remove_dir_all(sterna.path("src/o0")).expect("it was made");
    let did = sterna.did(&["sync", "src", &place]);
    assert_eq!(did, Did { transferred: 1, deleted: 1, ..Did::NOTHING });
    same(&sterna, &bucket);
    // What rclone wrote is found in sync, by its MD5. Its uploads in chunks fail at the emulator.
    fs::remove_file(sterna.path("src/big")).expect("it was made");
    let other = gcs().bucket("other");
    sterna.rclone(&["copy", "src", &gcs().rclone_place(&other)]).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &format!("cloud:{other}")]), Did::NOTHING);
}
