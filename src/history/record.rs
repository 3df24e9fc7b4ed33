//! What came of a run of a saved job, as it is kept.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use sterna_backends::{ErrorKind, Timestamp};

/// Words that are kept as text: each has one name, in the file and in JSON alike.
macro_rules! words {
    ($name:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $name {
            /// Its word, in the history and in JSON.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The one of that word.
            #[must_use]
            pub fn named(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }
    };
}

/// Why a run began.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// It was its time.
    Schedule,
    /// Its time had passed while nobody was there to begin it.
    CatchUp,
    /// Somebody asked for it.
    Hand,
}

words!(Trigger { Schedule = "schedule", CatchUp = "catch_up", Hand = "hand" });

/// How a run ended, or how it ended at one target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is under way; or its process is gone, which whoever holds the job's lock can tell.
    Running,
    /// The target held already what the source holds.
    InStep,
    /// The target was changed, and now holds what the source holds.
    Changed,
    /// Something failed: the target does not hold what the source holds.
    Failed,
    /// It was ended before all was done: by its time limit, its budget, or somebody; the next run goes on.
    Stopped,
    /// Another run was at work at the target; this one did nothing.
    HeldElsewhere,
    /// The job is paused, or its budget is spent; nothing was done.
    Skipped,
    /// The process was killed, or the machine went down.
    Killed,
}

words!(Verdict {
    Running = "running",
    InStep = "in_step",
    Changed = "changed",
    Failed = "failed",
    Stopped = "stopped",
    HeldElsewhere = "held_elsewhere",
    Skipped = "skipped",
    Killed = "killed",
});

impl Verdict {
    /// Whether the target holds what the source held.
    #[must_use]
    pub const fn is_success(self) -> bool {
        matches!(self, Self::InStep | Self::Changed)
    }

    /// Whether a person should look: nothing that mends itself by the next run.
    #[must_use]
    pub const fn is_trouble(self) -> bool {
        matches!(self, Self::Failed | Self::Killed)
    }

    /// The words people read.
    #[must_use]
    pub const fn describe(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::InStep => "in step",
            Self::Changed => "changed",
            Self::Failed => "failed",
            Self::Stopped => "stopped",
            Self::HeldElsewhere => "held elsewhere",
            Self::Skipped => "skipped",
            Self::Killed => "killed",
        }
    }
}

/// Why something was not done, and what to do about it. Never with a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// The kind.
    pub kind: ErrorKind,
    /// The whole error, for people.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// What a run sent to one target costs, in exact decimals as text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// ISO 4217.
    pub currency: String,
    /// The amount.
    pub amount: String,
}

/// What lies at a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holdings {
    /// Objects that the source has, too.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// When a target was last seen to hold what its source holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InStep {
    /// The beginning of that run.
    pub at: Timestamp,
    /// What it held; `None`: a run of an earlier version, which did not write that down.
    pub holds: Option<Holdings>,
}

/// What came of a run at one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetRecord {
    /// As the configuration has it.
    pub place: String,
    /// How it ended there.
    pub verdict: Verdict,
    /// Objects sent, copied or set there.
    pub written: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects deleted there or moved aside.
    pub deleted: u64,
    /// What lies there now, where it is in step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holds: Option<Holdings>,
    /// What a person should know first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// Where a price is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost: Option<Cost>,
}

impl TargetRecord {
    /// Nothing was done at `place`.
    #[must_use]
    pub fn nothing(place: &str, verdict: Verdict) -> Self {
        let place = place.to_owned();
        Self { place, verdict, written: 0, bytes: 0, deleted: 0, holds: None, failure: None, cost: None }
    }
}

/// The number of a run of a job; a later run has a higher one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct JobRunId(pub i64);

/// One run of a saved job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The job's name.
    pub job: String,
    /// Its number.
    pub id: JobRunId,
    /// When it began.
    pub began: Timestamp,
    /// When it ended; of one that was killed: when that was found out. `None`: it has not.
    pub ended: Option<Timestamp>,
    /// Why it began.
    pub trigger: Trigger,
    /// How it ended: the worst of its targets'.
    pub verdict: Verdict,
    /// What ended the whole run, targets aside: an unreadable source, a setting.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// In the order of the configuration; empty while it is under way.
    pub targets: Vec<TargetRecord>,
    /// What the source's index said of the whole source, where the job's profile has such an index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tip: Option<String>,
    /// Whether both sides were listed and compared; if not, only the index was looked at.
    pub full: bool,
    /// Where its log lies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<PathBuf>,
}

impl RunRecord {
    /// The verdict of a run from those of its targets: the one that most needs a look.
    #[must_use]
    pub fn worst(targets: &[TargetRecord]) -> Verdict {
        const ORDER: [Verdict; 7] = [
            Verdict::Failed,
            Verdict::Killed,
            Verdict::Stopped,
            Verdict::HeldElsewhere,
            Verdict::Skipped,
            Verdict::Changed,
            Verdict::InStep,
        ];
        let has = |verdict: &Verdict| targets.iter().any(|target| target.verdict == *verdict);
        ORDER.into_iter().find(has).unwrap_or(Verdict::InStep)
    }

    /// What a person should know first: of the whole run, else of the first target that has something to tell.
    #[must_use]
    pub fn first_failure(&self) -> Option<&Failure> {
        self.failure.as_ref().or_else(|| self.targets.iter().find_map(|target| target.failure.as_ref()))
    }
}
