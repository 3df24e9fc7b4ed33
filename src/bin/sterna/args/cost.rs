//! Arguments of `cost`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FilterArgs, LocalArgs, OwnPricesArgs};
use crate::values::{Churn, Kept, Lifetime, Traffic};

pub const EXAMPLES: &str = "Examples:
  sterna cost s3:haiku-nightly --egress 3TB/month --churn 5%/day
  sterna cost s3:haiku-nightly --offers b2,wasabi,r2 --explain b2/standard
  sterna cost --what-if \"1TB, 10000 objects, 5%/day, 3TB egress\"
  sterna cost --what-if \"1TB, 2000000 objects\" --from wasabi --offers b2,r2
  sterna cost --workload workload.toml --offers all --date 2026-11-22 --json
  sterna cost book

A TB is 10^12 bytes, a TiB 2^40. Prices are list prices without tax; 'sterna cost book' says where and when they were
read. Prices of your own: --prices FILE.";

/// A place, a thought or a file; or a question about the book.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct CostArgs {
    #[command(subcommand)]
    pub command: Option<CostCommand>,
    /// The place whose objects are counted
    #[arg(conflicts_with_all = ["what_if", "workload"], required_unless_present_any = ["what_if", "workload"])]
    pub place: Option<String>,
    /// No place: bytes, objects, churn and egress, separated by commas
    #[arg(long, value_name = "TEXT", conflicts_with = "workload")]
    pub what_if: Option<String>,
    /// No place: the [workload.NAME] tables of that file
    #[arg(long, value_name = "FILE")]
    pub workload: Option<PathBuf>,
    /// Of several workloads, that one
    #[arg(long, value_name = "NAME", requires = "workload")]
    pub name: Option<String>,
    /// Sizes and times as the index remembers them, without listing the place
    #[arg(long, conflicts_with_all = ["what_if", "workload"])]
    pub from_index: bool,
    /// What bills the data now, for what moving it away costs; the offer of the place's remote if not given
    #[arg(long, value_name = "OFFER")]
    pub from: Option<String>,
    /// What leaves in a month: 3TB/month, 100GB/day
    #[arg(long, value_name = "SIZE")]
    pub egress: Option<Traffic>,
    /// What is read out of the storage class in a month, where it is not what leaves
    #[arg(long, value_name = "SIZE")]
    pub reads: Option<Traffic>,
    /// The share of the bytes that is overwritten: 5%/day
    #[arg(long, value_name = "SHARE")]
    pub churn: Option<Churn>,
    /// How many days an object lives, instead of --churn
    #[arg(long, value_name = "DAYS", conflicts_with = "churn")]
    pub lifetime: Option<Lifetime>,
    /// How many days overwritten bytes are kept: a number, or 'forever'; what each provider does by default otherwise
    #[arg(long, value_name = "DAYS")]
    pub kept: Option<Kept>,
    /// Show every line of that offer with its formula
    #[arg(long, value_name = "OFFER")]
    pub explain: Option<String>,
    /// A table for other programs
    #[arg(long)]
    pub csv: bool,
    #[command(flatten)]
    pub prices: PricesArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
}

/// Which prices.
#[derive(Debug, Args)]
pub struct PricesArgs {
    /// Offers, separated by commas: an id, its beginning, a provider, or all
    #[arg(long, value_name = "LIST", value_delimiter = ',', default_value = "all")]
    pub offers: Vec<String>,
    /// Prices of that day; today's otherwise
    #[arg(long, value_name = "DAY")]
    pub date: Option<jiff::civil::Date>,
    #[command(flatten)]
    pub own: OwnPricesArgs,
    /// Use prices that were read more than a year ago
    #[arg(long)]
    pub allow_stale: bool,
}

#[derive(Debug, Subcommand)]
pub enum CostCommand {
    /// The price book: offers, when their prices were read, and where
    Book(PricesArgs),
    /// What keeping each content once would save a month, at every provider
    ///
    /// Contents are told by the digests that listings and the index know; 'sterna index build' makes them known. The
    /// deduplicated layout is that of 'sterna snapshot', with the manifest of one snapshot of each place.
    #[command(after_help = "Example:\n  sterna cost dedup s3:nightly s3:release --offers b2,wasabi")]
    Dedup(Box<DedupArgs>),
    /// What each remote was sent in a month: requests, bytes and money, beside what is free and beside its budget
    ///
    /// What is free is what the remote's offer in the price book gives for nothing. Where that is a multiple of what is
    /// stored, it counts what the last runs saw there, or what the configuration says: stored = "1TB" in [budget.NAME].
    #[command(after_help = "Example:\n  sterna cost history --month 2026-11")]
    History(HistoryArgs),
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// A calendar month (UTC); the present one if not given
    #[arg(long, value_name = "YYYY-MM")]
    pub month: Option<String>,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}

#[derive(Debug, Args)]
pub struct DedupArgs {
    /// The places; contents are looked for in all of them together
    #[arg(required = true)]
    pub places: Vec<String>,
    #[command(flatten)]
    pub prices: PricesArgs,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
}
