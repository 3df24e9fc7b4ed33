//! Contents that stand more than once.

use std::{collections::HashMap, sync::Arc};

use rusqlite::{Connection, params};
use serde::Serialize;
use sterna_backends::{Digest, Digests, Entry, Error, ErrorKind, Key, Operation, Result, Store};

use super::{
    Index, Shelves,
    row::{REMEMBERED, from_column, to_column},
};
use crate::{
    event::Observers,
    list::{Listing, Scope},
};

/// A private database that SQLite keeps in a temporary file once it grows, and that is gone with its connection.
const TABLES: &str = "
    PRAGMA journal_mode = off;
    PRAGMA synchronous = off;
    CREATE TABLE object (
        id INTEGER PRIMARY KEY, place INTEGER NOT NULL, key TEXT NOT NULL, size INTEGER NOT NULL,
        sha256 BLOB, sha1 BLOB, md5 BLOB, parts BLOB
    ) STRICT;
    CREATE TABLE member (wasted INTEGER NOT NULL, content INTEGER NOT NULL, object INTEGER NOT NULL) STRICT;
    BEGIN;
";

/// One object among others of the same content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Member {
    /// Which place, from 1.
    pub place: usize,
    /// The object.
    pub key: Key,
}

/// Objects of one content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Bytes of one.
    pub size: u64,
    /// Bytes of all but one.
    pub wasted: u64,
    /// By place and key; at least two.
    pub objects: Vec<Member>,
}

/// What was found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Dups {
    /// Objects that were looked at.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Objects of which no digest is known, beside one of the same size: they may be more of the same.
    pub unknown: u64,
    /// Contents that stand more than once.
    pub contents: u64,
    /// Objects that could be spared.
    pub spare: u64,
    /// Bytes that could be saved.
    pub wasted: u64,
}

/// Lists `places` and hands every content that stands more than once to `tell`, those that waste most first. Contents
/// are equal where a digest that is known of both is; nothing is read. Empty objects waste nothing and are left out.
///
/// # Errors
/// What ended a listing; `Config` where one place lies in another, whose objects would then be their own duplicates.
pub async fn dups(
    places: &[Arc<dyn Store>],
    index: Option<&Index>,
    scope: &Scope,
    observer: &Observers,
    mut tell: impl FnMut(Group),
) -> Result<Dups> {
    apart(places)?;
    let shelves = Shelves::of(index, places);
    let mut scratch = Scratch::new()?;
    for (at, store) in places.iter().enumerate() {
        let mut walk = shelves.get(at).map(|shelf| shelf.walk(scope.is_everything()));
        let mut listing = Listing::open(store, scope, at, Arc::clone(observer));
        while let Some(mut entry) = listing.next().await? {
            if let Some(walk) = &mut walk {
                walk.see(&mut entry).await;
            }
            scratch.add(at + 1, &entry)?;
        }
        if let Some(walk) = walk {
            walk.end().await;
        }
    }
    scratch.group()?;
    scratch.tell(&mut tell)?;
    Ok(scratch.found)
}

/// That no place lies inside another.
fn apart(places: &[Arc<dyn Store>]) -> Result<()> {
    let roots: Vec<_> = places.iter().map(|store| store.whereabouts()).collect();
    for (at, one) in roots.iter().enumerate() {
        for other in roots.iter().skip(at + 1) {
            if let (Some(one), Some(other)) = (one, other)
                && one.place == other.place
                && (one.base.starts_with(&other.base) || other.base.starts_with(&one.base))
            {
                let error = Error::new(ErrorKind::Config, Operation::List).of(places[at].name());
                return Err(error.because("one of the places lies in another"));
            }
        }
    }
    Ok(())
}

struct Scratch {
    database: Connection,
    found: Dups,
}

fn broken(error: rusqlite::Error) -> Error {
    Error::new(ErrorKind::Other, Operation::List).because(error)
}

impl Scratch {
    fn new() -> Result<Self> {
        let database = Connection::open("").map_err(broken)?;
        database.execute_batch(TABLES).map_err(broken)?;
        Ok(Self { database, found: Dups::default() })
    }

