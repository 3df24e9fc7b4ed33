//! `plan` and `apply`: what is written down is what is done, or it is refused.

use std::fs;

use sterna_servers::seaweedfs;

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// A source that differs from its destination in what is new (two), changed (one) and gone (one).
fn two_trees(sterna: &Sterna, destination: &str) {
    // What an earlier round left.
    let _first = fs::remove_dir_all(sterna.path("src"));
    sterna.tree("src");
    sterna.run(&["sync", "src", destination]).exits(0);
    sterna.file("src/new/one", "new");
    sterna.file("src/new/two", "new, too");
    sterna.dated("src/repo", noise(500, 77), 1_700_000_000, 1);
    fs::remove_file(sterna.path("src/b/a/c")).expect("it is there");
}

#[test]
fn promise_10_dry_run_plan_and_run_agree_byte_for_byte() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("agree"));
    for destination in ["dst", &near] {
        two_trees(&sterna, destination);
        sterna.run(&["sync", "src", destination, "--dry-run", "--plan-out", "dry.jsonl"]).exits(0);
        sterna.run(&["plan", "src", destination, "-o", "planned.jsonl"]).exits(0);
        let piped = sterna.run(&["plan", "src", destination]).exits(0).stdout;
        sterna.run(&["sync", "src", destination, "--plan-out", "real.jsonl"]).exits(0);
        let read = |name: &str| fs::read_to_string(sterna.path(name)).expect("a plan");
        let real = read("real.jsonl");
        assert_eq!(real.lines().count(), 5, "a header, two new, one changed, one gone:\n{real}");
        assert_eq!(read("dry.jsonl"), real);
        assert_eq!(read("planned.jsonl"), real);
        assert_eq!(piped, real);
        sterna.same("src", destination);
    }
}

#[test]
fn a_dry_run_changes_nothing() {
    let sterna = Sterna::new();
    two_trees(&sterna, "dst");
    let before = sterna.files("dst");
    let shown = sterna.run(&["sync", "src", "dst", "--dry-run"]).exits(0).stdout;
    let lines: Vec<&str> = shown.lines().map(|line| line.split("  (").next().unwrap_or(line)).collect();
    assert_eq!(lines, ["+ new/one", "+ new/two", "* repo", "- b/a/c"]);
    assert_eq!(sterna.files("dst"), before);
    sterna.run(&["sync", "src", "brand-new", "--dry-run"]).exits(0);
    assert!(!sterna.path("brand-new").exists());
}

#[test]
fn a_plan_is_applied_once_and_again_is_nothing() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("applied"));
    for destination in ["dst", &near] {
        two_trees(&sterna, destination);
        sterna.run(&["plan", "src", destination, "-o", "plan.jsonl"]).exits(0);
        assert_ne!(sterna.rclone(&["check", "--download", "src", destination]).code, Some(0), "a plan is only a plan");
        let shown = sterna.run(&["apply", "--dry-run", "plan.jsonl"]).exits(0).stdout;
        assert_eq!(shown.lines().count(), 4, "{shown}");
        let did = sterna.did(&["apply", "plan.jsonl"]);
        assert_eq!((did.code, did.transferred + did.copied, did.deleted), (0, 3, 1));
        sterna.same("src", destination);
        sterna.same_times("src", destination);
        assert_eq!(sterna.did(&["apply", "plan.jsonl"]), Did::NOTHING, "{destination}");
        assert_eq!(sterna.did(&["sync", "src", destination]), Did::NOTHING, "{destination}");
    }
}

