//! Several places at once: the merge of ordered listings, and several destinations of one source.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use proptest::prelude::*;
use sterna::{
    backends::{
        ErrorKind, ListRequest, Operation, PutRequest, Store, StoreExt,
        layer::{Bandwidth, Fault, Faults, Limit, Meter, Rule, What, When},
        memory::{Behaviour, Memory},
    },
    compare::{Mode, Policy},
    event::Event,
    list::{Listing, Merge, Merged, Scope},
    plan::{Header, Intent, MaxDelete},
    sync::Job,
    transfer::{Records, Settings, Stop},
};

use crate::{
    arbitrary::{behaviour, tree},
    engine::{self, Ran, job, policy},
    model::{After, Before, Kept, Only, Wishes, check},
    place::{self, Tree, fits},
};

async fn filled(name: &str, behaviour: &Behaviour, tree: &Tree) -> Memory {
    let memory = Memory::with(name, behaviour.clone());
    let mut filled = Tree::new();
    for (name, object) in tree {
        if fits(behaviour.capabilities.keys, &filled, name) {
            place::put(&memory, name, object).await;
            filled.insert(name.clone(), object.clone());
        }
    }
    memory
}

/// A source and its destinations, as they were before a run.
struct World {
    source: (Behaviour, place::Place),
    from: Memory,
    targets: Vec<(Behaviour, place::Place)>,
    stores: Vec<Memory>,
}

impl World {
    async fn of<'a>(
        (behaviour, tree): &(Behaviour, Tree),
        targets: impl IntoIterator<Item = (&'a Behaviour, &'a Tree)>,
    ) -> Self {
        let from = filled("source", behaviour, tree).await;
        let source = (behaviour.clone(), place::read(&from).await);
        let mut world = Self { source, from, targets: Vec::new(), stores: Vec::new() };
        for (behaviour, tree) in targets {
            let store = filled("target", behaviour, tree).await;
            world.targets.push((behaviour.clone(), place::read(&store).await));
            world.stores.push(store);
        }
        world
    }

    /// That destination `at` has become what it would have become alone.
    async fn is_as_if_alone(&self, wishes: &Wishes, at: usize, ran: &Ran) -> Result<(), TestCaseError> {
        let (now, target) = (place::read(&self.from).await, place::read(&self.stores[at]).await);
        let ((source, old), (behaviour, before)) = (&self.source, &self.targets[at]);
        let both = Before { source: (source, old), target: (behaviour, before) };
        let failed = ran.summary().outcome.targets[at].failed > 0;
        let after = After { source: &now, target: &target, backup: &place::Place::default(), failed };
        check(wishes, &both, &after).map_err(|why| TestCaseError::fail(format!("destination {at}: {why}")))
    }
}

fn wishes(intent: Intent, max_delete: MaxDelete) -> Wishes {
    Wishes { intent, policy: policy(), only: Only::Everything, max_delete, kept: Kept::Nowhere }
}

fn shared(memory: &Memory) -> Arc<dyn Store> {
    Arc::new(memory.clone())
}

/// What a listing can end in.
fn broken() -> impl Strategy<Value = ErrorKind> {
    prop_oneof![Just(ErrorKind::Denied), Just(ErrorKind::Unavailable), Just(ErrorKind::NoSuchContainer)]
}

/// `store`, whose listing ends in an error instead of this page.
fn unlisted(store: &Memory, kind: ErrorKind, page: u64) -> Arc<dyn Store> {
    let rule = Rule { operation: Some(Operation::List), when: When::Nth(page), what: What::Fail(kind) };
    Arc::new(Fault::new(shared(store), Faults { rules: vec![rule], ..Faults::default() }))
}

fn copy_or_sync() -> impl Strategy<Value = Intent> {
    prop_oneof![Just(Intent::Sync), Just(Intent::Copy)]
}

/// How slow a destination is: in its listings, in everything, or not.
fn slow() -> impl Strategy<Value = Faults> {
    let what = prop_oneof![Just(None), Just(Some(Operation::List))];
    proptest::option::of((what, 1_u64..200, 0.1..1.0, any::<u64>())).prop_map(|slow| match slow {
        Some((operation, seconds, rate, seed)) => Faults { seed, ..delayed(operation, When::Rate(rate), seconds) },
        None => Faults::default(),
    })
}

