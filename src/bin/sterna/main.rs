//! Face.

#[cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the commands that use it come with the face"))]
mod config;

fn main() {}
