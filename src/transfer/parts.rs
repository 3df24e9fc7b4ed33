//! A big object in parts: up, down, across, or copied inside the endpoint. The same road for all four.

use std::{collections::HashMap, fs::File, sync::Arc};

use sterna_backends::{
    Algorithm, Digest, Digests, Entry, Error, ErrorKind, MultipartAbility, Operation, Part, PartRequest, PutRequest,
    Result, UploadToken,
};
use tokio::task::JoinSet;

use super::{
    adopt,
    budget::{Budget, cut},
    carry::{Carriage, lists_less},
    prehash::{Prehash, prehash},
    resume::{Held, Record, Records, same_digests},
};
use crate::{
    event::{Deed, Event},
    index::{learn, of_chunks, of_file},
};

/// Parts of one object in flight at once.
pub(super) const AT_ONCE: usize = 8;

/// Carries the object in parts; each takes a slot of its own.
pub(super) async fn carry(mut carriage: Carriage, budget: Arc<Budget>, records: &Records) -> Result<Entry> {
    if lists_less(carriage.source.capabilities()) && carriage.entry.metadata.is_none() {
        let source = Arc::clone(&carriage.source);
        learn(&source, &mut carriage.entry).await?;
    }
    let Some(ability) = carriage.target.capabilities().multipart else {
        return Err(Error::unsupported(Operation::Begin, "no uploads in parts").at(&carriage.action.key));
    };
    let can = (carriage.source.capabilities(), carriage.target.capabilities());
    let shared = carriage.part;
    let part = cut(&carriage.settings, can, carriage.action.deed, carriage.size(), shared).unwrap_or(ability.max_part);
    let (hashes, mut beside) = before(&carriage, &ability, part).await?;
    let digests: Digests = carriage.known(&carriage.entry).iter().chain(hashes.whole.iter()).copied().collect();
    let request = carriage.parts_request(&digests);

    let mut held = records.hold(carriage.target.name(), &carriage.action.key).await?;
    let cut = Cut { part, hashes: &hashes, ability: &ability };
    let mut open = open(&carriage, &request, &mut held, &cut).await?;
    let carriage = Arc::new(carriage);
    let mut finished = finish(&carriage, &budget, &mut open, &request, (&cut, &mut beside)).await;
    if let (Some(_), Err(error)) = (&open.adopted, &finished)
        && !error.is_retryable()
        && error.kind() != ErrorKind::Changed
    {
        // It was not what it seemed, or somebody else has ended it.
        open = begin(&carriage, &request, &mut held, part).await?;
        finished = finish(&carriage, &budget, &mut open, &request, (&cut, &mut beside)).await;
    }
    match finished {
        Ok(mut stored) => {
            held.clear();
            carriage.check_stored(&stored, &request.digests)?;
            digests.iter().chain(beside.digests.iter()).for_each(|digest| stored.digests.set(*digest));
            Ok(stored)
        }
        Err(error) => {
            // What may succeed later is left for a later run; what cannot is freed at once, if it is certainly ours.
            if !error.is_retryable() || !ability.resumable {
                if open.adopted.is_none() {
                    let _best_effort = carriage.target.abort(&open.token).await;
                }
                held.clear();
            }
            Err(error)
        }
    }
}

/// How an object is cut into parts.
pub(super) struct Cut<'a> {
    /// Bytes of a part.
    pub part: u64,
    /// What is known of the bytes.
    pub hashes: &'a Prehash,
    pub ability: &'a MultipartAbility,
}

/// An upload that is under way.
struct Open {
    token: UploadToken,
    /// The parts that are there already.
    there: Vec<Part>,
    /// Where it is one that no record was kept of: whether the store told that it was begun as the request says.
    adopted: Option<bool>,
}

