//! A big object in parts: up, down, across, or copied inside the endpoint. The same road for all four.

use std::{collections::HashMap, sync::Arc};

use sterna_backends::{
    Algorithm, Digests, Entry, Error, ErrorKind, MultipartAbility, Operation, Part, PutRequest, Result, UploadToken,
};
use tokio::task::JoinSet;

use super::{
    budget::{Budget, MIB, part_size},
    carry::Carriage,
    prehash::{Prehash, prehash},
    resume::{Held, Record, Records, same_digests},
};
use crate::{
    event::{Deed, Event},
    index::learn,
};

/// Bytes of a part that is copied inside the endpoint: 512 MiB, as few requests as is still parallel.
const COPIED_PART: u64 = 512 * MIB;

/// Parts of one object in flight at once.
const AT_ONCE: usize = 8;

/// Carries the object in parts; each takes a slot of its own.
pub(super) async fn carry(mut carriage: Carriage, budget: Arc<Budget>, records: &Records) -> Result<Entry> {
    let can = carriage.source.capabilities();
    let listed_less = can.metadata != Default::default() || can.modified.is_some() && !can.modified_in_list;
    if listed_less && carriage.entry.metadata.is_none() {
        let source = Arc::clone(&carriage.source);
        learn(&source, &mut carriage.entry).await?;
    }
    let Some(ability) = carriage.target.capabilities().multipart else {
        return Err(Error::unsupported(Operation::Begin, "no uploads in parts").at(&carriage.action.key));
    };
    let size = carriage.size();
    let mut part = part_size(&carriage.settings, &ability, size, carriage.between_remotes());
    part = carriage.part.unwrap_or(part);
    if carriage.action.deed == Deed::Copy {
        part = part.max(COPIED_PART.min(ability.max_part));
    }
    let hashes = before(&carriage, &ability, part).await?;
    let digests: Digests = carriage.known(&carriage.entry).iter().chain(hashes.whole.iter()).copied().collect();
    let request = carriage.parts_request(&digests);

    let mut held = records.hold(carriage.target.name(), &carriage.action.key).await?;
    let (token, there) = begin(&carriage, &request, part, &mut held, &hashes, &ability).await?;
    let carriage = Arc::new(carriage);
    let sent = send(&carriage, &budget, &token, part, there, hashes).await;
    let finished = match sent {
        Ok(parts) => finish(&carriage, &token, &request, &parts).await,
        Err(error) => Err(error),
    };
    match finished {
        Ok(mut stored) => {
            held.clear();
            carriage.check_stored(&stored, &request.digests)?;
            digests.iter().for_each(|digest| stored.digests.set(*digest));
            Ok(stored)
        }
        Err(error) => {
            // What may succeed later is left for a later run; what cannot is freed at once.
            if !error.is_retryable() || !ability.resumable {
                let _best_effort = carriage.target.abort(&token).await;
                held.clear();
            }
            Err(error)
        }
    }
}

async fn finish(carriage: &Carriage, token: &UploadToken, request: &PutRequest, parts: &[Part]) -> Result<Entry> {
    carriage.check_unchanged().await?;
    carriage.target.complete(token, request, parts).await
}

/// The digests that must be known before the upload begins: the whole's, which travels as metadata, and the parts',
/// which the server checks. Only of a file, where reading twice costs no request.
async fn before(carriage: &Carriage, ability: &MultipartAbility, part: u64) -> Result<Prehash> {
    if carriage.action.deed == Deed::Copy || !carriage.source.capabilities().cheap_read {
        return Ok(Prehash::default());
    }
    let mut whole = vec![Algorithm::Sha256, Algorithm::Sha1];
    whole.retain(|kind| carriage.target.capabilities().records(*kind));
    if whole.is_empty() {
        return Ok(Prehash::default());
    }
    let wanted = carriage.wanted(&carriage.entry.digests);
    let more: Vec<Algorithm> = wanted.into_iter().filter(|kind| !whole.contains(kind)).collect();
    whole.extend(more);
    let reader = carriage.read(None).await?;
    carriage.check_seen(&reader.entry)?;
    match reader.body.as_file() {
        Some((file, 0, size)) => {
            let per_part = ability.part_checksum.into_iter().collect();
            prehash(Arc::clone(file), size, whole, part, per_part).await
        }
        _ => Ok(Prehash::default()),
    }
}

