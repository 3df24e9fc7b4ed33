//! Listings: directory by directory, several at once, as streamed pages.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};

use super::{
    control::Handle,
    facts::{Facts, What},
    place::{Place, Shared, look, look_through},
    wire::{Member, Reply, Request, kind},
};
use crate::{
    entry::{Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    skipped::WhySkipped,
    store::{ListRequest, Pages, VersionScope},
    unfinished::is_unfinished,
    walk::{self, Page, Scan, key, top},
    web::patience::persistently,
};

/// Entries handed on at once.
const PAGE: usize = 1_000;
/// Directories read at once: what each costs is mostly the time its answers take to come.
const AT_ONCE: usize = 16;

/// Lists what `request` asks for.
pub(super) fn pages(place: Shared, request: ListRequest) -> Pages {
    let named = Arc::clone(&place);
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let Some(top) = top(&request.prefix).map(str::to_owned) else { return Ok(stream::empty().boxed()) };
        if !persistently(|| is_there(&place, &top)).await? {
            return Ok(stream::empty().boxed());
        }
        let asked = request.clone();
        Ok(walk::pages(request, vec![top], AT_ONCE, move |path| scan(Arc::clone(&place), &asked, path)))
    });
    pages.try_flatten().map_err(move |error: Error| named.name_error(error, None)).boxed()
}

/// Whether the directory `top` is there.
async fn is_there(place: &Place, top: &str) -> Result<bool> {
    let operation = Operation::List;
    let lease = place.call(operation).await?;
    let root = look_through(&lease.control, operation, &place.path("")).await?;
    if !root.is_some_and(|root| matches!(root.what(), What::Directory | What::Unknown)) {
        return Err(Error::new(ErrorKind::NoSuchContainer, operation));
    }
    if top.is_empty() {
        return Ok(true);
    }
    let found = look(&lease.control, operation, &place.path(top)).await?;
    Ok(found.is_some_and(|found| matches!(found.what(), What::Directory | What::Unknown)))
}

/// Whether the directory at `path` on the server has no members, but for files on their way.
///
/// # Errors
/// What stopped the listing.
pub(super) async fn is_empty(place: &Place, path: &str) -> Result<bool> {
    let Some(mut members) = Members::opened(place, Operation::Delete, path).await? else { return Ok(true) };
    while let Some(member) = members.next().await? {
        if !std::str::from_utf8(&member.name).is_ok_and(is_unfinished) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The members of `path`; of an empty directory its own entry, where that is asked for.
fn scan(place: Shared, request: &ListRequest, path: String) -> Scan {
    let is_top = request.prefix.starts_with(&path);
    let tells_empty = request.recursive && request.empty_directories && !is_top;
    stream::once(async move {
        // Until something of it was handed on, a directory can be listed once more without anybody noticing.
        let started = persistently(|| async {
            let opened = Members::opened(&place, Operation::List, &place.path(&path)).await?;
            let Some(mut members) = opened else { return Ok(None) };
            let (page, ended) = filled(&place, &path, &mut members).await?;
            Ok(Some((page, (!ended).then_some(members))))
        });
        // One that is gone since it was named holds nothing.
        let Some((mut first, members)) = started.await? else { return Ok(stream::empty().boxed()) };
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
    while filled.page.entries.len() + filled.page.directories.len() < PAGE {
        let Some(member) = members.next().await? else { return Ok((filled, true)) };
        let Some(name) = named(place, path, &member.name) else {
            filled.is_empty = false;
            continue;
        };
        let whole = format!("{path}{name}");
        let mut facts = member.facts;
        if facts.what() == What::Unknown {
            // It may be gone since it was named.
            let Some(found) = look(&members.handle.control, Operation::List, &place.path(&whole)).await? else {
                continue;
            };
            facts = found;
        }
        if is_unfinished(&name) {
            if facts.what() == What::File {
                place.stale.saw(place.path(&whole), facts.time(), Timestamp::now());
            }
            continue;
        }
        filled.is_empty = false;
        take(place, whole, &facts, &mut filled.page);
    }
    Ok((filled, false))
}

/// A name as text. One that is none, and so no part of a key, is told and left out.
fn named(place: &Place, path: &str, name: &Bytes) -> Option<String> {
    if let Ok(text) = std::str::from_utf8(name) {
        return Some(text.to_owned());
    }
    let shown = String::from_utf8_lossy(name);
    place.skip(place.path(&format!("{path}{shown}")), WhySkipped::NotUtf8);
    None
}

/// Sorts one member in: links, sockets and what no key can name are told and left out, as a disk's are.
fn take(place: &Place, whole: String, facts: &Facts, page: &mut Page) {
    match (facts.what(), Key::new(whole.as_str())) {
        (What::Link, _) => place.skip(place.path(&whole), WhySkipped::Link),
        (What::Special, _) => place.skip(place.path(&whole), WhySkipped::Special),
        (_, Err(_)) => place.skip(place.path(&whole), WhySkipped::TooLong),
        (What::Directory, Ok(_)) if whole.len() == Key::MAX_BYTES => {
            place.skip(place.path(&whole), WhySkipped::TooLong);
        }
        (What::Directory, Ok(_)) => page.directories.push(format!("{whole}/")),
        (What::File | What::Unknown, Ok(key)) => page.entries.push(place.described(key, facts)),
    }
}

/// The members of one directory, as they arrive.
struct Members {
    handle: Handle,
    operation: Operation,
    arrived: std::vec::IntoIter<Member>,
}

impl Members {
    /// Of the directory at `path` on the server; `None` where it is not there any more.
    async fn opened(place: &Place, operation: Operation, path: &str) -> Result<Option<Self>> {
        let lease = place.call(operation).await?;
        let request = Request::new(kind::OPENDIR).bytes(path.as_bytes());
        let opened = lease.control.call(operation, request).await?.handle(operation);
        match opened {
            Ok(handle) => {
                let handle = Handle::new(&lease.control, handle);
                Ok(Some(Self { handle, operation, arrived: Vec::new().into_iter() }))
            }
            // Servers call other troubles "not there", too: so that it is gone is believed when it is looked for.
            Err(error) if error.kind() == ErrorKind::NotFound => match look(&lease.control, operation, path).await? {
                None => Ok(None),
                Some(_) => Err(Error::new(ErrorKind::Other, operation).because(error)),
            },
            Err(error) => Err(error),
        }
    }

    /// The next one. That there is none is believed when the server says so.
    async fn next(&mut self) -> Result<Option<Member>> {
        loop {
            for member in self.arrived.by_ref() {
                match &member.name[..] {
                    b"." | b".." => {}
                    name if name.is_empty() || name.contains(&b'/') => {
                        let why = format!("a listing has the name '{}'", String::from_utf8_lossy(name));
                        return Err(Error::new(ErrorKind::Other, self.operation).because(why));
                    }
                    _ => return Ok(Some(member)),
                }
            }
            let asked = self.handle.control.call(self.operation, self.handle.request(kind::READDIR)).await?;
            match asked.until_end(self.operation)? {
                None => return Ok(None),
                Some(Reply::Names(members)) => self.arrived = members.into_iter(),
                Some(other) => return Err(other.unexpected(self.operation)),
            }
        }
    }
}
