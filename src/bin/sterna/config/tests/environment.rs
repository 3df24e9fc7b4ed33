//! The environment over the file.

use super::{
    super::{ConfigErrorKind, Environment},
    Home, load,
};

const FILE: &str = "[remote.my-nas]\ntype = \"s3\"\nregion = \"of-file\"\nendpoint = \"https://of.file\"\n";

#[test]
fn every_key_can_be_overridden_added_and_taken_out() {
    let config = Home::with(FILE)
        .load(&[
            ("STERNA_REMOTE_MY_NAS_REGION", "of-variable"),
            ("STERNA_REMOTE_MY_NAS_ENDPOINT", ""),
            ("STERNA_REMOTE_MY_NAS_SECRET_ACCESS_KEY", "k"),
            ("STERNA_REMOTE_MY_NAS_REQUESTS_PER_SECOND", "5"),
        ])
        .unwrap();
    let remote = config.remote("my-nas").unwrap();
    assert_eq!(remote.text("region"), Some("of-variable"));
    assert_eq!(remote.text("endpoint"), None);
    assert_eq!(remote.secret("secret_access_key").unwrap().reveal(), "k");
    assert_eq!(remote.text("requests_per_second"), Some("5"));
}

#[test]
fn the_type_can_be_overridden_too() {
    let home = Home::with("[remote.a]\ntype = \"s3\"\n");
    let config = home.load(&[("STERNA_REMOTE_A_TYPE", "webdav"), ("STERNA_REMOTE_A_URL", "https://x")]).unwrap();
    assert_eq!(config.remote("a").unwrap().family.name, "webdav");
    let complaint = home.complaint(&[("STERNA_REMOTE_A_TYPE", "webdaw")]);
    assert_eq!(complaint, "$STERNA_REMOTE_A_TYPE: there is no type 'webdaw'; did you mean 'webdav'?");
}

#[test]
fn a_type_makes_a_remote_that_the_file_does_not_have() {
    let config = load(None, &[("STERNA_REMOTE_OFF_SITE_TYPE", "s3"), ("STERNA_REMOTE_OFF_SITE_REGION", "r")]).unwrap();
    assert_eq!(config.names().collect::<Vec<_>>(), ["off_site"]);
    for name in ["off_site", "off-site", "OFF.SITE"] {
        let remote = config.remote(name).unwrap();
        assert_eq!((remote.name.as_str(), remote.text("region")), (name, Some("r")));
    }
    assert!(config.remote("offsite").is_err());
    assert!(Home::with(FILE).load(&[]).unwrap().remote("my_nas").is_err(), "the file's names are exact");
}

#[test]
fn a_misspelt_key_is_an_error_that_names_the_variable() {
    let complaint = Home::with(FILE).complaint(&[("STERNA_REMOTE_MY_NAS_REGOIN", "x")]);
    assert_eq!(complaint, "$STERNA_REMOTE_MY_NAS_REGOIN: type 's3' has no option 'regoin'; did you mean 'region'?");
    let complaint = Home::with(FILE).complaint(&[("STERNA_REMOTE_MY_NAS_PATH_STYLE", "perhaps")]);
    assert_eq!(complaint, "$STERNA_REMOTE_MY_NAS_PATH_STYLE: 'path_style' is neither true nor false");
}

#[test]
fn a_variable_of_no_remote_is_told() {
    let config = Home::with(FILE).load(&[("STERNA_REMOTE_MY_NSA_REGION", "x")]).unwrap();
    assert_eq!(super::super::show(&config, None).unwrap().stray_variables, ["STERNA_REMOTE_MY_NSA_REGION"]);
}

#[test]
fn of_names_that_begin_alike_the_one_with_the_option_is_meant() {
    let home = Home::with("[remote.a]\ntype = \"s3\"\n[remote.a_path]\ntype = \"s3\"\n");
    let environment = [("STERNA_REMOTE_A_PATH_STYLE", "true"), ("STERNA_REMOTE_A_PATH_REGION", "r")];
    let config = home.load(&environment).unwrap();
    assert_eq!(config.remote("a").unwrap().text("path_style"), Some("true"));
    assert_eq!(config.remote("a_path").unwrap().text("region"), Some("r"));
}

#[test]
fn names_that_are_one_in_capitals_are_refused_where_a_variable_speaks_of_them() {
    let home = Home::with("[remote.a-b]\ntype = \"s3\"\n[remote.a_b]\ntype = \"s3\"\n");
    assert!(home.load(&[]).is_ok());
    let error = home.load(&[("STERNA_REMOTE_A_B_REGION", "r")]).unwrap_err();
    assert_eq!(error.kind(), ConfigErrorKind::Unknown);
    assert!(error.to_string().contains("'a-b' and 'a_b'; rename one"), "{error}");
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_no_utf8_is_an_error() {
    use std::{ffi::OsString, os::unix::ffi::OsStringExt};
    let environment = [("STERNA_REMOTE_A_TYPE", b"s3".to_vec()), ("STERNA_REMOTE_A_REGION", b"\xff".to_vec())]
        .into_iter()
        .map(|(name, value)| (name, OsString::from_vec(value)))
        .collect();
    let error = super::Config::load_of(super::TEST_FAMILIES, None, environment).unwrap_err();
    assert_eq!(error.to_string(), "$STERNA_REMOTE_A_REGION: the variable does not hold UTF-8");
}

#[test]
fn the_environment_of_the_process_can_be_taken() {
    // cargo sets it for every test.
    assert!(Environment::of_process().get("CARGO_MANIFEST_DIR").is_some());
}
