//! What a run does where its own disk fails.

use std::sync::Arc;

use futures::stream;
use sterna_backends::{ErrorKind, Key, Store, memory::Memory};

use super::{Records, Settings, Stop, Target, Work, gate::Gate, room::Room, run::Runner};
use crate::{
    compare::Policy,
    event::Event,
    index::Shelves,
    plan::{Item, Problem},
};

fn runner() -> Runner {
    let store = |name: &str| -> Arc<dyn Store> { Arc::new(Memory::new(name)) };
    let (source, target) = (store("source"), store("target"));
    let shelves = Shelves::of(None, [&source, &target]);
    Runner::new(Work {
        source,
        targets: vec![Target { store: target, backup: None, searched: Vec::new() }],
        settings: Settings::default(),
        policy: Policy::default(),
        records: Records::none(),
        ordered: true,
        shelves,
        observer: Arc::new(|_: &Event| {}),
        stop: Stop::default(),
    })
}

/// It was a failure without a reason.
#[tokio::test]
async fn what_was_set_aside_and_cannot_be_read_back_is_told() {
    for deletes in [false, true] {
        let mut runner = runner();
        runner.rooms[0] = Some(Room::broken(deletes));
        let error = runner.drive(stream::empty()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
    }
    let mut runner = runner();
    runner.gates[0] = Gate::broken();
    let problem = Problem { to: 1, key: Key::new("a").unwrap(), group: 1, problem: String::new() };
    let error = runner.drive(stream::iter([Ok(Item::Problem(problem))])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Integrity, "{error}");
}
