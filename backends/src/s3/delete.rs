//! Deleting, up to 1,000 keys in one request, each with its own result.

use std::{collections::HashMap, sync::atomic::Ordering};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeTransmitInterceptorContextMut},
    error::BoxError,
    types::{Delete, ObjectIdentifier},
};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use futures::{StreamExt, stream};
use md5::{Digest as _, Md5};

use super::{
    fault::{Fault, fault_of, from_sdk},
    place::Place,
};
use crate::{
    error::{Error, ErrorKind, Operation, Result},
    store::Deleted,
};

/// Single deletes in flight at once.
const SINGLES: usize = 16;

/// Deletes, one result a target, in order.
pub(super) async fn delete(place: &Place, targets: &[Deleted]) -> Vec<Result<()>> {
    if place.version_at.is_some() {
        return targets.iter().map(|_| place.accept_change(Operation::Delete)).collect();
    }
    let mut results: Vec<Option<Result<()>>> = targets.iter().map(|_| None).collect();
    // Characters that XML cannot hold go by themselves, in the path of a request.
    let (alone, together): (Vec<usize>, Vec<usize>) =
        (0..targets.len()).partition(|&index| !fits_xml(&targets[index].key));
    for batch in together.chunks(place.capabilities.delete_batch.max(1)) {
        if batch.len() == 1 || place.learned.no_bulk_delete.load(Ordering::Relaxed) {
            singles(place, targets, batch, &mut results).await;
            continue;
        }
        match bulk(place, targets, batch).await {
            Ok(answers) => {
                for (&index, answer) in batch.iter().zip(answers) {
                    results[index] = Some(answer);
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::Unsupported | ErrorKind::BadRequest) => {
                singles(place, targets, batch, &mut results).await;
                if batch.iter().all(|&index| matches!(results[index], Some(Ok(())))) {
                    place.learned.no_bulk_delete.store(true, Ordering::Relaxed);
                }
            }
            Err(error) => share(error, batch, &mut results),
        }
    }
    singles(place, targets, &alone, &mut results).await;
    let named = |(result, target): (Option<Result<()>>, &Deleted)| {
        let result = result.unwrap_or_else(|| Err(unsaid()));
        result.map_err(|error| place.name_error(error, Some(&target.key)))
    };
    results.into_iter().zip(targets).map(named).collect()
}

/// One refusal of a whole batch is one for each of its keys.
fn share(error: Error, batch: &[usize], results: &mut [Option<Result<()>>]) {
    for &index in batch {
        let copy = match fault_of(&error) {
            Some(fault) => fault.clone().into_error(Operation::Delete),
            None => Error::new(error.kind(), Operation::Delete)
                .retryable(error.is_retryable())
                .because(format!("the request for {} keys failed", batch.len())),
        };
        results[index] = Some(Err(copy));
    }
}

async fn singles(place: &Place, targets: &[Deleted], batch: &[usize], results: &mut [Option<Result<()>>]) {
    let mut answers = stream::iter(batch.to_vec())
        .map(|index| async move { (index, single(place, &targets[index]).await) })
        .buffer_unordered(SINGLES);
    while let Some((index, answer)) = answers.next().await {
        results[index] = Some(answer);
    }
}

async fn single(place: &Place, target: &Deleted) -> Result<()> {
    let call = place.sdk.delete_object().bucket(&place.bucket).key(target.key.as_str());
    let call = call.set_version_id(target.version.as_deref().map(str::to_owned)).set_request_payer(place.payer());
    match call.send().await.map_err(|error| from_sdk(Operation::Delete, error)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// What was said of the versions of one key.
type Told<'a> = Vec<(Option<&'a str>, Result<()>)>;

async fn bulk(place: &Place, targets: &[Deleted], batch: &[usize]) -> Result<Vec<Result<()>>> {
    let identify = |&index: &usize| {
        let target = &targets[index];
        ObjectIdentifier::builder()
            .key(target.key.as_str())
            .set_version_id(target.version.as_deref().map(str::to_owned))
            .build()
            .expect("a key was given")
    };
    // Not "quiet": silence would have to be taken for success.
    let objects = batch.iter().map(identify).collect();
    let wanted = Delete::builder().set_objects(Some(objects)).build().expect("objects were given");
    let call = place.sdk.delete_objects().bucket(&place.bucket).delete(wanted).set_request_payer(place.payer());
    let call = call.customize();
    let call = if place.provider.delete_md5 { call.interceptor(PlainMd5) } else { call };
    let answer = call.send().await.map_err(|error| from_sdk(Operation::Delete, error))?;

    let mut told: HashMap<&str, Told<'_>> = HashMap::with_capacity(batch.len());
    for deleted in answer.deleted() {
        told.entry(deleted.key().unwrap_or_default()).or_default().push((deleted.version_id(), Ok(())));
    }
    for refused in answer.errors() {
        let fault = Fault {
            status: 400,
            code: refused.code().unwrap_or_default().to_owned(),
            message: refused.message().unwrap_or_default().to_owned(),
            ..Fault::default()
        };
        let missing = matches!(fault.kind(), ErrorKind::NotFound);
        let result = if missing { Ok(()) } else { Err(fault.into_error(Operation::Delete)) };
        told.entry(refused.key().unwrap_or_default()).or_default().push((refused.version_id(), result));
    }
    let answer = |&index: &usize| {
        let target = &targets[index];
        let of_key = told.get_mut(target.key.as_str())?;
        let at = answering(target.version.as_deref(), of_key.iter().map(|(version, _)| *version))?;
        Some(of_key.swap_remove(at).1)
    };
    Ok(batch.iter().map(answer).map(|answer| answer.unwrap_or_else(|| Err(unsaid()))).collect())
}

/// Which of the answers about a key speaks of `version`: some servers tell a version only where there are versions, or
/// where one was named, and Garage tells one where none was.
fn answering<'a>(version: Option<&str>, told: impl Iterator<Item = Option<&'a str>> + Clone) -> Option<usize> {
    let exactly = told.clone().position(|told| told == version);
    exactly.or_else(|| told.clone().position(|told| told.is_none())).or_else(|| match version {
        None => told.clone().next().map(|_| 0),
        Some(_) => None,
    })
}

fn unsaid() -> Error {
    Error::new(ErrorKind::Integrity, Operation::Delete).because("the answer does not say what became of the key")
}

/// Characters below the space cannot stand in XML 1.0, most of them not even escaped.
fn fits_xml(key: &str) -> bool {
    key.chars().all(|character| character >= ' ' && !matches!(character, '\u{fffe}' | '\u{ffff}'))
}

/// `Content-MD5` in place of the SDK's CRC32, which many servers refuse.
#[derive(Debug)]
struct PlainMd5;

impl Intercept for PlainMd5 {
    fn name(&self) -> &'static str {
        "PlainMd5"
    }

    fn modify_before_signing(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let request = context.request_mut();
        let body = request.body().bytes().ok_or("the body of a delete lies in memory")?;
        let md5 = BASE64.encode(Md5::digest(body));
        let headers = request.headers_mut();
        let sums: Vec<String> = headers
            .iter()
            .map(|(name, _)| name.to_owned())
            .filter(|name| name.starts_with("x-amz-checksum-") || name == "x-amz-sdk-checksum-algorithm")
            .collect();
        for name in sums {
            headers.remove(name);
        }
        headers.insert("content-md5", md5);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_found_by_its_version() {
        let found = |version, told: &[Option<&str>]| answering(version, told.iter().copied());
        assert_eq!(found(Some("b"), &[Some("a"), Some("b")]), Some(1));
        assert_eq!(found(None, &[Some("a"), None]), Some(1));
        assert_eq!(found(Some("b"), &[None]), Some(0), "a server without versions");
        assert_eq!(found(None, &[Some("a")]), Some(0), "a server that tells what nobody asked");
        assert_eq!(found(Some("b"), &[Some("a")]), None, "of another version nothing follows");
    }

    #[test]
    fn what_xml_cannot_hold_goes_alone() {
        assert!(fits_xml("a/ü &<>\"'日本"));
        for key in ["a\nb", "\u{1}", "tab\t", "\u{ffff}"] {
            assert!(!fits_xml(key));
        }
    }
}
