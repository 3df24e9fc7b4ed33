//! Promise 5: nobody sees a half-finished mirror. A reader looks after every call, at every destination, while things break,
//! runs are killed and the source is republished.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures::{StreamExt, future::BoxFuture, stream};
use proptest::{collection::btree_map, prelude::*, sample::select};
use sterna::{
    backends::{
        ErrorKind, Key, ListRequest, Operation, Pages, Result, Store, StoreExt,
        layer::{Fault, Faults, Layer, Rule, What, When},
        memory::{Behaviour, Memory},
        store::Deleted,
    },
    event::Event,
    list::Grace,
    plan::{Intent, Item, MaxDelete},
    sync::Job,
    transfer::{Records, Settings, StopReason},
};

use crate::{
    around::{Halt, Left},
    engine::{self, Ran, alone},
    faults::troubled,
    place::{self, Object, Tree, key, second},
};

/// Repositories at a place: their packages by name, each in one version.
type Repositories = BTreeMap<&'static str, BTreeMap<&'static str, u8>>;

/// What a package of that version holds: others of the same version hold the same, so that some are copied.
fn package(version: u8) -> Vec<u8> {
    vec![b'a' + version; 40]
}

/// The objects of `repositories`, published at second `when`.
fn objects(repositories: &Repositories, when: i64) -> Tree {
    let mut tree = Tree::new();
    for (repository, packages) in repositories {
        let names: Vec<String> =
            packages.iter().map(|(name, version)| format!("packages/{name}-{version}.hpkg")).collect();
        for (name, version) in names.iter().zip(packages.values()) {
            // A package keeps its time: it is never built twice.
            tree.insert(key(&format!("{repository}/{name}")), Object::new(package(*version)));
        }
        let index = names.join("\n").into_bytes();
        tree.insert(key(&format!("{repository}/repo")), Object::new(index.clone()).at(second(when)));
        tree.insert(key(&format!("{repository}/repo.sha256")), Object::new(index).at(second(when)));
    }
    tree
}

/// Reads every repository as a client would; what an index names and is not there.
async fn torn(memory: &Memory) -> Vec<String> {
    let tree = place::read(memory).await.tree;
    let mut torn = Vec::new();
    for (index, object) in tree.iter().filter(|(key, _)| key.ends_with("/repo")) {
        let folder = index.trim_end_matches("repo");
        let names = String::from_utf8(object.bytes.to_vec()).expect("indexes are text");
        for name in names.lines() {
            let version = name.trim_end_matches(".hpkg").rsplit('-').next().and_then(|version| version.parse().ok());
            let whole = package(version.expect("names end in a version"));
            match tree.get(&key(&format!("{folder}{name}"))) {
                Some(found) if found.bytes == whole => {}
                found => torn.push(format!("{index} names {name}: {found:?}")),
            }
        }
    }
    torn
}

/// A destination whose reader polls after every call, and after every object of a delete of several.
#[derive(Debug)]
struct Read {
    inner: Arc<dyn Store>,
    memory: Memory,
    torn: Mutex<Vec<String>>,
}

impl Read {
    fn new(memory: &Memory) -> Arc<Self> {
        Arc::new(Self { inner: Arc::new(memory.clone()), memory: memory.clone(), torn: Mutex::default() })
    }

    async fn look(&self) {
        let torn = torn(&self.memory).await;
        self.torn.lock().expect("no reader panics").extend(torn);
    }

    fn torn(&self) -> Vec<String> {
        self.torn.lock().expect("no reader panics").clone()
    }
}

impl Layer for Read {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.inner
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        let result = make().await;
        self.look().await;
        result
    }

    async fn erase(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        // A store may delete them in any order.
        let mut results = Vec::new();
        for target in targets.iter().rev() {
            results.extend(self.inner.delete(std::slice::from_ref(target)).await);
            self.look().await;
        }
        results.reverse();
        results
    }
}

/// One step of a publisher.
#[derive(Clone, Debug)]
enum Step {
    Put(Key, Box<Object>),
    Delete(Key),
}

/// From one generation to the next as a publisher goes: packages, indexes, and then what is no longer named.
fn steps(old: &Tree, new: &Tree) -> Vec<Step> {
    let changed = |(key, object): &(&Key, &Object)| old.get(*key) != Some(*object);
    let puts = |packages: bool| {
        let of_kind = move |(key, _): &(&Key, &Object)| key.ends_with(".hpkg") == packages;
        new.iter().filter(changed).filter(of_kind).map(|(key, object)| Step::Put(key.clone(), Box::new(object.clone())))
    };
    let gone = |packages: bool| {
        let gone = move |key: &&Key| !new.contains_key(*key) && key.ends_with(".hpkg") == packages;
        old.keys().filter(gone).cloned().map(Step::Delete)
    };
    puts(true).chain(puts(false)).chain(gone(false)).chain(gone(true)).collect()
}

