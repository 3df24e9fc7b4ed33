//! A text that never shows itself.

use std::{borrow::Cow, fmt};

use zeroize::Zeroizing;

/// A secret: prints `***`, serialises as `***`, is wiped when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps `text`.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text itself, for the one place that sends it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl serde::Serialize for Secret {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

/// `[scheme://][user[:password]@]host…`, with `***` in place of a password.
#[must_use]
pub fn without_password(address: &str) -> Cow<'_, str> {
    let scheme = address.split_once("://").map(|(scheme, _)| scheme).filter(|scheme| !scheme.contains('/'));
    let begin = scheme.map_or(0, |scheme| scheme.len() + "://".len());
    let authority = &address[begin..];
    let authority = &authority[..authority.find(['/', '?', '#']).unwrap_or(authority.len())];
    match authority.rsplit_once('@').and_then(|(login, host)| Some((login.split_once(':')?.0, host))) {
        Some((user, host)) => {
            let rest = &address[begin + authority.len()..];
            Cow::Owned(format!("{}{user}:***@{host}{rest}", &address[..begin]))
        }
        None => Cow::Borrowed(address),
    }
}

/// Whether there is a password in an address, which would be shown with it.
#[must_use]
pub fn has_password(address: &str) -> bool {
    matches!(without_password(address), Cow::Owned(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_an_address_is_found() {
        for (address, shown) in [
            ("http://tern:hunter2@h/a:b@c", "http://tern:***@h/a:b@c"),
            ("http://tern:hunter2@[::1", "http://tern:***@[::1"),
            ("http://tern:hun@ter2@h?x", "http://tern:***@h?x"),
            ("tern:hunter2@h:21", "tern:***@h:21"),
            ("ssh://:hunter2@h", "ssh://:***@h"),
        ] {
            assert_eq!(without_password(address), shown);
            assert!(has_password(address));
        }
        for address in
            ["http://h/tern:hunter2@x", "tern@h:21", "http://tern@h:80/", "h/http://a:b@c", "h", "", "http://h?a:b@c"]
        {
            assert!(!has_password(address), "{address}");
        }
    }
}
