//! What flows between stores: bytes in memory, a slice of an open file, or a stream.

use std::{
    fmt,
    fs::File,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use futures::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};

use crate::error::{Error, Operation, Result};

/// The chunks of a body, in order.
pub type Chunks = BoxStream<'static, Result<Bytes>>;

/// Memory that is taken at once where a length is announced; more is taken as it comes.
const BELIEVED: usize = 16 * 1024 * 1024;

/// Bytes read from a file at once while a body streams from disk.
const FILE_CHUNK: usize = 512 * 1024;

/// Told of bytes as they pass, once per chunk and once more when a body is replayed.
pub trait Tap: Send + Sync {
    /// `bytes` have just been handed on.
    fn pass(&self, bytes: u64);
}

/// Content on its way. Bytes and file slices can be replayed; a stream is read once.
pub struct Body {
    source: Source,
    taps: Vec<Arc<dyn Tap>>,
}

enum Source {
    Bytes(Bytes),
    File { file: Arc<File>, offset: u64, len: u64 },
    Stream { len: Option<u64>, chunks: Chunks },
}

impl Body {
    /// No bytes at all.
    #[must_use]
    pub fn empty() -> Self {
        Bytes::new().into()
    }

    /// `len` bytes of `file` from `offset`, read when they are needed, in chunks, never as a whole.
    /// A file that has become shorter ends the stream with an error of kind
    /// [`Changed`](crate::ErrorKind::Changed).
    #[must_use]
    pub fn file(file: Arc<File>, offset: u64, len: u64) -> Self {
        Source::File { file, offset, len }.into()
    }

    /// A stream that is read once; `len` where it is known. A stream that ends before or runs past `len` is
    /// an error to whoever reads it.
    #[must_use]
    pub fn stream(len: Option<u64>, chunks: Chunks) -> Self {
        Source::Stream { len, chunks }.into()
    }

    /// Bytes in the body, where known.
    #[must_use]
    pub fn len(&self) -> Option<u64> {
        match &self.source {
            Source::Bytes(bytes) => Some(bytes.len() as u64),
            Source::File { len, .. } => Some(*len),
            Source::Stream { len, .. } => *len,
        }
    }

