//! The pages of jobs that try to break them.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use sterna_backends::{ErrorKind, Timestamp};

use super::*;
use crate::{
    jobs::{
        Allowance, Cost, Failure, Filters, Holdings, InStep, JobRunId, JobStatus, Known, Limits, Month, RunRecord,
        Saved, TargetRecord, Trigger, Verdict, When,
        daemon::{Refusal, Under},
        page::stand::Stand,
    },
    plan::Groups,
    price::Decimal,
    report::{Summary, Tally},
};

const HOSTILE: &str = "\"><script>alert('1')</script>\u{202e}&amp;";
const NOW: i64 = 1_790_000_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_parts(NOW + seconds, 0)
}

fn saved(name: &str, targets: &[&str]) -> Saved {
    Saved {
        name: name.to_owned(),
        source: format!("garage:{name}"),
        targets: targets.iter().map(|target| (*target).to_owned()).collect(),
        when: When { every: Some(Duration::from_secs(900)), ..When::default() },
        profile: Some("haiku-repo".to_owned()),
        groups: Groups::default(),
        filters: Filters::default(),
        retention: None,
        limits: Limits::default(),
        budget: Some(Allowance { egress: Some(1_000_000_000_000), cost: Some((Decimal::from(20), "USD".to_owned())) }),
        notify: Vec::new(),
        delete_after: Some(Duration::from_secs(86_400)),
        full_every: None,
        stale_after: Some(Duration::from_secs(6 * 3600)),
        allow_unproven: false,
        trace: crate::jobs::trace::usual(),
        lease: Duration::from_secs(300),
        enabled: true,
    }
}

fn target(place: &str, verdict: Verdict, failure: Option<&str>) -> TargetRecord {
    let failure = failure.map(|message| Failure {
        kind: ErrorKind::Denied,
        message: message.to_owned(),
        advice: Some("Give the key the right to write there, then run the job again.".to_owned()),
    });
    let cost = Some(Cost { currency: "USD".to_owned(), amount: "0.0123".to_owned() });
    TargetRecord { written: 12, bytes: 5_000_000, deleted: 3, failure, cost, ..TargetRecord::nothing(place, verdict) }
}

fn run_of(job: &str, id: i64, verdict: Verdict, targets: Vec<TargetRecord>) -> RunRecord {
    let began = at(-900 * (40 - id));
    RunRecord {
        job: job.to_owned(),
        id: JobRunId(id),
        began,
        ended: (verdict != Verdict::Running).then(|| at(-900 * (40 - id) + 20 + id * 7 % 50)),
        trigger: if id % 9 == 0 { Trigger::CatchUp } else { Trigger::Schedule },
        verdict,
        failure: None,
        targets,
        tip: None,
        full: true,
        log: None,
    }
}

