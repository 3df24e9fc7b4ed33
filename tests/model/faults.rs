//! Everything breaks at random, again and again: nothing torn is ever seen, nothing is deleted too early, and in the
//! end everything is there.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use sterna::{
    backends::{
        ErrorKind, Operation, Store,
        layer::{Fault, Faults, Retry, RetrySettings, Rule, What, When},
        memory::{Behaviour, Memory},
    },
    compare::{Mode, Policy},
    event::{Deed, Event},
    list::Scope,
    sync::Job,
    transfer::{Records, Settings},
};

use crate::{
    arbitrary::{behaviour, tree, wishes},
    around::Watch,
    engine::{self, Ran},
    model::{After, Before, Kept, Wishes, check},
    place::{self, Tree, fits},
};

/// Runs in which things break, before the one in which nothing does.
const BROKEN_RUNS: u64 = 4;

fn breaking(inner: Arc<dyn Store>, seed: u64, rate: f64, whats: &[What]) -> Arc<dyn Store> {
    let rule = |what: &What| Rule { operation: None, when: When::Rate(rate), what: *what };
    Arc::new(Fault::new(inner, Faults { seed, rules: whats.iter().map(rule).collect(), stop_after: None }))
}

/// Passing troubles under a retry, lasting ones above it.
pub fn troubled(inner: Arc<dyn Store>, seed: u64, (passing, lasting): (f64, f64)) -> Arc<dyn Store> {
    let passes = [
        What::Fail(ErrorKind::Unavailable),
        What::LoseAnswer(ErrorKind::Timeout),
        What::Throttle(Duration::ZERO),
        What::BreakBody(ErrorKind::Unavailable),
    ];
    let lasts = [What::Fail(ErrorKind::Denied), What::LoseAnswer(ErrorKind::Unavailable)];
    let settings = RetrySettings { tries: 4, base: Duration::ZERO, seed: Some(seed), ..RetrySettings::default() };
    let retried = Retry::new(breaking(inner, seed, passing, &passes), settings);
    breaking(Arc::new(retried), seed + 1, lasting, &lasts)
}

/// What a run without repetitions of its own can be asked for: a second run must know the first one's work.
fn repeatable(wishes: Wishes) -> Wishes {
    let mode = if wishes.policy.mode == Mode::Checksum { Mode::Checksum } else { Mode::Default };
    let policy = Policy { mode, update: false, ignore_existing: false, ..wishes.policy };
    Wishes { policy, max_delete: "100%".parse().expect("a percentage"), ..wishes }
}

async fn fill(store: &Memory, tree: &Tree) {
    let mut filled = Tree::new();
    for (name, object) in tree {
        if fits(store.capabilities().keys, &filled, name) {
            place::put(store, name, object).await;
            filled.insert(name.clone(), object.clone());
        }
    }
}

fn planned(wishes: &Wishes, stores: (&Arc<dyn Store>, &Arc<dyn Store>), backup: &Memory) -> Job {
    let mut job = engine::job(wishes.intent, stores.0, &[Arc::clone(stores.1)]);
    job.policy = wishes.policy;
    job.max_delete = wishes.max_delete;
    job.scope = Scope { filter: wishes.only.filter(), ..Scope::default() };
    if let Kept::Beside { suffix } = &wishes.kept {
        job.targets[0].backup = Some(Arc::new(backup.clone()));
        job.suffix.clone_from(suffix);
    }
    job
}

/// What a run told of its transfers and deletes, in the order in which it told it.
struct Told {
    failed_first: bool,
    deleted_after_failing: bool,
}

/// Deletes that make room for what waits come before it; so what waited may fail after deletes, but nothing is deleted
/// after that, and nothing at all where something failed before the first delete.
fn told(ran: &Ran) -> Told {
    let moves = |deed: &Deed| matches!(deed, Deed::Transfer | Deed::Copy | Deed::Touch);
    let failure = |event: &Event| matches!(event, Event::Failed { deed, .. } if moves(deed));
    let delete = |event: &Event| match event {
        Event::Started { deed, .. } | Event::Finished { deed, .. } | Event::Failed { deed, .. } => {
            matches!(deed, Deed::Delete | Deed::Backup)
        }
        _ => false,
    };
    let failed = ran.events.iter().position(failure);
    let after_deletes = |at: usize| ran.events[..at].iter().any(delete);
    Told {
        failed_first: ran.result.is_err() || failed.is_some_and(|at| !after_deletes(at)),
        deleted_after_failing: failed.is_some_and(|at| ran.events[at..].iter().any(delete)),
    }
}

