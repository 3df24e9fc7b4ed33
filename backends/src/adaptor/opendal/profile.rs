//! What is to be said of a service, and how one is opened.

use std::sync::Arc;

use opendal::Operator;

use super::{calls::fault, place::Place, store::Adapted};
use crate::{
    capability::{Capabilities, DeleteMeaning, KeyRules, MetadataAbility, Order},
    error::{Operation, Result},
    registry::{Holds, Opened, Remote},
    unfinished::Stale,
    walk,
};

/// A service. The options it takes stand in its family, under the library's names.
#[derive(Debug)]
pub(super) struct Profile {
    /// opendal's word for it.
    pub scheme: &'static str,
    /// What its places are.
    pub places: Places,
    /// Options that are always given to the library.
    pub always: &'static [(&'static str, &'static str)],
    /// Whether it is a tree of files, listed directory by directory; else a bucket of keys.
    pub tree: bool,
    /// How an object comes to be.
    pub writes: Writes,
    /// What it can do.
    pub capabilities: fn() -> Capabilities,
}

/// What the first word of a place is.
#[derive(Debug)]
pub(super) enum Places {
    /// A bucket, which the library takes under the same name as we do.
    Buckets,
    /// Nothing, where the remote is configured; in a URL a host, which `option` takes with `before` put before it.
    Hosts {
        /// The option.
        option: &'static str,
        /// What the library wants before the host.
        before: &'static str,
    },
}

/// How an object is written, so that nobody sees half of it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Writes {
    /// Under a temporary name, looked at, and renamed over what is there.
    Renamed,
    /// In one request up to so many bytes; above, in an upload that the library makes of conditional writes only, and whose
    /// last request makes an object of it.
    Uploaded(usize),
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
        order: Order::Unknown,
        modified: None,
        modified_assumed: false,
        modified_in_list: false,
        digests_in_list: Vec::new(),
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: u64::MAX,
        multipart: None,
        copy: None,
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        metadata: MetadataAbility::default(),
        read_only: false,
        directories: false,
        transfers: 4,
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
    let (name, prefix) = match profile.places {
        Places::Buckets => {
            let (bucket, prefix) = remote.split_bucket(path)?;
            options.push(("bucket".to_owned(), bucket.to_owned()));
            (remote.place_name(Some(bucket)), prefix)
        }
        Places::Hosts { option, before } => {
            let mut prefix = path.trim_start_matches('/');
            if remote.text(option).is_none() {
                let (host, rest) = host(remote, option, prefix)?;
                options.push((option.to_owned(), format!("{before}{host}")));
                options.push(("root".to_owned(), "/".to_owned()));
                prefix = rest;
            }
            (remote.place_name(None), prefix)
        }
    };
    // Without opendal's default features nobody else makes its services known.
    opendal::install_default();
    let operator = Operator::via_iter(profile.scheme, options)
        .map_err(|error| fault(Operation::Open, error).of(remote.place_name(None)))?;
    let place = Place {
        name,
        operator,
        capabilities: (profile.capabilities)(),
        tree: profile.tree,
        writes: profile.writes,
        folder: walk::named(prefix),
        stale: Stale::default(),
    };
    Ok(Opened { store: Arc::new(Adapted { place: Arc::new(place) }), prefix: prefix.to_owned() })
}

/// The host and the path of a URL; a remote by name needs the option.
fn host<'a>(remote: &Remote, option: &str, path: &'a str) -> Result<(&'a str, &'a str)> {
    if !remote.family.schemes.contains(&remote.name.as_str()) {
        return Err(remote.wrong(format!("it needs the option '{option}'")));
    }
    let (host, rest) = path.split_once('/').unwrap_or((path, ""));
    if host.is_empty() {
        return Err(remote.wrong(format!("name a host: {}://HOST/PATH", remote.name)));
    }
    Ok((host, rest))
}