/// Who publishes: one step every few calls.
#[derive(Debug)]
struct Publisher {
    memory: Memory,
    steps: Mutex<VecDeque<Step>>,
    every: u64,
    calls: Mutex<u64>,
}

impl Publisher {
    async fn tick(&self) {
        let due = {
            let mut calls = self.calls.lock().expect("no publisher panics");
            *calls += 1;
            calls.is_multiple_of(self.every)
        };
        if due {
            let step = self.steps.lock().expect("no publisher panics").pop_front();
            self.make(step).await;
        }
    }

    async fn make(&self, step: Option<Step>) {
        match step {
            Some(Step::Put(name, object)) => place::put(&self.memory, &name, &object).await,
            Some(Step::Delete(name)) => place::remove(&self.memory, &name).await,
            None => {}
        }
    }

    /// Publishes what is left.
    async fn finish(&self) {
        let rest = std::mem::take(&mut *self.steps.lock().expect("no publisher panics"));
        for step in rest {
            self.make(Some(step)).await;
        }
    }
}

/// A source that is published to while it is read. Its pages show what is there when they are asked for.
#[derive(Debug)]
struct Published(Arc<dyn Store>, Arc<Publisher>);

impl Layer for Published {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.0
    }

    async fn call<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: Option<&'a Key>,
        mut make: impl FnMut() -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        self.1.tick().await;
        make().await
    }

    fn pages(&self, request: ListRequest) -> Pages {
        let next = |(last, publisher, request): (Option<Key>, Arc<Publisher>, ListRequest)| async move {
            publisher.tick().await;
            let now = publisher.memory.list_to_vec(request.clone()).await.expect("memory lists");
            let entry = now.into_iter().find(|entry| last.as_ref().is_none_or(|last| entry.key > *last))?;
            let last = Some(entry.key.clone());
            Some((Ok(vec![entry]), (last, publisher, request)))
        };
        stream::unfold((None, Arc::clone(&self.1), request), next).boxed()
    }
}

fn repositories() -> impl Strategy<Value = Repositories> {
    let packages = btree_map(select(&["p", "q", "r", "s", "t"][..]), 0_u8..4, 0..5);
    btree_map(select(&["arm", "x86"][..]), packages, 1..3)
}

fn mirror(source: &Arc<dyn Store>, targets: &[Arc<dyn Store>]) -> Job {
    let mut job = engine::job(Intent::Sync, source, targets);
    job.groups = "haiku-repo".parse().expect("a profile");
    job.max_delete = MaxDelete::Percent(100);
    job
}

/// What one life of a mirror is like.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// Calls to all stores before it is killed.
    calls: u64,
    /// Whether the plan is written down first.
    planned: bool,
}

fn life() -> impl Strategy<Value = Life> {
    (1_u64..400, prop::bool::weighted(0.3)).prop_map(|(calls, planned)| Life { calls, planned })
}

