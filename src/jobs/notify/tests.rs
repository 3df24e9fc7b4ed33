use std::{collections::BTreeSet, path::PathBuf, time::Duration};

use proptest::prelude::*;
use sterna_backends::{ErrorKind, Timestamp, secret::Secret};

use super::{InvalidRecipient, Means, Notice, Occasion, Recipient, Told, Undelivered, begun, deliver, told};
use crate::{
    history::JobRunId,
    jobs::{Failure, RunRecord, TargetRecord, Trigger, Verdict, Word, Words},
};

const HOUR: i64 = 3600;
const QUIET: Duration = Duration::from_secs(6 * 3600);

/// A run of a minute that begins at that hour.
fn run(hour: i64, verdict: Verdict) -> RunRecord {
    let failure =
        |kind, message: &str| Failure { kind, message: message.to_owned(), advice: Some("look at the key".to_owned()) };
    let failure = match verdict {
        Verdict::Failed => Some(failure(ErrorKind::Denied, "access denied")),
        Verdict::Skipped => Some(failure(ErrorKind::Capped, "the budget is spent")),
        _ => None,
    };
    RunRecord {
        job: "ports".to_owned(),
        id: JobRunId(hour),
        began: Timestamp::from_parts(hour * HOUR, 0),
        ended: (verdict != Verdict::Running).then(|| Timestamp::from_parts(hour * HOUR + 60, 0)),
        trigger: Trigger::Schedule,
        verdict,
        failure,
        targets: vec![TargetRecord::nothing("b2:ports", verdict)],
        tip: None,
        full: true,
        log: None,
    }
}

/// What is told of each of these runs, one an hour.
fn story(verdicts: &[Verdict]) -> Vec<Vec<&'static str>> {
    let runs: Vec<RunRecord> = (0..).zip(verdicts).map(|(hour, verdict)| run(hour, *verdict)).collect();
    let names = |told: BTreeSet<Occasion>| told.into_iter().map(Occasion::name).collect();
    (1..=runs.len()).map(|end| names(told(&runs[..end], QUIET))).collect()
}

#[test]
fn trouble_is_told_once_and_again_after_a_while_and_then_that_it_is_over() {
    use Verdict::{Changed, Failed, HeldElsewhere, InStep};
    let failure = vec!["failure"];
    let nothing: Vec<&str> = Vec::new();
    assert_eq!(
        story(&[InStep, Failed, Failed, HeldElsewhere, Failed, Failed, Failed, Failed, Changed, InStep]),
        [
            nothing.clone(),
            failure.clone(),
            nothing.clone(),
            nothing.clone(),
            nothing.clone(),
            nothing.clone(),
            nothing.clone(),
            failure.clone(),
            vec!["recovery"],
            nothing.clone(),
        ]
    );
    // One that comes and goes is told once in six hours, and no recovery of what was not told.
    assert_eq!(story(&[Failed, InStep, Failed, InStep]), [failure, vec!["recovery"], nothing.clone(), nothing]);
}

#[test]
fn a_spent_budget_is_told() {
    use Verdict::{InStep, Skipped};
    assert_eq!(story(&[InStep, Skipped, Skipped]), [vec![], vec!["budget"], vec![]]);
}

fn words(words: &[(&str, &str)]) -> Words {
    words.iter().map(|(key, value)| ((*key).to_owned(), Word::Text((*value).to_owned()))).collect()
}

fn recipient(given: &[(&str, &str)]) -> Result<Recipient, InvalidRecipient> {
    let span = |text: &str| Some(Duration::from_secs(text.strip_suffix('h')?.parse::<u64>().ok()? * 3600));
    Recipient::of(&words(given), None, &span, &|_| Ok(Secret::new("https://hooks.example.org/T0P-S3CRET")))
}

