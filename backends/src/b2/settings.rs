//! What the configuration says, read and checked once.

use reqwest::Url;

use crate::{
    entry::Timestamp,
    error::Result,
    registry::{OptionSpec, Remote},
    secret::Secret,
    web::client::CA_FILE,
};

/// Where accounts are authorized (<https://www.backblaze.com/apidocs/b2-authorize-account>).
const ENDPOINT: &str = "https://api.backblazeb2.com";

/// The options of the family.
pub(super) static OPTIONS: &[OptionSpec] = &[
    OptionSpec::text("application_key_id", "id of the key; else $B2_APPLICATION_KEY_ID"),
    OptionSpec::secret("application_key", "the key; else $B2_APPLICATION_KEY"),
    OptionSpec::text("bucket", "the bucket; else the first segment of the path names it"),
    OptionSpec::text("endpoint", "URL at which the account is authorized; else Backblaze's"),
    OptionSpec::bool("hard_delete", "deleting destroys all versions instead of hiding the object"),
    OptionSpec::text("version_at", "read what was there at that time (RFC 3339); nothing can be written"),
    CA_FILE,
];

/// The options, typed.
#[derive(Clone, Debug)]
pub(super) struct Settings {
    pub key_id: String,
    pub key: Secret,
    pub endpoint: Url,
    pub hard_delete: bool,
    pub version_at: Option<Timestamp>,
}

impl Settings {
    /// Reads a remote. What is not given is looked for where the official SDK looks.
    ///
    /// # Errors
    /// `Config` for what does not fit or is missing.
    pub fn read(remote: &Remote) -> Result<Self> {
        let text = |name: &str| remote.text(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let variable = |name: &str| std::env::var(name).ok().filter(|text| !text.is_empty());
        let missing = |what: &str| remote.wrong(format!("{what} is not set"));
        let key_id = text("application_key_id").or_else(|| variable("B2_APPLICATION_KEY_ID"));
        let key = remote.secret("application_key").filter(|key| !key.reveal().is_empty());
        let key = key.or_else(|| variable("B2_APPLICATION_KEY").map(Secret::new));
        let endpoint = text("endpoint").unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = if endpoint.contains("://") { endpoint } else { format!("https://{endpoint}") };
        let endpoint: Url =
            endpoint.parse().map_err(|error| remote.wrong(format!("endpoint = \"{endpoint}\": {error}")))?;
        if !matches!(endpoint.scheme(), "http" | "https") || endpoint.host_str().is_none() {
            return Err(remote.wrong(format!("endpoint = \"{endpoint}\" is no address of a web server")));
        }
        Ok(Self {
            key_id: key_id.ok_or_else(|| missing("application_key_id"))?,
            key: key.ok_or_else(|| missing("application_key"))?,
            endpoint,
            hard_delete: remote.bool("hard_delete", false)?,
            version_at: remote.parsed::<jiff::Timestamp>("version_at")?.map(Timestamp::from),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorKind, registry::Value};

    fn read(options: &[(&str, &str)]) -> Result<Settings> {
        let options = options.iter().map(|(name, text)| ((*name).to_owned(), Value::Text((*text).to_owned())));
        Settings::read(&Remote::new("r", &crate::b2::FAMILY, options.collect()).unwrap())
    }

    #[test]
    fn options_are_typed() {
        let keys = [("application_key_id", "id"), ("application_key", "s3cr3t")];
        let settings = read(&keys).unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://api.backblazeb2.com/");
        assert!(!settings.hard_delete);
        assert!(!format!("{settings:?}").contains("s3cr3t"));
        let settings = read(&[keys[0], keys[1], ("endpoint", "example.org"), ("hard_delete", "true")]).unwrap();
        assert_eq!(settings.endpoint.as_str(), "https://example.org/");
        assert!(settings.hard_delete);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let keys = [("application_key_id", "id"), ("application_key", "k")];
        for (option, value) in [("endpoint", "ftp://x"), ("version_at", "yesterday"), ("hard_delete", "perhaps")] {
            let error = read(&[keys[0], keys[1], (option, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Config);
            assert!(error.to_string().contains(option), "{error}");
        }
    }
}
