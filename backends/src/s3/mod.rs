//! The s3 family.

use futures::FutureExt;

use crate::{
    error::{Error, Operation},
    registry::Family,
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "s3",
    schemes: &["s3"],
    about: "",
    options: &[],
    open: |remote, _path| {
        async move { Err(Error::unsupported(Operation::Open, "not yet").of(remote.name.clone())) }.boxed()
    },
    buckets: None,
};
