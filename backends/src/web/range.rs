//! Whether an answer is the range that was asked for.

use std::ops::Range;

use http::{HeaderMap, StatusCode, header};

use super::headers::text;
use crate::error::{Error, ErrorKind, Operation, Result};

/// What of an object an answer holds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Extent {
    /// Bytes in this answer.
    pub len: u64,
    /// Bytes in the object.
    pub total: u64,
}

/// Checks that the answer is about the range that was asked for.
///
/// # Errors
/// `Integrity` where it is about another; `Unsupported` where the server knows no ranges.
pub(crate) fn extent(status: StatusCode, headers: &HeaderMap, range: Option<&Range<u64>>) -> Result<Extent> {
    let wrong = |what: String| Error::new(ErrorKind::Integrity, Operation::Read).because(what);
    let length = text(headers, header::CONTENT_LENGTH).and_then(|length| length.parse().ok());
    let len: u64 = length.ok_or_else(|| wrong("the answer does not tell its length".to_owned()))?;
    let Some(asked) = range else {
        return match status {
            StatusCode::OK => Ok(Extent { len, total: len }),
            status => Err(wrong(format!("the whole object was asked for, and {status} was answered"))),
        };
    };
    // Some servers answer ranges with 200, and say so by the header alone.
    if status == StatusCode::OK && !headers.contains_key(header::CONTENT_RANGE) {
        // The server does not know ranges; that does not matter where all was asked for.
        if asked.start == 0 && asked.end >= len {
            return Ok(Extent { len, total: len });
        }
        return Err(Error::unsupported(Operation::Read, "the server does not answer ranges"));
    }
    let told = text(headers, header::CONTENT_RANGE).unwrap_or_default();
    let parsed = content_range(told).ok_or_else(|| wrong(format!("'{told}' is no range of bytes")))?;
    let (got, total) = parsed;
    if got.start != asked.start || got.end != asked.end.min(total) || got.end - got.start != len {
        let (start, end) = (asked.start, asked.end);
        return Err(wrong(format!("bytes {start}-{} were asked for, and '{told}' came", end.saturating_sub(1))));
    }
    Ok(Extent { len, total })
}

/// `bytes 0-9/100` as a half-open range and the total.
pub(crate) fn content_range(text: &str) -> Option<(Range<u64>, u64)> {
    let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let (first, last): (u64, u64) = (first.parse().ok()?, last.parse().ok()?);
    (first <= last).then_some((first..last.checked_add(1)?, total.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn answer(status: StatusCode, length: &'static str, range: &'static str) -> (StatusCode, HeaderMap) {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static(length));
        headers.insert(header::CONTENT_RANGE, HeaderValue::from_static(range));
        (status, headers)
    }

    #[test]
    fn ranges_are_checked() {
        let (status, headers) = answer(StatusCode::PARTIAL_CONTENT, "10", "bytes 5-14/100");
        assert_eq!(extent(status, &headers, Some(&(5..15))).unwrap(), Extent { len: 10, total: 100 });
        for asked in [4..14, 5..16, 5..14] {
            assert_eq!(extent(status, &headers, Some(&asked)).unwrap_err().kind(), ErrorKind::Integrity);
        }
        assert_eq!(extent(status, &headers, None).unwrap_err().kind(), ErrorKind::Integrity);
        let (status, headers) = answer(StatusCode::PARTIAL_CONTENT, "10", "bytes 90-99/100");
        assert_eq!(extent(status, &headers, Some(&(90..500))).unwrap().len, 10, "cut to the end");
        assert!(extent(StatusCode::OK, &headers, Some(&(90..100))).is_ok(), "as rclone answers");
        let (status, mut headers) = answer(StatusCode::OK, "100", "");
        headers.remove(header::CONTENT_RANGE);
        assert_eq!(extent(status, &headers, Some(&(0..100))).unwrap(), Extent { len: 100, total: 100 });
        assert_eq!(extent(status, &headers, Some(&(1..100))).unwrap_err().kind(), ErrorKind::Unsupported);
        for wrong in ["", "bytes */100", "bytes 9-5/100", "bytes 0-9", "bytes 0-18446744073709551615/1"] {
            assert!(content_range(wrong).is_none(), "{wrong}");
        }
    }
}
