//! Promise 1: comparison never weakens in silence.

use std::{sync::Arc, time::Duration};

use sterna::{
    backends::{
        Algorithm, Store, Timestamp,
        memory::{Behaviour, Memory},
    },
    compare::{Mode, Policy, Reason},
    event::Event,
    plan::{Intent, Item, Totals},
};

use crate::{
    engine::{self, Planned, alone, job, policy},
    place::{self, Object, key, second},
};

/// Every family, with and without times, times in listings, digests in listings or by stat, and cheap reading.
fn behaviours() -> Vec<Behaviour> {
    let families =
        [Behaviour::strict(), Behaviour::s3(), Behaviour::versioned(), Behaviour::directory(), Behaviour::bare()];
    let mut all = families.to_vec();
    for modified in [None, Some(Duration::from_nanos(1)), Some(Duration::from_secs(2))] {
        for in_list in [false, true] {
            for digests in [&[][..], &[Algorithm::Md5], &[Algorithm::Sha1], &[Algorithm::Sha256]] {
                for cheap in [false, true] {
                    let mut behaviour = Behaviour::strict();
                    behaviour.computes = digests.to_vec();
                    let can = &mut behaviour.capabilities;
                    (can.modified, can.modified_in_list, can.cheap_read) = (modified, in_list, cheap);
                    let (told, asked) = if in_list { (digests, &[][..]) } else { (&[][..], digests) };
                    (can.digests_in_list, can.digests_in_stat) = (told.to_vec(), asked.to_vec());
                    all.push(behaviour);
                }
            }
        }
    }
    // Times that may be the store's own: equal ones speak for a match, and others for nothing.
    let mut assumed = Behaviour::strict();
    assumed.computes = Vec::new();
    assumed.capabilities.modified_assumed = true;
    assumed.capabilities.digests_in_list = Vec::new();
    all.push(assumed);
    all
}

/// The plan for one key that both sides have.
fn compared(sides: (&Behaviour, &Behaviour), objects: (&Object, &Object), policy: Policy) -> Planned {
    alone(async {
        let source = Memory::with("source", sides.0.clone());
        let target = Memory::with("target", sides.1.clone());
        place::put(&source, &key("a"), objects.0).await;
        place::put(&target, &key("a"), objects.1).await;
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::new(target));
        let mut job = job(Intent::Copy, &from, &[to]);
        job.policy = policy;
        engine::plan(job).await
    })
}

fn found(plan: &Planned) -> bool {
    plan.items
        .iter()
        .any(|item| matches!(item, Item::Action(action) if action.reason != Reason::Time || action.bytes() > 0))
}

fn unproven(plan: &Planned) -> u64 {
    let told = plan.events.iter().filter(|event| matches!(event, Event::Unproven { .. })).count() as u64;
    assert_eq!(told, plan.totals[0].unproven, "what is unproven is counted, and told by name");
    told
}

/// Whether both stores keep times, and those of `objects` are one time at their precision.
fn same_time(sides: (&Behaviour, &Behaviour), objects: (&Object, &Object)) -> bool {
    let precision = sides.0.capabilities.modified.zip(sides.1.capabilities.modified).map(|(a, b)| a.max(b));
    let apart = objects.0.modified.zip(objects.1.modified).map(|(a, b)| a.as_nanos().abs_diff(b.as_nanos()));
    precision.zip(apart).is_some_and(|(precision, apart)| u128::from(apart) <= precision.as_nanos())
}

#[test]
fn promise_1_other_bytes_of_the_same_size_are_found_by_every_pair_of_stores() {
    let all = behaviours();
    let times: [Option<Timestamp>; 3] = [Some(second(0)), Some(second(9)), None];
    let mut likely = 0;
    for from in &all {
        for (at, to) in all.iter().enumerate() {
            let (mine, theirs) = (Object::new("old").at(times[0]), Object::new("new").at(times[at % 3]));
            let (sides, objects) = ((from, to), (&mine, &theirs));
            let plan = compared(sides, objects, policy());
            let [totals] = &plan.totals[..] else { panic!("one destination") };
            assert_eq!((totals.proven, unproven(&plan)), (0, 0), "{sides:#?} {objects:?}");
            if !found(&plan) {
                assert_eq!(totals.likely, 1, "{sides:#?} {objects:?}");
                assert!(same_time(sides, objects), "{sides:#?} {objects:?}");
                let both =
                    |kind: &Algorithm| to.capabilities.digests_in_list.contains(kind) && to.computes.contains(kind);
                let shared = from.capabilities.digests_in_list.iter().filter(|kind| from.computes.contains(kind));
                assert!(
                    !shared.into_iter().any(both),
                    "digests that both listings tell were not looked at: {sides:#?}"
                );
                likely += 1;
            }
            let thorough = compared(sides, objects, Policy { mode: Mode::Checksum, ..policy() });
            assert!(found(&thorough), "--checksum: {sides:#?} {objects:?}");
        }
    }
    assert!(
        likely > 0 && likely < all.len() * all.len() / 3,
        "same times decide where nothing better is told: {likely}"
    );
}

