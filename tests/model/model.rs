//! What a run may make of two places, written down without the engine's words.
//!
//! Where the engine is free (equal bytes may be left, touched or sent again), the model says what may come;
//! everywhere else it says what must.

use std::{collections::BTreeMap, sync::Arc};

use sterna::{
    backends::{Key, Timestamp, memory::Behaviour},
    compare::{Mode, Policy},
    list::filter::{Filter, FilterBuilder},
    plan::{Intent, MaxDelete},
};

use crate::place::{Object, Place, Tree, below, key};

/// What a user asks for.
#[derive(Clone, Debug)]
pub struct Wishes {
    pub intent: Intent,
    pub policy: Policy,
    pub only: Only,
    pub max_delete: MaxDelete,
    pub kept: Kept,
}

/// Which objects the run is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Only {
    Everything,
    OutsideA,
    Texts,
    TopLevel,
}

/// Where overwritten and deleted objects are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kept {
    Nowhere,
    Beside { suffix: String },
}

impl Only {
    pub fn filter(self) -> Arc<Filter> {
        let mut builder = FilterBuilder::new();
        match self {
            Self::Everything => &mut builder,
            Self::OutsideA => builder.exclude("/a/**"),
            Self::Texts => builder.include("*.txt"),
            Self::TopLevel => builder.max_depth(1),
        };
        Arc::new(builder.build().expect("these filters can be built"))
    }

    pub fn admits(self, name: &str) -> bool {
        match self {
            Self::Everything => true,
            Self::OutsideA => !name.starts_with("a/"),
            Self::Texts => name.ends_with(".txt"),
            Self::TopLevel => !name.contains('/'),
        }
    }
}

/// What is to become of a key at the destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// It is what it was.
    Stays,
    /// It is sent.
    Sent,
    /// It has the source's bytes already; its time may be set, or it may be sent again.
    Equal,
    /// Size and time are equal and the bytes are not: it may be found, and need not.
    Alike,
    /// The order of their times decides, and nobody knows the times.
    Unclear,
    /// It is sent once what stands in its way is deleted, if that is allowed.
    Follows,
    /// It cannot be made what it should be.
    Refused,
    /// The bytes are equal and the run may not know: it may refuse to overwrite them.
    MayBeRefused,
    /// It is to be deleted, if that is allowed.
    Extra,
}

/// The two places before the run, and how they behave.
pub struct Before<'a> {
    pub source: (&'a Behaviour, &'a Place),
    pub target: (&'a Behaviour, &'a Place),
}

/// What was found after the run.
pub struct After<'a> {
    pub source: &'a Place,
    pub target: &'a Place,
    pub backup: &'a Place,
    /// Whether any action failed.
    pub failed: bool,
}

/// Checks what a run has made. Returns what is wrong.
pub fn check(wishes: &Wishes, before: &Before<'_>, after: &After<'_>) -> Result<(), String> {
    let fates = fates(wishes, before);
    let refused = fates.values().any(|fate| *fate == Fate::Refused);
    let follows = fates.values().any(|fate| *fate == Fate::Follows);
    let must_fail = refused || follows && !permitted(wishes, before);
    let open = |fate: &Fate| matches!(fate, Fate::MayBeRefused | Fate::Alike | Fate::Unclear);
    let may_fail = wishes.policy.immutable && fates.values().any(open);
    if must_fail && !after.failed || after.failed && !must_fail && !may_fail {
        return Err(format!("failed: {}, and the model has {fates:?}", after.failed));
    }
    let deletes = !after.failed && permitted(wishes, before);
    for (name, fate) in &fates {
        let gone = *fate == Fate::Extra && deletes;
        destination((wishes, before, after), name, *fate, deletes)
            .map_err(|why| format!("{name:?} ({fate:?}): {why}"))?;
        backup(wishes, before, after, name, *fate, gone).map_err(|why| format!("backup of {name:?}: {why}"))?;
        source(wishes, before, after, name, *fate).map_err(|why| format!("source of {name:?} ({fate:?}): {why}"))?;
    }
    let known = |place: &Tree| place.keys().all(|name| fates.contains_key(name));
    if known(&after.source.tree) && known(&after.target.tree) { Ok(()) } else { Err("a key came from nowhere".into()) }
}

fn fates(wishes: &Wishes, before: &Before<'_>) -> BTreeMap<Key, Fate> {
    let (source, target) = (&before.source.1.tree, &before.target.1.tree);
    let names = source.keys().chain(target.keys());
    names
        .map(|name| {
            let fate = match (source.get(name), target.get(name)) {
                _ if !wishes.only.admits(name) => Fate::Stays,
                (Some(_), _) if unfit(wishes, before, name) => Fate::Refused,
                (Some(mine), Some(theirs)) => pair(&wishes.policy, before, mine, theirs),
                (Some(_), None) if in_the_way(before.target.1, name, before.target.0) => room(wishes, before, name),
                (Some(_), None) => Fate::Sent,
                (None, _) if wishes.intent == Intent::Sync => Fate::Extra,
                (None, _) => Fate::Stays,
            };
            (name.clone(), fate)
        })
        .collect()
}

