//! The evaluator against worked cases and against its own laws.

mod cases;
