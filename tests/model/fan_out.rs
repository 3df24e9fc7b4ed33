//! Several places at once: the merge of ordered listings, and several destinations of one source.

use std::{collections::BTreeSet, sync::Arc};

use proptest::prelude::*;
use sterna::{
    backends::{
        Store,
        memory::{Behaviour, Memory},
    },
    event::Event,
    list::{Listing, Merge, Scope},
    plan::{Intent, MaxDelete},
    sync::Job,
};

use crate::{
    arbitrary::{behaviour, tree},
    engine::{self, job, policy},
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

fn shared(memory: &Memory) -> Arc<dyn Store> {
    Arc::new(memory.clone())
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
            while let Some(row) = merge.next().await.expect("memory lists") {
                rows.push(row);
            }
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
        sync in any::<bool>(),
    ) {
        engine::alone::<Result<(), TestCaseError>>(async {
            let wishes = Wishes {
                intent: if sync { Intent::Sync } else { Intent::Copy },
                policy: policy(),
                only: Only::Everything,
                max_delete: MaxDelete::default(),
                kept: Kept::Nowhere,
            };
            let from = filled("source", &source.0, &source.1).await;
            let (mut stores, mut before) = (Vec::new(), Vec::new());
            for (behaviour, tree) in &targets {
                let store = filled("target", behaviour, tree).await;
                before.push(place::read(&store).await);
                stores.push(store);
            }
            let old = place::read(&from).await;
            let shared: Vec<_> = stores.iter().map(shared).collect();
            let asked: Job = job(wishes.intent, &(Arc::new(from.clone()) as Arc<dyn Store>), &shared);
            let dry = engine::plan(asked.clone()).await;
            let ran = engine::simply(asked).await;
            prop_assert_eq!(dry.lines(), engine::lines(&ran.items));
            let now = place::read(&from).await;
            for (at, store) in stores.iter().enumerate() {
                let target = place::read(store).await;
                let both = Before { source: (&source.0, &old), target: (&targets[at].0, &before[at]) };
                let failed = ran.summary().outcome.targets[at].failed > 0;
                let nothing = place::Place::default();
                let after = After { source: &now, target: &target, backup: &nothing, failed };
                check(&wishes, &both, &after).map_err(|why| TestCaseError::fail(format!("destination {at}: {why}")))?;
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
            asked.policy.mode = sterna::compare::Mode::Checksum;
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
