//! Listings: what is there when the first page is asked for, in the order and pages of the behaviour.

use std::{cmp::Ordering, collections::BTreeSet};

use super::{
    behaviour::{Behaviour, Listed},
    state::{Object, State},
};
use crate::{
    entry::{Entry, Key},
    error::{Error, Operation, Result},
    store::{ListRequest, VersionScope},
};

/// All pages of a listing.
///
/// # Errors
/// `NoSuchContainer`; `Unsupported` for old versions where none are kept.
pub(super) fn pages(state: &State, behaviour: &Behaviour, request: &ListRequest) -> Result<Vec<Vec<Entry>>> {
    state.present(Operation::List)?;
    if request.versions != VersionScope::Latest && !behaviour.capabilities.versions {
        return Err(Error::unsupported(Operation::List, "no old versions are kept"));
    }
    let mut entries = objects(state, behaviour, request);
    if request.empty_directories {
        entries.extend(empty_directories(state, request, &entries));
    }
    order(&mut entries, behaviour.listed);
    Ok(cut(entries, behaviour))
}

fn objects(state: &State, behaviour: &Behaviour, request: &ListRequest) -> Vec<Entry> {
    let mut directories = BTreeSet::new();
    let mut entries = Vec::new();
    for object in state.objects.values() {
        let Some(rest) = object.key.strip_prefix(request.prefix.as_str()) else { continue };
        let shown = versions(object, behaviour, request.versions);
        match rest.find('/') {
            _ if shown.is_empty() => {}
            Some(at) if !request.recursive => {
                directories.insert(object.key[..=request.prefix.len() + at].to_owned());
            }
            _ if entered(request, &object.key) => entries.extend(shown),
            _ => {}
        }
    }
    entries.extend(directories.into_iter().map(|directory| Entry::directory(of_key(directory))));
    entries
}

/// Whether every directory between the prefix and `key` is to be entered.
fn entered(request: &ListRequest, key: &str) -> bool {
    let below = key.match_indices('/').map(|(at, _)| &key[..=at]);
    below.filter(|directory| directory.len() > request.prefix.len()).all(|directory| request.enters(directory))
}

fn versions(object: &Object, behaviour: &Behaviour, scope: VersionScope) -> Vec<Entry> {
    let newest_first = object.revisions.iter().rev();
    let entry = |revision: &super::revision::Revision| revision.entry(behaviour, &object.key, false);
    match scope {
        VersionScope::All => newest_first.map(entry).collect(),
        VersionScope::Latest => newest_first.take(1).map(entry).filter(Entry::is_object).collect(),
        VersionScope::At(time) => newest_first
            .skip_while(|revision| revision.stored > time)
            .take(1)
            .map(entry)
            .filter(Entry::is_object)
            .collect(),
    }
}

fn empty_directories(state: &State, request: &ListRequest, shown: &[Entry]) -> Vec<Entry> {
    let known: BTreeSet<&str> = shown.iter().map(|entry| entry.key.as_str()).collect();
    let below = |directory: &&String| {
        directory
            .strip_prefix(request.prefix.as_str())
            .is_some_and(|rest| !rest.is_empty() && (request.recursive || rest.find('/') == Some(rest.len() - 1)))
    };
    let told = |directory: &&String| {
        let whole = request.recursive && !state.is_empty(directory);
        !whole && !known.contains(directory.as_str()) && entered(request, directory)
    };
    let directories = state.directories.iter().filter(below).filter(told);
    directories.map(|directory| Entry::directory(of_key(directory.clone()))).collect()
}

fn of_key(directory: String) -> Key {
    Key::new(directory).expect("a directory above a key is no longer than the key, and not empty")
}

/// The sort is stable, so versions of a key stay newest first.
fn order(entries: &mut [Entry], listed: Listed) {
    match listed {
        Listed::Bytes => entries.sort_by(|a, b| a.key.cmp(&b.key)),
        Listed::Tree => entries.sort_by(|a, b| as_tree(&a.key, &b.key)),
        Listed::Shuffled(seed) => {
            entries.sort_by(|a, b| a.key.cmp(&b.key));
            fastrand::Rng::with_seed(seed).shuffle(entries);
        }
    }
}

fn as_tree(a: &str, b: &str) -> Ordering {
    a.split('/').cmp(b.split('/'))
}

fn cut(entries: Vec<Entry>, behaviour: &Behaviour) -> Vec<Vec<Entry>> {
    let mut pages: Vec<Vec<Entry>> = entries.chunks(behaviour.page.max(1)).map(<[Entry]>::to_vec).collect();
    if behaviour.overlapping_pages {
        for at in (1..pages.len()).rev() {
            let repeated = pages[at - 1].last().cloned();
            pages[at].splice(0..0, repeated);
        }
    }
    pages
}
