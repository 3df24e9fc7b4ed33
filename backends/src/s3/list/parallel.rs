//! One listing by several hands: the keys are cut into ranges, each listed by itself, and handed on in order.
//!
//! A range is what lies after one key and up to another, both of which need not exist, so any cut gives the same
//! listing. One task cuts the earliest range that is still long, since its pages are wanted first, and a range of its
//! own takes what lies behind the cut. Pages wait in bounded queues; keys are checked to come by their bytes, without
//! which ranges would lose some.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{StreamExt, stream};
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::JoinSet,
};

use super::{
    jump,
    page::Page,
    source::{From, Source},
    split::{Alphabet, between, end_of},
};
use crate::{
    entry::Entry,
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
};

/// Requests in flight at once.
const REQUESTS: usize = 8;
/// Pages that wait in each range.
const QUEUE: usize = 4;
/// Ranges that are being listed or wait to be read; with the queues they bound the memory to some 64,000 entries.
const RANGES: usize = 16;
/// Pages a range must have given since it was cut last.
const LONG: u32 = 3;
/// Ranges that are being cut at once.
const CUTS: usize = 4;
/// Of so many keys of a page, one is looked at for its characters.
const LEARNT: usize = 10;
/// Cuts with nothing behind them that are tried at once.
const TRIES: usize = 6;

/// What a range hands on.
enum Message {
    Page(Vec<Entry>),
    Failed(Error),
    /// All of it was handed on; what follows, if anything, comes from there.
    Then(Option<mpsc::Receiver<Message>>),
}

struct Crew<S> {
    source: Arc<S>,
    request: ListRequest,
    limit: u16,
    requests: Semaphore,
    /// All ranges whose pages are not yet used up, in order.
    ranges: Mutex<Vec<Arc<Range>>>,
    /// What keys are made of.
    seen: Mutex<Alphabet>,
    /// A range moved on.
    progress: Notify,
}

struct Range(Mutex<State>);

struct State {
    /// All up to here was handed on.
    position: String,
    /// Nothing after this is the range's own; `None`: no end.
    until: Option<String>,
    /// What follows this range.
    following: Option<mpsc::Receiver<Message>>,
    /// Pages since it was cut.
    pages: u32,
    /// Somebody looks for a place to cut it.
    being_cut: bool,
    done: bool,
}

impl Range {
    fn new(position: String, until: Option<String>, following: Option<mpsc::Receiver<Message>>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(State { position, until, following, pages: 0, being_cut: false, done: false })))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pages of `source`, which must list by the bytes of the keys.
pub(super) fn list<S: Source>(source: Arc<S>, request: &ListRequest, limit: u16) -> Pages {
    let crew = Arc::new(Crew {
        source,
        request: request.clone(),
        limit,
        requests: Semaphore::new(REQUESTS),
        ranges: Mutex::default(),
        seen: Mutex::default(),
        progress: Notify::new(),
    });
    /// The tasks end with the stream.
    struct Reading<S> {
        crew: Arc<Crew<S>>,
        receiver: Option<mpsc::Receiver<Message>>,
        _tasks: JoinSet<()>,
    }
    let start = async move {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&crew).run(sender));
        Reading { crew, receiver: Some(receiver), _tasks: tasks }
    };
    stream::once(start)
        .flat_map(|reading| {
            stream::try_unfold(reading, |mut reading| async move {
                while let Some(receiver) = &mut reading.receiver {
                    match receiver.recv().await {
                        Some(Message::Page(entries)) => return Ok(Some((entries, reading))),
                        Some(Message::Failed(error)) => return Err(error),
                        Some(Message::Then(following)) => {
                            reading.crew.used_up();
                            reading.receiver = following;
                        }
                        None => {
                            return Err(Error::new(ErrorKind::Other, Operation::List).because("a listing task died"));
                        }
                    }
                }
                Ok(None)
            })
        })
        .boxed()
}

