//! Who is told of what comes of a job, and how.
//!
//! [`told`] decides by the history what there is to tell of a run, and is pure: every process that sees the same runs tells the same.
//! [`Aging`] decides on what no run tells of: a target that has not been in step for too long. A
//! [`Recipient`] is somebody who is told, a [`Notice`] what he is told, [`deliver`] tells him. A notice that does not arrive ends nothing.

mod aging;
mod command;
mod deliver;
mod mail;
mod notice;
mod occasion;
mod recipient;
#[cfg(test)]
mod tests;

pub use self::{
    aging::Aging,
    deliver::{Told, Undelivered, begun, deliver},
    mail::Mail,
    notice::Notice,
    occasion::{Occasion, told},
    recipient::{Interest, InvalidRecipient, Means, Recipient},
};