/// Waits so long before such operations.
fn delayed(operation: Option<Operation>, when: When, seconds: u64) -> Faults {
    let rule = Rule { operation, when, what: What::Delay(Duration::from_secs(seconds)) };
    Faults { seed: 1, rules: vec![rule], stop_after: None }
}

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings(150))]

    /// However each place lists: every key once, in byte order, with what each place has.
    #[test]
    fn a_merge_tells_every_key_once_with_what_each_place_has(
        places in proptest::collection::vec((behaviour(), tree()), 1..5),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let mut stores = Vec::new();
            for (behaviour, tree) in &places {
                stores.push(filled("place", behaviour, tree).await);
            }
            let observer: sterna::event::Observers = Arc::new(|_: &Event| {});
            let listing = |(at, store): (usize, &Memory)| {
                Listing::open(&shared(store), &Scope::default(), at, Arc::clone(&observer))
            };
            let mut merge = Merge::new(stores.iter().enumerate().map(listing).collect());
            let mut rows = Vec::new();
            let mut ended = BTreeSet::new();
            while let Some(told) = merge.next().await.expect("memory lists") {
                match told {
                    Merged::Row(row) => {
                        prop_assert!(ended.iter().all(|at: &usize| row.entries[*at].is_none()));
                        rows.push(row);
                    }
                    Merged::Ended(at) => prop_assert!(ended.insert(at)),
                    Merged::Lost(at, error) => panic!("{at} {error}"),
                }
            }
            prop_assert_eq!(ended.len(), stores.len());
            let mut trees = Vec::new();
            for store in &stores {
                trees.push(place::read(store).await.tree);
            }
            let all: BTreeSet<_> = trees.iter().flat_map(|tree| tree.keys().cloned()).collect();
            prop_assert!(rows.iter().map(|row| &row.key).eq(&all));
            for row in &rows {
                for (entry, tree) in row.entries.iter().zip(&trees) {
                    let size = |bytes: &bytes::Bytes| Some(bytes.len() as u64);
                    prop_assert_eq!(entry.is_some(), tree.contains_key(&row.key));
                    prop_assert_eq!(
                        entry.as_ref().and_then(|entry| entry.size),
                        tree.get(&row.key).and_then(|object| size(&object.bytes))
                    );
                }
            }
            prop_assert_eq!(merge.counts(), trees.iter().map(|tree| tree.len() as u64).collect::<Vec<_>>());
            Ok(())
        })?;
    }

    /// Each destination ends as if it were the only one.
    #[test]
    fn several_destinations_each_get_what_they_would_get_alone(
        source in (behaviour(), tree()),
        targets in proptest::collection::vec((behaviour(), tree()), 2..4),
        intent in copy_or_sync(),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let wishes = wishes(intent, MaxDelete::default());
            let world = World::of(&source, targets.iter().map(|(behaviour, tree)| (behaviour, tree))).await;
            let to: Vec<_> = world.stores.iter().map(shared).collect();
            let asked: Job = job(intent, &shared(&world.from), &to);
            let dry = engine::plan(asked.clone()).await;
            let ran = engine::simply(asked).await;
            prop_assert_eq!(dry.lines(), engine::lines(&ran.items));
            for at in 0..to.len() {
                world.is_as_if_alone(&wishes, at, &ran).await?;
            }
            Ok(())
        })?;
    }

    /// However slowly destinations tell what they hold, and however little patience the others have: each ends as if it
    /// were the only one.
    #[test]
    fn slow_destinations_too_get_what_they_would_get_alone(
        source in (behaviour(), tree()),
        targets in proptest::collection::vec((behaviour(), tree(), slow()), 2..4),
        (intent, patience, indexed) in (copy_or_sync(), 0_u64..100, any::<bool>()),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            tokio::time::pause();
            let wishes = wishes(intent, MaxDelete::default());
            let world = World::of(&source, targets.iter().map(|(behaviour, tree, _)| (behaviour, tree))).await;
            let slow = |(store, (_, _, faults)): (&Memory, &(_, _, Faults))| -> Arc<dyn Store> {
                Arc::new(Fault::new(shared(store), faults.clone()))
            };
            let to: Vec<_> = world.stores.iter().zip(&targets).map(slow).collect();
            let index = indexed.then(engine::index);
            let mut asked = job(intent, &shared(&world.from), &to);
            asked.patience = Some(Duration::from_secs(patience));
            asked.index = index.as_ref().map(|(_, index)| index.clone());
            let ran = engine::simply(asked).await;
            for at in 0..to.len() {
                prop_assert!(ran.summary().outcome.targets[at].lost.is_none());
                world.is_as_if_alone(&wishes, at, &ran).await?;
            }
            Ok(())
        })?;
    }

    /// A destination whose listing breaks off is out: nothing is deleted there, and each object is what it was or what
    /// the source has. The others end as if they were alone, a dry run says the same, and a plan file is whole.
    #[test]
    fn promise_4_a_listing_that_breaks_off_ends_only_its_destination(
        source in (behaviour(), tree()),
        targets in proptest::collection::vec((behaviour(), tree(), proptest::option::of((broken(), 2_u64..6))), 2..4),
        intent in copy_or_sync(),
        indexed in any::<bool>(),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let wishes = wishes(intent, MaxDelete::Percent(100));
            let world = World::of(&source, targets.iter().map(|(behaviour, tree, _)| (behaviour, tree))).await;
            let faulty = || world.stores.iter().zip(&targets).map(|(store, (_, _, broken))| match broken {
                Some((kind, page)) => unlisted(store, *kind, *page),
                None => shared(store),
            });
            let mut breaks = Vec::new();
            for store in faulty() {
                breaks.push(store.list_to_vec(ListRequest::all("")).await.is_err());
            }
            let index = indexed.then(engine::index);
            let asked = || {
                let mut job = job(intent, &shared(&world.from), &faulty().collect::<Vec<_>>());
                job.max_delete = wishes.max_delete;
                job.index = index.as_ref().map(|(_, index)| index.clone());
                job
            };
            let dry = engine::plan(asked()).await;
            let ran = engine::simply(asked()).await;
            prop_assert_eq!(dry.lines(), engine::lines(&ran.items));
            let header = Header { totals: dry.totals.clone(), ..asked().header(String::new(), Vec::new(), None) };
            prop_assert_eq!(header.lines(), Some(dry.items.len() as u64), "{:?}", dry);
            for (at, breaks) in breaks.into_iter().enumerate() {
                prop_assert_eq!(ran.summary().outcome.targets[at].lost.is_some(), breaks);
                prop_assert_eq!(dry.totals[at].lost.is_some(), breaks);
                if !breaks {
                    world.is_as_if_alone(&wishes, at, &ran).await?;
                    continue;
                }
                let (target, before, old) =
                    (place::read(&world.stores[at]).await.tree, &world.targets[at].1.tree, &world.source.1.tree);
                for (name, was) in before {
                    let Some(is) = target.get(name) else {
                        return Err(TestCaseError::fail(format!("{name:?} was deleted at {at}")));
                    };
                    let sent = old.get(name).is_some_and(|mine| mine.bytes == is.bytes);
                    prop_assert!(is == was || sent, "{:?} at {}", name, at);
                }
                prop_assert!(target.keys().all(|name| before.contains_key(name) || old.contains_key(name)));
            }
            Ok(())
        })?;
    }

    /// A move to several destinations deletes at the source only what has arrived at all of them.
    #[test]
    fn a_move_to_several_destinations_deletes_what_arrived_everywhere(
        source in tree(),
        targets in proptest::collection::vec((behaviour(), tree()), 2..4),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let from = filled("source", &Behaviour::strict(), &source).await;
            let mut stores = Vec::new();
            for (behaviour, tree) in &targets {
                stores.push(filled("target", behaviour, tree).await);
            }
            let old = place::read(&from).await.tree;
            let to: Vec<_> = stores.iter().map(shared).collect();
            let mut asked = job(Intent::Move, &shared(&from), &to);
            asked.policy.mode = Mode::Checksum;
            engine::simply(asked).await;
            let left = place::read(&from).await.tree;
            let narrow = targets.iter().any(|(behaviour, _)| !behaviour.capabilities.keys.file_beside_directory);
            for (name, object) in &old {
                let mut everywhere = true;
                for store in &stores {
                    everywhere &= place::read(store).await.tree.get(name).is_some_and(|there| there.bytes == object.bytes);
                }
                prop_assert!(everywhere || left.contains_key(name), "{name:?} is gone, and not everywhere");
                // A destination that refuses a key is not asked whether it has it all the same.
                prop_assert!(!everywhere || narrow || !left.contains_key(name), "{name:?} is everywhere, and left");
            }
            Ok(())
        })?;
    }
}

