//! Nextcloud's uploads in parts, version 2
//! (<https://docs.nextcloud.com/server/latest/developer_manual/client_apis/WebDAV/chunking.html>): a collection below
//! `remote.php/dav/uploads/USER/` takes the parts, and moving its `.file` puts them together.
//!
//! Their documentation was read; no Nextcloud was at hand to try this on.

use http::StatusCode;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use reqwest::Url;

use super::{
    multistatus::Member,
    place::{LONG_WORK, Shared, not_found},
    properties::{Depth, ask_at, listed, look},
    put::{prepare, prove, send_to},
    settle::moved,
};
use crate::{
    body::Body,
    capability::MultipartAbility,
    entry::{Digests, Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::{IncompleteUpload, Part, PartRequest, PutRequest, UploadToken},
    web::{address::Address, body::collect, client::Call, hashing::Sent, site::succeeded},
};

const MIB: u64 = 1024 * 1024;

/// Parts of 5 MiB to 5 GiB, numbered 1 to 10,000; only the last may be smaller.
pub(super) const ABILITY: MultipartAbility = MultipartAbility {
    min_part: 5 * MIB,
    max_part: 5 * 1024 * MIB,
    min_parts: 1,
    max_parts: 10_000,
    part: None,
    threshold: 64 * MIB,
    resumable: true,
    tells_begun: false,
    part_digest: None,
    part_checksum: None,
};

/// What the names of our uploads start with; the key follows, encoded.
const MARK: &str = "sterna-";

/// Where the user's uploads lie: beside `files/USER/`, in which the root is.
fn uploads_root(place: &Shared) -> Result<Address> {
    let none = || Error::unsupported(Operation::Begin, "the url is not that of a Nextcloud user's files");
    let root = place.address.root();
    let path = root.path();
    let at = path.find("/remote.php/").ok_or_else(none)?;
    let user = place.user.as_deref().ok_or_else(none)?;
    let mut uploads: Url = root.clone();
    let user = utf8_percent_encode(user, NON_ALPHANUMERIC);
    uploads.set_path(&format!("{}/remote.php/dav/uploads/{user}/", &path[..at]));
    Address::new(uploads).ok_or_else(none)
}

fn call(place: &Shared, operation: Operation, method: &str, url: Url, key: &Key) -> Call {
    let mut call = place.call(operation, method, "");
    call.url = url;
    call.header("destination", place.address.of(key).as_str());
    call
}

/// Makes the collection of an upload.
pub(super) async fn begin(place: &Shared, key: &Key, request: &PutRequest) -> Result<UploadToken> {
    prepare(place, Operation::Begin, key, request).await?;
    let name = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string();
    // A name holds 255 bytes; a longer key's upload is found by its token alone.
    let name = if name.len() > 200 { String::new() } else { name };
    let id = format!("{MARK}{:016x}-{name}", fastrand::u64(..));
    let url = uploads_root(place)?.of(&format!("{id}/"));
    let made = place.site.send(call(place, Operation::Begin, "MKCOL", url, key), None).await?;
    drop(collect(succeeded(Operation::Begin, made).await?.into_body(), 64 * 1024).await);
    Ok(UploadToken { key: key.clone(), id })
}

/// PUT of one part.
pub(super) async fn put_part(place: &Shared, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
    let url = uploads_root(place)?.of(&format!("{}/{:05}", token.id, part.number));
    let mut put = call(place, Operation::PutPart, "PUT", url, &token.key);
    put.patience = LONG_WORK;
    let sent = send_to(place, put, &part.digests, body).await?;
    Ok(Part { number: part.number, size: sent.len, etag: None, digests: sent.digests })
}

/// MOVE of `.file`.
pub(super) async fn complete(
    place: &Shared,
    token: &UploadToken,
    request: &PutRequest,
    parts: &[Part],
) -> Result<Entry> {
    let there = self::parts(place, token).await?;
    let total: u64 = parts.iter().map(|part| part.size).sum();
    let facts = |parts: &[Part]| parts.iter().map(|part| (part.number, part.size)).collect::<Vec<_>>();
    if facts(parts) != facts(&there) || request.size.is_some_and(|size| size != total) {
        let why = "the parts on the server are not those that were sent";
        return Err(Error::new(ErrorKind::Integrity, Operation::Complete).because(why));
    }
    let url = uploads_root(place)?.of(&format!("{}/.file", token.id));
    let mut assemble = call(place, Operation::Complete, "MOVE", url, &token.key);
    assemble.header("overwrite", "T");
    assemble.header("oc-total-length", &total.to_string());
    if let Some(time) = request.modified {
        assemble.header("x-oc-mtime", &time.seconds().to_string());
    }
    assemble.patience = LONG_WORK;
    moved(Operation::Complete, place.site.send(assemble, None).await?).await?;
    let stored = look(place, Operation::Complete, &token.key).await?;
    prove(&Sent { len: total, digests: request.digests.clone() }, &stored)?;
    Ok(listed(place, token.key.clone(), stored))
}

/// DELETE of the collection.
pub(super) async fn abort(place: &Shared, token: &UploadToken) -> Result<()> {
    let url = uploads_root(place)?.of(&format!("{}/", token.id));
    let answer = place.site.send(call(place, Operation::Abort, "DELETE", url, &token.key), None).await?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(());
    }
    moved(Operation::Abort, answer).await
}

/// The members of the collection.
pub(super) async fn parts(place: &Shared, token: &UploadToken) -> Result<Vec<Part>> {
    let root = uploads_root(place)?;
    let below = format!("{}/", token.id);
    let mut parts = Vec::new();
    for (path, member) in members(place, &root, &below).await? {
        let Some(number) = path.strip_prefix(&below).and_then(|name| name.parse().ok()) else { continue };
        let size = member.found.length.ok_or_else(|| not_found(Operation::ListParts))?;
        parts.push(Part { number, size, etag: None, digests: Digests::new() });
    }
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

/// The collections that are named as ours are.
pub(super) async fn uploads(place: &Shared, prefix: &str) -> Result<Vec<IncompleteUpload>> {
    let root = uploads_root(place)?;
    let mut uploads = Vec::new();
    for (id, member) in members(place, &root, "").await? {
        let key = id.strip_prefix(MARK).and_then(|rest| rest.get(17..));
        let key = key.and_then(|key| percent_decode_str(key).decode_utf8().ok()).map(|key| key.into_owned());
        if let Some(key) = key.filter(|key| key.starts_with(prefix)).and_then(|key| Key::new(key).ok()) {
            uploads.push(IncompleteUpload { token: UploadToken { key, id }, started: member.found.modified });
        }
    }
    Ok(uploads)
}

async fn members(place: &Shared, root: &Address, below: &str) -> Result<Vec<(String, Member)>> {
    let mut told = ask_at(place, Operation::ListParts, root.of(below), Depth::Members, false).await?;
    let mut members = Vec::new();
    while let Some(member) = told.next().await? {
        match root.path_of(&member.href) {
            Some(path) if path != below.trim_end_matches('/') => members.push((path, member)),
            _ => {}
        }
    }
    Ok(members)
}
