use std::{fmt, str::FromStr, time::Duration};

use jiff::tz::TimeZone;
use sterna_backends::Timestamp;

use super::{Age, Churn, Lifetime, Size, Span};

#[track_caller]
fn refused<T: FromStr<Err: fmt::Display> + fmt::Debug>(texts: &[&str]) {
    for text in texts {
        let fault = text.parse::<T>().err().unwrap_or_else(|| panic!("{text:?} is taken"));
        assert!(fault.to_string().contains(": expected "), "{fault}");
    }
}

#[test]
fn sizes() {
    let table: &[(&str, u64)] = &[
        ("0", 0),
        ("10", 10 << 10),
        ("1b", 1),
        ("10B", 10),
        ("50k", 50 << 10),
        ("1Ki", 1 << 10),
        ("1kib", 1 << 10),
        ("10M", 10 << 20),
        (".5M", 1 << 19),
        ("1.5GiB", 3 << 29),
        ("1.0001k", 1024),
        ("2T", 2 << 40),
        ("1P", 1 << 50),
        ("15E", 15 << 60),
    ];
    for (text, bytes) in table {
        assert_eq!(text.parse(), Ok(Size(Some(*bytes))), "{text}");
    }
    assert_eq!("Off".parse(), Ok(Size(None)));
    refused::<Size>(&["", "M", ".", "1.2.3", "-1", "+1", "1KB", "1 M", " 1", "1iB", "16E", "99999P", "1e3", "1é"]);
}

#[test]
fn spans() {
    let table: &[(&str, Duration)] = &[
        ("90", Duration::from_secs(90)),
        ("0.5", Duration::from_millis(500)),
        ("1ms", Duration::from_millis(1)),
        ("1us", Duration::from_micros(1)),
        ("1.5h", Duration::from_secs(5_400)),
        ("1h30m", Duration::from_secs(5_400)),
        ("2d", Duration::from_secs(172_800)),
        ("1w2d", Duration::from_secs(777_600)),
        ("1M", Duration::from_secs(2_592_000)),
        ("1y", Duration::from_secs(31_536_000)),
    ];
    for (text, span) in table {
        assert_eq!(text.parse(), Ok(Span(Some(*span))), "{text}");
    }
    assert_eq!("off".parse(), Ok(Span(None)));
    refused::<Span>(&["", "d", "1D", "1d ", "-1h", "1h30", "1x", "300y", "9223372037", "2024-01-02", "."]);
}

#[test]
fn ages() {
    let now = Timestamp::from_parts(1_700_000_000, 0);
    let zone = TimeZone::fixed(jiff::tz::offset(1));
    let table: &[(&str, &str)] = &[
        ("1h", "2023-11-14T21:13:20Z"),
        ("2024-01-02", "2024-01-01T23:00:00Z"),
        ("2024-01-02 03:04:05", "2024-01-02T02:04:05Z"),
        ("2024-01-02T03:04:05", "2024-01-02T02:04:05Z"),
        ("2024-01-02T03:04:05.5Z", "2024-01-02T03:04:05.5Z"),
        ("2024-01-02T03:04:05+02:00", "2024-01-02T01:04:05Z"),
    ];
    for (text, expected) in table {
        let age: Age = text.parse().expect("an age");
        assert_eq!(age.before(now, &zone).expect("a time").to_string(), *expected, "{text}");
    }
    assert_eq!("off".parse::<Age>().expect("off").before(now, &zone), None);
    refused::<Age>(&["", "yesterday", "2024-13-01", "-1h", "2024-01-02T25:00:00Z"]);
}

#[test]
fn shares_and_lifetimes() {
    let churn = |text: &str| text.parse::<Churn>().map(|churn| churn.0.to_string()).unwrap_or_default();
    assert_eq!(["5%/day", "5%", "0.05", "150%/month", "1"].map(churn), ["0.05", "0.05", "0.05", "0.05", "1"]);
    // Five what?
    refused::<Churn>(&["5", "-1%", "5%/week", "many"]);
    let lived = |text: &str| text.parse::<Lifetime>().map(|days| days.churn().to_string()).unwrap_or_default();
    assert_eq!(["20", "20d"].map(lived), ["0.05", "0.05"]);
    refused::<Lifetime>(&["0", "-3", "20 weeks", ""]);
}
