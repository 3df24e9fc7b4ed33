//! How a draft gets its name, and what servers make of that.

use http::StatusCode;

use super::{
    multistatus::{Properties, of_answer},
    place::{Place, Shared},
    properties::{listed, look_at_object, look_if_there},
};
use crate::{
    entry::{Entry, Key},
    error::{Error, ErrorKind, Operation, Result},
    store::PutRequest,
    web::{
        body::collect,
        client::{Answer, refusal},
        patience::persistently,
        site::succeeded,
        status,
    },
};

/// What is told of a draft, and of the name it is to have.
pub(super) struct Looked {
    pub stored: Properties,
    /// An object was there a moment ago: it is replaced at once.
    pub replaces: bool,
}

/// Gives a draft its name, over what is there, and tells of the object.
///
/// # Errors
/// `Exists` where a collection, or with `if_absent` anything, has that name.
pub(super) async fn settle(
    place: &Shared,
    operation: Operation,
    draft: &str,
    key: &Key,
    request: &PutRequest,
    Looked { stored, mut replaces }: Looked,
) -> Result<Entry> {
    // Once only: of a draft that was moved already some servers would delete what has its new name.
    let renamed =
        persistently(|| rename(place, operation, (draft, std::mem::take(&mut replaces)), key, request, &stored));
    let look = || persistently(|| look_at_object(place, operation, key));
    if !is_plain(key) {
        // Until what landed under another name is removed, nobody puts there what has that name by right: it would go, too.
        let (_alone, _among_others) = match read_as(key)[..] {
            [] => (None, Some(place.learned.naming.read().await)),
            _ => (Some(place.learned.naming.write().await), None),
        };
        renamed.await?;
        return match look().await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(misread(place, operation, key, &stored).await),
            found => Ok(listed(place, key.clone(), found?)),
        };
    }
    let naming = place.learned.naming.read().await;
    renamed.await?;
    drop(naming);
    if place.assumes_moves() && !request.if_absent && request.if_match.is_none() {
        return Ok(listed(place, key.clone(), stored));
    }
    let mut seen = None;
    // One looks for all: whoever comes meanwhile waits for what it finds.
    let found_out = place.learned.moves.get_or_try_init(|| async {
        let found = look().await?;
        let kept = (&found.etag, found.modified, found.length) == (&stored.etag, stored.modified, stored.length);
        seen = Some(found);
        Ok::<_, Error>(kept)
    });
    let kept = *found_out.await?;
    match seen {
        Some(found) => Ok(listed(place, key.clone(), found)),
        None if kept => Ok(listed(place, key.clone(), stored)),
        None => Ok(listed(place, key.clone(), look().await?)),
    }
}

/// Whether servers read a `Destination` of that name as it is meant. Some were seen to drop control characters from it, to
/// end it at a `?` or `;`, and to normalise letters; the object then lies under another name, and the answer is a success.
pub(super) fn is_plain(key: &str) -> bool {
    key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-_.~+@ ".contains(&byte))
}

/// What a MOVE or COPY to `path` is whose object is not found there. Where it was put under what some servers read instead (see
/// [`read_as`]) it is removed again: the name was free, as nothing is overwritten unasked, and the tag is that of what was moved.
pub(super) async fn misread(place: &Place, operation: Operation, path: &str, moved: &Properties) -> Error {
    for other in read_as(path) {
        if let Ok(Some(found)) = look_if_there(place, operation, &other).await
            && !found.collection
            && found.etag.is_some()
            && (&found.etag, found.length) == (&moved.etag, moved.length)
        {
            let _best_effort = place.send(place.call(operation, "DELETE", &other)).await;
        }
    }
    reads_otherwise(operation)
}

/// The other names that `path` is taken for by a server that decodes an address before it takes it apart, as WsgiDAV 4.3 does:
/// it ends at a `?` or `;`, and Python drops tabs and line breaks.
fn read_as(path: &str) -> Vec<String> {
    let cut = |path: &str| path.split(['?', ';']).next().unwrap_or_default().to_owned();
    let bare = path.replace(['\t', '\n', '\r'], "");
    let mut others = vec![cut(&bare), cut(path), bare];
    others.retain(|other| other != path && !other.is_empty() && !other.ends_with('/'));
    others.dedup();
    others
}

