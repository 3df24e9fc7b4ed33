//! What is under a folder of this machine, whatever it is called: a folder may be mounted at several paths.

use std::path::{Path, PathBuf};

use sterna::backends::Whereabouts;

use crate::places::Place;

/// What is under a folder of this machine.
pub struct Ground {
    /// The folders above it that are there, itself if it is, from the nearest on: which folder, and the way from there.
    above: Vec<(FileId, PathBuf)>,
    /// Its file system, and its path inside; `None` where that is not told.
    inside: Option<(String, PathBuf)>,
}

/// Device and inode.
type FileId = (u64, u64);

impl Ground {
    /// `None` where the place is not on this machine.
    pub fn of(place: &Place) -> Option<Self> {
        let Whereabouts { place, base, .. } = place.store.whereabouts()?;
        let path = Path::new(&base);
        let there = |above: &Path| Some((file_id(above)?, path.strip_prefix(above).ok()?.to_owned()));
        (place == "local").then(|| Self {
            above: path.ancestors().filter_map(there).collect(),
            // What system does not tell it here is none whose folders are mounted elsewhere one by one.
            inside: std::fs::read_to_string("/proc/self/mountinfo").ok().and_then(|mounts| inside(&mounts, path)),
        })
    }

    /// Whether `other` is the same folder, or lies inside.
    pub fn holds(&self, other: &Self) -> bool {
        let by_folder = self.above.first().is_some_and(|(folder, way)| {
            other.above.iter().any(|(above, rest)| above == folder && rest.starts_with(way))
        });
        let by_path = self.inside.as_ref().zip(other.inside.as_ref());
        by_folder
            || by_path.is_some_and(|((device, path), (other, inside))| device == other && inside.starts_with(path))
    }
}

/// On which device a path without links lies, and where there, by what Linux tells of its mounts (`proc_pid_mountinfo(5)`).
fn inside(mounts: &str, path: &Path) -> Option<(String, PathBuf)> {
    let mount = |line: &str| {
        let mut fields = line.split(' ').skip(2);
        let (device, root, at) = (fields.next()?, fields.next()?, fields.next()?);
        let (root, at) = (plain(root), plain(at));
        let rest = path.strip_prefix(&at).ok()?;
        Some((at.len(), (device.to_owned(), Path::new(&root).join(rest))))
    };
    // Of several at one path the last one is seen.
    mounts.lines().filter_map(mount).max_by_key(|(len, _)| *len).map(|(_, inside)| inside)
}

/// A path as it is: spaces, tabs, line feeds and backslashes are told in octal digits.
fn plain(told: &str) -> String {
    let escapes = [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")];
    escapes.iter().fold(told.to_owned(), |text, (escape, meant)| text.replace(escape, meant))
}

#[cfg(unix)]
fn file_id(path: &Path) -> Option<FileId> {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|metadata| (metadata.dev(), metadata.ino()))
}

/// Elsewhere no folder is mounted twice under paths that are canonical.
#[cfg(not(unix))]
fn file_id(_path: &Path) -> Option<FileId> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_found_on_its_device() {
        let mounts = "21 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
                      22 21 8:1 /srv/a\\040b /mnt rw - ext4 /dev/sda1 rw\n\
                      23 21 8:2 / /srv/other rw - ext4 /dev/sdb1 rw\n\
                      24 21 8:3 / /mnt rw - ext4 /dev/sdc1 rw\n";
        let lies = |mounts: &str, path: &str| {
            let (device, inside) = inside(mounts, Path::new(path)).unwrap();
            format!("{device} {}", inside.display())
        };
        assert_eq!(lies(mounts, "/srv/a b/c"), "8:1 /srv/a b/c");
        assert_eq!(lies(mounts, "/srv/other/x"), "8:2 /x");
        assert_eq!(lies(mounts, "/mnt/c"), "8:3 /c", "mounted over");
        let under = mounts.rsplit_once("24 ").unwrap().0;
        assert_eq!(lies(under, "/mnt/c"), "8:1 /srv/a b/c");
        assert_eq!(lies(under, "/mnt2/c"), "8:1 /mnt2/c");
    }
}