#[test]
fn a_plan_may_be_written_into_the_source_into_a_link_and_into_a_pipe() {
    let sterna = Sterna::new();
    sterna.tree("src");
    let inside = sterna.path("src");
    let run = |arguments: &[&str]| {
        let mut command = sterna.command(arguments);
        command.current_dir(&inside);
        Ran::of(command).exits(0)
    };
    run(&["plan", ".", "../dst", "-o", "plan.jsonl"]);
    let plan = fs::read_to_string(sterna.path("src/plan.jsonl")).expect("a plan");
    assert_eq!(plan.lines().count(), 15, "the plan is no object of itself:\n{plan}");
    run(&["apply", "plan.jsonl"]);
    fs::rename(sterna.path("src/plan.jsonl"), sterna.path("plan.jsonl")).expect("it is there");

    std::os::unix::fs::symlink("plan.jsonl", sterna.path("link")).expect("a link can be made");
    sterna.run(&["plan", "src", "elsewhere", "-o", "link"]).exits(0);
    assert!(sterna.path("link").is_symlink());
    let plan = fs::read_to_string(sterna.path("plan.jsonl")).expect("a plan");
    assert!(plan.contains("elsewhere"), "{plan}");

    let script = "mkfifo pipe; cat pipe > got & \"$0\" plan src elsewhere -o pipe && wait && test -p pipe";
    Ran::of(sterna.program("sh", &["-c", script, env!("CARGO_BIN_EXE_sterna")])).exits(0);
    assert_eq!(fs::read_to_string(sterna.path("got")).expect("a plan"), plan);
    sterna.run(&["plan", "src", "elsewhere", "-o", "dst"]).exits(1).says("directory");
}

#[test]
fn promise_7_what_drifted_is_refused() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("drifted"));
    for destination in ["dst", &near] {
        two_trees(&sterna, destination);
        sterna.run(&["plan", "src", destination, "-o", "plan.jsonl"]).exits(0);
        // One object changes at the source, one that is to be overwritten and one that is to be deleted at the
        // destination.
        sterna.dated("src/new/one", "NEW", 1_720_000_000, 0);
        for (name, content) in [("repo", "somebody else's"), ("b/a/c", "still wanted")] {
            sterna.file(format!("else/{name}"), content);
        }
        sterna.rclone(&["copy", "else", destination]).exits(0);
        let ran = sterna.run(&["apply", "plan.jsonl"]).exits(13);
        let ran = ran.says("new/one").says("repo");
        let now = |name: &str| sterna.rclone(&["cat", &format!("{destination}/{name}")]).exits(0).stdout;
        assert_eq!(now("repo"), "somebody else's", "{ran}");
        assert_eq!(now("b/a/c"), "still wanted", "{ran}");
        assert_eq!(now("new/two"), "new, too", "what did not drift is done\n{ran}");
        assert!(!sterna.listed(destination).contains_key("new/one"), "{ran}");
    }
}

#[test]
fn a_plan_goes_on_where_it_was_stopped() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.run(&["plan", "src", "dst", "-o", "plan.jsonl"]).exits(0);
    sterna.run(&["apply", "plan.jsonl", "--max-transfer", "20k", "--transfers", "1"]).exits(8);
    let some = sterna.names("dst").len();
    assert!(0 < some && some < 14, "{some} of 14");
    let did = sterna.did(&["apply", "plan.jsonl"]);
    assert_eq!((did.code, did.transferred + did.copied), (0, 14 - some as u64));
    assert_eq!(sterna.files("src"), sterna.files("dst"));
}

#[test]
fn a_plan_that_is_cut_short_or_altered_is_refused_whole() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.run(&["plan", "src", "dst", "-o", "plan.jsonl"]).exits(0);
    let plan = fs::read_to_string(sterna.path("plan.jsonl")).expect("a plan");
    let lines: Vec<&str> = plan.lines().collect();
    let broken = [
        ("a line missing", lines[..lines.len() - 1].join("\n") + "\n", "cut short"),
        ("half a line", plan[..plan.len() - 20].to_owned(), "line 15"),
        ("a line that is none", format!("{plan}what?\n"), "line 16"),
        ("nothing", String::new(), "line 1"),
        ("another format", plan.replacen("\"sterna_plan\":1", "\"sterna_plan\":99", 1), "99"),
        ("another destination", plan.replacen("\"key\":\"a\"", "\"to\":7,\"key\":\"a\"", 1), "line 2"),
    ];
    for (what, text, said) in broken {
        sterna.file("broken.jsonl", text);
        let ran = sterna.run(&["apply", "broken.jsonl"]).exits(2).says("broken.jsonl");
        assert!(ran.stderr.contains(said), "{what}: `{said}`\n{ran}");
        assert!(!sterna.path("dst").exists(), "{what}");
    }
    sterna.run(&["apply", "no-such-plan.jsonl"]).exits(2).says("no-such-plan.jsonl");
    sterna.run(&["apply", "plan.jsonl"]).exits(0);
}
