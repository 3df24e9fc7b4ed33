//! The engine against a reference model, with random trees, random stores, faults and kills; and its promises, each
//! in a test of its number (`promise_N_…`).
//!
//! * `place`: what a place holds, as a value, written to and read from a strict [`Memory`](sterna::backends::memory::Memory).
//! * `arbitrary`: random stores, trees, edits and wishes.
//! * `engine`: one run, with everything it said.
//! * `model`: what a run may make of two places, written down without the engine's words.
//! * `around`: stores around a store that look on, or that kill.
//! * the rest: the tests.

mod arbitrary;
mod around;
mod engine;
mod model;
mod place;

mod deletes;
mod drift;
mod evidence;
mod fan_out;
mod faults;
mod kills;
#[cfg(target_os = "linux")]
mod memory;
mod publication;
mod sequences;
mod stops;
mod travels;
