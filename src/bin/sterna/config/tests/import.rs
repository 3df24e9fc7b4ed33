//! An rclone.conf becomes remotes. The texts are what rclone 1.75.2 wrote by `rclone config create`.

use std::{fs, path::Path};

use super::{
    super::{ConfigErrorKind, import::Import},
    Home, TEST_FAMILIES,
};

const WRITTEN_BY_RCLONE: &str = r#"[wasabi]
type = s3
provider = Wasabi
access_key_id = AKIA
secret_access_key = """a`b#c;d=e"f\g"""
region = eu-central-1
endpoint = s3.eu-central-1.wasabisys.com
acl = private

[q1]
type = s3
provider = Other
access_key_id = "quoted"
secret_access_key = lead trail
endpoint = 'x'

[dav]
type = webdav
user = me
pass = vLYXUrmqIv9o7t7jzCFbZo_N-VRvsn8
url = https://x/remote.php
vendor = nextcloud

[b2]
type = b2
account = acc
key = keykey
hard_delete = true

[l]
type = local

[al]
type = alias
remote = wasabi:bucket/x

[with space]
type = crypt
remote = wasabi:b
password = hO6WH3dNDCOWHIBKJnacKviT
password2 = M0DHxRbTqR0J8IoznL39KPkAXg

"#;

fn read(text: &str) -> Import {
    super::super::import::read_for(TEST_FAMILIES, Path::new("rclone.conf"), text).unwrap()
}

/// The options of the only remote, as they are written.
fn options(section: &str) -> String {
    let import = read(section);
    assert_eq!((import.remotes.len(), import.refused.len()), (1, 0), "{import:?}");
    import.to_toml().lines().filter(|line| !line.starts_with(['#', '['])).collect::<Vec<_>>().join("\n")
}

fn notes(section: &str) -> String {
    read(section).remotes[0].notes.join("\n")
}

#[test]
fn what_rclone_wrote_is_read_by_us() {
    let import = read(WRITTEN_BY_RCLONE);
    let home = Home::with(&import.to_toml());
    let config = home.load(&[]).unwrap();
    assert_eq!(config.names().collect::<Vec<_>>(), ["dav", "l", "q1", "wasabi"]);
    let wasabi = config.remote("wasabi").unwrap();
    assert_eq!(wasabi.text("provider"), Some("wasabi"));
    assert_eq!(wasabi.text("endpoint"), Some("https://s3.eu-central-1.wasabisys.com"));
    assert_eq!(wasabi.secret("secret_access_key").unwrap().reveal(), "a`b#c;d=e\"f\\g");
    let quoted = config.remote("q1").unwrap();
    assert_eq!(quoted.text("provider"), Some("other"));
    assert_eq!(quoted.text("access_key_id"), Some("\"quoted\""));
    assert_eq!(quoted.secret("secret_access_key").unwrap().reveal(), "lead trail");
    let dav = config.remote("dav").unwrap();
    assert_eq!(dav.secret("password").unwrap().reveal(), "p;w# \"x");
    assert_eq!((dav.text("user"), dav.text("vendor")), (Some("me"), Some("nextcloud")));

    let refused: Vec<_> = import.refused.iter().map(ToString::to_string).collect();
    assert_eq!(
        refused,
        [
            "[b2] of type 'b2' was not imported: sterna has no type 'b2' yet",
            "[al] of type 'alias' was not imported: sterna has no aliases; write the place it stands for, or name a bucket in the remote",
            "[with space] of type 'crypt' was not imported: sterna has no type 'crypt', and cannot read what rclone encrypted",
        ]
    );
    let toml = import.to_toml();
    assert!(refused.iter().all(|line| toml.contains(&format!("# {line}"))), "{toml}");
}

