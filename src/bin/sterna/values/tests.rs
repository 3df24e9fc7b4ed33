use std::{fmt, str::FromStr, time::Duration};

use jiff::tz::TimeZone;
use sterna_backends::{Metadata, Timestamp};

use super::{Age, HeaderRule, Limit, Size, Span};

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
fn limits() {
    assert_eq!("100".parse(), Ok(Limit::Count(100)));
    assert_eq!("25%".parse(), Ok(Limit::Percent(25.0)));
    assert_eq!("0.5%".parse(), Ok(Limit::Percent(0.5)));
    refused::<Limit>(&["", "%", "-1", "101%", "inf%", "nan%", "25 %", "1.5", "1e1%"]);
}

#[test]
fn header_rules() {
    let applied = |rule: &str, key: &str| {
        let mut metadata = Metadata { content_language: Some("de".to_owned()), ..Metadata::default() };
        rule.parse::<HeaderRule>().expect("a rule").apply(key, &mut metadata);
        metadata
    };
    let short = Some("max-age=60".to_owned());
    assert_eq!(applied("repo*: cache-control=max-age=60", "x86/repo.sha256").cache_control, short);
    assert_eq!(applied("repo*: cache-control=max-age=60", "packages/a.hpkg").cache_control, None);
    assert_eq!(applied("Cache-Control=max-age=60", "a").cache_control, short);
    let several = applied("*.html: content-type=text/html; charset=utf-8; meta-Owner=x: y", "a.html");
    assert_eq!(several.content_type.as_deref(), Some("text/html; charset=utf-8"));
    assert_eq!(several.user.get("owner").map(String::as_str), Some("x: y"));
    let disposition = applied("content-disposition=attachment; filename=\"a: b\"", "a");
    assert_eq!(disposition.content_disposition.as_deref(), Some("attachment; filename=\"a: b\""));
    assert_eq!(applied("content-language=", "a").content_language, None);
    refused::<HeaderRule>(&["", "a", ": cache-control=x", "repo*: etag=x", "[a: cache-control=x", "meta-=x"]);
}
