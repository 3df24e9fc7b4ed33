//! Stores around a store that look on, or that kill.
