//! Upload URLs, and bytes sent to them.
//!
//! A URL serves one transfer at a time and many one after the other. Where one stops working (its token has run out, its
//! server is busy or gone) the way on is a new URL, at once
//! (<https://www.backblaze.com/docs/cloud-storage-integration-checklist>). Each URL is a call, so where four are in use a
//! transfer first waits a moment for one of them: near servers need no more, far ones are worth one for each transfer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{HeaderMap, HeaderValue, Method, header};
use reqwest::Url;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use tokio::{sync::Notify, time::Instant};

use super::{
    account::{read_json, secret_header, succeeded},
    fault::{Fault, fault_of},
    place::Place,
};
use crate::{
    body::{Body, Chunks},
    digest::{Hasher, held},
    entry::{Algorithm, Digest, Digests},
    error::{Error, ErrorKind, Operation, Result},
    secret::Secret,
    web::{body::Outgoing, client::Call},
};

/// Bodies from files up to this size, in bytes, are read as a whole and hashed before they are sent.
const SMALL: u64 = 1024 * 1024;

/// Upload URLs tried for one upload. One that was at hand may be dead, and a new one busy; more is for whoever waits
/// between attempts.
const URLS: u32 = 3;

/// URLs in use beyond which a transfer waits for one to come free before it fetches another.
const FEW: usize = 4;

/// How long it waits.
const PATIENCE: Duration = Duration::from_millis(250);

/// Where one transfer may go.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct UploadUrl {
    upload_url: String,
    authorization_token: String,
}

/// What an upload goes to: a bucket, or a large file of that id.
#[derive(Clone, Copy, Debug)]
pub(super) enum Goal<'a> {
    Bucket,
    LargeFile(&'a str),
}

impl<'a> Goal<'a> {
    fn file(self) -> &'a str {
        match self {
            Self::Bucket => "",
            Self::LargeFile(id) => id,
        }
    }
}

/// URLs by large file; the bucket's own under "".
#[derive(Default)]
pub(super) struct Urls(Mutex<HashMap<String, Arc<Pool>>>);

/// The URLs of one goal.
#[derive(Default)]
struct Pool {
    state: Mutex<PoolState>,
    returned: Notify,
}

#[derive(Default)]
struct PoolState {
    /// Nobody uses them at the moment.
    idle: Vec<(Url, Secret)>,
    /// URLs in use, and about to be fetched.
    busy: usize,
}

/// The right to one upload; its URL, once it has one. What is not [kept](Turn::keep) is forgotten.
struct Turn {
    pool: Arc<Pool>,
    url: Option<(Url, Secret)>,
}

impl Urls {
    fn pool(&self, goal: Goal<'_>) -> Arc<Pool> {
        let mut pools = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(pools.entry(goal.file().to_owned()).or_default())
    }

    /// A large file that is finished or given up needs none any more.
    pub fn forget(&self, file: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(file);
    }
}

impl Pool {
    fn state(&self) -> MutexGuard<'_, PoolState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A turn with a URL that is at hand or comes free soon; without one where a new one is to be fetched.
    async fn turn(self: Arc<Self>) -> Turn {
        let until = Instant::now() + PATIENCE;
        let mut patient = true;
        loop {
            let returned = self.returned.notified();
            {
                let mut state = self.state();
                let url = state.idle.pop();
                if url.is_some() || state.busy < FEW || !patient {
                    state.busy += 1;
                    drop(state);
                    return Turn { pool: Arc::clone(&self), url };
                }
            }
            patient = tokio::time::timeout_at(until, returned).await.is_ok();
        }
    }
}

impl Turn {
    /// The URL still works: it is for whoever comes next.
    fn keep(mut self) {
        if let Some(url) = self.url.take() {
            self.pool.state().idle.push(url);
        }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.pool.state().busy -= 1;
        self.pool.returned.notify_one();
    }
}

