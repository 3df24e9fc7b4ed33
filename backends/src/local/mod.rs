//! The local family.

use futures::FutureExt;

use crate::{
    error::{Error, Operation},
    registry::Family,
};

/// The registry's entry.
pub static FAMILY: Family = Family {
    name: "local",
    schemes: &[],
    about: "",
    options: &[],
    open: |remote, _path| {
        async move { Err(Error::unsupported(Operation::Open, "not yet").of(remote.name.clone())) }.boxed()
    },
    buckets: None,
};
