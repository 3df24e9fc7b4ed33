//! Reading: small files whole and at once, large ones from the open file.

use std::{fs::File, io, ops::Range, sync::Arc};

use bytes::Bytes;

use super::{
    system::{Facts, FileKind, facts_of},
    tree::{Place, Tree},
};
use crate::{
    body::{Body, read_exact_at},
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ReadRequest, Reader},
};

/// Up to so many bytes are read at once, and the file is looked at again afterwards.
const AT_ONCE: u64 = 256 * 1024;

/// Everything known of one object.
pub(super) fn stat(tree: &Tree, key: &Key) -> Result<Entry> {
    let operation = Operation::Stat;
    let place = tree.place(key, operation).map_err(|_| absent(tree, operation, key))?;
    let facts = (|| tree.directory(place.path.parent())?.facts(place.path.name(), tree.follows()))()
        .map_err(|error| tree.not_read(operation, key, error))?;
    let kind = if place.link { FileKind::Link } else { FileKind::File };
    if facts.kind != kind {
        return Err(absent(tree, operation, key));
    }
    Ok(tree.entry_with_metadata(key.clone(), &facts))
}

/// The bytes of one object, or a range of them.
pub(super) fn read(tree: &Tree, key: &Key, request: &ReadRequest) -> Result<Reader> {
    let operation = Operation::Read;
    if request.version.is_some() {
        return Err(Error::unsupported(operation, "no old versions").of(&tree.name).at(key));
    }
    let place = tree.place(key, operation).map_err(|_| absent(tree, operation, key))?;
    if place.link {
        return read_link(tree, key, &place, request);
    }
    let (file, facts) = open(tree, &place).map_err(|error| tree.not_read(operation, key, error))?;
    if facts.kind != FileKind::File {
        return Err(absent(tree, operation, key));
    }
    let range = cut(request.range.as_ref(), facts.size);
    let len = range.end - range.start;
    let body = if len == 0 {
        Body::empty()
    } else if len <= AT_ONCE {
        at_once(tree, key, &file, &facts, range)?.into()
    } else {
        Body::file(Arc::new(file), range.start, len)
    };
    Ok(Reader { entry: tree.entry_with_metadata(key.clone(), &facts), body })
}

/// Opens the file of an object, and says what it is.
pub(super) fn open(tree: &Tree, place: &Place) -> io::Result<(File, Facts)> {
    let file = tree.open()?.open_file(place.path.as_str(), tree.follows())?;
    let facts = facts_of(&file)?;
    Ok((file, facts))
}

/// There is no such object, whatever lies there.
pub(super) fn absent(tree: &Tree, operation: Operation, key: &Key) -> Error {
    tree.not_read(operation, key, io::ErrorKind::NotFound.into())
}

/// An error where a file is no longer what it was when it was opened. Where files are given other names, as may be happening to
/// this one, the time at which its inode changed says nothing.
pub(super) fn unchanged(tree: &Tree, operation: Operation, key: &Key, file: &File, before: &Facts) -> Result<()> {
    let after = facts_of(file).map_err(|error| tree.not_read(operation, key, error))?;
    let named = tree.options.hard_link;
    if (after.size, after.modified) == (before.size, before.modified) && (named || after.changed == before.changed) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Changed, operation).of(&tree.name).at(key))
}

fn at_once(tree: &Tree, key: &Key, file: &File, facts: &Facts, range: Range<u64>) -> Result<Bytes> {
    let want = usize::try_from(range.end - range.start).expect("little is read at once");
    let bytes = read_exact_at(file, range.start, want).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Changed, Operation::Read).of(&tree.name).at(key),
        _ => tree.not_read(Operation::Read, key, error),
    })?;
    unchanged(tree, Operation::Read, key, file, facts)?;
    Ok(bytes)
}

fn read_link(tree: &Tree, key: &Key, place: &Place, request: &ReadRequest) -> Result<Reader> {
    let found = (|| {
        let directory = tree.directory(place.path.parent())?;
        let text = directory.read_link(place.path.name())?;
        Ok((text, directory.facts(place.path.name(), false)?))
    })();
    let (text, mut facts) = found.map_err(|error: io::Error| match error.kind() {
        io::ErrorKind::InvalidInput => absent(tree, Operation::Read, key),
        _ => tree.not_read(Operation::Read, key, error),
    })?;
    facts.size = text.len() as u64;
    let range = cut(request.range.as_ref(), facts.size);
    let range = usize::try_from(range.start).unwrap_or(text.len())..usize::try_from(range.end).unwrap_or(text.len());
    let body = Bytes::from(text).slice(range).into();
    Ok(Reader { entry: tree.entry_with_metadata(key.clone(), &facts), body })
}

fn cut(range: Option<&Range<u64>>, size: u64) -> Range<u64> {
    let Some(range) = range else { return 0..size };
    let end = range.end.min(size);
    range.start.min(end)..end
}
