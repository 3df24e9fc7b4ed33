//! The user's own prices: changes of shipped offers, offers of their own, machines of their own.

use std::collections::{BTreeMap, BTreeSet};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;
use toml::{Table, Value};

use super::{Book, BookProblem, Record, shipped::check};
use crate::price::{
    Charge, Figure, Flag, Flat, Offer,
    offer::{Confidence, Day, Egress, Meter, UnitEvidence},
    toml_file::{TomlFile, path},
};

/// What the user's own file changed of an offer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Override {
    /// The user's own words for it.
    pub note: String,
    /// The last day it held, where that is past: then nothing else of it counts.
    pub ended: Option<Date>,
    /// All of the offer is the user's own.
    whole: bool,
    /// Sections it changed: `storage`, `egress`, `request`, …
    sections: BTreeSet<String>,
    discounts: BTreeMap<String, Decimal>,
}

impl Override {
    /// Percent that go off a line, after its tiers and before the minimum of an invoice.
    #[must_use]
    pub fn discount(&self, charge: &Charge) -> Decimal {
        let own = self.discounts.get(section(charge)).or_else(|| self.discounts.get("all"));
        own.filter(|_| *charge != Charge::MinInvoice).copied().unwrap_or_default()
    }

    /// Whether a line rests on what it changed.
    #[must_use]
    pub fn touches(&self, charge: &Charge) -> bool {
        let stored =
            matches!(charge, Charge::Storage | Charge::Plan | Charge::EarlyDelete | Charge::Egress | Charge::Retrieval);
        self.whole
            || self.sections.contains(section(charge))
            || !self.discount(charge).is_zero()
            || (stored && self.sections.contains("meter"))
    }

    pub(in crate::price) fn flag(&self) -> Flag {
        match self.ended {
            Some(day) => Flag::OverrideEnded(day),
            None => Flag::Overridden { note: self.note.clone() },
        }
    }
}

/// The section of an offer a charge rests on.
fn section(charge: &Charge) -> &'static str {
    match charge {
        Charge::Base | Charge::Hardware | Charge::Power | Charge::MinInvoice => "base",
        Charge::EarlyDelete | Charge::Storage => "storage",
        Charge::Plan => "plans",
        Charge::Requests(_) => "request",
        Charge::Monitoring => "monitoring",
        Charge::Retrieval => "retrieval",
        Charge::Egress => "egress",
        Charge::Buckets => "buckets",
    }
}

/// Names that a discount may have, beside the sections.
const DISCOUNTS: &[&str] =
    &["all", "base", "storage", "plans", "request", "requests", "monitoring", "retrieval", "egress", "buckets"];

/// `[override."ID"]`, as written.
#[derive(Clone, Debug)]
pub(super) struct OwnChange {
    id: String,
    note: String,
    valid_until: Option<Date>,
    discounts: BTreeMap<String, Decimal>,
    /// What is merged into the offer.
    table: Table,
}

/// What an override says beside fields of an offer.
#[derive(Deserialize)]
struct Terms {
    #[serde(default)]
    note: String,
    valid_until: Option<Day>,
    #[serde(default)]
    discount_percent: BTreeMap<String, Figure>,
}

impl Book {
    /// This book with the user's own `text` over it: `[override."ID"]`, `[[offer]]`, `[offer_local.NAME]`, `[fx]`.
    /// Gives the fields nobody knows as warnings.
    ///
    /// Where own prices are laid over own prices, they are merged, too.
    ///
    /// # Errors
    /// The first mistake, with file, line and field.
    pub fn with_own(self, file: &str, text: &str) -> Result<(Self, Vec<BookProblem>), BookProblem> {
        let (source, table) = TomlFile::parse(file, text)?;
        self.with_tables(&source, table)
    }

    /// As [`Book::with_own`], with the tables below the table `key` of a file that holds other things, too.
    ///
    /// # Errors
    /// As [`Book::with_own`].
    pub fn with_own_below(self, file: &str, text: &str, key: &str) -> Result<(Self, Vec<BookProblem>), BookProblem> {
        let (source, table) = TomlFile::parse_below(file, text, key)?;
        self.with_tables(&source, table)
    }

