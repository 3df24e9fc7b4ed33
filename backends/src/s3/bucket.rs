//! Buckets themselves.

use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};

use http::Method;

use super::{fault::from_sdk, list, place::Place, wire::Call};
use crate::error::{Error, ErrorKind, Operation, Result};

/// CreateBucket; one that is ours already is no error.
///
/// # Errors
/// `Exists` where it is somebody else's; `Denied`; what stopped the call.
pub(super) async fn create(place: &Place) -> Result<()> {
    place.accept_change(Operation::MakeDirectory)?;
    // https://docs.aws.amazon.com/AmazonS3/latest/API/API_CreateBucket.html: us-east-1 must not be named. Other
    // providers tell the region by the endpoint, and some refuse a constraint.
    let constraint = (place.provider.name == "aws" && place.region != "us-east-1").then(|| {
        let region = BucketLocationConstraint::from(place.region.as_str());
        CreateBucketConfiguration::builder().location_constraint(region).build()
    });
    let call = place.sdk.create_bucket().bucket(&place.bucket).set_create_bucket_configuration(constraint);
    let Err(error) = call.send().await.map_err(|error| from_sdk(Operation::MakeDirectory, error)) else {
        return Ok(());
    };
    // Some say `BucketAlreadyExists` of our own, too: whoever may look into it has it.
    if error.kind() == ErrorKind::Exists && place.sdk.head_bucket().bucket(&place.bucket).send().await.is_ok() {
        return Ok(());
    }
    Err(error)
}

/// DeleteBucket; one that is not there is no error.
///
/// # Errors
/// `Exists` where it is not empty; `Denied`; what stopped the call.
pub(super) async fn remove(place: &Place) -> Result<()> {
    place.accept_change(Operation::Delete)?;
    // SeaweedFS deletes a bucket with all that is in it.
    let mut look = Call::new(Operation::Delete, Method::GET, None);
    look.query("list-type", "2");
    look.query("max-keys", "1");
    match place.wire.send_collect(look).await {
        Ok((_, page)) if list::has_entries(&page)? => {
            return Err(Error::new(ErrorKind::Exists, Operation::Delete).because("the bucket is not empty"));
        }
        Err(error) if error.kind() == ErrorKind::NoSuchContainer => return Ok(()),
        answer => drop(answer?),
    }
    match place.sdk.delete_bucket().bucket(&place.bucket).send().await {
        Ok(_) => Ok(()),
        Err(error) => match from_sdk(Operation::Delete, error) {
            error if matches!(error.kind(), ErrorKind::NoSuchContainer | ErrorKind::NotFound) => Ok(()),
            error => Err(error),
        },
    }
}

/// ListBuckets, all pages; names in byte order.
///
/// # Errors
/// What stopped the call.
pub(super) async fn names(sdk: &aws_sdk_s3::Client) -> Result<Vec<String>> {
    let mut names = Vec::new();
    let mut token: Option<String> = None;
    loop {
        let answer = sdk.list_buckets().set_continuation_token(token.clone()).send().await;
        let answer = answer.map_err(|error| from_sdk(Operation::List, error))?;
        names.extend(answer.buckets().iter().filter_map(|bucket| bucket.name().map(str::to_owned)));
        match answer.continuation_token().filter(|next| !next.is_empty()) {
            None => break,
            Some(next) if token.as_deref() == Some(next) => {
                let why = "a list of buckets that goes on does not say where";
                return Err(Error::new(ErrorKind::Integrity, Operation::List).because(why));
            }
            Some(next) => token = Some(next.to_owned()),
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
