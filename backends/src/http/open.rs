//! From options to a store.

use std::{sync::Arc, time::Duration};

use http::Method;
use tokio::sync::Semaphore;

use super::{
    place::{AT_ONCE, Place},
    store::Http,
    sums,
};
use crate::{
    capability::{Capabilities, KeyRules, Order},
    entry::Algorithm,
    error::{Error, ErrorKind, Operation, Result},
    registry::{Opened, Remote},
    walk,
    web::{
        address::Address,
        body::collect,
        client::Call,
        site::{Site, URL, address, get, succeeded},
    },
};

/// The largest list that is read, in bytes.
const MAX_LIST: usize = 256 * 1024 * 1024;

/// Opens what `path` names below the option `url`, or what follows `http://`.
///
/// # Errors
/// `Config` for settings that do not fit; what stopped the reading of the list.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let path = path.trim_start_matches('/');
    let (root, prefix) = match remote.text(URL.name) {
        Some(url) => (address(remote, url)?, path.to_owned()),
        None if matches!(remote.name.as_str(), "http" | "https") => {
            let (host, path) = path.split_once('/').unwrap_or((path, ""));
            (address(remote, &format!("{}://{host}/", remote.name))?, decoded(remote, path)?)
        }
        None => return Err(remote.wrong("it needs a url")),
    };
    let site = Site::new(remote, &root, name_of)?;
    let address = Address::new(root).ok_or_else(|| remote.wrong("the url is not UTF-8"))?;
    let list = match remote.text("list") {
        None => None,
        Some(list) => {
            Some(sums::read(&text(remote, &site, list).await?, &address).map_err(|error| error.of(&remote.name))?)
        }
    };
    let capabilities = capabilities(list.is_some());
    let place = Place {
        name: remote.place_name(None),
        site,
        address,
        capabilities,
        folder: walk::named(&prefix),
        list,
        any_page: remote.bool("any_page", false)?,
        turns: Semaphore::new(AT_ONCE),
    };
    Ok(Opened { store: Arc::new(Http::new(place)), prefix })
}

/// A URL that is typed is encoded, a key is not.
fn decoded(remote: &Remote, path: &str) -> Result<String> {
    let decoded = percent_encoding::percent_decode_str(path).decode_utf8();
    decoded.map(|path| path.into_owned()).map_err(|_| remote.wrong("the address is not UTF-8"))
}

async fn text(remote: &Remote, site: &Site, list: &str) -> Result<String> {
    let unreadable = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::new(ErrorKind::Config, Operation::Open).of(&remote.name).because(error)
    };
    let bytes = if list.starts_with("http://") || list.starts_with("https://") {
        // The address itself is not shown: a key may stand in its query.
        let url = list.parse().map_err(|error| remote.wrong(format!("the address of the list is none: {error}")))?;
        let (answer, _) = site.fetch(get(Operation::Open, url), None).await?;
        collect(succeeded(Operation::Open, answer).await?.into_body(), MAX_LIST).await?
    } else {
        let path = list.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let read = read.map_err(|panic| unreadable(panic.into()))?;
        read.map_err(|error| unreadable(format!("{list}: {error}").into()))?.into()
    };
    String::from_utf8(bytes.into()).map_err(|error| unreadable(error.into()))
}

fn capabilities(by_list: bool) -> Capabilities {
    Capabilities {
        keys: KeyRules { empty_segments: false, dot_segments: false, ..KeyRules::ANY },
        order: if by_list { Order::Bytes } else { Order::Unknown },
        modified: Some(Duration::from_secs(1)),
        modified_in_list: true,
        digests_in_list: vec![Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256],
        max_put: 0,
        read_only: true,
        ..Capabilities::LEAST
    }
}

/// What a request is called in price lists.
fn name_of(call: &Call) -> &'static str {
    match call.operation {
        Operation::List | Operation::Open => "list_objects",
        _ if call.method == Method::HEAD => "head_object",
        _ => "get_object",
    }
}
