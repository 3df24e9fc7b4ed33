//! What a person sees on a terminal, what nobody sees in a pipe, and Ctrl-C.

use std::process::Stdio;
use std::time::Duration;

use sterna_servers::seaweedfs;

use crate::pty::Terminal;
use crate::servers::eventually;
use crate::sterna::Sterna;
use crate::tree::noise;

/// A run that takes some seconds, in parts.
const SLOW: [&str; 6] = ["--multipart-threshold", "6M", "--part-size", "5M", "--bwlimit", "5M"];

#[test]
fn progress_is_shown_on_a_terminal() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("progress"));
    sterna.file("src/big.iso", noise(12_000_000, 1));
    let arguments = [&["copy", "src", &near, "--progress"], &SLOW[..]].concat();
    let mut terminal = Terminal::start(&sterna.command(&arguments));
    terminal.until("a bar", |screen| screen.contains("0/1 done") && screen.contains('━') && screen.contains('%'));
    terminal.until("the object under way", |screen| screen.contains("big.iso"));
    assert!(terminal.end().0.success());
    let screen = terminal.screen();
    assert!(screen.contains("1 object transferred (11.4 MiB)"), "{screen}");
    assert!(!screen.contains('━') && !screen.contains('%'), "the bars are gone at the end:\n{screen}");
}

#[test]
fn nothing_of_it_in_a_pipe() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("piped"));
    sterna.file("src/big.iso", noise(12_000_000, 1));
    let ran = sterna.run(&[&["copy", "src", &near, "--progress"], &SLOW[..]].concat()).exits(0);
    let ran = ran.never_says("\u{1b}").never_says("\r").never_says("━").prints("");
    // What was done, what was sent for it, how fast.
    assert_eq!(ran.stderr.lines().count(), 3, "{ran}");
    sterna.run(&["copy", "src", "dst", "--quiet"]).exits(0).prints("").never_says("a");
}

#[test]
fn without_progress_a_terminal_shows_words_only() {
    let sterna = Sterna::new();
    sterna.tree("src");
    let mut terminal = Terminal::start(&sterna.command(&["copy", "src", "dst"]));
    assert!(terminal.end().0.success());
    assert!(!terminal.bytes().contains(&0x1b), "{}", terminal.screen());
}

#[test]
fn a_name_commands_no_terminal() {
    let sterna = Sterna::new();
    let name = "\u{1b}[31mred\r\u{9b}2J";
    sterna.file(format!("src/{name}"), "a");
    std::os::unix::fs::symlink("nowhere", sterna.path("src/\u{1b}c")).expect("a link can be made");
    for arguments in [&["ls", "src"][..], &["tree", "src"], &["copy", "src", "dst", "-v"]] {
        let mut terminal = Terminal::start(&sterna.command(arguments));
        assert!(terminal.end().0.success());
        assert!(!terminal.bytes().contains(&0x1b), "{arguments:?}: {}", terminal.screen());
        assert!(terminal.screen().contains("\\u{1b}[31mred\\r\\u{9b}2J"), "{arguments:?}: {}", terminal.screen());
    }
    sterna.run(&["ls", "--keys", "src"]).exits(0).prints(&format!("{name}\n"));
}

#[test]
fn no_color_is_honoured() {
    let sterna = Sterna::new();
    let coloured = |command: &std::process::Command| {
        let mut terminal = Terminal::start(command);
        assert_eq!(terminal.end().0.code(), Some(3));
        assert!(terminal.screen().contains("nowhere"), "{}", terminal.screen());
        terminal.bytes().contains(&0x1b)
    };
    let mut command = sterna.command(&["ls", "nowhere"]);
    assert!(coloured(&command), "an error is red on a terminal");
    assert!(!coloured(command.env("NO_COLOR", "1")));
    assert!(coloured(command.env("NO_COLOR", "")), "an empty NO_COLOR says nothing: https://no-color.org");
}