#[test]
fn recipients_are_read_and_never_shown_whole() {
    let hook = recipient(&[("webhook.file", "/etc/hook"), ("on", "failure"), ("quiet", "1h")]).unwrap();
    assert_eq!(hook.to_string(), "webhook at hooks.example.org");
    assert!(!format!("{hook:?}").contains("S3CRET"));
    assert_eq!((hook.interest.on.len(), hook.interest.quiet), (1, Duration::from_secs(3600)));
    let mail = recipient(&[
        ("email", "ops@example.org"),
        ("from", "sterna@example.org"),
        ("smtp", "smtps://mail.example.org"),
        ("user", "sterna"),
        ("password.env", "X"),
    ]);
    let mail = mail.unwrap();
    assert!(matches!(mail.means, Means::Mail(_)) && !format!("{mail:?}").contains("S3CRET"));
    let error = |given: &[(&str, &str)]| recipient(given).unwrap_err().to_string();
    assert_eq!(error(&[("webhok", "x")]), "notify has no 'webhok'; did you mean 'webhook'?");
    assert!(error(&[("on", "failure")]).contains("no way to tell"));
    assert!(error(&[("webhook", "https://a"), ("ping", "https://b")]).contains("both webhook and ping"));
    assert!(error(&[("webhook", "hooks.example.org/secret")]).ends_with("expected an http or https URL"));
    assert!(error(&[("webhook", "https://a"), ("on", "failures")]).contains("'failures' is none of failure, recovery"));
    assert!(error(&[("webhook", "https://a"), ("on", "staleness")]).contains("stale_after = \"6h\""));
    assert!(error(&[("webhook", "https://a"), ("stale_after", "0h")]).contains("such as 6h"));
    assert!(error(&[("email", "a@b.c"), ("smtp", "smtp://h")]).contains("needs from"));
    let plain = [("email", "a@b.c"), ("from", "a@b.c"), ("smtp", "smtp://h"), ("user", "u"), ("password", "p4ss")];
    assert!(error(&plain).contains("does not stand here") && !error(&plain).contains("p4ss"));
}

#[test]
fn a_notice_says_what_and_why_and_what_to_do() {
    let notice = Notice::of(Occasion::Failure, "garage:ports", &run(1, Verdict::Failed));
    assert_eq!(
        notice.text,
        "sterna: ports failed\nb2:ports: failed\nwhy: access denied\nwhat to do: look at the key\nsource: garage:ports\n\
         began: 1970-01-01T01:00:00Z"
    );
    let json = serde_json::to_value(&notice).unwrap();
    assert_eq!((json["event"].as_str(), json["targets"][0]["verdict"].as_str()), (Some("failure"), Some("failed")));
}

/// A real program, told without a shell: what would be a command to one is a word.
#[tokio::test]
async fn a_command_is_told_on_its_standard_input_and_by_no_shell() {
    let folder = tempfile::tempdir().unwrap();
    let told: PathBuf = folder.path().join("told");
    let script = "cat > \"$0\"; printf '\\n%s %s %s' \"$STERNA_JOB\" \"$STERNA_EVENT\" \"$1\" >> \"$0\"";
    let words = ["sh", "-c", script, told.to_str().unwrap(), "; touch gone"].map(str::to_owned);
    let notice = Notice::of(Occasion::Failure, "garage:ports", &run(1, Verdict::Failed));
    super::command::tell(&words, &notice).await.unwrap();
    let text = std::fs::read_to_string(&told).unwrap();
    let (json, rest) = text.rsplit_once('\n').unwrap();
    assert_eq!(rest, "ports failure ; touch gone");
    assert_eq!(serde_json::from_str::<serde_json::Value>(json).unwrap()["event"], "failure");
    let fails = ["sh", "-c", "echo no such pager >&2; exit 3"].map(str::to_owned);
    let why = super::command::tell(&fails, &notice).await.unwrap_err();
    assert!(why.contains("3") && why.contains("no such pager"), "{why}");
    assert!(super::command::tell(&["/no/such/program".to_owned()], &notice).await.is_err());
}

async fn tell(recipients: &[Recipient], runs: &[RunRecord]) -> Vec<Undelivered> {
    let told: Vec<Told<'_>> = recipients.iter().map(|recipient| Told::of(recipient, "garage:ports", runs)).collect();
    deliver(recipients, &told).await
}

