//! The status page: one file a page, and what they share.
//!
//! Every word goes through maud, which escapes it. The looks are those of the [report](crate::report::html), with what only a page
//! that lives needs beside them. Without JavaScript a page loads itself anew; with it, what has changed is put in place, so
//! that nobody who reads or types is disturbed.

mod chart;
mod job;
mod overview;
mod run;
mod sign_in;
#[cfg(test)]
mod tests;
mod words;

use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};
use sterna_backends::Timestamp;

use crate::{
    jobs::{Failure, daemon::Snapshot},
    report::html::{STYLE, visible},
};

pub(super) use job::job;
pub(super) use overview::overview;
pub(super) use run::{Log, run};
pub(super) use sign_in::{Tried, sign_in};

/// What only this page has.
const OWN_STYLE: &str = include_str!("page.css");

/// Puts in place what has changed.
const SCRIPT: &str = include_str!("live.js");

/// Between two loads without JavaScript, in seconds.
const RELOAD: u32 = 30;

/// What the page may load, as `Content-Security-Policy` says it: its own style and this one script, its own address again, and
/// nothing else; nobody may put it into a frame.
pub(super) fn policy() -> String {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let script = STANDARD.encode(Sha256::digest(SCRIPT.as_bytes()));
    format!(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-{script}'; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
}

/// What every page says of the server and of who looks at it.
pub(super) struct Around<'a> {
    /// The version of sterna.
    pub version: &'a str,
    /// The present.
    pub now: Timestamp,
    /// What the scheduler says.
    pub snapshot: &'a Snapshot,
    /// What the visitor may do.
    pub hand: Hand<'a>,
}

/// What a visitor may do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand<'a> {
    /// Nobody may act: there is no token.
    Nobody,
    /// Whoever signs in may.
    SignedOut,
    /// He may; his forms carry this word.
    SignedIn(&'a str),
}

/// Where a page lies: the names above it, with their addresses.
type Trail<'a> = &'a [(&'a str, String)];

/// A page around its `main`.
fn page(around: &Around<'_>, title: &str, trail: Trail<'_>, main: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ "sterna " (around.version) };
                noscript { meta http-equiv="refresh" content=(RELOAD); }
                link rel="icon" href="data:,";
                title { (visible(title)) }
                style { (PreEscaped(STYLE)) (PreEscaped(OWN_STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the content" }
                header.bar {
                    nav aria-label="Where you are" {
                        ol.trail {
                            @for (name, address) in trail { li { a href=(address) { bdi { (visible(name)) } } } }
                            li aria-current="page" { bdi { (visible(title)) } }
                        }
                    }
                    (who(around.hand))
                }
                main id="main" {
                    p #lost .notice.warn role="alert" hidden { "The daemon does not answer; what is shown is as old as its answer." }
                    div #notices data-live="" { (notices(around)) }
                    (main)
                }
                footer {
                    div #foot data-live="" {
                        "sterna " (around.version) ", as of " time datetime=(around.now) { (words::clock(around.now)) } ". "
                        a href="/api/v1/jobs" { "JSON" } " · " a href="/metrics" { "metrics" }
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn who(hand: Hand<'_>) -> Markup {
    html! {
        @match hand {
            Hand::Nobody => {}
            Hand::SignedOut => a.quiet href="/sign-in" { "Sign in" },
            Hand::SignedIn(word) => form method="post" action="/sign-out" {
                input type="hidden" name="word" value=(word);
                button.quiet type="submit" { "Sign out" }
            }
        }
    }
}

/// What concerns every job.
fn notices(around: &Around<'_>) -> Markup {
    let snapshot = around.snapshot;
    html! {
        @if snapshot.draining {
            p.notice.warn role="status" { strong { "Shutting down. " } "Runs under way come to an end; none is begun." }
        }
        @if let Some(refused) = &snapshot.refused {
            div.notice.bad role="alert" {
                strong { "The new configuration was not taken" } " (" (words::ago(refused.at, around.now)) "). The old one holds on."
                p.reason { (visible(&refused.why)) }
                p { "Mend it, then send the daemon a SIGHUP (" code { "systemctl reload sterna" } ")." }
            }
        }
    }
}

/// A state in its colour, with a sign that does not need colours.
fn badge(tone: words::Tone, word: &str) -> Markup {
    html! { span class={ "state " (tone.class()) } { span.sign aria-hidden="true" { (tone.sign()) } (word) } }
}

/// A point in time as its distance.
fn since(then: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(then) title=(words::clock(then)) { (words::ago(then, now)) } }
}

/// A point in time to come.
fn due(then: Timestamp, now: Timestamp) -> Markup {
    html! { time datetime=(then) title=(words::clock(then)) { (words::ahead(then, now)) } }
}

/// Why something failed, and what to do.
fn why(failure: &Failure) -> Markup {
    html! {
        p.reason { bdi { (visible(&failure.message)) } }
        @if let Some(advice) = &failure.advice { p.advice { strong { "What to do: " } (visible(advice)) } }
    }
}

/// A place as the configuration has it.
fn place(written: &str) -> Markup {
    html! { code { bdi { (visible(written)) } } }
}

/// A page that only says something.
pub(super) fn message(around: &Around<'_>, words: &str) -> String {
    let main = html! { h1 { "Sorry" } p { (visible(words)) } p { a href="/" { "All mirrors" } } };
    page(around, "Sorry", &[("Mirrors", "/".to_owned())], &main)
}

/// The address of a job's page.
pub(super) fn job_address(name: &str) -> String {
    format!("/jobs/{}", percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC))
}

/// A button that orders something, for who may.
fn order(around: &Around<'_>, job: &str, (action, label): (&str, &str)) -> Markup {
    html! {
        @if let Hand::SignedIn(word) = around.hand {
            form method="post" action={ (job_address(job)) "/" (action) } {
                input type="hidden" name="word" value=(word);
                button type="submit" id={ (action) "-" (job) } { (label) span.hidden { " " (job) } }
            }
        }
    }
}
