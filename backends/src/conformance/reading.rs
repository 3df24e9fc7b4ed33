//! Reading objects and ranges of them.

use std::ops::Range;

use super::{
    checks::{Check, Verdict, ensure, fails, offered},
    errors::writable,
    site::{Second, Site, name, noise},
};
use crate::{error::ErrorKind, store::ReadRequest};

pub(super) static CHECKS: &[Check] = &[
    Check::new("read.whole", "a read gives the bytes, their number and the object's facts", |site| {
        Box::pin(whole(site))
    }),
    Check::new("read.ranges", "a range gives exactly its bytes; an end beyond the object is cut", |site| {
        Box::pin(ranges(site))
    }),
    Check::new("read.beyond", "a range that starts beyond the end gives no bytes", |site| Box::pin(beyond(site))),
    Check::new("read.if_match", "a read of an object that has another ETag is refused", |site| {
        Box::pin(if_match(site))
    }),
];

async fn whole(site: &Site) -> Verdict {
    writable(site)?;
    for size in [0, 1, 300_000] {
        let content = noise(size, usize::try_from(size).unwrap_or(0));
        site.put("a", content.clone()).await?;
        let reader = site.store.read(&name("a"), ReadRequest::default()).await?;
        ensure(reader.entry.size == Some(size), || format!("{size} bytes are told as {:?}", reader.entry.size))?;
        ensure(reader.body.len() == Some(size), || format!("a body of {size} bytes says {:?}", reader.body.len()))?;
        ensure(reader.entry.key == name("a"), || format!("the key told is {:?}", reader.entry.key))?;
        let stat = site.stat("a").await?;
        ensure(reader.entry.etag == stat.etag, || "read and stat tell other ETags".to_owned())?;
        let read = reader.body.collect().await?;
        ensure(read == content, || format!("{} other bytes came than the {size} stored", read.len()))?;
    }
    Ok(())
}

fn range(range: Range<u64>) -> ReadRequest {
    ReadRequest { range: Some(range), ..ReadRequest::default() }
}

async fn ranges(site: &Site) -> Verdict {
    writable(site)?;
    let content = noise(1, 100_000);
    site.put("a", content.clone()).await?;
    for (start, end) in [(0, 1), (0, 100_000), (1, 100_000), (49_999, 70_001), (99_999, 100_000), (99_000, 200_000)] {
        let reader = site.store.read(&name("a"), range(start..end)).await?;
        let told = reader.entry.size;
        ensure(told == Some(100_000), || format!("with a range the object's size is told as {told:?}"))?;
        let read = reader.body.collect().await?;
        let inside = |offset: u64| usize::try_from(offset.min(100_000)).unwrap_or(0);
        let wanted = content.slice(inside(start)..inside(end));
        ensure(read == wanted, || format!("{start}..{end} gave {} bytes that are not those", read.len()))?;
    }
    Ok(())
}

async fn beyond(site: &Site) -> Verdict {
    writable(site)?;
    site.put("a", "0123456789").await?;
    for start in [10, 11, 1_000_000] {
        match site.read("a", range(start..start + 5)).await {
            Ok(bytes) => ensure(bytes.is_empty(), || format!("from {start} of 10 bytes, {} came", bytes.len()))?,
            refused => fails(refused, &[ErrorKind::BadRequest], "a range beyond the end")?,
        }
    }
    Ok(())
}

async fn if_match(site: &Site) -> Verdict {
    writable(site)?;
    let mut second = Second::default();
    let old = loop {
        second.begins().await;
        let old = ReadRequest { if_match: site.put("a", "old").await?.etag, ..ReadRequest::default() };
        offered(old.if_match.is_some(), "it has no ETags")?;
        let read = site.read("a", old.clone()).await?;
        ensure(read == "old", || "with the right ETag other bytes came".to_owned())?;
        site.put("a", "new").await?;
        if second.lasts() {
            break old;
        }
    };
    let request = || old.clone();
    fails(site.read("a", request()).await, &[ErrorKind::Precondition], "a read of what was replaced")?;
    let part = ReadRequest { range: Some(1..2), ..request() };
    fails(site.read("a", part).await, &[ErrorKind::Precondition], "a read of a range of what was replaced")
}
