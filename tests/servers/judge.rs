//! rclone as the independent judge of what sterna wrote (`check --download`, `lsjson --hash`), and as the other tool
//! whose buckets sterna must find in sync.

use std::process::Command;

use crate::S3Server;
use crate::install::RCLONE;

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
    let program = RCLONE.path().unwrap_or_else(|reason| panic!("the judge is missing: {reason}"));
    let mut command = Command::new(program);
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("RCLONE_") {
            command.env_remove(name);
        }
    }
    command.env("RCLONE_CONFIG", "/dev/null");
    for (name, server) in remotes {
        let settings = [
            ("TYPE", "s3"),
            ("PROVIDER", server.rclone_provider),
            ("ENDPOINT", &server.endpoint),
            ("ACCESS_KEY_ID", &server.access_key),
            ("SECRET_ACCESS_KEY", &server.secret_key),
            ("REGION", "us-east-1"),
            ("FORCE_PATH_STYLE", "true"),
        ];
        if let Some(ca_file) = &server.ca_file {
            command.env("RCLONE_CA_CERT", ca_file);
        }
        for (setting, value) in settings {
            command.env(format!("RCLONE_CONFIG_{}_{setting}", name.to_uppercase()), value);
        }
    }
    command
}
