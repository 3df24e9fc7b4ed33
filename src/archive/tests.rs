//! The archive against stores in memory.
