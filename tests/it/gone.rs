//! Servers that die in the middle.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sterna_servers::{Proxy, S3Server, moto_of_my_own};

use crate::sterna::Sterna;

/// A server that is killed when it has taken so many uploads.
fn dying(after: usize) -> (Proxy, String) {
    let server: &'static S3Server = Box::leak(Box::new(moto_of_my_own()));
    let bucket = server.bucket("dying");
    let died = Arc::new(AtomicBool::new(false));
    let proxy = Proxy::new(&server.endpoint, move |method, _, before| {
        if method == "PUT" && before >= after && !died.swap(true, Ordering::SeqCst) {
            let killed = Command::new("kill").args(["-KILL", &server.process.id().to_string()]).status();
            assert!(killed.is_ok_and(|status| status.success()), "the server was running");
        }
        None
    });
    (proxy, bucket)
}

fn remote(sterna: &Sterna, proxy: &Proxy) {
    sterna.config(&format!(
        "[remote.far]\ntype = \"s3\"\nprovider = \"other\"\nendpoint = \"{}\"\nregion = \"us-east-1\"\npath_style = true\n\
         access_key_id = \"a\"\nsecret_access_key = \"b\"\n",
        proxy.url
    ));
}

#[test]
fn a_run_whose_server_is_gone_ends() {
    let sterna = Sterna::new();
    for number in 0..400 {
        sterna.file(format!("src/{number}"), format!("{number}"));
    }
    let (proxy, bucket) = dying(20);
    remote(&sterna, &proxy);
    let place = format!("far:{bucket}");
    let ran =
        sterna.run(&["sync", "src", &place, "--give-up-after", "3s"]).exits(5).says("unreachable").says("given up");
    // What was still to be sent was not even tried.
    let told = ran.stderr.lines().filter(|line| line.contains("unreachable")).count();
    assert!(told < 300, "{told} objects failed one by one");
}

#[test]
fn doctor_ends_with_the_server() {
    let sterna = Sterna::new();
    let (proxy, bucket) = dying(10);
    remote(&sterna, &proxy);
    let ran = sterna.run(&["doctor", &format!("far:{bucket}"), "--give-up-after", "3s"]).exits(5).says("unreachable");
    let broken = ran.stdout.lines().filter(|line| line.contains("BROKEN")).count();
    assert!(broken <= 2, "the checks that were left were tried all the same:\n{ran}");
}
