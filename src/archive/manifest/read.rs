//! Reading a manifest: whole into a temporary file first, checked against the digest in its name, then line by line.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Seek, Write},
    sync::Arc,
};

use futures::TryStreamExt;
use sha2::{Digest as _, Sha256};
use sterna_backends::{Error, ErrorKind, Key, Operation, ReadRequest, Result, Store, body::read_exact_at};

use super::{Content, Header, Line, VERSION, line::Trailer};

/// A manifest that was fetched and found whole.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Its first line.
    pub header: Header,
    /// Objects.
    pub objects: u64,
    /// Their sizes together.
    pub bytes: u64,
    lines: Arc<Lines>,
}

/// The lines of objects, uncompressed on disk.
#[derive(Debug)]
struct Lines {
    file: File,
    /// Where each line starts, and at the end where the last one ends: 8 bytes an object in memory.
    starts: Vec<u64>,
}

impl Manifest {
    /// Fetches what lies under `key`.
    ///
    /// # Errors
    /// `Integrity` where it does not have the digest `content`, or does not read as a manifest; else as
    /// [`Store::read`].
    pub async fn fetch(store: &Arc<dyn Store>, key: &Key, content: Content) -> Result<Self> {
        let damaged = |why: String| {
            Error::new(ErrorKind::Integrity, Operation::Read).retryable(false).of(store.name()).at(key).because(why)
        };
        let io = |error: io::Error| Error::io(Operation::Read, error);
        let mut chunks = store.read(key, ReadRequest::default()).await?.body.chunks();
        let mut sha256 = Sha256::new();
        let mut packed = tempfile::tempfile().map_err(io)?;
        while let Some(chunk) = chunks.try_next().await? {
            sha256.update(&chunk);
            packed = blocking(move || packed.write_all(&chunk).map(|()| packed)).await?.map_err(io)?;
        }
        if Content(sha256.finalize().into()) != content {
            return Err(damaged("the manifest is damaged: it does not have the SHA-256 in its name".to_owned()));
        }
        let read = blocking(move || unpack(packed)).await?;
        read.map_err(|why| damaged(format!("the manifest cannot be read: {why}")))
    }

    /// All objects, in byte order of their paths.
    ///
    /// # Errors
    /// What the disk says; each line may end in an error, too.
    pub fn lines(&self) -> impl Iterator<Item = Result<Line>> + Send + use<> {
        let lines = Arc::clone(&self.lines);
        (0..lines.len()).map(move |at| lines.get(at))
    }

    /// The object of that path.
    ///
    /// # Errors
    /// What the disk says.
    pub fn find(&self, path: &Key) -> Result<Option<Line>> {
        let (mut low, mut high) = (0, self.lines.len());
        while low < high {
            let middle = low + (high - low) / 2;
            let line = self.lines.get(middle)?;
            match line.path.cmp(path) {
                std::cmp::Ordering::Equal => return Ok(Some(line)),
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        Ok(None)
    }
}

impl Lines {
    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    fn get(&self, at: usize) -> Result<Line> {
        let (start, end) = (self.starts[at], self.starts[at + 1]);
        let want = usize::try_from(end - start).unwrap_or(usize::MAX);
        let text = read_exact_at(&self.file, start, want).map_err(|error| Error::io(Operation::Read, error))?;
        serde_json::from_slice(&text).map_err(|error| Error::new(ErrorKind::Integrity, Operation::Read).because(error))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|panic| Error::new(ErrorKind::Other, Operation::Read).because(panic))
}

/// Uncompresses and checks every line: form, order, and that none is lacking.
fn unpack(mut packed: File) -> Result<Manifest, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    packed.rewind().map_err(|error| text(&error))?;
    let decoder = zstd::stream::read::Decoder::new(packed).map_err(|error| text(&error))?;
    let mut reader = BufReader::new(decoder);
    let mut line = Vec::new();
    let mut next = |line: &mut Vec<u8>| -> Result<bool, String> {
        line.clear();
        // A line of an object has a path of 1 KiB at most, metadata of some KiB, and its chunks.
        reader.by_ref().take(LONGEST).read_until(b'\n', line).map_err(|error| text(&error))?;
        match line.last() {
            None => Ok(false),
            Some(b'\n') => Ok(true),
            Some(_) => Err("a line does not end".to_owned()),
        }
    };
    if !next(&mut line)? {
        return Err("it is empty".to_owned());
    }
    let header: Header = serde_json::from_slice(&line).map_err(|error| format!("line 1: {error}"))?;
    if header.sterna_snapshot != VERSION {
        return Err(format!("it is of version {}, and this sterna reads {VERSION}", header.sterna_snapshot));
    }
    let mut file = BufWriter::new(tempfile::tempfile().map_err(|error| text(&error))?);
    let (mut starts, mut told, mut last) = (vec![0], Trailer::default(), None::<Key>);
    let mut end = 0;
    loop {
        if !next(&mut line)? {
            return Err("its last line is missing".to_owned());
        }
        if let Ok(trailer) = serde_json::from_slice::<Trailer>(&line) {
            if trailer != told || next(&mut line)? {
                return Err("its last line does not fit the others".to_owned());
            }
            break;
        }
        let number = told.objects + 2;
        let read: Line = serde_json::from_slice(&line).map_err(|error| format!("line {number}: {error}"))?;
        if last.is_some_and(|last| last >= read.path) {
            return Err(format!("line {number}: out of order"));
        }
        told.objects += 1;
        told.bytes = told.bytes.checked_add(read.size).ok_or("sizes beyond measure")?;
        last = Some(read.path);
        file.write_all(&line).map_err(|error| text(&error))?;
        end += line.len() as u64;
        starts.push(end);
    }
    let file = file.into_inner().map_err(|error| text(&error))?;
    Ok(Manifest { header, objects: told.objects, bytes: told.bytes, lines: Arc::new(Lines { file, starts }) })
}

/// Bytes of the longest line that is read: the chunks of a file of some hundred GiB.
const LONGEST: u64 = 64 * 1024 * 1024;
