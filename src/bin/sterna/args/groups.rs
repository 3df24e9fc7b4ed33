//! Groups of arguments that several commands share.

use std::path::PathBuf;

use clap::{ArgAction, Args, ValueEnum};

use crate::values::{Age, Size, Span};

/// For every command.
#[derive(Clone, Debug, Args)]
pub struct GlobalArgs {
    /// The configuration file
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub config: Option<PathBuf>,
    /// What is known of contents from earlier runs; $XDG_STATE_HOME/sterna/index.sqlite if not given
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub index: Option<PathBuf>,
    /// Neither use nor keep what is known of contents
    #[arg(long, global = true, conflicts_with = "index", help_heading = "Global")]
    pub no_index: bool,
    /// Where runs and their costs are written down; $XDG_STATE_HOME/sterna/history.db if not given
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global")]
    pub history: Option<PathBuf>,
    /// Do not write down the run and its cost
    #[arg(long, global = true, conflicts_with = "history", help_heading = "Global")]
    pub no_history: bool,
    /// Say more; twice: much more
    #[arg(short, long, global = true, action = ArgAction::Count, help_heading = "Global")]
    pub verbose: u8,
    /// Say nothing but errors
    #[arg(short, long, global = true, conflicts_with = "verbose", help_heading = "Global")]
    pub quiet: bool,
    /// Answers as JSON on standard output
    #[arg(long, global = true, help_heading = "Global")]
    pub json: bool,
    /// Events as JSON lines on standard error
    #[arg(long, global = true, help_heading = "Global")]
    pub use_json_log: bool,
    /// Show progress
    #[arg(short = 'P', long, global = true, help_heading = "Global")]
    pub progress: bool,
    /// Print a line of statistics so often; 0: never
    #[arg(long, global = true, value_name = "SPAN", default_value = "0", help_heading = "Global")]
    pub stats: Span,
    /// Objects transferred at once
    #[arg(long, global = true, value_name = "N", value_parser = at_least_one, help_heading = "Global")]
    pub transfers: Option<usize>,
    /// Objects compared at once, where it takes more than the listings
    #[arg(long, global = true, value_name = "N", default_value_t = 32, value_parser = at_least_one, help_heading = "Global")]
    pub checkers: usize,
    /// Bandwidth of all remotes together in bytes a second, or a timetable: 10M, 10M:1M (up:down), "08:00,512k 19:00,off"
    #[arg(long, global = true, value_name = "LIMIT", help_heading = "Global")]
    pub bwlimit: Option<String>,
    /// Requests a second, of all remotes together
    #[arg(long, global = true, value_name = "N", value_parser = rate, help_heading = "Global")]
    pub tpslimit: Option<f64>,
    /// Tries for one request
    #[arg(long, global = true, value_name = "N", default_value_t = 10, help_heading = "Global")]
    pub low_level_retries: u32,
    /// A remote that has answered nothing for so long is given up, and what needs it ends with exit code 5; 0: never
    #[arg(long, global = true, value_name = "SPAN", default_value = "2m", help_heading = "Global")]
    pub give_up_after: Span,
}

/// Whose prices.
#[derive(Clone, Debug, Default, Args)]
pub struct OwnPricesArgs {
    /// Prices of your own, laid over the price book and the configuration's [prices]
    #[arg(long, value_name = "FILE")]
    pub prices: Option<PathBuf>,
}

/// Which objects.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Filters")]
pub struct FilterArgs {
    /// Only what matches
    #[arg(long, value_name = "PATTERN")]
    pub include: Vec<String>,
    /// Only what matches a pattern of that file
    #[arg(long, value_name = "FILE")]
    pub include_from: Vec<PathBuf>,
    /// Not what matches
    #[arg(long, value_name = "PATTERN")]
    pub exclude: Vec<String>,
    /// Not what matches a pattern of that file
    #[arg(long, value_name = "FILE")]
    pub exclude_from: Vec<PathBuf>,
    /// A rule: '+ PATTERN' or '- PATTERN'; the first that matches decides
    #[arg(long, value_name = "RULE")]
    pub filter: Vec<String>,
    /// Rules from that file
    #[arg(long, value_name = "FILE")]
    pub filter_from: Vec<PathBuf>,
    /// Exactly the files named in that file
    #[arg(long, value_name = "FILE")]
    pub files_from: Vec<PathBuf>,
    /// The same, each line taken as it is
    #[arg(long, value_name = "FILE")]
    pub files_from_raw: Vec<PathBuf>,
    /// Only objects of at least that size; KiB where no unit is given
    #[arg(long, value_name = "SIZE")]
    pub min_size: Option<Size>,
    /// Only objects of at most that size; KiB where no unit is given
    #[arg(long, value_name = "SIZE")]
    pub max_size: Option<Size>,
    /// Only objects at least that old: 2d, 1h30m, or a date
    #[arg(long, value_name = "AGE")]
    pub min_age: Option<Age>,
    /// Only objects at most that old
    #[arg(long, value_name = "AGE")]
    pub max_age: Option<Age>,
    /// So many levels at most; 0: all
    #[arg(long, value_name = "N")]
    pub max_depth: Option<usize>,
    /// Patterns match in either case
    #[arg(long)]
    pub ignore_case: bool,
}

