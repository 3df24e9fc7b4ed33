//! What the configuration says, read and checked once.

use std::{path::PathBuf, str::FromStr};

use super::provider::{self, Provider};
use crate::{
    capability::Order,
    entry::{Algorithm, Timestamp},
    error::Result,
    registry::{OptionSpec, Remote},
    secret::Secret,
};

/// The options of the family.
pub(super) static OPTIONS: &[OptionSpec] = &[
    OptionSpec::text(
        "provider",
        "whose server it is: aws, wasabi, b2, garage, r2, digitalocean, hetzner, ceph, \
         minio, seaweedfs, storj, other",
    ),
    OptionSpec::text("endpoint", "URL of the server; the provider's own where it has one"),
    OptionSpec::text("region", "region of the bucket; found out where it can be"),
    OptionSpec::text("bucket", "the bucket; else the first segment of the path names it"),
    OptionSpec::bool("path_style", "the bucket in the path (true) or in the host name (false)"),
    OptionSpec::text("access_key_id", "public half of the keys"),
    OptionSpec::secret("secret_access_key", "secret half of the keys"),
    OptionSpec::secret("session_token", "token of temporary keys"),
    OptionSpec::text("profile", "profile of ~/.aws/config and ~/.aws/credentials"),
    OptionSpec::bool("anonymous", "requests are not signed: public buckets"),
    OptionSpec::text("acl", "canned ACL of what is written, as 'public-read'"),
    OptionSpec::text("storage_class", "storage class of what is written"),
    OptionSpec::bool("versions", "the bucket keeps old versions: deleting hides"),
    OptionSpec::text("version_at", "read what was there at that time (RFC 3339); nothing can be written"),
    OptionSpec::text("ca_file", "PEM certificates to trust beside the system's"),
    OptionSpec::text("server_side_encryption", "AES256, aws:kms or aws:kms:dsse"),
    OptionSpec::text("sse_kms_key_id", "key of aws:kms"),
    OptionSpec::bool("unsigned_payload", "signatures leave the body out"),
    OptionSpec::text("checksum", "sent with uploads: auto, sha256, crc32c, crc64nvme, md5, none"),
    OptionSpec::text("list_order", "auto, bytes (listings come by the bytes of the keys), unknown"),
    OptionSpec::bool("requester_pays", "we pay for requests to other people's buckets"),
];

/// Who asks.
#[derive(Clone, Debug)]
pub(super) enum Keys {
    /// Nobody.
    Anonymous,
    /// Given in the configuration.
    Given { id: String, secret: Secret, token: Option<Secret> },
    /// The SDK's chain.
    Chain { profile: Option<String> },
}

/// Which checksum uploads carry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Checksum {
    /// What the provider takes.
    #[default]
    Auto,
    Sha256,
    Crc32c,
    Crc64Nvme,
    /// `Content-MD5`.
    Md5,
    None,
}

impl Checksum {
    /// The kind of checksum header a part carries; `None`: at most the MD5, where it is known.
    pub(super) fn of_parts(self, provider: &Provider) -> Option<Algorithm> {
        match self {
            Self::Auto => provider.part_checksum,
            Self::None => None,
            Self::Sha256 => Some(Algorithm::Sha256),
            Self::Crc32c => Some(Algorithm::Crc32c),
            Self::Crc64Nvme => Some(Algorithm::Crc64Nvme),
            Self::Md5 => Some(Algorithm::Md5),
        }
    }
}

impl FromStr for Checksum {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text {
            "auto" => Self::Auto,
            "sha256" => Self::Sha256,
            "crc32c" => Self::Crc32c,
            "crc64nvme" => Self::Crc64Nvme,
            "md5" => Self::Md5,
            "none" => Self::None,
            _ => return Err("it is one of auto, sha256, crc32c, crc64nvme, md5, none"),
        })
    }
}

/// The options, typed.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    /// `None`: found from the endpoint and the server.
    pub provider: Option<&'static Provider>,
    pub endpoint: Option<String>,
    pub region: Option<String>,
    pub path_style: Option<bool>,
    pub keys: Keys,
    pub acl: Option<String>,
    pub storage_class: Option<String>,
    pub versions: bool,
    pub version_at: Option<Timestamp>,
    pub ca_file: Option<PathBuf>,
    pub encryption: Option<String>,
    pub kms_key_id: Option<String>,
    pub unsigned_payload: bool,
    pub checksum: Checksum,
    /// `None`: as the provider's row says.
    pub list_order: Option<Order>,
    pub requester_pays: bool,
}

