//! Verdicts -> Plan: what will be done, before anything is done. Pure.
//!
//! A plan is a stream of [`Item`]s: transfers in byte order of their keys, group by group, then deletes. As text it is
//! JSON Lines, a [`Header`] first.

mod action;
mod decide;
mod deletes;
mod groups;
mod header;
mod rules;

pub use action::{Action, Item, Loss, Lost, Origin, Problem};
pub use decide::{Decision, Intent, Planner, Target, losses};
pub use deletes::{Census, MaxDelete, permit};
pub use groups::{Group, Groups, InvalidGroup};
pub use header::{Header, InvalidPlan, Totals, VERSION};
pub use rules::{InvalidRule, MetadataRule, MetadataRules};
