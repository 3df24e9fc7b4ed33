//! Servers that die in the middle.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use sterna_servers::{Proxy, S3Server, moto_of_my_own};

use crate::sterna::{Ran, Sterna};

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

/// As a mistyped host is, or one that is not up yet: it is asked for a while, and who waits is told for what.
#[test]
fn a_host_that_never_answered_is_named_while_it_is_waited_for() {
    let sterna = Sterna::new();
    sterna.file("src/a", "a");
    let nobody = "http://127.0.0.1:1";
    sterna.dav("dav", nobody, "");
    sterna.config(&format!(
        "[remote.s3]\ntype = \"s3\"\nprovider = \"other\"\nendpoint = \"{nobody}\"\nregion = \"us-east-1\"\npath_style = true\n\
         access_key_id = \"a\"\nsecret_access_key = \"b\"\n[remote.ftp]\ntype = \"ftp\"\nhost = \"127.0.0.1:1\"\n"
    ));
    for (command, cause) in [
        // Asked by the layer that tries again,
        (&["ls", "dav:"][..], "127.0.0.1"),
        (&["ls", "s3:bucket"], "s3"),
        // and while the place is opened.
        (&["sync", "src", "dav:"], "'dav' has not answered yet"),
        (&["ls", "ftp:"], "'ftp' has not answered yet"),
    ] {
        let waiting = ["--give-up-after", "8s"];
        let ran = sterna.run(&[command, &waiting].concat()).exits(5);
        let line = ran.stderr.lines().find(|line| line.contains("trying again") || line.contains("; waiting"));
        assert!(line.is_some_and(|line| line.contains(cause)), "nothing was said of it\n{ran}");
        let quiet = sterna.command(&[command, &waiting, &["--low-level-retries", "1", "--quiet"]].concat());
        Ran::of(quiet).exits(5).never_says("trying again").never_says("; waiting");
    }
}
