//! Who asks: keys from the configuration, or the SDK's chain (environment, profiles, web identity, container,
//! instance), held until shortly before they expire.

use std::{
    error::Error as _,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError};

use super::sign::SigningKey;
use crate::error::{Error, ErrorKind, Operation, Result};

/// Keys are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// Keys that sign, or nobody.
pub(crate) struct Credentials {
    provider: Option<SharedCredentialsProvider>,
    held: RwLock<Option<Held>>,
    /// One renewal at a time.
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Held {
    key: Arc<SigningKey>,
    until: Option<SystemTime>,
}

impl Credentials {
    /// `None`: requests are not signed.
    pub fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self { provider, held: RwLock::new(None), renewal: tokio::sync::Mutex::new(()) }
    }

    /// The key to sign with; `None` for anonymous access.
    ///
    /// # Errors
    /// `Config` where there are no credentials at all; `Denied`, `Timeout` or `Unavailable` where their source fails.
    pub async fn signing_key(&self, operation: Operation) -> Result<Option<Arc<SigningKey>>> {
        let Some(provider) = &self.provider else { return Ok(None) };
        if let Some(key) = self.held_key() {
            return Ok(Some(key));
        }
        let _one = self.renewal.lock().await;
        if let Some(key) = self.held_key() {
            return Ok(Some(key));
        }
        let found = provider.provide_credentials().await.map_err(|error| refused(operation, error))?;
        let until = found.expiry().map(|expiry| expiry.checked_sub(EARLY).unwrap_or(expiry));
        let key = Arc::new(SigningKey::new(found));
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(Held { key: Arc::clone(&key), until });
        Ok(Some(key))
    }

    fn held_key(&self) -> Option<Arc<SigningKey>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        let held = held.as_ref()?;
        let fresh = held.until.is_none_or(|until| SystemTime::now() < until);
        fresh.then(|| Arc::clone(&held.key))
    }

    /// Has them renewed before the next call.
    pub fn forget(&self) {
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.provider.is_some() { "Credentials(***)" } else { "Credentials(anonymous)" })
    }
}

fn refused(operation: Operation, error: CredentialsError) -> Error {
    const HINT: &str = "set access_key_id and secret_access_key, or profile, or anonymous = true, or the variables \
                        AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";
    let kind = match &error {
        CredentialsError::CredentialsNotLoaded(_) => {
            let why = format!("no credentials were found; {HINT}");
            return Error::new(ErrorKind::Config, operation).because(why);
        }
        CredentialsError::InvalidConfiguration(_) => ErrorKind::Config,
        CredentialsError::ProviderTimedOut(_) => ErrorKind::Timeout,
        _ => ErrorKind::Denied,
    };
    let why = error.source().map(ToString::to_string).unwrap_or_default();
    Error::new(kind, operation).because(format!("{error}: {why}; {HINT}"))
}

#[cfg(test)]
mod tests {
    use aws_credential_types::provider::future::ProvideCredentials as Future;

    use super::*;

    #[derive(Debug)]
    struct Nobody;

    impl ProvideCredentials for Nobody {
        fn provide_credentials<'a>(&'a self) -> Future<'a>
        where
            Self: 'a,
        {
            Future::ready(Err(CredentialsError::not_loaded("nothing here")))
        }
    }

    #[tokio::test]
    async fn missing_credentials_say_what_to_set() {
        let credentials = Credentials::new(Some(SharedCredentialsProvider::new(Nobody)));
        let error = credentials.signing_key(Operation::Open).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("access_key_id"));
    }

    #[tokio::test]
    async fn keys_are_held_until_they_expire() {
        let fresh = |until| {
            let keys = aws_credential_types::Credentials::new("id", "secret", None, until, "test");
            Credentials::new(Some(SharedCredentialsProvider::new(keys)))
        };
        let lasting = fresh(None);
        let first = lasting.signing_key(Operation::Open).await.unwrap().unwrap();
        assert!(Arc::ptr_eq(&first, &lasting.signing_key(Operation::Open).await.unwrap().unwrap()));
        lasting.forget();
        assert!(!Arc::ptr_eq(&first, &lasting.signing_key(Operation::Open).await.unwrap().unwrap()));

        let expiring = fresh(Some(SystemTime::now() + Duration::from_secs(10)));
        let first = expiring.signing_key(Operation::Open).await.unwrap().unwrap();
        assert!(!Arc::ptr_eq(&first, &expiring.signing_key(Operation::Open).await.unwrap().unwrap()));
        assert!(Credentials::new(None).signing_key(Operation::Open).await.unwrap().is_none());
        assert_eq!(format!("{expiring:?}"), "Credentials(***)");
    }
}
