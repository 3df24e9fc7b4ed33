//! A bucket: everything the calls share.

use std::{
    collections::HashSet,
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use serde::Deserialize;
use serde_json::json;
use tokio::sync::OnceCell;

use super::{account::Account, upload::Urls};
use crate::{
    capability::Capabilities,
    entry::{Key, Timestamp},
    error::{Error, ErrorKind, Operation, Result},
};

/// A bucket and how it is spoken to.
pub(super) struct Place {
    /// As people write it: `backblaze:bucket`.
    pub name: String,
    pub bucket: String,
    pub account: Account,
    pub capabilities: Capabilities,
    pub hard_delete: bool,
    pub version_at: Option<Timestamp>,
    /// Upload URLs that are at hand.
    pub urls: Urls,
    id: OnceCell<String>,
    /// Keys of which nobody knows whether our last upload was stored.
    doubtful: Mutex<HashSet<Key>>,
    /// Uploads that were refused once as if a bit had turned over, and are to be made again by whoever has the content.
    refused: Mutex<HashSet<String>>,
}

/// A shared bucket.
pub(super) type Shared = Arc<Place>;

/// `b2_list_buckets`.
#[derive(Deserialize)]
pub(super) struct Buckets {
    pub buckets: Vec<Bucket>,
}

/// One bucket of it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Bucket {
    pub bucket_id: String,
    pub bucket_name: String,
}

impl Place {
    /// A bucket that was not looked at yet.
    pub fn new(
        (name, bucket): (String, String),
        account: Account,
        capabilities: Capabilities,
        hard_delete: bool,
        version_at: Option<Timestamp>,
    ) -> Self {
        Self {
            name,
            bucket,
            account,
            capabilities,
            hard_delete,
            version_at,
            urls: Urls::default(),
            id: OnceCell::new(),
            doubtful: Mutex::default(),
            refused: Mutex::default(),
        }
    }

    /// The bucket's id: the key may tell it, else one call does, once.
    ///
    /// # Errors
    /// `NoSuchContainer`; what stopped the call.
    pub async fn id(&self, operation: Operation) -> Result<&str> {
        self.id.get_or_try_init(|| self.find(operation)).await.map(String::as_str)
    }

    async fn find(&self, operation: Operation) -> Result<String> {
        let session = self.account.session();
        let told = session.buckets.iter().flatten().find(|(_, name)| name.as_deref() == Some(&self.bucket));
        if let Some((id, _)) = told {
            return Ok(id.clone());
        }
        let asked = json!({ "accountId": session.account_id, "bucketName": self.bucket });
        let answer: Buckets = self.account.call(operation, "b2_list_buckets", &asked).await?;
        let found = answer.buckets.into_iter().find(|bucket| bucket.bucket_name == self.bucket);
        found.map(|bucket| bucket.bucket_id).ok_or_else(|| Error::new(ErrorKind::NoSuchContainer, operation))
    }

    /// Notes that nobody knows whether `key` was stored, or that it is known again.
    pub fn doubt(&self, key: &Key, doubtful: bool) {
        let mut keys = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        if doubtful {
            keys.insert(key.clone());
        } else {
            keys.remove(key);
        }
    }

    /// Whether that is so.
    pub fn doubts(&self, key: &Key) -> bool {
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    /// Notes that an upload was refused, and forgets it with the second time; whether it was the first.
    pub fn first_refusal(&self, subject: &str) -> bool {
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        !refused.remove(subject) && refused.insert(subject.to_owned())
    }

    /// An upload was taken.
    pub fn taken(&self, subject: &str) {
        self.refused.lock().unwrap_or_else(PoisonError::into_inner).remove(subject);
    }

    /// Adds the store, and the key where there is one.
    pub fn name_error(&self, error: Error, key: Option<&Key>) -> Error {
        error.named(&self.name, key)
    }

    /// Refuses what the service would refuse.
    ///
    /// # Errors
    /// `Unsupported` for a key it cannot hold, and for every change where an old state is being read.
    pub fn accept(&self, operation: Operation, key: &Key) -> Result<()> {
        self.accept_change(operation)?;
        match self.capabilities.keys.refuse(key) {
            Some(why) => Err(Error::unsupported(operation, why)),
            None => Ok(()),
        }
    }

    /// Refuses changes where an old state is being read.
    ///
    /// # Errors
    /// `Unsupported`.
    pub fn accept_change(&self, operation: Operation) -> Result<()> {
        if self.version_at.is_some() {
            return Err(Error::unsupported(operation, "version_at is set: the past cannot be changed"));
        }
        Ok(())
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("B2").field("name", &self.name).finish_non_exhaustive()
    }
}