/// Whether the destination cannot hold `name`, beside the source's other objects.
fn unfit(wishes: &Wishes, before: &Before<'_>, name: &Key) -> bool {
    let rules = before.target.0.capabilities.keys;
    let mut others = before.source.1.tree.keys().filter(|other| wishes.only.admits(other));
    rules.refuse(name).is_some() || !rules.file_beside_directory && others.any(|other| below(name, other))
}

/// Whether a file or directory of the destination stands where `name` is to go.
fn in_the_way(target: &Place, name: &Key, behaviour: &Behaviour) -> bool {
    let beside = target.tree.keys().any(|other| below(name, other) || below(other, name));
    let empty = target.empty.iter().any(|directory| below(directory, name));
    !behaviour.capabilities.keys.file_beside_directory && (beside || empty)
}

/// What follows where something stands in the way: it goes first, if all of it is extra and deletes are made.
fn room(wishes: &Wishes, before: &Before<'_>, name: &Key) -> Fate {
    let (source, target) = (&before.source.1.tree, before.target.1);
    let mut beside = target.tree.keys().filter(|other| below(name, other) || below(other, name)).peekable();
    let empty = target.empty.iter().any(|directory| below(directory, name));
    let goes = beside.peek().is_some() && beside.all(|other| !source.contains_key(other) && wishes.only.admits(other));
    if wishes.intent == Intent::Sync && goes && !empty { Fate::Follows } else { Fate::Refused }
}

/// Whether an extra object stands in the way of one of the source's.
fn in_the_way_of(wishes: &Wishes, before: &Before<'_>, extra: &Key) -> bool {
    let mut wanted = before.source.1.tree.keys().filter(|name| wishes.only.admits(name));
    let rules = before.target.0.capabilities.keys;
    !rules.file_beside_directory && wanted.any(|name| below(name, extra) || below(extra, name))
}

/// What follows for a key that both have.
fn pair(policy: &Policy, before: &Before<'_>, mine: &Object, theirs: &Object) -> Fate {
    let sides = [&before.source.0.capabilities, &before.target.0.capabilities];
    let precision = sides.map(|can| can.modified).into_iter().flatten().max().unwrap_or_default();
    let window = i64::try_from(precision.as_nanos()).expect("precisions are short");
    let times = mine.modified.zip(theirs.modified);
    let apart = times.map(|(mine, theirs)| theirs.as_nanos() - mine.as_nanos());
    if policy.ignore_existing {
        return Fate::Stays;
    }
    if policy.update {
        match apart {
            None => return Fate::Unclear,
            Some(apart) if apart > window => return Fate::Stays,
            Some(_) => {}
        }
    }
    let equal = mine.bytes == theirs.bytes;
    let same_size = mine.bytes.len() == theirs.bytes.len();
    let fate = match policy.mode {
        Mode::IgnoreTimes => Fate::Sent,
        Mode::SizeOnly if same_size => Fate::Stays,
        _ if equal && policy.immutable && apart.is_none_or(|apart| apart != 0) => return Fate::MayBeRefused,
        _ if equal => Fate::Equal,
        Mode::Default if same_size && !share_a_digest(before) && apart.is_some_and(|apart| apart.abs() <= window) => {
            return Fate::Alike;
        }
        _ => Fate::Sent,
    };
    if policy.immutable && fate == Fate::Sent { Fate::Refused } else { fate }
}

/// Whether both listings tell a digest of the same kind, of every object.
pub fn share_a_digest(before: &Before<'_>) -> bool {
    let told = |behaviour: &Behaviour| {
        let list = behaviour.capabilities.digests_in_list.clone();
        list.into_iter().filter(|kind| behaviour.computes.contains(kind)).collect::<Vec<_>>()
    };
    told(before.source.0).iter().any(|kind| told(before.target.0).contains(kind))
}

/// Whether the extra objects are few enough.
fn permitted(wishes: &Wishes, before: &Before<'_>) -> bool {
    let admitted = |place: &Place| place.tree.keys().filter(|name| wishes.only.admits(name)).cloned().collect();
    let (source, target): (Vec<Key>, Vec<Key>) = (admitted(before.source.1), admitted(before.target.1));
    let extra = target.iter().filter(|name| !source.contains(name)).count();
    match wishes.max_delete {
        MaxDelete::Percent(100) => true,
        _ if source.is_empty() => extra == 0,
        MaxDelete::Percent(percent) => extra * 100 <= target.len() * usize::from(percent),
        MaxDelete::Count(count) => extra as u64 <= count,
    }
}

