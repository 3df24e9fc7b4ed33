//! Whether a directory tells `a` from `A`. Nobody says so for all file systems, and nothing is written to find out: a
//! dry run asks, too.

use std::path::{Path, PathBuf};

use super::system::Dir;

/// Whether names that differ in case only are the same below `root`, or below the nearest directory above it that
/// exists.
///
/// A directory that has names in it is asked for one of them in the other case. An empty one is known by its file system
/// or, where that is part of a larger tree, by how its parent takes its name. What is left is the root of an empty volume
/// of a kind that is not known: that counts as folding, since two objects that are told to be in each other's way can be
/// sent later, and one that overwrote the other cannot be had back.
pub(super) fn folds_case(root: &Path) -> bool {
    let Some(directory) = existing(root) else { return false };
    asked(&directory).or_else(|| Dir::open(&directory).ok()?.folds_case()).unwrap_or_else(|| by_parent(&directory))
}

fn existing(root: &Path) -> Option<PathBuf> {
    let root = std::path::absolute(root).ok()?;
    root.ancestors().find(|path| path.is_dir()).map(Path::to_owned)
}

/// By one of the names in it; `None` where there is none with a letter.
fn asked(directory: &Path) -> Option<bool> {
    let names = std::fs::read_dir(directory).ok()?.flatten().take(100);
    let (name, other) = names.map(|entry| entry.path()).find_map(|path| with_other_case(&path))?;
    Some(same(directory, &name, &other))
}

fn by_parent(directory: &Path) -> bool {
    let (Some(parent), Some((name, other))) = (directory.parent(), with_other_case(directory)) else { return false };
    let device = |path: &Path| Some(Dir::open(path).ok()?.own_facts().ok()?.id.0);
    let volume = matches!((device(parent), device(directory)), (Some(above), Some(here)) if above != here);
    volume || same(parent, &name, &other)
}

/// Whether the directory takes both names for the same, and has only the first of them.
fn same(directory: &Path, name: &str, other: &str) -> bool {
    let Ok(directory) = Dir::open(directory) else { return false };
    // Not by their inodes: file systems in user space number them by the name they were asked for.
    match (directory.facts(name, false), directory.facts(other, false)) {
        (Ok(one), Ok(two)) => (one.kind, one.size) == (two.kind, two.size) && lists_once(&directory, other),
        _ => false,
    }
}

/// Whether the directory has no name written exactly so: then it was found under another one.
fn lists_once(directory: &Dir, name: &str) -> bool {
    let mut found = false;
    let told = directory.for_each(&mut |each, _| {
        found |= each.to_str() == Some(name);
        Ok(())
    });
    told.is_ok() && !found
}

/// A path's last name, and the same in the other case; `None` where there is no letter in it.
fn with_other_case(path: &Path) -> Option<(String, String)> {
    let name = path.file_name()?.to_str()?;
    let swapped: String = name
        .chars()
        .map(
            |letter| {
                if letter.is_ascii_lowercase() { letter.to_ascii_uppercase() } else { letter.to_ascii_lowercase() }
            },
        )
        .collect();
    (swapped != name).then(|| (name.to_owned(), swapped))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_does_not_exist_yet_is_as_the_one_it_will_lie_in() {
        let place = tempfile::tempdir().unwrap();
        let later = place.path().join("later/and/later");
        assert_eq!(existing(&later).unwrap(), std::path::absolute(place.path()).unwrap());
        // Tests run where case counts: with names inside, empty, and not there yet.
        assert!(!folds_case(place.path()) && !folds_case(&later));
        std::fs::write(place.path().join("name"), "").unwrap();
        assert_eq!(asked(place.path()), Some(false));
        assert!(!folds_case(&later));
    }

    #[test]
    fn names_have_another_case_or_none() {
        let other = |name: &str| with_other_case(Path::new(name)).map(|(_, other)| other);
        assert_eq!(other("/x/aB1").as_deref(), Some("Ab1"));
        assert_eq!(other("/x/12-3"), None);
        assert_eq!(other("/"), None);
    }
}
