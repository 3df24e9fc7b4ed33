//! What follows from a verdict.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use sterna_backends::{Capabilities, Entry, Key, KeyRules};

use super::{Action, Groups, Item, MetadataRules, Problem, Totals};
use crate::{
    compare::{Evidence, Reason, Verdict},
    event::Deed,
};

/// What the plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Intent {
    /// What the destination lacks is put there.
    #[default]
    Copy,
    /// And what the source lacks is deleted there.
    Sync,
    /// What has arrived is deleted at the source.
    Move,
}

/// What must be known of one destination.
#[derive(Clone, Debug)]
pub struct Target {
    /// Which keys it holds.
    pub keys: KeyRules,
    /// The largest object of the source, in bytes, that can be copied there without bytes through us; `None`: none can.
    pub copies: Option<u64>,
    /// The largest object, in bytes, whose time can be set without a transfer; `None`: none can.
    pub touches: Option<u64>,
    /// Whether overwritten and deleted objects are kept in a backup place.
    pub backup: bool,
    /// Added to the key of what is kept in the backup place.
    pub suffix: String,
}

impl Target {
    /// The facts of a destination, beside `source`.
    #[must_use]
    pub fn new(source: &Capabilities, target: &Capabilities) -> Self {
        let near =
            target.copy.as_ref().filter(|copy| source.copy.as_ref().is_some_and(|from| from.domain == copy.domain));
        Self {
            keys: target.keys,
            copies: near.and_then(|_| target.largest_copy()),
            // Who copies at all may set a time by a copy.
            touches: target.modified.map(|_| target.largest_copy().unwrap_or(u64::MAX)),
            backup: false,
            suffix: String::new(),
        }
    }
}

/// What follows for one key and one destination.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Nothing.
    Nothing,
    /// To be done now, in order.
    Now(Item),
    /// To be done last, if [`permit`](super::permit) allows.
    Last(Box<Action>),
}

/// Turns verdicts into decisions, key by key in byte order, and counts the matches.
pub struct Planner {
    intent: Intent,
    targets: Vec<Target>,
    rules: MetadataRules,
    groups: Groups,
    totals: Vec<Totals>,
    /// Source keys that the present key starts with: a file beside its directory shows here.
    open: Vec<Key>,
    folded: HashSet<u64>,
}

impl Planner {
    /// For `targets`, in their order.
    #[must_use]
    pub fn new(intent: Intent, targets: Vec<Target>, rules: MetadataRules, groups: Groups) -> Self {
        let totals = targets.iter().map(|_| Totals::default()).collect();
        Self { intent, targets, rules, groups, totals, open: Vec::new(), folded: HashSet::new() }
    }

    /// Whether extra objects at the destinations are of interest.
    #[must_use]
    pub fn deletes(&self) -> bool {
        self.intent == Intent::Sync
    }

    /// What has been counted, per destination.
    #[must_use]
    pub fn totals(&self) -> &[Totals] {
        &self.totals
    }

    /// The totals, to be completed by whoever decides what of the decisions is planned.
    pub fn totals_mut(&mut self) -> &mut [Totals] {
        &mut self.totals
    }

    /// To be called once for each key of the source before its decisions.
    pub fn source_key(&mut self, key: &Key) {
        while self.open.last().is_some_and(|open| !key.starts_with(open.as_str())) {
            self.open.pop();
        }
    }

    /// To be called once for each key of the source after its decisions.
    pub fn source_done(&mut self, key: &Key) {
        self.open.push(key.clone());
    }

    /// Whether destination `to` can hold `key`, and if not, the problem. Nothing is asked of the destination's
    /// listing for a key it cannot hold.
    pub fn refuse(&mut self, to: usize, key: &Key) -> Option<Decision> {
        let rules = self.targets[to - 1].keys;
        let why = rules.refuse(key).map(str::to_owned).or_else(|| {
            let beside = self.open.iter().find(|open| key[open.len()..].starts_with('/'));
            beside
                .filter(|_| !rules.file_beside_directory)
                .map(|file| format!("'{file}' is a file there, so it cannot be a directory too"))
        });
        let why = why.or_else(|| {
            (rules.folds_case && !self.folded.insert(fold(to, key)))
                .then(|| "another key differs from it in case only, and the destination folds case".to_owned())
        })?;
        Some(self.problem(to, key, why))
    }

