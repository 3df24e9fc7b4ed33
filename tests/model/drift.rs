//! Promise 7: a plan that is applied later refuses what has drifted, does the rest, and can be applied again.

use std::sync::Arc;

use futures::FutureExt;
use sterna::{
    backends::{
        ErrorKind, Operation, Store,
        layer::{Fault, Faults, Meter, Rule, What, When},
        memory::{Behaviour, Memory},
    },
    event::{Deed, Event},
    plan::{Intent, Item},
    sync::{self, Job},
    transfer::{Records, Settings, Stop},
};

use crate::{
    engine::{self, alone, job},
    place::{self, Object, fill, key, second, tree},
};

fn families() -> [Behaviour; 5] {
    [Behaviour::strict(), Behaviour::s3(), Behaviour::versioned(), Behaviour::directory(), Behaviour::bare()]
}

/// What somebody does between plan and apply.
#[derive(Clone, Copy, Debug)]
enum Drift {
    Changed,
    Vanished,
    Appeared,
}

struct World {
    source: Memory,
    target: Memory,
    job: Job,
    plan: Vec<Item>,
}

/// To be sent: `new`, `other`. To be overwritten: `changed`. To be deleted: `extra`. The same: the rest.
async fn world(from: &Behaviour, to: &Behaviour, intent: Intent) -> World {
    let (source, target) = (Memory::with("source", from.clone()), Memory::with("target", to.clone()));
    fill(&source, &tree([("changed", "after"), ("new", "n"), ("other", "o"), ("same", "s"), ("same2", "s")])).await;
    fill(&target, &tree([("changed", "before"), ("extra", "e"), ("same", "s"), ("same2", "s")])).await;
    let (a, b): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source.clone()), Arc::new(target.clone()));
    let job = job(intent, &a, &[b]);
    let plan = engine::plan(job.clone()).await;
    assert!(plan.error.is_none());
    World { source, target, job, plan: plan.items }
}

async fn drift(store: &Memory, name: &str, drift: Drift) {
    match drift {
        Drift::Changed | Drift::Appeared => {
            place::put(store, &key(name), &Object::new("something else").at(second(77))).await;
        }
        Drift::Vanished => place::remove(store, &key(name)).await,
    }
}

#[test]
fn promise_7_what_has_drifted_is_refused_and_the_rest_is_done() {
    alone(async {
        let cases = [
            (true, "new", Drift::Changed),
            (true, "changed", Drift::Changed),
            (true, "new", Drift::Vanished),
            (true, "changed", Drift::Vanished),
            (false, "new", Drift::Appeared),
            (false, "changed", Drift::Changed),
            (false, "changed", Drift::Vanished),
            (false, "extra", Drift::Changed),
        ];
        for from in families() {
            for to in families() {
                for (at_source, name, what) in cases {
                    // The version that was planned is still there, and is what is sent.
                    if at_source && from.capabilities.versions {
                        continue;
                    }
                    let world = world(&from, &to, Intent::Sync).await;
                    drift(if at_source { &world.source } else { &world.target }, name, what).await;
                    let before = place::read(&world.target).await.tree;
                    let (outcome, events) = engine::apply(&world.job, &world.plan).await;
                    let outcome = &outcome.targets[0];
                    let case = format!("{at_source} {name} {what:?}: {outcome:?} {events:?}");
                    assert_eq!((outcome.failed, outcome.drifted), (1, 1), "{case}");
                    assert_eq!(
                        (outcome.failures[0].key.as_str(), outcome.failures[0].kind),
                        (name, ErrorKind::Precondition),
                        "{case}"
                    );
                    let now = place::read(&world.target).await.tree;
                    assert_eq!(now.get(&key(name)), before.get(&key(name)), "what drifted is not touched: {case}");
                    assert_eq!(now[&key("other")].bytes, "o", "the rest is done: {case}");
                    assert!(now.contains_key(&key("extra")), "deletes wait for everything: {case}");
                }
            }
        }
    });
}

#[test]
fn promise_7_applied_again_it_does_nothing() {
    alone(async {
        for from in families() {
            for to in families() {
                let world = world(&from, &to, Intent::Sync).await;
                let (first, _) = engine::apply(&world.job, &world.plan).await;
                assert_eq!(first.targets[0].failed, 0, "{first:?}");
                assert_eq!(place::read(&world.target).await.tree.len(), 5);
                let meter = Arc::new(Meter::new(Arc::new(world.target.clone())));
                let mut again = world.job.clone();
                again.targets[0].store = Arc::clone(&meter) as _;
                let (second, _) = engine::apply(&again, &world.plan).await;
                let done = &second.targets[0];
                assert_eq!((done.already_done, done.failed), (world.plan.len() as u64, 0), "{done:?}");
                let changes =
                    [Operation::Put, Operation::Copy, Operation::Begin, Operation::Delete, Operation::SetMetadata];
                assert!(changes.iter().all(|change| meter.counts().of(*change) == 0), "{:?}", meter.counts());
            }
        }
    });
}

