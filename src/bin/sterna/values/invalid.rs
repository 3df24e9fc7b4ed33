//! What is said of a value that is none.

use std::fmt;

/// A text that is no such value: what was expected, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidValue {
    text: String,
    expected: &'static str,
}

impl InvalidValue {
    pub(super) fn new(text: &str, expected: &'static str) -> Self {
        Self { text: text.to_owned(), expected }
    }
}

impl fmt::Display for InvalidValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.text.is_empty() {
            f.write_str("empty")?
        } else {
            write!(f, "{:?}", self.text)?
        }
        write!(f, ": expected {}", self.expected)
    }
}

impl std::error::Error for InvalidValue {}