    /// Decides on a key that the source has.
    pub fn source_has(&mut self, to: usize, source: &Entry, target: Option<&Entry>, verdict: Verdict) -> Decision {
        let delete_source = self.intent == Intent::Move;
        let settings = &self.targets[to - 1];
        let group = self.groups.of(&source.key);
        let action = |deed, reason| Action {
            deed,
            to,
            key: source.key.clone(),
            group,
            reason,
            source: Some(source.clone()),
            origin: None,
            readers: 1,
            target: target.cloned(),
            backup: None,
            metadata: None,
            delete_source,
        };
        match verdict {
            Verdict::Differs(reason) => {
                let copied = settings.copies.is_some_and(|largest| source.size.is_some_and(|size| size <= largest));
                let mut action = action(if copied { Deed::Copy } else { Deed::Transfer }, reason);
                action.metadata = self.rules.apply(&source.key);
                action.backup = target.and_then(|_| self.backup_key(to, &source.key));
                Decision::Now(Item::Action(Box::new(action)))
            }
            Verdict::Same { evidence, touch } => {
                self.totals[to - 1].matched(evidence);
                let proven = evidence != Evidence::Unproven;
                let touches = settings.touches.is_some_and(|largest| source.size.is_none_or(|size| size <= largest));
                if touch && touches {
                    Decision::Now(Item::Action(Box::new(action(Deed::Touch, Reason::Time))))
                } else if delete_source && proven {
                    Decision::Now(Item::Action(Box::new(action(Deed::DeleteSource, Reason::Extra))))
                } else {
                    Decision::Nothing
                }
            }
            Verdict::Immutable(_) => {
                let problem = "it differs, and --immutable forbids changing it".to_owned();
                self.problem(to, &source.key, problem)
            }
            Verdict::Kept | Verdict::Ask(_) => {
                self.totals[to - 1].kept += 1;
                Decision::Nothing
            }
        }
    }

    /// A key that could not be compared: its problem, which holds the deletes back.
    pub fn fails(&mut self, to: usize, key: &Key, why: String) -> Decision {
        self.problem(to, key, why)
    }

    /// Whether destination `to` folds case.
    #[must_use]
    pub fn folds_case(&self, to: usize) -> bool {
        self.targets[to - 1].keys.folds_case
    }

    /// Whether destination `to`, which folds case, holds a source's object under that name, written in another case. Asked
    /// after the last key of the source.
    #[must_use]
    pub fn is_another_case(&self, to: usize, key: &Key) -> bool {
        self.folds_case(to) && self.folded.contains(&fold(to, key))
    }

    /// Decides on a key that the source does not have.
    pub fn source_lacks(&mut self, to: usize, target: &Entry) -> Decision {
        if !self.deletes() {
            return Decision::Nothing;
        }
        let backup = self.backup_key(to, &target.key);
        Decision::Last(Box::new(Action {
            deed: if backup.is_some() { Deed::Backup } else { Deed::Delete },
            to,
            key: target.key.clone(),
            group: self.groups.of(&target.key),
            reason: Reason::Extra,
            source: None,
            origin: None,
            readers: 1,
            target: Some(target.clone()),
            backup,
            metadata: None,
            delete_source: false,
        }))
    }

    fn backup_key(&self, to: usize, key: &Key) -> Option<Key> {
        let settings = &self.targets[to - 1];
        let kept = || Key::new(format!("{key}{}", settings.suffix)).ok();
        settings.backup.then(kept).flatten()
    }

    fn problem(&self, to: usize, key: &Key, problem: String) -> Decision {
        Decision::Now(Item::Problem(Problem { to, key: key.clone(), group: self.groups.of(key), problem }))
    }
}

fn fold(to: usize, key: &Key) -> u64 {
    use std::hash::{DefaultHasher, Hash, Hasher};
    let mut hasher = DefaultHasher::new();
    (to, key.to_lowercase()).hash(&mut hasher);
    hasher.finish()
}

/// What `target` cannot keep of what `source` has, for people.
#[must_use]
pub fn losses(source: &Capabilities, target: &Capabilities) -> Vec<String> {
    let pairs = [
        (source.modified.is_some() && target.modified.is_none(), "modification times"),
        (source.modified.is_some() && target.modified_assumed, "modification times (perhaps: uploads will show it)"),
        (source.metadata.headers && !target.metadata.headers, "content-type, cache-control and other headers"),
        (source.metadata.user && !target.metadata.user, "user metadata"),
        (source.metadata.storage_class && !target.metadata.storage_class, "storage classes"),
        (source.versions && !target.versions, "old versions"),
    ];
    pairs.into_iter().filter(|(lost, _)| *lost).map(|(_, what)| what.to_owned()).collect()
}
