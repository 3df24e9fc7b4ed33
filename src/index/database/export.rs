//! All rows, for whoever writes them elsewhere.

use super::{Index, read};
use crate::index::{IndexError, Row};

impl Index {
    /// Hands every row to `each`, place by place in byte order of the keys; stops where it says `false`.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn export(&self, mut each: impl FnMut(Row) -> bool) -> Result<(), IndexError> {
        self.read(|connection| {
            let mut statement = connection.prepare(&format!(
                "SELECT {}, place.name FROM object JOIN place ON place.id = object.place ORDER BY place.name, object.key",
                read::COLUMNS
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                if !each(read::known(row)?) {
                    break;
                }
            }
            Ok(())
        })
    }
}
