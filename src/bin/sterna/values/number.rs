//! Decimal numbers, exactly.

/// Splits after the digits and points that `text` begins with.
pub(super) fn split_number(text: &str) -> (&str, &str) {
    text.split_at(text.find(|next: char| !next.is_ascii_digit() && next != '.').unwrap_or(text.len()))
}

/// `number` (digits, and at most one point with up to 18 digits behind it) times `unit`, rounded down; exact.
pub(super) fn scaled(number: &str, unit: u128) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.len() > 18 || fraction.contains('.') {
        return None;
    }
    let digits = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<u64>().ok().map(u128::from) };
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    digits(whole)?.checked_mul(unit)?.checked_add(digits(fraction)?.checked_mul(unit)? / scale)
}
