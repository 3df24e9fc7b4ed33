//! Listings: by index pages, folder by folder, several at once; or by the list that was given.

use std::collections::BTreeSet;

use ::http::{StatusCode, header};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};

use super::{
    page::{self, Facts, Page as Told},
    place::{AT_ONCE, Shared},
    read::stat,
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages},
    walk::{self, Page, Scan, key, top},
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
fn walked(place: Shared, request: ListRequest) -> Pages {
    let Some(top) = top(&request.prefix).map(str::to_owned) else { return stream::empty().boxed() };
    let asked = request.clone();
    walk::pages(request, vec![top], FOLDERS, move |path| scan(place.clone(), asked.clone(), path))
}

/// What a folder shows of what was asked for, page by page.
fn scan(place: Shared, request: ListRequest, path: String) -> Scan {
    let state = (place, request, Some((path, None)));
    stream::try_unfold(state, |(place, request, next)| async move {
        let Some((path, after)) = next else { return Ok(None) };
        let (page, more_after) = folder(&place, &request, &path, after).await?;
        let next = more_after.map(|last| (path, Some(last)));
        Ok(Some((page, (place, request, next))))
    })
    .boxed()
}

/// One page of a folder, and the name after which there is more.
async fn folder(
    place: &Shared,
    request: &ListRequest,
    path: &str,
    after: Option<String>,
) -> Result<(Page, Option<String>)> {
    let told = match persistently(|| page(place, path, after.as_deref())).await {
        Err(error) if error.kind() == ErrorKind::NotFound && top(&request.prefix) == Some(path) => {
            return missing(place, path, error).await.map(|()| (Page::default(), None));
        }
        told => told?,
    };
    let mut found = Page::default();
    let mut objects = Vec::new();
    for (name, facts) in told.links {
        let inside = format!("{path}{name}");
        if inside.ends_with('/') {
            found.directories.push(inside);
        } else if inside.starts_with(&request.prefix) {
            objects.push((key(&inside)?, facts));
        }
    }
    let mut entries = stream::iter(objects)
        .map(|(key, facts)| async move { entry(place, key, facts).await }.boxed())
        .buffer_unordered(AT_ONCE);
    while let Some(entry) = entries.try_next().await? {
        found.entries.extend(entry);
    }
    Ok((found, told.more_after))
}

/// The server has no folder `path`. Below the place that was named that says that nothing lies there; of the place itself it
/// is an error, as of a directory of this machine.
async fn missing(place: &Shared, path: &str, error: Error) -> Result<()> {
    let gone = place.folder.starts_with(path)
        || persistently(|| page(place, &place.folder, None))
            .await
            .is_err_and(|error| error.kind() == ErrorKind::NotFound);
    if gone { Err(Error::new(ErrorKind::NoSuchContainer, Operation::List).because(error)) } else { Ok(()) }
}

/// One page of one folder.
async fn page(place: &Shared, path: &str, after: Option<&str>) -> Result<Told> {
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
