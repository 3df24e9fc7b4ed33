//! Listings of buckets: key by key as the service lists them, in one walk.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};
use opendal::options::ListOptions;

use super::{
    calls::within,
    place::{PATIENCE, Place},
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation},
    store::{ListRequest, Pages, VersionScope},
};

/// Entries handed on at once.
const PAGE: usize = 1_000;

/// Lists what `request` asks for, page by page. What ends in `/` is told as a directory by the library: such objects, which
/// other programs leave as folders, are left out.
pub(super) fn pages(place: Arc<Place>, request: ListRequest) -> Pages {
    let name = place.name.clone();
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let prefix = &request.prefix;
        // The library would list another prefix; and nothing lies below such keys.
        if prefix.trim() != prefix || prefix.starts_with('/') || prefix.contains("//") {
            return Ok(stream::empty().boxed());
        }
        let options = ListOptions { recursive: request.recursive, ..ListOptions::default() };
        let lister = within(PATIENCE, Operation::List, place.operator.lister_options(prefix, options));
        let lister = lister.await.map_err(no_bucket)?;
        let pages = stream::try_unfold(Some(lister), move |lister| {
            let (place, request) = (Arc::clone(&place), request.clone());
            async move {
                let Some(mut lister) = lister else { return Ok(None) };
                let mut page = Vec::new();
                while page.len() < PAGE {
                    let Some(found) = within(PATIENCE, Operation::List, lister.try_next()).await.map_err(no_bucket)?
                    else {
                        return Ok(Some((page, None)));
                    };
                    let (path, facts) = found.into_parts();
                    if !path.starts_with(&request.prefix) || path == request.prefix && facts.is_dir() {
                        continue;
                    }
                    let refused = |error| Error::new(ErrorKind::Unsupported, Operation::List).because(error);
                    let key = Key::new(path).map_err(refused)?;
                    match facts.is_dir() {
                        false => page.push(place.described(key, &facts, false)),
                        true if !request.recursive => page.push(Entry::directory(key)),
                        true => {}
                    }
                }
                Ok::<_, Error>(Some((page, Some(lister))))
            }
        });
        Ok(pages.boxed())
    });
    pages.try_flatten().map_err(move |error: Error| error.of(&name)).boxed()
}

/// Of a listing, the service does not find the bucket.
fn no_bucket(error: Error) -> Error {
    if error.kind() == ErrorKind::NotFound {
        return Error::new(ErrorKind::NoSuchContainer, Operation::List).because(error);
    }
    error
}
