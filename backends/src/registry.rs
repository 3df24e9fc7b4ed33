//! THE list: every family, the options it takes, and how it is opened.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use crate::{
    entry::Algorithm,
    error::{Error, ErrorKind, Operation, Result},
    secret::{Secret, has_password},
    skipped::Observer,
    store::Store,
};

/// The families, in the order in which people read of them.
pub static FAMILIES: &[&Family] = &[
    &crate::local::FAMILY,
    #[cfg(feature = "s3")]
    &crate::s3::FAMILY,
    #[cfg(feature = "b2")]
    &crate::b2::FAMILY,
    #[cfg(feature = "webdav")]
    &crate::webdav::FAMILY,
    #[cfg(feature = "http")]
    &crate::http::FAMILY,
    #[cfg(feature = "ftp")]
    &crate::ftp::FAMILY,
    #[cfg(feature = "sftp")]
    &crate::sftp::FAMILY,
    #[cfg(feature = "ipfs")]
    &crate::ipfs::FAMILY,
    #[cfg(feature = "azure")]
    &crate::adaptor::AZURE,
    #[cfg(feature = "gcs")]
    &crate::adaptor::GCS,
    &crate::memory::FAMILY,
];

/// Options every family takes; the layers keep them.
pub static COMMON_OPTIONS: &[OptionSpec] = &[
    OptionSpec::text("bandwidth", "bytes per second, as '10MiB', or a timetable"),
    OptionSpec::text("requests_per_second", "requests per second, at most"),
    OptionSpec::text("transfers", "objects in flight at once, at most"),
    OptionSpec::text("search", "other buckets that are searched for what is to be sent, separated by commas"),
    OptionSpec::text("price_offer", "the entry of the price book that holds for it"),
];

/// How a family opens a place.
pub type Open = for<'a> fn(&'a Remote, &'a str) -> BoxFuture<'a, Result<Opened>>;

/// How a family lists its buckets.
pub type ListBuckets = for<'a> fn(&'a Remote) -> BoxFuture<'a, Result<Vec<String>>>;

/// One kind of store.
pub struct Family {
    /// The word in `type = "…"`.
    pub name: &'static str,
    /// URL schemes that mean it.
    pub schemes: &'static [&'static str],
    /// One line for people.
    pub about: &'static str,
    /// The options it takes beside the common ones.
    pub options: &'static [OptionSpec],
    /// Opens the place `path` names: for families with buckets, the bucket (unless the options name one) and a
    /// prefix.
    pub open: Open,
    /// Digests by which it tells large objects, whoever put them there; of what sterna puts it may tell more.
    pub digests: &'static [Algorithm],
    /// Lists the buckets; `None` for families without.
    pub buckets: Option<ListBuckets>,
}

impl std::fmt::Debug for Family {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Family({})", self.name)
    }
}

/// A store at its container's root, and what of the path lies inside it.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Bucket, or directory.
    pub store: Arc<dyn Store>,
    /// The rest of the path: empty, or a prefix or key without leading `/`.
    pub prefix: String,
}

/// One option of a family.
#[derive(Clone, Copy, Debug)]
pub struct OptionSpec {
    /// Its name in the configuration.
    pub name: &'static str,
    /// What it holds.
    pub holds: Holds,
    /// One line for people.
    pub about: &'static str,
}

/// What an option holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holds {
    /// Any text.
    Text,
    /// `true` or `false`.
    Bool,
    /// A text that is never shown.
    Secret,
}

impl OptionSpec {
    /// An option that holds text.
    #[must_use]
    pub const fn text(name: &'static str, about: &'static str) -> Self {
        Self { name, holds: Holds::Text, about }
    }

    /// An option that is on or off.
    #[must_use]
    pub const fn bool(name: &'static str, about: &'static str) -> Self {
        Self { name, holds: Holds::Bool, about }
    }

    /// An option that is never shown.
    #[must_use]
    pub const fn secret(name: &'static str, about: &'static str) -> Self {
        Self { name, holds: Holds::Secret, about }
    }
}

/// A value of an option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Shown to people.
    Text(String),
    /// Never shown.
    Secret(Secret),
}

impl Value {
    fn reveal(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Secret(secret) => secret.reveal(),
        }
    }
}

