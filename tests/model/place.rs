//! What a place holds, as a value.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use sterna::backends::{
    Key, KeyRules, Kind, ListRequest, Metadata, PutRequest, Store, StoreExt, Timestamp, memory::Memory,
};

/// One object with all that travels.
#[derive(Clone, PartialEq, Eq)]
pub struct Object {
    pub bytes: Bytes,
    pub modified: Option<Timestamp>,
    pub metadata: Metadata,
}

/// Short, for failing cases are long enough: size and first byte, seconds, what lies beside.
impl std::fmt::Debug for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.bytes.first().copied().map_or(' ', char::from);
        let seconds = self.modified.map(|time| (time.as_nanos() - second(0).as_nanos()) as f64 / 1e9);
        write!(f, "{}*{first:?} {seconds:?}", self.bytes.len())?;
        let Metadata { content_type, user, .. } = &self.metadata;
        write!(f, " {content_type:?} {user:?}")
    }
}

/// The objects of a place.
pub type Tree = BTreeMap<Key, Object>;

/// A place: its objects, and the directories that hold nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    pub tree: Tree,
    pub empty: BTreeSet<Key>,
}

impl Object {
    /// Plain bytes with the time of [`second`]\(0\).
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), modified: Some(second(0)), metadata: Metadata::default() }
    }

    pub fn at(self, modified: impl Into<Option<Timestamp>>) -> Self {
        Self { modified: modified.into(), ..self }
    }
}

/// A point in time, `seconds` after an arbitrary one in 2023.
pub fn second(seconds: i64) -> Timestamp {
    Timestamp::from_parts(1_700_000_000 + seconds, 0)
}

pub fn key(name: &str) -> Key {
    Key::new(name).expect("tests name keys that are keys")
}

/// A tree of plain objects: each name with its bytes.
pub fn tree<const N: usize>(objects: [(&str, &str); N]) -> Tree {
    objects.into_iter().map(|(name, bytes)| (key(name), Object::new(bytes.as_bytes().to_vec()))).collect()
}

/// Whether a place that holds `tree` can take `name` as well.
pub fn fits(rules: KeyRules, tree: &Tree, name: &Key) -> bool {
    let beside = |other: &Key| below(name, other) || below(other, name);
    rules.refuse(name).is_none() && (rules.file_beside_directory || !tree.keys().any(beside))
}

/// Whether `name` lies in the directory that `file` would have to be.
pub fn below(name: &str, file: &str) -> bool {
    name.strip_prefix(file).is_some_and(|rest| rest.starts_with('/'))
}

/// Puts `object` into `store`, past every layer.
pub async fn put(store: &Memory, name: &Key, object: &Object) {
    let request = PutRequest {
        modified: object.modified,
        metadata: object.metadata.clone().into(),
        size: Some(object.bytes.len() as u64),
        ..PutRequest::default()
    };
    store.put(name, request, object.bytes.clone().into()).await.expect("the store takes what fits");
}

/// Puts a whole tree.
pub async fn fill(store: &Memory, tree: &Tree) {
    for (name, object) in tree {
        put(store, name, object).await;
    }
}

/// Deletes, past every layer.
pub async fn remove(store: &Memory, name: &Key) {
    store.delete(&[name.clone().into()]).await.remove(0).expect("memory deletes");
}

/// What `store` really holds.
pub async fn read(store: &Memory) -> Place {
    let request = ListRequest { empty_directories: true, ..ListRequest::all("") };
    let mut place = Place::default();
    for entry in store.list_to_vec(request).await.expect("memory lists") {
        if entry.kind == Kind::Directory {
            place.empty.insert(entry.key);
            continue;
        }
        let bytes = store.get(&entry.key).await.expect("what is listed can be read");
        let entry = store.stat(&entry.key, None).await.expect("what is listed is there");
        let metadata = entry.metadata.as_deref().cloned().unwrap_or_default();
        place.tree.insert(entry.key, Object { bytes, modified: entry.modified, metadata });
    }
    place
}