#[test]
fn promise_1_equal_bytes_are_proven_with_checksums_by_every_pair_of_stores() {
    let all = behaviours();
    for (at, from) in all.iter().enumerate() {
        for to in all.iter().skip(at % 3).step_by(3) {
            let (mine, theirs) = (Object::new("same"), Object::new("same").at(second(9)));
            let plan = compared((from, to), (&mine, &theirs), Policy { mode: Mode::Checksum, ..policy() });
            let Totals { proven, likely, unproven, transfers, .. } = plan.totals[0];
            assert_eq!((proven, likely, unproven, transfers), (1, 0, 0, 0), "{from:#?} {to:#?}");
        }
    }
}

#[test]
fn promise_1_what_is_too_large_to_be_read_is_unproven_and_counted() {
    let bare = Behaviour::bare();
    let small = usize::try_from(Policy::READ_BELOW).unwrap();
    for (size, at_least) in [(small, "read"), (small + 1, "unproven")] {
        let (mine, theirs) = (Object::new(vec![1; size]), Object::new(vec![2; size]));
        let plan = compared((&bare, &bare), (&mine, &theirs), policy());
        match at_least {
            "read" => assert!(found(&plan)),
            _ => assert_eq!((found(&plan), unproven(&plan)), (false, 1)),
        }
    }
    // Nothing to read at all, by wish: the same.
    let (mine, theirs) = (Object::new("old"), Object::new("new"));
    let plan = compared((&bare, &bare), (&mine, &theirs), Policy { read_below: 0, ..policy() });
    assert_eq!((found(&plan), unproven(&plan)), (false, 1));
    let plan = compared((&bare, &bare), (&mine, &theirs), Policy { mode: Mode::SizeOnly, ..policy() });
    assert_eq!((found(&plan), unproven(&plan)), (false, 1), "--size-only proves nothing");
}

#[test]
fn promise_1_other_times_are_no_difference_where_they_may_be_the_stores_own() {
    let all = behaviours();
    let assumed = all.last().unwrap();
    let mut certain = assumed.clone();
    certain.capabilities.modified_assumed = false;
    let large = usize::try_from(Policy::READ_BELOW).unwrap() + 1;
    let at = |size: usize, time| Object::new(vec![1; size]).at(time);
    for sides in [(assumed, &certain), (&certain, assumed), (assumed, assumed)] {
        let count = |objects: (&Object, &Object)| {
            let plan = compared(sides, objects, policy());
            let Totals { proven, likely, .. } = plan.totals[0];
            (proven, likely, unproven(&plan), found(&plan))
        };
        assert_eq!(count((&at(large, second(0)), &at(large, second(0)))), (0, 1, 0, false), "equal times");
        assert_eq!(count((&at(large, second(0)), &at(large, second(9)))), (0, 0, 1, false), "too large to be read");
        assert_eq!(count((&at(10, second(0)), &at(10, second(9)))), (1, 0, 0, false), "read");
    }
    let plan = compared((&certain, &certain), (&at(large, second(0)), &at(large, second(9))), policy());
    assert!(found(&plan), "whose times they are is known");
}

/// An object that nothing but its size speaks for is not deleted at the source.
#[test]
fn promise_1_a_move_leaves_what_is_unproven() {
    alone(async {
        let (source, target) = (Memory::with("source", Behaviour::bare()), Memory::with("target", Behaviour::bare()));
        place::put(&source, &key("a"), &Object::new("one")).await;
        place::put(&target, &key("a"), &Object::new("two")).await;
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source.clone()), Arc::new(target));
        let mut job = job(Intent::Move, &from, &[to]);
        job.policy.mode = Mode::SizeOnly;
        assert_eq!(engine::simply(job).await.failed(), 0);
        assert_eq!(place::read(&source).await.tree.len(), 1);
    });
}

/// One object that cannot be read to be compared is a failure of that object, not of the run.
#[test]
fn promise_1_what_cannot_be_compared_fails_alone_and_holds_the_deletes() {
    use sterna::backends::{
        ErrorKind, Operation,
        layer::{Fault, Faults, Rule, What, When},
    };
    alone(async {
        let (source, target) = (Memory::with("source", Behaviour::bare()), Memory::with("target", Behaviour::bare()));
        place::fill(&source, &place::tree([("a", "one"), ("b", "new")])).await;
        place::fill(&target, &place::tree([("a", "two"), ("x", "x"), ("y", "y"), ("z", "z")])).await;
        let rule = Rule { operation: Some(Operation::Read), when: When::First(1), what: What::Fail(ErrorKind::Denied) };
        let faults = Faults { rules: vec![rule], ..Faults::default() };
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) =
            (Arc::new(Fault::new(Arc::new(source), faults)), Arc::new(target.clone()));
        let mut job = job(Intent::Sync, &from, &[to]);
        job.max_delete = "100%".parse().unwrap();
        let ran = engine::simply(job).await;
        assert_eq!((ran.failed(), ran.summary().outcome.targets[0].transferred), (1, 1));
        let failure = &ran.summary().outcome.targets[0].failures[0];
        assert_eq!((failure.key.as_str(), ran.summary().outcome.targets[0].deletes_held), ("a", 3));
        let now = place::read(&target).await.tree;
        assert_eq!(now.len(), 5, "{now:?}");
    });
}
