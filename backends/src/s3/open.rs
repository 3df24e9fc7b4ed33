//! From settings to a bucket.

use std::{
    borrow::Cow,
    sync::{Arc, atomic::AtomicI64},
    time::Duration,
};

use aws_config::{
    BehaviorVersion, Region, environment::region::EnvironmentVariableRegionProvider, meta::region::RegionProviderChain,
    profile::region::ProfileFileRegionProvider,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::{
    Client,
    config::{
        Builder, RequestChecksumCalculation, ResponseChecksumValidation, StalledStreamProtectionConfig,
        retry::RetryConfig, timeout::TimeoutConfig,
    },
};
use http::{HeaderMap, Method, header};
use sha2::{Digest as _, Sha256};

use super::{
    bucket,
    fault::{Fault, fault_of},
    headers::{Defaults, text},
    place::{Learned, Place, Shared},
    provider::{self, Provider},
    query::AsSigned,
    settings::{Keys, Settings},
    store::S3,
    wire::{
        Call, Wire,
        credentials::Credentials,
        endpoint::{Endpoint, allows_virtual_host, authority_of, host_of, with_scheme},
        transport::Transport,
    },
};
use crate::{
    capability::{Capabilities, CopyAbility, DeleteMeaning, MetadataAbility, MultipartAbility, OldVersions},
    entry::{Algorithm, Digest},
    error::{Error, ErrorKind, Operation, Result},
    registry::{Opened, Remote},
    request::Ledger,
    store::Whereabouts,
    web::body::Outgoing,
};

const MIB: u64 = 1024 * 1024;
const GIB: u64 = 1024 * MIB;

/// Opens the bucket and prefix `path` names.
///
/// # Errors
/// `Config` for settings that do not fit; `Denied` for keys the server does not know; what stopped a call.
pub(super) async fn open(remote: &Remote, path: &str) -> Result<Opened> {
    let settings = Settings::read(remote)?;
    let (bucket, prefix) = remote.split_bucket(path)?;
    let name = remote.place_name(Some(bucket));
    let place = connect(&settings, name.clone(), bucket).await.map_err(|error| error.of(name))?;
    Ok(Opened { store: Arc::new(S3::from(place)), prefix: prefix.to_owned() })
}

/// Lists the buckets.
///
/// # Errors
/// As [`open`].
pub(super) async fn buckets(remote: &Remote) -> Result<Vec<String>> {
    let settings = Settings::read(remote)?;
    let found = async {
        let ground = Ground::find(&settings, "", &Ledger::default()).await?;
        bucket::names(&ground.sdk()).await
    };
    found.await.map_err(|error| error.of(remote.place_name(None)))
}

/// What has to be known before any request.
struct Ground {
    provider: &'static Provider,
    /// A URL.
    endpoint: String,
    region: String,
    path_style: bool,
    transport: Transport,
    credentials: Credentials,
    /// For the domain of copies.
    account: String,
}

impl Ground {
    async fn find(settings: &Settings, bucket: &str, ledger: &Ledger) -> Result<Self> {
        let from_environment = || {
            ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"]
                .iter()
                .find_map(|name| std::env::var(name).ok().filter(|url| !url.is_empty()))
        };
        let chain = matches!(settings.keys, Keys::Chain { .. });
        let given = settings
            .endpoint
            .clone()
            .or_else(|| (settings.provider.is_none() && chain).then(from_environment).flatten());
        let provider = settings.provider.unwrap_or_else(|| match &given {
            None => provider::named("aws").expect("aws stands in the table"),
            Some(endpoint) => provider::by_host(&host_of(endpoint)).unwrap_or_else(provider::other),
        });
        let tls = given.as_deref().is_none_or(|url| with_scheme(url).starts_with("https:")) || chain;
        let transport = Transport::new(tls, settings.ca_file.as_deref()).map_err(config)?;
        let region = region(settings, provider, given.as_deref(), (bucket, ledger), &transport).await?;
        let endpoint = match given {
            Some(endpoint) => with_scheme(&endpoint),
            None => provider.endpoint(&region).ok_or_else(|| {
                config(format!("provider '{}' has no endpoint of its own: set endpoint", provider.name))
            })?,
        };
        let path_style = settings.path_style.unwrap_or(provider.path_style);
        let path_style = path_style || !allows_virtual_host(&endpoint, bucket);
        let credentials = Credentials::new(keys(settings, &region, &transport).await);
        let account = match credentials.signing_key(Operation::Open).await? {
            None => "anonymous".to_owned(),
            Some(key) => Digest::Sha256(Sha256::digest(key.access_key_id()).into()).hex(),
        };
        Ok(Self { provider, endpoint, region, path_style, transport, credentials, account })
    }

    fn sdk(&self) -> Client {
        let builder = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .endpoint_url(&self.endpoint)
            .force_path_style(self.path_style)
            .http_client(self.transport.clone())
            .interceptor(AsSigned)
            .retry_config(RetryConfig::disabled())
            .timeout_config(TimeoutConfig::disabled())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        let builder = match self.credentials.for_sdk() {
            Some(keys) => builder.credentials_provider(keys),
            None => builder.allow_no_auth(),
        };
        Client::from_conf(builder.app_name(app_name()).build())
    }
}

fn app_name() -> aws_config::AppName {
    aws_config::AppName::new("sterna").expect("letters are an application's name")
}

fn config(why: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Config, Operation::Open).because(why)
}

