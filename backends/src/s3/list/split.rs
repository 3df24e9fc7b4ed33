//! Where a range of keys can be cut.

/// Characters that keys are mostly made of, in their order. Only they are cut at where both ends are ASCII:
/// elsewhere there is seldom anything to find.
const COMMON: &str = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz~";

/// Places of a key that are looked at; behind them keys are mostly told apart already.
const PLACES: usize = 64;

/// Digits, capitals and small letters: where one was seen, the others of its kind may follow, since keys are seen in
/// their order.
const KINDS: [u128; 3] = [0x3ff << 48, 0x3ff_ffff << 65, 0x3ff_ffff << 97];

/// Which ASCII characters keys were seen to have, place by place. A guess by them finds something more often.
#[derive(Debug, Default)]
pub(super) struct Alphabet(Vec<u128>);

impl Alphabet {
    /// `key` is one of the keys.
    pub fn learn(&mut self, key: &str) {
        for (place, character) in key.chars().take(PLACES).enumerate() {
            if self.0.len() <= place {
                self.0.push(0);
            }
            if character.is_ascii() {
                self.0[place] |= 1 << u32::from(character);
            }
        }
    }

    /// The characters to guess from, in their order.
    fn at(&self, place: usize) -> Vec<char> {
        match self.0.get(place) {
            None | Some(0) => COMMON.chars().collect(),
            Some(seen) => {
                let kinds = KINDS.iter().filter(|kind| *seen & **kind != 0).fold(*seen, |all, kind| all | kind);
                (0..128_u8).filter(|code| kinds >> code & 1 == 1).map(char::from).collect()
            }
        }
    }
}

/// A text after `low` and before `high` (`None`: no end), somewhere in the middle as far as a guess goes; `None` where
/// the guess finds none. It starts with what both have in common.
pub(super) fn between(low: &str, high: Option<&str>, alphabet: &Alphabet) -> Option<String> {
    let mut middle = String::with_capacity(low.len() + 4);
    let mut low = low.chars();
    let mut high = high.map(str::chars);
    loop {
        let above = match &mut high {
            None => None,
            // `high` ends where `low` goes on, or both end: nothing lies between.
            Some(high) => Some(high.next()?),
        };
        let below = low.next();
        if below == above && below.is_some() {
            middle.extend(below);
            continue;
        }
        if let Some(character) = inside(below, above, &alphabet.at(middle.chars().count())) {
            middle.push(character);
            return Some(middle);
        }
        match below {
            // Neighbours: only what follows `low` is left.
            Some(below) if above.is_none_or(|above| below < above) => {
                middle.push(below);
                high = None;
            }
            Some(_) => return None,
            // `low` has ended: what follows it, up to the rest of `high`.
            None => middle.extend(above),
        }
    }
}

/// A character between two, ends excluded; no control characters, which not every server takes.
fn inside(below: Option<char>, above: Option<char>, alphabet: &[char]) -> Option<char> {
    let fits =
        |character: &char| below.is_none_or(|below| below < *character) && above.is_none_or(|above| *character < above);
    let common: Vec<char> = alphabet.iter().copied().filter(|character| *character >= ' ').filter(fits).collect();
    if let Some(character) = common.get(common.len() / 2) {
        return Some(*character);
    }
    // Characters beyond ASCII are not kept count of; where both ends are within, there is seldom anything else.
    if above.is_some_and(|above| above.is_ascii()) {
        return None;
    }
    let first = below.map_or(u32::from(' '), |below| u32::from(below) + 1).max(u32::from(' '));
    let end = above.map_or(u32::from(char::MAX), u32::from);
    let middle = first.checked_add(end)? / 2;
    // The gap of the surrogates holds no characters.
    [middle, 0xd7ff, 0xe000].into_iter().filter_map(char::from_u32).find(fits)
}

/// The end of everything that starts with `prefix`, as a text that comes after all of it that is in use:
/// U+10FFFF is no character.
pub(super) fn end_of(prefix: &str) -> String {
    format!("{prefix}{}", char::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn between(low: &str, high: Option<&str>) -> Option<String> {
        super::between(low, high, &Alphabet::default())
    }

    #[test]
    fn cuts_look_reasonable() {
        assert_eq!(between("flat/file-0019", Some("flat/file-\u{10ffff}")).as_deref(), Some("flat/file-W"));
        assert_eq!(between("flat/file-0019", Some("flat/file-9")).as_deref(), Some("flat/file-5"));
        assert_eq!(between("a-19", Some("a-2")).as_deref(), Some("a-1a"));
        assert_eq!(between("", Some("b")).as_deref(), Some("I"));
        assert_eq!(between("x", Some("x")), None);
        assert_eq!(between("xy", Some("x")), None);
        assert!(between("日", Some("旧")).is_some_and(|cut| "日" < cut.as_str() && cut.as_str() < "旧"));
    }

    #[test]
    fn cuts_fall_among_the_characters_that_were_seen() {
        let mut seen = Alphabet::default();
        for key in ["x-0019", "x-0920", "x-7a00", "ü"] {
            seen.learn(key);
        }
        // Digits only, in the third place; digits and small letters in the fourth.
        assert_eq!(super::between("x-0019", Some("x-\u{10ffff}"), &seen).as_deref(), Some("x-5"));
        assert_eq!(super::between("x-0019", Some("x-1"), &seen).as_deref(), Some("x-0i"));
    }

    proptest! {
        #[test]
        fn a_cut_lies_inside(low in "[a-z0-9/ü日\u{0}\u{7f}\u{d7ff}\u{e000}\u{10ffff}]{0,6}",
                             high in "[a-z0-9/ü日\u{0}\u{7f}\u{d7ff}\u{e000}\u{10ffff}]{0,6}",
                             seen in proptest::collection::vec("[a-e0-3/ü\u{0}\u{7f}]{0,6}", 0..4)) {
            let mut alphabet = Alphabet::default();
            seen.iter().for_each(|key| alphabet.learn(key));
            let between = |low: &str, high: Option<&str>| super::between(low, high, &alphabet);
            let (low, high) = if low <= high { (low, high) } else { (high, low) };
            if let Some(cut) = between(&low, Some(&high)) {
                prop_assert!(low < cut && cut < high, "{low:?} {cut:?} {high:?}");
            }
            if let Some(cut) = between(&low, None) {
                prop_assert!(low < cut, "{low:?} {cut:?}");
            }
        }
    }
}