#[test]
fn interactive_asks_first() {
    let sterna = Sterna::new();
    sterna.tree("src");
    for (answer, done) in [("n\n", false), ("\n", false), ("yes\n", true)] {
        let mut terminal = Terminal::start(&sterna.command(&["sync", "src", "dst", "--interactive"]));
        terminal.until("the plan and the question", |screen| {
            screen.contains("+ repo.sha256") && screen.contains("14 to ") && screen.contains("[y/N]")
        });
        assert!(!sterna.path("dst").exists(), "nothing is done before the answer");
        terminal.press(answer);
        assert!(terminal.end().0.success());
        assert_eq!(sterna.path("dst").exists(), done, "{answer:?}");
    }
    assert_eq!(sterna.files("src"), sterna.files("dst"));
    // Nobody answers a pipe.
    sterna.file("src/more", "more");
    let mut command = sterna.command(&["sync", "src", "dst", "--interactive"]);
    assert_eq!(command.stdin(Stdio::null()).output().expect("sterna runs").status.code(), Some(1));
    assert!(!sterna.path("dst/more").exists());
}

#[test]
fn ctrl_c_is_an_answer_too() {
    let sterna = Sterna::new();
    sterna.tree("src");
    // With one thread only, as on a machine of one processor, nobody else hears the key.
    let mut command = sterna.command(&["sync", "src", "dst", "--interactive"]);
    let mut terminal = Terminal::start(command.env("TOKIO_WORKER_THREADS", "1"));
    terminal.until("the question", |screen| screen.contains("[y/N]"));
    terminal.ctrl_c();
    let (status, took) = terminal.end();
    assert_eq!(status.code(), Some(130), "{}", terminal.screen());
    // The machine may be busy with other tests.
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
    assert!(terminal.screen().contains("interrupted") && !sterna.path("dst").exists(), "{}", terminal.screen());
}

/// Presses Ctrl-C once something is under way, and sees the run end within a second.
#[track_caller]
fn interrupted(sterna: &Sterna, source: &str, destination: &str, under_way: impl Fn() -> bool) {
    let arguments = [&["copy", source, destination, "--progress"], &SLOW[..]].concat();
    let mut terminal = Terminal::start(&sterna.command(&arguments));
    terminal.until("the object under way", |screen| screen.contains("big.iso"));
    eventually("bytes have gone", &under_way);
    terminal.ctrl_c();
    let (status, took) = terminal.end();
    assert_eq!(status.code(), Some(130), "{}", terminal.screen());
    // The machine may be busy with other tests; a run that waited for its parts would take twice as long.
    assert!(took < Duration::from_millis(1500), "it took {took:?}");
    assert!(terminal.screen().contains("interrupted"), "{}", terminal.screen());
}

#[test]
fn ctrl_c_ends_an_upload_and_the_next_run_goes_on() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("interrupted"));
    sterna.file("src/big.iso", noise(30_000_000, 1));
    interrupted(&sterna, "src", &near, || {
        sterna.run(&["delete", "--incomplete", "--dry-run", &near]).stdout.contains("MiB")
    });
    assert!(sterna.listed(&near).is_empty(), "no torn object");
    // Its flags again, only faster.
    let again = [&["copy", "src", &near, "--use-json-log"], &SLOW[..5], &["100M"]].concat();
    let log = sterna.run(&again);
    log.exits(0).says("\"event\":\"resumed\"");
    sterna.same("src", &near);
}

#[test]
fn ctrl_c_ends_a_download_and_leaves_no_torn_file() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("interrupted"));
    sterna.file("src/big.iso", noise(30_000_000, 2));
    sterna.run(&["copy", "src", &near]).exits(0);
    interrupted(&sterna, &near, "dst", || !sterna.names("dst").is_empty());
    assert!(!sterna.path("dst/big.iso").exists(), "{:?}", sterna.names("dst"));
    sterna.run(&["copy", &near, "dst", "--multipart-threshold", "6M", "--part-size", "5M"]).exits(0);
    assert_eq!(sterna.names("dst"), ["big.iso"], "and no temporary file");
    sterna.same("src", "dst");
}