    /// The body with the length a request tells: a stream that does not know its own is held to it.
    ///
    /// # Errors
    /// `BadRequest` where the body is known to have another one.
    #[cfg(any(
        feature = "webdav",
        feature = "ftp",
        feature = "sftp",
        feature = "ipfs",
        feature = "opendal",
        feature = "azure"
    ))]
    pub(crate) fn sized(self, size: Option<u64>) -> Result<Self> {
        match (self.len(), size) {
            (Some(has), Some(wanted)) if has != wanted => Err(Error::new(crate::ErrorKind::BadRequest, Operation::Put)
                .because(format!("{wanted} bytes were announced, and the body has {has}"))),
            (None, Some(wanted)) => Ok(Self::stream(Some(wanted), self.chunks())),
            _ => Ok(self),
        }
    }

    /// The body with a length: one that does not know its own is read into memory, up to 16 MiB.
    ///
    /// # Errors
    /// `Unsupported` where it is more; what the source reports.
    #[cfg(any(feature = "s3", feature = "b2"))]
    pub(crate) async fn gathered(self, operation: Operation) -> Result<Self> {
        const MOST: usize = 16 * 1024 * 1024;
        if self.len().is_some() {
            return Ok(self);
        }
        let mut all = BytesMut::new();
        let mut chunks = self.chunks();
        while let Some(chunk) = chunks.try_next().await? {
            if all.len() + chunk.len() > MOST {
                let why = "a body of unknown length and more than 16 MiB has to go up in parts";
                return Err(Error::unsupported(operation, why));
            }
            all.extend_from_slice(&chunk);
        }
        // Its taps were told already.
        Ok(Self::from(all.freeze()))
    }

    /// Whether it is known to hold no byte.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == Some(0)
    }

    /// Has `tap` told of every byte that passes.
    #[must_use]
    pub fn tapped(mut self, tap: Arc<dyn Tap>) -> Self {
        self.taps.push(tap);
        self
    }

    /// The taps, for a layer that replaces the source and keeps them.
    #[must_use]
    pub fn taps(&self) -> &[Arc<dyn Tap>] {
        &self.taps
    }

    /// The same body once more, if it can be replayed.
    #[must_use]
    pub fn replay(&self) -> Option<Self> {
        let source = match &self.source {
            Source::Bytes(bytes) => Source::Bytes(bytes.clone()),
            Source::File { file, offset, len } => Source::File { file: Arc::clone(file), offset: *offset, len: *len },
            Source::Stream { .. } => return None,
        };
        Some(Self { source, taps: self.taps.clone() })
    }

    /// The bytes, where they already lie in memory. The taps are not told.
    #[must_use]
    pub fn as_bytes(&self) -> Option<&Bytes> {
        if let Source::Bytes(bytes) = &self.source { Some(bytes) } else { None }
    }

    /// The open file, where the body is one: file, offset, length. The taps are not told.
    #[must_use]
    pub fn as_file(&self) -> Option<(&Arc<File>, u64, u64)> {
        if let Source::File { file, offset, len } = &self.source { Some((file, *offset, *len)) } else { None }
    }

    /// The body as a stream of chunks, whose total is checked against the length where that is known: too few
    /// bytes are an error of kind [`Unavailable`](crate::ErrorKind::Unavailable) from a stream and
    /// [`Changed`](crate::ErrorKind::Changed) from a file.
    #[must_use]
    pub fn chunks(self) -> Chunks {
        let taps = self.taps;
        let chunks = match self.source {
            Source::Bytes(bytes) if bytes.is_empty() => stream::empty().boxed(),
            Source::Bytes(bytes) => stream::once(async { Ok(bytes) }).boxed(),
            Source::File { file, offset, len } => file_chunks(file, offset, len),
            Source::Stream { len: Some(len), chunks } => exactly(len, chunks),
            Source::Stream { len: None, chunks } => chunks,
        };
        if taps.is_empty() {
            return chunks;
        }
        chunks.inspect_ok(move |chunk| taps.iter().for_each(|tap| tap.pass(chunk.len() as u64))).boxed()
    }

    /// All of it in memory.
    ///
    /// # Errors
    /// What the source reports while it is read.
    pub async fn collect(self) -> Result<Bytes> {
        if let Source::Bytes(bytes) = &self.source {
            self.taps.iter().for_each(|tap| tap.pass(bytes.len() as u64));
            return Ok(bytes.clone());
        }
        let len = self.len().and_then(|len| usize::try_from(len).ok());
        let mut chunks = self.chunks();
        let Some(first) = chunks.try_next().await? else { return Ok(Bytes::new()) };
        if Some(first.len()) == len {
            return Ok(first);
        }
        let mut all = BytesMut::with_capacity(len.map_or(0, |len| len.min(BELIEVED)));
        all.extend_from_slice(&first);
        while let Some(chunk) = chunks.try_next().await? {
            all.extend_from_slice(&chunk);
        }
        Ok(all.freeze())
    }
}

impl From<Source> for Body {
    fn from(source: Source) -> Self {
        Self { source, taps: Vec::new() }
    }
}

impl From<Bytes> for Body {
    fn from(bytes: Bytes) -> Self {
        Source::Bytes(bytes).into()
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Bytes::from(bytes).into()
    }
}

impl From<&'static [u8]> for Body {
    fn from(bytes: &'static [u8]) -> Self {
        Bytes::from_static(bytes).into()
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.source {
            Source::Bytes(_) => "bytes",
            Source::File { .. } => "file",
            Source::Stream { .. } => "stream",
        };
        write!(f, "Body({kind}, {:?} bytes)", self.len())
    }
}

fn file_chunks(file: Arc<File>, offset: u64, len: u64) -> Chunks {
    stream::try_unfold((file, offset, len), |(file, offset, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let want = usize::try_from(left).unwrap_or(FILE_CHUNK).min(FILE_CHUNK);
        let (file, chunk) = tokio::task::spawn_blocking(move || {
            let chunk = read_exact_at(&file, offset, want);
            (file, chunk)
        })
        .await
        .map_err(|panic| Error::new(crate::ErrorKind::Other, Operation::Read).because(panic))?;
        Ok(Some((chunk.map_err(unread)?, (file, offset + want as u64, left - want as u64))))
    })
    .boxed()
}

/// Why a file could not be read as far as was expected: `Changed` where it ends earlier, else what the system says.
#[must_use]
pub fn unread(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            Error::new(crate::ErrorKind::Changed, Operation::Read).because("the file has become shorter")
        }
        _ => Error::io(Operation::Read, error),
    }
}

/// Reads `want` bytes at `offset` without moving the file's own position.
///
/// # Errors
/// `UnexpectedEof` when the file ends earlier; else what the system says.
pub fn read_exact_at(file: &File, offset: u64, want: usize) -> io::Result<Bytes> {
    let mut buffer = Buffer::of(want);
    fill_at(file, offset, &mut buffer.0)?;
    Ok(if want < LEAST { std::mem::take(&mut buffer.0).into() } else { Bytes::from_owner(buffer) })
}

