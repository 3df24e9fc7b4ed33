//! Programs carried out.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture};
use sterna_backends::{
    Body, ErrorKind, Key, ListRequest, PutRequest, ReadRequest, Result, Store,
    layer::{Counts, Meter},
};

use super::{
    Program, Slice, Speed, Step, Task,
    program::PARALLEL,
    step::{Stop, Told, timed},
};

/// Small objects that are under way together, where the store suggests no fewer.
const SMALL_AT_ONCE: usize = 16;

/// A place that is measured.
#[derive(Debug)]
pub struct Subject {
    /// The place.
    pub store: Arc<dyn Store>,
    /// What counts its requests, each attempt; `None` where they are no requests.
    pub meter: Option<Arc<Meter>>,
    /// What is done there.
    pub program: Program,
}

/// Measures `subjects` side by side: each task at all of them before the next. Says what it is at by `tell`, with the
/// number of the place. It never fails as a whole: what fails is counted. What it writes is left for
/// [`Reserve::sweep`](super::Reserve::sweep).
pub async fn run(subjects: &[Subject], stop: &Stop, mut tell: impl FnMut(usize, Task)) -> Vec<Speed> {
    let before: Vec<Counts> = subjects.iter().map(Subject::counts).collect();
    let mut speeds: Vec<Speed> =
        subjects.iter().map(|subject| Speed { own: subject.program.own, ..Speed::default() }).collect();
    for task in Task::ALL {
        for (at, (subject, speed)) in subjects.iter().zip(&mut speeds).enumerate() {
            let writes = matches!(task, Task::PutSmall | Task::PutStream | Task::PutParallel);
            if stop.is_set() || writes && speed.not_written.is_some() {
                continue;
            }
            let Some(operations) = subject.operations(task) else { continue };
            tell(at, task);
            let step = timed(task, operations, subject.at_once(task), stop).await;
            if writes && step.done == 0 {
                speed.not_written = refused(&step);
            }
            speed.steps.push(step);
        }
    }
    for ((subject, speed), before) in subjects.iter().zip(&mut speeds).zip(&before) {
        speed.count(before, &subject.counts());
        if subject.program.estimate().bytes_out == 0 {
            let read_only = subject.store.capabilities().read_only;
            speed.not_written =
                Some(if read_only { "the place is read only" } else { "it was not asked for" }.to_owned());
        }
    }
    speeds
}

/// Why nothing could be written, where the store will take nothing else either.
fn refused(step: &Step) -> Option<String> {
    let kinds = [ErrorKind::Denied, ErrorKind::Unsupported, ErrorKind::Full, ErrorKind::Capped];
    kinds.into_iter().find(|kind| step.failed.contains_key(kind.describe())).map(|kind| kind.describe().to_owned())
}

impl Speed {
    fn count(&mut self, before: &Counts, after: &Counts) {
        let errors = |counts: &Counts| counts.errors.iter().map(|(_, count)| count).sum::<u64>();
        let throttled = |counts: &Counts| counts.failed(ErrorKind::Throttled);
        self.requests = after.total() - before.total();
        self.errors = errors(after) - errors(before);
        self.throttled = throttled(after) - throttled(before);
        self.bytes = after.bytes_in + after.bytes_out - before.bytes_in - before.bytes_out;
    }
}

type Operations<'a> = Vec<BoxFuture<'a, Result<Told>>>;

impl Subject {
    fn counts(&self) -> Counts {
        self.meter.as_ref().map(|meter| meter.counts()).unwrap_or_default()
    }

    fn at_once(&self, task: Task) -> usize {
        match task {
            Task::List | Task::PutStream | Task::FirstByte | Task::GetStream => 1,
            Task::PutSmall | Task::GetSmall => SMALL_AT_ONCE.min(self.store.capabilities().transfers.max(1)),
            Task::PutParallel | Task::GetParallel => PARALLEL as usize,
        }
    }

    /// What the task is made of; `None` where there is nothing to do.
    fn operations(&self, task: Task) -> Option<Operations<'_>> {
        let program = &self.program;
        let puts = |objects: &[(Key, u64)]| objects.iter().map(|(key, size)| self.put(key.clone(), *size)).collect();
        let gets = |slices: &[Slice]| slices.iter().map(|slice| self.get(slice.clone(), task)).collect();
        let operations: Operations<'_> = match task {
            Task::List => return Some(self.pages(program.pages)),
            Task::PutSmall => puts(&program.put_small),
            Task::PutStream => puts(&program.put_stream),
            Task::PutParallel => puts(&program.put_parallel),
            Task::FirstByte => gets(&program.first_byte),
            Task::GetSmall => gets(&program.get_small),
            Task::GetStream => gets(&program.get_stream),
            Task::GetParallel => gets(&program.get_parallel),
        };
        (!operations.is_empty()).then_some(operations)
    }

    /// Pages of one listing: each operation takes the next, and the last finds that there is none.
    fn pages(&self, count: usize) -> Operations<'_> {
        let pages = self.store.list(ListRequest::all(""));
        let pages = Arc::new(tokio::sync::Mutex::new(pages.fuse()));
        let next = move |_| {
            let pages = Arc::clone(&pages);
            async move {
                let page = pages.lock().await.try_next().await?;
                let objects = page.map_or(0, |page| page.len() as u64);
                Ok(Told { objects, bytes: 0, latency: None })
            }
            .boxed()
        };
        (0..count).map(next).collect()
    }

    /// Writes bytes that no compression makes fewer.
    fn put(&self, key: Key, size: u64) -> BoxFuture<'_, Result<Told>> {
        let mut bytes = vec![0; usize::try_from(size).unwrap_or(usize::MAX)];
        fastrand::fill(&mut bytes);
        let bytes = Bytes::from(bytes);
        async move {
            let request = PutRequest { size: Some(size), ..PutRequest::default() };
            self.store.put(&key, request, Body::from(bytes)).await?;
            Ok(Told { objects: 1, bytes: size, latency: None })
        }
        .boxed()
    }

    /// Reads a range to its end and lets it go.
    fn get(&self, slice: Slice, task: Task) -> BoxFuture<'_, Result<Told>> {
        async move {
            let begun = Instant::now();
            let request = ReadRequest { range: Some(slice.range), ..ReadRequest::default() };
            let mut chunks = self.store.read(&slice.key, request).await?.body.chunks();
            let (mut bytes, mut first): (u64, Option<Duration>) = (0, None);
            while let Some(chunk) = chunks.try_next().await? {
                first.get_or_insert_with(|| begun.elapsed());
                bytes += chunk.len() as u64;
            }
            let latency = first.filter(|_| task == Task::FirstByte);
            Ok(Told { objects: 1, bytes, latency })
        }
        .boxed()
    }
}
