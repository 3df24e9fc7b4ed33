//! The members of a directory, as they arrive.
//!
//! `MLSD` where the server has it: facts for machines. Else `LIST`: lines for people, `-a` with them where the server is
//! one of Unix, as dot files are left out otherwise. The directory is entered for that, because servers take spaces and
//! dashes in its path for something else.

use std::collections::VecDeque;

use super::{
    control::Data,
    facts::{Found, What, is_remark, of_facts, of_line},
    place::Place,
    pool::{Lease, Share},
};
use crate::{
    entry::Timestamp,
    error::{Error, ErrorKind, Operation, Result},
    tree::{Facts as _, Member},
};

/// The longest line of a listing, in bytes.
const LONGEST: usize = 64 * 1024;

/// A directory that is being listed.
pub(super) struct Members {
    lease: Lease,
    data: Option<Data>,
    lines: Lines,
    facts: bool,
}

impl Members {
    /// Of the directory at `path` on the server.
    ///
    /// # Errors
    /// As it refuses.
    pub async fn opened(place: &Place, operation: Operation, path: &str) -> Result<Self> {
        let mut lease = place.pool.take(operation, Share::List).await?;
        let data = if place.lists_facts {
            lease.transfer(&format!("MLSD {path}"), 0).await
        } else {
            lease.tell(&format!("CWD {path}")).await?;
            lease.transfer(if place.abilities.unix { "LIST -a" } else { "LIST" }, 0).await
        };
        Ok(Self { lease, data: Some(data?), lines: Lines::default(), facts: place.lists_facts })
    }

    /// The next one. That there is none is believed when the server says that it told all.
    ///
    /// # Errors
    /// What broke the listing; what cannot be read of it.
    pub async fn next(&mut self) -> Result<Option<Member<Found>>> {
        loop {
            while let Some(line) = self.lines.next() {
                match self.member(line) {
                    Ok(None) => {}
                    // The server was done, and yet the last line is not whole.
                    Err(cut) if self.data.is_none() && self.lines.cut => {
                        return Err(Error::new(ErrorKind::Unavailable, self.lease.operation).because(cut));
                    }
                    member => return member,
                }
            }
            let Some(data) = &mut self.data else { return Ok(None) };
            match data.receive().await? {
                Some(chunk) => self.lines.take(&chunk),
                None => {
                    self.data = None;
                    self.lines.cut = !self.lines.rest.is_empty();
                    self.lines.end();
                    self.lease.finish().await?;
                }
            }
            if self.lines.rest.len() > LONGEST {
                return Err(self.unreadable("a line without end"));
            }
        }
    }

    /// `None`: a line that tells of no member.
    fn member(&self, line: Vec<u8>) -> Result<Option<Member<Found>>> {
        let line = String::from_utf8(line)
            .map_err(|error| Error::unsupported(self.lease.operation, "a name there is not UTF-8").because(error))?;
        if line.is_empty() || !self.facts && is_remark(&line) {
            return Ok(None);
        }
        let read = if self.facts { of_facts(&line) } else { of_line(&line, Timestamp::now()) };
        match read {
            Some((found, _)) if found.what == What::Dot => Ok(None),
            Some((facts, name)) if !name.is_empty() && !name.contains('/') => {
                Ok(Some(Member { name: name.to_owned(), what: facts.what(), facts }))
            }
            // Not to understand one is not to know what is there.
            _ => Err(self.unreadable(&line)),
        }
    }

    fn unreadable(&self, line: &str) -> Error {
        let why = format!("the listing cannot be read: '{line}'");
        Error::new(ErrorKind::Other, self.lease.operation).because(why)
    }
}

/// Lines out of chunks.
#[derive(Default)]
struct Lines {
    whole: VecDeque<Vec<u8>>,
    rest: Vec<u8>,
    /// The last line had no end.
    cut: bool,
}

impl Lines {
    fn take(&mut self, chunk: &[u8]) {
        let mut pieces = chunk.split(|byte| *byte == b'\n');
        self.rest.extend_from_slice(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.end();
            self.rest.extend_from_slice(piece);
        }
    }

    /// What came since the last line is one.
    fn end(&mut self) {
        let mut line = std::mem::take(&mut self.rest);
        if line.last() == Some(&b'\r') {
            line.pop();
        }
        if !line.is_empty() {
            self.whole.push_back(line);
        }
    }

    fn next(&mut self) -> Option<Vec<u8>> {
        self.whole.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_put_together() {
        let mut lines = Lines::default();
        for chunk in ["a\r\nb", "c\r", "\n\r\n", " d \n", "e"] {
            lines.take(chunk.as_bytes());
        }
        lines.end();
        let all: Vec<_> = std::iter::from_fn(|| lines.next()).map(|line| String::from_utf8(line).unwrap()).collect();
        assert_eq!(all, ["a", "bc", " d ", "e"]);
    }
}
