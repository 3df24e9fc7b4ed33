//! Which objects a run is about: rclone's filter language (<https://rclone.org/filtering/>), so that a filter file
//! written for rclone selects the same objects here.
//!
//! Everything in this folder is pure: files of rules are handed in as text, and times as points in time.
//!
//! **Two lists of rules.** Every rule judges keys; some rules also judge directories, that is, the parts of a key up
//! to each `/`. In either list the first rule that matches decides, and what no rule matches is admitted. A key is
//! admitted when its own verdict is *in* and no directory above it is *out*, so that a listing that walks directories
//! and a flat one select the same keys. (rclone looks at directories only where it walks them, so its answer for
//! one set of rules can differ between a local disk and a bucket; this is the answer it gives for a local disk.)
//!
//! Where the documentation and the program disagree, this follows the program (1.75):
//! - `[!a]` is the characters `!` and `a`; only `[^a]` negates.
//! - `a/b.txt` without a leading `/`, as an *include*, enters the directory `a` at the root only, so it does not find
//!   `x/a/b.txt` when another rule excludes the rest; `**/a/b.txt` does.
//!
//! Four differences are meant: `**` also matches line feeds (in rclone a name with one slips through `- dir/**`), a
//! directory that cannot be derived from a pattern is entered (rclone gives up on `[a/b]`), a `\` at the end of a pattern
//! is an error (rclone reads it as an escaped end of the text), and so are the escapes `\B`, `\C`, `\Q` and octal numbers,
//! which the [`regex`] crate does not have.

mod builder;
mod directory;
mod glob;
mod pattern;
mod re2;
mod rules;
mod verdict;

pub use builder::{FilterBuilder, FilterError, Reason};
pub use pattern::Pattern;
pub use verdict::Filter;

#[cfg(test)]
mod tests;
