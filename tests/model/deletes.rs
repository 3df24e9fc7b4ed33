//! Promise 4: deletes need a proof.

use std::sync::Arc;

use sterna::{
    backends::{
        ErrorKind, KeyRules, Operation, Order, Store,
        layer::{Fault, Faults, Rule, What, When},
        memory::{Behaviour, Listed, Memory},
    },
    event::{Deed, Event},
    plan::{Intent, Item},
    sync::Job,
};

use crate::{
    engine::{self, Ran, alone, job},
    place::{self, Tree, fill, key, tree},
};

/// A page an object, so that a listing can break anywhere.
fn paged(behaviour: Behaviour) -> Behaviour {
    behaviour.paged(1)
}

/// Two places: four objects are the same, one of eight at the destination is extra.
async fn places(family: &Behaviour) -> (Memory, Memory) {
    let same = [("a", "1"), ("b", "2"), ("c/d", "3"), ("e", "4"), ("f", "5"), ("g", "6"), ("h", "7")];
    let (source, target) = (Memory::with("source", family.clone()), Memory::with("target", family.clone()));
    fill(&source, &tree(same)).await;
    fill(&target, &tree(same)).await;
    fill(&target, &tree([("extra", "!")])).await;
    (source, target)
}

fn shared(memory: &Memory) -> Arc<dyn Store> {
    Arc::new(memory.clone())
}

fn fault(memory: &Memory, rule: Rule) -> Arc<dyn Store> {
    Arc::new(Fault::new(shared(memory), Faults { rules: vec![rule], ..Faults::default() }))
}

async fn sync(source: &Arc<dyn Store>, target: &Arc<dyn Store>) -> Ran {
    engine::simply(job(Intent::Sync, source, &[Arc::clone(target)])).await
}

/// The tests below mean something only if the very same places lose their extra when nothing is wrong.
#[test]
fn promise_4_without_trouble_the_extra_is_deleted_last() {
    alone(async {
        for family in [Behaviour::strict(), Behaviour::directory(), Behaviour::bare()] {
            let (source, target) = places(&paged(family)).await;
            place::put(&source, &key("z"), &place::Object::new("new")).await;
            let ran = sync(&shared(&source), &shared(&target)).await;
            assert_eq!(place::read(&target).await.tree.len(), 8);
            let last =
                ran.items.last().map(|item| if let Item::Action(action) = item { action.deed } else { panic!() });
            assert_eq!(last, Some(Deed::Delete));
        }
    });
}

#[test]
fn promise_4_a_listing_that_breaks_anywhere_deletes_nothing() {
    alone(async {
        let breaks = [ErrorKind::Denied, ErrorKind::Unavailable, ErrorKind::NoSuchContainer, ErrorKind::Integrity];
        for family in [Behaviour::strict(), Behaviour::directory(), Behaviour::bare()] {
            for kind in breaks {
                for page in 1..=7 {
                    for at_source in [true, false] {
                        let (source, target) = places(&paged(family.clone())).await;
                        let before = place::read(&target).await;
                        let rule =
                            Rule { operation: Some(Operation::List), when: When::Nth(page), what: What::Fail(kind) };
                        let ran = if at_source {
                            sync(&fault(&source, rule), &shared(&target)).await
                        } else if page > 1 || kind != ErrorKind::NoSuchContainer {
                            sync(&shared(&source), &fault(&target, rule)).await
                        } else {
                            continue; // a destination that is not there yet
                        };
                        let told = ran.result.as_ref().map(|_| ()).map_err(|error| error.kind());
                        assert_eq!(told, Err(kind), "page {page}, at the source: {at_source}");
                        assert_eq!(place::read(&target).await, before, "page {page} {kind}");
                    }
                }
            }
        }
    });
}

#[test]
fn promise_4_a_source_that_vanished_deletes_nothing() {
    alone(async {
        let (source, target) = places(&Behaviour::strict()).await;
        for name in place::read(&source).await.tree.keys() {
            place::remove(&source, name).await;
        }
        source.remove_directory("").await.unwrap();
        let before = place::read(&target).await;
        let ran = sync(&shared(&source), &shared(&target)).await;
        assert_eq!(ran.result.unwrap_err().kind(), ErrorKind::NoSuchContainer);
        assert_eq!(place::read(&target).await, before);
    });
}

/// Runs a sync whose deletes must be blocked, and finds that out in every place where it is told.
async fn blocked(job: Job, target: &Memory, deletes: u64) {
    let before = place::read(target).await.tree;
    let ran = engine::simply(job).await;
    let totals = &ran.summary().totals[0];
    assert!(totals.deletes_blocked.is_some() && totals.deletes == 0, "{totals:?}");
    let told =
        ran.events.iter().any(|event| matches!(event, Event::DeletesBlocked { objects, .. } if *objects == deletes));
    assert!(told, "{:?}", ran.events);
    let now = place::read(target).await.tree;
    assert!(before.keys().all(|name| now.contains_key(name)), "{now:?}");
}

