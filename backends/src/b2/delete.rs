//! Deleting: hiding, or for good.

use std::collections::BTreeMap;

use futures::{StreamExt, stream};
use serde_json::{Value, json};

use super::{list::Page, place::Place};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    store::Deleted,
};

/// Calls in flight at once.
const AT_ONCE: usize = 16;

/// Deletes, one result a target, in order.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    if place.version_at.is_some() {
        return targets.iter().map(|_| place.accept_change(Operation::Delete)).collect();
    }
    let mut results: Vec<Option<Result<()>>> = targets.iter().map(|_| None).collect();
    let (versions, names): (Vec<usize>, Vec<usize>) = (0..targets.len()).partition(|&at| targets[at].version.is_some());
    let singles = if place.hard_delete { versions } else { (0..targets.len()).collect() };
    let mut answers = stream::iter(singles)
        .map(|at| async move { (at, single(place, &targets[at]).await) })
        .buffer_unordered(AT_ONCE);
    while let Some((at, answer)) = answers.next().await {
        results[at] = Some(answer);
    }
    drop(answers);
    if place.hard_delete {
        destroy(place, targets, &names, &mut results).await;
    }
    let named = |(result, target): (Option<Result<()>>, &Deleted)| {
        result.unwrap_or(Ok(())).map_err(|error| place.name_error(error, Some(&target.key)))
    };
    results.into_iter().zip(targets).map(named).collect()
}

/// `b2_delete_file_version`, or `b2_hide_file`.
async fn single(place: &Place, target: &Deleted) -> Result<()> {
    let done: Result<Value> = match &target.version {
        Some(version) => {
            let asked = json!({ "fileName": target.key.as_str(), "fileId": version });
            place.account.call(Operation::Delete, "b2_delete_file_version", &asked).await
        }
        None if place.capabilities.keys.refuse(&target.key).is_some() => return Ok(()),
        None => {
            let asked = json!({ "bucketId": place.id(Operation::Delete).await?, "fileName": target.key.as_str() });
            place.account.call(Operation::Delete, "b2_hide_file", &asked).await
        }
    };
    missing_is_fine(done.map(drop))
}

/// What is not there, or hidden already, need not be deleted.
fn missing_is_fine(result: Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Deletes all versions of the names, which are found a page at a time and not name by name.
async fn destroy(place: &Place, targets: &[Deleted], names: &[usize], results: &mut [Option<Result<()>>]) {
    let mut open: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for &at in names {
        open.entry(targets[at].key.as_str()).or_default().push(at);
    }
    let mut start: Option<(String, Option<String>)> = open.keys().next().map(|name| ((*name).to_owned(), None));
    while let Some(from) = start.take() {
        let page = match versions(place, &from).await {
            Ok(page) => page,
            Err(error) => return fail(&error, &open, results),
        };
        let last = page.files.last().map(|file| file.file_name.clone());
        let doomed = page.files.into_iter().filter_map(|file| {
            let at = *open.get(file.file_name.as_str())?.first()?;
            // An unfinished large file is no version of the object.
            let id = file.file_id.filter(|_| file.action.as_deref() != Some("start"))?;
            Some((at, Deleted { key: targets[at].key.clone(), version: Some(id.into()) }))
        });
        let mut answers = stream::iter(doomed.collect::<Vec<_>>())
            .map(|(at, version)| async move { (at, single(place, &version).await) })
            .buffer_unordered(AT_ONCE);
        while let Some((at, answer)) = answers.next().await {
            if answer.is_err() {
                results[at] = Some(answer);
            }
        }
        drop(answers);
        // Where the page ended inside a name's versions it is gone on with; else names without any are jumped over.
        start = match (page.next_file_name, last) {
            (Some(next), Some(last)) if next == last && open.contains_key(next.as_str()) => {
                Some((next, page.next_file_id))
            }
            (Some(next), _) => open.range(next.as_str()..).next().map(|(name, _)| ((*name).to_owned(), None)),
            (None, _) => None,
        };
        if start.as_ref().is_some_and(|next| *next == from) {
            let error = Error::new(ErrorKind::Integrity, Operation::Delete).because("the listing does not go on");
            return fail(&error, &open, results);
        }
    }
}

async fn versions(place: &Place, (name, id): &(String, Option<String>)) -> Result<Page> {
    let mut asked = json!({
        "bucketId": place.id(Operation::Delete).await?,
        "startFileName": name,
        "maxFileCount": 1000,
    });
    if let Some(id) = id {
        asked["startFileId"] = json!(id);
    }
    let prefix = &place.account.session().prefix;
    if !prefix.is_empty() {
        asked["prefix"] = json!(prefix);
    }
    place.account.call(Operation::Delete, "b2_list_file_versions", &asked).await
}

/// One failure is one for each of the names.
fn fail(error: &Error, open: &BTreeMap<&str, Vec<usize>>, results: &mut [Option<Result<()>>]) {
    for &at in open.values().flatten() {
        let copy = match super::fault::fault_of(error) {
            Some(fault) => Error::new(error.kind(), Operation::Delete).because(fault.clone()),
            None => Error::new(error.kind(), Operation::Delete).because("the versions could not be listed"),
        };
        results[at] = Some(Err(copy.after(error.retry_after()).retryable(error.is_retryable())));
    }
}
