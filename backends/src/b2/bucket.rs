//! Buckets themselves.

use serde_json::{Value, json};

use super::{
    account::Account,
    place::{Buckets, Place},
};
use crate::error::{ErrorKind, Operation, Result};

/// `b2_create_bucket`, private; one that is ours already is no error.
///
/// # Errors
/// `Exists` where it is somebody else's; `Denied`; what stopped the call.
pub(super) async fn create(place: &Place) -> Result<()> {
    let operation = Operation::MakeDirectory;
    place.accept_change(operation)?;
    match place.id(operation).await {
        Err(error) if error.kind() == ErrorKind::NoSuchContainer => {}
        found => return found.map(drop),
    }
    let account = place.account.session().account_id.clone();
    let asked = json!({ "accountId": account, "bucketName": place.bucket, "bucketType": "allPrivate" });
    place.account.call(operation, "b2_create_bucket", &asked).await.map(|_: Value| ())
}

/// `b2_delete_bucket`; one that is not there is no error.
///
/// # Errors
/// `Exists` where it is not empty: old versions and hide markers count; `Denied`; what stopped the call.
pub(super) async fn remove(place: &Place) -> Result<()> {
    let operation = Operation::Delete;
    place.accept_change(operation)?;
    let id = match place.id(operation).await {
        Err(error) if error.kind() == ErrorKind::NoSuchContainer => return Ok(()),
        found => found?,
    };
    let asked = json!({ "accountId": place.account.session().account_id, "bucketId": id });
    let removed: Result<Value> = place.account.call(operation, "b2_delete_bucket", &asked).await;
    match removed {
        Err(error) if error.kind() == ErrorKind::NoSuchContainer => Ok(()),
        removed => removed.map(drop),
    }
}

/// The names of the buckets a key may see, in byte order.
///
/// # Errors
/// What stopped the call.
pub(super) async fn names(account: &Account) -> Result<Vec<String>> {
    let session = account.session();
    let mut names: Vec<String> = match &session.buckets {
        // A restricted key may not ask for all.
        Some(buckets) => buckets.iter().filter_map(|(_, name)| name.clone()).collect(),
        None => {
            let asked = json!({ "accountId": session.account_id });
            let answer: Buckets = account.call(Operation::List, "b2_list_buckets", &asked).await?;
            answer.buckets.into_iter().map(|bucket| bucket.bucket_name).collect()
        }
    };
    names.sort_unstable();
    Ok(names)
}