async fn region(
    settings: &Settings,
    provider: &Provider,
    endpoint: Option<&str>,
    (bucket, ledger): (&str, &Ledger),
    transport: &Transport,
) -> Result<String> {
    if let Some(region) = &settings.region {
        return Ok(region.clone());
    }
    if let Some(region) = endpoint.and_then(|endpoint| provider.region_of(&host_of(endpoint)).map(str::to_owned)) {
        return Ok(region);
    }
    let from_chain = match &settings.keys {
        Keys::Chain { profile } => chain_region(profile.as_deref()).await,
        _ => None,
    };
    if provider.name == "aws" {
        // The bucket's own region counts, whatever the environment says; only a bucket to come has none yet.
        let start = from_chain.unwrap_or_else(|| "us-east-1".to_owned());
        let ask = endpoint.map(with_scheme).or_else(|| provider.endpoint(&start)).filter(|_| !bucket.is_empty());
        let found = match ask {
            Some(endpoint) => {
                ledger.count(Operation::Open, "head_bucket");
                discover(&endpoint, bucket, transport).await?
            }
            None => None,
        };
        return Ok(found.unwrap_or(start));
    }
    let region = if provider.name == "other" { from_chain } else { None };
    region
        .or_else(|| provider.region.map(str::to_owned))
        .ok_or_else(|| config(format!("provider '{}' needs a region", provider.name)))
}

async fn chain_region(profile: Option<&str>) -> Option<String> {
    let file = profile.map_or_else(ProfileFileRegionProvider::new, |profile| {
        ProfileFileRegionProvider::builder().profile_name(profile).build()
    });
    let chain = if profile.is_some() {
        RegionProviderChain::first_try(file)
    } else {
        RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new()).or_else(file)
    };
    chain.region().await.map(|region| region.to_string())
}

/// The region of a bucket at AWS, told even to strangers and even by refusals
/// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>).
async fn discover(endpoint: &str, bucket: &str, transport: &Transport) -> Result<Option<String>> {
    let endpoint = Endpoint::new(endpoint, bucket, true).map_err(config)?;
    let request = http::Request::builder()
        .method(Method::HEAD)
        .uri(endpoint.url(None))
        .body(Outgoing::empty())
        .map_err(config)?;
    let answer = transport.send(request).await.map_err(|error| super::fault::no_answer(Operation::Open, error))?;
    Ok(text(answer.headers(), "x-amz-bucket-region").map(str::to_owned))
}

async fn keys(settings: &Settings, region: &str, transport: &Transport) -> Option<SharedCredentialsProvider> {
    match &settings.keys {
        Keys::Anonymous => None,
        Keys::Given { id, secret, token } => {
            let token = token.as_ref().map(|token| token.reveal().to_owned());
            let keys =
                aws_credential_types::Credentials::new(id, secret.reveal(), token, None, "sterna's configuration");
            Some(SharedCredentialsProvider::new(keys))
        }
        Keys::Chain { profile } => {
            let mut loader = aws_config::defaults(BehaviorVersion::latest())
                .http_client(transport.clone())
                .region(Region::new(region.to_owned()));
            if let Some(profile) = profile {
                loader = loader.profile_name(profile);
            }
            loader.load().await.credentials_provider()
        }
    }
}

