//! rclone as the independent judge of what sterna wrote (`check --download`, `lsjson --hash`), and as the other tool
//! whose buckets sterna must find in sync.

use std::process::Command;

/// Settings of one remote, as rclone reads them from the environment: name without prefix, value.
pub type Remote = Vec<(&'static str, String)>;

use crate::S3Server;
use crate::install::{DUCKDB, RCLONE};

/// rclone without any remote: for local paths. It reads no configuration of the machine.
///
/// # Panics
/// When it cannot be installed.
#[must_use]
pub fn rclone() -> Command {
    rclone_with(&[])
}

/// rclone with each server as a remote of the given name; a name holds letters, digits and `_` only.
///
/// # Panics
/// When rclone cannot be installed.
#[must_use]
pub fn rclone_with(remotes: &[(&str, &S3Server)]) -> Command {
    let settings: Vec<(&str, Remote)> = remotes.iter().map(|(name, server)| (*name, server.remote())).collect();
    let settings: Vec<(&str, &Remote)> = settings.iter().map(|(name, remote)| (*name, remote)).collect();
    let mut command = rclone_with_remotes(&settings);
    if let Some(ca_file) = remotes.iter().find_map(|(_, server)| server.ca_file.as_ref()) {
        command.env("RCLONE_CA_CERT", ca_file);
    }
    command
}

/// rclone with remotes of any kind.
///
/// # Panics
/// When rclone cannot be installed.
#[must_use]
pub fn rclone_with_remotes(remotes: &[(&str, &Remote)]) -> Command {
    let program = RCLONE.path().unwrap_or_else(|reason| panic!("the judge is missing: {reason}"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RCLONE_") {
            command.env_remove(name);
        }
    }
    command.env("RCLONE_CONFIG", "/dev/null");
    for (name, remote) in remotes {
        for (setting, value) in *remote {
            command.env(format!("RCLONE_CONFIG_{}_{setting}", name.to_uppercase()), value);
        }
    }
    command
}

/// Python with DuckDB, for a script: the judge of what was exported.
///
/// # Panics
/// When it cannot be installed.
#[must_use]
pub fn duckdb(script: &str) -> Command {
    let directory = DUCKDB.directory().unwrap_or_else(|reason| panic!("the judge is missing: {reason}"));
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", directory).args(["-c", script]);
    python
}
