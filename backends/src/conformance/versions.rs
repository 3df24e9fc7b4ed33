//! Old versions, where they are kept.

use super::{
    checks::{Check, Verdict, ensure, offered},
    errors::writable,
    site::{Site, name},
};
use crate::{
    capability::DeleteMeaning,
    entry::Kind,
    store::{Deleted, ListRequest, ReadRequest, StoreExt, VersionScope},
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("versions.kept", "old versions are listed, newest first, and read", |site| Box::pin(kept(site))),
    Check::new("versions.deleted", "deleting hides, and a version is deleted for good", |site| Box::pin(deleted(site))),
];

fn all() -> ListRequest {
    ListRequest { versions: VersionScope::All, ..ListRequest::all("") }
}

async fn kept(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().versions, "it keeps no old versions")?;
    for content in ["one", "two2", "three"] {
        site.put("a", content).await?;
    }
    let entries = site.store.list_to_vec(all()).await?;
    let sizes: Vec<_> = entries.iter().map(|entry| entry.size).collect();
    ensure(sizes == [Some(5), Some(4), Some(3)], || format!("three versions are listed with sizes {sizes:?}"))?;
    for (entry, content) in entries.iter().zip(["three", "two2", "one"]) {
        ensure(entry.version.is_some(), || "a version has no name".to_owned())?;
        let request = ReadRequest { version: entry.version.clone(), ..ReadRequest::default() };
        let read = site.read("a", request).await?;
        ensure(read == content, || format!("the version of {content:?} holds {read:?}"))?;
        let stat = site.store.stat(&name("a"), entry.version.as_ref()).await?;
        ensure(stat.size == entry.size, || format!("a stat of that version tells {:?} bytes", stat.size))?;
    }
    let latest = site.keys("").await?;
    ensure(latest == ["a"], || format!("without old versions {latest:?} are listed"))
}

async fn deleted(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().versions, "it keeps no old versions")?;
    offered(site.can().delete == DeleteMeaning::Hides, "deleting removes")?;
    site.put("a", "old").await?;
    site.delete("a").await?;
    site.is_missing("a", "after it was deleted").await?;
    let entries = site.store.list_to_vec(all()).await?;
    let kinds: Vec<_> = entries.iter().map(|entry| entry.kind).collect();
    ensure(kinds == [Kind::DeleteMarker, Kind::Object], || format!("with old versions {kinds:?} are listed"))?;
    let marker = Deleted { key: name("a"), version: entries[0].version.clone() };
    site.store.delete(&[marker]).await.into_iter().collect::<crate::Result<()>>()?;
    site.holds("a", b"old", "after its delete marker was deleted").await?;
    let object = Deleted { key: name("a"), version: entries[1].version.clone() };
    site.store.delete(&[object]).await.into_iter().collect::<crate::Result<()>>()?;
    let left = site.store.list_to_vec(all()).await?;
    ensure(left.is_empty(), || format!("{} versions are left", left.len()))
}
