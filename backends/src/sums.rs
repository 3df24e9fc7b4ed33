//! Lines of sums files: what `sha256sum`, its relatives, BSD's `sha256`, `openssl dgst` and `rclone hashsum` write.

use crate::entry::{Algorithm, Digest};

/// What one line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// The digest of what has that name.
    Sum(String, Digest),
    /// A name whose digest the writer did not know: rclone leaves room for it, or says why in capitals.
    Unknown(String),
    /// Nothing: it is blank or a comment.
    Nothing,
    /// Something else.
    Other,
}

/// Reads one line, without its end.
///
/// The form is coreutils' `HEX  NAME` or `HEX *NAME`, where the length tells the algorithm, or `SHA256 (NAME) = HEX`. A
/// name with a line feed, carriage return or backslash is escaped by coreutils, which says so by a backslash before all
/// (<https://www.gnu.org/software/coreutils/manual/html_node/md5sum-invocation.html>).
#[must_use]
pub fn line(line: &str) -> Line {
    if line.trim().is_empty() || line.starts_with('#') {
        return Line::Nothing;
    }
    let (escaped, rest) = line.strip_prefix('\\').map_or((false, line), |rest| (true, rest));
    let name = |name: &str| if escaped { unescaped(name) } else { name.to_owned() };
    if let Some((hex, after)) = rest.split_once(' ')
        && let Some(digest) = by_length(hex)
    {
        return Line::Sum(name(after.strip_prefix([' ', '*']).unwrap_or(after)), digest);
    }
    tagged(rest).map_or_else(|| unknown(line), |(inside, digest)| Line::Sum(name(inside), digest))
}

/// `SHA256 (NAME) = HEX`, or OpenSSL's `SHA2-256(NAME)= HEX`.
fn tagged(line: &str) -> Option<(&str, Digest)> {
    let (head, hex) = line.rsplit_once(") = ").or_else(|| line.rsplit_once(")= "))?;
    let (tag, name) = head.split_once('(')?;
    let algorithm = match tag.trim_end() {
        "MD5" => Algorithm::Md5,
        "SHA1" => Algorithm::Sha1,
        "SHA256" | "SHA2-256" => Algorithm::Sha256,
        _ => return None,
    };
    Some((name, Digest::from_hex(algorithm, hex.trim_end())?))
}

/// rclone writes blanks as wide as the digest, `UNSUPPORTED` or `ERROR` instead of one it does not know.
fn unknown(line: &str) -> Line {
    let width = line.len() - line.trim_start_matches(' ').len();
    let blank = [64, 40, 32].into_iter().find(|wide| width >= wide + 2).and_then(|wide| line.get(wide + 2..));
    let said = ["UNSUPPORTED", "ERROR"].into_iter().find_map(|word| line.trim_start().strip_prefix(word));
    match blank.or_else(|| said.and_then(|name| name.strip_prefix("  "))) {
        Some(name) if !name.is_empty() => Line::Unknown(name.to_owned()),
        _ => Line::Other,
    }
}

fn by_length(hex: &str) -> Option<Digest> {
    let algorithm = match hex.len() {
        32 => Algorithm::Md5,
        40 => Algorithm::Sha1,
        64 => Algorithm::Sha256,
        _ => return None,
    };
    Digest::from_hex(algorithm, hex)
}

fn unescaped(name: &str) -> String {
    let mut plain = String::with_capacity(name.len());
    let mut letters = name.chars();
    while let Some(letter) = letters.next() {
        plain.push(match letter {
            '\\' => match letters.next() {
                Some('n') => '\n',
                Some('r') => '\r',
                Some(other) => other,
                None => '\\',
            },
            letter => letter,
        });
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHA256: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";
    const SHA1: &str = "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3";
    const MD5: &str = "098f6bcd4621d373cade4e832627b4f6";

    fn sum(text: &str) -> (String, Algorithm) {
        match line(text) {
            Line::Sum(name, digest) => (name, digest.algorithm()),
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn every_form_is_read() {
        for (text, name, algorithm) in [
            (format!("{SHA256}  a b%41"), "a b%41", Algorithm::Sha256),
            (format!("{MD5} *d/binary"), "d/binary", Algorithm::Md5),
            (format!("{SHA1}   lead"), " lead", Algorithm::Sha1),
            (format!("{SHA1}  * star"), "* star", Algorithm::Sha1),
            (format!("\\{SHA256}  back\\\\slash\\nline\\r"), "back\\slash\nline\r", Algorithm::Sha256),
            (format!("SHA256 (bsd (1)) = {SHA256}"), "bsd (1)", Algorithm::Sha256),
            (format!("\\MD5 (a\\nb) = {MD5}"), "a\nb", Algorithm::Md5),
            (format!("SHA1(open ssl)= {SHA1}"), "open ssl", Algorithm::Sha1),
            (format!("SHA2-256(x)= {SHA256}"), "x", Algorithm::Sha256),
        ] {
            assert_eq!(sum(&text), (name.to_owned(), algorithm), "{text}");
        }
    }

    #[test]
    fn what_is_no_sum_is_told_apart() {
        for nothing in ["", "  ", "# a comment"] {
            assert_eq!(line(nothing), Line::Nothing, "{nothing:?}");
        }
        for wide in [32, 40, 64] {
            assert_eq!(line(&format!("{}  a b", " ".repeat(wide))), Line::Unknown("a b".to_owned()));
        }
        assert_eq!(line("                UNSUPPORTED  a/b"), Line::Unknown("a/b".to_owned()));
        for other in ["a name", "abc  short", "SHA512 (x) = 00", &format!("{}g  x", &MD5[1..]), "-----BEGIN PGP"] {
            assert_eq!(line(other), Line::Other, "{other}");
        }
    }
}
