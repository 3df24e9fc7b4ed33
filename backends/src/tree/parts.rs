//! Uploads in parts: each part is written at its place in one file beside the target, and a [ledger](Ledger) says which are
//! there, so another process can go on. For servers that write where they are told to; elsewhere there are none.

use std::sync::Arc;

use futures::TryStreamExt;

use super::{
    family::{Facts, Member, Tree, What},
    put::{prepared, working_path},
};
use crate::{
    body::Body,
    digest::Hasher,
    directories::above,
    entry::{Algorithm, Digest, Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{IncompleteUpload, Part, PartRequest, PutRequest, ReadRequest, UploadToken},
    unfinished::{Change, Draft, Head, Ledger, Leftover, Record, ledger_name, leftover},
    walk::top,
    web::patience::persistently,
};

fn offered<T: Tree>(tree: &T, operation: Operation) -> Result<()> {
    match tree.root().capabilities.multipart {
        Some(_) => Ok(()),
        None => Err(Error::unsupported(operation, "no uploads in parts")),
    }
}

/// Makes the files of a new upload. The token's id is where the content lies below the root.
pub(super) async fn begin<T: Tree>(tree: &Arc<T>, key: &Key, request: &PutRequest) -> Result<UploadToken> {
    let operation = Operation::Begin;
    offered(&**tree, operation)?;
    let unknown = || Error::new(ErrorKind::BadRequest, operation).because("the size must be known");
    let size = request.size.ok_or_else(unknown)?;
    let path = prepared(&**tree, operation, key, request).await?;
    let draft = Draft::beside(tree, &working_path::<T>(&path));
    let made = async {
        tree.create(operation, &draft.path).await?;
        let ledger = ledger_name(&draft.path);
        tree.create(operation, &ledger).await?;
        let head = Head { key: key.clone(), size, started: Timestamp::now() }.encode();
        tree.write_at(operation, &ledger, 0, &Digests::new(), head.into()).await?;
        let id = draft.path[tree.root().path.len()..].trim_start_matches('/').to_owned();
        Ok(UploadToken { key: key.clone(), id })
    };
    let made = made.await;
    if made.is_err() {
        let _best_effort = tree.remove(operation, &ledger_name(&draft.path)).await;
    }
    draft.done(&made).await;
    made
}

/// Where a token's content lies on the server.
///
/// # Errors
/// `NotFound` for an id that is none of ours; `Unsupported` where there are none.
fn content_of<T: Tree>(tree: &T, operation: Operation, token: &UploadToken) -> Result<String> {
    offered(tree, operation)?;
    let name = &token.id[token.id.rfind('/').map_or(0, |at| at + 1)..];
    let is_ours = matches!(leftover(name), Some(Leftover::Content { .. }));
    if is_ours && tree.root().capabilities.keys.refuse(&token.id).is_none() {
        Ok(tree.root().path(&token.id))
    } else {
        Err(gone(operation))
    }
}

fn gone(operation: Operation) -> Error {
    Error::new(ErrorKind::NotFound, operation).because("the upload is gone")
}

/// Writes one part at its place. It counts once the ledger says so, which is written when all of it is there.
pub(super) async fn put_part<T: Tree>(tree: &T, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
    let operation = Operation::PutPart;
    let PartRequest { number, offset, digests } = part;
    let content = content_of(tree, operation, token)?;
    let (ledger, place) = (ledger_name(&content), Head::place_of(&token.key, *number));
    let write = |change: Change| {
        let record = change.encode().to_vec().into();
        async { tree.write_at(operation, &ledger, place, &Digests::new(), record).await }
    };
    write(Change::Begun(*number)).await?;
    let (len, found) = tree.write_at(operation, &content, *offset, digests, body).await?;
    let Some(Digest::Crc32c(crc32c)) = found.get(Algorithm::Crc32c) else { unreachable!("it is always computed") };
    let record = Record { number: *number, offset: *offset, len, crc32c };
    write(Change::Done(record)).await?;
    let mut part = record.part();
    found.iter().for_each(|digest| part.digests.set(*digest));
    Ok(part)
}

async fn ledger_of<T: Tree>(tree: &Arc<T>, operation: Operation, token: &UploadToken, content: &str) -> Result<Ledger> {
    let read = tree.read(&token.key, &ledger_name(content), ReadRequest::default()).await?;
    let ledger = Ledger::decode(&read.body.collect().await?);
    ledger.filter(|ledger| ledger.head.key == token.key).ok_or_else(|| gone(operation))
}

/// The parts that are there: those that the server's disk had taken when the ledger was told, and of a server that does not
/// say when that is, those whose bytes still have the recorded CRC-32C.
pub(super) async fn parts<T: Tree>(tree: &Arc<T>, token: &UploadToken) -> Result<Vec<Part>> {
    let operation = Operation::ListParts;
    let content = content_of(&**tree, operation, token)?;
    let ledger = ledger_of(tree, operation, token, &content).await?;
    let found = tree.look(operation, &content).await?.filter(|found| found.what().may_be_file());
    let found = found.ok_or_else(|| gone(operation))?;
    let size = tree.described(token.key.clone(), &found).size.unwrap_or(0);
    let mut parts = Vec::with_capacity(ledger.parts.len());
    for record in ledger.parts.values().filter(|record| record.offset + record.len <= size) {
        if tree.flushes() || holds(tree, token, &content, record).await? {
            parts.push(record.part());
        }
    }
    Ok(parts)
}

/// Whether the bytes of a part are still those that were recorded.
async fn holds<T: Tree>(tree: &Arc<T>, token: &UploadToken, content: &str, record: &Record) -> Result<bool> {
    let range = Some(record.offset..record.offset + record.len);
    let read = tree.read(&token.key, content, ReadRequest { range, ..ReadRequest::default() }).await?;
    let (mut hasher, mut chunks) = (Hasher::new(&[Algorithm::Crc32c]), read.body.chunks());
    while let Some(chunk) = chunks.try_next().await? {
        hasher.update(&chunk);
    }
    Ok(hasher.finish().get(Algorithm::Crc32c) == Some(Digest::Crc32c(record.crc32c)))
}

/// Gives the content its name, once the parts are all of it.
pub(super) async fn complete<T: Tree>(
    tree: &Arc<T>,
    token: &UploadToken,
    request: &PutRequest,
    parts: &[Part],
) -> Result<Entry> {
    let operation = Operation::Complete;
    let content = content_of(&**tree, operation, token)?;
    let ledger = ledger_of(tree, operation, token, &content).await?;
    ledger.covers(parts).map_err(|why| Error::new(ErrorKind::Integrity, operation).because(why))?;
    let path = prepared(&**tree, operation, &token.key, request).await?;
    if above(&path) != above(&content) {
        return Err(gone(operation));
    }
    let stored = tree.finish(operation, &content, request.modified, ledger.head.size).await?;
    persistently(|| tree.settle(operation, &content, &path, &stored)).await?;
    // The object is there; a ledger that stays is hidden, and found by nobody.
    let _best_effort = tree.remove(operation, &ledger_name(&content)).await;
    Ok(tree.described(token.key.clone(), &stored))
}

/// Removes both files.
pub(super) async fn abort<T: Tree>(tree: &T, token: &UploadToken) -> Result<()> {
    let operation = Operation::Abort;
    let content = match content_of(tree, operation, token) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        content => content?,
    };
    for path in [ledger_name(&content), content] {
        match tree.remove(operation, &path).await {
            Err(error) if T::is_refusal(&error) && tree.look(operation, &path).await?.is_none() => {}
            removed => removed?,
        }
    }
    Ok(())
}

