//! [`Stocktake`]: what a place holds, by group and item; and what of it goes.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use sterna_backends::{Entry, Key, Timestamp};

use super::{
    item::Group,
    natural::natural,
    rules::{Order, Retention, number},
};

/// The objects of one place that retention speaks of. Takes memory for their keys.
#[derive(Clone, Debug, Default)]
pub struct Stocktake {
    groups: BTreeMap<Group, BTreeMap<String, Item>>,
}

/// An image with all that stands beside it, or all objects of a revision of a repository.
#[derive(Clone, Debug, Default)]
struct Item {
    objects: BTreeMap<Key, u64>,
    /// The newest of its objects; `None`: one has no time.
    newest: Option<Timestamp>,
}

/// What is to go of a place.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// Each group, by its name.
    pub groups: Vec<GroupDecision>,
}

/// What is to go of a group, the oldest first.
#[derive(Clone, Debug)]
pub struct GroupDecision {
    /// What tells it from the others, for people.
    pub name: String,
    /// Revisions that are kept.
    pub kept: usize,
    /// Revisions that go.
    pub goes: Vec<Gone>,
}

/// A revision that goes.
#[derive(Clone, Debug)]
pub struct Gone {
    /// As its keys have it.
    pub revision: String,
    /// Its objects and their sizes; 0 where the listing told none.
    pub objects: Vec<(Key, u64)>,
    /// The time of the newest of them; `None`: one has no time.
    pub newest: Option<Timestamp>,
}

impl Retention {
    /// Which items of a group are kept: `true` where one is. The oldest item comes first.
    fn keeps<'a>(&self, items: &'a BTreeMap<String, Item>, now: Timestamp) -> Vec<(&'a str, &'a Item, bool)> {
        let mut ordered: Vec<(&str, &Item)> = items.iter().map(|(revision, item)| (revision.as_str(), item)).collect();
        ordered.sort_by(|(a, mine), (b, theirs)| match self.order {
            Order::Natural => natural(a, b),
            Order::Time => age_order(mine, theirs).then_with(|| natural(a, b)),
        });
        let last = ordered.len().saturating_sub(self.last.get());
        let all = self.all_below.is_some_and(|least| ordered.len() < least);
        let highest = items.keys().filter_map(|revision| number(revision)).max().unwrap_or(0);
        let judged = ordered.into_iter().enumerate().map(|(at, (revision, item))| {
            let kept = all
                || at >= last
                || self.within.is_some_and(|within| item.is_younger(within, now))
                || self.within_revisions.is_some_and(|span| is_within(revision, highest, span))
                || self.every.is_some_and(|every| every.keeps(revision));
            (revision, item, kept)
        });
        judged.collect()
    }
}

/// Whether the number of `revision` is less than `span` below the highest; one without a number is.
fn is_within(revision: &str, highest: u64, span: u64) -> bool {
    number(revision).is_none_or(|number| highest - number < span)
}

impl Item {
    /// Of one without a time nobody can say that it is old.
    fn is_younger(&self, within: Duration, now: Timestamp) -> bool {
        self.newest.is_none_or(|newest| {
            i128::from(now.as_nanos()) - i128::from(newest.as_nanos()) < within.as_nanos().cast_signed()
        })
    }
}

/// The older first; one without a time counts as the newest, and so is kept.
fn age_order(mine: &Item, theirs: &Item) -> std::cmp::Ordering {
    let time = |item: &Item| (item.newest.is_none(), item.newest);
    time(mine).cmp(&time(theirs))
}

impl Stocktake {
    /// Adds an object, if `retention` speaks of it.
    pub fn add(&mut self, retention: &Retention, entry: &Entry) {
        let Some((group, revision)) = retention.item_of(&entry.key) else { return };
        let items = self.groups.entry(group).or_default();
        let is_new = !items.contains_key(&revision);
        let item = items.entry(revision).or_default();
        let time = entry.modified.or(entry.stored);
        item.newest = if is_new { time } else { item.newest.zip(time).map(|(a, b)| a.max(b)) };
        item.objects.insert(entry.key.clone(), entry.size.unwrap_or(0));
    }

    /// What of `decision`, which was made of another place, goes here: what lies here of it, as it lies here.
    #[must_use]
    pub fn goes(&self, decision: &Decision, retention: &Retention) -> Decision {
        let mut here = decision.clone();
        for gone in here.groups.iter_mut().flat_map(|group| &mut group.goes) {
            let own = gone.objects.first().and_then(|(key, _)| {
                let (group, revision) = retention.item_of(key)?;
                self.groups.get(&group)?.get(&revision)
            });
            gone.newest = own.and_then(|own| own.newest);
            gone.objects.retain_mut(|(key, size)| match own.and_then(|own| own.objects.get(key)) {
                Some(here) => {
                    *size = *here;
                    true
                }
                None => false,
            });
        }
        for group in &mut here.groups {
            group.goes.retain(|gone| !gone.objects.is_empty());
        }
        here
    }

    /// What goes at `now`.
    #[must_use]
    pub fn decide(&self, retention: &Retention, now: Timestamp) -> Decision {
        let groups = self.groups.iter().map(|(group, items)| {
            let judged = retention.keeps(items, now);
            let goes = judged.iter().filter(|(.., kept)| !kept).map(|(revision, item, _)| Gone {
                revision: (*revision).to_owned(),
                objects: item.objects.iter().map(|(key, size)| (key.clone(), *size)).collect(),
                newest: item.newest,
            });
            GroupDecision {
                name: group.to_string(),
                kept: judged.iter().filter(|(.., kept)| *kept).count(),
                goes: goes.collect(),
            }
        });
        Decision { groups: groups.collect() }
    }

    /// What this place, a target, must not lose although `source` has it no more: of each group the newest such items, as
    /// far as the target would else have fewer than `keep_last`. A source that has lost its images takes none
    /// below that.
    #[must_use]
    pub fn holds(&self, retention: &Retention, source: &Self, now: Timestamp) -> BTreeSet<Key> {
        let mut held = BTreeSet::new();
        for (group, items) in &self.groups {
            let theirs = source.groups.get(group);
            let stay =
                theirs.map_or(0, |theirs| retention.keeps(theirs, now).iter().filter(|(.., kept)| *kept).count());
            let missing = retention.last.get().saturating_sub(stay);
            let extra = |revision: &&str| theirs.is_none_or(|theirs| !theirs.contains_key(*revision));
            let judged = retention.keeps(items, now);
            let newest_first = judged.iter().rev().filter(|(revision, ..)| extra(revision));
            held.extend(newest_first.take(missing).flat_map(|(_, item, _)| item.objects.keys().cloned()));
        }
        held
    }
}

impl Decision {
    /// The keys of what goes.
    pub fn keys(&self) -> impl Iterator<Item = &Key> {
        self.groups.iter().flat_map(|group| &group.goes).flat_map(|gone| &gone.objects).map(|(key, _)| key)
    }
}
