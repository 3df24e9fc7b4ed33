//! What is known of the remotes before a run: what the month's earlier runs have used, and what is kept there.

use std::collections::BTreeMap;

use sterna::{
    backends::Timestamp,
    history::{Kept, Left, Month, contains},
    price::{Stock, Usage},
};

use crate::config::Budget;

/// What is known of the remotes before a run.
#[derive(Debug, Default)]
pub struct Past {
    used: BTreeMap<String, Usage>,
    left: Vec<Left>,
    /// Bytes kept at a remote in all, where the configuration says it.
    said: BTreeMap<String, u64>,
}

/// How much is kept at a remote, and who says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stored {
    pub bytes: u64,
    /// When the oldest of the runs that saw it began; `None`: the configuration says it.
    pub seen: Option<Timestamp>,
}

impl Past {
    /// `months` are what the remotes were sent in this month, `left` what runs left there.
    pub fn new(months: &[Month], left: Vec<Left>, budgets: &[Budget]) -> Self {
        let used = months.iter().map(|month| (month.remote.clone(), (&month.sent).into())).collect();
        let said = budgets.iter().filter_map(|budget| Some((budget.remote.clone(), budget.stored?))).collect();
        Self { used, left, said }
    }

    /// What the remote was sent in this month.
    pub fn used(&self, remote: &str) -> Option<&Usage> {
        self.used.get(remote)
    }

    /// How much is kept at the remote: what the configuration says, else all that runs have seen of it.
    pub fn stored(&self, remote: &str) -> Option<Stored> {
        if let Some(bytes) = self.said.get(remote) {
            return Some(Stored { bytes: *bytes, seen: None });
        }
        let seen = self.of(remote).map(|left| left.at).min()?;
        Some(Stored {
            bytes: self.of(remote).fold(Kept::default(), |all, left| all.and(left.kept)).bytes,
            seen: Some(seen),
        })
    }

    /// What is kept at the remote: at the place what was `listed`, else what is known of it, `gone` in any case, and what
    /// else the configuration or earlier runs know of. `None` where nothing is known.
    pub fn kept(&self, (remote, place): (&str, &str), listed: Option<&Stock>, gone: &Stock) -> Option<Stock> {
        let place = place.trim_end_matches('/');
        let mut stock = listed.unwrap_or(gone).clone();
        let here = Kept { objects: stock.objects(), bytes: stock.bytes() };
        let outer = |left: &&Left| contains(&left.place, place) && (listed.is_none() || left.place != place);
        let beside = |left: &&Left| !contains(&left.place, place) && !contains(place, &left.place);
        let all = match self.said.get(remote) {
            // In how many objects nobody says.
            Some(bytes) => Kept { objects: here.objects.saturating_add(1), bytes: *bytes },
            None if listed.is_none() && self.of(remote).next().is_none() => return None,
            None => {
                let around = self.of(remote).find(outer).map_or(here, |left| left.kept);
                self.of(remote).filter(beside).fold(around, |all, left| all.and(left.kept))
            }
        };
        let rest = all.bytes.saturating_sub(here.bytes);
        if rest > 0 {
            stock.add_all(&Stock::even(rest, all.objects.saturating_sub(here.objects).max(1)));
        }
        Some(stock)
    }

    fn of<'a>(&'a self, remote: &'a str) -> impl Iterator<Item = &'a Left> {
        self.left.iter().filter(move |left| left.remote == remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(said: Option<u64>) -> Past {
        let left = |place: &str, at, bytes| Left {
            remote: "b2".to_owned(),
            place: place.to_owned(),
            at: Timestamp::from_parts(at, 0),
            kept: Kept { objects: 1, bytes },
        };
        let budget =
            Budget { remote: "b2".to_owned(), egress: None, cost: None, stored: said, beyond_free: Default::default() };
        Past::new(&[], vec![left("b2:a", 7, 100), left("b2:b", 5, 40)], &[budget])
    }

    fn bytes(past: &Past, place: &str, listed: Option<u64>) -> Option<u64> {
        let gone = Stock::even(3, 1);
        let listed = listed.map(|bytes| Stock::even(bytes, 1));
        past.kept(("b2", place), listed.as_ref(), &gone).map(|stock| stock.bytes())
    }

    #[test]
    fn what_is_kept_is_what_is_listed_and_what_is_known_beside_it() {
        let past_runs = past(None);
        assert_eq!(past_runs.stored("b2"), Some(Stored { bytes: 140, seen: Some(Timestamp::from_parts(5, 0)) }));
        assert_eq!((past_runs.stored("s3"), bytes(&past_runs, "b2:c/", Some(9))), (None, Some(149)));
        // What was listed now counts, and not what was there once; of a part of it the rest is known.
        assert_eq!(bytes(&past_runs, "b2:a", Some(9)), Some(49));
        assert_eq!(bytes(&past_runs, "b2:a/part", Some(9)), Some(140));
        assert_eq!((bytes(&past_runs, "b2:a", None), bytes(&past_runs, "b2:c", None)), (Some(140), Some(143)));
        assert_eq!(past_runs.kept(("s3", "s3:a"), None, &Stock::default()), None);
        let said = past(Some(1000));
        assert_eq!(said.stored("b2"), Some(Stored { bytes: 1000, seen: None }));
        assert_eq!((bytes(&said, "b2:a", Some(9)), bytes(&said, "b2:a", None)), (Some(1000), Some(1000)));
        assert_eq!(bytes(&said, "b2:a", Some(2000)), Some(2000), "more than was said is there");
    }
}
