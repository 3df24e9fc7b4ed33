//! Which snapshots go. Pure: no store, no clock.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{Timestamp, tz::TimeZone};
use regex::Regex;

use super::SnapshotId;

/// How many snapshots of each group stay. What one rule keeps stays, whatever the others say; a rule of 0 keeps nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// The newest.
    pub last: usize,
    /// The newest of each of so many days that have any, in UTC.
    pub daily: usize,
    /// The newest of each of so many ISO weeks that have any.
    pub weekly: usize,
    /// The newest of each of so many months that have any.
    pub monthly: usize,
}

impl Keep {
    /// Whether it would keep nothing at all.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// What becomes of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The snapshot.
    pub id: SnapshotId,
    /// The group it is counted in.
    pub group: Option<String>,
    /// Why it stays; nothing: it goes.
    pub why: Vec<Why>,
}

/// Why a snapshot stays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// By [`Keep::last`].
    Last,
    /// By [`Keep::daily`].
    Daily,
    /// By [`Keep::weekly`].
    Weekly,
    /// By [`Keep::monthly`].
    Monthly,
    /// It has no name, or one that the groups do not know.
    Ungrouped,
}

/// Decides on `snapshots`, which are returned oldest first. With `group_by` those are counted together of whose names
/// its first group matches the same text (the whole match where it has no group); what it does not match stays.
#[must_use]
pub fn forget(mut snapshots: Vec<SnapshotId>, keep: Keep, group_by: Option<&Regex>) -> Vec<Kept> {
    snapshots.sort();
    let mut groups: BTreeMap<Option<String>, Vec<usize>> = BTreeMap::new();
    let mut kept: Vec<Kept> = snapshots.into_iter().map(|id| Kept { group: None, why: Vec::new(), id }).collect();
    for (at, snapshot) in kept.iter_mut().enumerate() {
        if let Some(regex) = group_by {
            let found = snapshot.id.name.as_ref().and_then(|name| regex.captures(name.as_str()));
            let text = found.and_then(|found| Some(found.get(1).or_else(|| found.get(0))?.as_str().to_owned()));
            snapshot.group = text;
            if snapshot.group.is_none() {
                snapshot.why.push(Why::Ungrouped);
                continue;
            }
        }
        groups.entry(snapshot.group.clone()).or_default().push(at);
    }
    for members in groups.into_values() {
        let rules: [(Why, usize, Bucket); 4] = [
            (Why::Last, keep.last, |at, _| at.to_string()),
            (Why::Daily, keep.daily, |_, time| date(time).to_string()),
            (Why::Weekly, keep.weekly, |_, time| {
                let week = date(time).iso_week_date();
                format!("{} {}", week.year(), week.week())
            }),
            (Why::Monthly, keep.monthly, |_, time| date(time).strftime("%Y-%m").to_string()),
        ];
        for (why, most, bucket) in rules {
            let mut seen = BTreeSet::new();
            for &at in members.iter().rev() {
                if seen.len() == most {
                    break;
                }
                if seen.insert(bucket(at, kept[at].id.time.into())) {
                    kept[at].why.push(why);
                }
            }
        }
    }
    kept
}

/// What snapshots of one bucket have in common, by their number and time.
type Bucket = fn(usize, Timestamp) -> String;

fn date(time: Timestamp) -> jiff::civil::Date {
    time.to_zoned(TimeZone::UTC).date()
}

#[cfg(test)]
mod tests {
    use super::{super::Content, *};

    const DAY: i64 = 86_400_000_000_000;

    fn id(nanos: i64, name: &str) -> SnapshotId {
        let time = sterna_backends::Timestamp::from_nanos(nanos);
        SnapshotId { time, name: name.parse().ok(), manifest: Content([0; 32]) }
    }

    fn left(snapshots: Vec<SnapshotId>, keep: Keep, group_by: Option<&str>) -> Vec<String> {
        let regex = group_by.map(|text| Regex::new(text).unwrap());
        let kept = forget(snapshots, keep, regex.as_ref()).into_iter();
        kept.filter(|kept| !kept.why.is_empty()).map(|kept| kept.id.name.unwrap().to_string()).collect()
    }

    #[test]
    fn the_newest_of_each_day_week_and_month_stay() {
        // Day 0 is Thursday, 1 January 1970; two snapshots a day.
        let all = || (0..120).map(|half| id(half * DAY / 2, &format!("s{half}"))).collect::<Vec<_>>();
        let keep = |keep| left(all(), keep, None);
        assert_eq!(keep(Keep { last: 2, ..Keep::default() }), ["s118", "s119"]);
        assert_eq!(keep(Keep { daily: 2, ..Keep::default() }), ["s117", "s119"]);
        assert_eq!(keep(Keep { monthly: 9, ..Keep::default() }), ["s61", "s117", "s119"]);
        // Weeks end on Sundays: 59 days after the first is Sunday, 1 March.
        assert_eq!(keep(Keep { weekly: 2, ..Keep::default() }), ["s105", "s119"]);
        assert_eq!(keep(Keep { last: 1, daily: 3, ..Keep::default() }), ["s115", "s117", "s119"]);
        assert_eq!(keep(Keep { last: 1000, ..Keep::default() }).len(), 120);
    }

    #[test]
    fn groups_are_counted_on_their_own_and_what_is_in_none_stays() {
        let names = ["x86-1", "x86-2", "arm-1", "other", "x86-3", "arm-2"];
        let all: Vec<_> = (0..).zip(names).map(|(at, name)| id(at * DAY, name)).collect();
        let keep = Keep { last: 1, ..Keep::default() };
        assert_eq!(left(all.clone(), keep, Some(r"^(\w+)-\d+$")), ["other", "x86-3", "arm-2"]);
        assert_eq!(left(all.clone(), keep, Some("^x86")), ["arm-1", "other", "x86-3", "arm-2"]);
        assert_eq!(left(all, keep, None), ["arm-2"]);
    }
}
