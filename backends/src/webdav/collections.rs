//! How collections are made and removed.

use http::StatusCode;

use super::{
    delete::{is_empty, remove},
    list::no_longer_nothing,
    place::Place,
    properties::look_if_there,
};
use crate::{
    directories::{Directories, Makes, in_the_way},
    error::{Error, ErrorKind, Operation, Result},
    web::{body::collect, client::refusal, patience::persistently},
};

impl Makes for Place {
    fn directories(&self) -> &Directories {
        &self.collections
    }

    fn root(&self) -> &str {
        ""
    }

    async fn attempt(&self, operation: Operation, path: &str) -> Result<Option<Error>> {
        let missing = match persistently(|| make(self, operation, path)).await? {
            StatusCode::CONFLICT if path.is_empty() => Error::new(ErrorKind::NoSuchContainer, operation),
            StatusCode::CONFLICT => {
                Error::new(ErrorKind::Exists, operation).because(format!("'{path}' cannot be made"))
            }
            _ => return Ok(None),
        };
        Ok(Some(missing))
    }

    /// To delete a collection is to delete all that is in it, so it is looked at first.
    async fn remove_empty(&self, path: &str) -> Result<()> {
        let path = format!("{path}/");
        if !is_empty(self, &path, true).await? {
            return Err(Error::new(ErrorKind::Exists, Operation::Delete));
        }
        self.collections.forget(&path);
        remove(self, &path).await
    }
}

/// MKCOL. `CONFLICT`: what is above is missing.
async fn make(place: &Place, operation: Operation, path: &str) -> Result<StatusCode> {
    no_longer_nothing(place);
    let address = if path.is_empty() { String::new() } else { format!("{path}/") };
    let answer = place.site.send(place.call(operation, "MKCOL", &address), None).await?;
    match answer.status() {
        status if status.is_success() || status == StatusCode::CONFLICT => {
            drop(collect(answer.into_body(), 64 * 1024).await);
            Ok(status)
        }
        status if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED => {
            Err(refusal(operation, answer).await)
        }
        // 405 says that something is there already (RFC 4918, 9.3.1); servers say so in other words, too.
        status => {
            let refused = refusal(operation, answer).await;
            match look_if_there(place, operation, path).await {
                Ok(Some(found)) if found.collection => Ok(StatusCode::OK),
                Ok(Some(_)) => Err(in_the_way(operation, path)),
                Ok(None) if status == StatusCode::NOT_FOUND => Ok(StatusCode::CONFLICT),
                _ => Err(refused),
            }
        }
    }
}
