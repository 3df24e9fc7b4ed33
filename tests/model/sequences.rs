//! Random places, random runs, other people's edits between them; after each run the real content is what the model
//! says, the dry run said it before, and a second run finds nothing to do.

use std::sync::Arc;

use proptest::prelude::*;
use sterna::{
    backends::{
        Store,
        memory::{Behaviour, Memory},
    },
    compare::{Mode, Reason},
    index::Index,
    list::Scope,
    plan::{Intent, Item},
    sync::Job,
};

use crate::{
    arbitrary::{Edit, behaviour, edits, tree, wishes},
    engine,
    model::{After, Before, Kept, Wishes, check},
    place::{self, Place, Tree, fits},
};

/// Two places with their stores.
struct World {
    behaviours: (Behaviour, Behaviour),
    source: Memory,
    target: Memory,
    /// What earlier runs have learnt, where runs remember.
    index: Option<(tempfile::TempDir, Index)>,
}

impl World {
    fn new(behaviours: (Behaviour, Behaviour), remembers: bool) -> Self {
        let (source, target) = behaviours.clone();
        let (source, target) = (Memory::with("source", source), Memory::with("target", target));
        Self { behaviours, source, target, index: remembers.then(engine::index) }
    }

    async fn fill(&self, trees: (&Tree, &Tree)) {
        for (store, tree) in [(&self.source, trees.0), (&self.target, trees.1)] {
            for (name, object) in tree {
                self.edit(store, name, Some(object)).await;
            }
        }
    }

    async fn edit(&self, store: &Memory, name: &sterna::backends::Key, object: Option<&place::Object>) {
        let now = place::read(store).await;
        let mut others = now.tree;
        others.remove(name);
        let directory = now.empty.iter().any(|directory| place::below(directory, name));
        match object {
            None => place::remove(store, name).await,
            Some(object) if fits(store.capabilities().keys, &others, name) && !directory => {
                place::put(store, name, object).await;
            }
            Some(_) => {}
        }
    }

    async fn apply(&self, edits: &[Edit]) {
        for edit in edits {
            let store = if edit.at_source { &self.source } else { &self.target };
            self.edit(store, &edit.name, edit.object.as_ref()).await;
        }
    }

    fn job(&self, wishes: &Wishes, backup: &Memory) -> Job {
        let source: Arc<dyn Store> = Arc::new(self.source.clone());
        let target: Arc<dyn Store> = Arc::new(self.target.clone());
        let mut job = engine::job(wishes.intent, &source, &[target]);
        job.index = self.index.as_ref().map(|(_, index)| index.clone());
        job.policy = wishes.policy;
        job.max_delete = wishes.max_delete;
        job.scope = Scope { filter: wishes.only.filter(), ..Scope::default() };
        if let Kept::Beside { suffix } = &wishes.kept {
            job.targets[0].backup = Some(Arc::new(backup.clone()));
            job.suffix.clone_from(suffix);
        }
        job
    }

    /// One run, judged in every way.
    async fn step(&self, wishes: &Wishes) -> Result<(), TestCaseError> {
        let backup = Memory::new("backup");
        let job = self.job(wishes, &backup);
        let (source, target) = (place::read(&self.source).await, place::read(&self.target).await);

        let dry = engine::plan(job.clone()).await;
        prop_assert!(dry.error.is_none(), "{:?}", dry.error);
        self.unchanged(&source, &target).await?;
        let ran = engine::simply(job.clone()).await;
        prop_assert_eq!(dry.lines(), engine::lines(&ran.items));
        prop_assert_eq!(&dry.totals, &ran.summary().totals);

        let failed = ran.failed() > 0;
        let (now_source, now_target) = (place::read(&self.source).await, place::read(&self.target).await);
        let before = Before { source: (&self.behaviours.0, &source), target: (&self.behaviours.1, &target) };
        let kept = place::read(&backup).await;
        let after = After { source: &now_source, target: &now_target, backup: &kept, failed };
        if let Err(why) = check(wishes, &before, &after) {
            let failures = &ran.summary().outcome.targets[0].failures;
            return Err(TestCaseError::fail(format!("{why}\nfailures: {failures:?}\nplan: {:#?}", dry.lines())));
        }
        if !failed && wishes.policy.mode != Mode::IgnoreTimes {
            let mut again = engine::plan(job).await;
            if dry.totals[0].deletes_blocked.is_some() {
                // What arrived meanwhile makes the same deletes a smaller share of the destination.
                again.totals[0].deletes = 0;
            }
            // Size and time were the same and the bytes were not. What the run was told beside the time is known now, and
            // tells them apart: only such objects may be work that is left.
            let told_apart = |item: &Item| match item {
                Item::Action(action) => {
                    let [here, there] = [&now_source, &now_target].map(|place| place.tree.get(&action.key));
                    matches!(action.reason, Reason::Digest(_))
                        && here.zip(there).is_some_and(|(here, there)| here.bytes != there.bytes)
                }
                Item::Problem(_) | Item::Lost(_) => false,
            };
            let was_likely = dry.totals[0].likely > 0 && again.error.is_none() && again.items.iter().all(told_apart);
            prop_assert!(
                again.is_nothing() || was_likely,
                "a second run has work: {:#?} {:?}",
                again.lines(),
                again.totals
            );
        }
        Ok(())
    }

    async fn unchanged(&self, source: &Place, target: &Place) -> Result<(), TestCaseError> {
        prop_assert_eq!(source, &place::read(&self.source).await);
        prop_assert_eq!(target, &place::read(&self.target).await);
        Ok(())
    }
}

fn settings() -> ProptestConfig {
    ProptestConfig { cases: 400, max_shrink_iters: 4000, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    #[test]
    fn promise_10_every_run_makes_what_the_model_says_and_the_dry_run_said(
        behaviours in (behaviour(), behaviour()),
        trees in (tree(), tree()),
        steps in proptest::collection::vec((edits(), wishes()), 1..4),
        remembers in any::<bool>(),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let world = World::new(behaviours, remembers);
            world.fill((&trees.0, &trees.1)).await;
            for (edits, wishes) in &steps {
                world.apply(edits).await;
                world.step(wishes).await?;
            }
            Ok(())
        })?;
    }
}

/// The model is not so lax that anything passes: a sync that does nothing, and one that does too much, are found.
#[test]
fn the_model_can_say_no() {
    let strict = Behaviour::strict();
    let wishes = Wishes {
        intent: Intent::Sync,
        policy: engine::policy(),
        only: crate::model::Only::Everything,
        max_delete: "100%".parse().unwrap(),
        kept: Kept::Nowhere,
    };
    let of = |tree: Tree| Place { tree, ..Place::default() };
    let source = of(place::tree([("a", "new"), ("b", "b")]));
    let target = of(place::tree([("a", "old"), ("c", "c")]));
    let before = Before { source: (&strict, &source), target: (&strict, &target) };
    let verdict = |tree: Tree, failed| {
        let (target, backup) = (of(tree), Place::default());
        check(&wishes, &before, &After { source: &source, target: &target, backup: &backup, failed })
    };
    assert_eq!(verdict(source.tree.clone(), false), Ok(()));
    assert!(verdict(target.tree.clone(), false).is_err(), "nothing was done");
    assert!(verdict(source.tree.clone(), true).is_err(), "it deleted though something failed");
    assert!(verdict(place::tree([("a", "ned"), ("b", "b")]), false).is_err(), "a torn object");
    assert!(verdict(place::tree([("a", "new"), ("b", "b"), ("c", "c")]), false).is_err(), "an extra was left");
    assert!(verdict(place::tree([("a", "new")]), false).is_err(), "an object is missing");
}
