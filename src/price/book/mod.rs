//! [`Book`]: every offer at every date, from dated files; the user's own file over them.

mod error;
mod own;
mod shipped;

use std::collections::BTreeMap;

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::Deserialize;
use sterna_backends::registry::nearest;
use toml::Table;

pub use self::{
    error::{BookProblem, SelectError},
    own::Override,
};
use super::{
    Figure, Offer,
    offer::{AsOf, Day},
};

/// Prices older than this need the user's word.
pub const STALE_DAYS: u32 = 365;

/// All offers, with their dates and sources. A value: nothing in it changes, and nothing is fetched.
#[derive(Clone, Debug)]
pub struct Book {
    records: Vec<Record>,
    own: Vec<own::OwnChange>,
    /// Where the figures come from, by the ids that `src` names.
    pub sources: BTreeMap<String, Source>,
    /// Rates that rank offers of different currencies; never on a bill.
    pub fx: Fx,
    /// The edition.
    pub version: String,
    /// Prices older than this are flagged.
    pub max_age_days: u32,
}

/// An offer from one day to another.
#[derive(Clone, Debug)]
struct Record {
    offer: Offer,
    /// As written: what an override is merged into.
    raw: Table,
}

/// Where a figure was read.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Source {
    /// What it is.
    pub title: String,
    /// Where it is; empty where that was not noted.
    #[serde(default)]
    pub url: String,
    /// Which state of it.
    #[serde(default, rename = "ref")]
    pub reference: String,
    /// The provider's own page, or somebody's reading of it.
    #[serde(default)]
    pub kind: String,
    /// When it was read.
    #[serde(default)]
    pub as_of: AsOf,
}

/// Rates of one day.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Fx {
    /// What rates are expressed in.
    pub base: String,
    /// When they were read.
    pub date: Day,
    /// Sources, by their id.
    #[serde(default)]
    pub src: Vec<String>,
    /// What one of a currency costs, by ISO 4217.
    #[serde(flatten)]
    pub rates: BTreeMap<String, Figure>,
}

impl Fx {
    /// `amount` of `currency` in [`Fx::base`], to compare; none for a currency without a rate.
    #[must_use]
    pub fn in_base(&self, amount: Decimal, currency: &str) -> Option<Decimal> {
        if currency == self.base {
            return Some(amount);
        }
        self.rates.get(currency).map(|rate| amount.saturating_mul(**rate))
    }

    /// `amount` of the currency `from` in the currency `to`, to compare; none where one of them has no rate.
    #[must_use]
    pub fn convert(&self, amount: Decimal, from: &str, to: &str) -> Option<Decimal> {
        if from == to {
            return Some(amount);
        }
        self.in_base(amount, from)?.checked_div(self.in_base(Decimal::ONE, to)?)
    }
}

impl Book {
    /// Every offer there is a price of on `date`, in the order of the book; the user's own ones last.
    #[must_use]
    pub fn offers(&self, date: Date) -> Vec<Offer> {
        let holds = self.records.iter().filter(|record| record.offer.enabled && record.offer.holds(date));
        holds.map(|record| self.with_own_of(record, date)).collect()
    }

    /// The offer of that id on `date`.
    ///
    /// # Errors
    /// [`SelectError`] where there is none, or not then, or without a price.
    pub fn offer(&self, id: &str, date: Date) -> Result<Offer, SelectError> {
        let mut known = self.records.iter().filter(|record| record.offer.id == id).peekable();
        if known.peek().is_none() {
            return Err(self.unknown(id));
        }
        match known.find(|record| record.offer.holds(date)) {
            None => Err(SelectError::NotThen { id: id.to_owned(), date }),
            Some(record) if !record.offer.enabled => Err(SelectError::Unpriced { id: id.to_owned() }),
            Some(record) => Ok(self.with_own_of(record, date)),
        }
    }

    /// The offers on `date` that `name` means: the id, or its beginning up to a `/` (`wasabi`, `aws-s3/standard`), or
    /// the provider; `all` means all.
    ///
    /// # Errors
    /// [`SelectError`] where there is none.
    pub fn select(&self, name: &str, date: Date) -> Result<Vec<Offer>, SelectError> {
        let offers = self.offers(date);
        if name == "all" {
            return Ok(offers);
        }
        let chosen: Vec<_> = offers.into_iter().filter(|offer| offer.is_called(name)).collect();
        if !chosen.is_empty() {
            return Ok(chosen);
        }
        match self.records.iter().map(|record| &record.offer).find(|offer| offer.is_called(name)) {
            Some(offer) if !offer.enabled => Err(SelectError::Unpriced { id: offer.id.clone() }),
            Some(offer) => Err(SelectError::NotThen { id: offer.id.clone(), date }),
            None => Err(self.unknown(name)),
        }
    }

    /// Of the offers that `name` means (as in [`Book::select`]; a configuration's `provider` is such a name, too), that of the
    /// storage class `class`, or STANDARD; else the first.
    ///
    /// # Errors
    /// As [`Book::select`].
    pub fn offer_of(&self, name: &str, class: Option<&str>, date: Date) -> Result<Offer, SelectError> {
        let mut offers = self.select(name, date)?;
        let class = class.unwrap_or("STANDARD");
        let at = offers.iter().position(|offer| offer.class.eq_ignore_ascii_case(class)).unwrap_or(0);
        Ok(offers.swap_remove(at))
    }

    /// Every record, at all dates, as the files have it.
    pub fn records(&self) -> impl Iterator<Item = &Offer> {
        self.records.iter().map(|record| &record.offer)
    }

    fn unknown(&self, name: &str) -> SelectError {
        let ids = self.records.iter().flat_map(|record| [record.offer.id.as_str(), record.offer.provider.as_str()]);
        SelectError::Unknown { name: name.to_owned(), near: nearest(name, ids).map(str::to_owned) }
    }
}

impl Offer {
    /// Whether it holds on `date`.
    #[must_use]
    pub fn holds(&self, date: Date) -> bool {
        self.effective_from.is_none_or(|from| from.0 <= date) && self.effective_to.is_none_or(|to| date < to.0)
    }

    fn is_called(&self, name: &str) -> bool {
        self.id == name || self.provider == name || self.id.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    }
}
