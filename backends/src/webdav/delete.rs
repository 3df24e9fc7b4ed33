//! Deleting objects, and collections that are empty.

use std::{
    collections::{HashMap, HashSet},
    sync::PoisonError,
    time::{Duration, Instant},
};

use futures::{StreamExt, stream};

use super::{
    place::Place,
    properties::{Depth, ask, look_if_there},
    settle::moved,
};
use crate::{
    directories::{named, prune},
    error::{Error, ErrorKind, Operation, Result},
    store::{Deleted, delete_each},
    unfinished::is_unfinished,
    web::address::parent,
};

/// Objects deleted at once, and collections looked at.
const AT_ONCE: usize = 8;

/// Members of a collection that are read for each object that is to go, to see what these are; where there are more it is
/// less work to look at each by itself.
const MEMBERS_EACH: usize = 100;
pub(super) const MANY: usize = 100;

/// For how long a look at a collection holds: the next call may go on in the one where this one ended.
pub(super) const HOLDS: Duration = Duration::from_secs(10);

/// Deletes each target, and the collections that became empty by it. To delete a collection is to delete all that is in
/// it, so each is looked at first: those of one collection together.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    let folders = &folders(place, targets).await;
    let results = delete_each(targets, AT_ONCE, |target| async move {
        let seen = folders.get(parent(&target.key)).is_some_and(|folder| folder.objects.contains(target.key.as_str()));
        one(place, target, seen).await.map_err(|error| place.name_error(error, Some(&target.key)))
    })
    .await;
    if place.vendor.lists_all {
        let gone = targets.iter().zip(&results).filter(|(_, result)| matches!(result, Ok(true)));
        let left = gone.map(|(target, _)| parent(&target.key));
        let left = left.filter(|path| folders.get(path).is_none_or(|folder| !folder.has_others));
        prune(place, left.map(|path| path.trim_end_matches('/').to_owned()).collect()).await;
    }
    results.into_iter().map(|result| result.map(drop)).collect()
}

/// What a collection shows of the objects that are to go. What it does not show may be there all the same: some servers do not
/// list every name.
#[derive(Default)]
struct Folder<'a> {
    objects: HashSet<&'a str>,
    /// Something else lies there, too.
    has_others: bool,
}

/// What a collection showed beside what was to go.
#[derive(Debug)]
pub(super) struct Looked {
    path: String,
    objects: HashSet<String>,
    has_others: bool,
    at: Instant,
}

impl Looked {
    /// What is told of `wanted`, which are then no longer among the others.
    fn take<'a>(&mut self, wanted: &HashSet<&'a str>) -> Option<Folder<'a>> {
        let holds = self.at.elapsed() < HOLDS && wanted.iter().all(|key| self.objects.remove(*key));
        let has_others = self.has_others || !self.objects.is_empty();
        holds.then(|| Folder { objects: wanted.clone(), has_others })
    }
}

/// The collections the targets lie in, each looked at once.
async fn folders<'a>(place: &Place, targets: &'a [Deleted]) -> HashMap<&'a str, Folder<'a>> {
    let mut wanted: HashMap<&str, HashSet<&str>> = HashMap::new();
    for target in targets.iter().filter(|target| !place.cannot_be(&target.key)) {
        wanted.entry(parent(&target.key)).or_default().insert(&target.key);
    }
    // What cannot be seen so is looked at one by one.
    let last = targets.last().map_or("", |target| parent(&target.key));
    let look =
        |(path, wanted)| async move { (path, look_into(place, path, &wanted, path == last).await.unwrap_or_default()) };
    let looks: Vec<_> = wanted.into_iter().map(look).collect();
    stream::iter(looks).buffer_unordered(AT_ONCE).collect().await
}

/// What the collection `path` shows of `wanted`; what it shows beside is kept for the next call where that `may_go_on` there.
async fn look_into<'a>(place: &Place, path: &str, wanted: &HashSet<&'a str>, may_go_on: bool) -> Result<Folder<'a>> {
    let learned = &place.learned;
    let looked = || learned.looked.lock().unwrap_or_else(PoisonError::into_inner);
    let before = looked().take_if(|looked| looked.path == path);
    if let Some(mut before) = before
        && let Some(folder) = before.take(wanted)
    {
        *looked() = Some(before).filter(|_| may_go_on);
        return Ok(folder);
    }
    let mut folder = Folder::default();
    if place.is_vast(path) {
        return Ok(folder);
    }
    let at = Instant::now();
    let mut told = ask(place, Operation::Delete, path, Depth::Members, false).await?;
    let mut others = HashSet::new();
    while let Some(member) = told.next().await? {
        let Some(found) = place.address.path_of(&member.href) else { continue };
        match wanted.get(&*found) {
            Some(key) if !member.found.collection => drop(folder.objects.insert(*key)),
            _ if found == path.trim_end_matches('/') => {}
            None if !member.found.collection && !is_unfinished(&found) => drop(others.insert(found)),
            _ => folder.has_others = true,
        }
        if others.len() > MANY + wanted.len() * MEMBERS_EACH {
            place.saw_vast(path);
            folder.has_others = true;
            return Ok(folder);
        }
    }
    let has_others = folder.has_others;
    folder.has_others |= !others.is_empty();
    if may_go_on {
        *looked() = Some(Looked { path: path.to_owned(), objects: others, has_others, at });
    }
    Ok(folder)
}

/// Whether something was there; an object, where that was `seen` already.
async fn one(place: &Place, target: &Deleted, seen: bool) -> Result<bool> {
    if target.version.is_some() {
        return Err(Error::unsupported(Operation::Delete, "no old versions"));
    }
    if place.cannot_be(&target.key) {
        return Ok(false);
    }
    if !seen {
        match look_if_there(place, Operation::Delete, &target.key).await? {
            None => return Ok(false),
            // A collection is not the object.
            Some(found) if found.collection => return Ok(false),
            Some(_) => {}
        }
    }
    remove(place, &target.key).await.map(|()| true)
}

/// Whether the collection `path` has no members; those of unfinished uploads count where `strictly`.
pub(super) async fn is_empty(place: &Place, path: &str, strictly: bool) -> Result<bool> {
    let mut members = ask(place, Operation::Delete, path, Depth::Members, false).await?;
    let itself = path.trim_end_matches('/');
    while let Some(member) = members.next().await? {
        let told = place.address.path_of(&member.href);
        let name = told.as_deref().and_then(|told| told.rsplit('/').next()).unwrap_or_default();
        if told.as_deref() == Some(itself) && !member.found.collection {
            return Err(Error::new(ErrorKind::NotFound, Operation::Delete));
        }
        if told.as_deref() != Some(itself) && (strictly || !is_unfinished(name)) {
            return Ok(false);
        }
    }
    Ok(true)
}

pub(super) async fn remove(place: &Place, path: &str) -> Result<()> {
    let answer = place.site.send(place.call(Operation::Delete, "DELETE", path), None).await?;
    match moved(Operation::Delete, answer).await {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// DELETE of a collection without members.
///
/// # Errors
/// `Exists` where it has some.
pub(super) async fn remove_directory(place: &Place, path: &str) -> Result<()> {
    let path = named(&place.capabilities.keys, Operation::Delete, path)?;
    let path = if path.is_empty() { String::new() } else { format!("{path}/") };
    match is_empty(place, &path, false).await {
        Ok(true) => {}
        Ok(false) => return Err(Error::new(ErrorKind::Exists, Operation::Delete).because("it is not empty")),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    place.collections.forget(&path);
    remove(place, &path).await
}
