//! What servers tell of files (draft-ietf-secsh-filexfer-02, section 5).

use bytes::{BufMut, BytesMut};

use super::wire::Fields;
use crate::{
    entry::Timestamp,
    skipped::WhySkipped,
    tree::{self, What},
};

const SIZE: u32 = 1;
const OWNER: u32 = 2;
const MODE: u32 = 4;
const TIMES: u32 = 8;
const EXTENDED: u32 = 1 << 31;

/// The bits of a mode that say what a file is, as POSIX has them.
const KIND: u32 = 0o170_000;

/// What is told of a file, or is to be set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Facts {
    pub size: Option<u64>,
    pub mode: Option<u32>,
    /// Seconds since 1970, to 2106.
    pub modified: Option<u32>,
}

impl Facts {
    /// Those that set a time: the nearest there is to `time`.
    pub fn of_time(time: Timestamp) -> Self {
        let seconds = u32::try_from(time.seconds().max(0)).unwrap_or(u32::MAX);
        Self { modified: Some(seconds), ..Self::default() }
    }

    pub fn time(&self) -> Option<Timestamp> {
        self.modified.map(|seconds| Timestamp::from_parts(i64::from(seconds), 0))
    }

    pub fn write(&self, fields: &mut BytesMut) {
        let flag = |there: bool, flag| if there { flag } else { 0 };
        fields.put_u32(
            flag(self.size.is_some(), SIZE) | flag(self.mode.is_some(), MODE) | flag(self.modified.is_some(), TIMES),
        );
        if let Some(size) = self.size {
            fields.put_u64(size);
        }
        if let Some(mode) = self.mode {
            fields.put_u32(mode);
        }
        if let Some(modified) = self.modified {
            // When it was last read, and when last written.
            fields.put_u32(modified);
            fields.put_u32(modified);
        }
    }

    /// `None`: the fields are not what they should be.
    pub fn read(fields: &mut Fields) -> Option<Self> {
        let mut facts = Self::default();
        let flags = fields.number()?;
        if flags & SIZE != 0 {
            facts.size = Some(fields.long()?);
        }
        if flags & OWNER != 0 {
            fields.long()?;
        }
        if flags & MODE != 0 {
            facts.mode = Some(fields.number()?);
        }
        if flags & TIMES != 0 {
            fields.number()?;
            facts.modified = Some(fields.number()?);
        }
        if flags & EXTENDED != 0 {
            for _ in 0..fields.number()? {
                fields.bytes()?;
                fields.bytes()?;
            }
        }
        Some(facts)
    }
}

impl tree::Facts for Facts {
    fn what(&self) -> What {
        match self.mode.map(|mode| mode & KIND) {
            Some(0o100_000) => What::File,
            Some(0o040_000) => What::Directory,
            Some(0o120_000) => What::Other(WhySkipped::Link),
            None | Some(0) => What::Unknown,
            Some(_) => What::Other(WhySkipped::Special),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Facts as _;

    #[test]
    fn what_is_written_is_read() {
        for facts in [
            Facts::default(),
            Facts { size: Some(1 << 40), mode: Some(0o100_644), modified: Some(u32::MAX) },
            Facts { modified: Some(7), ..Facts::default() },
        ] {
            let mut bytes = BytesMut::new();
            facts.write(&mut bytes);
            assert_eq!(Facts::read(&mut Fields(bytes.freeze())), Some(facts));
        }
    }

    #[test]
    fn times_out_of_range_are_the_nearest() {
        for (seconds, told) in [(-5, 0), (0, 0), (1_700_000_000, 1_700_000_000), (1 << 33, u32::MAX)] {
            assert_eq!(Facts::of_time(Timestamp::from_parts(seconds, 5)).modified, Some(told));
        }
    }

    #[test]
    fn modes_say_what_it_is() {
        for (mode, what) in [
            (Some(0o100_600), What::File),
            (Some(0o040_755), What::Directory),
            (Some(0o120_777), What::Other(WhySkipped::Link)),
            (Some(0o010_600), What::Other(WhySkipped::Special)),
            (Some(0o600), What::Unknown),
            (None, What::Unknown),
        ] {
            assert_eq!(Facts { mode, ..Facts::default() }.what(), what);
        }
    }
}
