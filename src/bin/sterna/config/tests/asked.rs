//! `config show` and `config check`.

use std::time::Duration;

use super::{
    super::{
        ConfigErrorKind, check,
        check::{Checked, State, check_within},
        show,
    },
    Home,
};

#[test]
fn shows_every_value_with_where_it_came_from() {
    let home = Home::with(
        "[remote.w]\ntype = \"s3\"\nregion = \"eu\"\nsecret_access_key = \"s\"\naccess_key_id = { env = \"ID\" }\n[remote.\"x.y\"]\ntype = \"local\"\n",
    );
    let config = home.load(&[("STERNA_REMOTE_W_ENDPOINT", "https://e"), ("STERNA_REMOTE_Q_REGION", "x")]).unwrap();
    let text = show(&config, None).unwrap().to_string();
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(lines[0], format!("# {}", home.file().display()));
    assert_eq!(
        lines[1..],
        [
            "",
            "[remote.w]",
            "type = \"s3\" # line 2",
            "access_key_id = { env = \"ID\" } # line 5",
            "endpoint = \"https://e\" # $STERNA_REMOTE_W_ENDPOINT",
            "region = \"eu\" # line 3",
            "secret_access_key = \"***\" # line 4",
            "",
            "[remote.\"x.y\"]",
            "type = \"local\" # line 7",
            "",
            "# $STERNA_REMOTE_Q_REGION speaks of no remote there is",
        ]
    );
    assert!(text.parse::<toml::Table>().is_ok(), "what is shown is TOML");

    let json = serde_json::to_value(show(&config, Some("w")).unwrap()).unwrap();
    assert_eq!(json["remotes"].as_array().unwrap().len(), 1);
    let options = &json["remotes"][0]["options"];
    assert_eq!(options[1]["source"], "{ env = \"ID\" }");
    assert_eq!(options[4]["value"], "***");
    assert_eq!(options[4]["origin"], format!("{}:4:1", home.file().display()));
}

#[test]
fn shows_budgets_and_prices_too() {
    let home = Home::with(
        "[remote.w]\ntype = \"s3\"\nsecret_access_key = \"s\"\n[budget.w]\negress = \"1TB/month\"\n\
         [budget.b2]\ncost = \"5USD/month\"\n[prices.override.\"b2/standard\"]\nstorage.tiers = [{ price = \"0.005\" }]\n",
    );
    let config = home.load(&[]).unwrap();
    let text = show(&config, None).unwrap().to_string();
    assert!(text.contains("\n[budget.w]\negress = \"1TB/month\""), "{text}");
    assert!(text.contains("[prices.override.\"b2/standard\"") && text.contains("\"0.005\""), "{text}");
    assert!(text.parse::<toml::Table>().is_ok(), "{text}");
    let json = serde_json::to_value(show(&config, Some("w")).unwrap()).unwrap();
    assert_eq!((json["budgets"].as_array().map(Vec::len), json.get("prices")), (Some(1), None));
}

#[tokio::test]
async fn prices_and_budgets_are_checked_beside_remotes() {
    let checked = async |text: &str| {
        let report = check(&Home::with(text).load(&[]).unwrap(), None).await.unwrap();
        (report.holds(), report.to_string())
    };
    let remote = "[remote.g]\ntype = \"local\"\n";
    let plain = checked(remote).await;
    assert_eq!((plain.0, plain.1.contains("price")), (true, false), "{}", plain.1);
    let (holds, text) = checked(&format!("{remote}price_offer = \"b2/standrad\"\n[budget.h]\n[budget.s3]\n")).await;
    assert!(!holds && text.contains("price_offer of 'g'") && text.contains("did you mean 'b2/standard'?"), "{text}");
    assert!(text.contains("[budget.h] speaks of no remote") && !text.contains("[budget.s3]"), "{text}");
    let (holds, text) = checked(&format!("{remote}[prices.override.\"b2/standard\"]\nstorage.tires = []\n")).await;
    assert!(!holds && text.contains("sterna.toml:4: override \"b2/standard\": storage.tires"), "{text}");
    let (holds, text) = checked(&format!("{remote}[prices.override.\"b2/standard\"]\nnote = \"x\"\n")).await;
    assert!(holds && text.contains("prices: right"), "{text}");
}

#[test]
fn says_when_there_is_no_file() {
    let config = super::load(None, &[("HOME", "/nowhere")]).unwrap();
    assert_eq!(show(&config, None).unwrap().to_string(), "# there is no /nowhere/.config/sterna/sterna.toml\n");
}

#[tokio::test]
async fn tries_every_remote_and_goes_on_after_one_that_fails() {
    let home = Home::with(
        "[remote.a-good]\ntype = \"s3\"\naccess_key_id = \"good\"\n\
         [remote.b-confined]\ntype = \"s3\"\naccess_key_id = \"bad\"\n\
         [remote.c-bucket]\ntype = \"s3\"\nbucket = \"open\"\n\
         [remote.d-closed]\ntype = \"s3\"\nbucket = \"closed\"\n\
         [remote.e-silent]\ntype = \"s3\"\naccess_key_id = \"silent\"\n\
         [remote.f-unset]\ntype = \"webdav\"\npassword = { env = \"NOT_SET\" }\n\
         [remote.g-local]\ntype = \"local\"\n\
         [remote.h-dav]\ntype = \"webdav\"\nuser = \"u\"\n",
    );
    let config = home.load(&[]).unwrap();
    let report = check_within(&config, None, Duration::from_millis(50)).await.unwrap();
    let states: Vec<_> = report
        .remotes
        .iter()
        .map(|Checked { name, state, .. }| {
            let state = match state {
                State::Works => "works".to_owned(),
                State::Untried(_) => "untried".to_owned(),
                State::Fails(why) => format!("fails {}", why.contains("NOT_SET") || why.contains("0.05 s")),
            };
            format!("{name} {state}")
        })
        .collect();
    assert_eq!(
        states,
        [
            "a-good works",
            "b-confined untried",
            "c-bucket works",
            "d-closed fails false",
            "e-silent fails true",
            "f-unset fails true",
            "g-local untried",
            "h-dav works",
        ]
    );
    assert!(!report.holds());
    assert!(check_within(&config, Some("a-good"), Duration::from_secs(1)).await.unwrap().holds());

    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["remotes"][0], serde_json::json!({ "name": "a-good", "type": "s3", "state": "works" }));
    assert_eq!(json["remotes"][3]["state"], "fails");
    assert!(json["remotes"][3]["why"].as_str().unwrap().contains("access denied"));
    assert!(report.to_string().contains("d-closed: (s3) fails: "));
}

#[tokio::test]
async fn an_unknown_remote_is_an_error_here_too() {
    let config = Home::with("[remote.nas]\ntype = \"local\"\n").load(&[]).unwrap();
    for error in [show(&config, Some("nsa")).unwrap_err(), check(&config, Some("nsa")).await.unwrap_err()] {
        assert_eq!(error.kind(), ConfigErrorKind::NoSuchRemote);
        assert!(error.to_string().ends_with("did you mean 'nas:'?"), "{error}");
    }
}