async fn live(job: Job, planned: bool) -> Option<Ran> {
    if !planned {
        return Some(engine::run(job, Settings::default(), Records::none()).await);
    }
    let plan = engine::plan(job.clone()).await;
    if plan.error.is_none() {
        engine::apply(&job, &plan.items).await;
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, max_shrink_iters: 500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_5_no_reader_ever_sees_an_index_that_names_a_missing_package(
        generations in proptest::collection::vec(repositories(), 2..5),
        lives in proptest::collection::vec(life(), 0..4),
        every in 1_u64..12,
        seed in any::<u32>(),
        rates in (0.0..0.1, 0.0..0.05),
        remembers in any::<bool>(),
    ) {
        let trees: Vec<Tree> =
            generations.iter().enumerate().map(|(at, repositories)| objects(repositories, at as i64)).collect();
        let mut at_source = Behaviour::strict();
        at_source.capabilities.copy = None;
        let memory = Memory::with("source", at_source);
        let targets = [Memory::with("first", Behaviour::strict()), Memory::with("second", Behaviour::s3().paged(2))];
        alone(async {
            place::fill(&memory, &trees[1]).await;
            for target in &targets {
                place::fill(target, &trees[0]).await;
            }
        });
        let steps = trees[1..].windows(2).flat_map(|pair| steps(&pair[0], &pair[1])).collect();
        let publisher =
            Arc::new(Publisher { memory: memory.clone(), steps: Mutex::new(steps), every, calls: Mutex::new(0) });
        let source: Arc<dyn Store> = Arc::new(Published(Arc::new(memory.clone()), Arc::clone(&publisher)));
        let readers = targets.each_ref().map(Read::new);
        let index = remembers.then(engine::index);
        let torn = || readers.iter().flat_map(|reader| reader.torn()).collect::<Vec<_>>();

        for (run, Life { calls, planned }) in lives.into_iter().enumerate() {
            let left = Left::new(calls);
            let seed = u64::from(seed) + 100 * run as u64;
            let halting = |inner: Arc<dyn Store>| Arc::new(Halt::new(inner, &left)) as Arc<dyn Store>;
            let to = [0, 1].map(|at| {
                troubled(halting(Arc::clone(&readers[at]) as Arc<dyn Store>), seed + 10 * at as u64, rates)
            });
            let mut job = mirror(&halting(Arc::clone(&source)), &to);
            job.index = index.as_ref().map(|(_, index)| index.clone());
            alone(async {
                tokio::select! {
                    _ = live(job, planned) => {}
                    () = left.over() => {}
                }
            });
            prop_assert!(torn().is_empty(), "{:#?}", torn());
        }
        alone(publisher.finish());
        let to = readers.each_ref().map(|reader| Arc::clone(reader) as Arc<dyn Store>);
        let ran = alone(live(mirror(&source, &to), false)).expect("it was no plan");
        prop_assert!(torn().is_empty(), "{:#?}", torn());
        prop_assert_eq!(ran.failed(), 0, "{:#?}", ran.events);
        let wanted = alone(place::read(&memory)).tree;
        for target in &targets {
            let now = alone(place::read(target)).tree;
            prop_assert!(now.keys().eq(wanted.keys()), "{now:?} is not {wanted:?}");
        }
    }
}

/// Where the packages of one destination fail, its indexes and its deletes wait, and no others.
#[test]
fn promise_5_a_failure_holds_the_later_groups_of_its_destination_only() {
    alone(async {
        let old = objects(&BTreeMap::from([("x86", BTreeMap::from([("p", 0)]))]), 1);
        let new = objects(&BTreeMap::from([("x86", BTreeMap::from([("p", 1), ("q", 1)]))]), 2);
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.copy = None;
        let source = Memory::with("source", behaviour);
        place::fill(&source, &new).await;
        let targets = ["first", "second"].map(Memory::new);
        for target in &targets {
            place::fill(target, &old).await;
        }
        let denied = Rule { operation: Some(Operation::Put), when: When::Nth(1), what: What::Fail(ErrorKind::Denied) };
        let faults = Faults { seed: 1, rules: vec![denied], stop_after: None };
        let second: Arc<dyn Store> = Arc::new(Fault::new(Arc::new(targets[1].clone()), faults));
        let source: Arc<dyn Store> = Arc::new(source);
        let ran = engine::simply(mirror(&source, &[Arc::new(targets[0].clone()), second])).await;
        let outcome = &ran.summary().outcome.targets;
        assert_eq!((outcome[0].failed, outcome[0].groups_held, outcome[0].deletes_held), (0, 0, 0));
        assert_eq!((outcome[1].failed, outcome[1].groups_held, outcome[1].deletes_held), (1, 2, 1));
        assert_eq!(place::read(&targets[0]).await.tree, new);
        let held = place::read(&targets[1]).await.tree;
        assert_eq!(held[&key("x86/repo")], old[&key("x86/repo")]);
        assert!(held.contains_key(&key("x86/packages/p-0.hpkg")), "the old index still names it");
    });
}

/// What stands in the plan: a group each action, groups in their order, and deletes the other way round.
#[test]
fn promise_5_the_plan_holds_the_order() {
    alone(async {
        let repositories = |name| BTreeMap::from([(name, BTreeMap::from([("p", 0)]))]);
        let source = Memory::new("source");
        place::fill(&source, &objects(&repositories("x86"), 1)).await;
        let target = Memory::new("target");
        place::fill(&target, &objects(&repositories("arm"), 1)).await;
        let job = mirror(&(Arc::new(source) as Arc<dyn Store>), &[Arc::new(target) as Arc<dyn Store>]);
        assert_eq!(job.header(String::new(), Vec::new(), None).groups, ["packages", "other", "info", "index", "proof"]);
        let planned = engine::plan(job).await;
        let order: Vec<(String, usize)> = engine::reread(&planned.items)
            .into_iter()
            .map(|item| match item {
                Item::Action(action) => (action.key.to_string(), action.group),
                broken @ (Item::Problem(_) | Item::Lost(_)) => panic!("{broken:?}"),
            })
            .collect();
        let expected = [
            ("x86/packages/p-0.hpkg", 0),
            ("x86/repo", 3),
            ("x86/repo.sha256", 4),
            ("arm/repo.sha256", 4),
            ("arm/repo", 3),
            ("arm/packages/p-0.hpkg", 0),
        ];
        assert_eq!(order, expected.map(|(key, group)| (key.to_owned(), group)));
    });
}

/// What is missing at the source goes when its grace is over, and not before; what comes back begins anew.
#[test]
fn promise_5_deletes_wait_for_their_grace() {
    const HOUR: i64 = 3600;
    alone(async {
        let source = Memory::new("source");
        place::fill(&source, &place::tree([("kept", "1"), ("sometimes", "2")])).await;
        let target = Memory::new("target");
        place::fill(&target, &place::tree([("gone", "3"), ("kept", "1"), ("old", "4"), ("sometimes", "2")])).await;
        let folder = tempfile::tempdir().expect("a folder for what is missing");
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source.clone()), Arc::new(target.clone()));
        let at = |hour: i64| {
            let mut job = engine::job(Intent::Sync, &from, &[Arc::clone(&to)]);
            job.max_delete = MaxDelete::Percent(100);
            let (after, now) = (Duration::from_secs(24 * 3600), second(hour * HOUR));
            job.grace = Some(Grace { after, now, folder: folder.path().to_owned() });
            job
        };
        let waiting = |ran: &Ran| ran.summary().totals[0].deletes_waiting;
        assert_eq!(waiting(&engine::simply(at(0)).await), 2);
        place::remove(&source, &key("sometimes")).await;
        assert_eq!(waiting(&engine::simply(at(10)).await), 3);
        place::put(&source, &key("sometimes"), &Object::new("2")).await;
        // A plan notes what is missing as well as a run does.
        assert_eq!(engine::plan(at(20)).await.totals[0].deletes_waiting, 2);
        place::remove(&source, &key("sometimes")).await;
        let ran = engine::simply(at(23)).await;
        assert_eq!((waiting(&ran), ran.summary().outcome.targets[0].deleted), (3, 0));
        let ran = engine::simply(at(24)).await;
        assert_eq!((waiting(&ran), ran.summary().outcome.targets[0].deleted), (1, 2));
        assert!(place::read(&target).await.tree.keys().map(Key::as_str).eq(["kept", "sometimes"]));
        assert_eq!(waiting(&engine::simply(at(46)).await), 1, "it was missing first at hour 23");
        assert_eq!(engine::simply(at(47)).await.summary().outcome.targets[0].deleted, 1);
        // A listing that breaks says nothing of what is missing.
        let known = std::fs::read_dir(folder.path()).expect("a folder").count();
        assert_eq!(known, 1, "one file a pair of places, and nothing half-written");
    });
}

