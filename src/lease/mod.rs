//! Who is at work at a place.
//!
//! * [`Shared`]: those of one role any number at once, but none of them beside one of another role. It takes a store that
//!   lists what was written; an archive's runs hold it.
//! * [`Exclusive`]: one alone. Where the store keeps conditions on writing it is one object, taken by a conditional put; else
//!   it is a shared one of one role whose holders give way to one another.
//! * [`Fence`]: a store that refuses changes once its lease may be somebody else's.
//! * [`machine`]: the same among the processes of this machine, by a locked file, which nobody leaves behind.
//!
//! A lease that nobody renews counts as left behind after [`Terms::lease`], by the store's own clock. That is a guess, so
//! whoever holds one stops long before anybody may make it.

mod exclusive;
mod fence;
pub mod machine;
mod shared;
mod terms;
#[cfg(test)]
mod tests;

pub use exclusive::{Exclusive, Holder, Refused};
pub use fence::Fence;
pub use shared::{Other, Shared};
pub use terms::Terms;

use sterna_backends::Key;

/// A key made of what is known to be short and not empty.
fn known(text: String) -> Key {
    Key::new(text).expect("between 1 and 1,024 bytes")
}

/// A name nobody else has: 128 random bits.
fn fresh() -> String {
    format!("{:032x}", fastrand::u128(..))
}
