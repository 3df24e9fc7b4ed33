//! One remote's part of a bill, and all of them together.

use serde::{Serialize, Serializer};
use sterna::{backends::Spend, history, price::Decimal};

/// One remote's part.
#[derive(Debug, Serialize)]
pub struct Row {
    /// As the user wrote it.
    pub place: String,
    /// source, destination or backup.
    pub role: &'static str,
    /// Its name in the configuration.
    pub remote: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quoted: Option<Spend>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actual: Option<Spend>,
    /// `None` where the price book has no entry for it.
    pub money: Option<Price>,
    /// What lies at the place now; `None` where that is not known.
    #[serde(skip)]
    pub kept: Option<history::Kept>,
}

/// Money of one remote; exact, and so written as text.
#[derive(Debug, Serialize)]
pub struct Price {
    pub offer: String,
    pub currency: String,
    /// Once: requests, retrieval, traffic, and what goes before its time.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub quoted: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub actual: Option<Decimal>,
    /// Of the one and the other: what is deleted or overwritten before the offer's minimum duration.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub quoted_early_deletion: Option<Decimal>,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub actual_early_deletion: Option<Decimal>,
    /// What a month of keeping costs more after the plan; below zero where it costs less.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub per_month: Option<Decimal>,
    /// Bytes that the remote was taken to keep before: allowances, tiers and minimums depend on it. `None`: nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept_bytes: Option<u64>,
    /// What the amounts do not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Of the flags those about prices of the user's own.
    #[serde(skip)]
    pub own: Vec<String>,
}

/// All remotes together, in the currency in which amounts are compared. What has no price counts as nothing.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Sum {
    pub currency: String,
    #[serde(serialize_with = "as_text")]
    pub once: Option<Decimal>,
    #[serde(serialize_with = "as_text")]
    pub per_month: Option<Decimal>,
}

fn as_text<S: Serializer>(amount: &Option<Decimal>, serializer: S) -> Result<S::Ok, S::Error> {
    amount.map(|amount| amount.normalize().to_string()).serialize(serializer)
}

impl Row {
    /// As it is written down.
    pub fn into_account(self) -> Option<history::Account> {
        let sent = self.actual?;
        let money = self.money.and_then(|price| {
            let quoted = price.quoted.map(|amount| amount.to_string());
            Some(history::Money {
                offer: price.offer,
                currency: price.currency,
                quoted,
                actual: price.actual?.to_string(),
            })
        });
        let Self { remote, place, quoted, kept, .. } = self;
        Some(history::Account { remote, place, quoted, sent, money, kept })
    }
}
