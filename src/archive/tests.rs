//! The protocol of `docs/archive.md` against a store in memory: those who add, delete and forget take turns request by
//! request, in any order, are killed, and are taken for dead while they are alive.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use proptest::prelude::*;
use sterna_backends::{
    Body, Capabilities, CopySource, Deleted, Entry, ErrorKind, Key, ListRequest, Operation, Pages, PutRequest,
    ReadRequest, Reader, Result, Store, StoreExt, Timestamp, Version,
    layer::Layer,
    memory::{Behaviour, Memory},
};
use tokio::{sync::Semaphore, task::JoinHandle};

use super::{
    Archive, Creation, Pruned, Terms, create,
    layout::{LEASES, Shape},
    prune,
};
use crate::{
    event::Silent,
    list::Scope,
    transfer::{Records, Settings, Stop},
};

/// Nobody has to renew a lease: whether one is alive is decided by the test.
const TERMS: Terms = Terms { lease: Duration::from_secs(100_000) };

/// The same store as one actor sees it: each request waits for its turn.
#[derive(Debug)]
struct Seen {
    inner: Arc<dyn Store>,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    /// Takes everybody for dead who adds.
    suspicious: bool,
    /// A content has been deleted.
    deleted: Arc<AtomicBool>,
    /// Leases this actor has written.
    leases: Arc<Mutex<BTreeSet<Key>>>,
}

impl Seen {
    async fn turn(&self) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let turn = self.turns.acquire().await;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        turn.expect("it is never closed").forget();
    }
}

#[async_trait]
impl Store for Seen {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn capabilities(&self) -> &Capabilities {
        self.inner.capabilities()
    }

    fn list(&self, request: ListRequest) -> Pages {
        let (inner, turns, waiting) = (Arc::clone(&self.inner), Arc::clone(&self.turns), Arc::clone(&self.waiting));
        let suspicious = self.suspicious;
        let turn = Self { inner, turns, waiting, suspicious, deleted: Arc::default(), leases: Arc::default() };
        stream::once(async move {
            turn.turn().await;
            let mut page: Vec<Entry> = turn.inner.list(request).try_concat().await?;
            for entry in &mut page {
                if turn.suspicious && entry.key.starts_with(&format!("{LEASES}create-")) {
                    entry.stored = Some(Timestamp::from_nanos(1));
                    entry.modified = None;
                }
            }
            Ok(page)
        })
        .boxed()
    }

    async fn stat(&self, key: &Key, version: Option<&Version>) -> Result<Entry> {
        self.turn().await;
        self.inner.stat(key, version).await
    }

    async fn read(&self, key: &Key, request: ReadRequest) -> Result<Reader> {
        self.turn().await;
        self.inner.read(key, request).await
    }

    async fn put(&self, key: &Key, request: PutRequest, body: Body) -> Result<Entry> {
        self.turn().await;
        if key.starts_with(LEASES) {
            self.leases.lock().unwrap().insert(key.clone());
        }
        self.inner.put(key, request, body).await
    }

    async fn copy(&self, source: &CopySource, key: &Key, request: PutRequest) -> Result<Entry> {
        self.turn().await;
        self.inner.copy(source, key, request).await
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        self.turn().await;
        let contents = |key: &Key| Shape::ALL.iter().any(|shape| shape.content(key).is_some());
        self.deleted.fetch_or(targets.iter().any(|target| contents(&target.key)), Ordering::SeqCst);
        self.inner.delete(targets).await
    }

    async fn make_directory(&self, path: &str) -> Result<()> {
        self.inner.make_directory(path).await
    }

    async fn remove_directory(&self, path: &str) -> Result<()> {
        self.inner.remove_directory(path).await
    }
}

/// What somebody does.
#[derive(Clone, Copy, Debug)]
enum Work {
    /// Adds a snapshot of one of three places, which have contents in common.
    Create(usize),
    /// Deletes; with `true` takes everybody for dead.
    Prune(bool),
    /// Forgets all snapshots but the newest.
    Forget,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    /// One of them makes a request.
    Turn(usize),
    /// One of them is killed.
    Kill(usize),
}

