//! The evaluator against worked cases and against its own laws.

mod cases;
mod changes;
mod laws;
mod moving;
mod own;
mod scalars;
