//! Where what lies in an archive: the keys, and what they say.

use std::{fmt, str::FromStr};

use sterna_backends::{Key, Timestamp};

use super::Content;

/// The object that says that an archive is here.
pub(super) const MARKER: &str = "sterna-archive.json";

/// Before the key of every manifest.
pub(super) const SNAPSHOTS: &str = "snapshots/";

/// Before the key of a manifest that is about to appear.
pub(super) const INCOMING: &str = "incoming/";

/// Before the keys of those at work.
pub(super) const LEASES: &str = "leases/";

/// The role of who adds a snapshot.
pub(super) const CREATE: &str = "create";

/// The role of who deletes contents.
pub(super) const PRUNE: &str = "prune";

/// Before the keys of plain trees of snapshots.
pub(super) const VIEWS: &str = "views/";

/// After the name of every manifest.
const SUFFIX: &str = ".jsonl.zst";

/// How a time stands in a key: no character that a store may dislike, and in order.
const TIME: &str = "%Y%m%dT%H%M%S.%9fZ";

/// Bytes of a time in a key.
const TIME_LEN: usize = 26;

/// Hexadecimal digits of a SHA-256.
const HEX: usize = 64;

/// Which kind of content an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Shape {
    /// A whole file.
    Whole,
    /// A piece of files.
    Piece,
}

impl Shape {
    pub(super) const ALL: [Self; 2] = [Self::Whole, Self::Piece];

    /// Before the keys of all contents of that kind.
    pub(super) const fn prefix(self) -> &'static str {
        match self {
            Self::Whole => "objects/sha256/",
            Self::Piece => "chunks/sha256/",
        }
    }

    /// The key of a content.
    pub(super) fn key(self, content: Content) -> Key {
        let hex = content.to_string();
        known(format!("{}{}/{hex}", self.prefix(), &hex[..2]))
    }

    /// The content a key of [`Shape::prefix`] stands for; `None` for what does not belong there.
    pub(super) fn content(self, key: &Key) -> Option<Content> {
        let (shard, hex) = key.strip_prefix(self.prefix())?.split_once('/')?;
        hex.starts_with(shard).then(|| hex.parse().ok()).flatten().filter(|_| shard.len() == 2)
    }
}

/// A key made of what is known to be short and not empty.
pub(super) fn known(text: String) -> Key {
    Key::new(text).expect("between 1 and 1,024 bytes")
}

/// The name people give a snapshot: 1 to 100 letters, digits and `. _ + -` of ASCII, not beginning with `.` or `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// Why a text is no name of a snapshot.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a snapshot is named with 1 to 100 of A-Z a-z 0-9 . _ + -, the first of them a letter, a digit or _; '{0}' is not, \
     and 'latest' is taken"
)]
pub struct InvalidName(String);

impl Name {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Name {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if begins && text.len() <= 100 && text.bytes().all(allowed) && text != "latest" {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidName(text.to_owned()))
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which snapshot: all of it stands in the key of its manifest.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// When it was begun.
    pub time: Timestamp,
    /// What people call it.
    pub name: Option<Name>,
    /// SHA-256 of its manifest as it lies there.
    pub manifest: Content,
}

impl SnapshotId {
    /// The last part of the key.
    fn file(&self) -> String {
        format!("{self}-{}{SUFFIX}", self.manifest)
    }

    /// Where its manifest lies.
    pub(super) fn key(&self) -> Key {
        known(format!("{SNAPSHOTS}{}", self.file()))
    }

    /// Where its manifest lies before it counts.
    pub(super) fn incoming(&self) -> Key {
        known(format!("{INCOMING}{}", self.file()))
    }

    /// What a key below [`SNAPSHOTS`] or [`INCOMING`] says; `None` for what does not belong there.
    pub(super) fn of(key: &Key) -> Option<Self> {
        let text = key.strip_prefix(SNAPSHOTS).or_else(|| key.strip_prefix(INCOMING))?.strip_suffix(SUFFIX)?;
        let (label, hex) = text.rsplit_once('-').filter(|(_, hex)| hex.len() == HEX)?;
        let (time, name) = label.split_at_checked(TIME_LEN)?;
        let time = jiff::civil::DateTime::strptime(TIME, time).ok()?;
        let time = time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into();
        let name = match name.strip_prefix('-') {
            Some(name) => Some(name.parse().ok()?),
            None if name.is_empty() => None,
            None => return None,
        };
        Some(Self { time, name, manifest: hex.parse().ok()? })
    }

    /// Whether people who write `text` mean this one: its name, its time and name, its time, or the beginning of its
    /// manifest's digest, of at least 8 digits.
    pub(super) fn is_meant_by(&self, text: &str) -> bool {
        let named = self.name.as_ref().is_some_and(|name| name.as_str() == text);
        let digest = text.len() >= 8 && self.manifest.to_string().starts_with(text);
        named || digest || self.to_string() == text || self.stamp() == text
    }

    fn stamp(&self) -> String {
        jiff::Timestamp::from(self.time).strftime(TIME).to_string()
    }
}

/// Its time and its name, as they stand in the key.
impl fmt::Display for SnapshotId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.stamp())?;
        self.name.iter().try_for_each(|name| write!(f, "-{name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_says_which_snapshot_it_is() {
        for name in [None, Some("nightly-2026-11-22"), Some("a-b")] {
            let id = SnapshotId {
                time: Timestamp::from_nanos(1_700_000_000_000_000_007),
                name: name.map(|name| name.parse().unwrap()),
                manifest: Content([0xab; 32]),
            };
            assert_eq!(SnapshotId::of(&id.key()), Some(id.clone()));
            assert_eq!(SnapshotId::of(&id.incoming()), Some(id.clone()));
            assert!(id.is_meant_by(&id.to_string()) && id.is_meant_by("abababab") && !id.is_meant_by("ab"));
            assert!(id.to_string().starts_with("20231114T221320.000000007Z"), "{id}");
        }
        for wrong in ["snapshots/x", "snapshots/.jsonl.zst", "snapshots/20231114T221320.000000007Zx.jsonl.zst"] {
            assert_eq!(SnapshotId::of(&Key::new(wrong).unwrap()), None);
        }
    }

    #[test]
    fn a_key_says_which_content_it_is() {
        let content = Content([7; 32]);
        for shape in Shape::ALL {
            assert_eq!(shape.content(&shape.key(content)), Some(content));
        }
        let elsewhere = known(format!("objects/sha256/08/{content}"));
        assert_eq!(Shape::Whole.content(&elsewhere), None);
        assert_eq!(Shape::Piece.content(&Shape::Whole.key(content)), None);
    }

    #[test]
    fn names_are_plain() {
        for right in ["a", "2026-11-22", "r1~".trim_end_matches('~'), "_x+y.z"] {
            assert!(right.parse::<Name>().is_ok(), "{right}");
        }
        for wrong in ["", "a b", "a/b", "-x", ".x", "latest", "é", &"x".repeat(101)] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }
}
