//! The ledger of an upload in parts: a small file beside the content that says which parts are there.
//!
//! A head (what is uploaded, where to, since when) and then records of 32 bytes: appended one after the other, or each part's
//! own at its own place, where nothing can be appended ([`Head::place_of`]). A record that is torn or damaged counts as
//! none: its part is sent again.

use std::collections::BTreeMap;

use crate::{
    digest::crc32c,
    entry::{Digest, Key, Timestamp},
    store::Part,
};

const MAGIC: &[u8; 8] = b"sterna\x01\n";

/// Bytes of the head before the key: magic, size, start, length of the key.
const HEAD: usize = 28;

const RECORD: usize = 32;

/// What is uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The object that will appear.
    pub key: Key,
    /// Its bytes.
    pub size: u64,
    /// When the upload was begun.
    pub started: Timestamp,
}

/// A part that is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Record {
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
pub(crate) struct Ledger {
    /// What is uploaded.
    pub head: Head,
    /// The parts that are there, by number.
    pub parts: BTreeMap<u32, Record>,
}

impl Ledger {
    /// Reads a ledger; `None` for bytes that are none, or whose head is damaged.
    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, records) = Head::decode(bytes)?;
        let mut parts = BTreeMap::new();
        for bytes in records.chunks_exact(RECORD) {
            match Change::decode(bytes) {
                Some(Change::Begun(number)) => drop(parts.remove(&number)),
                Some(Change::Done(part)) => drop(parts.insert(part.number, part)),
                None => {}
            }
        }
        Some(Self { head, parts })
    }

    /// Whether `parts` are in it as told, and make the whole object.
    ///
    /// # Errors
    /// Why not.
    pub(crate) fn covers(&self, parts: &[Part]) -> Result<(), &'static str> {
        let mut end = 0;
        for part in parts {
            let record = self.parts.get(&part.number).ok_or("a part was never finished")?;
            if record.part().etag != part.etag || record.len != part.size {
                return Err("a part is not the one that was told");
            }
            if record.offset != end {
                return Err("the parts leave a gap or overlap");
            }
            end += record.len;
        }
        if end == self.head.size { Ok(()) } else { Err("the parts are not the whole object") }
    }
}

impl Record {
    /// The part as the contract tells of it.
    pub(crate) fn part(&self) -> Part {
        Part {
            number: self.number,
            size: self.len,
            etag: Some(format!("{:x}-{:08x}", self.offset, self.crc32c).into()),
            digests: [Digest::Crc32c(self.crc32c)].into_iter().collect(),
        }
    }
}

impl Head {
    /// Where the record of part `number` has its place, in a ledger for `key`: bytes from its beginning.
    #[cfg(any(test, feature = "sftp"))]
    pub(crate) fn place_of(key: &Key, number: u32) -> u64 {
        (HEAD + key.len() + 4) as u64 + u64::from(number.saturating_sub(1)) * RECORD as u64
    }

    /// What a new ledger begins with.
    pub(crate) fn encode(&self) -> Vec<u8> {
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
pub(crate) enum Change {
    /// It is about to be written: what was there counts no more.
    Begun(u32),
    /// It is there.
    Done(Record),
}

impl Change {
    /// A record, which is to be written at once.
    pub(crate) fn encode(self) -> [u8; RECORD] {
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
        let head = Head { key: "a/ü".try_into().unwrap(), size: 30, started: Timestamp::from_nanos(-5) };
        let part = |number, crc32c| Record { number, offset: u64::from(number - 1) * 10, len: 10, crc32c };
        let mut bytes = head.encode();
        let begin = bytes.len();
        for change in [
            Change::Begun(1),
            Change::Done(part(1, 7)),
            Change::Done(part(2, 8)),
            Change::Begun(2),
            Change::Done(part(3, 9)),
            Change::Done(part(1, 6)),
        ] {
            bytes.extend(change.encode());
        }
        let ledger = Ledger::decode(&bytes).unwrap();
        assert_eq!(ledger.head, head);
        assert_eq!(ledger.parts.values().copied().collect::<Vec<_>>(), [part(1, 6), part(3, 9)]);

        bytes.pop();
        assert_eq!(Ledger::decode(&bytes).unwrap().parts[&1], part(1, 7), "the torn record counts as none");
        assert!(Ledger::decode(&bytes[..HEAD]).is_none());

        // Each at its own place, with nothing yet at that of the second.
        bytes.truncate(begin);
        bytes.resize(begin + 3 * RECORD, 0);
        for change in [Change::Begun(3), Change::Begun(1), Change::Done(part(3, 9))] {
            let (Change::Begun(number) | Change::Done(Record { number, .. })) = change;
            let at = usize::try_from(Head::place_of(&head.key, number)).unwrap();
            bytes[at..at + RECORD].copy_from_slice(&change.encode());
        }
        let ledger = Ledger::decode(&bytes).unwrap();
        assert_eq!(ledger.parts.values().copied().collect::<Vec<_>>(), [part(3, 9)]);
        assert!(ledger.covers(&[part(3, 9).part()]).is_err(), "two are missing");
    }
}