/// What is sent: bytes with their SHA-1 before them, or a stream with its SHA-1 behind it.
pub(super) struct Payload {
    body: Body,
    /// Bytes of the content.
    pub len: u64,
    /// The SHA-1, where it is known before the first byte.
    sha1: Option<Digest>,
    /// What is known of the content, and what it is held to on its way.
    claimed: Digests,
    /// What was found of the content once all of it had passed.
    passed: Passed,
}

/// Digests that are known when a body has passed as a whole.
#[derive(Clone, Debug, Default)]
struct Passed(Arc<Mutex<Option<Digests>>>);

impl Passed {
    fn get(&self) -> Option<Digests> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, digests: Digests) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(digests);
    }
}

impl Payload {
    /// From a body that is `size` bytes, where that was said, and what `claimed` says. What lies in memory is judged at
    /// once, and hashed for what is `wanted`.
    ///
    /// # Errors
    /// `Integrity` where it is not what was said; `Unsupported` where nobody knows how much is to come and it is much.
    pub async fn new(
        operation: Operation,
        body: Body,
        size: Option<u64>,
        claimed: &Digests,
        wanted: &[Algorithm],
    ) -> Result<Self> {
        let body = match (body.len(), size) {
            (None, Some(size)) => Body::stream(Some(size), body.chunks()),
            _ => body.gathered(operation).await?,
        };
        let len = body.len().unwrap_or_default();
        if size.is_some_and(|size| size != len) {
            let why = format!("the body has {len} bytes and was announced with {size:?}");
            return Err(Error::new(ErrorKind::Integrity, operation).retryable(false).because(why));
        }
        let small_file = body.as_file().filter(|(.., len)| *len <= SMALL);
        let body = match small_file.map(|(file, offset, len)| (Arc::clone(file), offset, len)) {
            // The taps are told of what is sent, not of what is read.
            Some((file, offset, len)) => {
                let bytes = Body::file(file, offset, len).collect().await?;
                body.taps().iter().cloned().fold(Body::from(bytes), Body::tapped)
            }
            None => body,
        };
        let mut claimed = claimed.clone();
        if let Some(bytes) = body.as_bytes() {
            let mut hasher = Hasher::new(&kinds(&claimed, wanted));
            hasher.update(bytes);
            let found = hasher.finish();
            held(operation, &claimed, &found)?;
            found.iter().for_each(|digest| claimed.set(*digest));
        }
        let sha1 = claimed.get(Algorithm::Sha1);
        Ok(Self { body, len, sha1, claimed, passed: Passed::default() })
    }

    /// What is known of the content before it is sent.
    pub fn known(&self) -> &Digests {
        &self.claimed
    }

    /// The same once more, where it can be read again.
    fn replay(&self) -> Option<Self> {
        let (len, sha1, claimed) = (self.len, self.sha1, self.claimed.clone());
        Some(Self { body: self.body.replay()?, len, sha1, claimed, passed: Passed::default() })
    }

    /// What goes over the wire: its `X-Bz-Content-Sha1`, its length in bytes, its chunks, and where the digests of what
    /// passed will be found.
    fn outgoing(self) -> (HeaderValue, u64, Outgoing, crate::web::body::Failure, Passed) {
        let known = self.sha1.map(|sha1| sha1.hex());
        let header = known.as_deref().unwrap_or("hex_digits_at_end");
        let header = HeaderValue::from_str(header).expect("hexadecimal digits are no obstacle to a header");
        if self.body.as_bytes().is_some() {
            self.passed.set(self.claimed.clone());
            let (outgoing, failure) = Outgoing::new(self.body);
            return (header, self.len, outgoing, failure, self.passed);
        }
        let total = self.len + if known.is_some() { 0 } else { 40 };
        let chunks = hashed(self.body, self.claimed, known.is_none(), self.passed.clone());
        let (outgoing, failure) = Outgoing::stream(Some(total), chunks);
        (header, total, outgoing, failure, self.passed)
    }
}