/// Real servers hear of a job that fails and recovers: the webhook by JSON, the mailbox in words, the ping of every run.
#[tokio::test(flavor = "multi_thread")]
async fn real_servers_are_told_and_one_that_refuses_changes_nothing() {
    let (hook, ping, mailbox) = (sterna_servers::hook(), sterna_servers::hook(), sterna_servers::mailbox());
    let secret = |url: String| move |_: &str| Ok::<Secret, String>(Secret::new(url.clone()));
    let of = |words: Words, url: String| Recipient::of(&words, None, &|_| None, &secret(url)).unwrap();
    let uuid = format!("{}/uuid?rid=1", ping.url);
    let recipients = [
        of(words(&[("webhook.file", "x")]), format!("{}/T0P-S3CRET", hook.url)),
        of(words(&[("ping", uuid.as_str())]), String::new()),
        of(
            words(&[("email", "ops@example.org"), ("from", "sterna@example.org"), ("smtp", mailbox.url.as_str())]),
            String::new(),
        ),
        of(words(&[("webhook.file", "x")]), format!("{}/refuse/T0P-S3CRET", hook.url)),
    ];
    assert!(begun(&recipients).await.is_empty());
    let runs = [run(0, Verdict::InStep), run(1, Verdict::Failed), run(2, Verdict::Failed), run(3, Verdict::Changed)];
    let mut undelivered = Vec::new();
    for end in 1..=runs.len() {
        undelivered.extend(tell(&recipients, &runs[..end]).await);
    }
    let pings: Vec<String> = ping.told().iter().map(|told| told.lines().next().unwrap().to_owned()).collect();
    assert_eq!(pings, ["/uuid/start?rid=1", "/uuid?rid=1", "/uuid/fail?rid=1", "/uuid/fail?rid=1", "/uuid?rid=1"]);
    let told = hook.told();
    let json = |told: &String| serde_json::from_str::<serde_json::Value>(told.split_once('\n').unwrap().1).unwrap();
    let events: Vec<String> =
        told.iter().filter(|told| told.starts_with("/T0P")).map(|told| json(told)["event"].to_string()).collect();
    assert_eq!(events, ["\"failure\"", "\"recovery\""]);
    let mails = mailbox.told();
    assert_eq!(mails.len(), 2, "{mails:?}");
    let failed = mails.iter().find(|mail| mail.contains("Subject: sterna: ports failed")).expect("the failure");
    assert!(failed.contains("why: access denied") && failed.contains("To: ops@example.org"), "{failed}");
    assert_eq!(undelivered.len(), 2, "{undelivered:?}");
    assert!(undelivered.iter().all(|one| one.recipient == "webhook at 127.0.0.1"), "{undelivered:?}");
    let all = format!("{undelivered:?}{mails:?}");
    assert!(!all.contains("S3CRET"), "{all}");
    // Nobody is there any more.
    let gone = of(
        words(&[("email", "a@example.org"), ("from", "b@example.org"), ("smtp", "smtp://127.0.0.1:9")]),
        String::new(),
    );
    assert_eq!(tell(&[gone], &runs[..2]).await.len(), 1);
}

proptest! {
    /// However runs come and go: a failure is never told twice within the quiet time, and no recovery without a failure.
    #[test]
    fn nobody_is_flooded(choices in prop::collection::vec(0_usize..5, 1..60)) {
        let all = [Verdict::InStep, Verdict::Changed, Verdict::Failed, Verdict::Killed, Verdict::Skipped];
        let verdicts: Vec<Verdict> = choices.iter().map(|at| all[*at]).collect();
        let (mut last, mut open) = (None, false);
        for (hour, told) in story(&verdicts).iter().enumerate() {
            if told.contains(&"failure") {
                prop_assert!(last.is_none_or(|last| hour - last >= 6), "{:?}", told);
                (last, open) = (Some(hour), true);
            }
            if told.contains(&"recovery") {
                prop_assert!(open && verdicts[hour].is_success());
                open = false;
            }
        }
    }
}
