//! Listings: directory by directory, several at once, as streamed pages.

use std::sync::Arc;

use futures::{StreamExt, TryStreamExt, stream};

use super::family::{Facts, Member, Tree, What};
use crate::{
    entry::{Entry, Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
    skipped::WhySkipped,
    store::{ListRequest, Pages, VersionScope},
    unfinished::{Leftover, is_unfinished, leftover},
    walk::{self, Page, Scan, key, top},
    web::patience::persistently,
};

/// Entries handed on at once.
const PAGE: usize = 1_000;

/// Lists what `request` asks for.
pub(super) fn pages<T: Tree>(tree: Arc<T>, request: ListRequest) -> Pages {
    let named = Arc::clone(&tree);
    let pages = stream::once(async move {
        if request.versions != VersionScope::Latest {
            return Err(Error::unsupported(Operation::List, "no old versions"));
        }
        let Some(top) = top(&request.prefix).map(str::to_owned) else { return Ok(stream::empty().boxed()) };
        if !is_there(&*tree, &top).await? {
            // Nothing lies below a directory that is missing; that the place itself is missing is an error.
            let folder = &tree.root().folder;
            let gone = folder.starts_with(&top) || !is_there(&*tree, folder).await?;
            let error = || Error::new(ErrorKind::NoSuchContainer, Operation::List);
            return if gone { Err(error()) } else { Ok(stream::empty().boxed()) };
        }
        let asked = request.clone();
        let scan = move |path| scan(Arc::clone(&tree), &asked, path);
        Ok(walk::pages(request, vec![top], T::LISTED_AT_ONCE, scan))
    });
    pages.try_flatten().map_err(move |error: Error| named.root().named(error, None)).boxed()
}

/// Whether `directory` is there; below a name that no file can have nothing is.
async fn is_there<T: Tree>(tree: &T, directory: &str) -> Result<bool> {
    if !directory.is_empty() && tree.accepts(Operation::List, directory.trim_end_matches('/')).is_err() {
        return Ok(false);
    }
    persistently(|| tree.is_there(directory)).await
}

/// Whether the directory at `path` on the server has no members, but for files on their way.
///
/// # Errors
/// What stopped the listing.
pub(super) async fn is_empty<T: Tree>(tree: &T, path: &str) -> Result<bool> {
    let Some(mut members) = tree.members(Operation::Delete, path).await? else { return Ok(true) };
    while let Some(member) = T::next(&mut members).await? {
        if !is_unfinished(&member.name) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The members of `path`; of an empty directory its own entry, where that is asked for.
fn scan<T: Tree>(tree: Arc<T>, request: &ListRequest, path: String) -> Scan {
    let is_top = request.prefix.starts_with(&path);
    let tells_empty = request.recursive && request.empty_directories && !is_top;
    stream::once(async move {
        // Until something of it was handed on, a directory can be listed once more without anybody noticing.
        let started = persistently(|| async {
            let Some(mut members) = tree.members(Operation::List, &tree.root().path(&path)).await? else {
                return Ok(None);
            };
            let filled = filled(&*tree, &path, &mut members).await?;
            Ok(Some((filled, members)))
        });
        // One that is gone since it was named holds nothing.
        let Some((mut first, members)) = started.await? else { return Ok(stream::empty().boxed()) };
        tree.root().directories.saw(&tree.root().path(&path));
        if first.ended && first.is_empty && tells_empty {
            first.page.entries.push(Entry::directory(key(&path)?));
        }
        let rest = (!first.ended).then_some((tree, path, members));
        let rest = stream::try_unfold(rest, |rest| async move {
            let Some((tree, path, mut members)) = rest else { return Ok(None) };
            let filled = filled(&*tree, &path, &mut members).await?;
            Ok(Some((filled.page, (!filled.ended).then_some((tree, path, members)))))
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
    /// They are the last.
    ended: bool,
}

async fn filled<T: Tree>(tree: &T, path: &str, members: &mut T::Members) -> Result<Filled> {
    let mut filled = Filled { page: Page::default(), is_empty: true, ended: false };
    while filled.page.entries.len() + filled.page.directories.len() < PAGE {
        let Some(mut member) = T::next(members).await? else {
            filled.ended = true;
            break;
        };
        let whole = format!("{path}{}", member.name);
        if member.what == What::Unknown {
            // It may be gone since it was named.
            let Some(facts) = tree.look(Operation::List, &tree.root().path(&whole)).await? else { continue };
            member = Member { what: facts.what(), facts, ..member };
        }
        match leftover(&member.name) {
            Some(Leftover::Content { .. }) => {
                let written = T::worked_on(&member.name, &member.facts).filter(|_| member.what == What::File);
                tree.root().stale.saw(tree.root().path(&whole), written, Timestamp::now());
                continue;
            }
            Some(Leftover::Ledger { .. }) => continue,
            None => {}
        }
        filled.is_empty = false;
        take(tree, whole, &member, &mut filled.page);
    }
    Ok(filled)
}

/// Sorts one member in: links, sockets and what no key can name are told and left out, as a disk's are.
fn take<T: Tree>(tree: &T, whole: String, member: &Member<T::Facts>, page: &mut Page) {
    let root = tree.root();
    match (member.what, Key::new(whole.as_str())) {
        (What::Other(why), _) => root.skip(root.path(&whole), why),
        (_, Err(_)) => root.skip(root.path(&whole), WhySkipped::TooLong),
        (What::Directory, Ok(_)) if whole.len() == Key::MAX_BYTES => root.skip(root.path(&whole), WhySkipped::TooLong),
        (What::Directory, Ok(_)) => page.directories.push(format!("{whole}/")),
        (What::File | What::Unknown, Ok(key)) => page.entries.push(tree.described(key, &member.facts)),
    }
}