#[test]
fn translates_for_the_families_of_the_registry() {
    let read = |text: &str| super::super::import::read(Path::new("rclone.conf"), text).unwrap();
    assert_eq!(read("[l]\ntype = local\n").to_toml(), "[remote.l]\ntype = \"local\"\n");
    let b2 = "[b]\ntype = b2\naccount = id\nkey = k\nhard_delete = true\nversions = true\nendpoint = x.example\n";
    let told = read(b2).to_toml();
    let options = "[remote.b]\ntype = \"b2\"\n";
    assert!(told.contains(options), "{told}");
    for line in [
        "application_key_id = \"id\"",
        "application_key = \"k\"",
        "hard_delete = true",
        "endpoint = \"https://x.example\"",
        "# 'versions' has no counterpart and was left out",
    ] {
        assert!(told.lines().any(|told| told == line), "{line} is not in\n{told}");
    }
    assert!(read("").to_toml().is_empty());
}

#[test]
fn only_the_toml_holds_secrets() {
    let import = read(WRITTEN_BY_RCLONE);
    for text in [format!("{import:?}"), serde_json::to_string(&import).unwrap()] {
        for secret in ["a`b", "p;w#", "lead trail", "keykey", "vLYXU", "hO6WH"] {
            assert!(!text.contains(secret), "{secret}: {text}");
        }
    }
}

#[test]
fn credentials_come_from_where_rclone_takes_them() {
    let anonymous = options("[a]\ntype = s3\nprovider = AWS\n");
    assert!(anonymous.contains("anonymous = true"), "{anonymous}");
    let of_environment = options("[a]\ntype = s3\nprovider = AWS\nenv_auth = true\nprofile = p\n");
    assert!(!of_environment.contains("anonymous") && of_environment.contains("profile = \"p\""), "{of_environment}");
    let keys_win = "[a]\ntype = s3\nprovider = AWS\nenv_auth = true\nprofile = p\naccess_key_id = k\n";
    assert!(!options(keys_win).contains("profile") && !options(keys_win).contains("anonymous"));
    assert!(notes(keys_win).contains("'profile' was left out"));
}

#[test]
fn providers_are_mapped_or_told_by_their_address() {
    for (section, provider) in [
        ("provider = Cloudflare", "r2"),
        ("provider = minio", "minio"),
        ("provider = Other\nendpoint = https://s3.us-west-004.backblazeb2.com", "b2"),
        ("endpoint = s3.wasabisys.com:443", "wasabi"),
        ("provider = Other\nregion = garage\nendpoint = http://10.0.0.1:3900", "garage"),
        ("provider = Scaleway\nendpoint = s3.fr-par.scw.cloud", "other"),
        ("region = us-east-1", "aws"),
    ] {
        let section = format!("[a]\ntype = s3\n{section}\n");
        assert!(options(&section).contains(&format!("provider = \"{provider}\"")), "{section}{}", options(&section));
    }
    assert!(notes("[a]\ntype = s3\nprovider = Scaleway\n").contains("add its endpoint"));
}

#[test]
fn what_has_no_counterpart_is_named_and_its_value_is_not() {
    let section = "[a]\ntype = s3\nprovider = Ceph\nsse_customer_key = hunter2\nforce_path_style = perhaps\nstorage_class = X\n\
                   path = 1\nversions = True\nuse_unsigned_payload = unset\nacl =\n";
    let notes = notes(section);
    for key in ["sse_customer_key", "storage_class", "path"] {
        assert!(notes.contains(&format!("'{key}' has no counterpart")), "{key}: {notes}");
    }
    assert!(notes.contains("'force_path_style' is neither true nor false"), "{notes}");
    assert!(!notes.contains("acl") && !notes.contains("unsigned"), "{notes}");
    assert!(options(section).contains("versions = true"));
    assert!(!read(section).to_toml().contains("hunter2"));
}