impl<S: Source> Crew<S> {
    fn ranges(&self) -> MutexGuard<'_, Vec<Arc<Range>>> {
        self.ranges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn seen(&self) -> MutexGuard<'_, Alphabet> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The first range was read to its end.
    fn used_up(&self) {
        let mut ranges = self.ranges();
        if !ranges.is_empty() {
            ranges.remove(0);
        }
        drop(ranges);
        self.progress.notify_one();
    }

    async fn page(&self, from: From, limit: u16) -> Result<Page> {
        let _one = self.requests.acquire().await.expect("the semaphore is never closed");
        let page = self.source.page(from, limit).await?;
        let mut seen = self.seen();
        page.entries.iter().step_by(LEARNT).for_each(|entry| seen.learn(&entry.key));
        drop(seen);
        Ok(page)
    }

    /// Lists the first range and cuts ranges while that finds anything to cut, several at once: a cut takes a round trip
    /// at least, and gives no more than a queue of pages.
    async fn run(self: Arc<Self>, sender: mpsc::Sender<Message>) {
        let first = Range::new(String::new(), None, None);
        self.ranges().push(Arc::clone(&first));
        let (mut workers, mut cuts) = (JoinSet::new(), JoinSet::new());
        workers.spawn(Arc::clone(&self).work(first, sender, From::Start, None));
        while !(workers.is_empty() && cuts.is_empty()) {
            tokio::select! {
                Some(_) = workers.join_next() => {}
                Some(cut) = cuts.join_next() => if let Ok(Some(Cut { range, sender, page })) = cut {
                    workers.spawn(Arc::clone(&self).work(range, sender, From::Start, Some(page)));
                },
                () = self.progress.notified() => {}
            }
            while cuts.len() < CUTS
                && let Some(range) = self.candidate(cuts.len())
            {
                let crew = Arc::clone(&self);
                cuts.spawn(async move { crew.cut(&range).await });
            }
        }
    }

    /// The earliest range that is long and not being cut, which it is from now on.
    fn candidate(&self, cuts: usize) -> Option<Arc<Range>> {
        let ranges = self.ranges();
        if ranges.len() + cuts >= RANGES {
            return None;
        }
        let long = |range: &&Arc<Range>| {
            let mut state = range.lock();
            let long = !state.done && !state.being_cut && state.pages >= LONG;
            state.being_cut |= long;
            long
        };
        ranges.iter().take(REQUESTS).find(long).cloned()
    }

    /// Cuts a range in two. Whatever comes of it, the range is left alone for some pages.
    async fn cut(&self, range: &Arc<Range>) -> Option<Cut> {
        let cut = self.cut_at_once(range).await;
        let mut state = range.lock();
        state.being_cut = false;
        if cut.is_none() {
            state.pages = 0;
        }
        drop(state);
        cut
    }

    async fn cut_at_once(&self, range: &Arc<Range>) -> Option<Cut> {
        self.bound(range).await?;
        for _ in 0..TRIES {
            let (position, until) = {
                let state = range.lock();
                if state.done {
                    return None;
                }
                (state.position.clone(), state.until.clone())
            };
            let middle = between(&position, until.as_deref(), &self.seen())?;
            // The range's own worker meets the same error, and tells it.
            let mut page = self.page(From::After(middle.clone()), self.limit).await.ok()?;
            let mut state = range.lock();
            if state.done || state.position >= middle || state.until != until {
                continue;
            }
            let beyond = |entry: &Entry| until.as_deref().is_some_and(|until| entry.key.as_str() > until);
            if page.entries.first().is_none_or(beyond) && (page.next.is_none() || !page.entries.is_empty()) {
                state.until = Some(middle);
                continue;
            }
            // What a jump passes over, its worker finds out.
            page.entries.retain(|entry| entry.key.as_str() > middle.as_str());
            let (sender, receiver) = mpsc::channel(QUEUE);
            let behind = Range::new(middle.clone(), until, state.following.replace(receiver));
            state.until = Some(middle);
            drop(state);
            let mut ranges = self.ranges();
            let place = ranges.iter().position(|known| Arc::ptr_eq(known, range)).map_or(ranges.len(), |at| at + 1);
            ranges.insert(place, Arc::clone(&behind));
            return Some(Cut { range: behind, sender, page });
        }
        None
    }