/// The unfinished files whose keys start with `prefix`, by walking the tree: uploads in parts, and what puts left behind that
/// were killed. Of the latter the end of a long name is cut off; they can be aborted, not continued.
pub(super) async fn uploads<T: Tree>(tree: &Arc<T>, prefix: &str) -> Result<Vec<IncompleteUpload>> {
    let operation = Operation::ListParts;
    offered(&**tree, operation)?;
    let mut found = Vec::new();
    let mut pending: Vec<String> = top(prefix).into_iter().map(str::to_owned).collect();
    while let Some(directory) = pending.pop() {
        let Some(mut members) = tree.members(operation, &tree.root().path(&directory)).await? else { continue };
        while let Some(Member { name, what, facts }) = T::next(&mut members).await? {
            match leftover(&name) {
                _ if what == What::Directory => pending.push(format!("{directory}{name}/")),
                Some(Leftover::Content { target }) => {
                    let (id, key) = (format!("{directory}{name}"), format!("{directory}{target}"));
                    found.extend(upload(tree, id, key, T::worked_on(&name, &facts)).await?);
                }
                _ => {}
            }
        }
    }
    found.retain(|upload| upload.token.key.starts_with(prefix));
    Ok(found)
}

/// What the ledger of the content file `id` says, or else its name, `key`, and its time. `None` where no key is called so.
async fn upload<T: Tree>(
    tree: &Arc<T>,
    id: String,
    key: String,
    written: Option<Timestamp>,
) -> Result<Option<IncompleteUpload>> {
    let Ok(key) = Key::new(key) else { return Ok(None) };
    let token = UploadToken { key, id };
    let content = content_of(&**tree, Operation::ListParts, &token)?;
    let ledger = match tree.read(&token.key, &ledger_name(&content), ReadRequest::default()).await {
        Ok(read) => Ledger::decode(&read.body.collect().await?),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        Err(error) => return Err(error),
    };
    Ok(Some(match ledger {
        Some(Ledger { head, .. }) => {
            IncompleteUpload { token: UploadToken { key: head.key, ..token }, started: Some(head.started) }
        }
        None => IncompleteUpload { token, started: written },
    }))
}
