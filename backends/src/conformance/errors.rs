//! Kinds of errors, and the refusal of changes.

use super::{
    checks::{Check, Verdict, ensure, fails, offered},
    site::{Site, name},
};
use crate::{error::ErrorKind, store::ReadRequest};

pub(super) static CHECKS: &[Check] = &[
    Check::new("errors.not_found", "what is missing is 'not found', by key and store", |site| {
        Box::pin(not_found(site))
    }),
    Check::new("errors.read_only", "a store that is read only denies every change", |site| Box::pin(read_only(site))),
];

async fn not_found(site: &Site) -> Verdict {
    let key = name("missing");
    let stat = site.store.stat(&key, None).await;
    let Err(error) = stat else { return ensure(false, || "stat of a missing key succeeded".to_owned()) };
    ensure(error.kind() == ErrorKind::NotFound, || format!("stat of a missing key: {error}"))?;
    ensure(!error.is_retryable(), || "'not found' asks to be tried again".to_owned())?;
    ensure(error.key() == Some(&key), || format!("the error names {:?} instead of {key:?}", error.key()))?;
    ensure(error.store().is_some(), || "the error does not name the store".to_owned())?;
    let read = site.store.read(&key, ReadRequest::default()).await;
    fails(read, &[ErrorKind::NotFound], "reading a missing key")?;
    let ranged = ReadRequest { range: Some(0..1), ..ReadRequest::default() };
    fails(site.store.read(&key, ranged).await, &[ErrorKind::NotFound], "reading a range of a missing key")
}

async fn read_only(site: &Site) -> Verdict {
    offered(site.can().read_only, "it takes changes")?;
    fails(site.put("a", "a").await, &[ErrorKind::Denied], "put")?;
    fails(site.delete("a").await, &[ErrorKind::Denied], "delete")?;
    fails(site.store.make_directory("d").await, &[ErrorKind::Denied], "make directory")
}

/// # Errors
/// `NotOffered` where the store takes no changes.
pub(super) fn writable(site: &Site) -> Verdict {
    offered(!site.can().read_only, "it is read only")
}
