//! Listings: by index pages, folder by folder, several at once; or by the list that was given.

use std::collections::BTreeSet;

use ::http::{StatusCode, header};
use futures::{
    FutureExt, StreamExt, TryStreamExt,
    future::BoxFuture,
    stream::{self, FuturesUnordered},
};

use super::{
    page::{self, Facts, Page},
    place::{AT_ONCE, Shared},
    read::stat,
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
    web::{
        body::collect,
        headers::text,
        patience::persistently,
        site::{get, succeeded},
    },
};

/// The largest page that is read, in bytes.
const MAX_PAGE: usize = 64 * 1024 * 1024;
/// Folders asked for at once.
const FOLDERS: usize = 4;

/// Lists what `request` asks for.
pub(super) fn pages(place: Shared, request: ListRequest) -> Pages {
    let named = place.clone();
    let pages = if place.list.is_some() { listed(place, request) } else { walked(place, request) };
    pages.map_err(move |error| named.name_error(error, None)).boxed()
}

/// An entry of the listing: from exact facts, else by asking. `None` where nothing is.
async fn entry(place: &Shared, key: Key, facts: Facts) -> Result<Option<Entry>> {
    let asked = async |key: &Key| {
        let _turn = place.turns.acquire().await;
        stat(place, Operation::List, key).await
    };
    if let (Some(size), Some(modified)) = (facts.size, facts.modified) {
        let digests = facts.digests;
        return Ok(Some(Entry {
            modified: Some(modified),
            stored: Some(modified),
            digests,
            ..Entry::object(key, size)
        }));
    }
    match persistently(|| asked(&key)).await {
        Ok(entry) => Ok(Some(entry)),
        // A page may link to what is not there, or not for us: reading it will tell.
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) if error.kind() == ErrorKind::Denied => Ok(Some(Entry { size: None, ..Entry::object(key, 0) })),
        Err(error) => Err(error.at(&key)),
    }
}

/// What the list names, in order. An object it names and the server has not is an error: the listing would be short.
fn listed(place: Shared, request: ListRequest) -> Pages {
    let keys: Vec<Key> = place.list.iter().flatten().map(|(key, _)| key.clone()).collect();
    let mut folders = BTreeSet::new();
    let (mut objects, mut directories) = (Vec::new(), Vec::new());
    for key in keys.into_iter().filter(|key| key.starts_with(&request.prefix)) {
        match key[request.prefix.len()..].split_once('/').filter(|_| !request.recursive) {
            None => objects.push(key),
            Some((name, _)) => {
                let folder = format!("{}{name}/", request.prefix);
                if folders.insert(folder.clone()) {
                    directories.extend(Key::new(folder).ok().map(Entry::directory));
                }
            }
        }
    }
    let asked = stream::iter(objects)
        .map(move |key| {
            let place = place.clone();
            async move {
                let named = key.clone();
                let missing =
                    || Error::new(ErrorKind::NotFound, Operation::List).at(&named).because("the list names it");
                Ok(vec![entry(&place, key, Facts::default()).await?.ok_or_else(missing)?])
            }
        })
        .buffered(AT_ONCE);
    stream::once(async { Ok(directories) }).chain(asked).boxed()
}

/// A walk, folder by folder.
struct Walk {
    place: Shared,
    request: ListRequest,
    /// To be asked for; with the last name, where a page was not the last of its folder.
    pending: Vec<(String, Option<String>)>,
    running: FuturesUnordered<BoxFuture<'static, Result<Found>>>,
}

#[derive(Default)]
struct Found {
    entries: Vec<Entry>,
    pending: Vec<(String, Option<String>)>,
}