async fn until_it_is_done(
    behaviours: &(Behaviour, Behaviour),
    trees: &(Tree, Tree),
    wishes: &Wishes,
    seed: u64,
    rates: (f64, f64),
) -> Result<(), TestCaseError> {
    let source = Memory::with("source", behaviours.0.clone());
    let target = Memory::with("target", behaviours.1.clone());
    let backup = Memory::new("backup");
    fill(&source, &trees.0).await;
    fill(&target, &trees.1).await;
    let (old_source, old_target) = (place::read(&source).await, place::read(&target).await);
    let watch = Arc::new(Watch::new(&target, &old_target.tree, &old_source.tree));
    let records = tempfile::tempdir().expect("a folder for records");
    // Half of the runs remember what the ones before have learnt.
    let index = (seed % 2 == 1).then(engine::index);

    for run in 0..BROKEN_RUNS {
        let seed = seed.wrapping_add(run * 10);
        let from = troubled(Arc::new(source.clone()), seed, rates);
        let to = troubled(Arc::clone(&watch) as Arc<dyn Store>, seed.wrapping_add(5), rates);
        let deleted = watch.deleted();
        let mut job = planned(wishes, (&from, &to), &backup);
        job.index = index.as_ref().map(|(_, index)| index.clone());
        let ran = engine::run(job, Settings::default(), Records::new(records.path())).await;
        let told = told(&ran);
        prop_assert!(!told.deleted_after_failing, "deleted after something failed: {:#?}", ran.events);
        if told.failed_first {
            prop_assert_eq!(watch.deleted(), deleted, "deleted, though something before failed: {:#?}", ran.events);
        }
        prop_assert!(watch.torn().is_empty(), "{:?}", watch.torn());
    }
    let from: Arc<dyn Store> = Arc::new(source.clone());
    let to = Arc::clone(&watch) as Arc<dyn Store>;
    let mut job = planned(wishes, (&from, &to), &backup);
    job.index = index.as_ref().map(|(_, index)| index.clone());
    let ran = engine::run(job, Settings::default(), Records::new(records.path())).await;
    prop_assert!(watch.torn().is_empty(), "{:?}", watch.torn());

    let (now_source, now_target) = (place::read(&source).await, place::read(&target).await);
    let before = Before { source: (&behaviours.0, &old_source), target: (&behaviours.1, &old_target) };
    let kept = place::read(&backup).await;
    let failed = ran.failed() > 0;
    let after = After { source: &now_source, target: &now_target, backup: &kept, failed };
    check(wishes, &before, &after)
        .map_err(|why| TestCaseError::fail(format!("{why}\n{:#?}", ran.summary().outcome.targets)))
}

fn settings() -> ProptestConfig {
    ProptestConfig { cases: 150, max_shrink_iters: 2000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn promise_6_nothing_torn_is_seen_and_reruns_arrive(
        behaviours in (behaviour(), behaviour()),
        trees in (tree(), tree()),
        wishes in wishes().prop_map(repeatable),
        seed in any::<u32>(),
        rates in (0.0..0.2, 0.0..0.1),
    ) {
        let run = until_it_is_done(&behaviours, &trees, &wishes, u64::from(seed), rates);
        engine::alone(run)?;
    }

    /// Bits that flip on the way, told by nobody: where both stores tell digests, no such object is ever stored.
    #[test]
    fn flipped_bits_are_never_stored(trees in (tree(), tree()), seed in any::<u64>(), rate in 0.0..0.6) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let mut behaviour = Behaviour::strict();
            behaviour.capabilities.copy = None;
            behaviour.capabilities.multipart.as_mut().expect("strict has parts").threshold = crate::arbitrary::THRESHOLD;
            behaviour.read_chunk = Some(16);
            let (source, target) = (Memory::with("source", behaviour.clone()), Memory::with("target", behaviour));
            fill(&source, &trees.0).await;
            fill(&target, &trees.1).await;
            let (old, new) = (place::read(&target).await.tree, place::read(&source).await.tree);
            let watch = Arc::new(Watch::new(&target, &old, &new));
            let flip = Rule { operation: Some(Operation::Read), when: When::Rate(rate), what: What::FlipBit };
            let faults = Faults { seed, rules: vec![flip], stop_after: None };
            let from: Arc<dyn Store> = Arc::new(Fault::new(Arc::new(source), faults));
            let to = Arc::clone(&watch) as Arc<dyn Store>;
            engine::simply(engine::job(sterna::plan::Intent::Copy, &from, &[to])).await;
            prop_assert!(watch.torn().is_empty(), "{:?}", watch.torn());
            Ok(())
        })?;
    }
}
