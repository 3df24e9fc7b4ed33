//! Listings of a service of opendal: directory by directory, several at once, as streamed pages.

use std::{panic::AssertUnwindSafe, sync::Arc};

use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use opendal::Lister;

use super::{
    calls::within,
    place::{PATIENCE, Place},
};
use crate::{
    entry::{Entry, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages, VersionScope},
    walk::{self, Page, Scan, key, top},
};

/// Entries handed on at once.
const PAGE: usize = 1_000;
/// Directories read at once.
const AT_ONCE: usize = 4;

/// Lists what `request` asks for.
pub(super) fn pages(place: Arc<Place>, request: ListRequest) -> Pages {
    let name = place.name.clone();
    let failed = |error: Error| stream::once(async { Err(error) }).boxed();
    let pages = if request.versions != VersionScope::Latest {
        failed(Error::unsupported(Operation::List, "no old versions"))
    } else {
        let Some(top) = top(&request.prefix) else { return stream::empty().boxed() };
        let asked = request.clone();
        walk::pages(request.clone(), vec![top.to_owned()], AT_ONCE, move |path| scan(Arc::clone(&place), &asked, path))
    };
    pages.map_err(move |error| error.of(&name)).boxed()
}

/// Whether the directory `path` (ending in `/`) has no members, but for files on their way.
///
/// # Errors
/// What stopped the listing.
pub(super) async fn is_empty(place: &Place, path: &str) -> Result<bool> {
    let mut members = opened(place, path).await?;
    while let Some((found, _)) = next(&mut members).await? {
        let name = found.strip_prefix(path).unwrap_or_default().trim_end_matches('/');
        if !name.is_empty() && !place.is_unfinished(name) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn opened(place: &Place, path: &str) -> Result<Lister> {
    // White space at the beginning of a path is cut off by the library: another directory would be listed.
    if path.trim_start() != path {
        let why = format!("the directory '{path}' begins with white space, which the library cuts off");
        return Err(Error::unsupported(Operation::List, why));
    }
    let path = if path.is_empty() { "/" } else { path };
    within(PATIENCE, Operation::List, place.operator.lister(path)).await
}

/// The next name and what is told of it. The library panics over names that are not UTF-8: to us, a listing that failed.
async fn next(members: &mut Lister) -> Result<Option<(String, opendal::Metadata)>> {
    let next = AssertUnwindSafe(within(PATIENCE, Operation::List, members.try_next())).catch_unwind().await;
    let entry = next.unwrap_or_else(|_| {
        let why = "a name there cannot be read; it may not be UTF-8";
        Err(Error::new(ErrorKind::Unsupported, Operation::List).because(why))
    })?;
    Ok(entry.map(opendal::Entry::into_parts))
}

/// Nothing lies below a directory that is missing; that the place itself is missing is an error. The library takes both for
/// empty directories.
///
/// # Errors
/// `NoSuchContainer`; what stopped the look.
async fn there(place: &Place) -> Result<()> {
    let operation = Operation::List;
    let folder = if place.folder.is_empty() { "/" } else { &place.folder };
    match within(PATIENCE, operation, place.operator.stat(folder)).await {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(Error::new(ErrorKind::NoSuchContainer, operation)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(Error::new(ErrorKind::NoSuchContainer, operation)),
        Err(error) => Err(error),
    }
}

/// The members of `path`; of an empty directory its own entry, where that is asked for.
fn scan(place: Arc<Place>, request: &ListRequest, path: String) -> Scan {
    let is_top = request.prefix.starts_with(&path);
    let tells_empty = request.recursive && request.empty_directories && !is_top;
    stream::once(async move {
        let members = opened(&place, &path).await?;
        let state = (place, path, Some(members), true);
        let pages = stream::try_unfold(state, move |(place, path, members, mut is_empty)| async move {
            let Some(mut members) = members else { return Ok(None) };
            let mut page = Page::default();
            while page.entries.len() + page.directories.len() < PAGE {
                let Some((found, facts)) = next(&mut members).await? else {
                    if is_empty && is_top {
                        there(&place).await?;
                    }
                    if is_empty && tells_empty {
                        page.entries.push(Entry::directory(key(&path)?));
                    }
                    return Ok(Some((page, (place, path, None, is_empty))));
                };
                let Some(name) = found.strip_prefix(&path) else { continue };
                let name = name.trim_end_matches('/');
                if matches!(name, "" | "." | "..") {
                    continue;
                }
                if place.is_unfinished(name) {
                    let written = facts.last_modified().map(|time| time.into_inner().into());
                    place.stale.saw(found, written, Timestamp::now());
                    continue;
                }
                is_empty = false;
                if facts.is_dir() {
                    page.directories.push(format!("{path}{name}/"));
                } else if facts.is_file() {
                    page.entries.push(place.described(key(&found)?, &facts, false));
                }
                // What is neither (a link, a socket) is left out, as a disk's are.
            }
            Ok(Some((page, (place, path, Some(members), is_empty))))
        });
        Ok::<_, Error>(pages.boxed())
    })
    .try_flatten()
    .boxed()
}