    fn add(&mut self, place: usize, entry: &Entry) -> Result<()> {
        let size = entry.size.unwrap_or_default();
        self.found.objects += 1;
        self.found.bytes += size;
        if size == 0 {
            return Ok(());
        }
        let [sha256, sha1, md5, parts] = REMEMBERED.map(|kind| to_column(&entry.digests, kind));
        let sql = "INSERT INTO object (place, key, size, sha256, sha1, md5, parts) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        let values = params![integer(place as u64), entry.key.as_str(), integer(size), sha256, sha1, md5, parts];
        self.database.prepare_cached(sql).and_then(|mut insert| insert.execute(values)).map_err(broken)?;
        Ok(())
    }

    /// Finds the groups, one size after the other: only objects of one size are in memory together.
    fn group(&mut self) -> Result<()> {
        let found = &mut self.found;
        let mut work = || -> rusqlite::Result<()> {
            self.database.execute_batch("CREATE INDEX by_size ON object (size)")?;
            let mut read = self.database.prepare(
                "SELECT id, size, sha256, sha1, md5, parts FROM object \
                 WHERE size IN (SELECT size FROM object GROUP BY size HAVING count(*) > 1) ORDER BY size",
            )?;
            let mut write =
                self.database.prepare("INSERT INTO member (wasted, content, object) VALUES (?1, ?2, ?3)")?;
            let mut rows = read.query([])?;
            let (mut size, mut objects) = (0, Vec::new());
            loop {
                let row = rows.next()?;
                let next = row.map(|row| row.get::<_, i64>(1)).transpose()?;
                if next != Some(size) {
                    for group in groups(&std::mem::take(&mut objects)) {
                        found.contents += 1;
                        let spare = group.len() as u64 - 1;
                        let wasted = u64::try_from(size).unwrap_or_default().saturating_mul(spare);
                        found.spare += spare;
                        found.wasted += wasted;
                        for object in group {
                            write.execute(params![integer(wasted), integer(found.contents), object])?;
                        }
                    }
                }
                let (Some(row), Some(next)) = (row, next) else { return Ok(()) };
                size = next;
                let digests = digests(row)?;
                found.unknown += u64::from(digests.is_empty());
                objects.push((row.get(0)?, digests));
            }
        };
        work().map_err(broken)
    }

    fn tell(&self, tell: &mut impl FnMut(Group)) -> Result<()> {
        let mut work = || -> rusqlite::Result<()> {
            let mut read = self.database.prepare(
                "SELECT content, size, wasted, place, key FROM member JOIN object ON object.id = member.object \
                 ORDER BY wasted DESC, content, place, key",
            )?;
            let mut rows = read.query([])?;
            let mut group: Option<(i64, Group)> = None;
            while let Some(row) = rows.next()? {
                let content = row.get(0)?;
                let natural = |at| row.get::<_, i64>(at).map(|value| u64::try_from(value).unwrap_or_default());
                if group.as_ref().is_none_or(|(last, _)| *last != content) {
                    let next = Group { size: natural(1)?, wasted: natural(2)?, objects: Vec::new() };
                    group.replace((content, next)).into_iter().for_each(|(_, group)| tell(group));
                }
                let key = Key::new(row.get::<_, String>(4)?).ok();
                let place = usize::try_from(natural(3)?).unwrap_or_default();
                if let (Some((_, group)), Some(key)) = (&mut group, key) {
                    group.objects.push(Member { place, key });
                }
            }
            group.into_iter().for_each(|(_, group)| tell(group));
            Ok(())
        };
        work().map_err(broken)
    }
}

fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn digests(row: &rusqlite::Row<'_>) -> rusqlite::Result<Digests> {
    let mut digests = Digests::new();
    for (at, kind) in REMEMBERED.into_iter().enumerate() {
        let bytes: Option<Vec<u8>> = row.get(2 + at)?;
        bytes.and_then(|bytes| from_column(kind, &bytes)).into_iter().for_each(|digest| digests.set(digest));
    }
    Ok(digests)
}

