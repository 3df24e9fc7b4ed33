//! An object in one call.

use sterna_backends::{Algorithm, Body, Digests, Entry, Result, StoreExt};

use super::{
    budget::{Budget, THRESHOLD_BETWEEN_REMOTES},
    carry::Carriage,
    prehash::prehash,
};

/// Reads the object once and puts it. The caller holds a slot.
pub(super) async fn carry(carriage: &Carriage, budget: &Budget) -> Result<Entry> {
    let _room = if held(carriage) { Some(budget.memory(carriage.size()).await?) } else { None };
    let reader = carriage.source.read(&carriage.entry.key, carriage.read_request(None)).await?;
    carriage.check_seen(&reader.entry)?;
    let mut digests = carriage.known(&reader.entry);
    let from_file = reader.body.as_file().is_some();
    let body = prepare(carriage, reader.body, &mut digests).await?.tapped(carriage.tap());
    let request = carriage.put_request(&reader.entry, digests.clone());
    let stored = carriage.target.put(&carriage.action.key, request, body).await?;
    carriage.check_stored(&stored, &digests)?;
    if from_file {
        carriage.check_unchanged().await?;
    }
    Ok(stored)
}

/// Brings the body into the form the destination can check: bytes where they are held in memory anyway, a file with
/// its SHA-256 where it is streamed.
async fn prepare(carriage: &Carriage, body: Body, digests: &mut Digests) -> Result<Body> {
    if let Some((file, 0, size)) = body.as_file() {
        let records = carriage.target.capabilities().records(Algorithm::Sha256);
        if records && digests.sha256().is_none() {
            let known = prehash(file.clone(), size, vec![Algorithm::Sha256], u64::MAX, Vec::new()).await?;
            known.whole.iter().for_each(|digest| digests.set(*digest));
        }
        return Ok(body);
    }
    if held(carriage) { Ok(body.collect().await?.into()) } else { Ok(body) }
}

/// Whether the object is held in memory on its way, so that it can be sent again: between two remotes, unless it is
/// larger than what usually goes in parts, which some destinations do not take.
fn held(carriage: &Carriage) -> bool {
    carriage.between_remotes() && carriage.size() <= THRESHOLD_BETWEEN_REMOTES
}

/// Copies the object inside the endpoint, in one call. The caller holds a slot.
pub(super) async fn copy(carriage: &Carriage) -> Result<Entry> {
    let Some(mut source) = carriage.source.copy_source(&carriage.entry.key) else {
        return Err(not_in_domain(carriage));
    };
    source.if_match.clone_from(&carriage.entry.etag);
    source.version.clone_from(&carriage.entry.version);
    source.size = carriage.entry.size;
    let mut request = carriage.put_request(&carriage.entry, carriage.entry.digests.clone());
    // Without rules the source's own metadata travel along, inside the endpoint.
    request.replace_metadata = carriage.action.metadata.is_some();
    let stored = carriage.target.copy(&source, &carriage.action.key, request).await?;
    carriage.check_stored(&stored, &carriage.entry.digests)?;
    Ok(stored)
}

pub(super) fn not_in_domain(carriage: &Carriage) -> sterna_backends::Error {
    debug_assert!(!carriage.source.shares_domain(&*carriage.target));
    sterna_backends::Error::unsupported(sterna_backends::Operation::Copy, "the source cannot be copied from")
        .of(carriage.source.name())
        .at(&carriage.entry.key)
}