    fn with_tables(mut self, source: &TomlFile<'_>, mut table: Table) -> Result<(Self, Vec<BookProblem>), BookProblem> {
        let known = self.records.len();
        let mut warnings = self.add_offers(source, table.remove("offer"))?;
        for record in &mut self.records[known..] {
            record.offer.overridden = Some(Override { whole: true, ..Override::default() });
        }
        for (name, value) in inner(source, table.remove("offer_local"), "offer_local")? {
            warnings.extend(self.add_machine(source, &name, value)?);
        }
        for (id, value) in inner(source, table.remove("override"), "override")? {
            warnings.extend(self.add_change(source, id, value)?);
        }
        if let Some(fx) = table.remove("fx") {
            let Value::Table(mut rates) = fx else {
                return Err(source.problem(&path(["fx"]), &Vec::new(), "fx", "not a table"));
            };
            if let Some(date) = rates.remove("date") {
                self.fx.date = source.typed::<Day>(date, &path(["fx", "date"]), "fx.date")?.0;
            }
            for (currency, rate) in rates {
                let (at, called) = (path(["fx", &currency]), format!("fx.{currency}"));
                let (rate, _) = source.typed::<Figure>(rate, &at, &called)?;
                self.fx.rates.insert(currency, rate);
            }
        }
        let what = format!(
            "there is no such table; own prices stand under [{}], [[{}]] or [{}]",
            source.written("override.\"ID\""),
            source.written("offer"),
            source.written("offer_local.NAME")
        );
        warnings.extend(table.keys().map(|key| source.problem(&path([key]), &Vec::new(), key, &what)));
        Ok((self, warnings))
    }

    /// Takes a machine up; a later file's stands for an earlier one's of that name.
    fn add_machine(
        &mut self,
        source: &TomlFile<'_>,
        name: &str,
        value: Value,
    ) -> Result<Vec<BookProblem>, BookProblem> {
        let (at, called) = (path(["offer_local", name]), format!("offer_local.{name}"));
        if !value.is_table() {
            return Err(source.problem(&at, &Vec::new(), &called, "not a table"));
        }
        let (flat, unknown) = source.typed::<Flat>(value, &at, &called)?;
        let offer = own_machine(name, flat, &self.fx.base);
        if self.records().any(|other| other.id == offer.id && other.flat.is_none()) {
            return Err(source.problem(&at, &Vec::new(), &called, "an offer has this name already"));
        }
        self.records.retain(|record| record.offer.id != offer.id);
        self.records.push(Record { offer, raw: Table::new() });
        Ok(unknown)
    }

    fn add_change(&mut self, source: &TomlFile<'_>, id: String, value: Value) -> Result<Vec<BookProblem>, BookProblem> {
        let at = path(["override", &id]);
        let name = format!("override \"{id}\"");
        let Value::Table(mut table) = value else {
            return Err(source.problem(&at, &Vec::new(), &name, "not a table"));
        };
        if !self.records().any(|offer| offer.id == id) {
            let what = self.unknown(&id).to_string();
            return Err(source.problem(&at, &Vec::new(), &name, &what));
        }
        if self.records().any(|offer| offer.id == id && offer.flat.is_some()) {
            let what = format!(
                "a machine of one's own; write its figures under [{}]",
                source.written(&format!("offer_local.{id}"))
            );
            return Err(source.problem(&at, &Vec::new(), &name, &what));
        }
        let mut terms = Table::new();
        for key in ["note", "valid_until", "discount_percent"] {
            if let Some(value) = table.remove(key) {
                terms.insert(key.to_owned(), value);
            }
        }
        let (terms, _) = source.typed::<Terms>(Value::Table(terms), &at, &name)?;
        let mut discounts = BTreeMap::new();
        for (key, percent) in terms.discount_percent {
            let field = path(["discount_percent", &key]);
            if !DISCOUNTS.contains(&key.as_str()) {
                return Err(source.problem(
                    &at,
                    &field,
                    &name,
                    &format!("there is no such charge; there are {}", DISCOUNTS.join(", ")),
                ));
            }
            if *percent > Decimal::ONE_HUNDRED {
                return Err(source.problem(&at, &field, &name, &format!("{percent} is more than all")));
            }
            let key = if key == "requests" { "request".to_owned() } else { key };
            discounts.insert(key, percent.get());
        }
        let change =
            OwnChange { id, note: terms.note, valid_until: terms.valid_until.map(|day| day.0), discounts, table };
        let mut warnings = Vec::new();
        for record in self.records.iter().filter(|record| record.offer.id == change.id) {
            // By itself, too: what it is laid over may end before it does.
            for earlier in [Vec::new(), self.changes_of(&change.id).collect()] {
                let merged = merged(record, earlier.into_iter().chain([&change]));
                let (offer, unknown) = source.typed::<Offer>(Value::Table(merged), &at, &name)?;
                check(&offer).map_err(|(field, what)| source.problem(&at, &field, &name, &what))?;
                warnings = unknown;
            }
        }
        self.own.push(change);
        Ok(warnings)
    }

