//! Who asks: keys from the configuration, or the SDK's chain (environment, profiles, web identity, container,
//! instance), held until shortly before they expire.

use std::{
    error::Error as _,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, SystemTime},
};

use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, error::CredentialsError, future};

use super::sign::SigningKey;
use crate::error::{Error, ErrorKind, Operation, Result};

/// Keys are renewed this long before they expire.
const EARLY: Duration = Duration::from_secs(300);

/// Keys that sign, or nobody. Clones hold the same keys: their source is asked once for all of them.
#[derive(Clone)]
pub(crate) struct Credentials(Option<Arc<Source>>);

struct Source {
    provider: SharedCredentialsProvider,
    held: RwLock<Option<Held>>,
    /// One renewal at a time.
    renewal: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Held {
    key: Arc<SigningKey>,
    credentials: aws_credential_types::Credentials,
    until: Option<SystemTime>,
}

impl Source {
    fn held(&self) -> Option<Held> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.clone().filter(|held| held.until.is_none_or(|until| SystemTime::now() < until))
    }

    async fn fresh(&self) -> Result<Held, CredentialsError> {
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let _one = self.renewal.lock().await;
        if let Some(held) = self.held() {
            return Ok(held);
        }
        let found = self.provider.provide_credentials().await?;
        let until = found.expiry().map(|expiry| expiry.checked_sub(EARLY).unwrap_or(expiry));
        let held = Held { key: Arc::new(SigningKey::new(found.clone())), credentials: found, until };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held.clone());
        Ok(held)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source(***)")
    }
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async { Ok(self.fresh().await?.credentials) })
    }
}

impl Credentials {
    /// `None`: requests are not signed.
    pub fn new(provider: Option<SharedCredentialsProvider>) -> Self {
        Self(provider.map(|provider| {
            Arc::new(Source { provider, held: RwLock::new(None), renewal: tokio::sync::Mutex::new(()) })
        }))
    }

    /// The key to sign with; `None` for anonymous access.
    ///
    /// # Errors
    /// `Config` where there are no credentials at all; `Denied`, `Timeout` or `Unavailable` where their source fails.
    pub async fn signing_key(&self, operation: Operation) -> Result<Option<Arc<SigningKey>>> {
        let Some(source) = &self.0 else { return Ok(None) };
        source.fresh().await.map(|held| Some(held.key)).map_err(|error| refused(operation, error))
    }

    /// The same keys for the SDK; `None` for anonymous access.
    pub fn for_sdk(&self) -> Option<SharedCredentialsProvider> {
        let source: Arc<dyn ProvideCredentials> = self.0.clone()?;
        Some(SharedCredentialsProvider::new(source))
    }

    /// Has them renewed before the next call.
    pub fn forget(&self) {
        if let Some(source) = &self.0 {
            *source.held.write().unwrap_or_else(PoisonError::into_inner) = None;
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Credentials(***)" } else { "Credentials(anonymous)" })
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