    /// Finds an end for a range without one: how much of the last key's beginning all later keys share. It is a
    /// search by halves, a key each.
    async fn bound(&self, range: &Range) -> Option<()> {
        let position = {
            let state = range.lock();
            if state.until.is_some() {
                return Some(());
            }
            state.position.clone()
        };
        let below = position.get(self.request.prefix.len()..)?;
        let cuts: Vec<usize> = below.char_indices().map(|(index, _)| self.request.prefix.len() + index).collect();
        // Nothing follows the end of `shared`; something follows that of `position[..cuts[to]]`.
        let (mut shared, mut from, mut to) = (None, 0, cuts.len());
        while from < to {
            let middle = from.midpoint(to);
            let end = end_of(&position[..cuts[middle]]);
            if self.page(From::After(end.clone()), 1).await.ok()?.entries.is_empty() {
                (shared, from) = (Some(end), middle + 1);
            } else {
                to = middle;
            }
        }
        let mut state = range.lock();
        if let Some(end) = shared.filter(|end| !state.done && state.until.is_none() && state.position < *end) {
            state.until = Some(end);
        }
        Some(())
    }

    /// Lists one range to its end; `page` is its first page, if that is here already.
    async fn work(
        self: Arc<Self>,
        range: Arc<Range>,
        sender: mpsc::Sender<Message>,
        mut from: From,
        mut page: Option<Page>,
    ) {
        loop {
            let asked = from.clone();
            let got = match page.take() {
                Some(page) => Ok(page),
                None => self.page(from, self.limit).await,
            };
            let step = match got.and_then(|page| self.take(&range, page, &asked)) {
                Ok(step) => step,
                Err(error) => {
                    // Whoever reads is gone, if this cannot be told.
                    drop(sender.send(Message::Failed(error)).await);
                    return;
                }
            };
            self.progress.notify_one();
            if !step.entries.is_empty() && sender.send(Message::Page(step.entries)).await.is_err() {
                return;
            }
            match step.then {
                Then::From(next) => from = next,
                Then::End(following) => {
                    drop(sender.send(Message::Then(following)).await);
                    return;
                }
            }
        }
    }

    /// Takes from a page what is the range's own, and says how to go on. Under the range's lock, so that a cut is
    /// either seen here or finds the keys already taken.
    fn take(&self, range: &Range, page: Page, asked: &From) -> Result<Step> {
        let Page { mut entries, next } = page;
        let mut state = range.lock();
        check_order(&state.position, &entries)?;
        let all = entries.len();
        if let Some(until) = &state.until {
            entries.truncate(entries.partition_point(|entry| entry.key.as_str() <= until.as_str()));
        }
        let crossed = entries.len() < all;
        let after = entries.last().and_then(|entry| jump(&self.request, &entry.key));
        if let Some(last) = entries.last() {
            last.key.as_str().clone_into(&mut state.position);
        }
        if let Some(after) = &after {
            state.position.clone_from(after);
        }
        state.pages += 1;
        let reached = state.until.as_deref().is_some_and(|until| until <= state.position.as_str());
        let then = match next {
            Some(next) if !crossed && !reached => {
                let next = From::Next(next);
                if next == *asked {
                    return Err(broken("the listing goes in a circle"));
                }
                Then::From(after.map_or(next, From::After))
            }
            _ => {
                state.done = true;
                Then::End(state.following.take())
            }
        };
        Ok(Step { entries, then })
    }
}

struct Cut {
    range: Arc<Range>,
    sender: mpsc::Sender<Message>,
    page: Page,
}

struct Step {
    entries: Vec<Entry>,
    then: Then,
}

