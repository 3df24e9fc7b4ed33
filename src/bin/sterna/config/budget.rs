//! `[budget.NAME]`: what a remote may be sent in a month.

use sterna::price::Decimal;
use sterna_backends::registry::nearest;

use super::{
    error::{ConfigError, ConfigErrorKind},
    file::Section,
    given::{Given, Setting},
};
use crate::values::bytes_of;

/// What one remote may be spent in a calendar month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// The remote.
    pub remote: String,
    /// Bytes read from it.
    pub egress: Option<u64>,
    /// Money for requests, retrieval and traffic, and its currency (ISO 4217).
    pub cost: Option<(Decimal, String)>,
    /// Bytes that are kept there on average: no limit, but what allowances are a multiple of.
    pub stored: Option<u64>,
    /// What becomes of a run when what the provider gives for nothing is used up.
    pub beyond_free: BeyondFree,
}

/// What becomes of a run when what the provider gives for nothing in a month is used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeyondFree {
    /// It is said.
    #[default]
    Warn,
    /// The run is refused, as where a budget is spent.
    Refuse,
    /// Nothing: to pay is meant.
    Allow,
}

impl BeyondFree {
    fn named(word: &str) -> Option<Self> {
        match word {
            "warn" => Some(Self::Warn),
            "refuse" => Some(Self::Refuse),
            "allow" => Some(Self::Allow),
            _ => None,
        }
    }
}

const KEYS: [&str; 4] = ["egress", "cost", "stored", "beyond_free"];

impl Budget {
    /// # Errors
    /// `Unknown` for another key; `WrongType` for a value of another form.
    pub(super) fn read(section: &Section) -> Result<Self, ConfigError> {
        let remote = section.name.clone();
        let mut budget = Self { remote, egress: None, cost: None, stored: None, beyond_free: BeyondFree::default() };
        for (key, setting) in &section.settings {
            let text = text_of(key, setting)?;
            let month = text.strip_suffix("/month").map(str::trim_end);
            let parsed = match key.as_str() {
                "egress" => month.and_then(bytes_of).map(|bytes| budget.egress = Some(bytes)),
                "cost" => month.and_then(money).map(|money| budget.cost = Some(money)),
                "stored" => bytes_of(&text).map(|bytes| budget.stored = Some(bytes)),
                "beyond_free" => BeyondFree::named(&text).map(|what| budget.beyond_free = what),
                other => {
                    let what = format!("a budget has no '{other}'");
                    let error = ConfigError::new(ConfigErrorKind::Unknown, what).at(&setting.origin);
                    return Err(match nearest(other, KEYS.into_iter()) {
                        Some(near) => error.remedy(format!("did you mean '{near}'?")),
                        None => error.remedy(format!("known are {}", KEYS.join(", "))),
                    });
                }
            };
            if parsed.is_none() {
                let what = format!("budget.{}.{key} = \"{text}\" cannot be read", section.name);
                let error = ConfigError::new(ConfigErrorKind::WrongType, what).at(&setting.origin);
                return Err(error.remedy(match key.as_str() {
                    "egress" => "write egress = \"1TB/month\"",
                    "cost" => "write cost = \"20USD/month\"",
                    "stored" => "write stored = \"1TB\"",
                    _ => "write beyond_free = \"warn\", \"refuse\" or \"allow\"",
                }));
            }
        }
        Ok(budget)
    }
}

fn text_of(key: &str, setting: &Setting) -> Result<String, ConfigError> {
    match &setting.given {
        Given::Literal(text) => Ok(text.reveal().to_owned()),
        _ => {
            let what = format!("'{key}' is no text");
            Err(ConfigError::new(ConfigErrorKind::WrongType, what).at(&setting.origin).remedy("a budget is no secret"))
        }
    }
}

/// `5USD`, `0.50 EUR`.
pub fn money(text: &str) -> Option<(Decimal, String)> {
    let (number, currency) = parted(text)?;
    let is_code = currency.len() == 3 && currency.bytes().all(|letter| letter.is_ascii_alphabetic());
    is_code.then(|| (number, currency.to_ascii_uppercase()))
}

/// A number that is not below 0, and what follows it.
fn parted(text: &str) -> Option<(Decimal, &str)> {
    let at = text.find(|letter: char| letter.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let number: Decimal = number.trim().parse().ok()?;
    (!number.is_sign_negative()).then(|| (number, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read() {
        assert_eq!(money("20USD"), Some((Decimal::from(20), "USD".to_owned())));
        assert_eq!(money("0.50 eur"), Some((Decimal::new(50, 2), "EUR".to_owned())));
        for wrong in ["5", "USD", "-5USD", "5US", "5 dollars", "5$"] {
            assert_eq!(money(wrong), None, "{wrong}");
        }
    }
}
