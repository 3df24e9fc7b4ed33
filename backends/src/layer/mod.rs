//! Stores around a store: one concern each.
