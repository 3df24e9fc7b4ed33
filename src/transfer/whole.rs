//! An object in one call.

use bytes::Bytes;
use futures::{StreamExt, stream};
use sterna_backends::{Algorithm, Body, Digests, Entry, Result};

use super::{
    budget::{Budget, THRESHOLD_BETWEEN_REMOTES},
    carry::Carriage,
    passing::Passing,
    prehash::prehash,
};
use crate::index::{of_bytes, of_chunks};

/// Bytes that are hashed faster than they are handed to another thread.
const SHORT: usize = 128 * 1024;

/// Reads the object once and puts it. The caller holds a slot.
pub(super) async fn carry(carriage: &Carriage, budget: &Budget) -> Result<Entry> {
    let _room = if held(carriage) { Some(budget.memory(carriage.size()).await?) } else { None };
    let reader = carriage.read(None).await?;
    carriage.check_seen(&reader.entry)?;
    let mut digests = carriage.known(&reader.entry);
    let from_file = reader.body.as_file().is_some();
    let body = prepare(carriage, reader.body, &mut digests).await?.tapped(carriage.tap());
    let (body, passing) = watched(carriage, body, &digests);
    let request = carriage.put_request(&reader.entry, digests.clone());
    let mut stored = carriage.target.put(&carriage.action.key, request, body).await?;
    carriage.check_stored(&stored, &digests)?;
    if from_file {
        carriage.check_unchanged().await?;
    }
    if let Some(passing) = passing {
        digests.extend(passing.finish(carriage.size()).await);
    }
    digests.into_iter().for_each(|digest| stored.digests.add(digest));
    Ok(stored)
}

/// The body, with what computes the digests that are still wanted while it streams.
fn watched(carriage: &Carriage, body: Body, known: &Digests) -> (Body, Option<Passing>) {
    let wanted = carriage.wanted(known);
    if wanted.is_empty() || body.as_file().is_some() || body.as_bytes().is_some() {
        return (body, None);
    }
    let (body, passing) = Passing::of(body, wanted);
    (body, Some(passing))
}

/// Brings the body into the form the destination can check: bytes where they are held in memory anyway, a file with
/// its SHA-256 where it is streamed.
async fn prepare(carriage: &Carriage, body: Body, digests: &mut Digests) -> Result<Body> {
    if let Some((file, 0, size)) = body.as_file() {
        let mut wanted = carriage.wanted(digests);
        let records = carriage.target.capabilities().records(Algorithm::Sha256);
        if records && digests.sha256().is_none() && wanted.is_empty() {
            wanted.push(Algorithm::Sha256);
        }
        if !wanted.is_empty() {
            digests.extend(prehash(file.clone(), size, wanted, u64::MAX, Vec::new()).await?.whole);
        }
        return Ok(body);
    }
    let body = if held(carriage) { body.collect().await?.into() } else { body };
    if let Some(bytes) = body.as_bytes() {
        // What the destination records it computes, or has computed for it, and tells again.
        let target = carriage.target.capabilities();
        let wanted = carriage.wanted(digests).into_iter().filter(|kind| !target.records(*kind)).collect();
        digests.extend(of_body(bytes.clone(), wanted).await?);
    }
    Ok(body)
}

/// Digests of bytes in memory; of many of them off the threads that wait for the network.
async fn of_body(bytes: Bytes, wanted: Vec<Algorithm>) -> Result<Digests> {
    if bytes.len() < SHORT {
        return Ok(of_bytes(&bytes, &wanted));
    }
    of_chunks(stream::once(async { Ok(bytes) }).boxed(), &wanted).await
}

/// Whether the object is held in memory on its way, so that it can be sent again: between two remotes, unless it is
/// larger than what usually goes in parts, which some destinations do not take.
fn held(carriage: &Carriage) -> bool {
    carriage.between_remotes() && carriage.size() <= THRESHOLD_BETWEEN_REMOTES
}

/// Copies the object inside the endpoint, in one call. The caller holds a slot.
pub(super) async fn copy(carriage: &Carriage) -> Result<Entry> {
    let source = carriage.copied().await?;
    let digests = carriage.known(&carriage.entry);
    let mut request = carriage.put_request(&carriage.entry, digests.clone());
    // Without rules the source's own metadata travel along, inside the endpoint; another object's would be wrong.
    request.replace_metadata = carriage.action.metadata.is_some() || carriage.action.origin.is_some();
    let stored = carriage.target.copy(&source, &carriage.action.key, request).await?;
    carriage.check_stored(&stored, &digests)?;
    Ok(stored)
}
