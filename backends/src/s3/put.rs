//! Objects and parts in one call.
//!
//! A body in memory is hashed once: its SHA-256 is what the signature says of it, what the server verifies, and
//! what is recorded beside it. A body from disk or from elsewhere streams; nothing is ever sent `aws-chunked`,
//! which servers store as it came.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt};
use http::{HeaderMap, Method, header};
use md5::Md5;
use sha2::{Digest as _, Sha256};

use super::{
    fault::fault_of,
    headers::{self, checksum_header, checksums, conditions, describe, text, unquoted},
    place::Place,
    provider::Taken,
    settings::Checksum,
    wire::{Call, sign::Payload},
};
use crate::{
    body::{Body, Chunks},
    digest::{self, Hasher},
    entry::{Algorithm, Digest, Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{Part, PartRequest, PutRequest, UploadToken},
    web::{
        body::{Failure, Outgoing},
        checked::{Check, checked},
    },
};

/// PutObject.
///
/// # Errors
/// As the contract says of `put`.
pub(super) async fn put(place: &Place, key: &Key, mut request: PutRequest, body: Body) -> Result<Entry> {
    place.accept(Operation::Put, key)?;
    let body = body.gathered(Operation::Put).await?;
    if request.size.is_some() && request.size != body.len() {
        let why = format!("the body has {:?} bytes and was announced with {:?}", body.len(), request.size);
        return Err(Error::new(ErrorKind::Integrity, Operation::Put).retryable(false).because(why));
    }
    if let Some(bytes) = body.as_bytes() {
        if place.provider.checksums != Taken::Yes {
            verify(Operation::Put, &request.digests, bytes)?;
        }
        if request.digests.sha256().is_none() {
            request.digests.set(Digest::Sha256(Sha256::digest(bytes).into()));
        }
    }
    let mut call = Call::new(Operation::Put, Method::PUT, Some(key));
    describe(&mut call, &request, &place.defaults)?;
    conditions(&mut call, &request);
    let size = body.len();
    let sent = send(place, call, body, &request.digests, place.put_checksum()).await;
    let (headers, digests) = sent.map_err(|error| if request.if_absent { as_exists(error) } else { error })?;
    place.learn(&headers);
    let etag: Option<Arc<str>> = text(&headers, header::ETAG).map(|etag| unquoted(etag).into());
    let mut entry = Entry::object(key.clone(), size.unwrap_or_default());
    entry.modified = request.modified;
    entry.version = place.version(text(&headers, "x-amz-version-id"));
    entry.digests = digests;
    if let Some(digest) = etag.as_deref().and_then(|etag| place.etag_md5(etag)) {
        entry.digests.set(Digest::Md5(digest));
    }
    entry.storage_class = headers::storage_class(&request, &place.defaults).as_deref().map(Arc::from);
    entry.metadata = Some(request.metadata);
    entry.etag = etag;
    Ok(entry)
}

/// UploadPart.
///
/// # Errors
/// As the contract says of `put_part`.
pub(super) async fn put_part(place: &Place, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
    place.accept_change(Operation::PutPart)?;
    let body = body.gathered(Operation::PutPart).await?;
    let size = body.len().unwrap_or_default();
    let mut digests = part.digests.clone();
    let kind = place.part_checksum();
    if let Some(bytes) = body.as_bytes() {
        // The one the server compares need not be computed here, too.
        let compares = |claim: &&Digest| place.provider.part_checksum.is_some() && kind == Some(claim.algorithm());
        let ours = digests.iter().filter(|claim| !compares(claim)).copied().collect();
        verify(Operation::PutPart, &ours, bytes)?;
    }
    if let Some(kind) = kind
        && digests.get(kind).is_none()
        && let Some(computed) = body.as_bytes().and_then(|bytes| digest::of(kind, bytes))
    {
        digests.set(computed);
    }
    let mut call = Call::new(Operation::PutPart, Method::PUT, Some(&token.key));
    call.query("partNumber", part.number.to_string());
    call.query("uploadId", token.id.as_str());
    let (headers, mut digests) = send(place, call, body, &digests, kind).await?;
    let etag: Option<Arc<str>> = text(&headers, header::ETAG).map(|etag| unquoted(etag).into());
    if let Some(md5) = etag.as_deref().and_then(|etag| place.etag_md5(etag)) {
        digests.set(Digest::Md5(md5));
    }
    Ok(Part { number: part.number, size, etag, digests })
}

/// Sends a body and proves that what arrived is what was sent, as far as anybody can tell: by the checksum the
/// server repeats, or else by the MD5 its `ETag` is. Returns the answer's headers and what is known of the content.
async fn send(
    place: &Place,
    call: Call<'_>,
    body: Body,
    known: &Digests,
    kind: Option<Algorithm>,
) -> Result<(HeaderMap, Digests)> {
    let operation = call.operation;
    let retry = (kind.is_some() && place.checksum == Checksum::Auto).then(|| body.replay()).flatten();
    let again = Call {
        operation,
        method: call.method.clone(),
        key: call.key,
        query: call.query.clone(),
        headers: call.headers.clone(),
    };
    match send_once(place, call, body, known, kind).await {
        // It may be the checksum's header that it does not take; where the same goes through without, it was.
        Err(error) if matches!(error.kind(), ErrorKind::BadRequest | ErrorKind::Unsupported) => {
            let Some(body) = retry.filter(|_| fault_of(&error).is_some()) else { return Err(error) };
            let sent = send_once(place, again, body, known, None).await.map_err(|_| error)?;
            place.learned.no_checksums.store(true, Ordering::Relaxed);
            Ok(sent)
        }
        sent => sent,
    }
}

async fn send_once(
    place: &Place,
    mut call: Call<'_>,
    body: Body,
    known: &Digests,
    kind: Option<Algorithm>,
) -> Result<(HeaderMap, Digests)> {
    let operation = call.operation;
    let mut digests = known.clone();
    let bytes = body.as_bytes().cloned();
    let mut sent = None;
    if let Some(kind) = kind {
        let computed = || bytes.as_deref().and_then(|bytes| digest::of(kind, bytes));
        if let Some(digest) = known.get(kind).or_else(computed)
            && let Some((name, value)) = checksum_header(&digest)
        {
            call.header(name, &value);
            digests.set(digest);
            sent = Some(digest);
        }
    }
    if place.checksum != Checksum::None
        && let Some(digest @ Digest::Md5(_)) = known.get(Algorithm::Md5)
        && let Some((name, value)) = checksum_header(&digest)
    {
        call.header(name, &value);
    }
    let payload = match known.sha256() {
        _ if place.unsigned_payload => Payload::Unsigned,
        Some(sha256) => Payload::Sha256(sha256),
        None => match &bytes {
            Some(bytes) if bytes.is_empty() => Payload::Empty,
            // Over TLS nobody on the way changes a byte; without it, what lies in memory is hashed for the signature.
            Some(bytes) if !place.wire.endpoint.is_tls() => Payload::Sha256(Sha256::digest(bytes).into()),
            _ => Payload::Unsigned,
        },
    };
    let verified = sent.is_some() && place.verifies(operation);
    let (outgoing, failure, hashing) = outgoing(place, body, known, verified);
    let outgoing = outgoing.primed().await?;
    let answer = place.wire.send_body(call, payload, outgoing, &failure).await?;
    let (head, rest) = answer.into_parts();
    // The connection is used again only once its answer was read to the end.
    drop(crate::web::body::collect(rest, 64 * 1024).await);

    if let Some(hashing) = hashing {
        hashing.finish(&mut digests);
    }
    prove(place, operation, &head.headers, &mut digests, sent.as_ref(), bytes.as_ref())?;
    Ok((head.headers, digests))
}

/// Compares what the server says it stored with what was sent.
fn prove(
    place: &Place,
    operation: Operation,
    headers: &HeaderMap,
    digests: &mut Digests,
    sent: Option<&Digest>,
    bytes: Option<&Bytes>,
) -> Result<()> {
    let differs = |what: &str| {
        Err(Error::new(ErrorKind::Integrity, operation).because(format!("what was stored has another {what}")))
    };
    if let Some(sent) = sent
        && let Some(echo) = checksums(headers).get(sent.algorithm())
    {
        place.learned.repeats_checksums.store(true, Ordering::Relaxed);
        return if echo == *sent { Ok(()) } else { differs(sent.algorithm().name()) };
    }
    let opaque = headers::is_etag_opaque(headers);
    let Some(stored) = text(headers, header::ETAG).and_then(|etag| place.etag_md5(unquoted(etag))) else {
        return Ok(());
    };
    let md5 = digests.md5().or_else(|| bytes.map(|bytes| Md5::digest(bytes).into()));
    match md5 {
        Some(md5) if md5 != stored && !opaque => differs("MD5"),
        Some(md5) if !opaque => {
            digests.set(Digest::Md5(md5));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// A body on its way, where its failure will stand, and what hashes it.
///
/// Where the server does not verify what is sent, two things stand in: a digest that is known is checked before
/// the last chunk goes out, so that a body that fails is never stored, and the MD5 that its `ETag` will be compared
/// with is computed on the way. What lies in memory is hashed by [`prove`], and only where it must be.
fn outgoing(place: &Place, body: Body, known: &Digests, verified: bool) -> (Outgoing, Failure, Option<Hashing>) {
    let len = body.len().unwrap_or_default();
    let is_file = body.as_file().is_some();
    if body.as_bytes().is_none() && !verified {
        let check = Check::strongest(known);
        let hashing = (place.checksum != Checksum::None && known.md5().is_none())
            .then(|| Hashing::new(check.is_none() && !is_file));
        let mut chunks = body.chunks();
        if let Some(check) = check {
            chunks = checked(chunks, len, Some(check)).boxed();
        }
        if let Some(hashing) = &hashing {
            chunks = hashing.over(chunks);
        }
        let (outgoing, failure) = Outgoing::stream(Some(len), chunks);
        return (outgoing, failure, hashing);
    }
    let (outgoing, failure) = Outgoing::new(body);
    (outgoing, failure, None)
}

/// Checks what lies in memory against what it is said to be.
fn verify(operation: Operation, known: &Digests, bytes: &[u8]) -> Result<()> {
    match digest::contradicted(known, bytes) {
        Some(claim) => Err(digest::not_as_claimed(operation, claim.algorithm())),
        None => Ok(()),
    }
}

/// MD5, and SHA-256 where nobody knows it yet, of what streams by.
#[derive(Clone)]
struct Hashing(Arc<Mutex<Hasher>>);

impl Hashing {
    fn new(sha256: bool) -> Self {
        let kinds = [Algorithm::Md5, Algorithm::Sha256];
        Self(Arc::new(Mutex::new(Hasher::new(if sha256 { &kinds } else { &kinds[..1] }))))
    }

    /// The same chunks, hashed on a thread that may be busy.
    fn over(&self, chunks: Chunks) -> Chunks {
        let hasher = Arc::clone(&self.0);
        let hashed = chunks.and_then(move |chunk| {
            let hasher = Arc::clone(&hasher);
            async move {
                let update = move || {
                    hasher.lock().unwrap_or_else(PoisonError::into_inner).update(&chunk);
                    chunk
                };
                let hashed = tokio::task::spawn_blocking(update).await;
                hashed.map_err(|panic| Error::new(ErrorKind::Other, Operation::Put).because(panic))
            }
        });
        hashed.boxed()
    }

    fn finish(&self, digests: &mut Digests) {
        let mut hasher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = std::mem::replace(&mut *hasher, Hasher::new(&[])).finish();
        found.iter().for_each(|digest| digests.set(*digest));
    }
}

/// A condition that was "only if nothing is there".
pub(super) fn as_exists(error: Error) -> Error {
    if error.kind() != ErrorKind::Precondition {
        return error;
    }
    let exists = Error::new(ErrorKind::Exists, error.operation());
    match fault_of(&error) {
        Some(fault) => exists.because(fault.clone()),
        None => exists,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_have_their_published_values() {
        // https://reveng.sourceforge.io/crc-catalogue/all.htm: the check values of "123456789".
        assert_eq!(digest::of(Algorithm::Crc32c, b"123456789"), Some(Digest::Crc32c(0xe306_9283)));
        assert_eq!(digest::of(Algorithm::Crc64Nvme, b"123456789"), Some(Digest::Crc64Nvme(0xae8b_1486_0a79_9888)));
        assert_eq!(digest::of(Algorithm::Md5, b"").unwrap().hex(), "d41d8cd98f00b204e9800998ecf8427e");
    }
}
