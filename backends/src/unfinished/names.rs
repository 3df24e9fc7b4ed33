//! Names of files that are not finished: `.<name>.sterna-XXXXXXXX.part` beside the target, and with `.done`
//! after it the ledger of an upload in parts to a local disk, which a server may show; on WebDAV they end in `.new`. Listings
//! leave all of them out.

/// The most bytes a name may have, as on nearly every disk, a server's included.
const MAX_NAME: usize = 255;

const MARK: &str = ".sterna-";
const PART: &str = ".part";
/// Nextcloud and ownCloud refuse names that end in `.part` or `.filepart`: these are their own
/// (`forbidden_filename_extensions` of
/// <https://docs.nextcloud.com/server/latest/admin_manual/configuration_server/config_sample_php_parameters.html>).
const NEW: &str = ".new";
const DONE: &str = ".done";
const RANDOM: usize = 8;

/// What the name of a file of ours says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leftover<'a> {
    /// Content on its way to `target`, whose end is cut off where it was long.
    Content {
        /// The name it was to get.
        target: &'a str,
    },
    /// The ledger of the content file of that name.
    Ledger {
        /// The content file's name.
        content: &'a str,
    },
}

/// A fresh name for content on its way to a file of the name `target`, at most 255 bytes with its ledger's ending. No
/// listing tells of a file of such a name.
pub fn content_name(target: &str) -> String {
    name(target, PART)
}

/// The same for a server that refuses the usual ending.
#[cfg(feature = "webdav")]
pub(crate) fn new_name(target: &str) -> String {
    name(target, NEW)
}

fn name(target: &str, ending: &str) -> String {
    let room = MAX_NAME - 1 - MARK.len() - RANDOM - PART.len() - DONE.len();
    let mut end = target.len().min(room);
    while !target.is_char_boundary(end) {
        end -= 1;
    }
    let mut name = format!(".{}{MARK}", &target[..end]);
    name.extend(std::iter::repeat_with(fastrand::alphanumeric).take(RANDOM));
    name.push_str(ending);
    name
}

/// The ledger's name for a content file.
pub(crate) fn ledger_name(content: &str) -> String {
    format!("{content}{DONE}")
}

/// What `name` says, if it is one of ours.
pub(crate) fn leftover(name: &str) -> Option<Leftover<'_>> {
    if let Some(content) = name.strip_suffix(DONE) {
        return matches!(leftover(content), Some(Leftover::Content { .. })).then_some(Leftover::Ledger { content });
    }
    let (rest, random) =
        name.strip_suffix(PART).or_else(|| name.strip_suffix(NEW))?.strip_prefix('.')?.rsplit_once(MARK)?;
    let ours = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
    ours.then_some(Leftover::Content { target: rest })
}

/// Whether a segment of `path` is a name of ours.
#[cfg(any(feature = "webdav", feature = "ftp", feature = "sftp", feature = "ipfs"))]
pub(crate) fn is_unfinished(path: &str) -> bool {
    path.split('/').any(|segment| leftover(segment).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_and_fit() {
        for target in ["a", "a.sterna-x", &"é".repeat(127), &"x".repeat(255)] {
            let content = content_name(target);
            assert!(ledger_name(&content).len() <= MAX_NAME);
            let Some(Leftover::Content { target: told }) = leftover(&content) else { panic!("{content}") };
            assert!(target.starts_with(told));
            assert_eq!(leftover(&ledger_name(&content)), Some(Leftover::Ledger { content: &content }));
        }
        #[cfg(feature = "webdav")]
        assert_eq!(leftover(&new_name("a")), Some(Leftover::Content { target: "a" }));
        for other in ["a.part", ".a.sterna-1234567.part", "x.a.sterna-12345678.part", ".a.sterna-12345678.part.don"] {
            assert_eq!(leftover(other), None, "{other}");
        }
    }
}
