//! Promise 6: a run can be killed at any instant. Each life has a runtime of its own, which goes with it.

use std::sync::Arc;

use proptest::prelude::*;
use sterna::{
    backends::{
        Operation, Store,
        layer::Meter,
        memory::{Behaviour, Memory},
    },
    event::Event,
    plan::Intent,
    transfer::{Records, Settings},
};

use crate::{
    around::{Halt, Left, Watch},
    engine::{self, Ran, alone, job},
    place::{self, Object, key, second},
};

const MIB: usize = 1024 * 1024;

/// A store whose objects go in parts of 1 MiB.
fn in_parts(mut behaviour: Behaviour) -> Behaviour {
    behaviour.capabilities.multipart = Behaviour::strict().capabilities.multipart.map(|mut ability| {
        ability.threshold = 64;
        ability.max_part = MIB as u64;
        ability
    });
    behaviour.capabilities.copy = None;
    behaviour
}

/// Bytes that are another sequence for each `seed`.
fn noise(seed: u64, size: usize) -> Vec<u8> {
    let mut bytes = vec![0; size];
    fastrand::Rng::with_seed(seed).fill(&mut bytes);
    bytes
}

/// One life of a run: ends by itself, or after so many calls of either store, whichever comes first.
fn live(source: &Arc<dyn Store>, target: &Arc<dyn Store>, records: &Records, calls: u64) -> Option<Ran> {
    let left = Left::new(calls);
    let from: Arc<dyn Store> = Arc::new(Halt::new(Arc::clone(source), &left));
    let to: Arc<dyn Store> = Arc::new(Halt::new(Arc::clone(target), &left));
    let job = job(Intent::Sync, &from, &[to]);
    // One request at a time, so that it is known how far a life came.
    let settings = Settings { transfers: Some(1), ..Settings::default() };
    alone(async {
        tokio::select! {
            ran = engine::run(job, settings, records.clone()) => Some(ran),
            () = left.over() => None,
        }
    })
}

/// Lives until one comes to its end.
fn live_on(source: &Arc<dyn Store>, target: &Arc<dyn Store>, records: &Records, calls: u64) -> (Ran, u64) {
    for lives in 0..200 {
        // A little more each time, so that it ends even where every life needs a few calls to find its place.
        if let Some(ran) = live(source, target, records, calls + lives) {
            return (ran, lives);
        }
    }
    panic!("200 lives were not enough");
}

#[test]
fn promise_6_parts_are_resumed_and_not_sent_again() {
    let families = [Behaviour::strict(), Behaviour::s3(), Behaviour::directory(), Behaviour::bare()];
    for family in families {
        let source = Memory::with("source", family.clone());
        let target = Memory::with("target", in_parts(Behaviour::strict()));
        let size = 5 * MIB + 17;
        let object = Object::new(noise(1, size)).at(second(3));
        alone(place::put(&source, &key("big"), &object));
        let meter = Arc::new(Meter::new(Arc::new(target.clone())));
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::clone(&meter) as _);
        let folder = tempfile::tempdir().unwrap();
        let records = Records::new(folder.path());

        let mut calls = 0;
        while meter.counts().of(Operation::PutPart) < 3 {
            assert!(alone(place::read(&target)).tree.is_empty(), "nothing is visible before it is whole");
            calls += 1;
            assert!(live(&from, &to, &records, calls).is_none(), "killed before the third part was sent");
        }
        let sent = meter.counts();
        let parts = sent.of(Operation::PutPart);
        assert!(parts < 6, "something is left to do");
        let last = live(&from, &to, &records, u64::MAX).expect("nobody kills it");
        let resumed: Vec<u64> = last
            .events
            .iter()
            .filter_map(|event| if let Event::Resumed { bytes, .. } = event { Some(*bytes) } else { None })
            .collect();
        assert_eq!(resumed, [parts * MIB as u64], "{family:?}");
        let all = meter.counts();
        assert_eq!(all.of(Operation::PutPart), 6, "each part was sent once");
        assert_eq!(all.bytes_out, size as u64, "no byte was sent twice");
        assert_eq!(all.of(Operation::Begin), 1, "one upload over all lives");
        assert_eq!(alone(place::read(&target)).tree[&key("big")].bytes, object.bytes);
    }
}

/// Another content of the same size, between two lives: no part of the old one may be used.
#[test]
fn promise_6_parts_of_another_content_are_not_used() {
    for family in [Behaviour::strict(), Behaviour::s3(), Behaviour::directory(), Behaviour::bare()] {
        let source = Memory::with("source", family.clone());
        let target = Memory::with("target", in_parts(Behaviour::strict()));
        let (old, new) = (noise(1, 4 * MIB), noise(2, 4 * MIB));
        alone(place::put(&source, &key("big"), &Object::new(old).at(second(3))));
        let meter = Arc::new(Meter::new(Arc::new(target.clone())));
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source.clone()), Arc::clone(&meter) as _);
        let folder = tempfile::tempdir().unwrap();
        let records = Records::new(folder.path());
        let mut calls = 0;
        while meter.counts().of(Operation::PutPart) < 2 {
            calls += 1;
            assert!(live(&from, &to, &records, calls).is_none());
        }
        alone(place::put(&source, &key("big"), &Object::new(new.clone()).at(second(4))));
        live(&from, &to, &records, u64::MAX).expect("nobody kills it");
        assert!(alone(place::read(&target)).tree[&key("big")].bytes == new, "torn from a source like {family:?}");
        assert_eq!(alone(to.uploads("")).unwrap().len(), 0, "the parts of the old content are freed");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn promise_6_killed_anywhere_and_run_again_it_arrives_without_doing_work_twice(
        trees in (crate::arbitrary::tree(), crate::arbitrary::tree()),
        parts in any::<bool>(),
        calls in 1_u64..20,
    ) {
        let family = if parts { in_parts(Behaviour::s3()) } else { Behaviour { page: 3, ..Behaviour::s3() } };
        let mut source_family = family.clone();
        source_family.capabilities.copy = None;
        let (source, target) = (Memory::with("source", source_family), Memory::with("target", family));
        let (old, new) = alone(async {
            place::fill(&source, &trees.0).await;
            place::fill(&target, &trees.1).await;
            (place::read(&target).await.tree, place::read(&source).await.tree)
        });
        let watch = Arc::new(Watch::new(&target, &old, &new));
        let meter = Arc::new(Meter::new(Arc::clone(&watch) as _));
        let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::clone(&meter) as _);
        let folder = tempfile::tempdir().unwrap();
        let (ran, _) = live_on(&from, &to, &Records::new(folder.path()), calls);
        prop_assert!(watch.torn().is_empty(), "{:?}", watch.torn());
        prop_assert_eq!(ran.failed(), 0);
        let done = meter.counts();
        let work = new.iter().filter(|(name, object)| old.get(*name).map(|old| &old.bytes) != Some(&object.bytes));
        let (objects, bytes) = work.fold((0, 0), |(count, bytes), (_, object)| (count + 1, bytes + object.bytes.len() as u64));
        prop_assert!(done.of(Operation::Put) + done.of(Operation::Complete) <= objects, "{done:?}, {objects} objects");
        prop_assert!(done.bytes_out <= bytes, "{done:?}, {bytes} bytes");
        let now = alone(place::read(&target)).tree;
        prop_assert!(new.iter().all(|(name, object)| now.get(name).is_some_and(|now| now.bytes == object.bytes)));
    }
}
