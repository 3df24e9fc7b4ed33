//! Numbers as people read them, wherever they do.

use std::time::Duration;

pub use sterna_backends::words::bytes;

/// `1 object`, `2 objects`.
#[must_use]
pub fn count(count: u64, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Bytes a second, as `1.5 MiB/s`.
#[must_use]
pub fn rate(done: u64, time: Duration) -> String {
    let millis = time.as_millis().max(1);
    format!("{}/s", bytes(u64::try_from(u128::from(done) * 1000 / millis).unwrap_or(u64::MAX)))
}

/// `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`.
#[must_use]
pub fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..10 => format!("{}.{} s", seconds, time.subsec_millis() / 100),
        10..60 => format!("{seconds} s"),
        60..3600 => format!("{} min {:02} s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{} h {:02} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A rate in bytes a second, as `1.5 MiB/s`.
#[must_use]
pub fn bytes_per_second(bytes_a_second: f64) -> String {
    format!("{}/s", bytes(bytes_a_second as u64))
}

/// A rate in things a second, as `1,234/s`; a digit more below ten.
#[must_use]
pub fn per_second(rate: f64) -> String {
    if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{}/s", grouped(rate as u64)) }
}

/// A time in milliseconds, as `0.4 ms`, `12 ms`, `1.2 s`.
#[must_use]
pub fn millis(millis: f64) -> String {
    match millis {
        ..0.1 => format!("{millis:.2} ms"),
        0.1..10.0 => format!("{millis:.1} ms"),
        10.0..1000.0 => format!("{millis:.0} ms"),
        _ => format!("{:.1} s", millis / 1000.0),
    }
}

/// `1,234.50`; `<0.01` for what is less than half a cent, and not nothing.
#[must_use]
pub fn money(amount: f64) -> String {
    let cents = (amount * 100.0).round().max(0.0) as u64;
    if cents == 0 && amount > 0.0 {
        return "<0.01".to_owned();
    }
    format!("{}.{:02}", grouped(cents / 100), cents % 100)
}

/// `1,234,567`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(1, "object"), "1 object");
        assert_eq!(span(Duration::from_millis(450)), "0.4 s");
        assert_eq!(span(Duration::from_secs(185)), "3 min 05 s");
        assert_eq!(span(Duration::from_secs(182 * 86_400 + 3_600)), "182 d 01 h");
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(millis(1234.0), "1.2 s");
        assert_eq!(per_second(9.96), "10.0/s");
        assert_eq!(money(1234.567), "1,234.57");
        assert_eq!([0.0, 0.004, 0.005].map(money), ["0.00", "<0.01", "0.01"]);
    }
}
