//! The configuration, against families made for these tests: what they take does not change with the real ones.

mod asked;
mod environment;
mod import;
mod load;
mod secrets;
mod store;

use std::{
    fs,
    path::{Path, PathBuf},
};

use futures::FutureExt;
use sterna_backends::{
    Error, ErrorKind, Operation,
    registry::{Family, Opened, OptionSpec},
};
use tempfile::TempDir;

use super::{Config, ConfigError, Environment, Families};

/// Has buckets; lists them for the key `good` only, never answers for the key `silent`.
static S3: Family = Family {
    name: "s3",
    schemes: &["s3"],
    about: "",
    options: &[
        OptionSpec::text("provider", ""),
        OptionSpec::text("endpoint", ""),
        OptionSpec::text("region", ""),
        OptionSpec::text("bucket", ""),
        OptionSpec::text("access_key_id", ""),
        OptionSpec::secret("secret_access_key", ""),
        OptionSpec::text("profile", ""),
        OptionSpec::bool("anonymous", ""),
        OptionSpec::bool("path_style", ""),
        OptionSpec::bool("versions", ""),
        OptionSpec::text("acl", ""),
    ],
    open: |remote, path| {
        async move {
            let (bucket, prefix) = remote.split_bucket(path)?;
            Ok(Opened { store: store::Empty::at(bucket), prefix: prefix.to_owned() })
        }
        .boxed()
    },
    digests: &[],
    buckets: Some(|remote| {
        async move {
            match remote.text("access_key_id") {
                Some("good") => Ok(Vec::new()),
                Some("silent") => std::future::pending().await,
                _ => Err(Error::new(ErrorKind::Denied, Operation::List)),
            }
        }
        .boxed()
    }),
};

/// Has a secret of its own, and a root.
static DAV: Family = Family {
    name: "webdav",
    schemes: &["webdav"],
    about: "",
    options: &[
        OptionSpec::text("url", ""),
        OptionSpec::text("user", ""),
        OptionSpec::text("vendor", ""),
        OptionSpec::secret("password", ""),
        OptionSpec::secret("bearer_token", ""),
    ],
    open: |remote, path| {
        async move { Ok(Opened { store: store::Empty::at(remote.text("user").unwrap_or("")), prefix: path.into() }) }
            .boxed()
    },
    digests: &[],
    buckets: None,
};

/// Takes paths.
static LOCAL: Family = Family {
    name: "local",
    schemes: &[],
    about: "",
    options: &[OptionSpec::text("links", "")],
    open: |_, path| async move { Ok(Opened { store: store::Empty::at(path), prefix: String::new() }) }.boxed(),
    digests: &[],
    buckets: None,
};

const TEST_FAMILIES: Families = &[&LOCAL, &S3, &DAV];

/// A directory with a configuration that only its owner may read.
struct Home {
    directory: TempDir,
}

impl Home {
    fn with(text: &str) -> Self {
        let home = Self { directory: tempfile::tempdir().unwrap() };
        fs::write(home.file(), text).unwrap();
        home.mode(0o600);
        home
    }

    fn file(&self) -> PathBuf {
        self.directory.path().join("sterna.toml")
    }

    #[cfg(unix)]
    fn mode(&self, mode: u32) {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(self.file(), fs::Permissions::from_mode(mode)).unwrap();
    }

    #[cfg(not(unix))]
    fn mode(&self, _mode: u32) {}

    fn load(&self, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        load(Some(&self.file()), environment)
    }

    /// The message of the mistake, without the directory.
    fn complaint(&self, environment: &[(&str, &str)]) -> String {
        self.load(environment).unwrap_err().to_string().replace(&format!("{}/", self.directory.path().display()), "")
    }
}

fn load(path: Option<&Path>, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    Config::load_of(TEST_FAMILIES, path, environment.iter().copied().collect())
}

fn no_environment() -> Environment {
    Environment::default()
}
