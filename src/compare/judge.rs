//! The rules, in the order in which they are asked.

use std::time::Duration;

use sterna_backends::{Algorithm, Entry};

use super::{Evidence, Mode, Policy, Question, Reason, Side, Verdict, Which};

/// Compares the objects both sides have under one key.
///
/// An answered question is seen in the entries: after a `Stat` their metadata is set, after a `Digest` or `Parts` that
/// digest is known. Every question is therefore asked at most once, and the questions end.
#[must_use]
pub fn judge(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry) -> Verdict {
    if policy.ignore_existing {
        return Verdict::Kept;
    }
    if policy.update {
        match newer(policy, sides, source, target) {
            Ok(true) => return Verdict::Kept,
            Ok(false) => {}
            Err(question) => return Verdict::Ask(question),
        }
    }
    match content(policy, sides, source, target) {
        Verdict::Differs(reason) if policy.immutable => Verdict::Immutable(reason),
        verdict => verdict,
    }
}

fn content(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry) -> Verdict {
    if policy.mode == Mode::IgnoreTimes {
        return Verdict::Differs(Reason::Forced);
    }
    let (Some(size), Some(target_size)) = (source.size, target.size) else {
        return match unknown(source, |entry| entry.size.is_none(), Which::Source)
            .or_else(|| unknown(target, |entry| entry.size.is_none(), Which::Target))
        {
            Some(question) => Verdict::Ask(question),
            None => without_size(source, target),
        };
    };
    if size != target_size {
        return Verdict::Differs(Reason::Size);
    }
    if policy.mode == Mode::SizeOnly {
        return same(Evidence::Unproven);
    }
    if let Some((algorithm, equal)) = source.digests.compare(&target.digests) {
        return if equal {
            Verdict::Same { evidence: Evidence::Proven(algorithm), touch: touches(policy, sides, source, target) }
        } else {
            Verdict::Differs(Reason::Digest(algorithm))
        };
    }
    if policy.mode == Mode::Checksum {
        return by_digest(sides, source, target, true).map_or_else(|| same(Evidence::Unproven), Verdict::Ask);
    }
    by_time(policy, sides, source, target, size)
}

/// Whether the time alone is to be set: where both listings tell times. What was asked for another reason does not
/// count, as it is not asked where an earlier run has left the answer.
fn touches(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry) -> bool {
    let told = sides.0.lists_times && sides.1.lists_times;
    told && !policy.keep_times && times_differ(policy, sides, source, target) == Some(true)
}

/// No digest in common: time decides, else the bytes of small files.
fn by_time(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry, size: u64) -> Verdict {
    let small = size <= policy.read_below;
    match times_differ(policy, sides, source, target) {
        Some(false) => same(Evidence::Likely),
        // The same bytes under another time need no transfer, if a digest can be had without one.
        Some(true) => by_digest(sides, source, target, false).map_or(Verdict::Differs(Reason::Time), Verdict::Ask),
        None => {
            let cheap = by_digest(sides, source, target, false).filter(|_| small);
            let stat = || {
                [(sides.0, source, Which::Source), (sides.1, target, Which::Target)]
                    .into_iter()
                    .filter(|(side, entry, _)| side.modified.is_some() && entry.modified.is_none())
                    .find_map(|(_, entry, which)| unknown(entry, |_| true, which))
            };
            let large = || by_digest(sides, source, target, false);
            let read = || by_digest(sides, source, target, true).filter(|_| small);
            match cheap.or_else(stat).or_else(large).or_else(read) {
                Some(question) => Verdict::Ask(question),
                None => same(Evidence::Unproven),
            }
        }
    }
}

/// What to ask so that both sides know a digest of the same kind: first for what a stat tells, then for a reading of
/// a side that is cheap to read, and, if `any`, of a side that is not.
fn by_digest(sides: (Side, Side), source: &Entry, target: &Entry, any: bool) -> Option<Question> {
    let whole = |entry: &Entry| {
        [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5].into_iter().find(|kind| entry.digests.get(*kind).is_some())
    };
    let pairs = [(source, sides.0, target, Which::Source), (target, sides.1, source, Which::Target)];
    for dear in [false, true] {
        for (entry, side, other, which) in pairs {
            if side.cheap_read == dear || (dear && !any) {
                continue;
            }
            if let Some(algorithm) = whole(other) {
                return Some(Question::Digest(which, algorithm));
            }
            // The other side may tell a digest when it is asked for everything.
            let other_which = if which == Which::Source { Which::Target } else { Which::Source };
            if let Some(question) = unknown(other, |_| true, other_which) {
                return Some(question);
            }
            let cut = |entry: &Entry| entry.digests.get(Algorithm::Parts).is_some();
            if side.cheap_read && cut(other) && !cut(entry) {
                return Some(Question::Parts(which));
            }
            if any && whole(entry).is_none() {
                return Some(Question::Digest(which, Algorithm::Sha256));
            }
        }
    }
    None
}

/// Asks for a stat of `entry` if `lacks` holds and it was not stat'ed yet.
fn unknown(entry: &Entry, lacks: impl Fn(&Entry) -> bool, which: Which) -> Option<Question> {
    (lacks(entry) && entry.metadata.is_none()).then_some(Question::Stat(which))
}

fn without_size(source: &Entry, target: &Entry) -> Verdict {
    match source.digests.compare(&target.digests) {
        Some((algorithm, true)) => same(Evidence::Proven(algorithm)),
        Some((algorithm, false)) => Verdict::Differs(Reason::Digest(algorithm)),
        None => Verdict::Differs(Reason::Size),
    }
}

fn same(evidence: Evidence) -> Verdict {
    Verdict::Same { evidence, touch: false }
}

/// Whether the contents' own times differ by more than the coarser precision; `None` where a side tells none, or where
/// they differ and one of them may be the store's.
fn times_differ(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry) -> Option<bool> {
    let precision = sides.0.modified?.max(sides.1.modified?).max(policy.modify_window);
    let (a, b) = (source.modified?, target.modified?);
    let differ = Duration::from_nanos(a.as_nanos().abs_diff(b.as_nanos())) > precision;
    (!differ || !sides.0.assumed && !sides.1.assumed).then_some(differ)
}

/// Whether the destination's object is newer than the source's.
fn newer(policy: &Policy, sides: (Side, Side), source: &Entry, target: &Entry) -> Result<bool, Question> {
    for (entry, side, which) in [(source, sides.0, Which::Source), (target, sides.1, Which::Target)] {
        let tells = side.modified.is_some() && entry.modified.is_none();
        if let Some(question) = unknown(entry, |_| tells, which) {
            return Err(question);
        }
    }
    // Where a store keeps no time of the content, the time it took the object stands in, as in rclone.
    let time = |entry: &Entry| entry.modified.or(entry.stored);
    let window =
        policy.modify_window.max(sides.0.modified.unwrap_or_default()).max(sides.1.modified.unwrap_or_default());
    Ok(match (time(source), time(target)) {
        (Some(source), Some(target)) => {
            target.as_nanos().saturating_sub(source.as_nanos()) > i64::try_from(window.as_nanos()).unwrap_or(i64::MAX)
        }
        _ => false,
    })
}
