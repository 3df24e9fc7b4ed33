//! Random stores, trees, edits and wishes. Names and contents are few, so that they often meet.

use std::time::Duration;

use bytes::Bytes;
use proptest::{collection::vec, option, prelude::*, sample::select, sample::subsequence};
use sterna::{
    backends::{
        Algorithm, CopyAbility, Key, Metadata, MultipartAbility, Order, Timestamp,
        memory::{Behaviour, Listed},
    },
    compare::{Mode, Policy},
    plan::{Intent, MaxDelete},
};

use crate::{
    engine,
    model::{Kept, Only, Wishes},
    place::{Object, Tree, key, second},
};

/// From this size objects go in parts, where the store has such.
pub const THRESHOLD: u64 = 64;

const NAMES: [&str; 17] = [
    "a",
    "a!",
    "a.b",
    "a/b",
    "a/b/c",
    "a/c.txt",
    "b",
    "b/x.txt",
    "c.html",
    "é",
    "e\u{301}",
    "日本/語.html",
    "tab\t",
    "z//y",
    "/lead",
    "trail/",
    "d/../e",
];

pub fn name() -> impl Strategy<Value = Key> {
    select(&NAMES[..]).prop_map(key)
}

/// Few sizes, few contents: equal sizes with other bytes, and equal bytes, are likely.
fn content() -> impl Strategy<Value = Bytes> {
    (select(&[0_usize, 1, 5, 40, 100, 200][..]), select(&b"xyz"[..])).prop_map(|(size, byte)| vec![byte; size].into())
}

/// Times near enough to be one at a coarse precision.
fn time() -> impl Strategy<Value = Timestamp> {
    select(&[0_i64, 1, 400_000_000, 1_500_000_000, 10_000_000_000, 90_000_000_000][..])
        .prop_map(|nanos| Timestamp::from_nanos(second(0).as_nanos() + nanos))
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let user = option::weighted(0.3, select(&["red", "green"][..]));
    (option::weighted(0.3, Just("text/x-model".to_owned())), user).prop_map(|(content_type, colour)| Metadata {
        content_type,
        user: colour.map(|colour| ("colour".to_owned(), colour.to_owned())).into_iter().collect(),
        ..Metadata::default()
    })
}

pub fn object() -> impl Strategy<Value = Object> {
    (content(), option::weighted(0.9, time()), metadata()).prop_map(|(bytes, modified, metadata)| Object {
        bytes,
        modified,
        metadata,
    })
}

/// A tree of up to 12 objects, without regard to what a store can hold.
pub fn tree() -> impl Strategy<Value = Tree> {
    vec((name(), object()), 0..12).prop_map(|objects| objects.into_iter().collect())
}

/// A store of some family, twisted.
pub fn behaviour() -> impl Strategy<Value = Behaviour> {
    let family = prop_oneof![
        Just(Behaviour::strict()),
        Just(Behaviour::s3()),
        Just(Behaviour::versioned()),
        Just(Behaviour::directory()),
        Just(Behaviour::bare()),
    ];
    let listing = (select(&[1_usize, 2, 3, 7][..]), any::<bool>(), any::<u64>(), any::<bool>());
    let knows = (
        option::weighted(0.8, select(&[1_u64, 1000, 1_000_000_000, 2_000_000_000][..]).prop_map(Duration::from_nanos)),
        any::<bool>(),
        subsequence(&[Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256][..], 0..=2),
        any::<bool>(),
        any::<bool>(),
    );
    let does = (
        option::weighted(0.5, select(&["memory", "elsewhere"][..])),
        any::<bool>(),
        option::weighted(0.5, 1_usize..90),
        1_usize..4,
        any::<bool>(),
        select(&[50_u64, 5000][..]),
    );
    (family, listing, option::weighted(0.7, knows), does).prop_map(|(mut behaviour, listing, knows, does)| {
        let (page, overlapping, seed, tree) = listing;
        behaviour.page = page;
        behaviour.overlapping_pages = overlapping;
        let can = &mut behaviour.capabilities;
        if can.order == Order::Unknown {
            behaviour.listed = if tree { Listed::Tree } else { Listed::Shuffled(seed) };
        }
        if let Some((precision, times_in_list, computes, digests_in_list, cheap_read)) = knows {
            can.modified = precision;
            can.modified_in_list = precision.is_some() && times_in_list;
            can.digests_in_list = if digests_in_list { computes.clone() } else { Vec::new() };
            can.digests_in_stat = if digests_in_list { Vec::new() } else { computes.clone() };
            can.cheap_read = cheap_read;
            behaviour.computes = computes;
        }
        let (domain, multipart, read_chunk, delete_batch, conditional, max_copy) = does;
        can.copy = domain.map(|domain| CopyAbility { domain: domain.to_owned(), max_copy, parts: multipart });
        can.multipart = multipart.then_some(MultipartAbility {
            min_part: 1,
            max_part: 1 << 20,
            min_parts: 1,
            max_parts: 100,
            part: None,
            threshold: THRESHOLD,
            resumable: true,
            tells_begun: true,
            part_digest: behaviour.computes.first().copied(),
            part_checksum: None,
        });
        can.conditional_put = conditional && behaviour.etags;
        can.delete_batch = delete_batch;
        behaviour.read_chunk = read_chunk;
        behaviour
    })
}

fn policy() -> impl Strategy<Value = Policy> {
    let mode = prop_oneof![
        4 => Just(Mode::Default),
        2 => Just(Mode::Checksum),
        1 => Just(Mode::SizeOnly),
        1 => Just(Mode::IgnoreTimes),
    ];
    let flag = || proptest::bool::weighted(0.15);
    (mode, flag(), flag(), flag(), flag()).prop_map(|(mode, update, ignore_existing, immutable, keep_times)| Policy {
        mode,
        update,
        ignore_existing,
        immutable,
        keep_times,
        ..engine::policy()
    })
}

/// What a user asks for.
pub fn wishes() -> impl Strategy<Value = Wishes> {
    let intent = prop_oneof![2 => Just(Intent::Copy), 3 => Just(Intent::Sync), 1 => Just(Intent::Move)];
    let only = prop_oneof![
        4 => Just(Only::Everything),
        1 => Just(Only::OutsideA),
        1 => Just(Only::Texts),
        1 => Just(Only::TopLevel),
    ];
    let max_delete = prop_oneof![
        Just(MaxDelete::default()),
        Just(MaxDelete::Percent(100)),
        (0_u8..100).prop_map(MaxDelete::Percent),
        (0_u64..6).prop_map(MaxDelete::Count),
    ];
    let kept = prop_oneof![
        2 => Just(Kept::Nowhere),
        1 => Just(Kept::Beside { suffix: String::new() }),
        1 => Just(Kept::Beside { suffix: ".old".to_owned() }),
    ];
    (intent, policy(), only, max_delete, kept).prop_map(|(intent, policy, only, max_delete, kept)| Wishes {
        intent,
        policy,
        only,
        max_delete,
        kept,
    })
}

/// Somebody else's change.
#[derive(Clone, Debug)]
pub struct Edit {
    pub at_source: bool,
    pub name: Key,
    /// `None`: it is deleted.
    pub object: Option<Object>,
}

pub fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (any::<bool>(), name(), option::weighted(0.7, object()));
    vec(edit.prop_map(|(at_source, name, object)| Edit { at_source, name, object }), 0..6)
}
