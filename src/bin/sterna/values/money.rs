//! Amounts of money.

use sterna::price::Decimal;

use super::InvalidValue;

/// An amount and its currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Money {
    pub amount: Decimal,
    /// ISO 4217.
    pub currency: String,
}

/// `5USD`, `0.50 EUR`.
pub fn money(text: &str) -> Result<Money, InvalidValue> {
    let (amount, currency) = crate::config::money(text)
        .ok_or_else(|| InvalidValue::new(text, "an amount with its currency, such as 5USD or 0.50EUR"))?;
    Ok(Money { amount, currency })
}