#[test]
fn promise_7_applied_in_part_it_goes_on() {
    alone(async {
        for family in families() {
            let mut family = family;
            family.capabilities.copy = None;
            let world = world(&family, &family, Intent::Sync).await;
            let rule = Rule {
                operation: Some(Operation::Put),
                when: When::First(2),
                what: What::Fail(ErrorKind::Unavailable),
            };
            let broken = Fault::new(Arc::new(world.target.clone()), Faults { rules: vec![rule], ..Faults::default() });
            let mut first = world.job.clone();
            first.targets[0].store = Arc::new(broken);
            let (outcome, _) = engine::apply(&first, &world.plan).await;
            let outcome = &outcome.targets[0];
            assert_eq!(
                (outcome.failed, outcome.drifted, outcome.transferred, outcome.deletes_held),
                (2, 0, 1, 1),
                "{outcome:?}"
            );
            let (outcome, _) = engine::apply(&world.job, &world.plan).await;
            let outcome = &outcome.targets[0];
            assert_eq!(
                (outcome.failed, outcome.transferred, outcome.already_done, outcome.deleted),
                (0, 2, 1, 1),
                "{outcome:?}"
            );
            let (source, target) = (place::read(&world.source).await.tree, place::read(&world.target).await.tree);
            let bytes =
                |tree: place::Tree| tree.into_iter().map(|(name, object)| (name, object.bytes)).collect::<Vec<_>>();
            assert_eq!(bytes(source), bytes(target));
        }
    });
}

/// Whatever the plan was told to leave alone or to force: what it has done is done.
#[test]
fn promise_7_applied_again_it_does_nothing_under_any_policy() {
    use sterna::compare::{Mode, Policy};
    alone(async {
        let plain = engine::policy();
        let policies = [
            Policy { mode: Mode::IgnoreTimes, ..plain },
            Policy { mode: Mode::Checksum, ..plain },
            Policy { mode: Mode::SizeOnly, ..plain },
            Policy { update: true, ..plain },
            Policy { ignore_existing: true, ..plain },
        ];
        for policy in policies {
            let world = world(&Behaviour::s3(), &Behaviour::s3(), Intent::Copy).await;
            let job = Job { policy, ..world.job };
            let plan = engine::plan(job.clone()).await.items;
            engine::apply(&job, &plan).await;
            let (again, _) = engine::apply(&job, &plan).await;
            let again = &again.targets[0];
            // What was forced over its own equal looks the same before and after.
            let forced = if policy.mode == Mode::IgnoreTimes { 2 } else { 0 };
            let done = (again.failed, again.already_done, again.copied);
            assert_eq!(done, (0, plan.len() as u64 - forced, forced), "{policy:?} {again:?}");
        }
    });
}

/// A move deletes at the source what the destination has already. Between plan and apply either may have changed.
#[test]
fn promise_7_a_planned_move_deletes_no_source_that_drifted_or_lost_its_copy() {
    alone(async {
        for family in families() {
            for (at_source, what) in [(true, Drift::Changed), (false, Drift::Changed), (false, Drift::Vanished)] {
                let world = world(&family, &family, Intent::Move).await;
                drift(if at_source { &world.source } else { &world.target }, "same", what).await;
                let before = place::read(&world.source).await.tree;
                let (outcome, _) = engine::apply(&world.job, &world.plan).await;
                let outcome = &outcome.targets[0];
                let now = place::read(&world.source).await.tree;
                assert_eq!(
                    now.keys().map(|name| name.as_str()).collect::<Vec<_>>(),
                    ["same"],
                    "{at_source} {what:?} {outcome:?}"
                );
                assert_eq!(now[&key("same")], before[&key("same")]);
                assert_eq!((outcome.failed, outcome.drifted, outcome.source_deleted), (1, 1, 4), "{outcome:?}");
            }
            let world = world(&family, &family, Intent::Move).await;
            engine::apply(&world.job, &world.plan).await;
            let (again, _) = engine::apply(&world.job, &world.plan).await;
            assert_eq!((again.targets[0].failed, again.targets[0].source_deleted), (0, 0), "{again:?}");
        }
    });
}

/// A run takes hours; what is written at the source after it was sent is not deleted there.
#[test]
fn a_move_leaves_what_changed_after_it_was_sent() {
    alone(async {
        let source = Memory::new("source");
        fill(&source, &tree([("a", "old"), ("b", "b")])).await;
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source.clone()), Arc::new(Memory::new("target")));
        let mut job = job(Intent::Move, &from, &[to]);
        let writer = source.clone();
        job.observer = Arc::new(move |event: &Event| {
            if matches!(event, Event::Finished { key: name, deed: Deed::Copy, .. } if *name == key("a")) {
                let newer = Object::new("newer").at(second(5));
                place::put(&writer, &key("a"), &newer).now_or_never().expect("memory never waits");
            }
        });
        let ran = sync::sync(job, Settings::default(), Records::none(), Stop::default(), |_| Ok(())).await;
        let outcome = ran.unwrap().outcome;
        let left = place::read(&source).await.tree;
        assert_eq!(left.keys().map(|name| name.as_str()).collect::<Vec<_>>(), ["a"], "{outcome:?}");
        assert_eq!(outcome.targets[0].failures[0].kind, ErrorKind::Precondition);
    });
}
