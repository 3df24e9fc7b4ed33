//! Questions to the file.

use rusqlite::{Connection, OptionalExtension, Result, Row as Columns, params, params_from_iter, types::Value};
use serde::Serialize;
use sterna_backends::{Digests, Timestamp, Whereabouts};

use super::Index;
use crate::index::{
    IndexError,
    row::{REMEMBERED, Row, from_column, handles},
};

/// Rows of one page.
const PAGE: usize = 4096;

/// Places that hold the same content, at most: more are not looked at.
const TWINS: usize = 64;

pub(super) const COLUMNS: &str = "object.key, mark, size, sha256, sha1, md5, parts, modified, written, place";

/// A part of what is known of a place, in byte order of the keys.
pub(in crate::index) struct Page {
    pub rows: Vec<Row>,
    /// Whether more may follow.
    pub full: bool,
}

/// What one place has in the index.
#[derive(Clone, Debug, Serialize)]
pub struct PlaceStats {
    /// The container.
    pub place: String,
    /// Objects of which something is known.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects of which the SHA-256 is known.
    pub sha256: u64,
    /// Objects of which the SHA-1 is known.
    pub sha1: u64,
    /// Objects of which the MD5 is known.
    pub md5: u64,
}

/// What the index holds.
#[derive(Clone, Debug, Serialize)]
pub struct Stats {
    /// Place by place.
    pub places: Vec<PlaceStats>,
    /// Contents that are known by their SHA-256.
    pub contents: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
}

impl Index {
    /// The number of a place, given to it now where it has none.
    pub(in crate::index) fn place(&self, name: &str) -> std::result::Result<i64, IndexError> {
        self.read(|connection| {
            let found = number(connection, name)?;
            if let Some(id) = found {
                return Ok(id);
            }
            connection.execute("INSERT INTO place (name) VALUES (?1) ON CONFLICT DO NOTHING", [name])?;
            Ok(number(connection, name)?.unwrap_or_default())
        })
    }

