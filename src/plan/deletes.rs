//! Promise 4: deletes need a proof.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// How many deletes one run may make at one destination.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaxDelete {
    /// So many percent of the destination's objects, rounded down; 0 to 100. With less than 100 the last object
    /// is never deleted.
    Percent(u8),
    /// So many objects.
    Count(u64),
}

impl Default for MaxDelete {
    fn default() -> Self {
        Self::Percent(25)
    }
}

impl fmt::Display for MaxDelete {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Count(count) => write!(f, "{count}"),
        }
    }
}

/// `25%` or `100`.
impl FromStr for MaxDelete {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("'{text}' is neither a number of objects nor a percentage from 0% to 100%");
        match text.strip_suffix('%') {
            Some(percent) => match percent.trim().parse() {
                Ok(percent @ 0..=100) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            },
            None => text.parse().map(Self::Count).map_err(|_| wrong()),
        }
    }
}

/// What both listings, ended cleanly, have told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Census {
    /// Objects at the source.
    pub source: u64,
    /// Objects at the destination.
    pub target: u64,
    /// Objects at the destination that the source does not have.
    pub extra: u64,
}

/// Whether the deletes may be carried out.
///
/// # Errors
/// Why not, for people.
pub fn permit(limit: MaxDelete, census: Census) -> Result<(), String> {
    let Census { source, target, extra } = census;
    if extra == 0 || limit == MaxDelete::Percent(100) {
        return Ok(());
    }
    if source == 0 {
        return Err(format!(
            "the source is empty; to delete all {extra} objects at the destination use --max-delete 100%"
        ));
    }
    let allowed = match limit {
        MaxDelete::Percent(percent) => {
            u64::try_from(u128::from(target) * u128::from(percent) / 100).unwrap_or(u64::MAX)
        }
        MaxDelete::Count(count) => count,
    };
    if extra > allowed {
        return Err(format!(
            "{extra} of {target} objects at the destination would be deleted, and --max-delete {limit} allows {allowed}; \
             if that is meant, use --max-delete {extra}"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn promise_4_deletes_stay_below_the_limit() {
        let census = |source, target, extra| Census { source, target, extra };
        let default = MaxDelete::default();
        assert!(permit(default, census(3, 4, 1)).is_ok());
        assert!(permit(default, census(2, 4, 2)).is_err());
        assert!(permit(default, census(0, 1, 1)).is_err());
        assert!(permit(MaxDelete::Count(10), census(0, 10, 10)).is_err(), "an empty source deletes nothing");
        assert!(permit(MaxDelete::Percent(100), census(0, 10, 10)).is_ok(), "unless told");
        assert!(permit(MaxDelete::Count(2), census(5, 7, 2)).is_ok());
        assert!(permit(MaxDelete::Count(2), census(5, 8, 3)).is_err());
        assert!(permit(default, census(0, 0, 0)).is_ok());
    }

    #[test]
    fn reads_percentages_and_counts() {
        assert_eq!("25%".parse(), Ok(MaxDelete::Percent(25)));
        assert_eq!("7".parse(), Ok(MaxDelete::Count(7)));
        assert!("101%".parse::<MaxDelete>().is_err());
        assert!("many".parse::<MaxDelete>().is_err());
    }
}