fn reads_otherwise(operation: Operation) -> Error {
    Error::unsupported(operation, "the server reads that name otherwise where something is moved to it")
}

/// MOVE. One whose answer was lost is seen by its result.
async fn rename(
    place: &Shared,
    operation: Operation,
    (draft, replaces): (&str, bool),
    key: &Key,
    request: &PutRequest,
    stored: &Properties,
) -> Result<()> {
    let rename = |overwrite| place.site.send(place.call_to(operation, "MOVE", draft, key, overwrite), None);
    let mut answer = rename(replaces).await?;
    if may_be_taken(answer.status()) {
        let status = answer.status();
        let refused = refusal(operation, answer).await;
        // To replace is to delete: see [`around`](super::around).
        match look_if_there(place, operation, key).await? {
            Some(found) if found.collection => {
                return Err(Error::new(ErrorKind::Exists, operation).because("a collection has that name"));
            }
            // Some servers would delete it for a draft that is no longer there.
            Some(found) if is_same(&found, stored) && look_if_there(place, operation, draft).await?.is_none() => {
                return Ok(());
            }
            Some(_) if request.if_absent => return Err(Error::new(ErrorKind::Exists, operation)),
            // What is in the way may have another name, to which the server shortens this one.
            None if !is_plain(key) => return Err(reads_otherwise(operation)),
            None if !TAKEN.contains(&status) => return Err(refused),
            _ => answer = rename(true).await?,
        }
    }
    if !answer.status().is_client_error() {
        return moved(operation, answer).await;
    }
    let refused = refusal(operation, answer).await;
    // Servers say in several ways that there is nothing to move any more.
    if look_if_there(place, operation, draft).await?.is_some() {
        return Err(refused);
    }
    let there = look_if_there(place, operation, key).await?.unwrap_or_default();
    let is_ours = is_same(&there, stored) && !there.collection;
    if is_ours { Ok(()) } else { Err(Error::new(ErrorKind::Unavailable, operation).because(refused)) }
}

fn is_same(found: &Properties, stored: &Properties) -> bool {
    found.length == stored.length && (found.etag == stored.etag || found.modified == stored.modified)
}

/// How servers say that a name is taken: by 412 (RFC 4918, 9.9.4), or otherwise.
const TAKEN: [StatusCode; 3] = [StatusCode::PRECONDITION_FAILED, StatusCode::MOVED_PERMANENTLY, StatusCode::CONFLICT];

/// Whether that may say that a name is taken: copyparty answers 400.
fn may_be_taken(status: StatusCode) -> bool {
    TAKEN.contains(&status) || matches!(status, StatusCode::BAD_REQUEST | StatusCode::METHOD_NOT_ALLOWED)
}

/// Whether a MOVE, COPY or DELETE did all it was to do: 207 tells what it did not.
///
/// # Errors
/// By status.
pub(super) async fn moved(operation: Operation, answer: Answer) -> Result<()> {
    let answer = succeeded(operation, answer).await?;
    if answer.status() != StatusCode::MULTI_STATUS {
        drop(collect(answer.into_body(), 64 * 1024).await);
        return Ok(());
    }
    let mut told = of_answer(operation, answer);
    let mut failed = None;
    while let Some(member) = told.next().await? {
        let refused = member.status.filter(|status| !(200..300).contains(status)).or(member.refused);
        failed = failed.or(refused.map(|status| (status, member.href)));
    }
    match failed {
        None => Ok(()),
        Some((status, href)) => {
            Err(Error::new(status::kind(status), operation).because(format!("HTTP {status} for '{href}'")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_read_otherwise() {
        assert_eq!(read_as("d/a?b"), ["d/a"]);
        assert_eq!(read_as("d/a\tb"), ["d/ab"]);
        assert_eq!(read_as("a\nb;c"), ["ab", "a\nb", "ab;c"]);
        assert_eq!(read_as("d/?x"), [""; 0]);
        assert_eq!(read_as("d/plain"), [""; 0]);
    }
}
