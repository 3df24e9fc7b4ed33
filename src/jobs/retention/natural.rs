//! The order in which people count revisions.

use std::{cmp::Ordering, iter::Peekable, str::Bytes};

/// Compares by runs of digits as numbers of any length and by everything else as bytes: `hrev57937_9` before `hrev57937_129`. `~`
/// comes before anything, the end included, as in the versions of Debian and Haiku: `r1~beta5` before `r1`. Total: only
/// equal texts are equal.
#[must_use]
pub fn natural(left: &str, right: &str) -> Ordering {
    let (mut mine, mut theirs) = (left.bytes().peekable(), right.bytes().peekable());
    loop {
        let order = match (mine.peek().copied(), theirs.peek().copied()) {
            // What differs in leading zeros only is no more to be told apart by numbers.
            (None, None) => return left.cmp(right),
            (Some(a), Some(b)) if a.is_ascii_digit() && b.is_ascii_digit() => {
                let (a, b) = (number(&mut mine), number(&mut theirs));
                a.len().cmp(&b.len()).then(a.cmp(&b))
            }
            (a, b) => {
                mine.next();
                theirs.next();
                rank(a).cmp(&rank(b))
            }
        };
        if order.is_ne() {
            return order;
        }
    }
}

/// The run of digits that comes next, without leading zeros.
fn number(bytes: &mut Peekable<Bytes<'_>>) -> Vec<u8> {
    let mut digits = Vec::new();
    while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
        if digit != b'0' || !digits.is_empty() {
            digits.push(digit);
        }
    }
    digits
}

fn rank(byte: Option<u8>) -> u16 {
    match byte {
        Some(b'~') => 0,
        None => 1,
        Some(byte) => 2 + u16::from(byte),
    }
}