/// A remote with objects of several sizes, one of them in parts, told in chunks.
async fn remote(objects: &[(&str, usize)]) -> (Memory, Arc<Meter>, u64) {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.cheap_read = false;
    behaviour.read_chunk = Some(100_000);
    let memory = Memory::with("source", behaviour);
    let mut total = 0;
    for (at, (name, size)) in objects.iter().enumerate() {
        let bytes: Vec<u8> = (0..*size).map(|byte| (byte % 251 + at) as u8).collect();
        total += *size as u64;
        memory.put(&place::key(name), PutRequest::default(), bytes.into()).await.expect("memory takes it");
    }
    let meter = Arc::new(Meter::new(Arc::new(memory.clone())));
    (memory, meter, total)
}

fn target(name: &str) -> Memory {
    Memory::with(name, remote_behaviour())
}

fn remote_behaviour() -> Behaviour {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.cheap_read = false;
    behaviour.capabilities.copy = None;
    let parts = behaviour.capabilities.multipart.as_mut().expect("strict has parts");
    parts.min_part = 1024 * 1024;
    behaviour
}

const OBJECTS: [(&str, usize); 5] = [("a", 10), ("b", 1_000_000), ("big", 40_000_000), ("c/d", 300_000), ("e", 0)];

#[tokio::test]
async fn three_destinations_are_fed_from_one_reading() {
    let (source, meter, total) = remote(&OBJECTS).await;
    let targets: Vec<_> = ["one", "two", "three"].map(target).into();
    let to: Vec<_> = targets.iter().map(shared).collect();
    let ran = engine::simply(job(Intent::Sync, &(Arc::clone(&meter) as Arc<dyn Store>), &to)).await;
    assert_eq!(ran.failed(), 0, "{:?}", ran.summary());
    assert_eq!(meter.counts().bytes_in, total);
    let wanted = place::read(&source).await.tree;
    for target in &targets {
        let there = place::read(target).await.tree;
        assert!(wanted.iter().all(|(key, object)| there.get(key).is_some_and(|there| there.bytes == object.bytes)));
    }
}

