//! The first line of a plan.

use serde::{Deserialize, Serialize};

use super::{Action, Item, Loss};
use crate::{
    compare::{Evidence, Policy},
    event::Deed,
    plan::Intent,
};

/// The version of the format, in `sterna_plan`.
pub const VERSION: u32 = 1;

/// Which places, what for, and how much.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// [`VERSION`].
    pub sterna_plan: u32,
    /// What the plan is for.
    pub intent: Intent,
    /// The source as written.
    pub source: String,
    /// Whether an earlier state of the source is meant, not the present one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub earlier: bool,
    /// The destinations as written.
    pub destinations: Vec<String>,
    /// Where overwritten and deleted objects go, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup_dir: Option<String>,
    /// The names of the groups, in the order in which they become visible; empty where there is no order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How objects were compared, for a look at what is already done.
    pub policy: Policy,
    /// What the destinations cannot keep.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub losses: Vec<String>,
    /// Per destination, in their order; complete once the plan is.
    pub totals: Vec<Totals>,
}

/// How much there is to do at one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Totals {
    /// Objects to carry through us.
    pub transfers: u64,
    /// Their bytes.
    pub transfer_bytes: u64,
    /// Objects to copy inside the endpoint.
    pub copies: u64,
    /// Their bytes.
    pub copy_bytes: u64,
    /// Of the objects to copy those whose content would else be sent: it lies there under another key.
    pub reused: u64,
    /// Their bytes.
    pub reused_bytes: u64,
    /// Objects whose time is set.
    pub touches: u64,
    /// Objects to delete at the destination (or to move aside).
    pub deletes: u64,
    /// Objects to delete at the source.
    pub source_deletes: u64,
    /// Objects that cannot be put there.
    pub problems: u64,
    /// Matches by a digest.
    pub proven: u64,
    /// Matches by size and time.
    pub likely: u64,
    /// Matches by size alone.
    pub unproven: u64,
    /// Objects left alone because they were to be left alone.
    pub kept: u64,
    /// Extra objects whose grace is not over.
    pub deletes_waiting: u64,
    /// Why later groups and the deletes are not in the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub withheld: Option<String>,
    /// Why the deletes are not in the plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deletes_blocked: Option<String>,
    /// Why the plan ends early there, without deletes: its listing broke off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lost: Option<Loss>,
}

impl Totals {
    /// Counts a line of the plan.
    pub fn add(&mut self, item: &Item) {
        match item {
            Item::Action(action) => self.add_action(action),
            Item::Problem(_) => self.problems += 1,
            Item::Lost(lost) => self.lost = Some(lost.loss),
        }
    }

    /// Counts what is to be done.
    pub fn add_action(&mut self, action: &Action) {
        let bytes = action.bytes();
        match action.deed {
            Deed::Transfer => (self.transfers, self.transfer_bytes) = (self.transfers + 1, self.transfer_bytes + bytes),
            Deed::Copy => (self.copies, self.copy_bytes) = (self.copies + 1, self.copy_bytes + bytes),
            Deed::Touch => self.touches += 1,
            Deed::Delete | Deed::Backup => self.deletes += 1,
            Deed::DeleteSource => {}
        }
        if action.delete_source || action.deed == Deed::DeleteSource {
            self.source_deletes += 1;
        }
    }

    /// Takes actions that were counted out again.
    pub fn take_out(&mut self, actions: &Self) {
        self.transfers -= actions.transfers;
        self.transfer_bytes -= actions.transfer_bytes;
        self.copies -= actions.copies;
        self.copy_bytes -= actions.copy_bytes;
        self.touches -= actions.touches;
        self.deletes -= actions.deletes;
        self.source_deletes -= actions.source_deletes;
    }

    /// So many of the transfers have become copies.
    pub fn reuse(&mut self, objects: u64, bytes: u64) {
        self.transfers -= objects;
        self.transfer_bytes -= bytes;
        self.copies += objects;
        self.copy_bytes += bytes;
        self.reused += objects;
        self.reused_bytes += bytes;
    }

    /// Adds what a later plan for the same destination counted: its lines come to these, and its matches take the place of
    /// these. Every count is named, so that a new one cannot be lost here.
    pub fn follow(&mut self, later: Self) {
        let Self {
            transfers,
            transfer_bytes,
            copies,
            copy_bytes,
            reused,
            reused_bytes,
            touches,
            deletes,
            source_deletes,
            problems,
            proven,
            likely,
            unproven,
            kept,
            deletes_waiting,
            withheld,
            deletes_blocked,
            lost,
        } = later;
        self.transfers += transfers;
        self.transfer_bytes += transfer_bytes;
        self.copies += copies;
        self.copy_bytes += copy_bytes;
        self.reused += reused;
        self.reused_bytes += reused_bytes;
        self.touches += touches;
        self.deletes += deletes;
        self.source_deletes += source_deletes;
        self.problems += problems;
        self.proven = proven;
        self.likely = likely;
        self.unproven = unproven;
        self.kept = kept;
        self.deletes_waiting = deletes_waiting;
        self.withheld = withheld;
        self.deletes_blocked = deletes_blocked;
        self.lost = lost;
    }

    /// Counts a match.
    pub fn matched(&mut self, evidence: Evidence) {
        match evidence {
            Evidence::Proven(_) => self.proven += 1,
            Evidence::Likely => self.likely += 1,
            Evidence::Unproven => self.unproven += 1,
        }
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.transfers + self.copies + self.touches + self.deletes + self.source_deletes + self.problems == 0
    }
}

/// Why a text is no plan.
#[derive(Debug, thiserror::Error)]
pub enum InvalidPlan {
    /// A line is no line of a plan.
    #[error("line {line}: {why}")]
    Line {
        /// From 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// The plan was written by another version.
    #[error("this plan has format {found}, and this sterna reads format {VERSION}")]
    Version {
        /// The version found.
        found: u32,
    },
    /// The file ends before the plan does.
    #[error("the plan is cut short: its header counts {expected} lines, and {found} are there")]
    Short {
        /// Lines the totals speak of.
        expected: u64,
        /// Lines there are.
        found: u64,
    },
}

impl Header {
    /// Lines the totals speak of, the header left out. Unknown where the source deletes of a move stand both in
    /// lines of their own and in others.
    #[must_use]
    pub fn lines(&self) -> Option<u64> {
        (self.intent != Intent::Move).then(|| {
            let count = |totals: &Totals| {
                let actions = totals.transfers + totals.copies + totals.touches + totals.deletes;
                actions + totals.problems + u64::from(totals.lost.is_some())
            };
            self.totals.iter().map(count).sum()
        })
    }

    /// Reads the first line of a plan.
    ///
    /// # Errors
    /// [`InvalidPlan`] for anything else.
    pub fn parse(line: &str) -> Result<Self, InvalidPlan> {
        #[derive(Deserialize)]
        struct Format {
            sterna_plan: u32,
        }
        let invalid = |error: serde_json::Error| InvalidPlan::Line { line: 1, why: error.to_string() };
        let Format { sterna_plan } = serde_json::from_str(line).map_err(invalid)?;
        if sterna_plan != VERSION {
            return Err(InvalidPlan::Version { found: sterna_plan });
        }
        serde_json::from_str(line).map_err(invalid)
    }
}
