//! `[workload.*]` tables -> workloads.

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de};
use toml::{Table, Value};

use super::{Churn, MONTH_DAYS, Residue, RetrievalSpeed, Stock, Workload};
use crate::price::{
    BookProblem,
    offer::Day,
    toml_file::{TomlFile, path},
};

/// A workload with the name a file gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    /// `a` for `[workload.a]`; empty where the file is the workload.
    pub name: String,
    /// What it is about.
    pub title: String,
    /// The day to price it at, where the file says one.
    pub date: Option<Date>,
    /// What it holds and asks.
    pub workload: Workload,
}

/// A mistake in a file of workloads: file, line and field.
pub type WorkloadError = BookProblem;

/// The workloads of `text`: each `[workload.NAME]`, or `[workload]` alone, or the file itself where its own keys are
/// those of a workload. Fields nobody knows are warnings.
///
/// # Errors
/// The first mistake; or where there is no workload in it.
pub fn read(file: &str, text: &str) -> Result<(Vec<Named>, Vec<BookProblem>), WorkloadError> {
    let (source, mut table) = TomlFile::parse(file, text)?;
    let mut found = Vec::new();
    match table.remove("workload") {
        Some(Value::Table(inner)) if is_workload(&inner) => {
            found.push(("workload".to_owned(), path(["workload"]), Value::Table(inner)));
        }
        Some(Value::Table(inner)) => {
            found.extend(inner.into_iter().map(|(name, value)| (name.clone(), path(["workload", &name]), value)));
        }
        Some(_) => return Err(source.problem(&path(["workload"]), &Vec::new(), "workload", "not a table")),
        None if is_workload(&table) => found.push((String::new(), Vec::new(), Value::Table(table))),
        None => {}
    }
    if found.is_empty() {
        let what = "no workload in it; write [workload.NAME] with bytes, objects, egress_bytes and so on";
        return Err(source.problem(&Vec::new(), &Vec::new(), "", what));
    }
    let mut warnings = Vec::new();
    let mut named = Vec::new();
    for (name, at, value) in found {
        let called = if name.is_empty() { String::new() } else { format!("workload.{name}") };
        let (written, unknown) = source.typed::<Written>(value, &at, &called)?;
        warnings.extend(unknown);
        named.push(written.named(name).map_err(|(field, what)| source.problem(&at, &path([field]), &called, &what))?);
    }
    Ok((named, warnings))
}

fn is_workload(table: &Table) -> bool {
    ["bytes", "objects", "egress_bytes", "ops", "histogram", "sizes", "days"].iter().any(|key| {
        table.get(*key).is_some_and(|value| match value {
            Value::Table(inner) => matches!(*key, "ops" | "histogram" | "sizes") && !is_workload(inner),
            _ => true,
        })
    })
}

/// A workload as people write it.
#[derive(Deserialize)]
struct Written {
    #[serde(default, alias = "description")]
    title: String,
    date: Option<Day>,
    #[serde(alias = "stored_bytes")]
    bytes: Option<Count>,
    objects: Option<Count>,
    #[serde(alias = "sizes", alias = "size_histogram")]
    histogram: Option<Histogram>,
    #[serde(alias = "churn_fraction_per_day")]
    churn_per_day: Option<Number>,
    lifetime_days: Option<Number>,
    #[serde(default, alias = "churn_model", alias = "churn_mode", alias = "churn_kind", alias = "churn_pattern")]
    churn: ChurnWord,
    #[serde(default)]
    random_churn: bool,
    #[serde(alias = "versions_kept_days")]
    residue_days: Option<Kept>,
    #[serde(alias = "ramp_month")]
    month: Option<u32>,
    days: Option<u32>,
    #[serde(default)]
    egress_bytes: Count,
    #[serde(
        default,
        alias = "cdn_egress_bytes",
        alias = "partner_cdn_bytes",
        alias = "partner_egress_bytes",
        alias = "egress_cdn_bytes",
        alias = "egress_via_cdn_bytes",
        alias = "via_cdn_bytes"
    )]
    cdn_bytes: Count,
    #[serde(alias = "via", alias = "egress_via", alias = "partner")]
    cdn: Option<String>,
    #[serde(alias = "egress_destination")]
    egress_to: Option<String>,
    #[serde(alias = "reads_bytes", alias = "retrieval_bytes", alias = "retrieved_bytes")]
    read_bytes: Option<Count>,
    #[serde(default, alias = "retrieval_tier", alias = "restore")]
    retrieval: SpeedWord,
    #[serde(default, alias = "requests")]
    ops: BTreeMap<String, Count>,
    ops_days: Option<u32>,
    #[serde(default)]
    buckets: Count,
    #[serde(default, alias = "replicas")]
    replica_regions: u32,
}

