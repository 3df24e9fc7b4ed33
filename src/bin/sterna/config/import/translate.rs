//! What a section of an rclone.conf is here.

use std::{collections::BTreeSet, fmt};

use serde::Serialize;
use sterna_backends::{registry::Family, secret::Secret};

use super::{
    super::{Families, file::is_name, given::quoted, remotes::family_called, specs},
    obscure,
    read::Section,
};

/// What became of an rclone.conf. Its [`Debug`] and JSON forms hold no secret; [`Import::to_toml`] does.
#[derive(Debug, Serialize)]
pub struct Import {
    /// The sections that are remotes here.
    pub remotes: Vec<Imported>,
    /// Those that are not, each with the reason.
    pub refused: Vec<Refused>,
}

/// One section that is a remote here.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// Its name here.
    pub name: String,
    /// Its type here.
    #[serde(rename = "type")]
    pub family: &'static str,
    /// Its options; all kept as secrets, as some are.
    pub options: Vec<(&'static str, Written)>,
    /// What could not be taken over, and what to look at, for people.
    pub notes: Vec<String>,
}

/// A value as it is written to our file.
#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Written {
    /// A text.
    Text(Secret),
    /// On or off.
    Bool(bool),
    /// A command that prints it.
    Command(Secret),
}

/// One section that is no remote here.
#[derive(Debug, Serialize)]
pub struct Refused {
    /// Its name in rclone.conf.
    pub name: String,
    /// Its type in rclone.conf.
    #[serde(rename = "type")]
    pub kind: String,
    /// Why, for people.
    pub why: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] of type '{}' was not imported: {}", self.name, self.kind, self.why)
    }
}