/// Sends what is missing and puts the parts together.
async fn finish(
    carriage: &Arc<Carriage>,
    budget: &Arc<Budget>,
    open: &mut Open,
    request: &PutRequest,
    (cut, beside): (&Cut<'_>, &mut Beside),
) -> Result<Entry> {
    let parts = send(carriage, budget, open, cut).await?;
    beside.end().await;
    carriage.check_unchanged().await?;
    let stored = carriage.target.complete(&open.token, request, &parts).await?;
    if open.adopted == Some(false) {
        adopt::describe(carriage, request).await?;
    }
    Ok(stored)
}

/// The digests that must be known before the upload begins: the whole's, which travels as metadata, and the parts',
/// which the server checks; and those that only the index wants, or what computes them. Only of a file, where reading
/// twice costs no request; where nothing travels, all are only wanted.
async fn before(carriage: &Carriage, ability: &MultipartAbility, part: u64) -> Result<(Prehash, Beside)> {
    let nothing = || (Prehash::default(), Beside::default());
    if carriage.action.deed == Deed::Copy || !carriage.source.capabilities().cheap_read {
        return Ok(nothing());
    }
    let target = carriage.target.capabilities();
    let recorded = |kind: &Algorithm| target.records(*kind);
    let always = [Algorithm::Sha256, Algorithm::Sha1];
    let travels = always.iter().any(recorded);
    if !travels && target.cheap_read {
        return Ok(nothing());
    }
    let wanted = carriage.wanted(&carriage.entry.digests);
    let is_first = |kind: &Algorithm| travels && (recorded(kind) || wanted.contains(kind));
    let first: Vec<Algorithm> = always.into_iter().filter(is_first).collect();
    let asked = |kind: &Algorithm| always.contains(kind) || carriage.settings.digests.contains(kind);
    let kept = |kind: &&Algorithm| !first.contains(kind) && asked(kind);
    let later: Vec<Algorithm> = wanted.iter().filter(kept).copied().collect();
    let reader = carriage.read(None).await?;
    carriage.check_seen(&reader.entry)?;
    let Some((file, 0, size)) = reader.body.as_file() else { return Ok(nothing()) };
    let mut beside = Beside::of(file, size, later);
    let per_part = ability.part_checksum.into_iter().collect();
    if first.is_empty() {
        return Ok((Prehash::default(), beside));
    }
    let mut hashes = prehash(Arc::clone(file), size, first, part, per_part).await?;
    let (travels, stays): (Vec<Digest>, _) = hashes.whole.iter().partition(|digest| recorded(&digest.algorithm()));
    hashes.whole = travels.into_iter().collect();
    beside.digests.extend(stays);
    Ok((hashes, beside))
}

/// Digests that nobody waits for before the last part: MD5 takes three times as long as SHA-256 with its instructions.
/// Dropped, it stops.
#[derive(Default)]
struct Beside {
    computing: JoinSet<Result<Digests>>,
    /// What is known already.
    digests: Digests,
}

impl Beside {
    fn of(file: &Arc<File>, size: u64, wanted: Vec<Algorithm>) -> Self {
        let mut computing = JoinSet::new();
        if !wanted.is_empty() {
            let file = Arc::clone(file);
            computing.spawn(async move { of_file(&file, 0..size, &wanted).await });
        }
        Self { computing, digests: Digests::new() }
    }

    /// Waits for them. What could not be read is not known.
    async fn end(&mut self) {
        while let Some(computed) = self.computing.join_next().await {
            self.digests.extend(computed.ok().and_then(Result::ok).unwrap_or_default());
        }
    }
}

/// Goes on with the upload that an earlier run left, if it sent the same content; else begins one.
async fn open(carriage: &Carriage, request: &PutRequest, held: &mut Held, cut: &Cut<'_>) -> Result<Open> {
    if let Some(record) = held.found.take() {
        if record.token.key == carriage.action.key
            && record.continues(carriage.source.name(), &carriage.entry, cut.part)
            && same_digests(&record, request)
        {
            if let Ok(parts) = carriage.target.parts(&record.token).await {
                let there = proven(carriage, parts, cut).await?;
                say_resumed(carriage, &there);
                let adopted = record.adopted.then_some(false);
                return Ok(Open { token: record.token, there, adopted });
            }
        } else if !record.adopted {
            let _best_effort = carriage.target.abort(&record.token).await;
        }
    } else if held.is_owned()
        && let Some(found) = adopt::find(carriage, request, cut).await?
    {
        say_resumed(carriage, &found.parts);
        held.write(&record(carriage, request, cut.part, &found.token, !found.described))?;
        return Ok(Open { token: found.token, there: found.parts, adopted: Some(found.described) });
    }
    begin(carriage, request, held, cut.part).await
}

async fn begin(carriage: &Carriage, request: &PutRequest, held: &mut Held, part: u64) -> Result<Open> {
    let token = carriage.target.begin(&carriage.action.key, request).await?;
    if let Err(error) = held.write(&record(carriage, request, part, &token, false)) {
        // Nobody would find it again.
        let _best_effort = carriage.target.abort(&token).await;
        return Err(error.at(&carriage.action.key));
    }
    Ok(Open { token, there: Vec::new(), adopted: None })
}

fn record(carriage: &Carriage, request: &PutRequest, part: u64, token: &UploadToken, adopted: bool) -> Record {
    Record {
        token: token.clone(),
        source_store: carriage.source.name().to_owned(),
        source: carriage.entry.clone(),
        part_size: part,
        digests: request.digests.clone(),
        adopted,
    }
}

fn say_resumed(carriage: &Carriage, there: &[Part]) {
    let bytes = there.iter().map(|part| part.size).sum();
    carriage.observer.on(&Event::Resumed { key: carriage.action.key.clone(), bytes });
}

/// Of the parts that are there, those that hold what would be sent.
async fn proven(carriage: &Carriage, parts: Vec<Part>, cut: &Cut<'_>) -> Result<Vec<Part>> {
    let mut kept = Vec::new();
    for part in parts {
        if holds(carriage, cut, &part).await? {
            kept.push(part);
        }
    }
    Ok(kept)
}

/// Whether a part that is there holds what would be sent: the right size and, where the source can be read for nothing,
/// the right digest.
pub(super) async fn holds(carriage: &Carriage, cut: &Cut<'_>, part: &Part) -> Result<bool> {
    let Some(index) = part.number.checked_sub(1) else { return Ok(false) };
    let range = range_of(part.number, cut.part, carriage.size());
    if part.size != range.end.saturating_sub(range.start) || part.size == 0 {
        return Ok(false);
    }
    let known = cut.hashes.parts.get(index as usize).and_then(|digests| digests.compare(&part.digests));
    Ok(match known {
        Some((_, equal)) => equal,
        None if !carriage.source.capabilities().cheap_read => true,
        None => match cut.ability.part_digest {
            Some(algorithm) if part.digests.get(algorithm).is_some() => {
                let body = carriage.read(Some(range)).await?.body;
                let digests = of_chunks(body.chunks(), &[algorithm]).await?;
                digests.get(algorithm) == part.digests.get(algorithm)
            }
            _ => false,
        },
    })
}

fn range_of(number: u32, part_size: u64, size: u64) -> std::ops::Range<u64> {
    let start = u64::from(number - 1) * part_size;
    start.min(size)..start.saturating_add(part_size).min(size)
}

/// Sends what is not there yet and returns all parts in order.
async fn send(carriage: &Arc<Carriage>, budget: &Arc<Budget>, open: &mut Open, cut: &Cut<'_>) -> Result<Vec<Part>> {
    let count = u32::try_from(carriage.size().div_ceil(cut.part).max(1))
        .map_err(|_| Error::unsupported(Operation::Begin, "too many parts").at(&carriage.action.key))?;
    let there = std::mem::take(&mut open.there);
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
        let (carriage, budget, token) = (Arc::clone(carriage), Arc::clone(budget), open.token.clone());
        let digests = cut.hashes.parts.get(number as usize - 1).cloned().unwrap_or_default();
        let range = range_of(number, cut.part, carriage.size());
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
    let part = PartRequest { number, offset: range.start, digests };
    let reader = carriage.read(Some(range)).await?;
    carriage.check_seen(&reader.entry)?;
    let mut body = reader.body;
    if carriage.between_remotes() {
        body = body.collect().await?.into();
    }
    carriage.target.put_part(token, &part, body.tapped(carriage.tap())).await
}
