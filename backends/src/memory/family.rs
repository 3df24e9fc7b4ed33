//! The registry's entry: `memory:BUCKET/PREFIX`.

use std::sync::Arc;

use futures::FutureExt;

use super::Memory;
use crate::{
    entry::Algorithm,
    registry::{Family, Opened, OptionSpec},
};

/// Stores in this process's memory, gone when it ends.
pub static FAMILY: Family = Family {
    name: "memory",
    schemes: &["memory"],
    about: "objects in this process's memory, gone when it ends",
    options: &[OptionSpec::text("bucket", "its name; else the first segment of the path")],
    open: |remote, path| {
        async move {
            let (bucket, prefix) = remote.split_bucket(path)?;
            Ok(Opened { store: Arc::new(Memory::shared(bucket)), prefix: prefix.to_owned() })
        }
        .boxed()
    },
    digests: &[Algorithm::Md5],
    buckets: Some(|_| async { Ok(Memory::shared_names()) }.boxed()),
};
