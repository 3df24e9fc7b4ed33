//! Listings: directory by directory, several at once, each in one answer.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    place::{Place, Shared},
    put::saw_unfinished,
};
use crate::{
    entry::Entry,
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages, VersionScope},
    unfinished::is_unfinished,
    walk::{self, Page, Scan, key, top},
    web::patience::persistently,
};

/// Directories listed at once.
const AT_ONCE: usize = 4;

/// Lists what `request` asks for.
pub(super) fn pages(place: Shared, request: ListRequest) -> Pages {
    let named = Arc::clone(&place);
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let Some(top) = top(&request.prefix).map(str::to_owned) else { return Ok(stream::empty().boxed()) };
        let there = async |path: &str| persistently(|| is_there(&place, path)).await;
        if !there(&top).await? {
            // Nothing lies below a directory that is missing; that the place itself is missing is an error.
            let gone = place.folder.starts_with(&top) || !there(&place.folder).await?;
            let error = || Error::new(ErrorKind::NoSuchContainer, Operation::List);
            return if gone { Err(error()) } else { Ok(stream::empty().boxed()) };
        }
        let tells_empty = request.recursive && request.empty_directories;
        let first = top.clone();
        let scan = move |path: String| scan(Arc::clone(&place), tells_empty && path != first, path);
        Ok(walk::pages(request, vec![top], AT_ONCE, scan))
    });
    pages.try_flatten().map_err(move |error: Error| named.name_error(error, None)).boxed()
}

async fn is_there(place: &Place, top: &str) -> Result<bool> {
    if place.accepts(Operation::List, top.trim_end_matches('/')).is_err() && !top.is_empty() {
        return Ok(false);
    }
    Ok(place.look(Operation::List, &place.path(top)).await?.is_some_and(|found| !found.is_file()))
}

/// The members of `path`; of an empty directory its own entry, where that is asked for.
fn scan(place: Shared, tells_empty: bool, path: String) -> Scan {
    stream::once(async move {
        let members = {
            let at = place.path(&path);
            persistently(|| place.members(Operation::List, &at, true)).await?
        };
        place.directories.saw(&place.path(&path));
        let mut page = Page::default();
        for found in members {
            if is_unfinished(&found.name) {
                saw_unfinished(&place, place.path(&format!("{path}{}", found.name)), &found.name);
            } else if found.is_file() {
                page.entries.push(place.described(key(&format!("{path}{}", found.name))?, &found));
            } else {
                page.directories.push(format!("{path}{}/", found.name));
            }
        }
        if tells_empty && page.entries.is_empty() && page.directories.is_empty() {
            page.entries.push(Entry::directory(key(&path)?));
        }
        Ok(page)
    })
    .boxed()
}
