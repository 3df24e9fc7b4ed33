//! One pattern on its own, for what is said of some objects by name.

use std::fmt;

use super::{
    builder::{FilterError, Reason},
    glob::Glob,
    rules::{RuleList, Rules},
};

/// A pattern of the filter language that is asked whether it matches a key.
#[derive(Clone)]
pub struct Pattern {
    text: String,
    /// The pattern as an exclude, so that what matches is not admitted.
    rule: Rules,
}

impl Pattern {
    /// Compiles `text`.
    ///
    /// # Errors
    /// [`FilterError`] with the fault of the pattern.
    pub fn new(text: &str) -> Result<Self, FilterError> {
        let fault = |reason: Reason| FilterError { origin: None, pattern: text.to_owned(), reason };
        let mut list = RuleList::default();
        list.add(false, text, Glob::parse(text).map_err(fault)?);
        Ok(Self { text: text.to_owned(), rule: list.compile(false).map_err(fault)? })
    }

    /// Whether `key` is of this pattern.
    #[must_use]
    pub fn matches(&self, key: &str) -> bool {
        !self.rule.admit(key)
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pattern").field(&self.text).finish()
    }
}
