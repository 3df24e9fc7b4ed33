//! [`Figure`]: a price or a quantity as a book writes it, exactly.

use std::{fmt, ops::Deref};

use rust_decimal::Decimal;
use serde::{Deserialize, Deserializer, de};

/// A decimal number of a price book: zero or more, never through a float.
///
/// Written as a text (`"0.00695"`) or as a whole number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Figure(Decimal);

impl Figure {
    /// The largest figure a book may hold; it keeps every product of the evaluator inside 28 digits.
    pub const MOST: u64 = 1_000_000_000_000_000;

    /// `text` as it stands: digits, with or without a point.
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let number = Decimal::from_str_exact(text.trim())
            .map_err(|_| format!("'{text}' is no decimal number like \"0.00695\""))?;
        Self::new(number)
    }

    /// # Errors
    /// Where `number` is below zero or above [`Figure::MOST`].
    pub fn new(number: Decimal) -> Result<Self, String> {
        if number.is_sign_negative() && !number.is_zero() {
            return Err(format!("{number} is below zero"));
        }
        if number > Decimal::from(Self::MOST) {
            return Err(format!("{number} is larger than {}", Self::MOST));
        }
        Ok(Self(number))
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> Decimal {
        self.0
    }
}

impl Deref for Figure {
    type Target = Decimal;
    fn deref(&self) -> &Decimal {
        &self.0
    }
}

impl From<Figure> for Decimal {
    fn from(figure: Figure) -> Self {
        figure.0
    }
}

impl From<u32> for Figure {
    fn from(number: u32) -> Self {
        Self(number.into())
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Figure {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl de::Visitor<'_> for Visitor {
            type Value = Figure;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a decimal number as a text, like \"0.00695\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Figure, E> {
                Figure::parse(text).map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Figure, E> {
                Figure::new(number.into()).map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Figure, E> {
                Figure::new(number.into()).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
