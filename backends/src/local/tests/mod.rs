//! What the family promises, tried on real directories.

mod copies;
mod hard_links;
mod links;
mod listing;
mod parts;
mod writes;

use std::path::Path;

use futures::StreamExt;
use tempfile::TempDir;

use super::{Fsync, Local, LocalOptions};
use crate::{
    body::Body,
    entry::{Entry, Key},
    error::{Error, ErrorKind, Result},
    store::{ListRequest, PutRequest, Store, StoreExt},
};

fn key(text: &str) -> Key {
    text.try_into().unwrap()
}

/// The defaults, without waiting for the disk.
fn quick() -> LocalOptions {
    LocalOptions { fsync: Fsync::None, ..LocalOptions::default() }
}

fn fresh() -> (TempDir, Local) {
    with(quick())
}

fn with(options: LocalOptions) -> (TempDir, Local) {
    let directory = tempfile::tempdir().unwrap();
    let store = Local::new(directory.path(), options);
    (directory, store)
}

async fn put(store: &Local, at: &str, content: &[u8]) -> Result<Entry> {
    store.put(&key(at), PutRequest::default(), content.to_vec().into()).await
}

async fn get(store: &Local, at: &str) -> Result<Vec<u8>> {
    store.get(&key(at)).await.map(|bytes| bytes.to_vec())
}

async fn keys(store: &Local, request: ListRequest) -> Vec<String> {
    store.list_to_vec(request).await.unwrap().into_iter().map(|entry| entry.key.as_str().to_owned()).collect()
}

async fn all(store: &Local) -> Vec<String> {
    keys(store, ListRequest::all("")).await
}

fn kind<T: std::fmt::Debug>(result: Result<T>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A body that hands out `chunks` and then fails, unless it is cut off before.
fn failing(chunks: usize, size: usize) -> Body {
    let good = futures::stream::iter(0..chunks).map(move |_| Ok(vec![7; size].into()));
    let bad = futures::stream::once(async {
        Err(Error::new(ErrorKind::Unavailable, crate::error::Operation::Read).because("the source broke"))
    });
    Body::stream(None, good.chain(bad).boxed())
}

fn stream(chunks: usize, size: usize) -> Body {
    let chunks_of = futures::stream::iter(0..chunks).map(move |_| Ok(vec![7; size].into()));
    Body::stream(Some((chunks * size) as u64), chunks_of.boxed())
}

/// Every name on disk below `directory`, ours included.
fn on_disk(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type().unwrap().is_dir() {
            found.extend(on_disk(&entry.path()).into_iter().map(|below| format!("{name}/{below}")));
            found.push(format!("{name}/"));
        } else {
            found.push(name);
        }
    }
    found.sort();
    found
}
