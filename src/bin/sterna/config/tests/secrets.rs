//! Texts had from elsewhere, files that are open to others, and that no secret is ever shown.

use std::fs;

use super::{
    super::{ConfigErrorKind, show},
    Home,
};

const HIDDEN: &str = "hunter2-hidden";

fn remote_with(value: &str) -> Home {
    Home::with(&format!("[remote.a]\ntype = \"s3\"\nsecret_access_key = {value}\n"))
}

#[test]
fn a_text_comes_from_where_it_is_said_to() {
    let home = Home::with("");
    let directory = home.directory.path();
    fs::write(directory.join("one"), format!("{HIDDEN}\n")).unwrap();
    fs::write(directory.join("two"), format!("{HIDDEN}\n\n")).unwrap();
    fs::write(directory.join("dos"), format!("{HIDDEN}\r\n")).unwrap();
    let absolute = directory.join("one");
    let environment = [("THE_KEY", HIDDEN), ("CREDENTIALS_DIRECTORY", directory.to_str().unwrap())];
    let with_line_end = format!("{HIDDEN}\n");
    for (value, wanted) in [
        (format!("\"{HIDDEN}\""), HIDDEN),
        (r#"{ env = "THE_KEY" }"#.to_owned(), HIDDEN),
        (r#"{ file = "one" }"#.to_owned(), HIDDEN),
        (format!("{{ file = '{}' }}", absolute.display()), HIDDEN),
        (r#"{ file = "two" }"#.to_owned(), &with_line_end),
        (r#"{ file = "dos" }"#.to_owned(), HIDDEN),
        (r#"{ credential = "one" }"#.to_owned(), HIDDEN),
        (format!(r#"{{ command = ["echo", "{HIDDEN}"] }}"#), HIDDEN),
        (format!(r#"{{ command = ["printf", "%s", "{HIDDEN}"] }}"#), HIDDEN),
    ] {
        fs::write(home.file(), format!("[remote.a]\ntype = \"s3\"\nsecret_access_key = {value}\n")).unwrap();
        let remote = home.load(&environment).unwrap().remote("a").unwrap();
        assert_eq!(remote.secret("secret_access_key").unwrap().reveal(), wanted, "{value}");
    }
}

#[test]
fn a_text_that_cannot_be_had_is_an_error_of_that_remote_only() {
    for (value, part) in [
        (r#"{ env = "NOT_SET" }"#, "the environment variable 'NOT_SET' is not set"),
        (r#"{ env = "EMPTY" }"#, "{ env = \"EMPTY\" } is empty"),
        (r#"{ file = "missing" }"#, "missing': "),
        (r#"{ file = "~/key" }"#, "'~' means nothing here"),
        (r#"{ credential = "x" }"#, "$CREDENTIALS_DIRECTORY is not set; run it as a systemd service"),
        (r#"{ credential = "../x" }"#, "no name of a credential"),
        (r#"{ command = ["no-such-program-here"] }"#, "cannot run 'no-such-program-here'"),
        (r#"{ command = ["sh", "-c", "printf 'hunter2-\\377'"] }"#, "did not print UTF-8"),
        (r#"{ command = ["true"] }"#, "is empty"),
    ] {
        let home = remote_with(&format!("{value}\n[remote.b]\ntype = \"s3\""));
        let config = home.load(&[("EMPTY", "")]).unwrap();
        let error = config.remote("a").unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Unobtainable, "{value}");
        assert!(error.to_string().contains("sterna.toml:3:1: ") && error.to_string().contains(part), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error:?}");
        assert!(config.remote("b").is_ok());
    }
}

#[cfg(unix)]
#[test]
fn a_failing_command_tells_its_status_and_not_its_output() {
    let home = remote_with(&format!(r#"{{ command = ["sh", "-c", "echo {HIDDEN}; exit 3"] }}"#));
    let error = home.load(&[]).unwrap().remote("a").unwrap_err();
    assert!(error.to_string().ends_with("'sh' failed: exit status: 3"), "{error}");
    assert!(!format!("{error:?}").contains(HIDDEN));
}

#[test]
fn a_file_too_long_for_a_setting_is_refused() {
    let home = remote_with(r#"{ file = "long" }"#);
    let long = fs::File::create(home.directory.path().join("long")).unwrap();
    long.set_len((1 << 20) + 1).unwrap();
    let error = home.load(&[]).unwrap().remote("a").unwrap_err();
    assert!(error.to_string().contains("longer than a setting can be"), "{error}");
    long.set_len(1 << 20).unwrap();
    assert!(home.load(&[]).unwrap().remote("a").is_ok());
}

#[cfg(unix)]
#[test]
fn a_secret_in_a_file_open_to_others_is_refused() {
    let home = remote_with(&format!("\"{HIDDEN}\""));
    for mode in [0o640, 0o604, 0o620, 0o610] {
        home.mode(mode);
        let error = home.load(&[]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Exposed);
        let text = error.to_string();
        assert!(text.contains("sterna.toml:3:1: 'secret_access_key' of remote 'a'"), "{text}");
        assert!(text.ends_with(&format!("run: chmod 600 {}", home.file().display())), "{text}");
        assert!(!text.contains(HIDDEN));
        assert_eq!(
            home.load(&[("STERNA_REMOTE_A_SECRET_ACCESS_KEY", "x")]).unwrap_err().kind(),
            ConfigErrorKind::Exposed
        );
    }
    home.mode(0o400);
    assert!(home.load(&[]).is_ok());

    let home = remote_with("{ env = \"X\" }\naccess_key_id = \"AKIA\"");
    home.mode(0o644);
    assert!(home.load(&[]).is_ok(), "no secret stands in it");
}

#[test]
fn no_secret_is_ever_shown() {
    let home = Home::with(&format!(
        "[remote.a]\ntype = \"s3\"\nsecret_access_key = \"{HIDDEN}\"\naccess_key_id = {{ command = [\"echo\", \"{HIDDEN}\"] }}\n\
         [remote.d]\ntype = \"webdav\"\nurl = \"https://user:{HIDDEN}@example.org/x\"\npassword = {{ env = \"P\" }}\n\
         [remote.e]\ntype = \"webdav\"\nurl = \"https://example.org/x\"\npassword = {{ env = \"P\" }}\n"
    ));
    let environment = [("P", HIDDEN), ("STERNA_REMOTE_E_BEARER_TOKEN", HIDDEN)];
    let config = home.load(&environment).unwrap();
    let shown = show(&config, None).unwrap();
    let json = serde_json::to_string(&shown).unwrap();
    let environment: super::Environment = environment.into_iter().collect();
    for text in [format!("{config:?}"), format!("{shown:?}"), shown.to_string(), json, format!("{environment:?}")] {
        assert!(!text.contains(HIDDEN), "{text}");
    }
    // What would be shown with its address is not used.
    let refused = format!("{:?}", config.remote("d").unwrap_err());
    assert!(refused.contains("password") && !refused.contains(HIDDEN), "{refused}");
    let remote = config.remote("e").unwrap();
    assert_eq!(remote.secret("bearer_token").unwrap().reveal(), HIDDEN);
    assert_eq!(remote.secret("password").unwrap().reveal(), HIDDEN);
}

#[test]
fn broken_toml_does_not_show_the_line() {
    for broken in [format!("\"{HIDDEN}"), HIDDEN.to_owned(), format!("\"x\" {HIDDEN}"), format!("\"\\{HIDDEN}\"")] {
        let home = remote_with(&broken);
        let error = home.load(&[]).unwrap_err();
        assert_eq!(error.kind(), ConfigErrorKind::Syntax, "{broken}");
        assert!(!format!("{error} {error:?}").contains("hunter"), "{error:?}");
    }
}