/// What a place is opened for. A store may have to try what its server does, by writing something and looking at what came
/// of it; who only reads writes nothing at all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Objects may be put there.
    #[default]
    Target,
    /// Objects are copied from there, and perhaps deleted: what it tells of them is taken as it comes.
    Source,
    /// It is looked at, and compared: what it tells is believed as far as it goes
    /// ([`Capabilities::modified_assumed`](crate::Capabilities)). Objects may be deleted.
    Look,
}

/// Where what was found out of servers is kept from one run to the next. It is a memory and no truth: a server may do
/// otherwise by now, and whoever relies on it has to notice.
pub trait Notebook: std::fmt::Debug + Send + Sync {
    /// What was noted of `server` last, by a family, in its own words.
    fn read(&self, server: &str) -> Option<String>;
    /// Notes `found`, in place of what was noted of `server` before. What cannot be kept is found out again.
    fn note(&self, server: &str, found: &str);
}

/// Who is told of what listings leave out.
#[derive(Clone)]
pub struct Skips(pub Observer);

impl std::fmt::Debug for Skips {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Skips")
    }
}

/// A remote as configured: its name, its family, its options, all read and checked by name.
#[derive(Clone, Debug)]
pub struct Remote {
    /// Its name in the configuration; the scheme for a URL; `local` for paths.
    pub name: String,
    /// Its family.
    pub family: &'static Family,
    /// What its places are opened for.
    pub purpose: Purpose,
    /// Told of what listings of its places leave out, by the families that leave anything out.
    pub skips: Option<Skips>,
    /// Where it is kept what its server was found to do; without one it is tried whenever a place is opened to put
    /// objects there.
    pub notebook: Option<Arc<dyn Notebook>>,
    /// The options that were given.
    options: BTreeMap<String, Value>,
}

impl Remote {
    /// Takes options by name.
    ///
    /// # Errors
    /// `Config`, naming the option and the nearest known one, where the family has no such option.
    pub fn new(name: impl Into<String>, family: &'static Family, options: BTreeMap<String, Value>) -> Result<Self> {
        let (name, purpose) = (name.into(), Purpose::default());
        let remote = Self { name, family, purpose, skips: None, notebook: None, options };
        for option in remote.options.keys() {
            if remote.spec(option).is_none() {
                let hint = nearest(option, remote.specs().map(|spec| spec.name))
                    .map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
                return Err(remote.wrong(format!("type '{}' has no option '{option}'{hint}", family.name)));
            }
        }
        for (option, value) in &remote.options {
            if matches!(value, Value::Text(text) if text.contains("://") && has_password(text)) {
                return Err(remote.holds_password(option));
            }
        }
        Ok(remote)
    }

    /// The same remote with another bucket.
    #[must_use]
    pub fn at_bucket(&self, bucket: &str) -> Self {
        let mut remote = self.clone();
        remote.options.insert("bucket".to_owned(), Value::Text(bucket.to_owned()));
        remote
    }

    /// The same, its places opened for `purpose`.
    #[must_use]
    pub fn opened_for(self, purpose: Purpose) -> Self {
        Self { purpose, ..self }
    }

    /// The same, `observer` told of what listings of its places leave out.
    #[must_use]
    pub fn observed(self, observer: Observer) -> Self {
        Self { skips: Some(Skips(observer)), ..self }
    }

    /// The same, what its server is found to do kept in `notebook`.
    #[must_use]
    pub fn noted(self, notebook: Option<Arc<dyn Notebook>>) -> Self {
        Self { notebook, ..self }
    }

