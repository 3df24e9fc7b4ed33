//! From options to a store.

use std::{sync::Arc, time::Duration};

use super::{
    place::Place,
    rpc::Rpc,
    store::Ipfs,
    times::{Times, tried},
};
use crate::{
    capability::{Capabilities, CopyAbility, DeleteMeaning, KeyRules, MetadataAbility, Order},
    entry::Algorithm,
    error::Result,
    registry::{Opened, Purpose, Remote},
    walk,
    web::{
        patience::persistently,
        site::{Site, address},
    },
};

/// Where a node listens if nobody told it otherwise.
const ENDPOINT: &str = "http://127.0.0.1:5001";

/// Opens what `path` names below the option `root`.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped the calls that try the node.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let endpoint = address(remote, remote.text("endpoint").unwrap_or(ENDPOINT))?;
    let is_tried = match remote.text("times") {
        None | Some("auto") => remote.purpose == Purpose::Target,
        Some("none") => false,
        Some(other) => return Err(remote.wrong(format!("times = \"{other}\" is neither auto nor none"))),
    };
    let times = if remote.text("times") == Some("none") { Times::Ignored } else { Times::Sent };
    let domain = format!("ipfs {}", endpoint.as_str());
    let prefix = path.trim_start_matches('/').to_owned();
    let root = remote.text("root").unwrap_or_default().trim_matches('/');
    let mut place = Place {
        name: remote.place_name(None),
        rpc: Rpc { site: Site::new(remote, &endpoint, |_| "other")?, endpoint },
        root: if root.is_empty() { String::new() } else { format!("/{root}") },
        folder: walk::named(&prefix),
        times,
        capabilities: capabilities(domain.clone(), times, false),
        domain,
        directories: Default::default(),
        stale: Default::default(),
    };
    place.accepts(crate::error::Operation::Open, "a").map_err(|error| remote.wrong(error.to_string()))?;
    if is_tried {
        let found = persistently(|| tried(&place)).await.map_err(|error| place.name_error(error, None))?;
        place.times = found.0;
        place.capabilities = capabilities(place.domain.clone(), found.0, found.1);
    }
    Ok(Opened { store: Arc::new(Ipfs::new(place)), prefix })
}

/// `listed`: a listing tells times, which Kubo's does not.
fn capabilities(domain: String, times: Times, listed: bool) -> Capabilities {
    let keeps = times != Times::Ignored;
    Capabilities {
        keys: KeyRules {
            empty_segments: false,
            dot_segments: false,
            // js-ipfs cuts white space off the end of a path, and takes `\` for the beginning of something.
            backslash: false,
            trailing_space: false,
            file_beside_directory: false,
            ..KeyRules::ANY
        },
        order: Order::Unknown,
        modified: keeps.then_some(Duration::from_nanos(1)),
        modified_assumed: false,
        modified_in_list: keeps && listed,
        // With a time around it a content is no longer named by its own digest.
        digests_in_list: if keeps { Vec::new() } else { vec![Algorithm::Sha256] },
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: u64::MAX,
        multipart: None,
        copy: Some(CopyAbility { domain, max_copy: u64::MAX, parts: false }),
        conditional_put: false,
        delete: DeleteMeaning::Removes,
        delete_batch: 1,
        versions: false,
        old_versions: None,
        metadata: MetadataAbility::default(),
        read_only: false,
        directories: true,
        transfers: 4,
    }
}
