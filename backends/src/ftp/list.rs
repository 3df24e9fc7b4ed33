//! Listings: directory by directory, several at once, as streamed pages.
//!
//! `MLSD` where the server has it: facts for machines. Else `LIST`: lines for people, `-a` with them where the server is
//! one of Unix, as dot files are left out otherwise. The directory is entered for that, because servers take spaces and
//! dashes in its path for something else.

use std::{collections::VecDeque, sync::Arc};

use futures::{StreamExt, TryStreamExt, stream};

use super::{
    control::Data,
    facts::{Found, What, is_remark, of_facts, of_line},
    place::{Place, Shared},
    pool::{LISTINGS, Lease, Share},
    reply::Refused,
};
use crate::{
    entry::{Entry, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    store::{ListRequest, Pages, VersionScope},
    unfinished::is_unfinished,
    walk::{self, Page, Scan, key, top},
    web::patience::persistently,
};

/// Entries handed on at once.
const PAGE: usize = 1_000;
/// The longest line of a listing, in bytes.
const LONGEST: usize = 64 * 1024;

/// Lists what `request` asks for.
pub(super) fn pages(place: Shared, request: ListRequest) -> Pages {
    let named = Arc::clone(&place);
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let Some(top) = top(&request.prefix).map(str::to_owned) else { return Ok(stream::empty().boxed()) };
        let there = async |path: &str| persistently(|| is_there(&place, path)).await;
        if !there(&top).await? {
            // Nothing lies below a directory that is missing; that the place itself is missing is an error.
            let gone = place.folder.starts_with(&top) || !there(&place.folder).await?;
            let error = || Error::new(ErrorKind::NoSuchContainer, Operation::List);
            return if gone { Err(error()) } else { Ok(stream::empty().boxed()) };
        }
        let asked = request.clone();
        Ok(walk::pages(request, vec![top], LISTINGS, move |path| scan(Arc::clone(&place), &asked, path)))
    });
    pages.try_flatten().map_err(move |error: Error| named.name_error(error, None)).boxed()
}

/// Whether the directory `top` can be listed. A server refuses what is missing and what is hidden from us in the same
/// words; so what counts as missing is only what the directories above, listed, do not name.
async fn is_there(place: &Place, top: &str) -> Result<bool> {
    let operation = Operation::List;
    {
        let mut lease = place.call(operation).await?;
        match place.look(&mut lease, &place.path(top)).await? {
            Some(found) => return Ok(found.what != What::File),
            None if top.is_empty() => return Err(Error::new(ErrorKind::NoSuchContainer, operation)),
            None => {}
        }
    }
    let mut above = String::new();
    for segment in top.trim_end_matches('/').split('/') {
        let listed = Members::opened(place, operation, &place.path(&above)).await;
        let mut members = listed.map_err(|error| match Refused::of(&error) {
            Some(_) if above.is_empty() => Error::new(ErrorKind::NoSuchContainer, operation).because(error),
            _ => error,
        })?;
        let mut named = false;
        while let Some((found, name)) = members.next().await? {
            named = named || name == segment && found.what != What::File;
        }
        if !named {
            return Ok(false);
        }
        above = format!("{above}{segment}/");
    }
    Err(Error::new(ErrorKind::Denied, operation).because(format!("'{top}' is there and cannot be looked at")))
}

/// Whether the directory at `path` on the server has no members, but for files on their way.
///
/// # Errors
/// What stopped the listing.
pub(super) async fn is_empty(place: &Place, path: &str) -> Result<bool> {
    let mut members = Members::opened(place, Operation::Delete, path).await?;
    let mut empty = true;
    while let Some((found, name)) = members.next().await? {
        empty = empty && (found.what == What::Dot || is_unfinished(&name));
    }
    Ok(empty)
}

/// The members of `path`; of an empty directory its own entry, where that is asked for.
fn scan(place: Shared, request: &ListRequest, path: String) -> Scan {
    let is_top = request.prefix.starts_with(&path);
    let tells_empty = request.recursive && request.empty_directories && !is_top;
    stream::once(async move {
        // Until something of it was handed on, a directory can be listed once more without anybody noticing.
        let started = persistently(|| async {
            let mut members = Members::opened(&place, Operation::List, &place.path(&path)).await?;
            let (page, ended) = filled(&place, &path, &mut members).await?;
            Ok((page, (!ended).then_some(members)))
        });
        let (mut first, members) = started.await?;
        place.directories.saw(&place.path(&path));
        if members.is_none() && tells_empty && first.is_empty {
            first.page.entries.push(Entry::directory(key(&path)?));
        }
        let rest = stream::try_unfold((place, path, members), |(place, path, members)| async move {
            let Some(mut members) = members else { return Ok(None) };
            let (filled, ended) = filled(&place, &path, &mut members).await?;
            Ok(Some((filled.page, (place, path, (!ended).then_some(members)))))
        });
        Ok::<_, Error>(stream::once(async move { Ok(first.page) }).chain(rest).boxed())
    })
    .try_flatten()
    .boxed()
}

/// Some members.
struct Filled {
    page: Page,
    /// No member was seen, whatever it is.
    is_empty: bool,
}

/// The next members, and whether they are the last.
async fn filled(place: &Place, path: &str, members: &mut Members) -> Result<(Filled, bool)> {
    let mut filled = Filled { page: Page::default(), is_empty: true };
    let page = &mut filled.page;
    while page.entries.len() + page.directories.len() < PAGE {
        let Some((found, name)) = members.next().await? else { return Ok((filled, true)) };
        if found.what == What::Dot {
            continue;
        }
        if is_unfinished(&name) {
            let written = found.modified.or(found.about).filter(|_| found.what == What::File);
            place.stale.saw(place.path(&format!("{path}{name}")), written, Timestamp::now());
            continue;
        }
        filled.is_empty = false;
        match found.what {
            What::Directory => page.directories.push(format!("{path}{name}/")),
            What::File => page.entries.push(place.described(key(&format!("{path}{name}"))?, &found)),
            // A link, a socket: left out, as a disk's are.
            What::Other | What::Dot => {}
        }
    }
    Ok((filled, false))
}

/// The members of one directory, as they arrive.
struct Members {
    lease: Lease,
    data: Option<Data>,
    lines: Lines,
    facts: bool,
}

impl Members {
    /// Of the directory at `path` on the server.
    async fn opened(place: &Place, operation: Operation, path: &str) -> Result<Self> {
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
    async fn next(&mut self) -> Result<Option<(Found, String)>> {
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

    fn member(&self, line: Vec<u8>) -> Result<Option<(Found, String)>> {
        let line = String::from_utf8(line)
            .map_err(|error| Error::unsupported(self.lease.operation, "a name there is not UTF-8").because(error))?;
        if line.is_empty() || !self.facts && is_remark(&line) {
            return Ok(None);
        }
        let read = if self.facts { of_facts(&line) } else { of_line(&line, Timestamp::now()) };
        match read {
            Some((found, name)) if found.what == What::Dot || !name.is_empty() && !name.contains('/') => {
                Ok(Some((found, name.to_owned())))
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
