//! Runs that are stopped while they are at work.

use std::sync::Arc;

use sterna::{
    backends::{
        Store,
        memory::{Behaviour, Memory},
    },
    event::Event,
    plan::{Groups, Intent},
    sync::{self, Job},
    transfer::{Records, Settings, Stop, StopReason, Work},
};

use crate::{
    engine::{self, alone, job, reread},
    place::{self, Object, key},
};

/// A plan ends long before its last object has arrived. Who is stopped between the two has left something undone, be it that
/// large objects wait for their turn or a group for the one before it, and must not pass for done.
#[test]
fn what_is_stopped_after_the_end_of_its_plan_is_not_done() {
    const OBJECTS: u64 = 20;
    let ordered = || Groups::from_texts(["first=0*", "then="]).expect("two groups");
    for (threshold, groups) in [(8, Groups::default()), (1000, ordered())] {
        let transferred = alone(async {
            let mut behaviour = Behaviour::strict();
            behaviour.capabilities.copy = None;
            behaviour.capabilities.multipart.as_mut().expect("strict has parts").threshold = threshold;
            let (source, target) = (Memory::with("source", behaviour.clone()), Memory::with("target", behaviour));
            for at in 0..OBJECTS {
                place::put(&source, &key(&format!("{at:02}")), &Object::new(vec![b'x'; 100])).await;
            }
            place::fill(&target, &place::tree([])).await;
            let (from, to): (Arc<dyn Store>, Arc<dyn Store>) = (Arc::new(source), Arc::new(target));
            let job = Job { groups, ..job(Intent::Copy, &from, &[to]) };
            let stop = Stop::default();
            let first = stop.clone();
            let observer = move |event: &Event| {
                if matches!(event, Event::Finished { .. }) {
                    first.stop(StopReason::MaxDuration);
                }
            };
            let work = Work {
                shelves: Default::default(),
                ordered: job.groups.is_ordered(),
                source: Arc::clone(&job.source),
                targets: job.targets.clone(),
                settings: Settings { transfers: Some(OBJECTS as usize), ..Settings::default() },
                policy: job.policy,
                records: Records::none(),
                observer: Arc::new(observer),
                stop,
            };
            let items = engine::plan(job).await.items;
            let items = futures::stream::iter(reread(&items).into_iter().map(Ok));
            let outcome = sync::apply(work, items).await.expect("the plan ends cleanly");
            assert_eq!(outcome.stopped, Some(StopReason::MaxDuration), "{outcome:?}");
            outcome.targets[0].transferred
        });
        assert!((1..OBJECTS).contains(&transferred), "{transferred}");
    }
}
