//! In which order objects are overwritten, so that contents are copied before they are gone. Pure.

use std::collections::HashMap;

use sterna_backends::{Algorithm, Digest, Digests, Entry};

use crate::plan::Action;

/// The order in which `actions`, which overwrite, are best made, as positions: first whoever needs what another one
/// overwrites. In a circle one of them comes too late; its content is sent.
pub(super) fn order(actions: &[Action]) -> Vec<usize> {
    let mut wanting: HashMap<(usize, u64, Digest), Vec<usize>> = HashMap::new();
    for (at, action) in actions.iter().enumerate() {
        for content in contents(action.to, action.source.as_ref()) {
            wanting.entry(content).or_default().push(at);
        }
    }
    let needs = |at: usize| -> Vec<usize> {
        let old = contents(actions[at].to, actions[at].target.as_ref());
        let mut needs: Vec<usize> = old.filter_map(|content| wanting.get(&content)).flatten().copied().collect();
        needs.retain(|other| *other != at);
        needs.sort_unstable();
        needs.dedup();
        needs
    };
    let mut ordered = Vec::with_capacity(actions.len());
    let mut begun = vec![false; actions.len()];
    for first in 0..actions.len() {
        if std::mem::replace(&mut begun[first], true) {
            continue;
        }
        // Depth first, with a stack of our own: a chain may be as long as the list.
        let mut stack = vec![(first, needs(first).into_iter())];
        while let Some((at, rest)) = stack.last_mut() {
            match rest.next() {
                Some(next) if !std::mem::replace(&mut begun[next], true) => stack.push((next, needs(next).into_iter())),
                Some(_) => {}
                None => {
                    ordered.push(*at);
                    stack.pop();
                }
            }
        }
    }
    ordered
}

/// The contents an entry at one destination may be recognised by.
fn contents(to: usize, entry: Option<&Entry>) -> impl Iterator<Item = (usize, u64, Digest)> + '_ {
    entry
        .into_iter()
        .flat_map(move |entry| whole(&entry.digests).filter_map(move |digest| Some((to, entry.size?, digest))))
}

/// The digests that say what a content is.
pub(super) fn whole(digests: &Digests) -> impl Iterator<Item = Digest> + '_ {
    [Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5].into_iter().filter_map(|kind| digests.get(kind))
}