/// What is to be computed: what is wanted, and what was claimed, to compare it.
fn kinds(claimed: &Digests, wanted: &[Algorithm]) -> Vec<Algorithm> {
    claimed.iter().map(Digest::algorithm).chain(wanted.iter().copied()).collect()
}

/// The chunks of a body, hashed as they pass; at their end the SHA-1 in hexadecimal, where that is wanted. A body that is
/// not what was claimed ends in an error before its last byte.
fn hashed(body: Body, claimed: Digests, digits_at_end: bool, passed: Passed) -> Chunks {
    struct State {
        chunks: Chunks,
        left: u64,
        hasher: Option<Hasher>,
        tail: Option<Bytes>,
    }
    let mut kinds = kinds(&claimed, &[Algorithm::Sha1]);
    // Sent ahead, it is for the server to compare.
    kinds.retain(|kind| digits_at_end || *kind != Algorithm::Sha1);
    let left = body.len().unwrap_or_default();
    let state = State { chunks: body.chunks(), left, hasher: Some(Hasher::new(&kinds)), tail: None };
    stream::try_unfold((state, claimed, passed), move |(mut state, claimed, passed)| async move {
        if let Some(tail) = state.tail.take() {
            return Ok(Some((tail, (state, claimed, passed))));
        }
        let chunk = state.chunks.try_next().await?;
        let Some(mut hasher) = state.hasher.take() else { return Ok(None) };
        if let Some(chunk) = &chunk {
            hasher.update(chunk);
            state.left = state.left.saturating_sub(chunk.len() as u64);
        }
        if state.left > 0 {
            state.hasher = Some(hasher);
            return Ok(chunk.map(|chunk| (chunk, (state, claimed, passed))));
        }
        let found = hasher.finish();
        held(Operation::Put, &claimed, &found)?;
        if digits_at_end {
            state.tail = found.get(Algorithm::Sha1).map(|sha1| sha1.hex().into());
        }
        passed.set(claimed.iter().chain(found.iter()).copied().collect());
        let chunk = chunk.or_else(|| state.tail.take());
        Ok(chunk.map(|chunk| (chunk, (state, claimed, passed))))
    })
    .boxed()
}

/// Looks for what an upload without an answer left.
pub(super) trait Lost<A>: Send + Sync {
    /// What is there now, if it is what was sent.
    fn look(&self, sent: &Digests) -> impl Future<Output = Result<Option<A>>> + Send;
}

/// For what may be sent twice.
pub(super) struct Harmless;

impl<A: Send> Lost<A> for Harmless {
    async fn look(&self, _: &Digests) -> Result<Option<A>> {
        Ok(None)
    }
}

/// What an upload that failed asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Another URL.
    Anew,
    /// A look whether it was stored, then another URL.
    Look,
    /// The same once more: it may have been a bit that turned over on the way, which has no code of its own.
    Again,
    /// Nothing that would help at once.
    Give,
}

impl Way {
    fn on(error: &Error) -> Self {
        match fault_of(error) {
            None if matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout) => Self::Look,
            None => Self::Give,
            Some(fault) if fault.is_token() => Self::Anew,
            Some(Fault { status: 408 | 503, .. }) => Self::Anew,
            Some(Fault { status: 500.., .. }) => Self::Look,
            Some(fault) if fault.code == "auth_token_limit" => Self::Anew,
            Some(Fault { status: 400, code, .. }) if code == "bad_request" => Self::Again,
            Some(_) => Self::Give,
        }
    }
}