/// How one option of rclone's is written here.
enum Rule {
    /// The same value under this name.
    As(&'static str),
    /// On or off, under this name.
    Bool(&'static str),
    /// An obscured password, under this name.
    Obscured(&'static str),
    /// A command that prints the value, words between spaces, under this name.
    Command(&'static str),
    /// A service address, to which rclone adds `https://` where it has no scheme.
    Endpoint,
    /// Headers, names and values between commas.
    Headers,
    /// Taken care of by [`finish_s3`], [`finish_webdav`], [`finish_sftp`], [`finish_ftp`] and [`finish_local`].
    Elsewhere,
}

type Rules = &'static [(&'static str, Rule)];

/// The types we translate, for families that may come later too. The family must have the option in the end.
static TYPES: &[(&str, Rules)] = &[
    (
        "s3",
        &[
            ("provider", Rule::Elsewhere),
            ("env_auth", Rule::Elsewhere),
            ("profile", Rule::Elsewhere),
            ("access_key_id", Rule::As("access_key_id")),
            ("secret_access_key", Rule::As("secret_access_key")),
            ("session_token", Rule::As("session_token")),
            ("region", Rule::As("region")),
            ("endpoint", Rule::Endpoint),
            ("acl", Rule::As("acl")),
            ("storage_class", Rule::As("storage_class")),
            ("server_side_encryption", Rule::As("server_side_encryption")),
            ("sse_kms_key_id", Rule::As("sse_kms_key_id")),
            ("requester_pays", Rule::Bool("requester_pays")),
            ("force_path_style", Rule::Bool("path_style")),
            ("use_unsigned_payload", Rule::Bool("unsigned_payload")),
            ("versions", Rule::Bool("versions")),
        ],
    ),
    (
        "b2",
        &[
            ("account", Rule::As("application_key_id")),
            ("key", Rule::As("application_key")),
            ("endpoint", Rule::Endpoint),
            ("hard_delete", Rule::Bool("hard_delete")),
            ("versions", Rule::Bool("versions")),
        ],
    ),
    (
        "webdav",
        &[
            ("url", Rule::As("url")),
            ("vendor", Rule::Elsewhere),
            ("headers", Rule::Headers),
            ("user", Rule::As("user")),
            ("pass", Rule::Obscured("password")),
            ("bearer_token", Rule::As("bearer_token")),
            ("bearer_token_command", Rule::Command("bearer_token")),
        ],
    ),
    (
        "sftp",
        &[
            ("host", Rule::Elsewhere),
            ("port", Rule::Elsewhere),
            ("user", Rule::Elsewhere),
            ("key_file", Rule::As("key")),
        ],
    ),
    (
        "ftp",
        &[
            ("host", Rule::As("host")),
            ("port", Rule::As("port")),
            ("user", Rule::As("user")),
            ("pass", Rule::Obscured("password")),
            ("explicit_tls", Rule::Elsewhere),
            ("force_list_hidden", Rule::Elsewhere),
            ("writing_mdtm", Rule::Elsewhere),
        ],
    ),
    (
        "azureblob",
        &[
            ("account", Rule::As("account_name")),
            ("key", Rule::As("account_key")),
            ("tenant", Rule::As("tenant_id")),
            ("client_id", Rule::As("client_id")),
            ("client_secret", Rule::As("client_secret")),
            ("use_az", Rule::Bool("use_azure_cli")),
            ("endpoint", Rule::Endpoint),
        ],
    ),
    ("http", &[("url", Rule::As("url")), ("headers", Rule::Headers)]),
    ("local", &[("links", Rule::Elsewhere), ("copy_links", Rule::Elsewhere), ("skip_links", Rule::Elsewhere)]),
];

/// Types that have another name here.
static CALLED: &[(&str, &str)] = &[("azureblob", "azure")];

/// rclone's names of the services whose quirks we know under another name.
static PROVIDERS: &[(&str, &str)] = &[
    ("AWS", "aws"),
    ("Wasabi", "wasabi"),
    ("Cloudflare", "r2"),
    ("DigitalOcean", "digitalocean"),
    ("Hetzner", "hetzner"),
    ("Ceph", "ceph"),
    ("SeaweedFS", "seaweedfs"),
    ("Minio", "minio"),
];

/// Services that rclone calls `Other`, or nothing, told by their address.
static HOSTS: &[(&str, &str)] = &[
    (".backblazeb2.com", "b2"),
    (".wasabisys.com", "wasabi"),
    (".r2.cloudflarestorage.com", "r2"),
    (".digitaloceanspaces.com", "digitalocean"),
    (".your-objectstorage.com", "hetzner"),
    (".amazonaws.com", "aws"),
];

/// Translates every section, for families that may be had.
pub fn translate(families: Families, sections: Vec<(String, Section)>) -> Import {
    let mut import = Import { remotes: Vec::new(), refused: Vec::new() };
    let mut taken = BTreeSet::new();
    for (name, section) in sections {
        let kind = section.get("type").map_or("", |kind| kind.reveal()).to_owned();
        match translate_one(families, &name, &kind, &section, &taken) {
            Ok(imported) => {
                taken.insert(imported.name.clone());
                import.remotes.push(imported);
            }
            Err(why) => import.refused.push(Refused { name, kind, why }),
        }
    }
    import
}

fn translate_one(
    families: Families,
    name: &str,
    kind: &str,
    section: &Section,
    taken: &BTreeSet<String>,
) -> Result<Imported, String> {
    if kind.is_empty() {
        return Err("it has no type".to_owned());
    }
    let rules = TYPES.iter().find(|(known, _)| *known == kind).map(|(_, rules)| *rules);
    let called = CALLED.iter().find(|(theirs, _)| *theirs == kind).map_or(kind, |(_, ours)| ours);
    let (Some(family), Some(rules)) = (family_called(families, called), rules) else {
        return Err(match kind {
            "alias" => {
                "sterna has no aliases; write the place it stands for, or name a bucket in the remote".to_owned()
            }
            "crypt" => "sterna has no type 'crypt', and cannot read what rclone encrypted".to_owned(),
            _ => format!("sterna has no type '{kind}' yet"),
        });
    };
    let ours = our_name(name);
    if !is_name(&ours) {
        return Err("no place can name a remote so; rename it in rclone.conf first".to_owned());
    }
    if taken.contains(&ours) {
        return Err(format!("its name here, '{ours}', is that of an earlier section"));
    }
    let mut draft = Draft { family, options: Vec::new(), notes: Vec::new() };
    if ours != name {
        draft.notes.push(format!("rclone calls it '{}'", name));
    }
    for (key, value) in section.iter().filter(|(key, value)| *key != "type" && !value.reveal().is_empty()) {
        match rules.iter().find(|(known, _)| known == key) {
            Some((_, rule)) => draft.apply(key, value, rule),
            None => draft.without_counterpart(key),
        }
    }
    match kind {
        "s3" => finish_s3(&mut draft, section),
        "webdav" => finish_webdav(&mut draft, section),
        "sftp" => finish_sftp(&mut draft, section),
        "ftp" => finish_ftp(&mut draft, section),
        "local" => finish_local(&mut draft, section),
        _ => {}
    }
    Ok(Imported { name: ours, family: family.name, options: draft.options, notes: draft.notes })
}

/// What places cannot name is written `_`.
fn our_name(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() || "_-.".contains(c) { c } else { '_' }).collect()
}

struct Draft {
    family: &'static Family,
    options: Vec<(&'static str, Written)>,
    notes: Vec<String>,
}

impl Draft {
    fn apply(&mut self, key: &str, value: &Secret, rule: &Rule) {
        match *rule {
            Rule::As(ours) => self.give(key, ours, Written::Text(value.clone())),
            Rule::Bool(ours) => match value.reveal().to_ascii_lowercase().as_str() {
                "true" | "1" | "t" => self.give(key, ours, Written::Bool(true)),
                "false" | "0" | "f" => self.give(key, ours, Written::Bool(false)),
                // rclone's third state: the provider decides, as here.
                "unset" => {}
                _ => self.notes.push(format!("'{key}' is neither true nor false and was left out")),
            },
            Rule::Obscured(ours) => match obscure::reveal(value.reveal()) {
                Some(plain) => self.give(key, ours, Written::Text(plain)),
                None => self.notes.push(format!("'{key}' is not a password as rclone obscures them; set {ours}")),
            },
            Rule::Command(ours) if value.reveal().contains(['"', '\'']) => {
                self.notes
                    .push(format!("'{key}' has quotes; write {ours} = {{ command = [\"PROGRAM\", …] }} yourself"));
            }
            Rule::Command(ours) => self.give(key, ours, Written::Command(value.clone())),
            Rule::Endpoint if value.reveal().contains("://") => {
                self.give(key, "endpoint", Written::Text(value.clone()))
            }
            Rule::Endpoint => {
                self.give(key, "endpoint", Written::Text(Secret::new(format!("https://{}", value.reveal()))));
            }
            Rule::Headers => {
                let words: Vec<_> = value.reveal().split(',').collect();
                let lines: Vec<_> = words.chunks(2).map(|pair| pair.join(": ")).collect();
                match words.len() % 2 {
                    0 if !value.reveal().contains('"') => {
                        self.give(key, "headers", Written::Text(Secret::new(lines.join("\n"))));
                    }
                    _ => self.notes.push(format!("'{key}' was not understood; write headers = \"Name: value\"")),
                }
            }
            Rule::Elsewhere => {}
        }
    }

