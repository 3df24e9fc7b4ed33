//! Places that lie inside each other: what is written to the one would be read, or deleted, as a part of the other.

use sterna::{
    backends::{Whereabouts, location::Location},
    plan::Intent,
};

use super::ground::Ground;
use crate::{
    exit::Failure,
    places::{Place, folder_of},
};

/// Refuses destinations, and a place for what is overwritten there, that a run with that intent would read, or destroy, as a
/// part of `source`; `earlier`: an old state of it is meant.
pub fn may_be_written(
    (intent, earlier): (Intent, bool),
    source: &Place,
    (backup, destinations): (Option<&Place>, &[Place]),
) -> Result<(), Failure> {
    // An old state of a place may be copied over the present one: that is how it is restored.
    let restores = earlier && intent != Intent::Move;
    // One object is in nobody's way but its own.
    let alone = source.object.is_some();
    apart((!restores && !alone).then_some(source).into_iter().chain(backup).chain(destinations))?;
    if alone && intent == Intent::Move {
        destinations.iter().try_for_each(|place| elsewhere(source, place))?;
    }
    Ok(())
}

/// Refuses places of which one lies inside another, as far as their stores and the file system can tell, or the words they
/// were typed in.
pub fn apart<'a>(places: impl IntoIterator<Item = &'a Place>) -> Result<(), Failure> {
    let mut before: Vec<&Place> = Vec::new();
    for place in places {
        let inside = |other: &&Place| {
            let named_so = roots(other, place).any(|(a, b)| a.starts_with(&b) || b.starts_with(&a));
            named_so || grounds(other, place).is_some_and(|(a, b)| a.holds(&b) || b.holds(&a))
        };
        if let Some(other) = before.iter().copied().find(inside) {
            return Err(overlap(other, place));
        }
        before.push(place);
    }
    Ok(())
}

/// Refuses a destination at which an object that is moved already lies under its name: nothing would be left of it.
fn elsewhere(object: &Place, destination: &Place) -> Result<(), Failure> {
    let named_so = roots(object, destination).any(|(from, to)| from == to);
    match named_so || grounds(object, destination).is_some_and(|(a, b)| a.holds(&b) && b.holds(&a)) {
        true => Err(overlap(object, destination)),
        false => Ok(()),
    }
}

fn overlap(a: &Place, b: &Place) -> Failure {
    Failure::usage(format!("{} and {} overlap; choose places outside each other", a.written, b.written))
}

/// Where both places lie, in each way that both can say.
fn roots(a: &Place, b: &Place) -> impl Iterator<Item = (String, String)> {
    [lies, typed].into_iter().filter_map(|root| root(a).zip(root(b)))
}

/// Where a place lies, under whatever name and with whosever key it was reached; it ends in `/`.
fn lies(place: &Place) -> Option<String> {
    let Whereabouts { place, base, .. } = place.store.whereabouts()?;
    Some(format!("{place}/{}", folder_of(&base)))
}

/// What is under both on this machine, where both lie there.
fn grounds(a: &Place, b: &Place) -> Option<(Ground, Ground)> {
    Ground::of(a).zip(Ground::of(b))
}

/// A place of a remote as it was typed: stores whose objects cannot be remembered do not say where they lie.
fn typed(place: &Place) -> Option<String> {
    let (remote, path) = match place.written.parse().ok()? {
        Location::Local(_) => return None,
        Location::Remote { name, path } => (format!("{name}:"), path),
        Location::Url { scheme, path } => (format!("{scheme}://"), path),
    };
    let folder = match &place.object {
        Some(_) => path.rsplit_once('/').map_or("", |(folder, _)| folder),
        None => &path,
    };
    Some(remote + &folder_of(folder.trim_start_matches('/')))
}
