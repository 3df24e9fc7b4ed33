//! Promise 9: memory is bounded. Made-up objects by the hundred thousand, in a process of their own.

use std::{env, process::Command, sync::Arc};

use async_trait::async_trait;
use futures::{StreamExt, stream};
use sterna::{
    backends::{
        Body, Capabilities, Digest, Entry, Error, Key, KeyRules, ListRequest, Operation, Order, Pages, PutRequest,
        ReadRequest, Reader, Result, Store, Timestamp, Version, memory::Behaviour, store::Deleted,
    },
    event::Deed,
    plan::{Intent, Item},
};

use crate::{
    engine::{alone, job},
    place::second,
};

/// How far the process may grow, in KiB: 128 MiB. All entries of both sides would take more than 200.
const GROWTH: u64 = 128 * 1024;

/// Says to the child that it is the child.
const CHILD: &str = "STERNA_MODEL_CHILD";

/// What the child says.
const GREW: &str = "the process grew by";

/// A store that makes its listing up as it is asked for it, and can do nothing else.
#[derive(Debug)]
struct Generated {
    capabilities: Capabilities,
    /// It has some of the numbers below this one.
    objects: u64,
    /// Which of them.
    has: fn(u64) -> bool,
    /// The n-th entry told is number `n * step % objects`.
    step: u64,
}

impl Generated {
    fn open(order: Order, objects: u64, has: fn(u64) -> bool) -> Arc<dyn Store> {
        let mut capabilities = Behaviour::strict().capabilities;
        capabilities.order = order;
        capabilities.copy = None;
        capabilities.keys = KeyRules { file_beside_directory: false, ..KeyRules::ANY };
        // A number that shares no divisor with `objects` visits all of them, in no order.
        let step = if order == Order::Bytes { 1 } else { 736_951 };
        Arc::new(Self { capabilities, objects, has, step })
    }
}

fn entry(number: u64) -> Entry {
    let key = Key::new(format!("packages/x86_64/{:04}/object-{number:09}.hpkg", number / 1000)).expect("it is a key");
    Entry {
        modified: Some(Timestamp::from_nanos(second(0).as_nanos() + number as i64)),
        etag: Some(format!("{number:032x}").into()),
        digests: [Digest::Md5(u128::from(number).to_be_bytes())].into_iter().collect(),
        ..Entry::object(key, 1000 + number)
    }
}

fn nothing<T>(operation: Operation) -> Result<T> {
    Err(Error::unsupported(operation, "it is made up"))
}

#[async_trait]
impl Store for Generated {
    fn name(&self) -> &str {
        "generated:"
    }

    fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    fn list(&self, _request: ListRequest) -> Pages {
        let Self { objects, has, step, .. } = *self;
        let page = move |page: u64| {
            let numbers = page * 1000..(page + 1) * 1000;
            Ok(numbers.map(|n| n * step % objects).filter(|number| has(*number)).map(entry).collect())
        };
        stream::iter((0..objects / 1000).map(page)).boxed()
    }

    async fn stat(&self, _key: &Key, _version: Option<&Version>) -> Result<Entry> {
        nothing(Operation::Stat)
    }

    async fn read(&self, _key: &Key, _request: ReadRequest) -> Result<Reader> {
        nothing(Operation::Read)
    }

    async fn put(&self, _key: &Key, _request: PutRequest, _body: Body) -> Result<Entry> {
        nothing(Operation::Put)
    }

    async fn delete(&self, targets: &[Deleted]) -> Vec<Result<()>> {
        targets.iter().map(|_| nothing(Operation::Delete)).collect()
    }

    async fn make_directory(&self, _path: &str) -> Result<()> {
        nothing(Operation::MakeDirectory)
    }

    async fn remove_directory(&self, _path: &str) -> Result<()> {
        nothing(Operation::Delete)
    }
}

/// A field of this process's status, in KiB.
fn status(field: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux tells");
    let line = status.lines().find(|line| line.starts_with(field)).expect("it has the field");
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number of KiB")
}

/// Plans a sync in which 1 of 100 is to be sent and 3 of 10 are to be deleted. Returns by how much the process grew.
fn measure(order: Order, objects: u64) -> String {
    let before = status("VmHWM:");
    let (mut sent, mut deleted) = (0, 0);
    alone(async {
        let source = Generated::open(order, objects, |number| number % 10 < 7);
        let target = Generated::open(order, objects, |number| number % 100 != 0);
        let mut asked = job(Intent::Sync, &source, &[target]);
        asked.max_delete = "100%".parse().expect("a percentage");
        let mut items = Box::pin(sterna::sync::plan(asked).items);
        while let Some(item) = items.next().await {
            match item.expect("listings that are made up do not break") {
                Item::Action(action) if action.deed == Deed::Delete => deleted += 1,
                Item::Action(_) => sent += 1,
                broken @ (Item::Problem(_) | Item::Lost(_)) => panic!("{broken:?}"),
            }
        }
    });
    assert_eq!((sent, deleted), (objects / 100, objects * 3 / 10));
    let growth = status("VmHWM:") - before;
    assert!(growth < GROWTH, "{order:?}: the process grew by {} MiB", growth / 1024);
    format!("{GREW} {} MiB", growth / 1024)
}

/// Runs `measure` in a process of its own: the test of that name once more, alone. Returns what was measured.
fn alone_in_a_process(name: &str, measure: impl FnOnce() -> String) -> String {
    if env::var_os(CHILD).is_some() {
        return measure();
    }
    let output = Command::new(env::current_exe().expect("it runs"))
        .args([name, "--exact", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it can be run again");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", String::from_utf8_lossy(&output.stderr));
    said.lines().find(|line| line.contains(GREW)).expect("the child has measured").to_owned()
}

#[test]
fn promise_9_a_million_objects_a_side_in_order() {
    let name = "memory::promise_9_a_million_objects_a_side_in_order";
    println!("{}", alone_in_a_process(name, || measure(Order::Bytes, 1_000_000)));
}

#[test]
fn promise_9_objects_in_no_order_are_sorted_on_disk() {
    let name = "memory::promise_9_objects_in_no_order_are_sorted_on_disk";
    println!("{}", alone_in_a_process(name, || measure(Order::Unknown, 250_000)));
}
