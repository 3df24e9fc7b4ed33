//! Google Cloud Storage: opendal's service speaks the JSON interface.
//!
//! An object of up to a chunk's size is one request. Above, it is a resumable upload, which the library makes of writes
//! that carry a condition only (others become an upload in parts by the XML interface, which was tried against nothing):
//! so what lies there is looked at first, and the write is conditional on its generation. Its length need not be known. The
//! generation is what we call the `ETag`: the service's own changes with the metadata, too.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_STANDARD};
use futures::FutureExt;

use super::profile::{self, Profile, bare};
use crate::{
    capability::{Capabilities, KeyRules, MetadataAbility},
    entry::Algorithm,
    error::Result,
    registry::{Family, Opened, OptionSpec, Remote},
};

/// Bytes of the largest object that is one request.
const CHUNK: usize = 8 * 1024 * 1024;
/// The largest object (<https://cloud.google.com/storage/quotas#objects>).
const LARGEST: u64 = 5 << 40;

static PROFILE: Profile = Profile {
    scheme: "gcs",
    // Settings come from one place; the environment is none.
    always: &[("disable_config_load", "true")],
    chunk: CHUNK,
    capabilities,
};

/// The registry's entry for Google Cloud Storage.
pub static GCS: Family = Family {
    name: "gcs",
    schemes: &["gcs", "gs"],
    about: "Google Cloud Storage",
    options: &[
        OptionSpec::text("bucket", "the bucket; then NAME: is its root"),
        OptionSpec::text("credential_path", "the file of a service account's key, or of other credentials"),
        OptionSpec::secret("credential", "the same, in base64"),
        OptionSpec::secret("token", "an access token"),
        OptionSpec::text("service_account", "the account to ask the machine's metadata server for"),
        OptionSpec::text("scope", "what access is asked for"),
        OptionSpec::bool("disable_vm_metadata", "does not ask the machine's metadata server"),
        OptionSpec::bool("skip_signature", "asks without signing in"),
        OptionSpec::text("predefined_acl", "who may read what is written, by one of the service's words"),
        OptionSpec::text("default_storage_class", "the storage class of what is written"),
        OptionSpec::text("endpoint", "the address, where it is not Google's own"),
    ],
    open: |remote, path| open(remote, path).boxed(),
    digests: &[Algorithm::Md5],
    buckets: None,
};

async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    // The library passes over one that it cannot read, and signs in as somebody else.
    if remote.text("credential").is_some_and(|text| BASE64_STANDARD.decode(text.trim()).is_err()) {
        return Err(remote.wrong("credential is not base64"));
    }
    profile::open(remote, path, &PROFILE).await
}

fn capabilities() -> Capabilities {
    let bare = bare();
    Capabilities {
        // The service takes no line breaks, and advises against the other control characters.
        keys: KeyRules { control: false, ..bare.keys },
        modified: Some(Duration::from_nanos(1)),
        digests_in_list: vec![Algorithm::Md5],
        digests_in_stat: vec![Algorithm::Sha256],
        max_put: LARGEST,
        // Conditions are sent; that they are kept was seen nowhere.
        conditional_put: false,
        // The library sends no Content-Language, and Content-Disposition neither.
        metadata: MetadataAbility { content_type: true, user: true, ..MetadataAbility::NONE },
        transfers: 8,
        ..bare
    }
}
