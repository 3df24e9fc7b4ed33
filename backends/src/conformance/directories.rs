//! Directories, where there are such; making and removing them is no error anywhere.

use super::{
    checks::{Check, Verdict, ensure, fails, offered},
    errors::writable,
    site::Site,
};
use crate::{
    entry::Kind,
    error::ErrorKind,
    store::{ListRequest, StoreExt},
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("directories.made", "a directory may be made twice and removed twice", |site| Box::pin(made(site))),
    Check::new("directories.full", "a directory that holds something is not removed", |site| Box::pin(full(site))),
    Check::new("directories.listed", "an empty directory is listed on request only", |site| Box::pin(listed(site))),
];

async fn made(site: &Site) -> Verdict {
    writable(site)?;
    for _ in 0..2 {
        site.store.make_directory("d/e").await?;
    }
    site.put("d/e/f", "x").await?;
    site.holds("d/e/f", b"x", "in a directory that was made").await?;
    site.delete("d/e/f").await?;
    for _ in 0..2 {
        site.store.remove_directory("d/e").await?;
    }
    let keys = site.keys("").await?;
    ensure(keys.is_empty(), || format!("{keys:?} are left"))
}

async fn full(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().directories, "it has no directories")?;
    site.put("d/e", "x").await?;
    fails(site.store.remove_directory("d").await, &[ErrorKind::Exists], "removing a directory that is not empty")?;
    site.holds("d/e", b"x", "after its directory was not removed").await
}

async fn listed(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().directories, "it has no directories")?;
    site.store.make_directory("empty").await?;
    site.put("full/a", "x").await?;
    let keys = site.keys("").await?;
    ensure(keys == ["full/a"], || format!("unasked, {keys:?} are listed"))?;
    let request = ListRequest { empty_directories: true, ..ListRequest::all("") };
    let entries = site.store.list_to_vec(request).await?;
    let told = entries.iter().any(|entry| entry.kind == Kind::Directory && entry.key.as_str() == "empty/");
    ensure(told, || "asked for, an empty directory is not listed".to_owned())
}