struct Actor {
    work: Work,
    turns: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    leases: Arc<Mutex<BTreeSet<Key>>>,
    running: JoinHandle<Result<bool>>,
}

struct World {
    store: Arc<dyn Store>,
    sources: Vec<Arc<dyn Store>>,
    actors: Vec<Actor>,
    deleted: Arc<AtomicBool>,
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn creation(source: &Arc<dyn Store>) -> Creation {
    Creation {
        source: Arc::clone(source),
        written: "a place".to_owned(),
        scope: Scope::default(),
        name: None,
        chunk: false,
        checkers: 1,
        index: None,
        settings: Settings { transfers: Some(2), ..Settings::default() },
        records: Records::none(),
        observer: Arc::new(Silent),
        stop: Stop::default(),
    }
}

impl World {
    /// An archive that holds one snapshot of the second place, and contents of the first that nobody names any more.
    async fn new() -> Self {
        let store: Arc<dyn Store> = Arc::new(Memory::new("archive"));
        let mut sources: Vec<Arc<dyn Store>> = Vec::new();
        for (at, contents) in [["a", "b", "c"], ["c", "d", "e"], ["a", "c", "x"]].into_iter().enumerate() {
            let source = Memory::new(format!("source-{at}"));
            for content in contents {
                source.put(&key(content), PutRequest::default(), Body::from(content.as_bytes())).await.unwrap();
            }
            sources.push(Arc::new(source));
        }
        let archive = Archive::open_or_make(Arc::clone(&store), TERMS).await.unwrap();
        let first = create(&archive, creation(&sources[0])).await.unwrap().id.unwrap();
        create(&archive, creation(&sources[1])).await.unwrap();
        archive.remove(&[first]).await.unwrap();
        Self { store, sources, actors: Vec::new(), deleted: Arc::default() }
    }

    fn begin(&mut self, work: Work) {
        let (turns, waiting): (_, Arc<AtomicUsize>) = (Arc::new(Semaphore::new(0)), Arc::default());
        let leases: Arc<Mutex<BTreeSet<Key>>> = Arc::default();
        let seen = Seen {
            inner: Arc::clone(&self.store),
            turns: Arc::clone(&turns),
            waiting: Arc::clone(&waiting),
            suspicious: matches!(work, Work::Prune(true)),
            deleted: Arc::clone(&self.deleted),
            leases: Arc::clone(&leases),
        };
        let archive = Archive { store: Arc::new(seen), terms: TERMS };
        let sources = self.sources.clone();
        let does: BoxFuture<'static, Result<bool>> = Box::pin(async move {
            match work {
                Work::Create(of) => create(&archive, creation(&sources[of])).await.map(|made| made.id.is_some()),
                Work::Prune(_) => prune(&archive, false).await.map(|_: Pruned| true),
                Work::Forget => {
                    let mut all = archive.snapshots().await?;
                    all.pop();
                    archive.remove(&all).await.map(|()| true)
                }
            }
        });
        self.actors.push(Actor { work, turns, waiting, leases, running: tokio::spawn(does) });
    }

    /// Waits until an actor wants to make a request, or waits for others, or is done.
    async fn settle(&self, at: usize) {
        for _ in 0..50 {
            let actor = &self.actors[at];
            if actor.waiting.load(Ordering::SeqCst) > 0 || actor.running.is_finished() {
                return;
            }
            // Time passes by itself once nobody has anything to do.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    async fn step(&self, step: Step) {
        match step {
            Step::Turn(at) => {
                let at = at % self.actors.len();
                self.settle(at).await;
                if self.actors[at].waiting.load(Ordering::SeqCst) > 0 {
                    self.actors[at].turns.add_permits(1);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                    self.settle(at).await;
                }
            }
            Step::Kill(at) => {
                let actor = &self.actors[at % self.actors.len()];
                actor.running.abort();
                tokio::time::sleep(Duration::from_millis(1)).await;
                if matches!(actor.work, Work::Prune(_)) {
                    // It is certainly dead, and by and by everybody takes it for dead.
                    let leases: Vec<Deleted> = actor.leases.lock().unwrap().iter().cloned().map(Into::into).collect();
                    self.store.delete(&leases).await;
                }
            }
        }
    }

    /// Nothing is missing that a manifest names.
    async fn whole(&self) {
        let archive = Archive { store: Arc::clone(&self.store), terms: TERMS };
        let there: BTreeSet<Key> =
            self.store.list_to_vec(ListRequest::all("")).await.unwrap().into_iter().map(|entry| entry.key).collect();
        for id in archive.snapshots().await.unwrap() {
            let manifest = archive.manifest(&id).await.unwrap();
            for line in manifest.lines() {
                for (shape, content) in line.unwrap().contents() {
                    assert!(there.contains(&shape.key(content)), "{id} names {content}, which is gone");
                }
            }
        }
    }

    async fn run(mut self, works: &[Work], steps: &[Step]) -> Vec<(Work, Option<Result<bool>>)> {
        works.iter().for_each(|work| self.begin(*work));
        for step in steps {
            self.step(*step).await;
            if self.deleted.swap(false, Ordering::SeqCst) {
                self.whole().await;
            }
        }
        // Everybody who is left comes to his end.
        for _ in 0..2000 {
            if self.actors.iter().all(|actor| actor.running.is_finished()) {
                break;
            }
            for at in 0..self.actors.len() {
                self.step(Step::Turn(at)).await;
            }
        }
        self.whole().await;
        let mut ended = Vec::new();
        for actor in self.actors {
            assert!(actor.running.is_finished(), "{:?} never ends", actor.work);
            ended.push((actor.work, actor.running.await.ok()));
        }
        ended
    }
}

