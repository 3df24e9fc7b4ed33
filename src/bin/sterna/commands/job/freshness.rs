//! `job freshness`: how old mirrors are, seen from outside.

use futures::{StreamExt, stream};
use serde::Serialize;
use sterna::{
    backends::{ErrorKind, Key, Timestamp},
    jobs::trace::Trace,
};

use crate::commands::{observer, print, print_json};
use crate::{
    args::{GlobalArgs, LocalArgs, freshness::FreshnessArgs},
    exit::{Exit, Failure},
    places::Opener,
    ui,
};

/// Mirrors that are asked at once.
const AT_ONCE: usize = 8;

/// How one mirror is.
#[derive(Serialize)]
struct Seen {
    place: String,
    /// Whether it is as young as it must be.
    fresh: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_seconds: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<Trace>,
    /// Why nothing is known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// `sterna job freshness`.
pub async fn run(global: &GlobalArgs, args: &FreshnessArgs) -> Result<Exit, Failure> {
    let key = Key::new(args.trace.as_str()).map_err(|error| Failure::usage(format!("--trace: {error}")))?;
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let now = Timestamp::now();
    let look = |place: &String| {
        let (opener, key, place) = (&opener, &key, place.clone());
        async move {
            let read = read(opener, &place, key).await;
            let (trace, error) = match read {
                Ok(trace) => (Some(trace), None),
                Err(why) => (None, Some(why)),
            };
            let age = trace.as_ref().map(|trace| trace.age(now));
            let fresh = age.is_some_and(|age| args.max_age.0.is_none_or(|most| age <= most));
            Seen { place, fresh, age_seconds: age.map(|age| age.as_secs()), trace, error }
        }
    };
    let looks: Vec<_> = args.places.iter().map(look).collect();
    let seen: Vec<Seen> = stream::iter(looks).buffered(AT_ONCE).collect().await;
    for one in &seen {
        if global.json {
            print_json(one)?;
        } else {
            print(&(line(one) + "\n"))?;
        }
    }
    Ok(if seen.iter().all(|one| one.fresh) { Exit::Success } else { Exit::Error })
}

async fn read(opener: &Opener<'_>, written: &str, key: &Key) -> Result<Trace, String> {
    let place = opener.source(written).await.map_err(|failure| failure.message)?;
    // The trace itself was named.
    let key = place.object.as_ref().unwrap_or(key);
    Trace::read(&*place.store, key).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => format!("there is no {key}; a job of sterna writes it when the mirror is in step"),
        _ => error.to_string(),
    })
}

fn line(seen: &Seen) -> String {
    let place = &seen.place;
    let Some(trace) = &seen.trace else {
        return format!("unknown  {place}: {}", seen.error.as_deref().unwrap_or_default());
    };
    let age = ui::span(trace.age(Timestamp::now()));
    let word = if seen.fresh { "fresh" } else { "stale" };
    let holds = trace.listing.as_ref().map_or_else(String::new, |listing| {
        format!(", {} ({})", ui::count(listing.objects, "object"), ui::bytes(listing.bytes))
    });
    format!(
        "{word}    {place}: in step {age} ago with {}{holds}; {}, sterna {}",
        trace.source, trace.time, trace.sterna
    )
}
