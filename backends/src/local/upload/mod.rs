//! Uploads in parts, which is how large files arrive: several ranges at once, each written at its place in one
//! preallocated file beside the target. A [ledger](Ledger) says which are there, so another process can go on.

mod find;
mod proof;

use std::{
    fs::File,
    io::{self, Write as _},
    sync::Arc,
};

use bytes::Bytes;

pub(super) use self::find::uploads;
use self::proof::Proof;
pub(super) use self::proof::Proofs;
use super::{
    draft::{dress, write_at, write_sparse},
    escape::DiskPath,
    names::is_gone,
    system::{FileKind, facts_of, is_link_in_way, reserve},
    thread::blocking,
    tree::Tree,
    verify::{Crc32c, Verifier},
    write::{finish_of, gather, refuse_etag, verified},
};
use crate::{
    body::{Body, each_block, read_exact_at},
    entry::{Digests, Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{Part, PartRequest, PutRequest, UploadToken},
    unfinished::{Change, Head, Ledger, Leftover, Record, content_name, ledger_name, leftover},
};

/// The content file of an upload, and its ledger.
struct Open {
    content: File,
    ledger: File,
}

/// Makes the files of a new upload. The token's id is where the content lies below the root.
pub(super) fn begin(tree: &Arc<Tree>, key: &Key, request: &PutRequest) -> Result<UploadToken> {
    let operation = Operation::Begin;
    refuse_etag(tree, operation, key, request)?;
    let Some(size) = request.size else {
        return Err(Error::new(ErrorKind::BadRequest, operation)
            .because("the size must be known")
            .of(&tree.name)
            .at(key));
    };
    let place = tree.place(key, operation)?;
    if place.link {
        return Err(Error::unsupported(operation, "a symbolic link has no parts").of(&tree.name).at(key));
    }
    let name = content_name(place.path.name());
    let ledger = ledger_name(&name);
    let made = tree.in_directory_of(&place.path, |directory| {
        let content = directory.create(&name)?;
        let prepared = prepare(tree, &content, size).and_then(|()| {
            let head = Head { key: key.clone(), size, started: Timestamp::now() };
            directory.create(&ledger)?.write_all(&head.encode())
        });
        if prepared.is_err() {
            // Nothing may stay of an upload that did not begin; if it does, listings leave it out.
            let _ = directory.remove_file(&name);
            let _ = directory.remove_file(&ledger);
        }
        prepared
    });
    made.map_err(|error| tree.not_written(operation, key, error))?;
    let id = place.path.sibling(&name).as_str().to_owned();
    tree.proofs.expect(&id, &request.digests);
    Ok(UploadToken { key: key.clone(), id })
}

fn prepare(tree: &Tree, content: &File, size: u64) -> io::Result<()> {
    if tree.options.sparse { content.set_len(size) } else { reserve(content, size) }
}

/// Where a token's content lies; `NotFound` for an id that is none of ours.
fn content_of(tree: &Tree, operation: Operation, token: &UploadToken) -> Result<DiskPath> {
    DiskPath::reread(&token.id)
        .filter(|path| matches!(leftover(path.name()), Some(Leftover::Content { .. })))
        .ok_or_else(|| gone(tree, operation, token))
}

fn gone(tree: &Tree, operation: Operation, token: &UploadToken) -> Error {
    Error::new(ErrorKind::NotFound, operation).because("the upload is gone").of(&tree.name).at(&token.key)
}

fn failed(tree: &Tree, operation: Operation, token: &UploadToken, error: io::Error) -> Error {
    if is_gone(&error) || is_link_in_way(&error) {
        return gone(tree, operation, token);
    }
    Error::io(operation, error).of(&tree.name).at(&token.key)
}

fn open(tree: &Tree, operation: Operation, token: &UploadToken) -> Result<(Open, DiskPath)> {
    let path = content_of(tree, operation, token)?;
    let opened = (|| {
        let root = tree.open()?;
        let content = root.open_to_change(path.as_str())?;
        let ledger = root.open_to_append(path.sibling(&ledger_name(path.name())).as_str())?;
        Ok(Open { content, ledger })
    })();
    let opened = opened.map_err(|error| failed(tree, operation, token, error))?;
    Ok((opened, path))
}

/// A part that is being written.
struct Writing {
    tree: Arc<Tree>,
    token: UploadToken,
    files: Open,
    /// The size of the object.
    size: u64,
    record: Record,
    crc: Crc32c,
    verifier: Verifier,
    proof: Option<Arc<Proof>>,
}

impl Writing {
    fn start(tree: Arc<Tree>, token: UploadToken, part: &PartRequest) -> Result<Self> {
        let PartRequest { number, offset, digests } = part;
        let operation = Operation::PutPart;
        let (files, _) = open(&tree, operation, &token)?;
        let proof = tree.proofs.of(&token.id);
        if let Some(proof) = &proof {
            proof.begun(*offset);
        }
        let size = (|| {
            (&files.ledger).write_all(&Change::Begun(*number).encode())?;
            Ok(facts_of(&files.content)?.size)
        })()
        .map_err(|error| failed(&tree, operation, &token, error))?;
        let record = Record { number: *number, offset: *offset, len: 0, crc32c: 0 };
        Ok(Self { tree, token, files, size, record, crc: Crc32c::new(), verifier: Verifier::new(digests), proof })
    }

    fn write(&mut self, chunk: &[u8]) -> Result<()> {
        let at = self.record.offset + self.record.len;
        if at + chunk.len() as u64 > self.size {
            return Err(Error::new(ErrorKind::BadRequest, Operation::PutPart)
                .because("the part reaches beyond the end of the object")
                .of(&self.tree.name)
                .at(&self.token.key));
        }
        self.crc.update(chunk);
        self.verifier.update(chunk);
        let write = if self.tree.options.sparse { write_sparse } else { write_at };
        write(&self.files.content, at, chunk)
            .map_err(|error| failed(&self.tree, Operation::PutPart, &self.token, error))?;
        self.record.len += chunk.len() as u64;
        Ok(())
    }

    fn finish(mut self) -> Result<Part> {
        let checked = verified(&self.tree, Operation::PutPart, &self.token.key, self.verifier)?;
        self.record.crc32c = self.crc.value();
        (&self.files.ledger)
            .write_all(&Change::Done(self.record).encode())
            .map_err(|error| failed(&self.tree, Operation::PutPart, &self.token, error))?;
        if let Some(proof) = &self.proof {
            proof.arrived(&self.files.content, self.record.offset, self.record.len);
        }
        let mut part = self.record.part();
        checked.iter().for_each(|digest| part.digests.set(*digest));
        Ok(part)
    }
}

/// Writes one part at its place.
pub(super) async fn put_part(tree: &Arc<Tree>, token: &UploadToken, part: &PartRequest, body: Body) -> Result<Part> {
    let operation = Operation::PutPart;
    let (tree, token, part) = (Arc::clone(tree), token.clone(), part.clone());
    if let Some(bytes) = body.as_bytes() {
        let bytes = bytes.clone();
        body.taps().iter().for_each(|tap| tap.pass(bytes.len() as u64));
        return blocking(operation, move || {
            let mut writing = Writing::start(tree, token, &part)?;
            writing.write(&bytes)?;
            writing.finish()
        })
        .await;
    }
    let mut writing = blocking(operation, move || Writing::start(tree, token, &part)).await?;
    let mut chunks = body.chunks();
    let mut batch = gather(&mut chunks).await?;
    while !batch.is_empty() {
        let write = blocking(operation, move || write_all(writing, &batch));
        // The next chunks arrive while these are written.
        let (written, next) = futures::future::join(write, gather(&mut chunks)).await;
        (writing, batch) = (written?, next?);
    }
    blocking(operation, move || writing.finish()).await
}

fn write_all(mut writing: Writing, chunks: &[Bytes]) -> Result<Writing> {
    chunks.iter().try_for_each(|chunk| writing.write(chunk))?;
    Ok(writing)
}

/// The parts that are there: those whose bytes on disk still have the recorded CRC-32C.
pub(super) fn parts(tree: &Tree, token: &UploadToken) -> Result<Vec<Part>> {
    let operation = Operation::ListParts;
    let (files, _) = open(tree, operation, token)?;
    let ledger = ledger_of(tree, operation, token, &files)?;
    let mut parts = Vec::with_capacity(ledger.parts.len());
    for record in ledger.parts.values() {
        let mut crc = Crc32c::new();
        let read = each_block(&files.content, record.offset, record.len, |block| crc.update(block));
        match read {
            Ok(()) if crc.value() == record.crc32c => parts.push(record.part()),
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {}
            Err(error) => return Err(failed(tree, operation, token, error)),
        }
    }
    Ok(parts)
}

/// `None` for a file that is no ledger.
fn read_ledger(file: &File) -> io::Result<Option<Ledger>> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    Ok(Ledger::decode(&read_exact_at(file, 0, len)?))
}

