//! The evaluator against worked cases and against its own laws.

mod cases;
mod changes;
mod laws;
mod own;
mod scalars;
