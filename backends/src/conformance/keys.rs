//! Keys come back exactly, or are refused.

use std::collections::BTreeSet;

use super::{
    checks::{Check, Trouble, Verdict, ensure, fails, offered},
    errors::writable,
    site::Site,
};
use crate::error::ErrorKind;

pub(super) static CHECKS: &[Check] = &[
    Check::new("keys.exact", "every key it takes comes back exactly", |site| Box::pin(exact(site))),
    Check::new("keys.refused", "a key it cannot hold is refused, and nothing is stored", |site| {
        Box::pin(refused(site))
    }),
    Check::new("keys.beside", "an object 'a' lies beside 'a/b', or the second of them is refused", |site| {
        Box::pin(beside(site))
    }),
    Check::new("keys.case", "keys that differ in case are two objects, unless it says otherwise", |site| {
        Box::pin(case(site))
    }),
];

/// Keys that servers and libraries were seen to fold, trim, decode or choke on.
fn odd() -> Vec<String> {
    let mut odd: Vec<String> = [
        "a//b",
        "/lead",
        "//two",
        "dir/",
        "x//",
        ".",
        "..",
        "d/.",
        "d/..",
        "d/./b",
        "d/../b",
        "./x",
        "../x",
        "...",
        ".hidden",
        " lead",
        "trail ",
        "in side",
        " ",
        "tab\there",
        "line\nbreak",
        "cr\rhere",
        "\u{1}",
        "\u{7f}",
        "%41",
        "%2F",
        "%",
        "%25",
        "+",
        "a+b",
        "#",
        "a#1",
        "?",
        "a?b=c",
        "\\",
        "a\\b",
        "~",
        "~a",
        "*",
        "&<>\"'",
        "&amp;",
        "=",
        "a=b",
        ";",
        ":",
        "a:b",
        "|",
        "$",
        "@",
        "!",
        "(x)",
        "[x]",
        "{x}",
        "^",
        "`",
        ",",
        "-",
        "--x",
        "_",
        "CON",
        "nul.txt",
        "dot.",
        "e\u{301}",
        "\u{e9}",
        "ß",
        "日本語",
        "\u{1f426}",
        "\u{feff}bom",
        "\u{ff5e}",
        "\u{202e}rtl",
        "deep/er/and/deep/er/still",
    ]
    .map(str::to_owned)
    .into();
    odd.push("s".repeat(255));
    odd
}

/// The longest key it takes.
fn longest(site: &Site) -> String {
    let rules = site.can().keys;
    let segment = "l".repeat(rules.max_segment.clamp(1, 200));
    let mut key = vec![segment; 6].join("/");
    key.truncate(rules.max_bytes);
    if key.ends_with('/') {
        key.pop();
        key.push('l');
    }
    key
}

fn legal(site: &Site) -> Vec<String> {
    let rules = site.can().keys;
    let all = odd().into_iter().chain([longest(site)]).filter(|key| rules.refuse(key).is_none());
    if rules.file_beside_directory {
        return all.collect();
    }
    // Each in a folder of its own, so that none needs a directory where another is a file.
    all.enumerate().map(|(at, key)| format!("{at}/{key}")).filter(|key| rules.refuse(key).is_none()).collect()
}

async fn exact(site: &Site) -> Verdict {
    writable(site)?;
    let keys = legal(site);
    let mut wrong = Vec::new();
    for key in &keys {
        // Unlike content for each, so that two that are folded into one are noticed.
        if let Err(error) = site.put(key, key.clone()).await {
            wrong.push(format!("put of {key:?}: {error}"));
        }
    }
    for key in &keys {
        match site.get(key).await {
            Ok(content) if content == *key => {}
            Ok(content) => wrong.push(format!("{key:?} holds what was put under {content:?}")),
            Err(error) => wrong.push(format!("read of {key:?}: {error}")),
        }
        match site.stat(key).await {
            Ok(entry) if entry.key.as_str() == key => {}
            Ok(entry) => wrong.push(format!("stat of {key:?} tells {:?}", entry.key)),
            Err(error) => wrong.push(format!("stat of {key:?}: {error}")),
        }
    }
    let listed = site.keys("").await?;
    let (told, put): (BTreeSet<_>, BTreeSet<_>) = (listed.iter().collect(), keys.iter().collect());
    wrong.extend(put.difference(&told).map(|key| format!("{key:?} is not listed")));
    wrong.extend(told.difference(&put).map(|key| format!("{key:?} is listed and was never put")));
    ensure(listed.len() == told.len(), || "keys are listed twice".to_owned())?;
    for key in &keys {
        site.delete(key).await?;
    }
    let rest = site.keys("").await?;
    wrong.extend(rest.iter().map(|key| format!("{key:?} is still there after all was deleted")));
    none(wrong)
}

/// # Errors
/// `Broken`, with the first few of `wrong` and their number.
fn none(wrong: Vec<String>) -> Verdict {
    const SHOWN: usize = 6;
    let more = wrong.len().saturating_sub(SHOWN);
    let shown = wrong.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    ensure(wrong.is_empty(), || if more > 0 { format!("{shown}; and {more} more") } else { shown })
}

async fn refused(site: &Site) -> Verdict {
    writable(site)?;
    let rules = site.can().keys;
    let mut keys: Vec<_> = odd();
    keys.push("s".repeat(rules.max_segment.saturating_add(1).min(1_000)));
    keys.retain(|key| rules.refuse(key).is_some() && key.len() <= rules.max_bytes);
    offered(!keys.is_empty(), "it takes every key")?;
    let mut wrong = Vec::new();
    for key in &keys {
        match site.put(key, "refused").await {
            Err(error) if error.kind() == ErrorKind::Unsupported => {}
            Err(error) => wrong.push(format!("put of {key:?}: {error}")),
            Ok(entry) => wrong.push(format!("{key:?} was stored as {:?}", entry.key)),
        }
    }
    let stored = site.keys("").await?;
    wrong.extend(stored.iter().map(|key| format!("{key:?} was stored")));
    none(wrong)
}

async fn beside(site: &Site) -> Verdict {
    writable(site)?;
    site.put("a", "object").await?;
    site.put("c/d", "below").await?;
    let (below, object) = (site.put("a/b", "below").await, site.put_over("c", "object").await);
    if site.can().keys.file_beside_directory {
        below?;
        object?;
        for (key, content) in [("a", "object"), ("a/b", "below"), ("c", "object"), ("c/d", "below")] {
            site.holds(key, content.as_bytes(), "with an object beside a directory").await?;
        }
        let mut listed = site.keys("").await?;
        listed.sort();
        return ensure(listed == ["a", "a/b", "c", "c/d"], || format!("listed are {listed:?}"));
    }
    let kinds = [ErrorKind::Exists, ErrorKind::Unsupported];
    fails(below, &kinds, "a put below an object")?;
    fails(object, &kinds, "a put over a directory")?;
    site.holds("a", b"object", "after a put below it").await?;
    site.holds("c/d", b"below", "after a put over its directory").await
}

async fn case(site: &Site) -> Verdict {
    writable(site)?;
    site.put("Case", "upper").await?;
    site.put("case", "lower").await?;
    let listed = site.keys("").await?;
    let wanted = if site.can().keys.folds_case { 1 } else { 2 };
    if listed.len() != wanted {
        return Err(Trouble::Broken(format!("after two puts {listed:?} are listed")));
    }
    let upper = if wanted == 2 { "upper" } else { "lower" };
    site.holds("Case", upper.as_bytes(), "after two puts").await?;
    site.holds("case", b"lower", "after two puts").await
}