fn ledger_of(tree: &Tree, operation: Operation, token: &UploadToken, files: &Open) -> Result<Ledger> {
    read_ledger(&files.ledger)
        .map_err(|error| failed(tree, operation, token, error))?
        .filter(|ledger| ledger.head.key == token.key)
        .ok_or_else(|| gone(tree, operation, token))
}

/// Gives the content its name, once the parts are all of it.
pub(super) fn complete(tree: &Tree, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
    let operation = Operation::Complete;
    refuse_etag(tree, operation, &token.key, request)?;
    let place = tree.place(&token.key, operation)?;
    let (files, content) = open(tree, operation, token)?;
    if content.parent() != place.path.parent() {
        return Err(gone(tree, operation, token));
    }
    let ledger = ledger_of(tree, operation, token, &files)?;
    let wrong = |why: &str| Error::new(ErrorKind::Integrity, operation).because(why).of(&tree.name).at(&token.key);
    ledger.covers(parts).map_err(wrong)?;
    let (hashed, mut verifier) = tree.proofs.take(&token.id, &request.digests);
    let named = (|| {
        if facts_of(&files.content)?.size != ledger.head.size {
            return Ok(None);
        }
        if !verifier.is_idle() {
            each_block(&files.content, hashed, ledger.head.size - hashed, |block| verifier.update(block))?;
        }
        dress(&files.content, finish_of(tree, request)).map(Some)
    })();
    let facts = named
        .map_err(|error| failed(tree, operation, token, error))?
        .ok_or_else(|| wrong("the file is not as long as the object"))?;
    let digests = verified(tree, operation, &token.key, verifier)?;
    let done = (|| {
        tree.durable.before_name(&files.content)?;
        let root = tree.open()?;
        let directory = root.open_directory(content.parent(), false)?;
        directory.rename(content.name(), place.path.name(), !request.if_absent)?;
        // The object is there; a ledger that stays is found by `uploads` and removed by `abort`.
        let _ = directory.remove_file(&ledger_name(content.name()));
        tree.durable.after_name(&directory, facts.size)?;
        // A new name changes the inode.
        facts_of(&files.content)
    })();
    let facts = done.map_err(|error| tree.not_written(operation, &token.key, error))?;
    Ok(Entry { digests, ..tree.entry(token.key.clone(), &facts) })
}

/// Removes both files.
pub(super) fn abort(tree: &Tree, token: &UploadToken) -> Result<()> {
    let operation = Operation::Abort;
    let Ok(path) = content_of(tree, operation, token) else { return Ok(()) };
    tree.proofs.take(&token.id, &Digests::new());
    let removed = (|| {
        let directory = tree.open()?.open_directory(path.parent(), false)?;
        for name in [path.name(), &ledger_name(path.name())] {
            match directory.remove_file(name) {
                Err(error) if !is_gone(&error) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    })();
    match removed {
        Err(error) if is_gone(&error) || is_link_in_way(&error) => Ok(()),
        Err(error) => Err(failed(tree, operation, token, error)),
        Ok(()) => Ok(()),
    }
}

/// Whether a name may hold content of ours.
fn is_file(kind: Option<FileKind>) -> bool {
    kind.is_none_or(|kind| kind == FileKind::File)
}
