//! Writing a manifest: into a temporary file, whose digest is then its name.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    sync::Arc,
};

use serde::Serialize;
use sha2::{Digest as _, Sha256};
use sterna_backends::{Error, Operation, Result};
use zstd::stream::write::Encoder;

use super::{Content, Header, Line, line::Trailer};

/// zstd's own default: manifests shrink to a quarter and more, at some 100 MB/s.
const LEVEL: i32 = 3;

/// A manifest that is being written.
pub(in crate::archive) struct Draft {
    encoder: Encoder<'static, Hashing>,
    text: Vec<u8>,
    told: Trailer,
}

/// A manifest that is complete.
pub(in crate::archive) struct Written {
    pub file: Arc<File>,
    pub len: u64,
    pub content: Content,
    pub objects: u64,
    pub bytes: u64,
}

/// Counts and hashes what passes into the file.
struct Hashing {
    file: BufWriter<File>,
    sha256: Sha256,
    len: u64,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = self.file.write(bytes)?;
        self.sha256.update(&bytes[..taken]);
        self.len += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Draft {
    /// Begins with `header`.
    ///
    /// # Errors
    /// What the disk says.
    pub(in crate::archive) fn new(header: &Header) -> Result<Self> {
        let begin = || -> io::Result<Self> {
            let file = BufWriter::new(tempfile::tempfile()?);
            let encoder = Encoder::new(Hashing { file, sha256: Sha256::new(), len: 0 }, LEVEL)?;
            Ok(Self { encoder, text: Vec::new(), told: Trailer::default() })
        };
        let mut draft = begin().map_err(told)?;
        draft.write(header)?;
        Ok(draft)
    }

    /// The next object; they come in byte order of their paths.
    ///
    /// # Errors
    /// What the disk says.
    pub(in crate::archive) fn push(&mut self, line: &Line) -> Result<()> {
        self.told.objects += 1;
        self.told.bytes += line.size;
        self.write(line)
    }

    fn write(&mut self, line: &impl Serialize) -> Result<()> {
        self.text.clear();
        serde_json::to_writer(&mut self.text, line).map_err(|error| told(error.into()))?;
        self.text.push(b'\n');
        self.encoder.write_all(&self.text).map_err(told)
    }

    /// That was all.
    ///
    /// # Errors
    /// What the disk says.
    pub(in crate::archive) fn finish(mut self) -> Result<Written> {
        let trailer = self.told;
        self.write(&trailer)?;
        let Hashing { file, sha256, len } = self.encoder.finish().map_err(told)?;
        let file = file.into_inner().map_err(|error| told(error.into_error()))?;
        let content = Content(sha256.finalize().into());
        Ok(Written { file: Arc::new(file), len, content, objects: trailer.objects, bytes: trailer.bytes })
    }
}

fn told(error: io::Error) -> Error {
    Error::io(Operation::Put, error)
}
