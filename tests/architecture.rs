//! The house rules, read from the sources.