    /// What is known of the keys of `place` from `from` on (exclusive with `after`) and before `end`.
    pub(in crate::index) fn page(
        &self,
        place: i64,
        (from, after): (&str, bool),
        end: Option<&str>,
    ) -> std::result::Result<Page, IndexError> {
        let compare = if after { ">" } else { ">=" };
        // No key reaches beyond this one.
        let end = end.unwrap_or("\u{10ffff}\u{10ffff}");
        let sql = format!(
            "SELECT {COLUMNS}, '' FROM object WHERE place = ?1 AND key {compare} ?2 AND key < ?3 ORDER BY key LIMIT {PAGE}"
        );
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&sql)?;
            let rows: Vec<Row> = statement.query_map(params![place, from, end], known)?.collect::<Result<_>>()?;
            Ok(Page { full: rows.len() == PAGE, rows })
        })
    }

    /// What is known of one key of `place`.
    pub(in crate::index) fn one(&self, place: i64, key: &str) -> std::result::Result<Option<Row>, IndexError> {
        self.read(|connection| {
            let sql = format!("SELECT {COLUMNS}, '' FROM object WHERE place = ?1 AND key = ?2");
            connection.prepare_cached(&sql)?.query_row(params![place, key], known).optional()
        })
    }

    /// Whether any object of so many bytes is known in one of `places`.
    pub(in crate::index) fn has_size(&self, places: &[i64], size: u64) -> std::result::Result<bool, IndexError> {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let marks = vec!["?"; places.len()].join(", ");
        let sql =
            format!("SELECT EXISTS (SELECT 1 FROM object INDEXED BY content WHERE size = ? AND place IN ({marks}))");
        self.read(|connection| {
            let values = [size].into_iter().chain(places.iter().copied());
            connection.prepare_cached(&sql)?.query_row(params_from_iter(values), |row| row.get(0))
        })
    }

    /// Where in `places` a content of so many bytes lies that `digests` do not contradict and at least one proves.
    pub(in crate::index) fn twins(
        &self,
        places: &[i64],
        size: u64,
        digests: &Digests,
    ) -> std::result::Result<Vec<Row>, IndexError> {
        let handles = handles(digests);
        if handles.is_empty() || places.is_empty() {
            return Ok(Vec::new());
        }
        let marks = |count: usize| vec!["?"; count].join(", ");
        let sql = format!(
            "SELECT {COLUMNS}, place.name FROM object INDEXED BY content JOIN place ON place.id = object.place \
             WHERE size = ? AND substr(coalesce(md5, sha1, sha256), 1, 8) IN ({}) AND object.place IN ({}) \
             ORDER BY object.place, object.key LIMIT {TWINS}",
            marks(handles.len()),
            marks(places.len())
        );
        let size = Value::Integer(i64::try_from(size).unwrap_or(i64::MAX));
        let values: Vec<Value> = [size]
            .into_iter()
            .chain(handles.into_iter().map(Value::Blob))
            .chain(places.iter().copied().map(Value::Integer))
            .collect();
        let found: Vec<Row> = self.read(|connection| {
            connection.prepare_cached(&sql)?.query_map(params_from_iter(values), known)?.collect()
        })?;
        let proves = |known: &Row| matches!(known.digests.compare(digests), Some((_, true)));
        Ok(found.into_iter().filter(proves).collect())
    }

    /// What it holds, counted.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn stats(&self) -> std::result::Result<Stats, IndexError> {
        self.read(|connection| {
            let count = |row: &Columns<'_>, at: usize| Ok(u64::try_from(row.get::<_, i64>(at)?).unwrap_or_default());
            let mut statement = connection.prepare(
                "SELECT place.name, count(object.id), coalesce(sum(size), 0), count(sha256), count(sha1), count(md5) \
                 FROM place LEFT JOIN object ON object.place = place.id GROUP BY place.id ORDER BY place.name",
            )?;
            let places = statement.query_map([], |row| {
                Ok(PlaceStats {
                    place: row.get(0)?,
                    objects: count(row, 1)?,
                    bytes: count(row, 2)?,
                    sha256: count(row, 3)?,
                    sha1: count(row, 4)?,
                    md5: count(row, 5)?,
                })
            })?;
            let places = places.collect::<Result<_>>()?;
            // Groups are sorted on the disk; `count(DISTINCT ...)` fills a tree at random, in four times the time.
            let contents = "SELECT count(*) FROM (SELECT 1 FROM object WHERE sha256 IS NOT NULL GROUP BY sha256)";
            let contents = connection.query_row(contents, [], |row| count(row, 0))?;
            let pages: i64 = connection.pragma_query_value(None, "page_count", |row| row.get(0))?;
            let size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
            Ok(Stats { places, contents, file_bytes: u64::try_from(pages * size).unwrap_or_default() })
        })
    }

    /// Forgets what lies below `of`, and an object that has its very name; or everything. How many.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn forget(&self, of: Option<&Whereabouts>) -> std::result::Result<u64, IndexError> {
        let forgotten = self.read(|connection| match of {
            None => {
                let count = connection.execute("DELETE FROM object", [])?;
                connection.execute("DELETE FROM place", [])?;
                Ok(count)
            }
            Some(Whereabouts { place, base, .. }) => connection.execute(
                "DELETE FROM object WHERE place = (SELECT id FROM place WHERE name = ?1) \
                 AND (key = ?3 OR key >= ?2 AND substr(key, 1, length(?2)) = ?2)",
                params![place, base, base.strip_suffix('/').unwrap_or(base)],
            ),
        })?;
        Ok(forgotten as u64)
    }

    /// Gives the space of what was forgotten back to the disk.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn vacuum(&self) -> std::result::Result<(), IndexError> {
        self.read(|connection| connection.execute_batch("VACUUM; PRAGMA wal_checkpoint(TRUNCATE);"))
    }
}

fn number(connection: &Connection, name: &str) -> Result<Option<i64>> {
    connection.prepare_cached("SELECT id FROM place WHERE name = ?1")?.query_row([name], |row| row.get(0)).optional()
}

/// A row of [`COLUMNS`] and the place's name. A column that is not what was written counts as empty.
pub(super) fn known(row: &Columns<'_>) -> Result<Row> {
    let mut digests = Digests::new();
    for (at, kind) in REMEMBERED.into_iter().enumerate() {
        let bytes = row.get_ref(3 + at)?.as_blob_or_null().ok().flatten();
        if let Some(digest) = bytes.and_then(|bytes| from_column(kind, bytes)) {
            digests.set(digest);
        }
    }
    let mark = row.get_ref(1)?.as_blob().ok().and_then(|bytes| bytes.try_into().ok()).unwrap_or_default();
    Ok(Row {
        key: row.get(0)?,
        mark,
        size: u64::try_from(row.get::<_, i64>(2)?).unwrap_or_default(),
        digests,
        modified: row.get::<_, Option<i64>>(7)?.map(Timestamp::from_nanos),
        written: row.get(8)?,
        number: row.get(9)?,
        place: row.get(10)?,
    })
}