async fn connect(settings: &Settings, name: String, bucket: &str) -> Result<Shared> {
    let ledger = Arc::new(Ledger::default());
    let mut ground = Ground::find(settings, bucket, &ledger).await?;
    let endpoint = Endpoint::new(&ground.endpoint, bucket, ground.path_style).map_err(config)?;
    ground.transport = ground.transport.counting(Arc::clone(&ledger), endpoint.root());
    let mut wire = Wire {
        transport: ground.transport.clone(),
        endpoint,
        credentials: ground.credentials.clone(),
        region: ground.region.clone(),
        requester_pays: settings.requester_pays,
        skew: AtomicI64::new(0),
    };
    if ground.provider.name == "other" {
        ground.provider = recognise(&mut wire, settings).await?;
        ground.region.clone_from(&wire.region);
    }
    let sdk = ground.sdk();
    let Ground { provider, region, account, .. } = ground;
    let authority = authority_of(&ground.endpoint);
    let domain = format!("s3 {authority} {account}");
    let whereabouts = Whereabouts::new(format!("s3:{authority}/{bucket}"), Duration::ZERO);
    let learned = Learned::default();
    learned.opaque_etags.store(settings.encrypts_etag(), std::sync::atomic::Ordering::Relaxed);
    Ok(Arc::new(Place {
        name,
        bucket: bucket.to_owned(),
        whereabouts,
        provider,
        wire,
        ledger,
        sdk,
        capabilities: capabilities(settings, provider, domain),
        defaults: Defaults {
            acl: settings.acl.clone(),
            storage_class: settings.storage_class.clone(),
            encryption: settings.encryption.clone(),
            kms_key_id: settings.kms_key_id.clone(),
        },
        checksum: settings.checksum,
        unsigned_payload: settings.unsigned_payload,
        version_at: settings.version_at,
        region,
        learned,
    }))
}

/// Asks a server we know nothing of for one key, to see what it calls itself. A bucket that is not there may be made
/// later, and who may not list may still read; keys that the server does not know help nowhere. Where nobody named a
/// region and the server names another than we took, that one is taken.
async fn recognise(wire: &mut Wire, settings: &Settings) -> Result<&'static Provider> {
    if settings.provider.is_some() && settings.region.is_some() {
        return Ok(provider::other());
    }
    // Who names a provider, even this one, is not told better by the server.
    let by_name = |name: &str| settings.provider.or_else(|| provider::by_server(name));
    let server = |name: Option<&str>| name.and_then(by_name).unwrap_or_else(provider::other);
    let mut answer = first_key(wire).await;
    let named = answer.as_ref().err().filter(|error| error.kind() == ErrorKind::Config).and_then(fault_of);
    if let Some(region) = named.and_then(|fault| fault.region.clone())
        && settings.region.is_none()
        && region != wire.region
    {
        wire.region = region;
        answer = first_key(wire).await;
    }
    match answer {
        Ok(headers) => Ok(server(text(&headers, header::SERVER))),
        Err(error) => match fault_of(&error) {
            Some(Fault { code, .. }) if error.kind() == ErrorKind::Denied && code != "AccessDenied" => Err(error),
            Some(fault) if matches!(error.kind(), ErrorKind::Config) => {
                let hint = fault.region.as_ref().map(|region| format!("; the server says region = \"{region}\""));
                Err(config(format!("{fault}{}", hint.unwrap_or_default())))
            }
            Some(fault) => Ok(server(fault.server.as_deref())),
            None => Err(error),
        },
    }
}

async fn first_key(wire: &Wire) -> Result<HeaderMap> {
    let mut call = Call::new(Operation::Open, Method::GET, None);
    call.query("list-type", Cow::Borrowed("2"));
    call.query("max-keys", Cow::Borrowed("1"));
    Ok(wire.send_collect(call).await?.0)
}

fn capabilities(settings: &Settings, provider: &Provider, domain: String) -> Capabilities {
    let etag = if settings.encrypts_etag() || !provider.etag_is_md5 {
        Vec::new()
    } else {
        vec![Algorithm::Md5, Algorithm::Parts]
    };
    let hides = provider.hides || settings.versions;
    let read_only = settings.version_at.is_some();
    Capabilities {
        keys: provider.keys,
        order: settings.list_order.unwrap_or(provider.order),
        modified: Some(Duration::from_nanos(1)),
        modified_assumed: false,
        modified_in_list: false,
        digests_in_list: etag,
        digests_in_stat: vec![Algorithm::Sha256, Algorithm::Md5],
        cheap_read: false,
        // https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html, for these and for the parts.
        max_put: 5 * GIB,
        multipart: (!read_only).then_some(MultipartAbility {
            min_part: 5 * MIB,
            max_part: 5 * GIB,
            min_parts: 1,
            max_parts: 10_000,
            part: None,
            threshold: 64 * MIB,
            resumable: true,
            tells_begun: true,
            part_digest: Some(Algorithm::Md5).filter(|_| provider.etag_is_md5 && !settings.encrypts_etag()),
            part_checksum: settings.checksum.of_parts(provider),
        }),
        copy: (!read_only).then_some(CopyAbility { domain, max_copy: 5 * GIB, parts: true }),
        conditional_put: provider.conditional,
        delete: if hides { DeleteMeaning::Hides } else { DeleteMeaning::Removes },
        delete_batch: provider.delete_batch,
        versions: hides,
        // Amazon bills a marker as its key's length.
        old_versions: hides.then_some(OldVersions { overwritten_stay: true, marker_bytes: None }),
        metadata: MetadataAbility { content_type: true, headers: true, user: true, storage_class: true, tags: true },
        read_only,
        directories: false,
        transfers: 64,
    }
}
