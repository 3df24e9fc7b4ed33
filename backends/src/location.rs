//! `b2:bucket/prefix`, `s3://bucket/prefix`, `./folder`: a place as people write it.

use std::{fmt, path::PathBuf, str::FromStr};

use crate::secret::has_password;

/// A place, parsed but not opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Location {
    /// A path of this machine.
    Local(PathBuf),
    /// A remote of the configuration, and what follows the colon.
    Remote {
        /// The name before the colon.
        name: String,
        /// Bucket, if the remote has none of its own, and prefix.
        path: String,
    },
    /// A family by its scheme, its settings taken from the environment.
    Url {
        /// `s3`, `b2`, `webdav`, `http`, `https`, `memory`, …
        scheme: String,
        /// What follows `scheme://` (or `memory:`).
        path: String,
    },
}

/// Why a text is no place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLocation {
    /// Nothing was written.
    #[error("a place cannot be empty; write '.' for the present directory")]
    Empty,
    /// No name stands before the colon.
    #[error("'{0}' has no name before the colon; write './{0}' for a local file of that name")]
    NoName(String),
    /// A password stands in a URL.
    #[error(
        "a URL with a password in it would be shown, and kept in plans; configure a remote with its url or host, user and \
         password instead"
    )]
    Password,
}

impl FromStr for Location {
    type Err = InvalidLocation;

    /// A name of letters, digits, `_`, `-`, `.` before a colon is a remote, as in rclone; a local name with a
    /// colon is written `./a:b`.
    fn from_str(text: &str) -> Result<Self, InvalidLocation> {
        if text.is_empty() {
            return Err(InvalidLocation::Empty);
        }
        let Some((name, rest)) = text.split_once(':') else { return Ok(Self::Local(text.into())) };
        if name.is_empty() {
            return Err(InvalidLocation::NoName(text.to_owned()));
        }
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
        let is_drive = cfg!(windows) && name.len() == 1;
        if !is_name || is_drive || name.starts_with('.') {
            return Ok(Self::Local(text.into()));
        }
        if let Some(path) = rest.strip_prefix("//") {
            if has_password(path) {
                return Err(InvalidLocation::Password);
            }
            return Ok(Self::Url { scheme: name.to_ascii_lowercase(), path: path.to_owned() });
        }
        if name == "memory" {
            return Ok(Self::Url { scheme: name.to_owned(), path: rest.to_owned() });
        }
        Ok(Self::Remote { name: name.to_owned(), path: rest.to_owned() })
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
            Self::Remote { name, path } => write!(f, "{name}:{path}"),
            Self::Url { scheme, path } if scheme == "memory" => write!(f, "memory:{path}"),
            Self::Url { scheme, path } => write!(f, "{scheme}://{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_every_form() {
        let parse = |text: &str| text.parse::<Location>().unwrap();
        assert_eq!(parse("a/b"), Location::Local("a/b".into()));
        assert_eq!(parse("./a:b"), Location::Local("./a:b".into()));
        assert_eq!(parse("/x/a:b"), Location::Local("/x/a:b".into()));
        assert_eq!(parse("b2:x/y"), Location::Remote { name: "b2".into(), path: "x/y".into() });
        assert_eq!(parse("s3://x/y"), Location::Url { scheme: "s3".into(), path: "x/y".into() });
        assert_eq!(parse("memory:"), Location::Url { scheme: "memory".into(), path: String::new() });
        assert!(":x".parse::<Location>().is_err());
        assert_eq!("ftp://tern:hunter2@h/x".parse::<Location>(), Err(InvalidLocation::Password));
        assert!("http://tern@h/a:b@c".parse::<Location>().is_ok());
        for text in ["a/b", "b2:x/y", "s3://x/y", "memory:t"] {
            assert_eq!(parse(text).to_string(), text);
        }
    }
}