/// Sends a payload to an upload URL, and to another where the first is dead. `subject` is what the upload is of. Returns
/// the answer and the digests of what was sent.
///
/// # Errors
/// The refusal; what the body reported; what stopped the calls.
pub(super) async fn upload<A: DeserializeOwned + Send>(
    place: &Place,
    operation: Operation,
    (goal, subject): (Goal<'_>, &str),
    headers: &HeaderMap,
    mut payload: Payload,
    lost: &impl Lost<A>,
) -> Result<(A, Digests)> {
    let (mut urls, mut sent_again) = (1, false);
    loop {
        let mut turn = place.urls.pool(goal).turn().await;
        // After a dead one, those at hand may be dead as well.
        let url = match turn.url.take().filter(|_| urls == 1) {
            Some(url) => url,
            None => fetch(place, operation, goal).await?,
        };
        turn.url = Some(url.clone());
        let again = payload.replay();
        let passed = payload.passed.clone();
        let error = match send(place, operation, &url, headers, payload).await {
            Ok(answer) => {
                turn.keep();
                place.taken(subject);
                return Ok((answer, passed.get().unwrap_or_default()));
            }
            Err(error) => error,
        };
        let way = Way::on(&error);
        if way == Way::Look
            && let Some(sent) = passed.get()
            && let Some(found) = lost.look(&sent).await?
        {
            return Ok((found, sent));
        }
        match (way, again) {
            // Who is asked to wait waits; that is for a layer outside.
            (Way::Anew | Way::Look, Some(again)) if urls < URLS && error.retry_after().is_none() => {
                urls += 1;
                payload = again;
            }
            (Way::Again, Some(again)) if !sent_again => {
                turn.keep();
                sent_again = true;
                payload = again;
            }
            // Whoever has the content is asked for it, once.
            (Way::Again, None) if place.first_refusal(subject) => return Err(as_garbled(error)),
            // The next attempt begins with a URL of its own, whatever the last one died of: a token, too.
            (Way::Anew | Way::Look, _) => return Err(error.retryable(true)),
            _ => return Err(error),
        }
    }
}

/// A refusal that may come from a bit that turned over.
fn as_garbled(error: Error) -> Error {
    match fault_of(&error) {
        Some(fault) => Error::new(ErrorKind::Integrity, error.operation()).because(fault.clone()),
        None => error,
    }
}

/// A new URL.
async fn fetch(place: &Place, operation: Operation, goal: Goal<'_>) -> Result<(Url, Secret)> {
    let answer: UploadUrl = match goal {
        Goal::Bucket => {
            let asked = json!({ "bucketId": place.id(operation).await? });
            place.account.call(operation, "b2_get_upload_url", &asked).await?
        }
        Goal::LargeFile(id) => {
            let asked = json!({ "fileId": id });
            place.account.call(operation, "b2_get_upload_part_url", &asked).await.map_err(as_gone)?
        }
    };
    let url = answer.upload_url.parse().map_err(|error| Error::new(ErrorKind::Integrity, operation).because(error))?;
    Ok((url, Secret::new(answer.authorization_token)))
}

/// A 400 to a call that names nothing but a large file: there is no such upload any more.
pub(super) fn as_gone(error: Error) -> Error {
    match fault_of(&error) {
        Some(fault) if fault.status == 400 => Error::new(ErrorKind::NotFound, error.operation()).because(fault.clone()),
        _ => error,
    }
}

async fn send<A: DeserializeOwned>(
    place: &Place,
    operation: Operation,
    (url, token): &(Url, Secret),
    headers: &HeaderMap,
    payload: Payload,
) -> Result<A> {
    let (sha1, len, outgoing, failure, _) = payload.outgoing();
    let mut headers = headers.clone();
    headers.insert("x-bz-content-sha1", sha1);
    // An empty body would be sent without.
    headers.insert(header::CONTENT_LENGTH, len.into());
    headers.insert(header::AUTHORIZATION, secret_header(operation, token.reveal())?);
    let call = Call { headers, ..Call::new(operation, Method::POST, url.clone()) };
    let answer = place.account.web.send_outgoing(call, Some(outgoing.primed().await?), &failure).await?;
    let answer = succeeded(operation, answer).await?;
    read_json(operation, answer.into_body()).await
}