/// One destination refuses everything, another breaks off every upload midway: the third gets everything all the same.
#[tokio::test]
async fn a_failing_destination_stops_no_other() {
    let (source, meter, total) = remote(&OBJECTS).await;
    let [one, two, three] = ["one", "two", "three"].map(target);
    let broken = |memory: &Memory, what| -> Arc<dyn Store> {
        let put = |operation| Rule { operation: Some(operation), when: When::Rate(1.0), what };
        let rules = vec![put(Operation::Put), put(Operation::PutPart)];
        Arc::new(Fault::new(shared(memory), Faults { seed: 1, rules, stop_after: None }))
    };
    let to = [
        broken(&one, What::Fail(ErrorKind::Denied)),
        shared(&two),
        broken(&three, What::BreakBody(ErrorKind::Unavailable)),
    ];
    let ran = engine::simply(job(Intent::Sync, &(Arc::clone(&meter) as Arc<dyn Store>), &to)).await;
    let outcome = &ran.summary().outcome;
    assert_eq!(outcome.targets.iter().map(|target| target.failed > 0).collect::<Vec<_>>(), [true, false, true]);
    let (wanted, there) = (place::read(&source).await.tree, place::read(&two).await.tree);
    assert!(wanted.iter().all(|(key, object)| there.get(key).is_some_and(|there| there.bytes == object.bytes)));
    assert!(meter.counts().bytes_in >= total);
}

