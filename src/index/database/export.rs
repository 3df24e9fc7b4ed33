//! All rows, one after the other.

use rusqlite::params;
use sterna_backends::Whereabouts;

use super::{Index, read};
use crate::index::{IndexError, Row};

impl Index {
    /// Hands every row below `of`, or every row at all, to `each`, place by place in byte order of the keys.
    ///
    /// # Errors
    /// Where the file cannot be read; and the first that `each` returns.
    pub fn export(
        &self,
        of: Option<&Whereabouts>,
        mut each: impl FnMut(Row) -> Result<(), IndexError>,
    ) -> Result<(), IndexError> {
        let sql = format!("SELECT {}, ?3 FROM object WHERE place = ?1 AND key >= ?2 ORDER BY key", read::COLUMNS);
        let base = of.map_or("", |of| of.base.as_str());
        for (id, name) in self.numbered()? {
            if of.is_some_and(|of| of.place != name) {
                continue;
            }
            self.read(|connection| {
                let mut statement = connection.prepare_cached(&sql)?;
                let mut rows = statement.query(params![id, base, name])?;
                while let Some(row) = rows.next()? {
                    let row = read::known(row)?;
                    if !row.key.starts_with(base) {
                        break;
                    }
                    if let Err(error) = each(row) {
                        return Ok(Err(error));
                    }
                }
                Ok(Ok(()))
            })??;
        }
        Ok(())
    }
}