/// Indexes that change between the first look and the listing are not published; a fresh listing is. A run that puts each plan
/// before somebody does the same.
#[test]
fn promise_5_a_source_that_is_republished_is_listed_anew() {
    alone(async {
        let generation =
            |version: u8, when| objects(&BTreeMap::from([("x86", BTreeMap::from([("p", version)]))]), when);
        let (old, new) = (generation(0, 1), generation(1, 2));
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.copy = None;
        // So many calls of the source, and the new generation is there: wherever that falls, what is published is whole.
        let mut noticed = 0;
        for (every, asks) in (1..12).flat_map(|every| [(every, false), (every, true)]) {
            let memory = Memory::with("source", behaviour.clone());
            place::fill(&memory, &old).await;
            let steps = Mutex::new(steps(&old, &new).into());
            let publisher = Arc::new(Publisher { memory: memory.clone(), steps, every, calls: Mutex::new(0) });
            let source: Arc<dyn Store> = Arc::new(Published(Arc::new(memory.clone()), publisher));
            let target = Memory::new("target");
            let reader = Read::new(&target);
            let job = mirror(&source, &[Arc::clone(&reader) as Arc<dyn Store>]);
            let ran = if asks { engine::asking(job, |_| true).await } else { engine::simply(job).await };
            assert!(reader.torn().is_empty(), "{:?}", reader.torn());
            assert_eq!(ran.failed(), 0, "every {every}: {:#?}", ran.events);
            let withheld = ran.summary().totals[0].withheld.is_some();
            assert!(!withheld, "every {every}");
            noticed += ran.events.iter().filter(|event| matches!(event, Event::Republished)).count();
        }
        assert!(noticed > 2, "a new generation came {noticed} times between the looks");
    });
}

/// Nothing is done without consent.
#[test]
fn what_is_not_consented_to_is_not_begun() {
    alone(async {
        let (source, target) = (Memory::new("source"), Memory::new("target"));
        place::fill(&source, &place::tree([("a", "1"), ("b", "2")])).await;
        let job =
            || engine::job(Intent::Copy, &(Arc::new(source.clone()) as Arc<dyn Store>), &[Arc::new(target.clone())]);
        let ran = engine::asking(job(), |objects| objects < 2).await;
        let outcome = &ran.summary().outcome;
        assert_eq!((outcome.stopped, place::read(&target).await.tree.len()), (Some(StopReason::OverBudget), 0));
        let ran = engine::asking(job(), |objects| objects == 2).await;
        assert_eq!((ran.summary().outcome.stopped, place::read(&target).await.tree.len()), (None, 2));
    });
}
