//! The suite every store and every layer passes.
