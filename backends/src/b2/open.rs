//! From settings to a bucket.

use std::{sync::Arc, time::Duration};

use super::{
    account::{Account, Session},
    bucket, names,
    place::Place,
    requests,
    settings::Settings,
    store::B2,
};
use crate::{
    capability::{Capabilities, CopyAbility, DeleteMeaning, MetadataAbility, MultipartAbility, OldVersions, Order},
    entry::Algorithm,
    error::Result,
    registry::{Opened, Remote},
    web::client::Web,
};

/// The largest file one call takes, and the largest part, in bytes
/// (<https://www.backblaze.com/docs/cloud-storage-files>).
const MAX_PUT: u64 = 5_000_000_000;

/// Parts a large file has at most; at least it has two (<https://www.backblaze.com/docs/cloud-storage-large-files>).
const MAX_PARTS: u32 = 10_000;

/// Opens the bucket and prefix `path` names.
///
/// # Errors
/// `Config` for settings that do not fit; `Denied` for keys the service does not know; what stopped the call.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let (bucket, prefix) = remote.split_bucket(path)?;
    let name = remote.place_name(Some(bucket));
    let (account, settings) = authorize(remote).await.map_err(|error| error.of(name.clone()))?;
    let capabilities = capabilities(&settings, &account.session());
    if settings.hard_delete && !capabilities.read_only && !account.session().capabilities.contains("deleteFiles") {
        return Err(remote.wrong("hard_delete is set, and the key may not delete (it has no deleteFiles)"));
    }
    let (hard_delete, version_at) = (settings.hard_delete, settings.version_at);
    let place = Place::new((name, bucket.to_owned()), account, capabilities, hard_delete, version_at);
    Ok(Opened { store: Arc::new(B2::from(Arc::new(place))), prefix: prefix.to_owned() })
}

/// Lists the buckets.
///
/// # Errors
/// As [`open`].
pub(super) async fn buckets(remote: &Remote) -> Result<Vec<String>> {
    let found = async {
        let (account, _) = authorize(remote).await?;
        bucket::names(&account).await
    };
    found.await.map_err(|error| error.of(remote.place_name(None)))
}

async fn authorize(remote: &Remote) -> Result<(Account, Settings)> {
    let settings = Settings::read(remote)?;
    let web = Web::new(remote, settings.endpoint.scheme() == "https", requests::name_of)?;
    Ok((Account::authorize(web, settings.clone()).await?, settings))
}

fn capabilities(settings: &Settings, session: &Session) -> Capabilities {
    let read_only = settings.version_at.is_some() || !session.capabilities.contains("writeFiles");
    let host = settings.endpoint.host_str().unwrap_or_default();
    let port = settings.endpoint.port_or_known_default().unwrap_or_default();
    let mut domain = format!("b2:{host}:{port}:{}", session.account_id);
    if session.buckets.is_some() || !session.prefix.is_empty() {
        // Such a key reads its own buckets only.
        domain = format!("{domain}:{}", settings.key_id);
    }
    Capabilities {
        keys: names::RULES,
        order: Order::Bytes,
        modified: Some(Duration::from_millis(1)),
        modified_assumed: false,
        modified_in_list: true,
        digests_in_list: vec![Algorithm::Sha256, Algorithm::Sha1, Algorithm::Md5],
        digests_in_stat: Vec::new(),
        cheap_read: false,
        max_put: MAX_PUT,
        multipart: (!read_only).then_some(MultipartAbility {
            min_part: session.smallest_part,
            max_part: MAX_PUT,
            min_parts: 2,
            max_parts: MAX_PARTS,
            part: Some(session.recommended_part),
            threshold: session.recommended_part,
            resumable: true,
            tells_begun: session.capabilities.contains("listFiles"),
            part_digest: Some(Algorithm::Sha1),
            part_checksum: Some(Algorithm::Sha1),
        }),
        // The result has to be smaller than what one upload takes.
        copy: (!read_only).then_some(CopyAbility { domain, max_copy: MAX_PUT - 1, parts: true }),
        conditional_put: false,
        delete: if settings.hard_delete { DeleteMeaning::Removes } else { DeleteMeaning::Hides },
        // All versions of neighbouring names are found by one listing.
        delete_batch: if settings.hard_delete { 1000 } else { 1 },
        versions: true,
        old_versions: Some(OldVersions { overwritten_stay: true, marker_bytes: Some(0) }),
        metadata: MetadataAbility { content_type: true, headers: true, user: true, storage_class: false, tags: false },
        read_only,
        directories: false,
        transfers: 16,
    }
}
