//! What travels beside the bytes.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::{
    checks::{Check, Verdict, ensure, offered},
    errors::writable,
    site::{Site, name},
};
use crate::{
    body::Body,
    entry::{Metadata, Timestamp},
    error::ErrorKind,
    store::{ListRequest, PutRequest, StoreExt},
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("metadata.kept", "headers and user metadata come back as they were put", |site| Box::pin(kept(site))),
    Check::new("metadata.modified", "the modification time is kept to the precision it says", |site| {
        Box::pin(modified(site))
    }),
    Check::new("metadata.set", "metadata is replaced without touching the bytes", |site| Box::pin(set(site))),
];

/// Metadata of what the store says it keeps; `which` makes it other.
pub(super) fn sample(site: &Site, which: &str) -> Metadata {
    let can = site.can().metadata;
    let header = |text: &str| can.headers.then(|| text.to_owned());
    let user = [("colour".to_owned(), which.to_owned()), ("two-words".to_owned(), "a b; c=d".to_owned())];
    Metadata {
        content_type: can.content_type.then(|| format!("text/x-{which}")),
        cache_control: header("max-age=60"),
        content_disposition: header("attachment; filename=\"a b.txt\""),
        content_encoding: header("identity"),
        content_language: header("de"),
        user: if can.user { BTreeMap::from(user) } else { BTreeMap::new() },
        ..Metadata::default()
    }
}

/// Whether `found` has all of `wanted`. Stores may add a content type of their own.
pub(super) fn same(wanted: &Metadata, found: Option<&Metadata>) -> Verdict {
    let Some(found) = found else { return ensure(false, || "a stat tells no metadata".to_owned()) };
    let equal = (wanted.content_type.is_none() || wanted.content_type == found.content_type)
        && wanted.cache_control == found.cache_control
        && wanted.content_disposition == found.content_disposition
        && wanted.content_encoding == found.content_encoding
        && wanted.content_language == found.content_language
        && wanted.user == found.user;
    ensure(equal, || format!("{wanted:?} came back as {found:?}"))
}

async fn kept(site: &Site) -> Verdict {
    writable(site)?;
    let wanted = sample(site, "plain");
    offered(wanted != Metadata::default(), "it keeps no metadata")?;
    let request = PutRequest { metadata: Arc::new(wanted.clone()), size: Some(4), ..PutRequest::default() };
    site.store.put(&name("a"), request, Body::from(&b"data"[..])).await?;
    let stat = site.stat("a").await?;
    same(&wanted, stat.metadata.as_deref())?;
    site.put("a", "plain").await?;
    let stat = site.stat("a").await?;
    let user = stat.metadata.as_ref().is_none_or(|metadata| metadata.user.is_empty());
    ensure(user, || "an overwrite without metadata keeps the old".to_owned())
}

async fn modified(site: &Site) -> Verdict {
    writable(site)?;
    let precision = site.can().modified;
    offered(precision.is_some(), "it keeps no modification times")?;
    let precision = precision.unwrap_or(Duration::ZERO);
    // A whole second, nanoseconds, and a time before files had nanoseconds.
    for (seconds, nanos) in [(1_700_000_000, 0), (1_234_567_890, 123_456_789), (86_400, 999_999_999)] {
        let wanted = Timestamp::from_parts(seconds, nanos);
        let request = PutRequest { modified: Some(wanted), size: Some(4), ..PutRequest::default() };
        site.store.put(&name("a"), request, Body::from(&b"data"[..])).await?;
        let stat = site.stat("a").await?.modified;
        near(wanted, stat, precision, "a stat")?;
        if site.can().modified_in_list {
            let entries = site.store.list_to_vec(ListRequest::all("")).await?;
            near(wanted, entries.first().and_then(|entry| entry.modified), precision, "a listing")?;
        }
    }
    Ok(())
}

fn near(wanted: Timestamp, found: Option<Timestamp>, precision: Duration, who: &str) -> Verdict {
    let apart = found.map(|found| wanted.as_nanos().abs_diff(found.as_nanos()));
    let holds = apart.is_some_and(|apart| apart == 0 || u128::from(apart) < precision.as_nanos());
    ensure(holds, || match found {
        Some(found) => format!("{who} tells {found} for {wanted}, and the precision is {precision:?}"),
        None => format!("{who} tells no time for {wanted}"),
    })
}

async fn set(site: &Site) -> Verdict {
    writable(site)?;
    let before = PutRequest { metadata: Arc::new(sample(site, "before")), size: Some(4), ..PutRequest::default() };
    site.store.put(&name("a"), before, Body::from(&b"data"[..])).await?;
    let wanted = sample(site, "after");
    let time = Timestamp::from_parts(1_600_000_000, 0);
    let request = PutRequest {
        metadata: Arc::new(wanted.clone()),
        replace_metadata: true,
        modified: Some(time),
        ..PutRequest::default()
    };
    match site.store.set_metadata(&name("a"), request).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => return offered(false, "it is not possible there"),
        done => done?,
    }
    site.holds("a", b"data", "after its metadata was set").await?;
    let stat = site.stat("a").await?;
    if let Some(precision) = site.can().modified {
        near(time, stat.modified, precision, "a stat")?;
    }
    if wanted != Metadata::default() {
        same(&wanted, stat.metadata.as_deref())?;
    }
    // A time alone leaves everything else as it is.
    let later = Timestamp::from_parts(1_700_000_000, 0);
    let touch = PutRequest { modified: Some(later), ..PutRequest::default() };
    site.store.set_metadata(&name("a"), touch).await?;
    site.holds("a", b"data", "after its time was set").await?;
    let stat = site.stat("a").await?;
    if let Some(precision) = site.can().modified {
        near(later, stat.modified, precision, "a stat")?;
    }
    if wanted == Metadata::default() { Ok(()) } else { same(&wanted, stat.metadata.as_deref()) }
}
