//! From options to a store.

use std::{sync::Arc, time::Duration};

use super::{
    abilities::{Abilities, Tried},
    belief::{Belief, Notes},
    chunks,
    list::holds_nothing,
    place::{Learned, Place},
    requests,
    store::WebDav,
    vendor::{Times, VENDORS, Vendor, vendor},
};
use crate::{
    capability::{Capabilities, CopyAbility, KeyRules},
    entry::Algorithm,
    error::Result,
    registry::{Opened, Purpose, Remote},
    walk,
    web::{
        address::Address,
        patience::persistently,
        site::{Site, URL, USER, address},
    },
};

/// Opens what `path` names below the option `url`, or what follows `webdav://`.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped the calls that try the server.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (root, prefix) = root(remote, path)?;
    let vendor = named(remote)?;
    let times = [("auto", vendor.times), ("kept", Times::Kept), ("none", Times::Ignored)];
    let times = remote.choice("times", &times)?;
    let address = Address::new(root.clone()).ok_or_else(|| remote.wrong("the url is not UTF-8"))?;
    let user = remote.text(USER.name).map(str::to_owned);
    let origin = root.origin().ascii_serialization();
    let known = Abilities::of(vendor, times);
    let mut place = Place {
        name: remote.place_name(None),
        site: Site::new(remote, &root, requests::name_of)?,
        address,
        vendor,
        abilities: known.unwrap_or(Abilities::ASSUMED),
        belief: Belief::default(),
        capabilities: capabilities(vendor, Abilities::default(), String::new()),
        folder: walk::named(&prefix),
        domain: user.as_ref().map_or_else(|| origin.clone(), |user| format!("{origin} {user}")),
        user,
        collections: Default::default(),
        learned: Learned::default(),
        foretold: Default::default(),
    };
    let mut is_assumed = known.is_none() && remote.purpose == Purpose::Look;
    if known.is_none() && remote.purpose == Purpose::Target {
        let notes = remote.notebook.clone().map(|notebook| Notes::new(notebook, &root));
        let found = found(&place, notes).await.map_err(|error| place.name_error(error, None))?;
        (place.abilities, place.belief) = found;
        is_assumed = place.belief.is_hope;
    }
    place.capabilities = capabilities(vendor, place.abilities, place.domain.clone());
    place.capabilities.modified_assumed = is_assumed;
    if vendor.chunks && place.user.is_some() {
        place.capabilities.multipart = Some(chunks::ABILITY);
    }
    Ok(Opened { store: Arc::new(WebDav::new(place)), prefix })
}

/// What the server does: as an earlier run noted; put off until the first upload, where there is nothing to compare; or tried.
///
/// # Errors
/// What stopped a call.
async fn found(place: &Place, notes: Option<Notes>) -> Result<(Abilities, Belief)> {
    let tried = || persistently(|| Abilities::tried(place));
    let Some(notes) = notes else {
        return Ok(match tried().await? {
            Tried::Found(abilities) | Tried::Closed(abilities) => (abilities, Belief::default()),
        });
    };
    if let Some(noted) = notes.read() {
        return Ok((noted, Belief::noted(notes, noted)));
    }
    match persistently(|| holds_nothing(place)).await {
        Ok(true) => return Ok((Abilities::ASSUMED, Belief::hoped(notes))),
        Ok(false) => {}
        // Who may not look may be let write.
        Err(error) if !error.is_retryable() => {}
        Err(error) => return Err(error),
    }
    Ok(match tried().await? {
        Tried::Closed(abilities) => (abilities, Belief::default()),
        Tried::Found(abilities) => {
            notes.write(abilities);
            (abilities, Belief::noted(notes, abilities))
        }
    })
}

/// The root's address, and what of `path` lies below it. Of `webdav://host/a/b` the root is `webdav://host/`.
fn root(remote: &Remote, path: &str) -> Result<(reqwest::Url, String)> {
    let path = path.trim_start_matches('/');
    if let Some(url) = remote.text(URL.name) {
        return Ok((address(remote, url)?, path.to_owned()));
    }
    let scheme = match remote.name.as_str() {
        "webdav" => "http",
        "webdavs" => "https",
        _ => return Err(remote.wrong("it needs a url")),
    };
    let (host, path) = path.split_once('/').unwrap_or((path, ""));
    Ok((address(remote, &format!("{scheme}://{host}/"))?, path.to_owned()))
}

fn named(remote: &Remote) -> Result<&'static Vendor> {
    let name = remote.text("vendor").unwrap_or("other");
    vendor(name).ok_or_else(|| {
        let known: Vec<_> = VENDORS.iter().map(|vendor| vendor.name).collect();
        remote.wrong(format!("vendor = \"{name}\" is none of {}", known.join(", ")))
    })
}

fn capabilities(vendor: &Vendor, abilities: Abilities, domain: String) -> Capabilities {
    let told = |tells: bool| if tells { vec![Algorithm::Sha1, Algorithm::Md5] } else { Vec::new() };
    Capabilities {
        keys: KeyRules { control: vendor.odd_names, backslash: vendor.odd_names, ..KeyRules::PATHS },
        modified: abilities.times.then_some(Duration::from_secs(1)),
        modified_in_list: abilities.times,
        digests_in_list: told(vendor.checksums),
        digests_in_stat: told(abilities.checksums),
        // A copy has the time of its source, and a server that keeps times may set another.
        copy: (!abilities.times || abilities.touch).then_some(CopyAbility { domain, max_copy: u64::MAX, parts: false }),
        delete_batch: 100,
        directories: true,
        ..Capabilities::LEAST
    }
}