#[test]
fn a_command_stays_a_command() {
    let dav = "[a]\ntype = webdav\nurl = https://x\nbearer_token_command = oidc-token  XDC\n";
    assert!(options(dav).contains(r#"bearer_token = { command = ["oidc-token", "XDC"] }"#), "{}", options(dav));
    assert!(notes("[a]\ntype = webdav\nbearer_token_command = sh -c 'x'\n").contains("has quotes"));
    assert!(notes("[a]\ntype = webdav\npass = clear\n").contains("set password"));
}

#[test]
fn web_remotes_are_read_by_the_families_there_are() {
    let section = "[a]\ntype = webdav\nurl = https://x/dav\nvendor = infinitescale\nheaders = Cookie,a=b,X-Key,k\n\n\
                   [b]\ntype = http\nurl = https://y\nno_head = true\n\n[c]\ntype = webdav\nurl = https://z\nvendor = fastmail\n";
    let import = super::super::import::read(Path::new("rclone.conf"), section).unwrap();
    let toml = import.to_toml();
    let sections: toml::Table = toml.parse().unwrap();
    let value = |name: &str, option: &str| {
        sections["remote"][name].get(option).and_then(toml::Value::as_str).unwrap_or_default()
    };
    assert_eq!((value("a", "vendor"), value("a", "headers")), ("owncloud", "Cookie: a=b\nX-Key: k"));
    assert_eq!((value("b", "type"), value("b", "url")), ("http", "https://y"));
    assert_eq!(value("c", "vendor"), "other");
    assert!(import.to_toml().contains("'no_head' has no counterpart"));
}

#[test]
fn names_are_made_ours() {
    let import =
        read("[my nas@home]\ntype = local\n[my_nas_home]\ntype = local\n[.x]\ntype = local\n[n]\nremote = x\n");
    assert_eq!(import.remotes.len(), 1);
    assert_eq!(import.remotes[0].name, "my_nas_home");
    assert_eq!(import.remotes[0].notes, ["rclone calls it 'my nas@home'"]);
    let whys: Vec<_> = import.refused.iter().map(|refused| refused.why.as_str()).collect();
    assert!(whys[0].contains("'my_nas_home', is that of an earlier section"), "{whys:?}");
    assert!(whys[1].contains("no place can name"), "{whys:?}");
    assert_eq!(whys[2], "it has no type");
}

#[test]
fn local_switches_become_one_option() {
    assert!(options("[a]\ntype = local\ncopy_links = true\n").contains("links = \"follow\""));
    assert!(!options("[a]\ntype = local\ncopy_links = false\n").contains("links"));
}

#[test]
fn written_by_hand_it_is_read_as_rclone_reads_it() {
    // Two sections of one name are one; `:` separates too; `#` and `;` begin comments only at the start of a line.
    let text = "# c\n; c\n[a]\ntype=s3\nsecret_access_key = x #y\naccess_key_id: k ; z\n  region =  `tick`\n[a]\nendpoint = \"\"\"q\"\"\"\n";
    let toml = options(text);
    for line in
        ["secret_access_key = \"x #y\"", "access_key_id = \"k ; z\"", "region = \"tick\"", "endpoint = \"https://q\""]
    {
        assert!(toml.contains(line), "{line}: {toml}");
    }
}

#[test]
fn an_encrypted_or_broken_file_is_refused_clearly() {
    let failure =
        |text: &str| super::super::import::read_for(TEST_FAMILIES, Path::new("rclone.conf"), text).unwrap_err();
    let error = failure("# Encrypted rclone configuration File\n\nRCLONE_ENCRYPT_V0:\nlKGjOfoOM94f7Sb1j0UFW4VnFAV\n");
    assert_eq!(error.kind(), ConfigErrorKind::Syntax);
    assert!(
        error.to_string().starts_with("rclone.conf:3:1: this rclone.conf is encrypted; 'rclone config show'"),
        "{error}"
    );
    let error = failure("[a]\ntype = s3\nsecret hunter2\n[b]\n");
    assert_eq!(error.kind(), ConfigErrorKind::Syntax);
    assert!(error.to_string().starts_with("rclone.conf:") && !error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn adds_to_the_file_and_never_over_a_remote() {
    let home = Home::with("# mine\n[remote.old]\ntype = \"local\"");
    home.mode(0o644);
    let import = read("[new]\ntype = s3\nprovider = AWS\naccess_key_id = k\nsecret_access_key = s\n");
    import.write(&home.file()).unwrap();
    let text = fs::read_to_string(home.file()).unwrap();
    assert!(text.starts_with("# mine\n[remote.old]\ntype = \"local\"\n\n[remote.new]\n"), "{text}");
    assert_eq!(home.load(&[]).unwrap().names().collect::<Vec<_>>(), ["new", "old"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(home.file()).unwrap().permissions().mode() & 0o777, 0o600);
    }

    let error = import.write(&home.file()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Exists);
    assert!(error.to_string().contains("already has the remotes new"), "{error}");
    assert_eq!(fs::read_to_string(home.file()).unwrap(), text);

    fs::write(home.file(), "broken").unwrap();
    assert_eq!(import.write(&home.file()).unwrap_err().kind(), ConfigErrorKind::Syntax);
    assert_eq!(fs::read_to_string(home.file()).unwrap(), "broken");
    assert_eq!(fs::read_dir(home.directory.path()).unwrap().count(), 1, "no temporary file is left");
}

#[test]
fn a_file_that_cannot_be_added_to_stays_as_it_is() {
    // TOML closes an inline table: no [remote.…] can follow.
    let text = "remote = { old = { type = \"local\" } }\n";
    let home = Home::with(text);
    let error = read("[new]\ntype = local\n").write(&home.file()).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Syntax);
    assert_eq!(fs::read_to_string(home.file()).unwrap(), text);
}

#[test]
fn makes_the_file_and_its_directory() {
    let home = Home::with("");
    let file = home.directory.path().join("a/b/sterna.toml");
    read("[new]\ntype = local\n").write(&file).unwrap();
    assert_eq!(super::load(Some(&file), &[]).unwrap().names().collect::<Vec<_>>(), ["new"]);
}

#[cfg(unix)]
#[test]
fn a_symbolic_link_stays_one() {
    let home = Home::with("");
    let link = home.directory.path().join("link.toml");
    std::os::unix::fs::symlink(home.file(), &link).unwrap();
    read("[new]\ntype = local\n").write(&link).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(home.load(&[]).unwrap().names().collect::<Vec<_>>(), ["new"]);
}

/// Where rclone's name of a type, or the parts of an address, are others.
#[cfg(all(feature = "ftp", feature = "sftp", feature = "azure"))]
#[test]
fn what_libraries_reach_is_read() {
    let families = sterna_backends::registry::FAMILIES;
    let text = "[far]\ntype = sftp\nhost = files.example\nport = 2222\nuser = tern\nkey_file = /k\npass = x\n\
                [old]\ntype = ftp\nhost = ftp.example\nexplicit_tls = true\nwriting_mdtm = true\n\
                [blobs]\ntype = azureblob\naccount = acc\nkey = c2VjcmV0\n";
    let import = super::super::import::read_for(families, Path::new("rclone.conf"), text).unwrap();
    let toml = import.to_toml();
    for line in [
        "type = \"sftp\"",
        "endpoint = \"ssh://tern@files.example:2222\"",
        "key = \"/k\"",
        "type = \"ftp\"",
        "host = \"ftp.example\"",
        "tls = \"explicit\"",
        "times = \"mdtm\"",
        "type = \"azure\"",
        "account_name = \"acc\"",
        "account_key = \"c2VjcmV0\"",
    ] {
        assert!(toml.lines().any(|written| written == line), "{line} is not in\n{toml}");
    }
    assert!(toml.contains("'pass' has no counterpart"), "{toml}");
}