fn in_time<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(work)
}

fn works(suspicious: bool) -> impl Strategy<Value = Vec<Work>> {
    let one = prop_oneof![
        3 => (0..3_usize).prop_map(Work::Create),
        2 => any::<bool>().prop_map(move |all| Work::Prune(all && suspicious)),
        1 => Just(Work::Forget),
    ];
    proptest::collection::vec(one, 2..5)
}

fn steps(kills: bool) -> impl Strategy<Value = Vec<Step>> {
    let kill = u32::from(kills);
    // Runs of turns: who is interrupted too often never comes to the interesting places.
    let one = prop_oneof![
        12 => (0..5_usize, 1..12_usize).prop_map(|(at, turns)| vec![Step::Turn(at); turns]),
        kill => (0..5_usize).prop_map(|at| vec![Step::Kill(at)]),
    ];
    proptest::collection::vec(one, 0..14).prop_map(|runs| runs.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whoever is killed, and whoever is taken for dead by mistake.
    #[test]
    fn nothing_is_lost_that_a_manifest_names(works in works(true), steps in steps(true)) {
        in_time(async { World::new().await.run(&works, &steps).await });
    }

    /// Nobody is killed or suspected: every snapshot is made, and who deletes either does or gives way.
    #[test]
    fn everybody_who_lives_comes_to_his_end(works in works(false), steps in steps(false)) {
        for (work, ended) in in_time(async { World::new().await.run(&works, &steps).await }) {
            match (work, ended) {
                (Work::Create(_) | Work::Forget, Some(Ok(true))) | (Work::Prune(_), Some(Ok(true))) => {}
                (Work::Prune(_), Some(Err(error))) => prop_assert_eq!(error.kind(), ErrorKind::Unavailable),
                (work, ended) => prop_assert!(false, "{:?} ended with {:?}", work, ended),
            }
        }
    }
}

/// It stands still after each of its requests in turn, and meanwhile somebody takes it for dead and deletes.
#[test]
fn a_run_that_was_taken_for_dead_makes_no_snapshot_or_a_whole_one() {
    let (mut made, mut refused) = (0, 0);
    for still in 0..40 {
        in_time(async {
            let mut world = World::new().await;
            world.begin(Work::Create(0));
            for _ in 0..still {
                world.step(Step::Turn(0)).await;
            }
            world.begin(Work::Prune(true));
            while !world.actors[1].running.is_finished() {
                world.step(Step::Turn(1)).await;
            }
            let mut ended = world.run(&[], &[]).await;
            match ended.swap_remove(0).1.unwrap() {
                Ok(true) => made += 1,
                Ok(false) => panic!("after {still}: nothing failed that is no error"),
                Err(error) => {
                    assert!(error.kind() == ErrorKind::Unavailable && error.is_retryable(), "after {still}: {error}");
                    refused += 1;
                }
            }
        });
    }
    assert!(made > 10 && refused > 3, "{made} made, {refused} refused");
}

/// Who adds goes on while who deletes stands still, at every pair of instants.
#[test]
fn two_that_overtake_each_other_lose_nothing() {
    for (adds, deletes) in (0..16).flat_map(|adds| (0..20).map(move |deletes| (adds, deletes))) {
        in_time(async {
            let mut world = World::new().await;
            world.begin(Work::Create(0));
            world.begin(Work::Prune(true));
            let turns = |at, count| (0..count).map(move |_| Step::Turn(at));
            let steps: Vec<Step> = turns(0, adds).chain(turns(1, deletes)).chain(turns(0, 16)).collect();
            for step in steps {
                world.step(step).await;
            }
            world.run(&[], &[]).await;
        });
    }
}

/// Who makes a view while its snapshot is forgotten finds out at the end, and leaves nothing.
#[tokio::test]
async fn a_view_of_a_snapshot_that_is_forgotten_goes() {
    let World { store, .. } = World::new().await;
    let archive = Archive::open(Arc::clone(&store)).await.unwrap();
    let id = archive.snapshots().await.unwrap().pop().unwrap();
    for forgotten in [false, true] {
        let view = archive.view(&id, false).await.unwrap();
        if forgotten {
            archive.remove(std::slice::from_ref(&id)).await.unwrap();
            assert_eq!(archive.views().await.unwrap().is_complete(&id), None);
        }
        view.target().put(&key("late"), PutRequest::default(), Body::from(&b"tern"[..])).await.unwrap();
        let ended = view.complete().await.map_err(|error| error.kind());
        let complete = archive.views().await.unwrap().is_complete(&id);
        let wanted = if forgotten { (Err(ErrorKind::NotFound), None) } else { (Ok(()), Some(true)) };
        assert_eq!((ended, complete), wanted);
    }
    let left = store.list_to_vec(ListRequest::all("views/")).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
}

/// A store at which somebody else makes the archive after everybody has looked, and before anybody else writes.
#[derive(Debug)]
struct Overtaken(Arc<dyn Store>, Terms);

impl Layer for Overtaken {
    fn inner(&self) -> &Arc<dyn Store> {
        &self.0
    }

    async fn send<'a, T: Send + 'a>(
        &'a self,
        _operation: Operation,
        _key: &'a Key,
        body: Body,
        mut make: impl FnMut(Body) -> BoxFuture<'a, Result<T>> + Send + 'a,
    ) -> Result<T> {
        Archive::open_or_make(Arc::clone(&self.0), self.1).await?;
        make(body).await
    }
}

#[tokio::test]
async fn of_two_who_make_an_archive_at_once_both_have_the_terms_of_one() {
    let other = Terms { lease: Duration::from_secs(77) };
    for conditional in [true, false] {
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.conditional_put = conditional;
        let store: Arc<dyn Store> = Arc::new(Memory::with("archive", behaviour));
        let made = Archive::open_or_make(Arc::new(Overtaken(Arc::clone(&store), other)), TERMS).await.unwrap();
        let there = Archive::open(store).await.unwrap().terms();
        assert_eq!((made.terms(), there), if conditional { (other, other) } else { (TERMS, TERMS) });
    }
}
