//! rclone's "obscured" passwords: AES-256 in counter mode under a key that is published in its source
//! (`fs/config/obscure`), the first block being the counter, in URL-safe base64 without padding. It hides a
//! password from a glance and from nobody else.

use aes::{
    Aes256,
    cipher::{KeyIvInit, StreamCipher},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use ctr::Ctr128BE;
use sterna_backends::secret::Secret;

/// The same in every rclone there is.
const KEY: [u8; 32] = [
    0x9c, 0x93, 0x5b, 0x48, 0x73, 0x0a, 0x55, 0x4d, 0x6b, 0xfd, 0x7c, 0x63, 0xc8, 0x86, 0xa9, 0x2b, 0xd3, 0x90, 0x19,
    0x8e, 0xb8, 0x12, 0x8a, 0xfb, 0xf4, 0xde, 0x16, 0x2b, 0x8b, 0x95, 0xf6, 0x38,
];

/// The password behind `text`; `None` where it is no obscured password.
#[must_use]
pub fn reveal(text: &str) -> Option<Secret> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let (counter, hidden) = bytes.split_first_chunk::<16>()?;
    let mut plain = hidden.to_vec();
    Ctr128BE::<Aes256>::new(&KEY.into(), counter.into()).apply_keystream(&mut plain);
    String::from_utf8(plain).ok().map(Secret::new)
}

#[cfg(test)]
mod tests {
    use super::reveal;

    #[test]
    fn reveals_what_rclone_obscured() {
        // `rclone obscure 'pot;ato'`, twice, and of an empty text: rclone 1.75.2.
        for text in ["j_f_t9q3p12oyl0GMM0JoEsy7JwAlTQ", "EPSJK4F1zOzJUkejBq59-ptM8kY_7Ug"] {
            assert_eq!(reveal(text).unwrap().reveal(), "pot;ato");
        }
        assert_eq!(reveal("o8_gICSmxnY_XD4Zs1P4lA").unwrap().reveal(), "");
    }

    #[test]
    fn refuses_what_it_did_not() {
        for text in ["", "short", "not base64!", "+/+/+/+/+/+/+/+/+/+/+/+/"] {
            assert!(reveal(text).is_none(), "{text}");
        }
    }
}
