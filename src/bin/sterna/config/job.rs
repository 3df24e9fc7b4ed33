//! `[job.NAME]`: a saved sync.

use std::{collections::BTreeMap, fmt::Display, time::Duration};

use jiff::tz::TimeZone;
use sterna::{
    jobs::{
        Allowance, Filters, Limits, Saved, When, Word, Words,
        schedule::{self, Schedule},
        trace,
    },
    list::filter::FilterBuilder,
    plan::Groups,
};
use sterna_backends::{Key, layer::Timetable, location::Location};

use super::{
    budget::money,
    error::{ConfigError, ConfigErrorKind, Origin},
    fields::{Field, Fields},
    given::SOURCES,
    notify,
};
use crate::values::{Size, Span, bytes_of};

const KEYS: &[&str] = &[
    "source",
    "targets",
    "schedule",
    "every",
    "jitter",
    "timezone",
    "profile",
    "group",
    "include",
    "exclude",
    "retention",
    "limits",
    "budget",
    "notify",
    "delete_after",
    "full_every",
    "stale_after",
    "trace",
    "allow_unproven",
    "lease",
    "enabled",
];

/// How long a run without a sign of life is taken for alive by other machines, where the job does not say.
const LEASE: Duration = Duration::from_secs(300);

/// Reads one job.
///
/// # Errors
/// The first mistake: `Unknown` for a key, `Missing`, `WrongType` for a value that is none.
pub(super) fn read(name: &str, fields: Fields<'_>) -> Result<Saved, ConfigError> {
    fields.only(KEYS)?;
    let source = fields.parsed("source", place)?;
    let source = source.ok_or_else(|| fields.missing("source", "write source = \"NAME:bucket/prefix\""))?.value;
    Ok(Saved {
        name: name.to_owned(),
        source,
        targets: targets(&fields)?,
        when: when(&fields)?,
        profile: fields.text("profile")?.map(|field| field.value),
        groups: groups(&fields)?,
        filters: filters(&fields)?,
        retention: fields.table("retention")?.map(|table| known(&table, notify::read_retention)).transpose()?,
        limits: fields.table("limits")?.map(|table| limits(&table)).transpose()?.unwrap_or_default(),
        budget: fields.table("budget")?.map(|table| allowance(&table)).transpose()?,
        notify: recipients(&fields)?,
        delete_after: span(&fields, "delete_after")?,
        full_every: span(&fields, "full_every")?,
        stale_after: stale_after(&fields)?,
        trace: fields.parsed("trace", |text| Key::new(text))?.map_or_else(trace::usual, |field| field.value),
        allow_unproven: fields.parsed("allow_unproven", truth)?.is_some_and(|field| field.value),
        lease: fields.parsed("lease", lease)?.map_or(LEASE, |field| field.value),
        enabled: fields.parsed("enabled", truth)?.is_none_or(|field| field.value),
    })
}

/// Who is told; an age at which the targets count as stale holds for all who have none of their own.
fn recipients(fields: &Fields<'_>) -> Result<Vec<Words>, ConfigError> {
    let stale_after = stale_after(fields)?;
    let check = |words: &Words| notify::check(words, stale_after);
    fields.tables("notify")?.iter().map(|table| known(table, check)).collect()
}

fn stale_after(fields: &Fields<'_>) -> Result<Option<Duration>, ConfigError> {
    Ok(fields.parsed("stale_after", some_span)?.map(|field| field.value))
}

fn targets(fields: &Fields<'_>) -> Result<Vec<String>, ConfigError> {
    let mut targets: Vec<String> = Vec::new();
    for field in fields.list("targets")? {
        place(&field.value).map_err(|error| field.wrong(error))?;
        if targets.contains(&field.value) {
            return Err(field.wrong("it is a target already"));
        }
        targets.push(field.value);
    }
    if targets.is_empty() {
        return Err(fields.missing("targets", "write targets = [\"NAME:bucket/prefix\"]"));
    }
    Ok(targets)
}

/// A place, as written; whether its remote is there is seen when it is opened.
fn place(text: &str) -> Result<String, String> {
    text.parse::<Location>().map(|_| text.to_owned()).map_err(|error| error.to_string())
}

fn when(fields: &Fields<'_>) -> Result<When, ConfigError> {
    let schedule = fields.parsed("schedule", |text| Schedule::cron(text, TimeZone::UTC).map(|_| text.to_owned()))?;
    let every = fields.parsed("every", |text| {
        let period = some_span(text)?;
        Schedule::every(period).map(|_| period).map_err(|error| error.to_string())
    })?;
    if let (Some(_), Some(every)) = (&schedule, &every) {
        return Err(every.wrong("there is a schedule already; leave out one of them"));
    }
    let zone = fields.parsed("timezone", |name| schedule::zone(name).map(|_| name.to_owned()))?;
    Ok(When {
        schedule: schedule.map(|field| field.value),
        every: every.map(|field| field.value),
        jitter: span(fields, "jitter")?.unwrap_or_default(),
        zone: zone.map(|field| field.value),
    })
}

fn groups(fields: &Fields<'_>) -> Result<Groups, ConfigError> {
    let own = fields.list("group")?;
    let profile = fields.parsed("profile", str::parse::<Groups>)?;
    match (profile, own.first()) {
        (Some(_), Some(own)) => Err(own.wrong("there is a profile already; leave out one of them")),
        (Some(profile), None) => Ok(profile.value),
        (None, None) => Ok(Groups::default()),
        (None, Some(first)) => {
            Groups::from_texts(own.iter().map(|field| field.value.as_str())).map_err(|error| first.wrong(error))
        }
    }
}

