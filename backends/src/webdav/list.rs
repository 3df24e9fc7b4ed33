//! Listings: a whole tree in one answer where the server gives it, else collection by collection, several at once.
//!
//! A server may refuse `Depth: infinity`, and some (sabre/dav, and with it Nextcloud) take it for `1` without a word. So
//! a collection that came without members is asked for by itself before it counts as empty.

use std::{
    collections::HashSet,
    sync::{PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    multistatus::Member,
    place::{Place, Shared},
    properties::{Depth, ask, listed, look_if_there},
};
use crate::{
    entry::{Entry, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
    unfinished::is_unfinished,
    walk::{self, Page, Scan, key, top},
    web::{
        address::parent,
        patience::persistently,
        status::{self, Refused},
    },
};

/// Entries handed on at once.
const PAGE: usize = 1_000;
/// Collections asked for at once.
const AT_ONCE: usize = 8;
/// How long what was seen when the place was opened stands for its first listing.
const MOMENT: Duration = Duration::from_secs(10);

/// What [`Learned::infinity`](super::place::Learned) says: nothing yet, or one of these.
const SERVED: u8 = 1;
const REFUSED: u8 = 2;

/// What was seen of the folder that was named when the place was opened, where it holds nothing.
#[derive(Clone, Copy, Debug)]
pub(super) enum Nothing {
    Empty,
    Missing,
}

/// Whether the folder that was named holds nothing that a listing tells. Where it holds nothing at all, that is what the first
/// listing tells, without asking again.
///
/// # Errors
/// As [`ask`]; `Integrity` for what is no listing.
pub(super) async fn holds_nothing(place: &Place) -> Result<bool> {
    let folder = &place.folder;
    let at = Instant::now();
    let keep = |nothing| *place.learned.nothing.lock().unwrap_or_else(PoisonError::into_inner) = Some((nothing, at));
    let mut told = match ask(place, Operation::List, folder, Depth::Members, false).await {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // As good as seen: where it is missing, too, what is made below it shows that.
            if !folder.is_empty() {
                place.collections.saw("");
            }
            keep(Nothing::Missing);
            return Ok(true);
        }
        told => told?,
    };
    let mut all = true;
    while let Some(member) = told.next().await? {
        match told_path(place, &member, folder)? {
            None => {}
            Some(path) if is_unfinished(&path) => all = false,
            Some(_) => return Ok(false),
        }
    }
    if all {
        keep(Nothing::Empty);
    }
    Ok(true)
}

/// Something is written: what [`holds_nothing`] has kept holds no longer.
pub(super) fn no_longer_nothing(place: &Place) {
    place.learned.nothing.lock().unwrap_or_else(PoisonError::into_inner).take();
}

/// What [`holds_nothing`] has kept a moment ago, once.
fn nothing(place: &Place, top: &str) -> Result<Option<Pages>> {
    let kept = place.learned.nothing.lock().unwrap_or_else(PoisonError::into_inner).take();
    match kept.filter(|(_, at)| top == place.folder && at.elapsed() < MOMENT) {
        None => Ok(None),
        Some((Nothing::Missing, _)) => Err(Error::new(ErrorKind::NoSuchContainer, Operation::List)),
        Some((Nothing::Empty, _)) => {
            place.collections.saw_down_to(top);
            Ok(Some(stream::empty().boxed()))
        }
    }
}

/// Lists what `request` asks for.
pub(super) fn pages(place: Shared, request: ListRequest) -> Pages {
    let named = place.clone();
    let pages = stream::once(async move {
        let Some(top) = top(&request.prefix).map(str::to_owned) else { return Ok(stream::empty().boxed()) };
        if let Some(pages) = nothing(&place, &top)? {
            return Ok(pages);
        }
        let whole = request.recursive && request.enter.is_none() && request.prefix == top;
        if whole
            && place.learned.infinity.load(Ordering::Relaxed) != REFUSED
            && let Some(pages) = tree(&place, &request, &top).await?
        {
            return Ok(pages);
        }
        Ok(walk(place, request, vec![top.clone()], Some(top)))
    });
    pages.try_flatten().map_err(move |error: Error| named.name_error(error, None)).boxed()
}

/// The whole tree below `top` in one answer; `None` where the server does not give it.
async fn tree(place: &Shared, request: &ListRequest, top: &str) -> Result<Option<Pages>> {
    let refused = || {
        place.learned.infinity.store(REFUSED, Ordering::Relaxed);
        Ok(None)
    };
    let checksums = place.vendor.checksums;
    let mut told = match ask(place, Operation::List, top, Depth::All, checksums).await {
        Ok(told) => told,
        Err(error) if error.kind() == ErrorKind::NotFound => return missing(place, top).await.map(Some),
        Err(error) if Refused::of(&error).is_some() && error.kind() != ErrorKind::Throttled => return refused(),
        Err(error) if error.kind() == ErrorKind::Timeout => return refused(),
        Err(error) => return Err(error),
    };
    // A collection comes before its members; whoever does otherwise is walked.
    match told.next().await? {
        Some(first) if place.address.path_of(&first.href).as_deref() == Some(top.trim_end_matches('/')) => {}
        _ => return refused(),
    }
    place.collections.saw_down_to(top);
    let childless = HashSet::new();
    let state = (place.clone(), request.clone(), top.to_owned(), Some(told), childless);
    let pages = stream::try_unfold(state, |(place, request, top, told, mut childless)| async move {
        let Some(mut told) = told else { return Ok(None) };
        let mut entries = Vec::new();
        while entries.len() < PAGE {
            let Some(member) = told.next().await? else {
                place.learned.infinity.store(SERVED, Ordering::Relaxed);
                let rest = walk(place.clone(), request.clone(), childless.into_iter().collect(), None);
                let pages = stream::once(async { Ok(entries) }).chain(rest).boxed();
                return Ok(Some((pages, (place, request, top, None, HashSet::new()))));
            };
            let path = told_path(&place, &member, &top).inspect_err(|_| {
                place.learned.infinity.store(REFUSED, Ordering::Relaxed);
            })?;
            let Some(path) = path else { continue };
            if is_unfinished(&path) {
                saw_unfinished(&place, path, &member);
                continue;
            }
            childless.remove(parent(&path));
            if member.found.collection {
                let path = format!("{path}/");
                place.collections.saw(&path);
                childless.insert(path);
            } else {
                entries.push(listed(&place, key(&path)?, member.found));
            }
        }
        let page = stream::once(async { Ok(entries) }).boxed();
        Ok(Some((page, (place, request, top, Some(told), childless))))
    });
    Ok(Some(pages.try_flatten().boxed()))
}

/// Nothing lies below a collection that is missing; that the place itself is missing is an error.
async fn missing(place: &Shared, top: &str) -> Result<Pages> {
    let folder = &place.folder;
    let seen = folder.is_empty() && place.collections.knows("");
    let gone = folder.starts_with(top) || !seen && look_if_there(place, Operation::List, folder).await?.is_none();
    if gone { Err(Error::new(ErrorKind::NoSuchContainer, Operation::List)) } else { Ok(stream::empty().boxed()) }
}

/// Notes a file that is not finished; a collection of such a name is not ours to remove.
fn saw_unfinished(place: &Shared, path: String, member: &Member) {
    let written = member.found.modified.filter(|_| !member.found.collection);
    place.learned.stale.saw(path, written, Timestamp::now());
}

/// The path of a member below `top`; `None` for `top` itself.
fn told_path(place: &Place, member: &Member, top: &str) -> Result<Option<String>> {
    let failed = |kind| Error::new(kind, Operation::List);
    if let Some(refused) = member.status.filter(|status| !(200..300).contains(status)) {
        let why = format!("the server told of '{}' that HTTP {refused} is all it says", member.href);
        return Err(failed(status::kind(refused)).because(why));
    }
    let inside = place.address.path_of(&member.href).filter(|path| format!("{path}/").starts_with(top));
    match inside {
        Some(path) if path.len() < top.len() || path.is_empty() => Ok(None),
        Some(path) => Ok(Some(path)),
        None => {
            let why = format!("the server listed '{}', which is no name below {}", member.href, place.address.root());
            Err(failed(ErrorKind::Integrity).retryable(false).because(why))
        }
    }
}

/// A walk, collection by collection: from the `top`, which may be missing, or from collections that were listed before.
fn walk(place: Shared, request: ListRequest, pending: Vec<String>, top: Option<String>) -> Pages {
    let asked = request.clone();
    walk::pages(request, pending, AT_ONCE, move |path| scan(place.clone(), &asked, path, top.as_deref()))
}

/// The members of `path`; of an empty collection its own entry, where that is asked for.
fn scan(place: Shared, request: &ListRequest, path: String, top: Option<&str>) -> Scan {
    let may_miss = top == Some(&path);
    let tells_empty = request.recursive && request.empty_directories && !may_miss;
    let truncated = top.is_none();
    stream::once(async move {
        let Some(told) = opened(&place, &path, may_miss).await? else {
            return Ok(stream::empty().boxed());
        };
        let state = (place, path, Some(told), true);
        let pages = stream::try_unfold(state, move |(place, path, told, mut is_empty)| async move {
            let Some(mut told) = told else { return Ok(None) };
            let mut page = Page::default();
            while page.entries.len() + page.directories.len() < PAGE {
                let Some(member) = told.next().await? else {
                    if is_empty && tells_empty {
                        page.entries.push(Entry::directory(key(&path)?));
                    }
                    if !is_empty && truncated {
                        // It was told without members before.
                        place.learned.infinity.store(REFUSED, Ordering::Relaxed);
                    }
                    return Ok(Some((page, (place, path, None, is_empty))));
                };
                let Some(found) = told_path(&place, &member, &path)? else { continue };
                let name = &found[path.len()..];
                if is_unfinished(name) {
                    saw_unfinished(&place, found, &member);
                    continue;
                }
                if name.contains('/') {
                    continue;
                }
                is_empty = false;
                if member.found.collection {
                    let found = format!("{found}/");
                    place.collections.saw(&found);
                    page.directories.push(found);
                } else {
                    page.entries.push(listed(&place, key(&found)?, member.found));
                }
            }
            Ok(Some((page, (place, path, Some(told), is_empty))))
        });
        Ok::<_, Error>(pages.boxed())
    })
    .try_flatten()
    .boxed()
}

/// The members of `path`; `None` where it is missing and may be.
async fn opened(
    place: &Shared,
    path: &str,
    may_miss: bool,
) -> Result<Option<super::multistatus::Multistatus<impl tokio::io::AsyncBufRead + Unpin + Send + use<>>>> {
    let checksums = place.vendor.checksums;
    match persistently(|| ask(place, Operation::List, path, Depth::Members, checksums)).await {
        Ok(told) => {
            place.collections.saw_down_to(path);
            Ok(Some(told))
        }
        Err(error) if error.kind() == ErrorKind::NotFound && may_miss => missing(place, path).await.map(|_| None),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let why = format!("'{path}' was listed and is gone");
            Err(Error::new(ErrorKind::Unavailable, Operation::List).because(why))
        }
        Err(error) => Err(error),
    }
}
