//! What rclone documents, and what must hold of every filter.

mod documentation;
mod soundness;