/// Reads `len` bytes of `file` from `offset` on and shows them to `visit`, block by block. It waits for the disk: for
/// threads that may.
///
/// # Errors
/// As [`read_exact_at`].
pub fn each_block(file: &File, offset: u64, len: u64, mut visit: impl FnMut(&[u8])) -> io::Result<()> {
    let end = offset.saturating_add(len);
    let mut at = offset;
    let mut buffer = Buffer::of(usize::try_from(len).unwrap_or(FILE_CHUNK).min(FILE_CHUNK));
    while at < end {
        let want = usize::try_from(end - at).unwrap_or(FILE_CHUNK).min(FILE_CHUNK);
        let block = &mut buffer.0[..want];
        fill_at(file, at, block)?;
        visit(block);
        at += want as u64;
    }
    Ok(())
}

fn fill_at(file: &File, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::FileExt::read_exact_at(file, buffer, offset)?;
    #[cfg(windows)]
    {
        let mut done = 0;
        while done < buffer.len() {
            match std::os::windows::fs::FileExt::seek_read(file, &mut buffer[done..], offset + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
    }
    Ok(())
}

/// Buffers below this size, in bytes, are left to the allocator.
const LEAST: usize = 64 * 1024;

/// Buffers that are kept for the next who needs one.
const KEPT: usize = 16;

/// Free buffers. They are filled on one thread and let go on another: without this, the allocator keeps some for each
/// thread that ever read, which was half of the peak memory of a large upload.
static FREE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer that goes back to [`FREE`] when nobody reads it any more.
struct Buffer(Vec<u8>);

impl Buffer {
    fn of(len: usize) -> Self {
        let kept = || FREE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut buffer = if len < LEAST { Vec::new() } else { kept().unwrap_or_default() };
        buffer.resize(len, 0);
        Self(buffer)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.0.len() >= LEAST {
            let mut free = FREE.lock().unwrap_or_else(PoisonError::into_inner);
            if free.len() < KEPT {
                free.push(std::mem::take(&mut self.0));
            }
        }
    }
}

/// Passes on exactly `len` bytes. The last chunk is handed on only when the stream is seen to end there, so that
/// whoever stops reading after `len` bytes has not taken a longer stream for whole.
fn exactly(len: u64, chunks: Chunks) -> Chunks {
    let wrong = move |what: &str| {
        Error::new(crate::ErrorKind::Unavailable, Operation::Read)
            .because(format!("{what} than the {len} bytes announced"))
    };
    stream::try_unfold((chunks.fuse().boxed(), 0), move |(mut chunks, passed): (Chunks, u64)| async move {
        while let Some(chunk) = chunks.try_next().await? {
            let passed = passed + chunk.len() as u64;
            if passed > len || (passed == len && !ends(&mut chunks).await?) {
                return Err(wrong("more"));
            }
            if !chunk.is_empty() {
                return Ok(Some((chunk, (chunks, passed))));
            }
        }
        if passed < len { Err(wrong("fewer")) } else { Ok(None) }
    })
    .boxed()
}

async fn ends(chunks: &mut Chunks) -> Result<bool> {
    while let Some(chunk) = chunks.try_next().await? {
        if !chunk.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_stream_is_as_long_as_announced_or_an_error() {
        let body = |len| {
            let chunks = [&b"ab"[..], b"", b"cd"].map(|chunk| Ok(Bytes::from_static(chunk)));
            Body::stream(Some(len), stream::iter(chunks).boxed())
        };
        assert_eq!(body(4).collect().await.unwrap(), "abcd");
        assert!(body(5).collect().await.is_err());
        assert!(body(3).collect().await.is_err());
        // Not even the bytes that were announced come through whole.
        let mut chunks = body(2).chunks();
        assert!(chunks.try_next().await.is_err());
        // What is announced is not taken from the system before it comes.
        assert!(body(1 << 60).collect().await.is_err());
    }

    #[cfg(any(feature = "s3", feature = "b2"))]
    #[tokio::test]
    async fn bodies_of_unknown_length_are_gathered_up_to_a_limit() {
        let long = |count| {
            let chunks = stream::iter((0..count).map(|_| Ok(Bytes::from(vec![0; 1024 * 1024]))));
            Body::stream(None, chunks.boxed()).gathered(Operation::Put)
        };
        assert_eq!(long(16).await.unwrap().len(), Some(16 * 1024 * 1024));
        assert_eq!(long(17).await.unwrap_err().kind(), crate::ErrorKind::Unsupported);
    }
}
