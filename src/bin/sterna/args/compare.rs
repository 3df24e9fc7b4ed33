//! Arguments of `compare`.

use std::path::PathBuf;

use clap::Args;

use crate::values::{Money, Size, Traffic};

use super::groups::{CompareArgs, FilterArgs, LocalArgs, OwnPricesArgs};

/// The most places that stand side by side: as many as a page has colours for.
const MOST: usize = 8;

#[derive(Debug, Args)]
pub struct SideBySideArgs {
    /// The places, two to eight
    #[arg(required = true, num_args = 2..=MOST, value_name = "PLACE")]
    pub places: Vec<String>,
    /// Write the report there, as one page of HTML that needs nothing else
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// What leaves each place, for its price: 3TB/month, 100GB/day; what is stored, once a month, if not given
    #[arg(long, value_name = "SIZE")]
    pub egress: Option<Traffic>,
    #[command(flatten)]
    pub own: OwnPricesArgs,
    /// Do not measure how fast they are
    #[arg(long)]
    pub no_speed: bool,
    /// Bytes that measuring may read and write at each place, together
    #[arg(long, value_name = "SIZE", default_value = "64M", conflicts_with = "no_speed")]
    pub budget_bytes: Size,
    /// Do not measure if that would cost more, at all places together: 0.05USD; exit code 14 then
    #[arg(long, value_name = "MONEY", value_parser = crate::values::money, conflicts_with = "no_speed")]
    pub max_cost: Option<Money>,
    /// Measure by reading only
    #[arg(long, conflicts_with_all = ["no_speed", "doctor"])]
    pub no_writes: bool,
    /// Run the conformance suite against each place too: up to 40 MiB and some hundred requests each; what is written is removed again
    #[arg(long)]
    pub doctor: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub compare: CompareArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    /// Read every object at all places
    #[arg(long)]
    pub download: bool,
}
