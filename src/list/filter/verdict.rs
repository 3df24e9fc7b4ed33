//! What a filter says of an object and of a directory.

use sterna_backends::{Entry, Key, Kind, Timestamp};

use super::rules::Rules;

/// Which objects a run is about. The default admits everything.
///
/// For every directory that [`Filter::enters`] turns down, [`Filter::admits`] turns down every key below it.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    pub(super) keys: Rules,
    pub(super) directories: Rules,
    pub(super) directories_decide: bool,
    pub(super) files: Option<Vec<Key>>,
    pub(super) prefix: String,
    pub(super) bounds: Bounds,
}

/// What is not about names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) min_size: Option<u64>,
    pub(super) max_size: Option<u64>,
    pub(super) modified_after: Option<Timestamp>,
    pub(super) modified_before: Option<Timestamp>,
    pub(super) max_depth: Option<usize>,
}

impl Bounds {
    /// Whether more than the key is looked at.
    pub(super) fn judges_contents(&self) -> bool {
        Self { max_depth: None, ..*self } != Self::default()
    }

    /// An unknown size is smaller than any, and an unknown time is just now, as in rclone.
    fn admit(&self, entry: &Entry) -> bool {
        let size_fits = self.min_size.is_none_or(|min| entry.size.is_some_and(|size| size >= min))
            && self.max_size.is_none_or(|max| entry.size.is_none_or(|size| size <= max));
        let time = entry.modified.or(entry.stored);
        size_fits
            && self.modified_after.is_none_or(|after| time.is_none_or(|time| time >= after))
            && self.modified_before.is_none_or(|before| time.is_some_and(|time| time <= before))
    }

    fn admit_slashes(&self, path: &str) -> bool {
        self.max_depth.is_none_or(|most| path.bytes().filter(|byte| *byte == b'/').count() < most)
    }
}

impl Filter {
    /// Whether the object is in: by its key, its size, and the time of its content (where the listing tells none, the
    /// time when it was stored).
    ///
    /// A [`Kind::Directory`] is in when it is entered; sizes and times are not asked of it.
    #[must_use]
    pub fn admits(&self, entry: &Entry) -> bool {
        if entry.kind == Kind::Directory {
            return self.enters(&entry.key);
        }
        self.bounds.admit(entry) && self.admits_key(&entry.key)
    }

    /// Whether an object of that name is in, as far as its name tells.
    #[must_use]
    pub fn admits_key(&self, key: &str) -> bool {
        if !self.bounds.admit_slashes(key) {
            return false;
        }
        if let Some(files) = &self.files
            && files.binary_search_by(|file| file.as_str().cmp(key)).is_err()
        {
            return false;
        }
        self.keys.admit(key)
            && (!self.directories_decide || key.match_indices('/').all(|(at, _)| self.directories.admit(&key[..=at])))
    }

    /// Whether a listing has to look below `directory`, a text that ends in `/` (empty: the root, always entered).
    ///
    /// It is asked on the way down: what lies below a directory that was turned down is not asked again.
    #[must_use]
    pub fn enters(&self, directory: &str) -> bool {
        if directory.is_empty() {
            return true;
        }
        if !self.bounds.admit_slashes(directory) {
            return false;
        }
        if let Some(files) = &self.files {
            let at = files.partition_point(|file| file.as_str() < directory);
            if files.get(at).is_none_or(|file| !file.starts_with(directory)) {
                return false;
            }
        }
        self.directories.admit(directory)
    }

    /// The same, of the object of that name only: what it rules out is still out.
    #[must_use]
    pub fn narrowed(self, key: &Key) -> Self {
        let listed = self.files.as_ref().is_none_or(|files| files.binary_search(key).is_ok());
        let files = Some(if listed { vec![key.clone()] } else { Vec::new() });
        Self { files, prefix: key.to_string(), ..self }
    }

    /// Whether nothing is left out, so that nobody need ask.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.files.is_none() && self.keys.is_empty() && self.directories.is_empty() && self.bounds == Bounds::default()
    }

    /// A text that every admitted key starts with, so that a listing can begin there. It may end within a segment
    /// (`packages/x86`); empty where nothing is known.
    #[must_use]
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The keys of a list of files, in byte order, each once: then no other key is in, and asking for each may be
    /// cheaper than listing.
    #[must_use]
    pub fn files(&self) -> Option<&[Key]> {
        self.files.as_deref()
    }
}
