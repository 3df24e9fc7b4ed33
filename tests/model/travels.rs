//! What must arrive beside the bytes, and by which road.

use std::{sync::Arc, time::Duration};

use sterna::{
    backends::{
        CopyAbility, Metadata, Store,
        memory::{Behaviour, Memory},
    },
    event::Deed,
    plan::{Intent, Item},
};

use crate::{
    engine::{self, alone, job},
    place::{self, Object, fill, key, second},
};

fn stores(source: &Memory, target: &Memory) -> (Arc<dyn Store>, [Arc<dyn Store>; 1]) {
    (Arc::new(source.clone()), [Arc::new(target.clone())])
}

/// A listing without times, a store without metadata: the time must still be asked for before the parts are sent.
#[test]
fn the_time_of_an_object_in_parts_arrives() {
    alone(async {
        let mut from = Behaviour::bare();
        from.capabilities.modified = Some(Duration::from_nanos(1));
        let mut to = Behaviour::strict();
        to.capabilities.multipart.as_mut().expect("strict has parts").threshold = 8;
        let (source, target) = (Memory::with("source", from), Memory::with("target", to));
        place::put(&source, &key("big"), &Object::new(vec![b'x'; 100]).at(second(7))).await;
        let (from, to) = stores(&source, &target);
        engine::simply(job(Intent::Copy, &from, &to)).await;
        assert_eq!(place::read(&target).await.tree[&key("big")].modified, Some(second(7)));
    });
}

#[test]
fn what_is_too_large_to_be_copied_goes_through_us() {
    alone(async {
        let mut behaviour = Behaviour::strict();
        behaviour.capabilities.multipart = None;
        behaviour.capabilities.copy = Some(CopyAbility { domain: "one".to_owned(), max_copy: 50, parts: false });
        let (source, target) = (Memory::with("source", behaviour.clone()), Memory::with("target", behaviour));
        place::put(&source, &key("fits"), &Object::new(vec![b'x'; 50])).await;
        place::put(&source, &key("large"), &Object::new(vec![b'x'; 51])).await;
        let (from, to) = stores(&source, &target);
        let ran = engine::simply(job(Intent::Copy, &from, &to)).await;
        let deeds: Vec<Deed> = ran.items.iter().filter_map(item_deed).collect();
        assert_eq!(deeds, [Deed::Copy, Deed::Transfer]);
        assert_eq!(ran.failed(), 0);
        assert_eq!(place::read(&target).await, place::read(&source).await);
    });
}

fn item_deed(item: &Item) -> Option<Deed> {
    if let Item::Action(action) = item { Some(action.deed) } else { None }
}

/// In one call, and where the object is larger than a copy takes.
#[test]
fn setting_a_time_leaves_what_lies_beside_it() {
    for max_copy in [4, 3] {
        alone(set_a_time(max_copy));
    }
}

async fn set_a_time(max_copy: u64) {
    let mut behaviour = Behaviour::strict();
    behaviour.capabilities.copy.as_mut().expect("strict copies").max_copy = max_copy;
    behaviour.capabilities.multipart.as_mut().expect("strict has parts").min_part = 1;
    let (source, target) = (Memory::new("source"), Memory::with("target", behaviour));
    let metadata = Metadata {
        content_type: Some("text/x-own".to_owned()),
        cache_control: Some("max-age=60".to_owned()),
        user: [("colour".to_owned(), "red".to_owned())].into(),
        ..Metadata::default()
    };
    let object = Object { metadata: metadata.clone(), ..Object::new("same") };
    place::put(&target, &key("a"), &object).await;
    fill(&source, &[(key("a"), Object::new("same").at(second(9)))].into()).await;
    let (from, to) = stores(&source, &target);
    let ran = engine::simply(job(Intent::Copy, &from, &to)).await;
    assert_eq!(ran.summary().outcome.targets[0].touched, 1, "{:?}", ran.events);
    assert_eq!(place::read(&target).await.tree[&key("a")], Object { metadata, ..object.at(second(9)) });
}