/// How objects are compared.
#[derive(Debug, Args)]
#[command(next_help_heading = "Comparison")]
pub struct CompareArgs {
    /// By size and digest; what has no common digest is read
    #[arg(short, long, conflicts_with_all = ["size_only", "ignore_times"])]
    pub checksum: bool,
    /// By size alone
    #[arg(long, conflicts_with = "ignore_times")]
    pub size_only: bool,
    /// Not at all: transfer everything
    #[arg(short = 'I', long)]
    pub ignore_times: bool,
    /// Leave alone what is newer at the destination
    #[arg(short, long)]
    pub update: bool,
    /// Leave alone whatever exists at the destination
    #[arg(long)]
    pub ignore_existing: bool,
    /// Refuse to change what exists at the destination
    #[arg(long)]
    pub immutable: bool,
    /// Do not set the destination's time where only the time differs
    #[arg(long)]
    pub no_update_modtime: bool,
    /// Times this far apart count as equal
    #[arg(long, value_name = "SPAN")]
    pub modify_window: Option<Span>,
    /// Files up to this size are read where nothing else decides
    #[arg(long, value_name = "SIZE", default_value = "1M")]
    pub read_below: Size,
    /// Matches by size alone are no reason for exit code 11
    #[arg(long)]
    pub allow_unproven: bool,
}

/// In which order objects become visible, and when they go.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Publication")]
pub struct PublicationArgs {
    /// What the place is: haiku-repo, debian, rpm, website or images; indexes come after what they name, and go before it
    #[arg(long, value_name = "NAME", conflicts_with = "group")]
    pub profile: Option<sterna::plan::Groups>,
    /// A group, after those before it: 'NAME=PATTERN', again for another pattern; 'NAME=' takes what no other takes
    #[arg(long, value_name = "NAME=PATTERN")]
    pub group: Vec<String>,
    /// Delete only what has been missing at the source for so long
    #[arg(long, value_name = "SPAN")]
    pub delete_after: Option<Span>,
}

/// How objects are carried.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Transfer")]
pub struct TransferArgs {
    /// Bytes of a part; default 16 MiB, more for objects that would have too many
    #[arg(long, value_name = "SIZE")]
    pub part_size: Option<Size>,
    /// Size from which an object goes in parts; default: as the destination suggests
    #[arg(long, value_name = "SIZE")]
    pub multipart_threshold: Option<Size>,
    /// Bytes held in memory between two remotes
    #[arg(long, value_name = "SIZE", default_value = "64M")]
    pub buffer: Size,
    /// Take up no more than so many bytes, then end with exit code 8
    #[arg(long, value_name = "SIZE")]
    pub max_transfer: Option<Size>,
    /// Take up nothing new after that time, then end with exit code 10
    #[arg(long, value_name = "SPAN")]
    pub max_duration: Option<Span>,
    /// Carry the content-type only, no other headers and no user metadata
    #[arg(long)]
    pub no_metadata: bool,
    /// Carry object tags too; on S3 that is a request more for each object
    #[arg(long)]
    pub tags: bool,
    /// Go on with no upload that an earlier run left, and leave no record of ours
    #[arg(long)]
    pub no_resume: bool,
}

/// How local files are read and written.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Local files")]
pub struct LocalArgs {
    /// Carry symbolic links as small .rclonelink files
    #[arg(short = 'l', long, conflicts_with = "copy_links")]
    pub links: bool,
    /// Follow symbolic links
    #[arg(short = 'L', long)]
    pub copy_links: bool,
    /// Pass over symbolic links without a word
    #[arg(long, conflicts_with_all = ["links", "copy_links"])]
    pub skip_links: bool,
    /// When files are forced to disk
    #[arg(long, value_enum, value_name = "WHEN")]
    pub fsync: Option<Fsync>,
    /// Carry permission bits
    #[arg(long)]
    pub permissions: bool,
    /// Leave holes where the bytes are zero
    #[arg(long)]
    pub sparse: bool,
    /// What a local destination has already under another name with the same time gets another name instead of a copy
    #[arg(long)]
    pub hard_link: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Fsync {
    /// Never
    None,
    /// Now and then, and at the end
    Batch,
    /// Every file before it appears
    Always,
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) => Err("at least 1".to_owned()),
        Ok(number) => Ok(number),
        Err(error) => Err(format!("{error}")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate.is_finite() && rate > 0.0 => Ok(rate),
        Ok(_) => Err("a number above 0".to_owned()),
        Err(error) => Err(format!("{error}")),
    }
}