    /// The changes of that offer, the earliest first.
    fn changes_of(&self, id: &str) -> impl Iterator<Item = &OwnChange> {
        self.own.iter().filter(move |change| change.id == id)
    }

    /// The offer of `record` on `date`, as the user changed it; what the provider keeps at STANDARD, filled in.
    pub(super) fn with_own_of(&self, record: &Record, date: Date) -> Offer {
        let (ended, hold): (Vec<_>, Vec<_>) =
            self.changes_of(&record.offer.id).partition(|change| change.valid_until.is_some_and(|until| until < date));
        let mut offer = match (hold.is_empty(), ended.last()) {
            (false, _) => changed(record, &hold),
            (true, Some(last)) => {
                let note = last.note.clone();
                let whole = record.offer.overridden.as_ref().is_some_and(|own| own.whole);
                let overridden = Some(Override { note, ended: last.valid_until, whole, ..Override::default() });
                Offer { overridden, ..record.offer.clone() }
            }
            (true, None) => record.offer.clone(),
        };
        if offer.storage.as_ref().is_some_and(|storage| storage.overhead_standard_bytes > 0) {
            let standard = self.records.iter().find(|other| {
                let other = &other.offer;
                other.provider == offer.provider
                    && other.region == offer.region
                    && other.class == "STANDARD"
                    && other.holds(date)
            });
            if let (Some(standard), Some(storage)) = (standard, &mut offer.storage) {
                let standard = self.with_own_of(standard, date);
                storage.standard_tiers = standard.storage.map(|storage| storage.tiers).unwrap_or_default();
            }
        }
        offer
    }
}

/// The tables of an offer with changes over them, the later over the earlier.
fn merged<'a>(record: &Record, changes: impl Iterator<Item = &'a OwnChange>) -> Table {
    let mut table = record.raw.clone();
    changes.for_each(|change| merge(&mut table, &change.table));
    table
}

/// The offer of `record` with `changes` over it, and marked as changed.
fn changed(record: &Record, changes: &[&OwnChange]) -> Offer {
    let mut offer = Offer::deserialize(Value::Table(merged(record, changes.iter().copied())))
        .expect("checked when each override was taken up");
    let mut own = record.offer.overridden.clone().unwrap_or_default();
    for change in changes {
        if !change.note.is_empty() {
            own.note.clone_from(&change.note);
        }
        own.sections.extend(change.table.keys().cloned());
        own.discounts.extend(change.discounts.clone());
    }
    offer.overridden = Some(own);
    offer
}

/// Tables are merged, whatever else is replaced.
fn merge(into: &mut Table, over: &Table) {
    for (key, value) in over {
        match (into.get_mut(key), value) {
            (Some(Value::Table(into)), Value::Table(over)) => merge(into, over),
            _ => {
                into.insert(key.clone(), value.clone());
            }
        }
    }
}

/// The entries of a table of tables.
fn inner(source: &TomlFile<'_>, value: Option<Value>, name: &str) -> Result<Vec<(String, Value)>, BookProblem> {
    match value {
        None => Ok(Vec::new()),
        Some(Value::Table(table)) => Ok(table.into_iter().collect()),
        Some(_) => Err(source.problem(&path([name]), &Vec::new(), name, "not a table")),
    }
}

/// An offer that is priced by [`Flat`] alone.
fn own_machine(name: &str, flat: Flat, base: &str) -> Offer {
    const TB: u64 = 1_000_000_000_000;
    Offer {
        id: name.to_owned(),
        provider: name.to_owned(),
        class: "OWN".to_owned(),
        region: "own".to_owned(),
        currency: flat.currency.clone().unwrap_or_else(|| base.to_owned()),
        effective_from: None,
        effective_to: None,
        confidence: Confidence::Own,
        enabled: true,
        api: flat.api.clone(),
        traps: Vec::new(),
        notes: Vec::new(),
        async_restore: false,
        meter: Meter {
            storage_unit_bytes: TB,
            transfer_unit_bytes: TB,
            unit_evidence: UnitEvidence::Documented,
            sampling: String::new(),
            month_hours: 730,
        },
        base: None,
        storage: None,
        plans: None,
        requests: Vec::new(),
        retrieval: None,
        egress: Egress::default(),
        monitoring: None,
        buckets: None,
        overridden: Some(Override { note: flat.note.clone(), whole: true, ..Override::default() }),
        flat: Some(flat),
    }
}
