//! SFTP, through the `ssh` program: its configuration, agent and known hosts hold.

use futures::FutureExt;

use super::profile::{Places, Profile, Writes, bare, open};
use crate::{
    capability::{Capabilities, KeyRules},
    registry::{Family, OptionSpec},
};

static PROFILE: Profile = Profile {
    scheme: "sftp",
    places: Places::Hosts { option: "endpoint", before: "ssh://" },
    always: &[],
    tree: true,
    writes: Writes::Renamed,
    capabilities,
};

/// The registry's entry for SFTP.
pub static SFTP: Family = Family {
    name: "sftp",
    schemes: &["sftp"],
    about: "SFTP, through the ssh program",
    options: &[
        OptionSpec::text("endpoint", "[user@]host, ssh://[user@]host[:port], or a Host of ssh's configuration"),
        OptionSpec::text("root", "the directory on the server; without it, the one a login starts in"),
        OptionSpec::text("user", "whom to sign in as"),
        OptionSpec::text("key", "the file of the private key; without it, ssh looks where it always does"),
        OptionSpec::text("known_hosts_strategy", "Strict (the default), Add or Accept unknown host keys"),
    ],
    open: |remote, path| open(remote, path, &PROFILE).boxed(),
    buckets: None,
};

/// The library tells times and sets none.
fn capabilities() -> Capabilities {
    let bare = bare();
    let keys = KeyRules { max_segment: 255, file_beside_directory: false, ..bare.keys };
    Capabilities { keys, directories: true, ..bare }
}
