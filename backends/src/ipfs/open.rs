//! From options to a store.

use std::{sync::Arc, time::Duration};

use super::{
    place::Place,
    rpc::Rpc,
    times::{Times, tried},
};
use crate::{
    capability::{Capabilities, CopyAbility, KeyRules},
    entry::Algorithm,
    error::Result,
    registry::{Opened, Purpose, Remote},
    tree::{Root, Tree, TreeStore},
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
    let times = remote.choice("times", &[("auto", Times::Sent), ("none", Times::Ignored)])?;
    let domain = format!("ipfs {}", endpoint.as_str());
    let prefix = path.trim_start_matches('/').to_owned();
    let root = remote.text("root").unwrap_or_default().trim_matches('/');
    let root = if root.is_empty() { String::new() } else { format!("/{root}") };
    let capable = capabilities(domain.clone(), times, false);
    let mut place = Place {
        root: Root::new(remote.place_name(None), root, walk::named(&prefix), capable, remote.skips.clone()),
        rpc: Rpc { site: Site::new(remote, &endpoint, |_| "other")?, endpoint },
        domain,
        times,
    };
    place.accepts(crate::error::Operation::Open, "a").map_err(|error| remote.wrong(error.to_string()))?;
    if times != Times::Ignored && remote.purpose == Purpose::Target {
        let found = persistently(|| tried(&place)).await.map_err(|error| place.root.named(error, None))?;
        place.times = found.0;
        place.root.capabilities = capabilities(place.domain.clone(), found.0, found.1);
    }
    Ok(Opened { store: Arc::new(TreeStore::new(place)), prefix })
}

/// `listed`: a listing tells times, which Kubo's does not.
fn capabilities(domain: String, times: Times, listed: bool) -> Capabilities {
    let keeps = times != Times::Ignored;
    Capabilities {
        keys: KeyRules {
            max_segment: KeyRules::ANY.max_segment,
            // js-ipfs cuts white space off the end of a path, and takes `\` for the beginning of something.
            backslash: false,
            trailing_space: false,
            ..KeyRules::PATHS
        },
        modified: keeps.then_some(Duration::from_nanos(1)),
        modified_in_list: keeps && listed,
        // With a time around it a content is no longer named by its own digest.
        digests_in_list: if keeps { Vec::new() } else { vec![Algorithm::Sha256] },
        copy: Some(CopyAbility { domain, max_copy: u64::MAX, parts: false }),
        directories: true,
        transfers: 4,
        ..Capabilities::LEAST
    }
}
