//! Finding the file, reading it, and what is said of its mistakes.

use std::path::{Path, PathBuf};

use sterna_backends::location::Location;

use super::{
    super::{Config, ConfigErrorKind, locate, locate::Asked},
    Home, load, no_environment,
};

#[cfg(unix)]
#[test]
fn finds_the_file_in_this_order() {
    let all = [("STERNA_CONFIG", "/v"), ("XDG_CONFIG_HOME", "/x"), ("HOME", "/h")];
    let found = |flag: Option<&str>, environment: &[(&str, &str)]| {
        let located = locate(flag.map(Path::new), &environment.iter().copied().collect());
        (located.path, located.asked)
    };
    let at = |path: &str| Some(PathBuf::from(path));
    assert_eq!(found(Some("/f"), &all), (at("/f"), Asked::Flag));
    assert_eq!(found(None, &all), (at("/v"), Asked::Variable));
    assert_eq!(found(None, &all[1..]), (at("/x/sterna/sterna.toml"), Asked::Usual));
    assert_eq!(found(None, &all[2..]), (at("/h/.config/sterna/sterna.toml"), Asked::Usual));
    assert_eq!(found(None, &[]), (None, Asked::Usual));
    let odd = [("STERNA_CONFIG", ""), ("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")];
    assert_eq!(found(None, &odd), (at("/h/.config/sterna/sterna.toml"), Asked::Usual));
}

#[test]
fn a_file_that_was_named_must_be_there_the_usual_one_need_not() {
    let home = Home::with("");
    let missing = home.file().with_file_name("missing.toml");
    let error = load(Some(&missing), &[]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unreadable);
    assert!(error.to_string().contains("missing.toml") && error.to_string().contains("--config"), "{error}");
    let error = load(None, &[("STERNA_CONFIG", missing.to_str().unwrap())]).unwrap_err();
    assert!(error.to_string().contains("$STERNA_CONFIG"), "{error}");

    let usual = [("XDG_CONFIG_HOME", home.directory.path().to_str().unwrap())];
    assert_eq!(load(None, &usual).unwrap().names().count(), 0);
}

#[test]
fn every_mistake_names_line_column_and_remedy() {
    use ConfigErrorKind::{BadPlace, Missing, Syntax, Unknown, WrongType};
    let cases = [
        ("[remote.a]\ntype = \"s3\n", Syntax, "sterna.toml:2:11: not TOML: ", ""),
        ("[remote.a]\ntype = \"s3\"\n[remote.a]\n", Syntax, "sterna.toml:3:9: not TOML: ", ""),
        ("\n[remotes.a]\n", Unknown, "sterna.toml:2:2: there is no table 'remotes'", "did you mean 'remote'?"),
        ("\nkey = 1\n", Unknown, "sterna.toml:2:1: there is no table 'key'", "[remote.NAME]"),
        ("remote = 1\n", WrongType, "sterna.toml:1:1: 'remote' is a number, not a table", "[remote.NAME]"),
        (
            "[remote]\ntype = \"s3\"",
            WrongType,
            "sterna.toml:2:1: 'remote.type' is a text, not a table",
            "[remote.NAME]",
        ),
        ("[remote.a]\n", Missing, "sterna.toml:1:9: remote 'a' has no type", "local, s3, webdav"),
        ("[remote.a]\ntype = \"s4\"", Unknown, "sterna.toml:2:1: there is no type 's4'", "did you mean 's3'?"),
        ("[remote.a]\ntype = \"zzzzzz\"", Unknown, "sterna.toml:2:1: there is no type 'zzzzzz'", "known are local, s3"),
        ("[remote.a]\ntype = { env = \"T\" }", WrongType, "sterna.toml:2:1: the type of remote 'a'", "written out"),
        (
            "[remote.a]\ntype = \"s3\"\n  regoin = \"x\"",
            Unknown,
            "sterna.toml:3:3: type 's3' has no option 'regoin'",
            "did you mean 'region'?",
        ),
        (
            "[remote.a]\ntype = \"s3\"\nbandwith = \"1M\"",
            Unknown,
            "sterna.toml:3:1: type 's3' has no option 'bandwith'",
            "did you mean 'bandwidth'?",
        ),
        ("[remote.ä]\ntype = \"s3\"", Syntax, "sterna.toml:1:9: not TOML: ", ""),
        ("[remote.\"ä\"]\ntype = \"s3\"", BadPlace, "sterna.toml:1:9: no place can name the remote 'ä'", "letters"),
        ("[remote.memory]\ntype = \"s3\"", BadPlace, "sterna.toml:1:9: no place can name", "not 'memory'"),
        (
            "[remote.a]\ntype = \"s3\"\nregion = [\"x\"]",
            WrongType,
            "sterna.toml:3:10: 'remote.a.region' is a list",
            "one text",
        ),
        ("[remote.a]\ntype = \"s3\"\nregion = { enw = \"x\" }", Unknown, "sterna.toml:3:12: ", "did you mean 'env'?"),
        (
            "[remote.a]\ntype = \"s3\"\nregion = { env = 1 }",
            WrongType,
            "sterna.toml:3:18: 'remote.a.region.env'",
            "a text",
        ),
        ("[remote.a]\ntype = \"s3\"\nregion = {}", WrongType, "sterna.toml:3:10: 'remote.a.region' must", "{ env ="),
        (
            "[remote.a]\ntype = \"s3\"\nregion = { env = \"A\", file = \"b\" }",
            WrongType,
            "sterna.toml:3:10: 'remote.a.region' must say in one way",
            "{ env =",
        ),
        ("[remote.a]\ntype = \"s3\"\nregion = { command = [] }", WrongType, "sterna.toml:3:22: ", "the program first"),
        (
            "[remote.a]\ntype = \"s3\"\nregion = { command = \"x\" }",
            WrongType,
            "sterna.toml:3:22: ",
            "the program first",
        ),
        ("[remote.a]\ntype = \"s3\"\nregion = { command = [1] }", WrongType, "sterna.toml:3:22: ", "a list of texts"),
        (
            "[remote.a]\ntype = \"s3\"\n# ü\npath_style = \"maybe\"",
            WrongType,
            "sterna.toml:4:1: 'path_style' is neither true nor false",
            "",
        ),
    ];
    for (text, kind, start, part) in cases {
        let home = Home::with(text);
        let complaint = home.complaint(&[]);
        assert_eq!(home.load(&[]).unwrap_err().kind(), kind, "{text}\n{complaint}");
        let right = complaint.starts_with(start) && complaint.contains(part) && !complaint.contains('\n');
        assert!(right, "{text}\n{complaint}");
    }
}