/// A destination that is far too slow is left behind, and reads on by itself; everything arrives everywhere.
#[tokio::test(start_paused = true)]
async fn a_slow_destination_is_left_behind_and_arrives() {
    let (source, meter, total) = remote(&OBJECTS).await;
    let (fast, slow) = (target("fast"), target("slow"));
    let faults = delayed(None, When::Rate(1.0), 60);
    let to = [shared(&fast), Arc::new(Fault::new(shared(&slow), faults)) as Arc<dyn Store>];
    let ran = engine::simply(job(Intent::Sync, &(Arc::clone(&meter) as Arc<dyn Store>), &to)).await;
    assert_eq!(ran.failed(), 0, "{:?}", ran.summary());
    let wanted = place::read(&source).await.tree;
    for target in [&fast, &slow] {
        let there = place::read(target).await.tree;
        assert!(wanted.iter().all(|(key, object)| there.get(key).is_some_and(|there| there.bytes == object.bytes)));
    }
    let read = meter.counts().bytes_in;
    assert!((total..=2 * total).contains(&read), "{read} of {total}");
}

/// One that falls behind in the middle of an object asks for the rest of it, and for no more.
#[tokio::test(start_paused = true)]
async fn a_destination_that_falls_behind_reads_the_rest() {
    let (source, meter, total) = remote(&[("big", 60_000_000)]).await;
    let whole = |name: &str| {
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.cheap_read = false;
        behaviour.capabilities.copy = None;
        behaviour.capabilities.multipart = None;
        behaviour.capabilities.max_put = 1 << 30;
        Memory::with(name, behaviour)
    };
    let (fast, slow) = (whole("fast"), whole("slow"));
    let bandwidth = Arc::new(Bandwidth::new("10k".parse().expect("a bandwidth")));
    let to = [shared(&fast), Arc::new(Limit::new(shared(&slow), bandwidth)) as Arc<dyn Store>];
    let ran = engine::simply(job(Intent::Sync, &(Arc::clone(&meter) as Arc<dyn Store>), &to)).await;
    assert_eq!(ran.failed(), 0, "{:?}", ran.summary());
    let wanted = place::read(&source).await.tree;
    for target in [&fast, &slow] {
        let there = place::read(target).await.tree;
        assert!(wanted.iter().all(|(key, object)| there.get(key).is_some_and(|there| there.bytes == object.bytes)));
    }
    let read = meter.counts().bytes_in;
    assert!((total + 1..2 * total).contains(&read), "{read} of {total}");
}

/// What a destination that tells slowly what it holds is to the others.
struct Told {
    /// Who was left behind.
    behind: Vec<usize>,
    /// When the last object of the fast destination was there, and of the slow one, in seconds.
    ended: [u64; 2],
    /// Pages of the source that were listed.
    listed: u64,
}

/// Syncs to a fast destination and one with these faults, both with extras, where the others wait so long.
async fn synced(faults: Faults, patience: Option<Duration>, policy: Policy) -> Told {
    let (source, meter, _) = remote(&OBJECTS).await;
    let [fast, slow] = ["fast", "slow"]
        .map(|name| Memory::with(name, Behaviour { computes: Vec::new(), etags: false, ..remote_behaviour() }));
    for target in [&fast, &slow] {
        // As large as the source's, of no digest anybody knows: it may have to be looked at.
        for extra in ["b", "extra"] {
            let bytes = vec![7; if extra == "b" { 1_000_000 } else { 10 }];
            target.put(&place::key(extra), PutRequest::default(), bytes.into()).await.expect("memory takes it");
        }
    }
    let to = [shared(&fast), Arc::new(Fault::new(shared(&slow), faults)) as Arc<dyn Store>];
    let mut asked = job(Intent::Sync, &(Arc::clone(&meter) as Arc<dyn Store>), &to);
    (asked.patience, asked.policy, asked.max_delete) = (patience, policy, MaxDelete::Percent(100));
    let began = tokio::time::Instant::now();
    let (ended, behind) = (Arc::new(Mutex::new([0; 2])), Arc::new(Mutex::new(Vec::new())));
    let (when, who) = (Arc::clone(&ended), Arc::clone(&behind));
    asked.observer = Arc::new(move |event: &Event| match event {
        Event::Finished { place, .. } => {
            when.lock().expect("no observer panics")[place - 1] = began.elapsed().as_secs()
        }
        Event::LeftBehind { place, .. } => who.lock().expect("no observer panics").push(*place),
        _ => {}
    });
    let summary = sterna::sync::sync(asked, Settings::default(), Records::none(), Stop::default(), |_| Ok(()));
    let summary = summary.await.expect("both listings end");
    let wanted = place::read(&source).await.tree;
    for (at, target) in [&fast, &slow].into_iter().enumerate() {
        let there = place::read(target).await.tree;
        assert!(wanted.iter().all(|(key, object)| there.get(key).is_some_and(|there| there.bytes == object.bytes)));
        assert_eq!(there.len(), wanted.len(), "the extra is deleted");
        let (totals, outcome) = (&summary.totals[at], &summary.outcome.targets[at]);
        assert_eq!((totals.deletes, outcome.deleted, outcome.failed), (1, 1, 0));
        assert_eq!((totals.transfers + totals.copies, totals.lost, &outcome.lost), (5, None, &None), "{at}");
    }
    let (ended, behind) =
        (*ended.lock().expect("no observer panics"), behind.lock().expect("no observer panics").clone());
    let listed = meter.counts().calls.into_iter().find(|(operation, _)| *operation == Operation::List);
    Told { behind, ended, listed: listed.map_or(0, |(_, pages)| pages) }
}