fn walked(place: Shared, request: ListRequest) -> Pages {
    let top = request.prefix[..request.prefix.rfind('/').map_or(0, |at| at + 1)].to_owned();
    if top.split('/').rev().skip(1).any(|segment| matches!(segment, "" | "." | "..")) {
        return stream::empty().boxed();
    }
    let walk = Walk { place, request, pending: vec![(top, None)], running: FuturesUnordered::new() };
    stream::try_unfold(walk, |mut walk| async move {
        loop {
            while walk.running.len() < FOLDERS
                && let Some((path, after)) = walk.pending.pop()
            {
                let (place, request) = (walk.place.clone(), walk.request.clone());
                walk.running.push(async move { folder(&place, &request, path, after).await }.boxed());
            }
            let Some(found) = walk.running.next().await else { return Ok(None) };
            let found = found?;
            walk.pending.extend(found.pending);
            if !found.entries.is_empty() {
                return Ok(Some((found.entries, walk)));
            }
        }
    })
    .boxed()
}

/// What one page of a folder shows of what was asked for.
async fn folder(place: &Shared, request: &ListRequest, path: String, after: Option<String>) -> Result<Found> {
    let top = &request.prefix[..request.prefix.rfind('/').map_or(0, |at| at + 1)];
    let page = match persistently(|| page(place, &path, after.as_deref())).await {
        Ok(page) => page,
        Err(error) if error.kind() == ErrorKind::NotFound && path == top && !path.is_empty() => {
            return if page(place, "", None).await.is_err_and(|root| root.kind() == ErrorKind::NotFound) {
                Err(no_root(error))
            } else {
                Ok(Found::default())
            };
        }
        Err(error) if error.kind() == ErrorKind::NotFound && path.is_empty() => return Err(no_root(error)),
        Err(error) => return Err(error),
    };
    let mut found = Found::default();
    found.pending.extend(page.more_after.map(|last| (path.clone(), Some(last))));
    let mut objects = Vec::new();
    for (name, facts) in page.links {
        let inside = format!("{path}{name}");
        let key = || {
            let unfit = |error| Error::new(ErrorKind::Unsupported, Operation::List).because(error);
            Key::new(inside.clone()).map_err(unfit)
        };
        match inside.ends_with('/') {
            true if !inside.starts_with(&request.prefix) && !request.prefix.starts_with(&inside) => {}
            true if !request.recursive => found.entries.push(Entry::directory(key()?)),
            true if request.enters(&inside) => found.pending.push((inside, None)),
            false if inside.starts_with(&request.prefix) => objects.push((key()?, facts)),
            _ => {}
        }
    }
    let mut entries = stream::iter(objects)
        .map(|(key, facts)| async move { entry(place, key, facts).await }.boxed())
        .buffer_unordered(AT_ONCE);
    while let Some(entry) = entries.try_next().await? {
        found.entries.extend(entry);
    }
    Ok(found)
}

fn no_root(error: Error) -> Error {
    Error::new(ErrorKind::NoSuchContainer, Operation::List).because(error)
}

/// One page of one folder.
async fn page(place: &Shared, path: &str, after: Option<&str>) -> Result<Page> {
    let _turn = place.turns.acquire().await;
    let mut url = place.address.of(path);
    if let Some(after) = after {
        url.query_pairs_mut().append_pair("lastFileName", after);
    }
    let mut call = get(Operation::List, url);
    // Caddy and SeaweedFS then tell sizes exactly; the others do not mind.
    call.header("accept", "application/json");
    let (mut answer, mut from) = place.site.fetch(call.again(), None).await?;
    if answer.status() == StatusCode::NOT_ACCEPTABLE {
        call.header("accept", "*/*");
        (answer, from) = place.site.fetch(call, None).await?;
    }
    let answer = succeeded(Operation::List, answer).await?;
    let kind = text(answer.headers(), header::CONTENT_TYPE).unwrap_or_default().to_owned();
    from.set_query(None);
    let body = collect(answer.into_body(), MAX_PAGE).await?;
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/json" => page::json(&body, &from),
        "text/html" | "application/xhtml+xml" => page::html(&String::from_utf8_lossy(&body), &from, place.any_page),
        other => {
            let why = format!("{from} is '{other}', no index page");
            Err(Error::unsupported(Operation::List, why))
        }
    }
}
