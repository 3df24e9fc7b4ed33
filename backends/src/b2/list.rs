//! Listings: names with their newest version, or all versions; never a call for each file.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, future, stream};
use serde::Deserialize;
use serde_json::json;

use super::{
    info::File,
    place::{Place, Shared},
};
use crate::{
    entry::{Entry, Key, Kind, Version},
    error::{Error, ErrorKind, Operation, Result},
    past::Newest,
    store::{ListRequest, Pages, VersionScope},
};

/// Names a page holds. 10,000 may be asked for, and each 1,000 that come are one transaction all the same.
const PAGE: u32 = 1000;

/// `b2_list_file_names` and `b2_list_file_versions`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Page {
    pub files: Vec<File>,
    #[serde(default)]
    pub next_file_name: Option<String>,
    #[serde(default)]
    pub next_file_id: Option<String>,
}

/// Where a page begins.
type From = (String, Option<String>);

/// Lists what `request` asks for.
pub(super) fn list(place: &Shared, mut request: ListRequest) -> Pages {
    if request.versions == VersionScope::Latest
        && let Some(time) = place.version_at
    {
        request.versions = VersionScope::At(time);
    }
    let scope = request.versions;
    let pages = pages(Arc::clone(place), request);
    let name = Arc::clone(place);
    let pages = pages.map_err(move |error| name.name_error(error, None));
    match scope {
        VersionScope::At(time) => {
            let mut newest = Newest::at(time);
            pages.map_ok(move |page| page.into_iter().filter(|entry| newest.takes(entry)).collect()).boxed()
        }
        VersionScope::Latest | VersionScope::All => pages.boxed(),
    }
}

/// What a key with a prefix of its own may ask for: its own, where that lies inside of what is wanted.
///
/// # Errors
/// `Denied` where it may see nothing of what is wanted.
pub(super) fn visible<'a>(own: &'a str, wanted: &'a str) -> Result<&'a str> {
    if wanted.starts_with(own) {
        Ok(wanted)
    } else if own.starts_with(wanted) {
        Ok(own)
    } else {
        let why = format!("the key is restricted to names that start with '{own}'");
        Err(Error::new(ErrorKind::Denied, Operation::List).because(why))
    }
}

fn pages(place: Shared, request: ListRequest) -> Pages {
    stream::try_unfold(Some((String::new(), None)), move |from: Option<From>| {
        let (place, request) = (Arc::clone(&place), request.clone());
        async move {
            let Some(from) = from else { return Ok(None) };
            page(&place, &request, from).await.map(Some)
        }
    })
    .boxed()
}

async fn page(place: &Place, request: &ListRequest, from: From) -> Result<(Vec<Entry>, Option<From>)> {
    let session = place.account.session();
    let prefix = visible(&session.prefix, &request.prefix)?;
    // Between what is wanted and what may be seen lies a folder: there is nothing else to tell of this level.
    if !request.recursive
        && let Some(end) = prefix[request.prefix.len()..].find('/')
    {
        let folder = &prefix[..=request.prefix.len() + end];
        return Ok((Key::new(folder).into_iter().map(Entry::directory).collect(), None));
    }
    let versions = request.versions != VersionScope::Latest;
    let mut asked = json!({ "bucketId": place.id(Operation::List).await?, "maxFileCount": PAGE });
    // What is empty is left out: the service was seen to refuse an empty prefix.
    let delimiter = if request.recursive { "" } else { "/" };
    let id = from.1.as_deref().unwrap_or_default();
    for (name, value) in [("prefix", prefix), ("startFileName", &from.0), ("startFileId", id), ("delimiter", delimiter)]
    {
        if !value.is_empty() {
            asked[name] = value.into();
        }
    }
    let call = if versions { "b2_list_file_versions" } else { "b2_list_file_names" };
    let page: Page = place.account.call(Operation::List, call, &asked).await?;
    let mut entries = Vec::with_capacity(page.files.len());
    for file in page.files {
        if !file.file_name.starts_with(prefix) {
            let why = format!("'{}' is listed, which does not start with '{prefix}'", file.file_name);
            return Err(Error::new(ErrorKind::Integrity, Operation::List).because(why));
        }
        entries.extend(file.entry()?);
    }
    let next = page.next_file_name.map(|name| (name, page.next_file_id));
    if next.as_ref() == Some(&from) {
        let why = "the listing goes on where it began";
        return Err(Error::new(ErrorKind::Integrity, Operation::List).because(why));
    }
    Ok((entries, next))
}

/// The version of `key` that `version_at` means; `None` where that is not set.
///
/// # Errors
/// `NotFound` where there was none then; what stopped the listing.
pub(super) async fn version_at(place: &Shared, key: &Key) -> Result<Option<Version>> {
    match place.version_at {
        None => Ok(None),
        Some(_) => current(place, key).await.map(Some),
    }
}

/// The version of `key` that readers see, by a listing.
///
/// # Errors
/// As [`version_at`].
pub(super) async fn current(place: &Shared, key: &Key) -> Result<Version> {
    let found = list(place, ListRequest::all(key.as_str()))
        .map_ok(|page| stream::iter(page.into_iter().map(Ok)))
        .try_flatten()
        .try_take_while(|entry| future::ok(entry.key == *key))
        .try_next()
        .await?;
    let version = found.filter(|entry| entry.kind == Kind::Object).and_then(|entry| entry.version);
    version.ok_or_else(|| Error::new(ErrorKind::NotFound, Operation::Stat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_sees_what_lies_in_both() {
        assert_eq!(visible("", "a/").unwrap(), "a/");
        assert_eq!(visible("a/", "a/b").unwrap(), "a/b");
        assert_eq!(visible("a/b/", "a/").unwrap(), "a/b/");
        assert_eq!(visible("a/", "b/").unwrap_err().kind(), ErrorKind::Denied);
    }
}
