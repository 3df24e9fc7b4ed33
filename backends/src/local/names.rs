//! The names of one directory: read whole, sorted as their keys sort, in one allocation.

use std::{ffi::OsStr, io};

use super::{
    escape::to_segment,
    options::Links,
    system::{Dir, FileKind},
    tree::LINK_SUFFIX,
};
use crate::{entry::Key, skipped::WhySkipped, unfinished::leftover};

/// How names become segments of keys.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reading<'a> {
    /// What becomes of links.
    pub links: Links,
    /// Whether names are unescaped.
    pub escape: bool,
    /// Bytes of the key above these names; 0 at the root.
    pub above: usize,
    /// Only segments that start so.
    pub starts: &'a str,
}

/// Segments in the order of their keys: those of directories end in `/`, which is where they sort.
#[derive(Debug, Default)]
pub(super) struct Names {
    text: String,
    slots: Vec<Slot>,
    unfinished: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
struct Slot {
    start: u32,
    len: u16,
    kind: FileKind,
}

impl Names {
    /// Reads `directory`, telling `skip` of each name that is no part of a key, and why.
    pub(super) fn read(
        directory: &Dir,
        reading: Reading<'_>,
        skip: &mut dyn FnMut(&OsStr, WhySkipped),
    ) -> io::Result<Self> {
        let mut names = Self::default();
        directory.for_each(&mut |name, kind| {
            let Some(text) = name.to_str() else {
                skip(name, WhySkipped::NotUtf8);
                return Ok(());
            };
            let kind = match kind {
                Some(kind) => Some(kind),
                None => present(directory.facts(text, false))?.map(|facts| facts.kind),
            };
            let Some(kind) = kind else { return Ok(()) };
            match judge(directory, reading.links, text, kind) {
                Ok(Some(kind)) => names.add(reading, name, text, kind, skip),
                Ok(None) => {
                    names.unfinished.extend(leftover(text).map(|_| text.to_owned()));
                    Ok(())
                }
                Err(Stop::Skip(why)) => {
                    skip(name, why);
                    Ok(())
                }
                Err(Stop::Fail(error)) => Err(error),
            }
        })?;
        let Self { text, slots, .. } = &mut names;
        slots.sort_unstable_by(|a, b| a.text(text).cmp(b.text(text)));
        Ok(names)
    }

    fn add(
        &mut self,
        reading: Reading<'_>,
        name: &OsStr,
        text: &str,
        kind: FileKind,
        skip: &mut dyn FnMut(&OsStr, WhySkipped),
    ) -> io::Result<()> {
        let start = self.text.len();
        if reading.escape {
            self.text.push_str(&to_segment(text));
        } else {
            self.text.push_str(text);
        }
        if self.text.len() == start && reading.above == 0 && kind != FileKind::Directory {
            skip(name, WhySkipped::NoKey);
            return Ok(());
        }
        match kind {
            FileKind::Directory => self.text.push('/'),
            FileKind::Link => self.text.push_str(LINK_SUFFIX),
            _ => {}
        }
        let segment = &self.text[start..];
        let len = segment.len();
        let wanted = segment.starts_with(reading.starts);
        if wanted && reading.above + len > Key::MAX_BYTES {
            skip(name, WhySkipped::TooLong);
        }
        if !wanted || reading.above + len > Key::MAX_BYTES {
            self.text.truncate(start);
            return Ok(());
        }
        let full = || io::Error::other("a directory with more than 4 GiB of names");
        let start = u32::try_from(start).map_err(|_| full())?;
        let len = u16::try_from(len).expect("a segment is no longer than a key");
        self.slots.push(Slot { start, len, kind });
        Ok(())
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Files of ours that are not finished.
    pub(super) fn unfinished(&self) -> &[String] {
        &self.unfinished
    }

    /// The segment at `index`, and what it stands for: a file, a directory or a kept link.
    pub(super) fn get(&self, index: usize) -> Option<(&str, FileKind)> {
        self.slots.get(index).map(|slot| (slot.text(&self.text), slot.kind))
    }
}

impl Slot {
    fn text(self, all: &str) -> &str {
        &all[self.start as usize..][..usize::from(self.len)]
    }
}

enum Stop {
    Skip(WhySkipped),
    Fail(io::Error),
}

/// What a listing makes of a name: `None` for what is ours or gone.
fn judge(directory: &Dir, links: Links, name: &str, kind: FileKind) -> Result<Option<FileKind>, Stop> {
    match (kind, links) {
        (FileKind::Directory, _) => Ok(Some(kind)),
        (FileKind::File, _) if name.starts_with('.') && leftover(name).is_some() => Ok(None),
        (FileKind::File, Links::Keep) if name.ends_with(LINK_SUFFIX) => Err(Stop::Skip(WhySkipped::LooksLikeLink)),
        (FileKind::File, _) | (FileKind::Link, Links::Keep) => Ok(Some(kind)),
        (FileKind::Link, Links::Skip) => Err(Stop::Skip(WhySkipped::Link)),
        (FileKind::Link, Links::Follow) => match directory.facts(name, true) {
            Ok(facts) if facts.kind == FileKind::Special => Err(Stop::Skip(WhySkipped::Special)),
            Ok(facts) => Ok(Some(facts.kind)),
            Err(error) if super::system::is_link_in_way(&error) => Err(Stop::Skip(WhySkipped::Loop)),
            Err(error) if is_gone(&error) => Err(Stop::Skip(WhySkipped::Dangling)),
            Err(error) => Err(Stop::Fail(error)),
        },
        (FileKind::Special, _) => Err(Stop::Skip(WhySkipped::Special)),
    }
}

/// Whether what was there a moment ago is there no more.
pub(super) fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// `None` for what vanished in the meantime.
pub(super) fn present<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