fn destination(
    (wishes, before, after): (&Wishes, &Before<'_>, &After<'_>),
    name: &Key,
    fate: Fate,
    deletes: bool,
) -> Result<(), String> {
    let old = before.target.1.tree.get(name);
    let mine = before.source.1.tree.get(name);
    let new = after.target.tree.get(name);
    let wrong = |what: &str| Err(format!("{what}: was {old:?}, is {new:?}, the source had {mine:?}"));
    if deletes && fate == Fate::Extra {
        return if new.is_none() { Ok(()) } else { wrong("it is still there") };
    }
    let unchanged = new == old;
    let sent = || mine.zip(new).is_some_and(|(mine, new)| arrived(before, mine, new));
    // The time alone was set: what lies beside the bytes is what it was.
    let touched = || {
        let (Some(mine), Some(old), Some(new)) = (mine, old, new) else { return false };
        let time = kept_time(before.target.0, mine.modified);
        old.bytes == new.bytes && old.metadata == new.metadata && new.modified == time && !wishes.policy.keep_times
    };
    let fine = match fate {
        // What makes room goes before what needs it, which may fail all the same.
        Fate::Extra => unchanged || new.is_none() && in_the_way_of(wishes, before, name),
        Fate::Stays | Fate::Refused => unchanged,
        Fate::Follows if deletes => sent(),
        // Something else failed: what makes room may have gone all the same, and what waited for it has come.
        Fate::Follows => unchanged || permitted(wishes, before) && sent(),
        Fate::Sent => sent(),
        Fate::Equal | Fate::MayBeRefused => unchanged || touched() || sent(),
        Fate::Alike | Fate::Unclear => {
            unchanged || sent() || mine.zip(old).is_some_and(|(a, b)| a.bytes == b.bytes) && touched()
        }
    };
    if fine { Ok(()) } else { wrong("it is not what it should be") }
}

/// Whether `new` is `mine` as the destination keeps it.
fn arrived(before: &Before<'_>, mine: &Object, new: &Object) -> bool {
    let (from, to) = (&before.source.0.capabilities.metadata, &before.target.0.capabilities.metadata);
    let user = !(from.user && to.user) || mine.metadata.user == new.metadata.user;
    let typed = !(from.content_type && to.content_type)
        || mine.metadata.content_type.is_none()
        || mine.metadata.content_type == new.metadata.content_type;
    mine.bytes == new.bytes && new.modified == kept_time(before.target.0, mine.modified) && user && typed
}

/// A time as a store of that precision keeps it.
fn kept_time(behaviour: &Behaviour, time: Option<Timestamp>) -> Option<Timestamp> {
    let precision = i64::try_from(behaviour.capabilities.modified?.as_nanos()).expect("precisions are short");
    time.map(|time| Timestamp::from_nanos(time.as_nanos().div_euclid(precision) * precision))
}

fn backup(
    wishes: &Wishes,
    before: &Before<'_>,
    after: &After<'_>,
    name: &Key,
    fate: Fate,
    gone: bool,
) -> Result<(), String> {
    let Kept::Beside { suffix } = &wishes.kept else { return Ok(()) };
    let Some(old) = before.target.1.tree.get(name) else { return Ok(()) };
    let kept = after.backup.tree.get(&key(&format!("{name}{suffix}")));
    let lost = gone || after.target.tree.get(name).is_none_or(|new| new.bytes != old.bytes);
    match kept {
        Some(kept) if kept.bytes == old.bytes && kept.modified == old.modified => {}
        Some(_) if lost => return Err("other bytes or another time".to_owned()),
        None if lost => return Err("nothing".to_owned()),
        _ => {}
    }
    let makes_room = in_the_way_of(wishes, before, name);
    let untouched = matches!(fate, Fate::Stays | Fate::Refused) || fate == Fate::Extra && !gone && !makes_room;
    if untouched && kept.is_some() { Err("what was not touched is kept".to_owned()) } else { Ok(()) }
}

fn source(wishes: &Wishes, before: &Before<'_>, after: &After<'_>, name: &Key, fate: Fate) -> Result<(), String> {
    let Some(mine) = before.source.1.tree.get(name) else { return Ok(()) };
    let Some(left) = after.source.tree.get(name) else {
        // Gone: only in a move, and only with its bytes at the destination (or what passes for them).
        let there = after.target.tree.get(name).is_some_and(|new| new.bytes == mine.bytes);
        let moved = wishes.intent == Intent::Move && wishes.only.admits(name) && (there || fate == Fate::Alike);
        return if moved { Ok(()) } else { Err("it is gone".to_owned()) };
    };
    let stays = wishes.intent != Intent::Move || !matches!(fate, Fate::Sent | Fate::Equal);
    match left == mine {
        false => Err("it was changed".to_owned()),
        true if stays => Ok(()),
        true => Err("it was not moved".to_owned()),
    }
}