/// Every page of two jobs: one that is well and at work, one that fails and is named by somebody hostile.
fn pages(version: &str) -> BTreeMap<&'static str, String> {
    let good = saved("haikuports", &["wasabi:haikuports/master/x86_64", "/srv/mirror/haikuports"]);
    let bad = saved("nightly", &["b2:haiku-nightly", HOSTILE]);
    let good_runs: Vec<RunRecord> = (1..40)
        .rev()
        .map(|id| {
            let verdict = if id == 17 {
                Verdict::Failed
            } else if id % 4 == 0 {
                Verdict::Changed
            } else {
                Verdict::InStep
            };
            run_of("haikuports", id, verdict, good.targets.iter().map(|place| target(place, verdict, None)).collect())
        })
        .collect();
    let message = format!("b2:haiku-nightly: put hrev57937.zip: denied: the key may not write ({HOSTILE})");
    let targets =
        vec![target("b2:haiku-nightly", Verdict::Failed, Some(&message)), target(HOSTILE, Verdict::InStep, None)];
    let bad_runs = vec![run_of("nightly", 39, Verdict::Failed, targets)];
    let under = Under { trigger: Trigger::Schedule, began: at(-42), summary: Arc::new(Summary::default()) };
    let snapshot = Snapshot {
        jobs: [&good, &bad].map(|job| (job.name.clone(), Arc::new(job.clone()))).into(),
        under: BTreeMap::from([("haikuports".to_owned(), under)]),
        refused: Some(Refusal { at: at(-90), why: format!("sterna.toml:3:1: there is no table 'jib' {HOSTILE}") }),
        ..Snapshot::default()
    };
    let tally = Tally {
        planned: 340,
        planned_bytes: 1_200_000_000,
        bytes_passed: 700_000_000,
        transferred: 190,
        plan_ended: true,
        ..Tally::default()
    };
    let held = |ago: i64| InStep { at: at(-ago), holds: Some(Holdings { objects: 2_333, bytes: 8_400_000_000 }) };
    let in_step: BTreeMap<String, InStep> = good
        .targets
        .iter()
        .map(|place| (place.clone(), held(240)))
        .chain([(HOSTILE.to_owned(), held(72_000))])
        .collect();
    let known = Known {
        runs: &good_runs,
        in_step: &in_step,
        next: Some(at(660)),
        progress: Some(&tally),
        paused: None,
        now: at(0),
    };
    let statuses =
        [JobStatus::of(&good, known), JobStatus::of(&bad, Known { runs: &bad_runs, progress: None, ..known })];
    let around = Around { version, now: at(0), snapshot: &snapshot, hand: Hand::SignedIn("word") };
    let log = Log::Lines { text: format!("23:15:02  failed  transfer  {HOSTILE}\n"), cut: true };
    let stand = |job: &Saved, status: &JobStatus| Stand {
        job: Arc::new(job.clone()),
        status: status.clone(),
        month: Month {
            spent: BTreeMap::from([("USD".to_owned(), Decimal::new(1_734, 2))]),
            egress: 840_000_000_000,
            written: 123_456_789,
        },
    };
    let jobs = [stand(&good, &statuses[0]), stand(&bad, &statuses[1])];
    BTreeMap::from([
        ("overview", overview(&around, &jobs)),
        ("good", job(&around, &jobs[0], &good_runs)),
        ("bad", job(&around, &jobs[1], &bad_runs)),
        ("run", run(&around, &bad_runs[0], &log)),
        ("sign-in", sign_in(&Around { hand: Hand::SignedOut, ..around }, Tried::Wrong)),
        ("none", message_page(version)),
    ])
}

fn message_page(version: &str) -> String {
    let snapshot = Snapshot::default();
    message(&Around { version, now: at(0), snapshot: &snapshot, hand: Hand::Nobody }, HOSTILE)
}

#[test]
fn what_users_named_is_shown_and_not_obeyed() {
    for (name, page) in pages("0") {
        assert_eq!(page.matches("<script").count(), 1, "{name}: {page}");
        assert!(!page.contains("\u{202e}") && !page.contains("alert('1')</script>\u{202e}"), "{name}");
        if let Some(folder) = std::env::var_os("STERNA_TEST_PICTURES") {
            std::fs::write(std::path::Path::new(&folder).join(format!("{name}.html")), page).unwrap();
        }
    }
}

#[test]
fn the_failing_target_and_its_reason_stand_on_the_first_page() {
    let page = &pages("0")["overview"];
    assert!(page.contains("1 job of 2 failing or stale"), "{page}");
    let (bad, good) = (page.find("job-nightly").unwrap(), page.find("job-haikuports").unwrap());
    assert!(bad < good, "what fails comes first");
    assert!(page.contains("the key may not write") && page.contains("What to do: "));
    assert!(page.contains("190 of 340 objects"));
    assert!(page.contains(">stale<") && page.contains("782.3 GiB read of 931.3 GiB this month"), "{page}");
    let page = &pages("0")["bad"];
    assert!(page.contains("the last run, begun ") && page.contains("2333 objects (7.8 GiB)"), "{page}");
}

#[test]
fn a_page_asks_for_nothing_from_elsewhere() {
    for (name, page) in pages("0") {
        for word in ["http://", "https://", "url(", "@import", " src="] {
            assert!(!page.contains(word), "{name}: {word}");
        }
    }
    assert!(policy().starts_with("default-src 'none'") && !policy().contains("script-src 'unsafe"));
}

#[test]
fn only_who_is_signed_in_has_buttons() {
    let snapshot = Snapshot::default();
    let job = saved("ports", &["b2:ports"]);
    let in_step = BTreeMap::new();
    let known = Known { runs: &[], in_step: &in_step, next: None, progress: None, paused: None, now: at(0) };
    let stand = Stand { status: JobStatus::of(&job, known), job: Arc::new(job), month: Month::default() };
    let buttons = |hand| {
        let around = Around { version: "0", now: at(0), snapshot: &snapshot, hand };
        super::job(&around, &stand, &[]).matches("<button").count()
    };
    assert_eq!((buttons(Hand::Nobody), buttons(Hand::SignedOut)), (0, 0));
    assert_eq!(buttons(Hand::SignedIn("word")), 3, "run, pause, sign out");
}