/// A content, and who has it. One that was found to be another's is empty, and leads there.
#[derive(Default)]
struct Content {
    digests: Digests,
    objects: Vec<i64>,
    is: Option<usize>,
}

/// Who has the same content among objects of one size: a digest in common proves it, whatever else only one of them
/// knows, unless a stronger one that both know says otherwise.
fn groups(objects: &[(i64, Digests)]) -> Vec<Vec<i64>> {
    let mut contents: Vec<Content> = Vec::new();
    let mut by_digest: HashMap<Digest, usize> = HashMap::new();
    let strength =
        |digests: &Digests| REMEMBERED.iter().position(|kind| digests.get(*kind).is_some()).unwrap_or(REMEMBERED.len());
    let mut order: Vec<&(i64, Digests)> = objects.iter().filter(|(_, digests)| !digests.is_empty()).collect();
    order.sort_by_key(|(_, digests)| strength(digests));
    for (object, digests) in order {
        let mut content = Content { digests: digests.clone(), objects: vec![*object], is: None };
        let mut target = None;
        for kind in REMEMBERED {
            let Some(known) = digests.get(kind).and_then(|digest| by_digest.get(&digest)) else { continue };
            let found = followed(&contents, *known);
            if Some(found) == target || matches!(contents[found].digests.compare(&content.digests), Some((_, false))) {
                continue;
            }
            // The first that fits takes the object; further ones it proves to be the same are taken into that.
            let other = std::mem::take(&mut contents[found]);
            content.objects.extend(other.objects);
            other.digests.iter().for_each(|digest| content.digests.add(*digest));
            match target {
                None => target = Some(found),
                Some(target) => contents[found].is = Some(target),
            }
        }
        let target = target.unwrap_or_else(|| {
            contents.push(Content::default());
            contents.len() - 1
        });
        content.digests.iter().for_each(|digest| {
            by_digest.entry(*digest).or_insert(target);
        });
        contents[target] = content;
    }
    contents.into_iter().map(|content| content.objects).filter(|objects| objects.len() > 1).collect()
}

fn followed(contents: &[Content], mut at: usize) -> usize {
    while let Some(next) = contents[at].is {
        at = next;
    }
    at
}

#[cfg(test)]
mod tests {
    use sterna_backends::Algorithm;

    use super::*;

    fn known(text: &str, kinds: &[Algorithm]) -> Digests {
        crate::index::of_bytes(text.as_bytes(), kinds)
    }

    fn sorted(objects: &[(i64, Digests)]) -> Vec<Vec<i64>> {
        let mut found = groups(objects);
        found.iter_mut().for_each(|group| group.sort_unstable());
        found.sort_unstable();
        found
    }

    #[test]
    fn whoever_shares_a_digest_with_one_of_a_group_is_of_it() {
        use Algorithm::{Md5, Sha1, Sha256};
        let objects = [
            (1, known("x", &[Sha256, Md5])),
            (2, known("x", &[Sha1])),
            (3, known("x", &[Sha1, Md5])),
            (4, known("x", &[Md5])),
            (5, known("y", &[Md5, Sha256])),
            (6, known("y", &[Sha256])),
            (7, known("z", &[Md5])),
            (8, Digests::new()),
            (9, Digests::new()),
        ];
        assert_eq!(sorted(&objects), [vec![1, 2, 3, 4], vec![5, 6]]);
        let backwards: Vec<_> = objects.iter().rev().cloned().collect();
        assert_eq!(sorted(&backwards), [vec![1, 2, 3, 4], vec![5, 6]]);
    }

    #[test]
    fn a_collision_of_md5_is_no_proof_against_a_sha256() {
        let mut forged = known("forged", &[Algorithm::Sha256]);
        forged.set(known("real", &[Algorithm::Md5]).get(Algorithm::Md5).unwrap());
        let real = known("real", &[Algorithm::Sha256, Algorithm::Md5]);
        assert_eq!(sorted(&[(1, real.clone()), (2, forged)]), Vec::<Vec<i64>>::new());
        assert_eq!(sorted(&[(1, real.clone()), (2, real)]), [vec![1, 2]]);
    }
}
