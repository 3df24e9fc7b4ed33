//! Copies inside the store.

use std::sync::Arc;

use super::{
    checks::{Check, Trouble, Verdict, ensure, fails, offered},
    errors::writable,
    metadata::{same, sample},
    parts::{ability, request},
    site::{Second, Site, name, noise},
};
use crate::{
    body::Body,
    entry::Timestamp,
    error::{ErrorKind, Result},
    store::{CopySource, PutRequest},
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("copy.whole", "a copy has the bytes, the time and the metadata of its source", |site| {
        Box::pin(whole(site))
    }),
    Check::new("copy.replaces", "a copy may have other metadata, and replaces what was there", |site| {
        Box::pin(replaces(site))
    }),
    Check::new("copy.conditions", "a copy of what is missing or was replaced is refused", |site| {
        Box::pin(conditions(site))
    }),
    Check::new("copy.parts", "parts copied from ranges make the object", |site| Box::pin(parts(site))),
];

/// # Errors
/// `NotOffered` where there are no copies.
fn source(site: &Site, key: &str) -> Result<CopySource, Trouble> {
    writable(site)?;
    offered(site.can().copy.is_some(), "it does not copy by itself")?;
    let source = site.store.copy_source(&name(key));
    source.ok_or_else(|| Trouble::Broken("it copies, but names no source".to_owned()))
}

async fn whole(site: &Site) -> Verdict {
    let from = source(site, "a b/%41+ü")?;
    let content = noise(1, 10_000);
    let (metadata, time) = (sample(site, "source"), Timestamp::from_parts(1_500_000_000, 0));
    let put = PutRequest { metadata: Arc::new(metadata.clone()), modified: Some(time), ..request(10_000) };
    site.store.put(&name("a b/%41+ü"), put, content.clone().into()).await?;
    let entry = site.store.copy(&from, &name("copy"), PutRequest::default()).await?;
    ensure(entry.key == name("copy"), || format!("the key returned is {:?}", entry.key))?;
    site.holds("copy", &content, "after a copy").await?;
    let stat = site.stat("copy").await?;
    if site.can().modified.is_some() {
        ensure(stat.modified == Some(time), || format!("the copy's time is {:?} instead of {time}", stat.modified))?;
    }
    same(&metadata, stat.metadata.as_deref())
        .or_else(|trouble| if metadata == crate::Metadata::default() { Ok(()) } else { Err(trouble) })?;
    site.holds("a b/%41+ü", &content, "after it was copied").await
}

async fn replaces(site: &Site) -> Verdict {
    let from = source(site, "a")?;
    let old = PutRequest { metadata: Arc::new(sample(site, "source")), ..request(3) };
    site.store.put(&name("a"), old, Body::from(&b"new"[..])).await?;
    site.put("copy", "what was there").await?;
    let metadata = sample(site, "replaced");
    let time = Timestamp::from_parts(1_400_000_000, 0);
    let new = PutRequest {
        metadata: Arc::new(metadata.clone()),
        replace_metadata: true,
        modified: Some(time),
        ..PutRequest::default()
    };
    site.store.copy(&from, &name("copy"), new).await?;
    site.holds("copy", b"new", "after a copy over it").await?;
    let stat = site.stat("copy").await?;
    if site.can().modified.is_some() {
        ensure(stat.modified == Some(time), || format!("the copy's time is {:?} instead of {time}", stat.modified))?;
    }
    if metadata == crate::Metadata::default() { Ok(()) } else { same(&metadata, stat.metadata.as_deref()) }
}

async fn conditions(site: &Site) -> Verdict {
    let missing = source(site, "missing")?;
    let copy = |from: CopySource| async move { site.store.copy(&from, &name("copy"), PutRequest::default()).await };
    fails(copy(missing).await, &[ErrorKind::NotFound], "a copy of what is missing")?;
    site.is_missing("copy", "after a copy of what is missing").await?;
    let mut second = Second::default();
    let old = loop {
        second.begins().await;
        let old = site.put("a", "old").await?.etag;
        if old.is_none() {
            break None;
        }
        let from = CopySource { if_match: old, ..source(site, "a")? };
        copy(from.clone()).await?;
        site.put("a", "new").await?;
        if second.lasts() {
            break Some(from);
        }
    };
    if let Some(from) = old {
        fails(copy(from).await, &[ErrorKind::Precondition], "a copy of what was replaced")?;
        site.holds("copy", b"old", "after a refused copy").await?;
    }
    Ok(())
}

async fn parts(site: &Site) -> Verdict {
    let from = source(site, "a")?;
    offered(site.can().copy.as_ref().is_some_and(|copy| copy.parts), "it does not copy parts")?;
    let min = ability(site)?.min_part.max(1);
    let size = min + 1_000;
    let content = noise(1, usize::try_from(size).unwrap_or(0));
    site.put("a", content.clone()).await?;
    let token = site.store.begin(&name("copy"), &request(size)).await?;
    let first = site.store.copy_part(&token, 1, &from, 0..min).await?;
    let second = site.store.copy_part(&token, 2, &from, min..size).await?;
    ensure(first.size == min && second.size == 1_000, || format!("the parts are told as {first:?} and {second:?}"))?;
    site.store.complete(&token, &request(size), &[first, second]).await?;
    site.holds("copy", &content, "after a copy in parts").await
}
