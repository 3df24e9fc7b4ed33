//! Listings: pages of keys, ahead of whoever reads them.

mod page;
mod parallel;
mod sequence;
mod source;
mod split;

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, future};
pub(super) use page::{decoded, has_entries};
use source::BucketSource;

use super::place::Shared;
use crate::{
    capability::Order,
    entry::{Key, Version},
    error::{Error, ErrorKind, Operation, Result},
    past::Newest,
    store::{ListRequest, Pages, VersionScope},
};

/// Keys a page holds, the most S3 gives.
const PAGE: u16 = 1000;

/// Lists what `request` asks for.
pub(super) fn list(place: &Shared, mut request: ListRequest) -> Pages {
    if request.versions == VersionScope::Latest
        && let Some(time) = place.version_at
    {
        request.versions = VersionScope::At(time);
    }
    let scope = request.versions;
    let bytes = place.capabilities.order == Order::Bytes;
    let source = Arc::new(BucketSource::new(place, &request));
    let pages = if bytes && request.recursive && scope == VersionScope::Latest {
        parallel::list(source, &request, PAGE)
    } else {
        sequence::list(source, &request, bytes && scope == VersionScope::Latest, PAGE)
    };
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

/// The version of `key` that `version_at` means; `None` where that is not set.
///
/// # Errors
/// `NotFound` where there was none then; what stopped the listing.
pub(super) async fn version_at(place: &Shared, key: &Key) -> Result<Option<Version>> {
    if place.version_at.is_none() {
        return Ok(None);
    }
    let found = list(place, ListRequest::all(key.as_str()))
        .map_ok(|page| futures::stream::iter(page.into_iter().map(Ok)))
        .try_flatten()
        .try_take_while(|entry| future::ok(entry.key == *key))
        .try_next()
        .await?;
    match found {
        // A bucket without versions has objects all the same.
        Some(entry) => Ok(Some(entry.version.unwrap_or_else(|| "null".into()))),
        None => Err(Error::new(ErrorKind::NotFound, Operation::Stat)),
    }
}

/// Where to go on instead, if `last` lies in a directory below `prefix` that is not to be entered: after everything
/// inside. No key that starts otherwise is passed over.
fn jump(request: &ListRequest, last: &str) -> Option<String> {
    let enter = request.enter.as_ref()?;
    let below = last.get(request.prefix.len()..)?;
    let refused = below
        .match_indices('/')
        .map(|(index, _)| &last[..request.prefix.len() + index + 1])
        .find(|directory| !enter(directory))?;
    Some(format!("{refused}{}", char::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jumps_pass_over_the_refused_directory_only() {
        let mut request = ListRequest::all("p/");
        assert_eq!(jump(&request, "p/a/b"), None);
        request.enter = Some(Arc::new(|directory: &str| directory != "p/a/"));
        let after = jump(&request, "p/a/b/c").unwrap();
        assert_eq!(after, "p/a/\u{10ffff}");
        assert!("p/a/zzz\u{ffff}" < after.as_str() && after.as_str() < "p/a0");
        assert_eq!(jump(&request, "p/b/a/c"), None);
        assert_eq!(jump(&request, "p/a"), None);
    }
}
