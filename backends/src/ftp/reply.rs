//! What a server answers (RFC 959, 4.2): a code of three digits, and text for people.

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

use super::control::broken;
use crate::error::{Error, ErrorKind, Operation, Result};

/// The longest line of a reply, and the longest reply, in bytes.
const LONGEST: u64 = 64 * 1024;

/// A whole reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub code: u16,
    /// The lines; of the first and the last without the code.
    pub lines: Vec<String>,
}

impl Reply {
    /// More is to come: 1xx.
    pub fn is_preliminary(&self) -> bool {
        self.code / 100 == 1
    }

    /// It was done: 2xx.
    pub fn is_done(&self) -> bool {
        self.code / 100 == 2
    }

    /// The reply as the cause of an error, where it refuses.
    ///
    /// # Errors
    /// By code.
    pub fn done(self, operation: Operation) -> Result<Self> {
        if self.is_done() { Ok(self) } else { Err(self.refusal(operation)) }
    }

    /// The error that this reply is.
    pub fn refusal(self, operation: Operation) -> Error {
        let said = self.lines.into_iter().last().unwrap_or_default();
        Error::new(kind(self.code), operation).because(Refused { code: self.code, said })
    }
}

/// A refusal, as the cause of an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {said}")]
pub(super) struct Refused {
    pub code: u16,
    /// For people.
    said: String,
}

impl Refused {
    /// The refusal that `error` is, if it is one. It is none where the connection broke, or the server said goodbye.
    pub fn of(error: &Error) -> Option<&Self> {
        error.cause().filter(|refused: &&Self| refused.code != 421)
    }

    /// The server has no such command (RFC 959, 4.2.2), or will not take it from us.
    pub fn is_unknown_command(error: &Error) -> bool {
        Self::of(error).is_some_and(|refused| matches!(refused.code, 500..=504 | 522))
    }
}

/// What a code means by itself (RFC 959, 4.2.1; RFC 4217, 2). 550 stands for "not there" as for "not yours": who wants
/// to know looks.
fn kind(code: u16) -> ErrorKind {
    match code {
        421 | 425 | 426 | 434 | 450 | 451 => ErrorKind::Unavailable,
        452 | 552 => ErrorKind::Full,
        430 | 530 | 532 | 534 | 535 | 550 | 553 => ErrorKind::Denied,
        500 | 502 | 504 | 522 | 536 | 537 => ErrorKind::Unsupported,
        501 | 503 | 551 | 554 | 555 => ErrorKind::BadRequest,
        400..=499 => ErrorKind::Unavailable,
        _ => ErrorKind::Other,
    }
}

/// Reads one reply to its end.
///
/// # Errors
/// `Unavailable` where the connection ends; `Other` for what is no reply.
pub(super) async fn read(from: &mut (impl AsyncBufRead + Unpin), operation: Operation) -> Result<Reply> {
    let first = line(from, operation).await?;
    let no_reply = || Error::new(ErrorKind::Other, operation).because("what came is no reply of FTP");
    let code = first.get(..3).filter(|code| code.bytes().all(|byte| byte.is_ascii_digit())).ok_or_else(no_reply)?;
    let mut reply = Reply { code: code.parse().map_err(|_| no_reply())?, lines: Vec::new() };
    let rest = first.get(4..).unwrap_or_default().to_owned();
    let many = first.as_bytes().get(3) == Some(&b'-');
    reply.lines.push(rest);
    // The last line repeats the code and has a space after it; lines between may begin with anything else.
    let (last, mut size) = (many.then(|| format!("{code} ")), first.len() as u64);
    while let Some(last) = &last {
        let next = line(from, operation).await?;
        size += next.len() as u64;
        if size > LONGEST {
            return Err(no_reply());
        }
        if let Some(rest) = next.strip_prefix(last) {
            reply.lines.push(rest.to_owned());
            break;
        }
        if next == code {
            break;
        }
        reply.lines.push(next);
    }
    Ok(reply)
}

/// A line without its end. What is not UTF-8 is for people, and shown as far as it goes.
async fn line(from: &mut (impl AsyncBufRead + Unpin), operation: Operation) -> Result<String> {
    let mut bytes = Vec::new();
    from.take(LONGEST).read_until(b'\n', &mut bytes).await.map_err(|error| broken(operation, error))?;
    if bytes.pop() != Some(b'\n') {
        return Err(Error::new(ErrorKind::Unavailable, operation).because("the server closed the connection"));
    }
    if bytes.last() == Some(&b'\r') {
        bytes.pop();
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn of(text: &str) -> Result<Vec<(u16, Vec<String>)>> {
        let mut rest = text.as_bytes();
        let mut replies = Vec::new();
        while !rest.is_empty() {
            let reply = read(&mut rest, Operation::Open).await?;
            replies.push((reply.code, reply.lines));
        }
        Ok(replies)
    }

    #[tokio::test]
    async fn replies_end_where_they_end() {
        let told = of(
            "220 here\r\n230-Hello\r\n100 users are there\r\n 230 not yet\r\n230 Go\r\n211-F\n MLST a*;\n\n211 End\n",
        );
        let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            told.await.unwrap(),
            [
                (220, lines(&["here"])),
                (230, lines(&["Hello", "100 users are there", " 230 not yet", "Go"])),
                (211, lines(&["F", " MLST a*;", "", "End"])),
            ]
        );
        assert_eq!(of("226\r\n").await.unwrap(), [(226, lines(&[""]))]);
    }

    #[tokio::test]
    async fn what_breaks_off_is_no_reply() {
        for (text, kind) in [
            ("220 her", ErrorKind::Unavailable),
            ("220-a\r\n221 b\r\n", ErrorKind::Unavailable),
            ("HTTP/1.1 400\r\n", ErrorKind::Other),
            ("22\r\n", ErrorKind::Other),
        ] {
            assert_eq!(of(text).await.unwrap_err().kind(), kind, "{text}");
        }
        assert_eq!(of(&"220-".repeat(100_000)).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(of(&"220-x\n".repeat(100_000)).await.unwrap_err().kind(), ErrorKind::Other);
    }
}
