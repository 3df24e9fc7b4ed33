//! Uploads in parts.

use bytes::Bytes;

use super::{
    checks::{Check, Trouble, Verdict, ensure, fails},
    errors::writable,
    site::{Site, breaking, digests, name, noise, streamed},
};
use crate::{
    capability::MultipartAbility,
    entry::{Algorithm, Digest, Digests, Timestamp},
    error::{ErrorKind, Result},
    store::{Part, PartRequest, PutRequest, UploadToken},
};

/// The largest smallest part that is tried: with it a check sends three of them.
const MOST: u64 = 8 * 1024 * 1024;

pub(super) static CHECKS: &[Check] = &[
    Check::new("parts.assembled", "parts sent in any order, and sent again, make the object", |site| {
        Box::pin(assembled(site))
    }),
    Check::new("parts.invisible", "nothing is visible, and the old object stays, before all is complete", |site| {
        Box::pin(invisible(site))
    }),
    Check::new("parts.resumed", "an open upload is found again, with its parts, and goes on", |site| {
        Box::pin(resumed(site))
    }),
    Check::new("parts.begun", "an open upload of one key is found by what it was begun with", |site| {
        Box::pin(begun(site))
    }),
    Check::new("parts.wrong_digest", "a part that is not what its digest says is refused", |site| {
        Box::pin(wrong_digest(site))
    }),
    Check::new("parts.broken_body", "a part whose body fails midway is not there", |site| Box::pin(broken_body(site))),
    Check::new("parts.aborted", "an upload that is given up is gone, and giving up twice is no error", |site| {
        Box::pin(aborted(site))
    }),
];

/// # Errors
/// `NotOffered` where there are no uploads in parts, or where they would be too costly to try.
pub(super) fn ability(site: &Site) -> Result<MultipartAbility, Trouble> {
    writable(site)?;
    match site.can().multipart {
        None => Err(Trouble::NotOffered("it has no uploads in parts".to_owned())),
        Some(ability) if ability.min_part > MOST => {
            Err(Trouble::NotOffered(format!("parts of {} bytes are too much to try", ability.min_part)))
        }
        Some(ability) => Ok(ability),
    }
}

pub(super) fn request(size: u64) -> PutRequest {
    PutRequest { size: Some(size), ..PutRequest::default() }
}

pub(super) async fn send(site: &Site, token: &UploadToken, number: u32, offset: u64, content: &Bytes) -> Result<Part> {
    let part = PartRequest { number, offset, digests: digests(&[Algorithm::Md5], content) };
    site.store.put_part(token, &part, content.clone().into()).await
}

/// Content that is cut into as few parts as the store takes, the last of 1,000 bytes.
fn fewest(can: &MultipartAbility) -> Bytes {
    let size = usize::try_from(can.smallest() - 1).unwrap_or(0);
    noise(1, size + 1_000)
}

/// Sends such content whole.
async fn send_all(site: &Site, token: &UploadToken, content: &Bytes) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let len = site.can().multipart.map_or(0, |can| usize::try_from(can.min_part).unwrap_or(0));
    let (mut number, mut start) = (1, 0);
    while start < content.len() {
        let last = content.len() - start <= 1_000;
        let end = if last { content.len() } else { (start + len).min(content.len() - 1_000) };
        parts.push(send(site, token, number, start as u64, &content.slice(start..end)).await?);
        (number, start) = (number + 1, end);
    }
    Ok(parts)
}

async fn assembled(site: &Site) -> Verdict {
    let min = ability(site)?.min_part.max(1);
    let len = usize::try_from(min).unwrap_or(0);
    let (first, last) = (noise(1, len), noise(2, 1_000));
    let size = min + 1_000;
    let token = site.store.begin(&name("a"), &request(size)).await?;
    let second = send(site, &token, 2, min, &last).await?;
    send(site, &token, 1, 0, &noise(3, len)).await?;
    let again = send(site, &token, 1, 0, &first).await?;
    ensure(again.size == min && again.number == 1, || format!("part 1 of {min} bytes is told as {again:?}"))?;
    let whole: Bytes = [first, last].concat().into();
    let entry = site.store.complete(&token, &request(size), &[again, second]).await?;
    ensure(entry.size.is_none_or(|told| told == size), || format!("{size} bytes are told as {:?}", entry.size))?;
    let truth = digests(&[Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256], &whole);
    let right = entry.digests.compare(&truth).is_none_or(|(_, equal)| equal);
    ensure(right, || format!("the digests told are wrong: {:?}", entry.digests))?;
    site.holds("a", &whole, "after its parts were put together").await?;
    // An answer may have been lost: asked again, it is done or gone, and nothing changes.
    match site.store.complete(&token, &request(size), &[]).await {
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Integrity | ErrorKind::BadRequest) => {}
        done => drop(done?),
    }
    site.holds("a", &whole, "after it was completed twice").await
}

async fn invisible(site: &Site) -> Verdict {
    let content = fewest(&ability(site)?);
    let size = content.len() as u64;
    site.put("there", "old").await?;
    for key in ["new", "there"] {
        let token = site.store.begin(&name(key), &request(size)).await?;
        let parts = send_all(site, &token, &content).await?;
        match key {
            "new" => site.is_missing(key, "before its upload is complete").await?,
            _ => site.holds(key, b"old", "before its upload is complete").await?,
        }
        let listed = site.keys("").await?;
        let known = |key: &String| key == "there" || key == "new";
        ensure(listed.iter().all(known), || format!("an open upload shows as {listed:?}"))?;
        site.store.complete(&token, &request(size), &parts).await?;
        site.holds(key, &content, "after its upload").await?;
    }
    Ok(())
}

