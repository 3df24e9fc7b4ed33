//! Sorting a listing that comes in another order, with bounded memory: sorted runs on disk, then a merge.

use std::{cmp::Reverse, collections::BinaryHeap};

use futures::{StreamExt, TryStreamExt, stream};
use sterna_backends::{Entry, Error, ErrorKind, Key, Operation, Pages, Result};
use tokio::sync::mpsc;

use super::Spool;

/// Bytes of entries (estimated) held in memory before a run goes to disk. Measured with entries that have a tag and a
/// digest, the process grows by not quite twice as much for each place that is sorted.
pub(super) const RUN_BYTES: usize = 24 * 1024 * 1024;

/// Entries a page of the sorted listing has.
const PAGE: usize = 1000;

/// Rough bytes an entry takes in memory beside its key: the struct, its digests, its allocations.
const ENTRY_BYTES: usize = 320;

/// The same entries in byte order. Reads `pages` to their end first; an error there is the only thing told.
pub(super) fn sorted(pages: Pages, run_bytes: usize) -> Pages {
    stream::once(gather(pages, run_bytes)).map_ok(Sorted::into_pages).try_flatten().boxed()
}

/// All runs: the last one in memory, the others on disk.
struct Sorted {
    memory: Vec<Entry>,
    disk: Vec<Spool<Entry>>,
}

async fn gather(mut pages: Pages, run_bytes: usize) -> Result<Sorted> {
    let mut sorted = Sorted { memory: Vec::new(), disk: Vec::new() };
    let mut bytes = 0;
    while let Some(page) = pages.try_next().await? {
        bytes += page.iter().map(|entry| entry.key.len() + ENTRY_BYTES).sum::<usize>();
        sorted.memory.extend(page);
        if bytes >= run_bytes {
            let run = std::mem::take(&mut sorted.memory);
            let written = tokio::task::spawn_blocking(move || write_run(run)).await;
            sorted.disk.push(written.map_err(|panic| Error::new(ErrorKind::Other, Operation::List).because(panic))??);
            bytes = 0;
        }
    }
    sorted.memory.sort_by(|a, b| a.key.cmp(&b.key));
    Ok(sorted)
}

fn write_run(mut run: Vec<Entry>) -> Result<Spool<Entry>> {
    run.sort_by(|a, b| a.key.cmp(&b.key));
    let mut spool = Spool::new(0);
    run.iter().try_for_each(|entry| spool.push(entry))?;
    Ok(spool)
}

impl Sorted {
    fn into_pages(self) -> Pages {
        if self.disk.is_empty() {
            let mut rest = self.memory;
            rest.reverse();
            return stream::iter(std::iter::from_fn(move || {
                let at = rest.len().saturating_sub(PAGE);
                let page: Vec<Entry> = rest.drain(at..).rev().collect();
                (!page.is_empty()).then_some(Ok(page))
            }))
            .boxed();
        }
        ahead(move || merge(self.disk, self.memory))
    }
}

/// Pages of what `make` gives, gone through on a blocking thread that is a few pages ahead of the reader.
fn ahead<I: Iterator<Item = Result<Entry>>>(make: impl FnOnce() -> I + Send + 'static) -> Pages {
    let (send, receive) = mpsc::channel(4);
    let reading = tokio::task::spawn_blocking(move || {
        let mut entries = make();
        loop {
            let page: Result<Vec<Entry>> = entries.by_ref().take(PAGE).collect();
            let over = page.as_ref().map_or(true, |page| page.len() < PAGE);
            if send.blocking_send(page).is_err() || over {
                return;
            }
        }
    });
    stream::unfold((receive, Some(reading)), |(mut receive, mut reading)| async move {
        if let Some(page) = receive.recv().await {
            return Some((page, (receive, reading)));
        }
        // A thread that fell over must not look like one that came to the end.
        let panic = reading.take()?.await.err()?;
        Some((Err(Error::new(ErrorKind::Other, Operation::List).because(panic)), (receive, None)))
    })
    .boxed()
}

/// K-way merge; among equal keys the run written first comes first. An error ends it.
struct Runs {
    runs: Vec<Box<dyn Iterator<Item = Result<Entry>>>>,
    heads: Vec<Option<Entry>>,
    heap: BinaryHeap<Reverse<(Key, usize)>>,
    failure: Option<Error>,
}

fn merge(disk: Vec<Spool<Entry>>, memory: Vec<Entry>) -> Runs {
    let mut merged = Runs { runs: Vec::new(), heads: Vec::new(), heap: BinaryHeap::new(), failure: None };
    for spool in disk {
        match spool.read() {
            Ok(run) => merged.runs.push(Box::new(run)),
            Err(error) => merged.failure = Some(error),
        }
    }
    merged.runs.push(Box::new(memory.into_iter().map(Ok)));
    merged.heads.resize_with(merged.runs.len(), || None);
    (0..merged.runs.len()).for_each(|run| merged.advance(run));
    merged
}

impl Runs {
    fn advance(&mut self, run: usize) {
        match self.runs[run].next() {
            Some(Ok(entry)) => {
                self.heap.push(Reverse((entry.key.clone(), run)));
                self.heads[run] = Some(entry);
            }
            Some(Err(error)) => self.failure = Some(error),
            None => {}
        }
    }
}

impl Iterator for Runs {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        if let Some(error) = self.failure.take() {
            self.heap.clear();
            return Some(Err(error));
        }
        let Reverse((_, run)) = self.heap.pop()?;
        let entry = self.heads[run].take()?;
        self.advance(run);
        Some(Ok(entry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_whatever_comes_with_any_run_size(keys in proptest::collection::vec("[a-d/!.é]{1,6}", 0..300), run in 1_usize..20_000) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let entries: Vec<Entry> = keys.iter().map(|key| Entry::object(Key::new(key.as_str()).unwrap(), key.len() as u64)).collect();
            let pages = entries.chunks(7).map(|page| Ok(page.to_vec())).collect::<Vec<_>>();
            let got: Vec<Entry> = runtime.block_on(sorted(stream::iter(pages).boxed(), run).try_concat()).unwrap();
            let mut want = entries;
            want.sort_by(|a, b| a.key.cmp(&b.key));
            prop_assert_eq!(got, want);
        }
    }

    /// What is missing at the end of a listing would be deleted.
    #[tokio::test]
    async fn a_thread_that_falls_over_is_no_end() {
        let entry = |at: usize| Ok(Entry::object(Key::new(format!("{at:05}")).unwrap(), 1));
        let entries = (0..3 * PAGE).map(move |at| if at == 2 * PAGE { panic!("a bug") } else { entry(at) });
        let pages: Vec<Result<Vec<Entry>>> = ahead(move || entries).collect().await;
        assert_eq!((pages.len(), pages.iter().filter(|page| page.is_ok()).count()), (3, 2));
        assert!(pages[2].is_err());
    }

    #[tokio::test]
    async fn tells_an_error_and_nothing_else() {
        let page = Ok(vec![Entry::object(Key::new("a").unwrap(), 1)]);
        let broken = Err(Error::new(ErrorKind::Denied, Operation::List));
        let mut pages = sorted(stream::iter([page, broken]).boxed(), RUN_BYTES);
        assert_eq!(pages.try_next().await.unwrap_err().kind(), ErrorKind::Denied);
    }
}