enum Then {
    From(From),
    End(Option<mpsc::Receiver<Message>>),
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::Integrity, Operation::List).because(why)
}

fn check_order(position: &str, entries: &[Entry]) -> Result<()> {
    let first = entries.first().is_none_or(|entry| entry.key.as_str() > position);
    if first && entries.is_sorted_by(|one, other| one.key < other.key) {
        return Ok(());
    }
    // Asked again, the server would list in the same order.
    let why = "keys do not come by their bytes, each once; list_order = \"unknown\" has them sorted";
    Err(broken(why).retryable(false))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeSet,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use futures::{FutureExt, TryStreamExt, future::BoxFuture};
    use proptest::prelude::*;

    use super::*;
    use crate::{entry::Key, s3::list::source::Next};

    /// A bucket in memory. Every answer waits for a turn of the scheduler, by a seed, so that workers overtake.
    struct Memory {
        keys: Arc<BTreeSet<String>>,
        calls: Arc<AtomicUsize>,
        turns: usize,
        fails_at: Option<usize>,
    }

    impl Memory {
        fn new(keys: impl IntoIterator<Item = String>) -> Self {
            Self { keys: Arc::new(keys.into_iter().collect()), calls: Arc::default(), turns: 0, fails_at: None }
        }
    }

    impl Source for Memory {
        fn page(&self, from: From, limit: u16) -> BoxFuture<'static, Result<Page>> {
            let keys = Arc::clone(&self.keys);
            let call = self.calls.fetch_add(1, Ordering::Relaxed);
            let (turns, fails) = (self.turns * (call % 5), self.fails_at.is_some_and(|at| call >= at));
            async move {
                for _ in 0..turns {
                    tokio::task::yield_now().await;
                }
                if fails {
                    return Err(Error::new(ErrorKind::Denied, Operation::List));
                }
                let after = match from {
                    From::Start => String::new(),
                    From::After(after) | From::Next(Next::Token(after)) => after,
                    From::Next(Next::Marker { .. }) => panic!("no versions here"),
                };
                let behind = keys.range((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded));
                let page: Vec<&String> = behind.take(usize::from(limit) + 1).collect();
                let shown = &page[..page.len().min(limit.into())];
                let next = (page.len() > shown.len()).then(|| Next::Token(shown.last().unwrap().to_string()));
                let entry = |key: &&String| Entry::object(Key::new(key.as_str()).unwrap(), 1);
                Ok(Page { entries: shown.iter().map(entry).collect(), next })
            }
            .boxed()
        }
    }

    fn block_on<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
    }

    fn names(entries: &[Entry]) -> Vec<String> {
        entries.iter().map(|entry| entry.key.to_string()).collect()
    }

    async fn all(source: Memory, request: &ListRequest, limit: u16) -> Result<Vec<String>> {
        Ok(names(&list(Arc::new(source), request, limit).try_concat().await?))
    }

    #[test]
    fn a_flat_prefix_is_listed_by_several_hands() {
        let keys: Vec<String> = (0..5000).map(|number| format!("flat/file-{number:06}.bin")).collect();
        let source = Memory { turns: 1, ..Memory::new(keys.clone()) };
        let calls = Arc::clone(&source.calls);
        let source = Arc::new(source);
        let ranges = block_on(async {
            let mut pages = list(Arc::clone(&source), &ListRequest::all("flat/"), 10);
            let mut got = Vec::new();
            while let Some(page) = pages.try_next().await.unwrap() {
                got.extend(names(&page));
            }
            assert_eq!(got, keys);
            calls.load(Ordering::Relaxed)
        });
        assert!(ranges < 500 * 3, "{ranges} requests for 500 pages");
    }

    /// A line on which every answer takes one second of a clock that stands still meanwhile.
    struct Far(Memory);

    impl Source for Far {
        fn page(&self, from: From, limit: u16) -> BoxFuture<'static, Result<Page>> {
            let answer = self.0.page(from, limit);
            async move {
                tokio::time::sleep(std::time::Duration::from_secs(1)).await;
                answer.await
            }
            .boxed()
        }
    }

    /// Round trips one after the other, and requests in all.
    async fn round_trips(keys: Vec<String>) -> (u64, usize) {
        let source = Memory::new(keys.clone());
        let calls = Arc::clone(&source.calls);
        let start = tokio::time::Instant::now();
        let got = list(Arc::new(Far(source)), &ListRequest::all(""), 10).try_concat().await.unwrap();
        assert_eq!(names(&got), keys);
        (start.elapsed().as_secs(), calls.load(Ordering::Relaxed))
    }

    #[tokio::test(start_paused = true)]
    async fn far_away_a_flat_prefix_takes_a_part_of_the_round_trips() {
        let numbers = (0..2500).map(|number| format!("{number:06}")).collect();
        let spread = |number: u64| number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        let mut words: Vec<String> = (0..2500).map(|number| format!("lib{:06x}", spread(number))).collect();
        words.sort();
        words.dedup();
        for keys in [numbers, words] {
            // 250 pages. The figures depend on nothing but this code: 75 and 388, 73 and 350 when this was written.
            let (trips, requests) = round_trips(keys).await;
            assert!(trips < 100 && requests < 450, "{trips} round trips, {requests} requests for 250 pages");
        }
    }

    #[test]
    fn an_error_anywhere_ends_the_listing_in_it() {
        let keys: Vec<String> = (0..2000).map(|number| format!("{number:06}")).collect();
        for fails_at in [0, 1, 7, 40] {
            let source = Memory { fails_at: Some(fails_at), turns: 1, ..Memory::new(keys.clone()) };
            let error = block_on(all(source, &ListRequest::all(""), 10)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Denied);
        }
    }

    #[test]
    fn keys_that_do_not_come_by_their_bytes_are_an_error() {
        let entries = |keys: &[&str]| -> Vec<Entry> {
            keys.iter().map(|key| Entry::object(Key::new(*key).unwrap(), 1)).collect()
        };
        assert!(check_order("a", &entries(&["b", "c"])).is_ok());
        for (position, keys) in [("", &["a", "a/b", "a!"][..]), ("b", &["b"]), ("", &["a", "a"])] {
            assert_eq!(check_order(position, &entries(keys)).unwrap_err().kind(), ErrorKind::Integrity);
        }
    }

    #[test]
    fn refused_directories_are_passed_over() {
        let inside = (0..3000).map(|number| format!("b/{number:05}"));
        let outside = ["a/1", "b", "b!", "b0", "c/1"].map(str::to_owned);
        let source = Memory::new(inside.chain(outside));
        let calls = Arc::clone(&source.calls);
        let request =
            ListRequest { enter: Some(Arc::new(|directory: &str| directory != "b/")), ..ListRequest::all("") };
        let got = block_on(all(source, &request, 10)).unwrap();
        let kept: Vec<&str> = got.iter().map(String::as_str).filter(|key| !key.starts_with("b/")).collect();
        assert_eq!(kept, ["a/1", "b", "b!", "b0", "c/1"]);
        assert!(calls.load(Ordering::Relaxed) < 20, "it was walked through");
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
        /// Whatever the keys and however workers overtake one another.
        #[test]
        fn the_listing_equals_the_sequential_one(
            keys in prop_oneof![
                proptest::collection::btree_set("p/[a-c0-9/\u{fc}\u{65e5}\u{1f600}\u{1}\u{7f}\u{10ffff}]{0,5}", 0..400),
                proptest::collection::btree_set("p/(x{1,40}|[0-9]{1,4}|d/[a-z]{1,3})", 0..400),
            ],
            limit in 1_u16..12,
            turns in 0_usize..4,
        ) {
            let source = Memory { turns, ..Memory::new(keys.clone()) };
            let got = block_on(all(source, &ListRequest::all("p/"), limit)).unwrap();
            prop_assert_eq!(got, keys.into_iter().collect::<Vec<_>>());
        }
    }
}