/// Goes on with the upload that an earlier run left, if it sent the same content; else begins one.
async fn begin(
    carriage: &Carriage,
    request: &PutRequest,
    part: u64,
    held: &mut Held,
    hashes: &Prehash,
    ability: &MultipartAbility,
) -> Result<(UploadToken, Vec<Part>)> {
    if let Some(record) = held.found.take() {
        if record.token.key == carriage.action.key
            && record.continues(carriage.source.name(), &carriage.entry, part)
            && same_digests(&record, request)
        {
            if let Ok(parts) = carriage.target.parts(&record.token).await {
                let parts = proven(carriage, parts, part, hashes, ability).await?;
                let bytes = parts.iter().map(|part| part.size).sum();
                carriage.observer.on(&Event::Resumed { key: carriage.action.key.clone(), bytes });
                return Ok((record.token, parts));
            }
        } else {
            let _best_effort = carriage.target.abort(&record.token).await;
        }
    }
    let token = carriage.target.begin(&carriage.action.key, request).await?;
    let record = Record {
        token: token.clone(),
        source_store: carriage.source.name().to_owned(),
        source: carriage.entry.clone(),
        part_size: part,
        digests: request.digests.clone(),
    };
    held.write(&record)?;
    Ok((token, Vec::new()))
}

/// Of the parts that are there, those that hold what would be sent: the right size and, where the source can be read
/// for nothing, the right digest.
async fn proven(
    carriage: &Carriage,
    parts: Vec<Part>,
    part_size: u64,
    hashes: &Prehash,
    ability: &MultipartAbility,
) -> Result<Vec<Part>> {
    let mut kept = Vec::new();
    for part in parts {
        let range = range_of(part.number, part_size, carriage.size());
        if part.size != range.end.saturating_sub(range.start) || part.size == 0 {
            continue;
        }
        let known = hashes.parts.get(part.number as usize - 1).and_then(|digests| digests.compare(&part.digests));
        let right = match known {
            Some((_, equal)) => equal,
            None if !carriage.source.capabilities().cheap_read => true,
            None => match ability.part_digest {
                Some(algorithm) if part.digests.get(algorithm).is_some() => {
                    let body = carriage.read(Some(range)).await?.body;
                    let digests = crate::index::of_chunks(body.chunks(), &[algorithm]).await?;
                    digests.get(algorithm) == part.digests.get(algorithm)
                }
                _ => false,
            },
        };
        if right {
            kept.push(part);
        }
    }
    Ok(kept)
}

fn range_of(number: u32, part_size: u64, size: u64) -> std::ops::Range<u64> {
    let start = u64::from(number - 1) * part_size;
    start.min(size)..start.saturating_add(part_size).min(size)
}

/// Sends what is not there yet and returns all parts in order.
async fn send(
    carriage: &Arc<Carriage>,
    budget: &Arc<Budget>,
    token: &UploadToken,
    part_size: u64,
    there: Vec<Part>,
    mut hashes: Prehash,
) -> Result<Vec<Part>> {
    let count = u32::try_from(carriage.size().div_ceil(part_size).max(1))
        .map_err(|_| Error::unsupported(Operation::Begin, "too many parts").at(&carriage.action.key))?;
    let mut done: HashMap<u32, Part> = there.into_iter().map(|part| (part.number, part)).collect();
    let mut tasks = JoinSet::new();
    for number in 1..=count {
        if done.contains_key(&number) {
            continue;
        }
        while tasks.len() >= AT_ONCE {
            collect(&mut tasks, &mut done).await?;
        }
        let slot = budget.slot().await?;
        let (carriage, budget, token) = (Arc::clone(carriage), Arc::clone(budget), token.clone());
        let digests = hashes.parts.get_mut(number as usize - 1).map(std::mem::take).unwrap_or_default();
        let range = range_of(number, part_size, carriage.size());
        tasks.spawn(async move {
            let _slot = slot;
            one(&carriage, &budget, &token, number, range, digests).await
        });
    }
    while !tasks.is_empty() {
        collect(&mut tasks, &mut done).await?;
    }
    let mut parts: Vec<Part> = done.into_values().collect();
    parts.sort_by_key(|part| part.number);
    Ok(parts)
}

async fn collect(tasks: &mut JoinSet<Result<Part>>, done: &mut HashMap<u32, Part>) -> Result<()> {
    let Some(joined) = tasks.join_next().await else { return Ok(()) };
    let part = joined.map_err(|panic| Error::new(ErrorKind::Other, Operation::PutPart).because(panic))??;
    done.insert(part.number, part);
    Ok(())
}

async fn one(
    carriage: &Carriage,
    budget: &Budget,
    token: &UploadToken,
    number: u32,
    range: std::ops::Range<u64>,
    digests: Digests,
) -> Result<Part> {
    if carriage.action.deed == Deed::Copy {
        let source = carriage.copied().await?;
        return carriage.target.copy_part(token, number, &source, range).await;
    }
    let _room = if carriage.between_remotes() { Some(budget.memory(range.end - range.start).await?) } else { None };
    let offset = range.start;
    let reader = carriage.read(Some(range)).await?;
    carriage.check_seen(&reader.entry)?;
    let mut body = reader.body;
    if carriage.between_remotes() {
        body = body.collect().await?.into();
    }
    carriage.target.put_part(token, number, offset, &digests, body.tapped(carriage.tap())).await
}
