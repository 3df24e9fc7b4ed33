//! Face.
fn main() {}