impl Settings {
    /// Reads a remote.
    ///
    /// # Errors
    /// `Config` for what does not fit.
    pub fn read(remote: &Remote) -> Result<Self> {
        let text = |name: &str| remote.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let provider = match remote.text("provider") {
            None | Some("") => None,
            Some(name) => Some(provider::named(name).ok_or_else(|| unknown_provider(remote, name))?),
        };
        let list_order = match remote.text("list_order") {
            None | Some("" | "auto") => None,
            Some("bytes") => Some(Order::Bytes),
            Some("unknown") => Some(Order::Unknown),
            Some(other) => return Err(remote.wrong(format!("list_order = \"{other}\": auto, bytes or unknown"))),
        };
        let path_style = match remote.text("path_style") {
            None | Some("") => None,
            Some(_) => Some(remote.bool("path_style", false)?),
        };
        Ok(Self {
            provider,
            endpoint: text("endpoint"),
            region: text("region"),
            path_style,
            keys: keys(remote)?,
            acl: text("acl"),
            storage_class: text("storage_class"),
            versions: remote.bool("versions", false)?,
            version_at: remote.parsed::<jiff::Timestamp>("version_at")?.map(Timestamp::from),
            ca_file: text("ca_file").map(PathBuf::from),
            encryption: text("server_side_encryption"),
            kms_key_id: text("sse_kms_key_id"),
            unsigned_payload: remote.bool("unsigned_payload", false)?,
            checksum: remote.parsed("checksum")?.unwrap_or_default(),
            list_order,
            requester_pays: remote.bool("requester_pays", false)?,
        })
    }

    /// Whether an `ETag` cannot be the MD5 of what we write
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_Object.html>).
    pub fn encrypts_etag(&self) -> bool {
        self.kms_key_id.is_some() || self.encryption.as_deref().is_some_and(|word| word.starts_with("aws:kms"))
    }
}

fn unknown_provider(remote: &Remote, name: &str) -> crate::error::Error {
    let known = || provider::PROVIDERS.iter().map(|provider| provider.name);
    let hint = crate::registry::nearest(name, known()).map_or_else(
        || format!("known are {}", known().collect::<Vec<_>>().join(", ")),
        |near| format!("did you mean '{near}'?"),
    );
    remote.wrong(format!("provider = \"{name}\" is not known; {hint}"))
}

fn keys(remote: &Remote) -> Result<Keys> {
    let text = |name: &str| remote.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
    if remote.bool("anonymous", false)? {
        return Ok(Keys::Anonymous);
    }
    match (text("access_key_id"), remote.secret("secret_access_key").filter(|secret| !secret.reveal().is_empty())) {
        (Some(id), Some(secret)) => Ok(Keys::Given { id, secret, token: remote.secret("session_token") }),
        (None, None) => Ok(Keys::Chain { profile: text("profile") }),
        (Some(_), None) => Err(remote.wrong("access_key_id is set, secret_access_key is not")),
        (None, Some(_)) => Err(remote.wrong("secret_access_key is set, access_key_id is not")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorKind, registry::Value};

    fn read(options: &[(&str, &str)]) -> Result<Settings> {
        let options = options.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())));
        Settings::read(&Remote::new("r", &crate::s3::FAMILY, options.collect()).unwrap())
    }

    #[test]
    fn options_are_typed() {
        let settings = read(&[
            ("provider", "wasabi"),
            ("access_key_id", "id"),
            ("secret_access_key", "s3cr3t"),
            ("path_style", "true"),
            ("checksum", "md5"),
            ("list_order", "unknown"),
            ("version_at", "2026-01-01T00:00:00Z"),
            ("server_side_encryption", "aws:kms"),
        ])
        .unwrap();
        assert_eq!(settings.provider.unwrap().name, "wasabi");
        assert_eq!(settings.path_style, Some(true));
        assert_eq!(settings.checksum, Checksum::Md5);
        assert_eq!(settings.list_order, Some(Order::Unknown));
        assert!(settings.encrypts_etag());
        assert!(!format!("{settings:?}").contains("s3cr3t"));
        assert!(matches!(read(&[]).unwrap().keys, Keys::Chain { profile: None }));
        assert!(matches!(read(&[("anonymous", "true")]).unwrap().keys, Keys::Anonymous));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (option, value, hint) in [
            ("provider", "wassabi", "wasabi"),
            ("checksum", "crc", "crc32c"),
            ("list_order", "up", "bytes"),
            ("access_key_id", "id", "secret_access_key"),
            ("version_at", "yesterday", "version_at"),
        ] {
            let error = read(&[(option, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(hint), "{error}");
        }
    }
}
