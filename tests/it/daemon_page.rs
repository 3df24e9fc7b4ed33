//! The status page in a real browser.

use std::fs;
use std::path::Path;

use serde_json::json;
use sterna_servers::{Browser, View, seaweedfs};

use crate::compare_page::{DESK, PALE, PHONE, UNNAMED};
use crate::daemon::{Daemon, TOKEN, token};
use crate::sterna::Sterna;

/// A home with a job that is well, and one whose second target cannot be: a file stands where its folder should.
fn two_jobs() -> Sterna {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("status-page"));
    sterna.file("src/packages/a.hpkg", "1");
    sterna.file("src/repo", "names a");
    sterna.file("stands/in-the-way", "no folder");
    sterna.config(&format!(
        "[job.haikuports]\nsource = \"src\"\ntargets = [\"{near}\", \"dst\"]\nevery = \"2s\"\nprofile = \"haiku-repo\"\n\n\
         [job.nightly]\nsource = \"src\"\ntargets = [\"other\", \"stands/in-the-way/of\"]\nevery = \"2s\"\n"
    ));
    sterna
}

fn picture(browser: &mut Browser, name: &str, view: View) {
    if let Some(folder) = std::env::var_os("STERNA_TEST_PICTURES") {
        let name = format!("{name}-{}-{}.png", view.width, if view.dark { "dark" } else { "light" });
        fs::write(Path::new(&folder).join(name), browser.picture()).expect("a folder for pictures");
    }
}

#[test]
fn a_newcomer_finds_what_fails_and_why_within_two_clicks() {
    let sterna = two_jobs();
    let token = token(&sterna);
    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    let last = |daemon: &Daemon, job: &str| {
        daemon.runs(job).iter().find_map(|run| run["ended"].as_str().map(|_| run["verdict"].clone()))
    };
    daemon.until("a failure", |daemon| (last(daemon, "nightly")? == "failed").then_some(()));
    daemon.until("a success", |daemon| (last(daemon, "haikuports")? == "in_step").then_some(()));

    let home = format!("http://{}/", daemon.address);
    let mut browser = Browser::start();
    for view in [PHONE, DESK, View { dark: true, ..PHONE }, View { dark: true, ..DESK }] {
        for (name, path) in
            [("overview", ""), ("bad", "jobs/nightly"), ("good", "jobs/haikuports"), ("sign-in", "sign-in")]
        {
            let heard = browser.open(&format!("{home}{path}"), view);
            assert_eq!(heard.console, [""; 0], "{name} {view:?}");
            assert_eq!(heard.requests, [format!("{home}{path}")], "{name} {view:?}");
            let width = browser.evaluate("document.documentElement.scrollWidth");
            assert!(width.as_u64().unwrap() <= u64::from(view.width), "{name} {view:?}: {width} pixels wide");
            assert_eq!(browser.evaluate(PALE)["pale"], json!([]), "{name} {view:?}");
            assert_eq!(browser.evaluate(UNNAMED), 0, "{name} {view:?}");
            assert_eq!(browser.evaluate(LANDMARKS), json!([1, 1, 1, 0, 0]), "{name} {view:?}");
            picture(&mut browser, name, view);
        }
    }

    // No click: the job, its target and the reason are said. One: what to do. Two: the log of the run.
    browser.open(&home, DESK);
    let said = browser.evaluate("document.querySelector('article.bad').textContent");
    let said = said.as_str().expect("a failing job");
    assert!(said.contains("nightly") && said.contains("stands/in-the-way/of"), "{said}");
    assert!(browser.evaluate("!!document.querySelector('article.bad .reason')").as_bool().unwrap(), "{said}");
    let heard = browser.follow("article.bad a[href$='#why']");
    assert_eq!(heard.console, [""; 0]);
    assert_eq!(browser.evaluate("location.pathname + location.hash"), "/jobs/nightly#why");
    let heard = browser.follow("#to-log");
    assert_eq!(heard.console, [""; 0]);
    let log = browser.evaluate("document.querySelector('main').textContent");
    assert!(log.as_str().unwrap().contains("in-the-way"), "{log}");
    picture(&mut browser, "run", DESK);
}

/// One main, one first heading, one navigation; fields without a label; buttons without a name.
const LANDMARKS: &str = r"[
  document.querySelectorAll('main').length, document.querySelectorAll('h1').length, document.querySelectorAll('nav[aria-label]').length,
  [...document.querySelectorAll('input:not([type=hidden])')].filter(field => !field.labels.length).length,
  [...document.querySelectorAll('button, a')].filter(each => !each.textContent.trim() && !each.closest('svg')).length ]";

#[test]
fn it_lives_and_is_used_without_a_mouse() {
    let sterna = Sterna::new();
    sterna.file("src/a", "1");
    sterna.config("[job.hand]\nsource = \"src\"\ntargets = [\"dst\"]\n");
    let token = token(&sterna);
    let daemon = Daemon::start(&sterna, &["--token-file", &token]);
    let home = format!("http://{}/", daemon.address);
    let mut browser = Browser::start();
    browser.open(&format!("{home}sign-in"), PHONE);
    assert_eq!(browser.evaluate("document.activeElement.id"), "token", "the field has the focus");
    browser.evaluate(&format!("document.activeElement.value = '{TOKEN}'"));
    browser.follow("form.sign button");
    assert_eq!(browser.evaluate("location.pathname"), "/");
    browser.evaluate("document.querySelector('#run-hand').focus(); document.querySelector('h1').dataset.same = 'yes'");
    let heard = browser.follow("#run-hand");
    assert_eq!(heard.console, [""; 0]);
    assert_eq!(browser.evaluate("location.pathname"), "/jobs/hand");
    browser.evaluate("document.querySelector('h1').dataset.same = 'yes'");
    // The script puts the end of the run in place, without loading the page anew.
    let seen = "new Promise(done => { const look = () => document.querySelector('#runs').textContent.includes('changed') \
                ? done(document.querySelector('h1').dataset.same) : setTimeout(look, 50); look(); })";
    assert_eq!(browser.evaluate(seen), "yes");
    assert!(sterna.path("dst/a").exists());
    picture(&mut browser, "signed-in", PHONE);
}