    /// Every option the remote could have.
    pub fn specs(&self) -> impl Iterator<Item = &'static OptionSpec> + use<> {
        self.family.options.iter().chain(COMMON_OPTIONS)
    }

    fn spec(&self, name: &str) -> Option<&'static OptionSpec> {
        self.specs().find(|spec| spec.name == name)
    }

    /// The text of an option, if it was given.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        self.options.get(name).map(Value::reveal)
    }

    /// The secret of an option, if it was given.
    #[must_use]
    pub fn secret(&self, name: &str) -> Option<Secret> {
        self.options.get(name).map(|value| Secret::new(value.reveal()))
    }

    /// An option that is on or off; `default` where it was not given.
    ///
    /// # Errors
    /// `Config` for a text that is neither `true` nor `false`.
    pub fn bool(&self, name: &str, default: bool) -> Result<bool> {
        match self.text(name) {
            None => Ok(default),
            Some("true" | "1" | "yes") => Ok(true),
            Some("false" | "0" | "no") => Ok(false),
            Some(other) => Err(self.wrong(format!("{name} = \"{other}\" is neither true nor false"))),
        }
    }

    /// An option that is a value with a text form; `None` where it was not given.
    ///
    /// # Errors
    /// `Config` for a text of another form.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self, name: &str) -> Result<Option<T>> {
        self.text(name)
            .map(|text| text.parse().map_err(|error| self.wrong(format!("{name} = \"{text}\": {error}"))))
            .transpose()
    }

    /// An option that is one of a few words, as what it stands for; the first of them where it was not given.
    ///
    /// # Errors
    /// `Config`, naming the words, for any other.
    pub fn choice<T: Copy>(&self, name: &str, words: &[(&str, T)]) -> Result<T> {
        let Some(text) = self.text(name) else { return Ok(words[0].1) };
        words.iter().find(|(word, _)| text.eq_ignore_ascii_case(word)).map(|(_, meant)| *meant).ok_or_else(|| {
            let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
            self.wrong(format!("{name} = \"{text}\" is none of {}", known.join(", ")))
        })
    }

    /// The host that the option of that `name` says, else the one a URL of the family begins with; and what of `path` lies
    /// below.
    ///
    /// # Errors
    /// `Config` where neither names one.
    pub fn host_and_path<'a>(&'a self, name: &str, path: &'a str) -> Result<(&'a str, &'a str)> {
        let path = path.trim_start_matches('/');
        if let Some(host) = self.text(name) {
            return if has_password(host) { Err(self.holds_password(name)) } else { Ok((host, path)) };
        }
        if !self.family.schemes.contains(&self.name.as_str()) {
            return Err(self.wrong(format!("it needs the option '{name}'")));
        }
        match path.split_once('/').unwrap_or((path, "")) {
            ("", _) => Err(self.wrong(format!("name a host: {}://HOST/PATH", self.name))),
            named => Ok(named),
        }
    }

    /// The name of what was opened, as people write it: `NAME:bucket`, or `NAME:` where the bucket is an option or there is
    /// none. What is relative to it follows.
    #[must_use]
    pub fn place_name(&self, bucket: Option<&str>) -> String {
        let bucket = bucket.filter(|_| self.text("bucket").is_none()).unwrap_or_default();
        format!("{}:{bucket}", self.name)
    }

    /// An error of kind `Config` that names this remote.
    #[must_use]
    pub fn wrong(&self, why: impl Into<String>) -> Error {
        Error::new(ErrorKind::Config, Operation::Open).of(self.place_name(None)).because(why.into())
    }

    /// That there is a password in an option that is shown.
    #[must_use]
    pub fn holds_password(&self, option: &str) -> Error {
        self.wrong(format!("'{option}' holds a password, which would be shown; credentials have options of their own"))
    }

    /// Opens `path` of this remote.
    ///
    /// # Errors
    /// `Config` for settings that do not fit together; what stopped the family's own calls.
    pub async fn open(&self, path: &str) -> Result<Opened> {
        (self.family.open)(self, path).await
    }

    /// The bucket and the prefix `path` names: the option `bucket` if given, else the first segment.
    ///
    /// # Errors
    /// `Config` where neither names a bucket.
    pub fn split_bucket<'a>(&'a self, path: &'a str) -> Result<(&'a str, &'a str)> {
        let path = path.trim_start_matches('/');
        if let Some(bucket) = self.text("bucket") {
            return Ok((bucket, path));
        }
        let (bucket, prefix) = path.split_once('/').unwrap_or((path, ""));
        if bucket.is_empty() {
            return Err(self.wrong(format!("name a bucket: {}:BUCKET/PREFIX", self.name)));
        }
        Ok((bucket, prefix))
    }
}

/// The family with that `type`, or URL scheme.
#[must_use]
pub fn family(name: &str) -> Option<&'static Family> {
    FAMILIES.iter().copied().find(|family| family.name == name || family.schemes.contains(&name))
}

/// The word of `known` that `word` was probably meant to be.
pub fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    known
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= candidate.len().max(word.len()) / 3 + 1)
        .min()
        .map(|(_, candidate)| candidate)
}

/// How long opening a store may take before it counts as unreachable.
pub const OPEN_TIMEOUT: Duration = Duration::from_secs(30);
