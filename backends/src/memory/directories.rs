//! Directories that exist by themselves, where the behaviour has them.

use super::state::State;

impl State {
    /// The directories above `key` come into being with it.
    pub(super) fn add_parents(&mut self, key: &str) {
        for (at, _) in key.match_indices('/') {
            self.directories.insert(key[..=at].to_owned());
        }
    }

    /// Makes `path` and what is above it.
    pub(super) fn add_directory(&mut self, path: &str) {
        self.add_parents(&as_directory(path));
    }

    /// Whether nothing lies in `path`; the empty path is the root.
    pub(super) fn is_empty(&self, path: &str) -> bool {
        let below = if path.is_empty() { String::new() } else { as_directory(path) };
        let objects = self.objects.range(below.clone()..).next().is_some_and(|(key, _)| key.starts_with(&below));
        let directories = self
            .directories
            .range(below.clone()..)
            .find(|directory| **directory != below)
            .is_some_and(|directory| directory.starts_with(&below));
        !objects && !directories
    }

    pub(super) fn remove_directory(&mut self, path: &str) {
        self.directories.remove(&as_directory(path));
    }
}

/// `path` with exactly one `/` at its end.
pub(super) fn as_directory(path: &str) -> String {
    format!("{}/", path.trim_end_matches('/'))
}
