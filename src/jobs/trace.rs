//! [`Trace`]: what a mirror says of itself, written last, so that anybody can see from outside how fresh it is.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};
use sterna_backends::{
    Body, Error, ErrorKind, Key, Metadata, Operation, PutRequest, Result, Store, StoreExt, Timestamp,
};

use crate::sync::Inventory;

/// What it is called where the job does not say.
pub const NAME: &str = ".mirror-trace";

/// [`NAME`] as a key.
#[must_use]
pub fn usual() -> Key {
    Key::new(NAME).expect("short and not empty")
}

/// The version of its form; readers of this one pass over fields they do not know.
const VERSION: u32 = 1;

/// Bytes of one that is read; more is something else.
const LARGEST: u64 = 64 * 1024;

/// When a mirror was last in step, and with what. JSON, one object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trace {
    /// The version of its form.
    pub sterna_trace: u32,
    /// When the run began that found or brought it in step: what the source published before is here.
    pub time: Timestamp,
    /// The job.
    pub job: String,
    /// The source, as the job has it; never with a secret.
    pub source: String,
    /// What of the source is mirrored, where a run has compared all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listing: Option<Inventory>,
    /// The version of sterna that wrote it.
    pub sterna: String,
}

impl Trace {
    /// Of a run of `job` that began at `time`.
    #[must_use]
    pub fn new(job: &str, source: &str, time: Timestamp, listing: Option<Inventory>) -> Self {
        Self {
            sterna_trace: VERSION,
            time,
            job: job.to_owned(),
            source: source.to_owned(),
            listing,
            sterna: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    /// Writes it at `key`, whatever lies there. To be called when all else at the target is done and checked.
    ///
    /// # Errors
    /// As [`Store::put`].
    pub async fn write(&self, store: &dyn Store, key: &Key) -> Result<()> {
        let mut text = serde_json::to_vec_pretty(self).expect("a trace is texts and numbers");
        text.push(b'\n');
        // Caches are to ask whether it is still the same.
        let metadata = Metadata {
            content_type: Some("application/json".to_owned()),
            cache_control: Some("no-cache".to_owned()),
            ..Metadata::default()
        };
        let size = Some(text.len() as u64);
        let request = PutRequest { metadata: Arc::new(metadata), size, ..PutRequest::default() };
        store.put(key, request, Body::from(text)).await.map(drop)
    }

    /// Reads the one at `key`.
    ///
    /// # Errors
    /// As [`Store::read`]; `Integrity` where it is no trace.
    pub async fn read(store: &dyn Store, key: &Key) -> Result<Self> {
        let request = sterna_backends::ReadRequest { range: Some(0..LARGEST), ..Default::default() };
        let text = match store.read(key, request).await {
            // A range may not end behind the object everywhere.
            Err(error) if error.kind() == ErrorKind::BadRequest => store.get(key).await?,
            read => read?.body.collect().await?,
        };
        serde_json::from_slice(&text).map_err(|error| {
            Error::new(ErrorKind::Integrity, Operation::Read)
                .retryable(false)
                .at(key)
                .because(format!("no trace: {error}"))
        })
    }

    /// How old it is at `now`; nothing where it comes from the future of this clock.
    #[must_use]
    pub fn age(&self, now: Timestamp) -> Duration {
        let nanos = i128::from(now.as_nanos()) - i128::from(self.time.as_nanos());
        u64::try_from(nanos).map_or(Duration::ZERO, Duration::from_nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_was_written_is_read_again() {
        let store = sterna_backends::memory::Memory::new("mirror");
        let listing = Inventory { sha256: "ab".repeat(32), objects: 3, bytes: 5 };
        let trace = Trace::new("ports", "garage:ports", Timestamp::from_parts(1_800_000_000, 5), Some(listing));
        let key = usual();
        trace.write(&store, &key).await.unwrap();
        assert_eq!(Trace::read(&store, &key).await.unwrap(), trace);
        assert_eq!(trace.age(Timestamp::from_parts(1_800_000_060, 5)), Duration::from_secs(60));
        assert_eq!(trace.age(Timestamp::from_parts(0, 0)), Duration::ZERO);
        // Later versions say more.
        let more =
            r#"{"sterna_trace":2,"time":"2026-11-25T12:00:00Z","job":"a","source":"b","sterna":"9","mood":"good"}"#;
        for (text, is_one) in [(more, true), ("{}", false), ("<html>", false), ("", false)] {
            let request = PutRequest { size: Some(text.len() as u64), ..PutRequest::default() };
            store.put(&key, request, Body::from(text.as_bytes().to_vec())).await.unwrap();
            assert_eq!(Trace::read(&store, &key).await.is_ok(), is_one, "{text}");
        }
    }
}
