//! `[prices]`: prices of the user's own, in the tables that a file of prices has.

use std::path::Path;

use sterna::price::{Book, BookProblem};
use sterna_backends::secret::Secret;
use toml::{Table, de::DeTable};

/// The table.
pub(super) const TABLE: &str = "prices";

/// Where prices stand beside remotes.
#[derive(Clone, Debug)]
pub(super) struct OwnPrices {
    file: String,
    /// All of the file, so that a mistake has its line; beside prices it may hold secrets.
    text: Secret,
}

impl OwnPrices {
    /// Those of the file `path`, which holds `text`; `None` where it has no such table.
    pub(super) fn of(path: &Path, text: &str) -> Option<Self> {
        let document = DeTable::parse(text).ok()?;
        let has = document.get_ref().keys().any(|key| key.get_ref() == TABLE);
        has.then(|| Self { file: path.display().to_string(), text: Secret::new(text) })
    }

    /// `book` with these over it.
    ///
    /// # Errors
    /// The first mistake, an unknown field included.
    pub(super) fn over(&self, book: Book) -> Result<Book, BookProblem> {
        let (book, unknown) = book.with_own_below(&self.file, self.text.reveal(), TABLE)?;
        unknown.into_iter().next().map_or(Ok(book), Err)
    }

    /// `{ prices = … }`, as it is written.
    pub(super) fn table(&self) -> Table {
        let mut document = self.text.reveal().parse::<Table>().unwrap_or_default();
        document.retain(|name, _| name == TABLE);
        document
    }
}
