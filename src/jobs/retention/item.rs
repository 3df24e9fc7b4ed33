//! Which item of which group an object is part of.

use sterna_backends::Key;

use super::rules::{ORDERED, Retention};

/// Items that are counted together: what stands before the match, and every named capture but the ordered one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Group {
    before: String,
    names: Vec<String>,
}

/// Endings of objects that are nothing without the one whose name they add to.
const BESIDE: [&str; 14] = [
    ".sha256",
    ".sha512",
    ".sha1",
    ".md5",
    ".minisig",
    ".sig",
    ".asc",
    ".torrent",
    ".meta4",
    ".metalink",
    ".zsync",
    ".magnet",
    ".car",
    ".ed2k",
];

impl Retention {
    /// The group and the revision; `None`: retention does not speak of this object.
    pub(super) fn item_of(&self, key: &Key) -> Option<(Group, String)> {
        let image = image(key.as_str());
        let found = self.pattern.captures(image)?;
        let revision = found.name(ORDERED)?.as_str().to_owned();
        let others = self.pattern.capture_names().flatten().filter(|name| *name != ORDERED);
        let names = others.map(|name| found.name(name).map_or("", |text| text.as_str()).to_owned()).collect();
        let before = image[..found.get_match().start()].to_owned();
        Some((Group { before, names }, revision))
    }
}

/// The object that `name` stands beside, or itself.
fn image(mut name: &str) -> &str {
    while let Some(shorter) = BESIDE.iter().find_map(|ending| name.strip_suffix(ending)) {
        name = shorter;
    }
    name
}

/// `x86_64/…: x86_64`: for people.
impl std::fmt::Display for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names = self.names.iter().filter(|name| !name.is_empty()).map(String::as_str);
        let parts: Vec<&str> =
            Some(self.before.as_str()).filter(|text| !text.is_empty()).into_iter().chain(names).collect();
        f.write_str(if parts.is_empty() { "all" } else { "" })?;
        f.write_str(&parts.join(" "))
    }
}
