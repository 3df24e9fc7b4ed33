//! What can be wrong with a price book, and where.

use std::fmt;

use jiff::civil::Date;

/// A mistake in a file of prices, or a field nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BookProblem {
    /// The file as it was named.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// Where in the file: `offer "b2/standard": storage.tiers[0].price`; empty where it is no field's fault.
    pub field: String,
    /// What is wrong.
    pub what: String,
}

impl fmt::Display for BookProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for BookProblem {}

/// Why there is no offer of that name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SelectError {
    /// No record bears the name.
    #[error("no offer is called '{name}'{}", near.as_ref().map(|near| format!("; did you mean '{near}'?")).unwrap_or_default())]
    Unknown {
        /// What was asked for.
        name: String,
        /// The nearest name there is.
        near: Option<String>,
    },
    /// Records bear it, none for that day.
    #[error("the book has no price of '{id}' for {date}")]
    NotThen {
        /// The offer.
        id: String,
        /// The day.
        date: Date,
    },
    /// Its rate was not found.
    #[error("'{id}' has no known price")]
    Unpriced {
        /// The offer.
        id: String,
    },
}