/// The field and what is wrong with it.
type Wrong = (&'static str, String);

impl Written {
    fn named(self, name: String) -> Result<Named, Wrong> {
        let stock = self.stock()?;
        let days = self.days.unwrap_or(MONTH_DAYS);
        if !(1..=366).contains(&days) {
            return Err(("days", format!("{days} is not from 1 to 366")));
        }
        if self.month.is_some_and(|month| !(1..=120).contains(&month)) {
            return Err(("month", "months are counted from 1, to 120 at most".to_owned()));
        }
        let churn = if self.random_churn { Churn::Random } else { self.churn.into() };
        if churn == Churn::Random && self.month.is_some() {
            return Err((
                "month",
                "a month since the beginning is worked out only for churn that meets the oldest first".to_owned(),
            ));
        }
        if self.cdn_bytes.0 > self.egress_bytes.0 {
            return Err(("cdn_bytes", "more than egress_bytes, of which it is a part".to_owned()));
        }
        let workload = Workload {
            churn_per_day: self.churn_per_day()?,
            churn,
            stock,
            residue: self.residue_days.map(|kept| kept.0),
            month: self.month,
            days,
            egress_bytes: self.egress_bytes.0,
            cdn_bytes: self.cdn_bytes.0,
            cdn: self.cdn,
            egress_to: self.egress_to,
            read_bytes: self.read_bytes.map(|bytes| bytes.0),
            retrieval: self.retrieval.into(),
            ops: self.ops.into_iter().map(|(op, count)| (op, count.0)).collect(),
            ops_days: self.ops_days,
            buckets: self.buckets.0,
            replica_regions: self.replica_regions,
        };
        Ok(Named { name, title: self.title, date: self.date.map(|day| day.0), workload })
    }

    fn stock(&self) -> Result<Stock, Wrong> {
        let Some(histogram) = &self.histogram else {
            return Ok(Stock::even(self.bytes.unwrap_or_default().0, self.objects.unwrap_or_default().0));
        };
        let mut stock = Stock::default();
        for (size, objects) in &histogram.0 {
            stock.add_many(*size, *objects);
        }
        for (field, said, counted) in [("bytes", self.bytes, stock.bytes()), ("objects", self.objects, stock.objects())]
        {
            if let Some(said) = said.filter(|said| said.0 != counted) {
                return Err((field, format!("{} here, {counted} in the histogram", said.0)));
            }
        }
        Ok(stock)
    }

    fn churn_per_day(&self) -> Result<Decimal, Wrong> {
        let churn = match (self.churn_per_day, self.lifetime_days) {
            (Some(_), Some(_)) => {
                return Err(("lifetime_days", "it and churn_per_day say the same; write one".to_owned()));
            }
            (Some(churn), None) => churn.0,
            (None, Some(days)) if days.0.is_zero() => {
                return Err(("lifetime_days", "objects live for some time".to_owned()));
            }
            (None, Some(days)) => Decimal::ONE / days.0,
            (None, None) => Decimal::ZERO,
        };
        if churn > Decimal::ONE_HUNDRED {
            return Err((
                "churn_per_day",
                format!("{churn}: everything is overwritten more than a hundred times a day"),
            ));
        }
        Ok(churn)
    }
}

/// A whole number, as a number or as a text.
#[derive(Clone, Copy, Default)]
struct Count(u64);

/// A decimal number, as a number or as a text, with `%` or without.
#[derive(Clone, Copy)]
struct Number(Decimal);

/// Days, or `"forever"`.
#[derive(Clone, Copy)]
struct Kept(Residue);

/// Sizes with how many objects have them: a table `{ "4096" = 100 }`, pairs, or tables of `size` and `objects`.
struct Histogram(Vec<(u64, u64)>);

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum ChurnWord {
    #[default]
    #[serde(alias = "roundrobin", alias = "round_robin", alias = "oldest")]
    RoundRobin,
    Random,
}

impl From<ChurnWord> for Churn {
    fn from(word: ChurnWord) -> Self {
        match word {
            ChurnWord::RoundRobin => Self::RoundRobin,
            ChurnWord::Random => Self::Random,
        }
    }
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum SpeedWord {
    #[default]
    Standard,
    Bulk,
    Expedited,
}

impl From<SpeedWord> for RetrievalSpeed {
    fn from(word: SpeedWord) -> Self {
        match word {
            SpeedWord::Standard => Self::Standard,
            SpeedWord::Bulk => Self::Bulk,
            SpeedWord::Expedited => Self::Expedited,
        }
    }
}

fn decimal(value: &Value) -> Result<Decimal, String> {
    let (text, percent) = match value {
        Value::String(text) => match text.trim().strip_suffix('%') {
            Some(number) => (number.trim().to_owned(), true),
            None => (text.trim().replace('_', ""), false),
        },
        // The shortest text that means this float: what was written.
        Value::Float(number) => (number.to_string(), false),
        Value::Integer(number) => (number.to_string(), false),
        _ => return Err("not a number".to_owned()),
    };
    let number = Decimal::from_str_exact(&text).map_err(|_| format!("'{text}' is no number"))?;
    if number.is_sign_negative() && !number.is_zero() {
        return Err(format!("{number} is below zero"));
    }
    Ok(if percent { number / Decimal::ONE_HUNDRED } else { number })
}

fn count(value: &Value) -> Result<u64, String> {
    let number = decimal(value)?;
    if !number.fract().is_zero() {
        return Err(format!("{number} is no whole number"));
    }
    u64::try_from(number).map_err(|_| format!("{number} is too large"))
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        count(&Value::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        decimal(&Value::deserialize(deserializer)?).map(Self).map_err(de::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Kept {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = Value::deserialize(deserializer)?;
        if value.as_str().is_some_and(|word| matches!(word, "forever" | "all" | "all-versions-kept")) {
            return Ok(Self(Residue::Forever));
        }
        let days = decimal(&value).map_err(de::Error::custom)?;
        if days > Decimal::from(36_500) {
            return Err(de::Error::custom("more than a hundred years; write \"forever\""));
        }
        Ok(Self(Residue::Days(days)))
    }
}

impl<'de> Deserialize<'de> for Histogram {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let entries = match Value::deserialize(deserializer)? {
            Value::Table(table) => table
                .iter()
                .map(|(size, objects)| Ok((count(&Value::String(size.clone()))?, count(objects)?)))
                .collect(),
            Value::Array(entries) => entries.iter().map(histogram_entry).collect(),
            _ => Err("neither a table nor a list".to_owned()),
        };
        entries.map(Self).map_err(de::Error::custom)
    }
}

fn histogram_entry(entry: &Value) -> Result<(u64, u64), String> {
    let wanted = || "an entry is [SIZE, OBJECTS] or { size = BYTES, objects = COUNT }".to_owned();
    match entry {
        Value::Array(pair) => match pair.as_slice() {
            [size, objects] => Ok((count(size)?, count(objects)?)),
            _ => Err(wanted()),
        },
        Value::Table(table) => {
            let field = |names: &[&str]| names.iter().find_map(|name| table.get(*name));
            let size = field(&["size", "object_bytes", "size_bytes", "bytes"]).ok_or_else(wanted)?;
            let objects = field(&["objects", "count", "n"]).ok_or_else(wanted)?;
            Ok((count(size)?, count(objects)?))
        }
        _ => Err(wanted()),
    }
}
