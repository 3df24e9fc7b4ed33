//! Azure Blob: synced with a disk in both directions, judged by rclone.

use std::fs;

use sterna_servers::{Fault, Proxy, azurite};

use crate::judge::Did;
use crate::sterna::Sterna;
use crate::tree::noise;

fn remote(sterna: &Sterna, name: &str, lines: &str) {
    let server = azurite();
    sterna.config(&format!(
        "[remote.{name}]\ntype = \"azure\"\naccount_name = \"{}\"\naccount_key = \"{}\"\nendpoint = \"{}\"\n\
         allow_http = true\n{lines}\n",
        server.account, server.key, server.endpoint
    ));
}

#[test]
fn a_disk_and_a_container_are_synced_both_ways() {
    /// Beside those that every store holds.
    const MORE: &[&str] = &[" lead", "trail ", "star*", "semi;colon"];
    let sterna = Sterna::new();
    let container = azurite().container("both");
    remote(&sterna, "far", "");
    let count = sterna.odd(MORE) + 1;
    // More than one block.
    let big = fs::File::open(sterna.file("src/big", noise(40_000_000, 1))).expect("it was written");
    big.set_modified(std::time::UNIX_EPOCH + std::time::Duration::new(1_234_567_890, 123_456_789))
        .expect("a file of ours");
    let place = format!("far:{container}");
    assert_eq!(sterna.did(&["sync", "src", &place]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", &azurite().rclone_place(&container));
    sterna.same_times("src", &azurite().rclone_place(&container));
    assert_eq!(sterna.did(&["sync", "src", &place]), Did::NOTHING);
    assert_eq!(sterna.did(&["sync", &place, "back"]), Did { transferred: count, ..Did::NOTHING });
    sterna.same("src", "back");
    sterna.same_times("src", "back");
    sterna.file("src/o", "the bytes of O");
    fs::remove_file(sterna.path("src/o0/x")).expect("it was made");
    assert_eq!(sterna.did(&["sync", "src", &place]), Did { transferred: 1, deleted: 1, ..Did::NOTHING });
    sterna.same("src", &azurite().rclone_place(&container));
}

#[test]
fn what_it_cannot_do_is_said() {
    let sterna = Sterna::new();
    let container = azurite().container("cannot");
    remote(&sterna, "far", &format!("bucket = \"{container}\""));
    sterna.file("src/back\\slash", "x");
    sterna.file("src/fine", "x");
    sterna.run(&["sync", "src", "far:"]).exits(1).says("back\\slash");
    sterna.run(&["ls", "-R", "--keys", "far:"]).exits(0).prints("fine\n");
    remote(&sterna, "gone", "bucket = \"not-there\"");
    assert_ne!(sterna.run(&["ls", "gone:"]).says("no such bucket").code, Some(0));
    sterna.config(&format!(
        "[remote.wrong]\ntype = \"azure\"\naccount_name = \"{}\"\naccount_key = \"d3Jvbmc=\"\nendpoint = \"{}\"\n\
         allow_http = true\n",
        azurite().account,
        azurite().endpoint
    ));
    let ran = sterna.run(&["ls", &format!("wrong:{container}")]).says("access denied").never_says("d3Jvbmc=");
    assert_ne!(ran.code, Some(0));
}

/// Runs a sync up and one down through a proxy with a fault, and looks at what lies there.
fn survives(name: &str, rule: impl Fn(&str, &str, usize) -> Option<Fault> + Send + Sync + 'static) {
    let sterna = Sterna::new();
    let container = azurite().container("faults");
    for number in 0..12 {
        sterna.file(format!("src/{}/{number}", number % 3), vec![number; 100_000 + usize::from(number)]);
    }
    let origin = azurite().endpoint.strip_suffix("/tern").expect("the account is in the address");
    let proxy = Proxy::new(origin, rule);
    let server = azurite();
    sterna.config(&format!(
        "[remote.far]\ntype = \"azure\"\naccount_name = \"{}\"\naccount_key = \"{}\"\nendpoint = \"{}/tern\"\n\
         allow_http = true\nbucket = \"{container}\"\n",
        server.account, server.key, proxy.url
    ));
    let ran = sterna.run(&["sync", "src", "far:"]);
    assert_eq!(ran.code, Some(0), "{name}: {:?}\n{ran}", proxy.counts());
    sterna.same("src", &server.rclone_place(&container));
    let ran = sterna.run(&["sync", "far:", "back"]);
    assert_eq!(ran.code, Some(0), "{name}: {:?}\n{ran}", proxy.counts());
    sterna.same("src", "back");
}

#[test]
fn faults_are_survived() {
    let every = |fault: Fault| move |before: usize| (before % 3 == 1).then(|| fault.clone());
    let cut = every(Fault::CutRequest(50_000));
    survives("uploads cut", move |method, _, before| (method == "PUT").then(|| cut(before)).flatten());
    let cut = every(Fault::CutAnswer(60_000));
    survives("downloads cut", move |method, _, before| (method == "GET").then(|| cut(before)).flatten());
    let lost = every(Fault::LoseAnswer);
    survives("answers lost", move |method, _, before| (method == "PUT").then(|| lost(before)).flatten());
    let busy = every(Fault::Answer(503, "Retry-After: 0\r\n".to_owned()));
    survives("throttled", move |_, _, before| busy(before));
    let broken = every(Fault::Answer(500, String::new()));
    survives("broken", move |_, _, before| broken(before));
}
