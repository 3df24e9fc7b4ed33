//! Places that lie inside each other: what is written to the one would be read, or deleted, as a part of the other.

use sterna::backends::{Whereabouts, location::Location};

use crate::{
    exit::Failure,
    places::{Place, folder_of},
};

/// Refuses places of which one lies inside another, as far as their stores can tell, or the words they were typed in.
pub fn apart<'a>(places: impl IntoIterator<Item = &'a Place>) -> Result<(), Failure> {
    let mut before: Vec<&Place> = Vec::new();
    for place in places {
        let inside = |other: &&Place| roots(other, place).any(|(a, b)| a.starts_with(&b) || b.starts_with(&a));
        if let Some(other) = before.iter().copied().find(inside) {
            return Err(overlap(other, place));
        }
        before.push(place);
    }
    Ok(())
}

/// Refuses a destination at which an object that is moved already lies under its name: nothing would be left of it.
pub fn elsewhere(object: &Place, destination: &Place) -> Result<(), Failure> {
    match roots(object, destination).any(|(from, to)| from == to) {
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
