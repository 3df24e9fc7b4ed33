//! Which revisions of an image or a repository a mirror keeps. Pure, but for [`survey`], which lists.
//!
//! Objects are items of groups: [`Retention`] reads both from their keys. A [`Stocktake`] collects them and decides, [`Stocktake::holds`] protects what a target
//! has when its source has lost too much, [`Saving`] is what it comes to in money.

mod item;
mod natural;
mod rules;
mod saving;
mod stocktake;
mod survey;

#[cfg(test)]
mod tests;

pub use self::{
    natural::natural,
    rules::{InvalidRetention, Order, Retention},
    saving::Saving,
    stocktake::{Decision, Gone, GroupDecision, Stocktake},
    survey::{Kept, Survey, survey},
};