#[test]
fn columns_count_characters() {
    let complaint = Home::with("[remote.a]\ntype = \"s3\"\nregion = { \"ü\" = \"ü\", x = 1, x = 2 }").complaint(&[]);
    assert!(complaint.starts_with("sterna.toml:3:30: "), "{complaint}");
}

#[test]
fn values_of_every_scalar_type_become_texts() {
    let home = Home::with(
        "[remote.a]\ntype = \"s3\"\npath_style = true\nrequests_per_second = 1_000\nbandwidth = 1.5\nregion = 2026-01-02T03:04:05Z\n",
    );
    let remote = home.load(&[]).unwrap().remote("a").unwrap();
    assert!(remote.bool("path_style", false).unwrap());
    assert_eq!(remote.parsed::<u32>("requests_per_second").unwrap(), Some(1000));
    assert_eq!(remote.text("bandwidth"), Some("1.5"));
    assert_eq!(remote.text("region"), Some("2026-01-02T03:04:05Z"));
}

#[test]
fn an_unknown_remote_says_where_it_looked_and_what_to_do() {
    let home = Home::with("[remote.wasabi]\ntype = \"s3\"\n");
    let config = home.load(&[]).unwrap();
    let error = config.remote("wasbi").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::NoSuchRemote);
    assert!(error.to_string().contains("sterna.toml"), "{error}");
    assert!(error.to_string().ends_with("did you mean 'wasabi:'?"), "{error}");

    let error = config.remote("s3").unwrap_err().to_string();
    for part in ["[remote.s3]", "STERNA_REMOTE_S3_TYPE", "'s3://…'", "'./s3:…'"] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let error = load(None, &[("HOME", "/nowhere")]).unwrap().remote("nas").unwrap_err().to_string();
    assert!(error.contains("('/nowhere/.config/sterna/sterna.toml' does not exist)"), "{error}");
}

#[test]
fn a_place_is_a_path_a_remote_or_a_url() {
    let config = Home::with("[remote.w]\ntype = \"s3\"\nregion = \"r\"\n").load(&[]).unwrap();
    let place = |text: &str| config.place(&text.parse::<Location>().unwrap());
    let (remote, path) = place("./a:b").unwrap();
    assert_eq!((remote.name.as_str(), remote.family.name, path.as_str()), ("local", "local", "./a:b"));
    let (remote, path) = place("w:bucket/x").unwrap();
    assert_eq!((remote.name.as_str(), remote.text("region"), path.as_str()), ("w", Some("r"), "bucket/x"));
    let (remote, path) = place("s3://bucket/x").unwrap();
    assert_eq!((remote.name.as_str(), remote.text("region"), path.as_str()), ("s3", None, "bucket/x"));
    let error = place("s33://b").unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unknown);
    assert!(error.to_string().contains("did you mean 's3://'?"), "{error}");
    assert_eq!(place("nope:b").unwrap_err().kind(), ConfigErrorKind::NoSuchRemote);
}

#[cfg(unix)]
#[test]
fn a_path_that_is_no_utf8_is_refused_not_mangled() {
    use std::os::unix::ffi::OsStrExt;
    let config = Config::load_of(super::TEST_FAMILIES, None, no_environment()).unwrap();
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(b"a\xff"));
    assert_eq!(config.place(&Location::Local(path)).unwrap_err().kind(), ConfigErrorKind::BadPlace);
}

/// The real families, whose options may change: only what is sure.
#[test]
fn knows_the_families_of_the_registry() {
    let home = Home::with("[remote.m]\ntype = \"memory\"\ntransfers = 3\n");
    let config = Config::load(Some(&home.file()), no_environment()).unwrap();
    assert_eq!(config.remote("m").unwrap().parsed::<usize>("transfers").unwrap(), Some(3));
    std::fs::write(home.file(), "[remote.m]\ntype = \"memori\"\n").unwrap();
    let error = Config::load(Some(&home.file()), no_environment()).unwrap_err();
    assert!(error.to_string().ends_with("did you mean 'memory'?"), "{error}");
}
