//! What is to be said of a service, and how one is opened.

use std::sync::Arc;

use opendal::Operator;

use super::{calls::fault, place::Place, store::Adapted};
use crate::{
    capability::{Capabilities, KeyRules},
    error::{Operation, Result},
    registry::{Holds, Opened, Remote},
};

/// A service. The options it takes stand in its family, under the library's names.
#[derive(Debug)]
pub(super) struct Profile {
    /// opendal's word for it.
    pub scheme: &'static str,
    /// Options that are always given to the library.
    pub always: &'static [(&'static str, &'static str)],
    /// Bytes of the largest object that is one request. Above, it is an upload that the library makes of conditional writes
    /// only, and whose last request makes an object of it.
    pub chunk: usize,
    /// What it can do.
    pub capabilities: fn() -> Capabilities,
}

/// A store of which nothing is known but that it keeps bytes under names.
pub(super) fn bare() -> Capabilities {
    Capabilities {
        keys: KeyRules {
            // The library folds them, and cuts white space off.
            empty_segments: false,
            dot_segments: false,
            leading_space: false,
            trailing_space: false,
            ..KeyRules::ANY
        },
        transfers: 4,
        ..Capabilities::LEAST
    }
}

/// Opens a service with the options the remote has. Nothing is asked of the server yet.
///
/// # Errors
/// `Config` for what the library does not take.
pub(super) async fn open(remote: &Remote, path: &str, profile: &'static Profile) -> Result<Opened> {
    let always = profile.always.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let mut options: Vec<(String, String)> = always.collect();
    for spec in remote.family.options {
        let Some(text) = remote.text(spec.name) else { continue };
        let text = match spec.holds {
            Holds::Bool => remote.bool(spec.name, false)?.to_string(),
            _ => text.to_owned(),
        };
        options.push((spec.name.to_owned(), text));
    }
    let (bucket, prefix) = remote.split_bucket(path)?;
    options.push(("bucket".to_owned(), bucket.to_owned()));
    // Without opendal's default features nobody else makes its services known.
    opendal::install_default();
    let operator = Operator::via_iter(profile.scheme, options)
        .map_err(|error| fault(Operation::Open, error).of(remote.place_name(None)))?;
    let name = remote.place_name(Some(bucket));
    let place = Place { name, operator, capabilities: (profile.capabilities)(), chunk: profile.chunk };
    Ok(Opened { store: Arc::new(Adapted { place: Arc::new(place) }), prefix: prefix.to_owned() })
}
