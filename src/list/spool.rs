//! Values set aside in the order in which they come: in memory while they are few, then on disk.

use std::{
    io::{BufRead, BufReader, Seek, Write},
    marker::PhantomData,
};

use serde::{Serialize, de::DeserializeOwned};
use sterna_backends::{Error, ErrorKind, Operation, Result};
use tempfile::SpooledTempFile;

/// A queue that is written first and read afterwards, in bounded memory.
pub struct Spool<T> {
    file: SpooledTempFile,
    line: Vec<u8>,
    len: u64,
    kind: PhantomData<T>,
}

impl<T: Serialize + DeserializeOwned> Spool<T> {
    /// Empty; up to `memory` bytes stay off the disk.
    #[must_use]
    pub fn new(memory: usize) -> Self {
        Self { file: SpooledTempFile::new(memory), line: Vec::new(), len: 0, kind: PhantomData }
    }

    /// One value that cannot be read back.
    #[cfg(test)]
    pub(crate) fn broken() -> Self {
        let mut spool = Self::new(1024);
        spool.file.write_all(b"no value\n").expect("memory");
        Self { len: 1, ..spool }
    }

    /// How many values were set aside.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none was.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Sets `value` aside.
    ///
    /// # Errors
    /// `Full` or what else the disk says.
    pub fn push(&mut self, value: &T) -> Result<()> {
        self.line.clear();
        serde_json::to_writer(&mut self.line, value)
            .map_err(|error| Error::new(ErrorKind::Other, Operation::List).because(error))?;
        self.line.push(b'\n');
        self.file.write_all(&self.line).map_err(|error| Error::io(Operation::List, error))?;
        self.len += 1;
        Ok(())
    }

    /// All values, in the order in which they came.
    ///
    /// # Errors
    /// What the disk says; each value may end in an error, too.
    pub fn read(mut self) -> Result<impl Iterator<Item = Result<T>> + Send> {
        self.file.rewind().map_err(|error| Error::io(Operation::List, error))?;
        Ok(BufReader::with_capacity(128 * 1024, self.file).split(b'\n').map(|line| {
            let line = line.map_err(|error| Error::io(Operation::List, error))?;
            serde_json::from_slice(&line)
                .map_err(|error| Error::new(ErrorKind::Integrity, Operation::List).because(error))
        }))
    }
}