async fn resumed(site: &Site) -> Verdict {
    let can = ability(site)?;
    let content = fewest(&can);
    let size = content.len() as u64;
    let token = site.store.begin(&name("a"), &request(size)).await?;
    let other = site.store.begin(&name("b"), &request(size)).await?;
    let sent = send_all(site, &token, &content).await?;
    let open = site.store.uploads("").await?;
    for token in [&token, &other] {
        ensure(open.iter().any(|upload| upload.token == *token), || format!("{:?} is not among {open:?}", token.key))?;
    }
    let only = site.store.uploads("b").await?;
    ensure(only.iter().all(|upload| upload.token.key == name("b")), || format!("below \"b\" are {only:?}"))?;
    let parts = site.store.parts(&token).await?;
    ensure(parts.len() == sent.len(), || format!("{} parts were sent, {parts:?} are there", sent.len()))?;
    let mut start = 0;
    for (part, sent) in parts.iter().zip(&sent) {
        let same = part.number == sent.number && part.size == sent.size && part.etag == sent.etag;
        ensure(same, || format!("{sent:?} is listed as {part:?}"))?;
        let end = start + usize::try_from(sent.size).unwrap_or(0);
        if let Some(truth) = can.part_digest.and_then(|kind| crate::digest::of(kind, &content[start..end])) {
            let told = part.digests.get(truth.algorithm());
            ensure(told == Some(truth), || format!("the part's digest is told as {told:?}, not {truth}"))?;
        }
        start = end;
    }
    site.store.complete(&token, &request(size), &parts).await?;
    site.holds("a", &content, "after an upload that went on").await?;
    site.store.abort(&other).await?;
    let open = site.store.uploads("").await?;
    ensure(open.is_empty(), || format!("with all completed or given up, {open:?} are open"))
}

async fn begun(site: &Site) -> Verdict {
    let can = ability(site)?;
    if !can.tells_begun {
        return Err(Trouble::NotOffered("it does not tell the open uploads of one key".to_owned()));
    }
    let size = can.min_part + 1_000;
    let dated = |seconds| PutRequest { modified: Some(Timestamp::from_parts(seconds, 0)), ..request(size) };
    let (ours, later) = (dated(1_500_000_000), dated(1_600_000_000));
    let token = site.store.begin(&name("a"), &ours).await?;
    let others = [site.store.begin(&name("ab"), &ours).await?, site.store.begin(&name("b"), &ours).await?];
    let found = site.store.begun(&name("a"), &ours).await?;
    ensure(found.len() == 1 && found[0].token == token, || {
        format!("of \"a\" one upload is open, and found are {found:?}")
    })?;
    let found = site.store.begun(&name("a"), &later).await?;
    ensure(found.iter().all(|begun| !begun.described), || format!("begun with another time are {found:?}"))?;
    for token in others.iter().chain([&token]) {
        site.store.abort(token).await?;
    }
    let found = site.store.begun(&name("a"), &ours).await?;
    ensure(found.is_empty(), || format!("given up, {found:?} are still found"))
}

async fn wrong_digest(site: &Site) -> Verdict {
    ability(site)?;
    let token = site.store.begin(&name("a"), &request(1_000)).await?;
    let content = noise(1, 1_000);
    for wrong in [Digest::Md5([7; 16]), Digest::Sha256([7; 32])] {
        let part = PartRequest { digests: Digests::from_iter([wrong]), ..PartRequest::new(1, 0) };
        for body in [content.clone().into(), streamed(Some(1_000), &content)] {
            let sent = site.store.put_part(&token, &part, body).await;
            fails(sent, &[ErrorKind::Integrity], &format!("a part with a wrong {}", wrong.algorithm()))?;
        }
    }
    let parts = site.store.parts(&token).await?;
    ensure(parts.is_empty(), || format!("after refused parts {parts:?} are there"))?;
    site.store.abort(&token).await?;
    Ok(())
}

async fn broken_body(site: &Site) -> Verdict {
    ability(site)?;
    let token = site.store.begin(&name("a"), &request(300_000)).await?;
    let body = breaking(300_000, &noise(1, 150_000));
    let part = site.store.put_part(&token, &PartRequest::new(1, 0), body).await;
    ensure(part.is_err(), || "a part whose body failed was taken".to_owned())?;
    let parts = site.store.parts(&token).await?;
    ensure(parts.is_empty(), || format!("{parts:?} are there"))?;
    site.store.abort(&token).await?;
    Ok(())
}

async fn aborted(site: &Site) -> Verdict {
    ability(site)?;
    let content = noise(1, 1_000);
    let token = site.store.begin(&name("a"), &request(1_000)).await?;
    let part = send(site, &token, 1, 0, &content).await?;
    site.store.abort(&token).await?;
    site.store.abort(&token).await?;
    let open = site.store.uploads("").await?;
    ensure(open.is_empty(), || format!("given up, {open:?} are still open"))?;
    let gone = [ErrorKind::NotFound];
    fails(send(site, &token, 2, 1_000, &content).await, &gone, "a part of an upload that was given up")?;
    fails(site.store.parts(&token).await, &gone, "the parts of an upload that was given up")?;
    let complete = site.store.complete(&token, &request(1_000), &[part]).await;
    fails(complete, &gone, "completing an upload that was given up")?;
    site.is_missing("a", "after its upload was given up").await
}
