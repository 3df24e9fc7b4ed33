//! The real binary against real servers: one integration binary, one file a subject.

mod servers;
