//! What a CID says of the bytes it names.

use data_encoding::BASE32_NOPAD;

use crate::entry::Digest;

/// Version 1, raw bytes, SHA-256 of 32 bytes (<https://github.com/multiformats/cid>).
const RAW_SHA256: [u8; 4] = [0x01, 0x55, 0x12, 0x20];

/// The SHA-256 of the content, where the content is one block without anything around it. Of larger contents, and of those
/// that carry a time, a CID is the digest of a tree, which tells nothing of the bytes.
pub(super) fn sha256(cid: &str) -> Option<Digest> {
    // The first letter names the base: Kubo writes in base 32, js-ipfs in base 58.
    let bytes = match cid.split_at_checked(1)? {
        ("b", rest) => BASE32_NOPAD.decode(rest.to_ascii_uppercase().as_bytes()).ok()?,
        ("z", rest) => bs58::decode(rest).into_vec().ok()?,
        _ => return None,
    };
    let digest = bytes.strip_prefix(&RAW_SHA256)?;
    Some(Digest::Sha256(digest.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{digest::of, entry::Algorithm};

    /// The CIDs are those that js-ipfs 0.18.1 gave to `hello` and a line feed.
    #[test]
    fn of_one_block_it_is_the_digest() {
        for hello in [
            "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am",
            "zb2rhcc1wJn2GHDLT2YkmPq5b69cXc2xfRZZmyufbjFUfBkxr",
        ] {
            assert_eq!(sha256(hello), of(Algorithm::Sha256, b"hello\n"));
        }
        let others = [
            "bafybeicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6am",
            "QmNMcbtpe1MHjwqQWHRxg4o7QzbpMP9LuW5v7fWWuvabp5",
            "zdj7WjNg2SzrqjkDLTmDF81qmAKq5RtMqM2v4z6mzMjddVLrs",
            "bafkreicysg23kiwv34eg2d7qweipxwosdo2py4ldv42nbauguluen5v6",
            "z0",
            "\u{fc}",
            "b",
            "",
        ];
        for other in others {
            assert_eq!(sha256(other), None, "{other}");
        }
    }
}
