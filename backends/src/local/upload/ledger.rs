//! The ledger of an upload in parts: a small file beside the content that says which parts are there.
//!
//! A head (what is uploaded, where to, since when) and then records of 32 bytes, only ever appended. A record
//! that is torn or damaged counts as none: its part is sent again.

use std::{collections::BTreeMap, fs::File, io, io::Write as _};

use super::super::verify::crc32c;
use crate::{
    body::read_exact_at,
    entry::{Key, Timestamp},
};

const MAGIC: &[u8; 8] = b"sterna\x01\n";

/// Bytes of the head before the key: magic, size, start, length of the key.
const HEAD: usize = 28;

const RECORD: usize = 32;

/// What is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// The object that will appear.
    pub key: Key,
    /// Its bytes.
    pub size: u64,
    /// When the upload was begun.
    pub started: Timestamp,
}

/// A part that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// From 1.
    pub number: u32,
    /// Where it starts in the object.
    pub offset: u64,
    /// Bytes.
    pub len: u64,
    /// Of its bytes.
    pub crc32c: u32,
}

/// A ledger as read.
#[derive(Debug)]
pub(super) struct Ledger {
    /// What is uploaded.
    pub head: Head,
    /// The parts that are there, by number.
    pub parts: BTreeMap<u32, Record>,
}

impl Ledger {
    /// Reads a ledger; `None` for a file that is none, or whose head is damaged.
    pub(super) fn read(file: &File) -> io::Result<Option<Self>> {
        let len = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let bytes = read_exact_at(file, 0, len)?;
        let Some((head, records)) = Head::decode(&bytes) else { return Ok(None) };
        let mut parts = BTreeMap::new();
        for bytes in records.chunks_exact(RECORD) {
            match Change::decode(bytes) {
                Some(Change::Begun(number)) => drop(parts.remove(&number)),
                Some(Change::Done(part)) => drop(parts.insert(part.number, part)),
                None => {}
            }
        }
        Ok(Some(Self { head, parts }))
    }

    /// Writes the head of a new ledger.
    pub(super) fn create(mut file: &File, head: &Head) -> io::Result<()> {
        file.write_all(&head.encode())
    }

    /// Appends one change, in one write.
    pub(super) fn append(mut file: &File, change: Change) -> io::Result<()> {
        file.write_all(&change.encode())
    }
}

impl Head {
    fn encode(&self) -> Vec<u8> {
        let key = self.key.as_bytes();
        let mut bytes = Vec::with_capacity(HEAD + key.len() + 4);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.started.as_nanos().to_le_bytes());
        bytes.extend_from_slice(&u32::try_from(key.len()).expect("a key is short").to_le_bytes());
        bytes.extend_from_slice(key);
        bytes.extend_from_slice(&crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (fixed, rest) = bytes.split_at_checked(HEAD)?;
        let key_len = usize::try_from(u32_at(fixed, 24)).ok()?;
        let (key, rest) = rest.split_at_checked(key_len)?;
        let (check, records) = rest.split_at_checked(4)?;
        if &fixed[..8] != MAGIC || u32_at(check, 0) != crc32c(&bytes[..HEAD + key_len]) {
            return None;
        }
        let key = Key::new(std::str::from_utf8(key).ok()?).ok()?;
        let started = Timestamp::from_nanos(u64_at(fixed, 16).cast_signed());
        Some((Self { key, size: u64_at(fixed, 8), started }, records))
    }
}

/// What happened to a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is about to be written: what was there counts no more.
    Begun(u32),
    /// It is there.
    Done(Record),
}

impl Change {
    fn encode(self) -> [u8; RECORD] {
        let (done, part) = match self {
            Self::Begun(number) => (0_u32, Record { number, offset: 0, len: 0, crc32c: 0 }),
            Self::Done(part) => (1, part),
        };
        let mut bytes = [0; RECORD];
        bytes[..4].copy_from_slice(&part.number.to_le_bytes());
        bytes[4..8].copy_from_slice(&done.to_le_bytes());
        bytes[8..16].copy_from_slice(&part.offset.to_le_bytes());
        bytes[16..24].copy_from_slice(&part.len.to_le_bytes());
        bytes[24..28].copy_from_slice(&part.crc32c.to_le_bytes());
        let check = crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&check.to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        if crc32c(&bytes[..28]) != u32_at(bytes, 28) {
            return None;
        }
        let number = u32_at(bytes, 0);
        match u32_at(bytes, 4) {
            0 => Some(Self::Begun(number)),
            1 => Some(Self::Done(Record {
                number,
                offset: u64_at(bytes, 8),
                len: u64_at(bytes, 16),
                crc32c: u32_at(bytes, 24),
            })),
            _ => None,
        }
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("the slice has four bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("the slice has eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_parts_and_forgets_torn_records() {
        let file = tempfile::tempfile().unwrap();
        let head = Head { key: "a/ü".try_into().unwrap(), size: 30, started: Timestamp::from_nanos(-5) };
        let part = |number, crc32c| Record { number, offset: u64::from(number - 1) * 10, len: 10, crc32c };
        Ledger::create(&file, &head).unwrap();
        for change in [
            Change::Begun(1),
            Change::Done(part(1, 7)),
            Change::Done(part(2, 8)),
            Change::Begun(2),
            Change::Done(part(3, 9)),
            Change::Done(part(1, 6)),
        ] {
            Ledger::append(&file, change).unwrap();
        }
        let ledger = Ledger::read(&file).unwrap().unwrap();
        assert_eq!(ledger.head, head);
        assert_eq!(ledger.parts.values().copied().collect::<Vec<_>>(), [part(1, 6), part(3, 9)]);

        let len = file.metadata().unwrap().len();
        file.set_len(len - 1).unwrap();
        let parts = Ledger::read(&file).unwrap().unwrap().parts;
        assert_eq!(parts[&1], part(1, 7), "the torn record counts as none");

        file.set_len(HEAD as u64).unwrap();
        assert!(Ledger::read(&file).unwrap().is_none());
    }
}
