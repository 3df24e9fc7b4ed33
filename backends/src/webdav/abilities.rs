//! What the server does, tried where nobody says and something may be written: an object that nobody sees is put, looked
//! at and removed.

use http::StatusCode;

use super::{
    place::Place,
    properties::{look_if_there, touch},
    vendor::{Times, Vendor},
};
use crate::{
    entry::{Algorithm, Digest, Timestamp},
    error::{Operation, Result},
    unfinished::new_name,
    web::body::collect,
};

/// What the server does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Abilities {
    /// It keeps the time that is sent along.
    pub times: bool,
    /// That time can be set later, too.
    pub touch: bool,
    /// It tells checksums.
    pub checksums: bool,
}

/// What trying a server came to.
pub(super) enum Tried {
    /// That is what it does.
    Found(Abilities),
    /// Nothing can be put there, or nothing yet: that is what it is taken to do.
    Closed(Abilities),
}

/// The time the tried object has: no server's clock shows it.
const THEN: Timestamp = Timestamp::from_parts(1_000_000_000, 0);
const LATER: Timestamp = Timestamp::from_parts(1_100_000_000, 0);
const TRIED: &[u8] = b"sterna tries what this server keeps";

impl Abilities {
    /// Of a server that nobody knows and that was not tried.
    pub const ASSUMED: Self = Self { times: true, touch: true, checksums: false };

    /// What is known without asking.
    pub fn of(vendor: &Vendor, times: Times) -> Option<Self> {
        match times {
            Times::Kept => Some(Self { times: true, touch: true, checksums: vendor.checksums }),
            Times::Ignored => Some(Self { checksums: vendor.checksums, ..Self::default() }),
            Times::Unknown => None,
        }
    }

    /// As it is noted: a word for each that holds.
    pub fn words(self) -> String {
        let Self { times, touch, checksums } = self;
        let words = [("times", times), ("touch", touch), ("checksums", checksums)];
        let held: Vec<_> = words.into_iter().filter(|(_, holds)| *holds).map(|(word, _)| word).collect();
        held.join(" ")
    }

    /// What was noted; `None` for words of somebody else.
    pub fn of_words(words: &str) -> Option<Self> {
        let mut noted = Self::default();
        for word in words.split_whitespace() {
            match word {
                "times" => noted.times = true,
                "touch" => noted.touch = true,
                "checksums" => noted.checksums = true,
                _ => return None,
            }
        }
        Some(noted)
    }

    /// Tries the server. Where nothing can be written, times are taken as they come: such a place is only read from.
    ///
    /// # Errors
    /// What stopped a call.
    pub async fn tried(place: &Place) -> Result<Tried> {
        let name = new_name("times");
        let mut call = place.call(Operation::Open, "PUT", &name);
        call.header("x-oc-mtime", &THEN.seconds().to_string());
        if let Some(sha1) = crate::digest::of(Algorithm::Sha1, TRIED) {
            call.header("oc-checksum", &oc_checksum(&sha1));
        }
        let answer = place.site.send_body(call, TRIED.into()).await?;
        let status = answer.status();
        drop(collect(answer.into_body(), 64 * 1024).await);
        match status {
            status if status.is_success() => {}
            StatusCode::NOT_FOUND | StatusCode::CONFLICT => return Ok(Tried::Closed(Self::default())),
            _ => return Ok(Tried::Closed(Self { times: true, ..Self::default() })),
        }
        let found = look_if_there(place, Operation::Open, &name).await?.unwrap_or_default();
        let times = found.modified.is_some_and(|found| found.seconds() == THEN.seconds());
        let checksums = !found.digests.is_empty();
        let touch = times && touch(place, Operation::Open, &name, LATER).await.unwrap_or(false);
        // What stays behind is hidden from listings.
        let _best_effort = place.send(place.call(Operation::Open, "DELETE", &name)).await;
        Ok(Tried::Found(Self { times, touch, checksums }))
    }
}

/// As ownCloud reads it.
pub(super) fn oc_checksum(digest: &Digest) -> String {
    format!("{}:{}", digest.algorithm().name().to_ascii_uppercase(), digest.hex())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_noted_is_read_again(times: bool, touch: bool, checksums: bool) {
            let abilities = Abilities { times, touch, checksums };
            prop_assert_eq!(Abilities::of_words(&abilities.words()), Some(abilities));
        }
    }

    #[test]
    fn words_of_somebody_else_say_nothing() {
        assert_eq!(Abilities::of_words("times moons"), None);
    }
}
