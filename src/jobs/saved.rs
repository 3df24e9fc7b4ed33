//! A job as it is configured.

use std::{collections::BTreeMap, time::Duration};

use sterna_backends::Key;

use crate::{
    plan::{Groups, MaxDelete},
    price::Decimal,
};

/// A saved sync, every word of it checked but its places: those are opened when it runs.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// NAME of `[job.NAME]`.
    pub name: String,
    /// Where the objects come from, as written.
    pub source: String,
    /// Where they go, as written; at least one, none twice.
    pub targets: Vec<String>,
    /// When it is due.
    pub when: When,
    /// The name of its profile, where its groups are those of one.
    pub profile: Option<String>,
    /// In which order its objects become visible.
    pub groups: Groups,
    /// What of the source is mirrored.
    pub filters: Filters,
    /// Which objects are kept, and which go by age and number.
    pub retention: Option<Words>,
    /// How much one run may do.
    pub limits: Limits,
    /// What it may be spent in a calendar month (UTC), all its places together.
    pub budget: Option<Allowance>,
    /// Who is told of what comes of it.
    pub notify: Vec<Words>,
    /// How long what the source no longer has stays at the targets; `None`: it goes at once.
    pub delete_after: Option<Duration>,
    /// After how long everything is compared again, although the source's index is the same; `None`: a day.
    pub full_every: Option<Duration>,
    /// The age at which a target counts as stale; `None`: never.
    pub stale_after: Option<Duration>,
    /// What its trace is called at each target.
    pub trace: Key,
    /// Whether matches by size alone are no failure.
    pub allow_unproven: bool,
    /// After so long without a sign of life a run counts as dead for other machines.
    pub lease: Duration,
    /// Whether it runs by itself.
    pub enabled: bool,
}

impl Saved {
    /// What its runs are called where it is written down what they cost.
    #[must_use]
    pub fn command(&self) -> String {
        format!("job {}", self.name)
    }
}

/// When a job is due, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// A cron expression.
    pub schedule: Option<String>,
    /// So often, from one beginning to the next.
    pub every: Option<Duration>,
    /// At most so much later, by the job's name.
    pub jitter: Duration,
    /// The IANA name of the time zone of `schedule`.
    pub zone: Option<String>,
}

/// What of the source is mirrored, in rclone's filter language.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only what matches one of these, where there are any.
    pub include: Vec<String>,
    /// Not what matches one of these.
    pub exclude: Vec<String>,
}

/// How much one run may do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Limits {
    /// Bytes a second, or a timetable of them, as `--bwlimit` takes it.
    pub bandwidth: Option<String>,
    /// Objects at once.
    pub transfers: Option<usize>,
    /// Deletes at one target.
    pub max_delete: MaxDelete,
    /// After that nothing new is taken up; the next run goes on.
    pub max_duration: Option<Duration>,
    /// Bytes taken up; after that nothing new.
    pub max_transfer: Option<u64>,
}

/// What may be spent in a calendar month.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowance {
    /// Bytes read from the source, and from wherever else.
    pub egress: Option<u64>,
    /// Money for requests, retrieval and traffic, and its currency (ISO 4217).
    pub cost: Option<(Decimal, String)>,
}

/// A table whose keys its own room knows.
pub type Words = BTreeMap<String, Word>;

/// A value of such a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// A text, a number or a truth, as written.
    Text(String),
    /// A list of texts.
    List(Vec<String>),
}