fn filters(fields: &Fields<'_>) -> Result<Filters, ConfigError> {
    type Add = fn(&mut FilterBuilder, &str);
    let patterns = |key: &str, add: Add| {
        let checked = |field: Field<String>| {
            let mut builder = FilterBuilder::new();
            add(&mut builder, &field.value);
            builder.build().map(drop).map_err(|error| field.wrong(error))?;
            Ok(field.value)
        };
        fields.list(key)?.into_iter().map(checked).collect::<Result<Vec<_>, ConfigError>>()
    };
    Ok(Filters {
        include: patterns("include", |builder, pattern| {
            builder.include(pattern);
        })?,
        exclude: patterns("exclude", |builder, pattern| {
            builder.exclude(pattern);
        })?,
    })
}

fn limits(fields: &Fields<'_>) -> Result<Limits, ConfigError> {
    fields.only(&["bandwidth", "transfers", "max_delete", "max_duration", "max_transfer"])?;
    let bandwidth = fields.parsed("bandwidth", |text| text.parse::<Timetable>().map(|_| text.to_owned()))?;
    let transfers = fields.parsed("transfers", |text| match text.parse() {
        Ok(0) | Err(_) => Err("expected a number from 1"),
        Ok(number) => Ok(number),
    })?;
    let max_transfer = fields.parsed("max_transfer", str::parse::<Size>)?;
    Ok(Limits {
        bandwidth: bandwidth.map(|field| field.value),
        transfers: transfers.map(|field| field.value),
        max_delete: fields.parsed("max_delete", str::parse)?.map(|field| field.value).unwrap_or_default(),
        max_duration: span(fields, "max_duration")?,
        max_transfer: max_transfer.and_then(|field| field.value.0),
    })
}

fn allowance(fields: &Fields<'_>) -> Result<Allowance, ConfigError> {
    fields.only(&["egress", "cost"])?;
    let month = |text: &str| text.strip_suffix("/month").map(str::trim_end).map(str::to_owned);
    let egress = fields.parsed("egress", |text| {
        month(text).as_deref().and_then(bytes_of).ok_or("expected bytes a month, such as 1TB/month")
    })?;
    let cost = fields.parsed("cost", |text| {
        month(text).as_deref().and_then(money).ok_or("expected an amount a month, such as 20USD/month")
    })?;
    Ok(Allowance { egress: egress.map(|field| field.value), cost: cost.map(|field| field.value) })
}

/// A table as it is written, for the room that knows its keys and has read it once to see that it is right. What says where its
/// text is to be had is there as `KEY.SOURCE`.
fn known<T, E: Display>(fields: &Fields<'_>, read: impl FnOnce(&Words) -> Result<T, E>) -> Result<Words, ConfigError> {
    let mut words = BTreeMap::new();
    for key in fields.keys() {
        match fields.table(key) {
            Ok(Some(elsewhere)) => {
                elsewhere.only(SOURCES)?;
                for source in elsewhere.keys() {
                    let word = match word(&elsewhere, source)? {
                        Word::Text(path) if source == "file" => Word::Text(beside(&elsewhere, path)),
                        word => word,
                    };
                    words.insert(format!("{key}.{source}"), word);
                }
            }
            _ => drop(words.insert(key.to_owned(), word(fields, key)?)),
        }
    }
    let wrong = |error: E| ConfigError::new(ConfigErrorKind::WrongType, format!("{error}")).at(fields.origin());
    read(&words).map_err(wrong)?;
    Ok(words)
}

fn word(fields: &Fields<'_>, key: &str) -> Result<Word, ConfigError> {
    let mut list = fields.list(key)?;
    Ok(match (list.len(), fields.text(key)) {
        (1, Ok(Some(text))) => Word::Text(text.value),
        _ => Word::List(list.drain(..).map(|field| field.value).collect()),
    })
}

/// A path of the file, which is relative to the directory the file lies in.
fn beside(fields: &Fields<'_>, path: String) -> String {
    match fields.origin() {
        Origin::File { path: file, .. } => {
            let whole = file.parent().map(|folder| folder.join(&path));
            whole.and_then(|whole| whole.to_str().map(str::to_owned)).unwrap_or(path)
        }
        Origin::Variable(_) | Origin::Key(_) => path,
    }
}

fn span(fields: &Fields<'_>, key: &str) -> Result<Option<Duration>, ConfigError> {
    Ok(fields.parsed(key, str::parse::<Span>)?.and_then(|field| field.value.0))
}

fn some_span(text: &str) -> Result<Duration, String> {
    match text.parse::<Span>() {
        Ok(Span(Some(span))) if !span.is_zero() => Ok(span),
        Ok(_) => Err("expected more than no time at all".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A lease is renewed five times as often, over the network.
fn lease(text: &str) -> Result<Duration, String> {
    match some_span(text)? {
        span if span < Duration::from_secs(1) => Err("expected at least a second".to_owned()),
        span => Ok(span),
    }
}

fn truth(text: &str) -> Result<bool, &'static str> {
    text.parse().map_err(|_| "expected true or false")
}