    /// Writes an option, if the family has it.
    fn give(&mut self, key: &str, ours: &'static str, value: Written) {
        if specs(self.family).any(|spec| spec.name == ours) {
            self.options.push((ours, value));
        } else {
            self.without_counterpart(key);
        }
    }

    fn without_counterpart(&mut self, key: &str) {
        self.notes.push(format!("'{key}' has no counterpart and was left out"));
    }
}

/// The provider, and where the credentials come from: rclone looks in the environment only with `env_auth` and
/// without keys, and without either asks anonymously (its documentation of `env_auth`).
fn finish_s3(draft: &mut Draft, section: &Section) {
    let text = |key: &str| section.get(key).map_or("", Secret::reveal);
    let (theirs, endpoint) = (text("provider"), text("endpoint"));
    let named = PROVIDERS.iter().find(|(known, _)| known.eq_ignore_ascii_case(theirs)).map(|(_, ours)| *ours);
    let host = endpoint.split_once("://").map_or(endpoint, |(_, host)| host);
    let host = host.split(['/', ':']).next().unwrap_or_default();
    let told = HOSTS.iter().find(|(suffix, _)| host.ends_with(suffix)).map(|(_, ours)| *ours);
    let is_garage = text("region") == "garage" && !endpoint.is_empty();
    let provider = named
        .or(told)
        .or(is_garage.then_some("garage"))
        .unwrap_or(if theirs.is_empty() && endpoint.is_empty() { "aws" } else { "other" });
    if provider == "other" && !matches!(theirs, "" | "Other") {
        draft.notes.push(format!("provider '{}' has no settings of its own here", theirs));
    }
    if provider == "other" && endpoint.is_empty() {
        draft.notes.push("add its endpoint = \"https://…\"".to_owned());
    }
    draft.give("provider", "provider", Written::Text(Secret::new(provider)));

    let has_keys = !text("access_key_id").is_empty() || !text("secret_access_key").is_empty();
    let of_environment = text("env_auth").eq_ignore_ascii_case("true") && !has_keys;
    if of_environment {
        draft.notes.push("its credentials come from the environment, as AWS tools find them".to_owned());
        if !text("profile").is_empty() {
            draft.give("profile", "profile", Written::Text(Secret::new(text("profile"))));
        }
    } else {
        if !text("profile").is_empty() {
            draft.notes.push("'profile' was left out: rclone reads it only with env_auth and without keys".to_owned());
        }
        if !has_keys {
            draft.give("env_auth", "anonymous", Written::Bool(true));
        }
    }
}

/// The vendors we know by a name; the others are tried.
fn finish_webdav(draft: &mut Draft, section: &Section) {
    let vendor = section.get("vendor").map_or("", Secret::reveal);
    let ours = match vendor {
        "" | "other" => return,
        "nextcloud" => "nextcloud",
        "owncloud" | "infinitescale" => "owncloud",
        _ => "other",
    };
    if vendor.starts_with("sharepoint") {
        draft.notes.push("signing in to SharePoint is not there: it wants more than user and password".to_owned());
    }
    draft.give("vendor", "vendor", Written::Text(Secret::new(ours)));
}

/// Host, port and user are one address here. rclone signs in by itself; here the `ssh` program does.
fn finish_sftp(draft: &mut Draft, section: &Section) {
    let text = |key: &str| section.get(key).map_or("", Secret::reveal);
    let user = if text("user").is_empty() { String::new() } else { format!("{}@", text("user")) };
    let port = if text("port").is_empty() { String::new() } else { format!(":{}", text("port")) };
    let endpoint = format!("ssh://{user}{}{port}", text("host"));
    draft.give("host", "endpoint", Written::Text(Secret::new(endpoint)));
    draft.notes.push("the ssh program signs in: with its configuration, its agent, its known hosts".to_owned());
}

/// Switches of rclone's are words here.
fn finish_ftp(draft: &mut Draft, section: &Section) {
    for (key, option, word) in [
        ("explicit_tls", "tls", "explicit"),
        ("force_list_hidden", "listing", "list"),
        ("writing_mdtm", "times", "mdtm"),
    ] {
        if section.get(key).is_some_and(|value| value.reveal().eq_ignore_ascii_case("true")) {
            draft.give(key, option, Written::Text(Secret::new(word)));
        }
    }
}

/// Three switches of rclone's are one option here.
fn finish_local(draft: &mut Draft, section: &Section) {
    for (key, ours) in [("copy_links", "follow"), ("links", "copy"), ("skip_links", "skip")] {
        if section.get(key).is_some_and(|value| value.reveal().eq_ignore_ascii_case("true")) {
            return draft.give(key, "links", Written::Text(Secret::new(ours)));
        }
    }
}

impl Import {
    /// The remotes as tables of our file, their notes as comments. **Holds every secret in clear.**
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut toml = String::new();
        for remote in &self.remotes {
            let name = if remote.name.contains('.') { quoted(&remote.name) } else { remote.name.clone() };
            if !toml.is_empty() {
                toml.push('\n');
            }
            for note in &remote.notes {
                toml.push_str(&comment(note));
            }
            toml.push_str(&format!("[remote.{name}]\ntype = {}\n", quoted(remote.family)));
            for (option, value) in &remote.options {
                toml.push_str(&format!("{option} = {}\n", value.to_toml()));
            }
        }
        for refused in &self.refused {
            toml.push('\n');
            toml.push_str(&comment(&refused.to_string()));
        }
        toml
    }
}

/// One line that TOML passes over; names out of an rclone.conf may hold anything.
fn comment(text: &str) -> String {
    format!("# {}\n", text.replace(char::is_control, "\u{fffd}"))
}

impl Written {
    fn to_toml(&self) -> String {
        match self {
            Self::Text(text) => quoted(text.reveal()),
            Self::Bool(on) => on.to_string(),
            Self::Command(words) => {
                let words: Vec<_> = words.reveal().split_whitespace().map(quoted).collect();
                format!("{{ command = [{}] }}", words.join(", "))
            }
        }
    }
}