const MINUTE: Option<Duration> = Some(Duration::from_secs(60));

/// The others wait for a minute, and are done; then it is made from another look.
#[tokio::test(start_paused = true)]
async fn a_destination_that_lists_slowly_is_made_after_the_others() {
    let slowly = || delayed(Some(Operation::List), When::Rate(1.0), 3600);
    let Told { behind, ended: [fast, slow], listed } = synced(slowly(), MINUTE, policy()).await;
    assert_eq!((behind, fast), (vec![2], 60));
    assert!(slow >= 3660, "{slow}");
    assert_eq!(listed, 2);
    // Who has the patience waits, and one look is enough.
    let Told { behind, ended: [fast, _], listed } = synced(slowly(), None, policy()).await;
    assert_eq!((behind, listed), (vec![], 1));
    assert!(fast >= 3600, "{fast}");
    // Not that slow.
    let Told { behind, listed, .. } =
        synced(delayed(Some(Operation::List), When::Rate(1.0), 20), MINUTE, policy()).await;
    assert_eq!((behind, listed), (vec![], 1));
}

/// What may be deleted is measured by what was there before the run, whatever the first look has added.
#[tokio::test(start_paused = true)]
async fn promise_4_what_a_run_has_added_allows_no_more_deletes() {
    let small = || Behaviour { page: 1, ..remote_behaviour() };
    let (source, fast, slow) =
        (Memory::with("source", small()), Memory::with("fast", small()), Memory::with("slow", small()));
    let put = async |memory: &Memory, name: &str| {
        memory.put(&place::key(name), PutRequest::default(), vec![b'x'].into()).await.expect("memory takes it");
    };
    for name in ["a", "b", "c", "d", "e", "f"] {
        put(&source, name).await;
    }
    for name in ["e", "f", "g"] {
        put(&fast, name).await;
        put(&slow, name).await;
    }
    // All before `f` is planned, and sent, before it is left behind.
    let faults = delayed(Some(Operation::List), When::Nth(3), 3600);
    let to = [shared(&fast), Arc::new(Fault::new(shared(&slow), faults)) as Arc<dyn Store>];
    let mut asked = job(Intent::Sync, &shared(&source), &to);
    asked.patience = MINUTE;
    let ran = engine::simply(asked).await;
    assert!(ran.events.iter().any(|event| matches!(event, Event::LeftBehind { place: 2, .. })));
    let summary = ran.summary();
    for (at, target) in [&fast, &slow].into_iter().enumerate() {
        assert_eq!(summary.outcome.targets[at].added, 4);
        assert!(summary.totals[at].deletes_blocked.is_some(), "1 of 3 is more than a quarter: {:?}", summary.totals);
        assert_eq!(place::read(target).await.tree.len(), 7);
    }
}

/// So is one that lists at once, and takes long over a look at one object.
#[tokio::test(start_paused = true)]
async fn a_destination_that_is_slowly_looked_at_is_made_after_the_others() {
    let slowly = delayed(Some(Operation::Read), When::Rate(1.0), 3600);
    let checksum = Policy { mode: Mode::Checksum, ..policy() };
    let Told { behind, ended: [fast, slow], .. } = synced(slowly, MINUTE, checksum).await;
    assert_eq!((behind, fast), (vec![2], 60));
    assert!(slow >= 3600, "{slow}");
}
