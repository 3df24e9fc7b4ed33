//! Deleting files, and the directories that became empty by it.

use std::{collections::BTreeSet, io, sync::Arc};

use super::{
    escape::DiskPath,
    names::is_gone,
    system::{Dir, FileKind, is_link_in_way},
    tree::Tree,
};
use crate::{
    entry::Key,
    error::{Error, ErrorKind, Operation, Result},
    store::Deleted,
};

/// Deletes each target; what is not there is deleted already.
pub(super) fn delete(tree: &Tree, targets: &[Deleted]) -> Vec<Result<()>> {
    let mut emptied = BTreeSet::new();
    let mut last: Option<(String, Arc<Dir>)> = None;
    let results = targets.iter().map(|target| delete_one(tree, target, &mut last, &mut emptied)).collect();
    drop(last);
    prune(tree, emptied);
    results
}

fn delete_one(
    tree: &Tree,
    target: &Deleted,
    last: &mut Option<(String, Arc<Dir>)>,
    emptied: &mut BTreeSet<String>,
) -> Result<()> {
    let key = &target.key;
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions").of(&tree.name).at(key));
    }
    // What no file can be called is not there.
    let Ok(place) = tree.place(key, Operation::Delete) else { return Ok(()) };
    let removed = (|| {
        let (parent, name) = (place.path.parent(), place.path.name());
        let directory = match last {
            Some((path, directory)) if path == parent => Arc::clone(directory),
            _ => {
                let root = tree.open()?;
                let directory = if parent.is_empty() { root } else { Arc::new(root.open_directory(parent, false)?) };
                *last = Some((parent.to_owned(), Arc::clone(&directory)));
                directory
            }
        };
        if place.link && directory.facts(name, false)?.kind != FileKind::Link {
            return Ok(());
        }
        directory.remove_file(name)?;
        if !parent.is_empty() && !emptied.contains(parent) {
            emptied.insert(parent.to_owned());
        }
        Ok(())
    })();
    match removed {
        Ok(()) => Ok(()),
        Err(error) if is_gone(&error) || is_link_in_way(&error) => Ok(()),
        // A directory of that name is not the object.
        Err(error) if is_directory(tree, &place.path, &error) => Ok(()),
        Err(error) => Err(Error::io(Operation::Delete, error).of(&tree.name).at(key)),
    }
}

/// Linux says so by the error; elsewhere (`EPERM`) one has to look.
fn is_directory(tree: &Tree, path: &DiskPath, error: &io::Error) -> bool {
    let look = || tree.directory(path.parent())?.facts(path.name(), false);
    error.kind() == io::ErrorKind::IsADirectory || look().is_ok_and(|facts| facts.kind == FileKind::Directory)
}

/// Removes what is empty of `paths` and, then, of what is above; never the root. What cannot be removed stays:
/// the objects are gone all the same.
fn prune(tree: &Tree, mut paths: BTreeSet<String>) {
    let Ok(root) = tree.open() else { return };
    // A path sorts before everything below it, so the last is a deepest one.
    while let Some(path) = paths.pop_last() {
        let Some(path) = DiskPath::reread(&path) else { continue };
        let removed = if path.parent().is_empty() {
            root.remove_directory(path.name())
        } else {
            root.open_directory(path.parent(), false).and_then(|parent| parent.remove_directory(path.name()))
        };
        if removed.is_ok() && !path.parent().is_empty() {
            paths.insert(path.parent().to_owned());
        }
    }
}

/// Makes the root, or a directory inside it.
pub(super) fn make_directory(tree: &Tree, path: &str) -> Result<()> {
    let operation = Operation::MakeDirectory;
    let path = place_of(tree, path, operation)?;
    let made = tree.directory_to_write(path.as_ref().map_or("", DiskPath::as_str));
    made.map(drop).map_err(|error| {
        let error = match error.kind() {
            io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::Exists, operation).because("a file stands where the directory is to be")
            }
            _ if is_link_in_way(&error) => {
                Error::new(ErrorKind::Exists, operation).because("a symbolic link stands in the way")
            }
            _ => Error::io(operation, error),
        };
        named(tree, path.as_ref(), error)
    })
}

/// Removes an empty directory, or the empty root.
pub(super) fn remove_directory(tree: &Tree, path: &str) -> Result<()> {
    let operation = Operation::Delete;
    let path = place_of(tree, path, operation)?;
    let removed = match &path {
        None => {
            tree.forget();
            std::fs::remove_dir(&tree.root)
        }
        Some(path) => (|| {
            let root = tree.open()?;
            let parent = if path.parent().is_empty() { "" } else { path.parent() };
            root.open_directory(parent, false)?.remove_directory(path.name())
        })(),
    };
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(named(tree, path.as_ref(), Error::io(operation, error))),
        Ok(()) => Ok(()),
    }
}

fn place_of(tree: &Tree, path: &str, operation: Operation) -> Result<Option<DiskPath>> {
    if path.is_empty() {
        return Ok(None);
    }
    DiskPath::of_directory(path, tree.options.escape)
        .map(Some)
        .map_err(|why| Error::unsupported(operation, why).of(&tree.name))
}

fn named(tree: &Tree, path: Option<&DiskPath>, error: Error) -> Error {
    let error = error.of(&tree.name);
    match path.and_then(|path| Key::new(path.as_str()).ok()) {
        Some(key) => error.at(&key),
        None => error,
    }
}