#[test]
fn promise_4_an_empty_and_a_shrunk_source_delete_nothing_unless_told() {
    alone(async {
        for keep in [&[][..], &["a"], &["a", "b", "c/d", "e"]] {
            let (source, target) = places(&Behaviour::strict()).await;
            for name in place::read(&source).await.tree.keys() {
                if !keep.contains(&name.as_str()) {
                    place::remove(&source, name).await;
                }
            }
            let extra = 8 - keep.len() as u64;
            let asked = job(Intent::Sync, &shared(&source), &[shared(&target)]);
            for limit in ["25%", "49%", "3", "0"] {
                blocked(Job { max_delete: limit.parse().unwrap(), ..asked.clone() }, &target, extra).await;
            }
            let told = Job { max_delete: "100%".parse().unwrap(), ..asked };
            assert_eq!(engine::simply(told).await.summary().outcome.targets[0].deleted, extra);
            assert_eq!(place::read(&target).await, place::read(&source).await);
        }
    });
}

#[test]
fn promise_4_the_last_object_is_never_deleted_unless_told() {
    alone(async {
        let (source, target) = (Memory::new("source"), Memory::new("target"));
        fill(&source, &tree([("new", "n")])).await;
        fill(&target, &tree([("last", "l")])).await;
        let mut asked = job(Intent::Sync, &shared(&source), &[shared(&target)]);
        asked.max_delete = "99%".parse().unwrap();
        blocked(asked, &target, 1).await;
    });
}

/// One thing before the deletes fails: a put, a read, a key that the destination cannot hold.
#[test]
fn promise_4_deletes_wait_for_everything_before_them() {
    alone(async {
        let denied =
            |operation| Rule { operation: Some(operation), when: When::First(1), what: What::Fail(ErrorKind::Denied) };
        let mut family = paged(Behaviour::strict());
        family.capabilities.copy = None;
        for trouble in ["put", "read", "key"] {
            let (source, target) = places(&family).await;
            let mut narrow = family.clone();
            narrow.capabilities.keys = KeyRules { control: false, ..KeyRules::ANY };
            let target = if trouble == "key" { refill(&target, narrow).await } else { target };
            fill(&source, &tree([("new", "n"), ("new\t", "n")])).await;
            let (from, to) = match trouble {
                "put" => (shared(&source), fault(&target, denied(Operation::Put))),
                "read" => (fault(&source, denied(Operation::Read)), shared(&target)),
                _ => (shared(&source), shared(&target)),
            };
            let ran = sync(&from, &to).await;
            let outcome = &ran.summary().outcome.targets[0];
            assert_eq!((outcome.failed, outcome.deletes_held, outcome.deleted), (1, 1, 0), "{trouble}");
            let now = place::read(&target).await.tree;
            assert!(now.contains_key(&key("extra")) && now.len() == 9, "{trouble}: {now:?}");
        }
    });
}

async fn refill(from: &Memory, behaviour: Behaviour) -> Memory {
    let memory = Memory::with("target", behaviour);
    let objects: Tree = place::read(from).await.tree;
    fill(&memory, &objects).await;
    memory
}

/// A store that promises byte order and lists otherwise: without the check its extra objects would be made up.
#[test]
fn promise_4_a_listing_out_of_order_is_an_error() {
    alone(async {
        for at_source in [true, false] {
            let mut liar = Behaviour::strict();
            liar.listed = Listed::Tree;
            assert_eq!(liar.capabilities.order, Order::Bytes);
            let honest = Behaviour::strict();
            let (from, to) = if at_source { (liar, honest) } else { (honest, liar) };
            let (source, target) = (Memory::with("source", from), Memory::with("target", to));
            let objects = tree([("a/b", "1"), ("a!", "2"), ("c", "3")]);
            fill(&source, &objects).await;
            fill(&target, &objects).await;
            let ran = sync(&shared(&source), &shared(&target)).await;
            assert_eq!(ran.result.unwrap_err().kind(), ErrorKind::Integrity);
            assert_eq!(place::read(&target).await.tree, objects);
        }
    });
}

/// A source, and a destination that folds case, which hold these.
async fn folding(here: &Tree, there: &Tree) -> (Memory, Memory) {
    let mut folding = Behaviour::strict();
    folding.capabilities.keys.folds_case = true;
    let (source, target) = (Memory::new("source"), Memory::with("target", folding));
    fill(&source, here).await;
    fill(&target, there).await;
    (source, target)
}

/// Where case is folded, `A` of the destination is where `a` of the source was just put.
#[test]
fn promise_4_another_case_of_a_name_is_not_deleted_where_case_is_folded() {
    alone(async {
        let (source, target) = folding(&tree([("name", "new")]), &tree([("NAME", "old"), ("other", "o")])).await;
        let mut asked = job(Intent::Sync, &shared(&source), &[shared(&target)]);
        asked.max_delete = "100%".parse().unwrap();
        let ran = engine::simply(asked).await;
        assert_eq!(ran.summary().totals[0].deletes, 1);
        let now = place::read(&target).await.tree;
        assert_eq!(now.values().map(|object| &object.bytes[..]).collect::<Vec<_>>(), [b"new"], "{now:?}");
    });
}

/// Of four objects one would go, as one in four may: the others are there, in another case.
#[test]
fn promise_4_another_case_of_a_name_counts_for_no_delete() {
    alone(async {
        let there = tree([("A", "1"), ("B", "2"), ("C", "3"), ("other", "o")]);
        let (source, target) = folding(&tree([("a", "1"), ("b", "2"), ("c", "3")]), &there).await;
        let ran = engine::simply(job(Intent::Sync, &shared(&source), &[shared(&target)])).await;
        let totals = &ran.summary().totals[0];
        assert_eq!((totals.deletes, totals.deletes_blocked.as_deref()), (1, None));
    });
}
