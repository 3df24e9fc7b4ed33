//! Arguments as they are typed. What they mean together is resolved in [`crate::settings`].

pub mod compare;
mod cost;
pub mod daemon;
pub mod freshness;
mod groups;
mod index;
pub mod job;
pub mod snapshot;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use cost::{CostArgs, CostCommand, DedupArgs, HistoryArgs, PricesArgs};
pub use groups::{CompareArgs, FilterArgs, Fsync, GlobalArgs, LocalArgs, OwnPricesArgs, PublicationArgs, TransferArgs};
pub use index::{BuildArgs, DupsArgs, ExportArgs, ExportFormat, ForgetArgs, ImportArgs, IndexCommand};

const CODES: &str = "Exit codes: 0 success; 1 error, or differences found; 2 wrong usage or configuration; \
3 directory or bucket not found; 4 object not found; 5 temporary error; 7 fatal error; 8 --max-transfer reached; \
9 nothing transferred; 10 --max-duration reached; 11 unproven matches; 12 deletes blocked; 13 plan drifted; \
14 over budget; 15 a cap of the account reached; 130 interrupted; \
141 nobody reads the output any more.";

/// Sync, mirror and compare object stores.
///
/// A place is NAME:bucket/prefix for a configured remote, a plain path for local files, or a URL such as
/// s3://bucket/prefix.
#[derive(Debug, Parser)]
#[command(name = "sterna", version, propagate_version = true, after_help = CODES, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub global: GlobalArgs,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// List objects: size, time and key
    #[command(
        after_help = "Examples:\n  sterna ls s3:haiku-nightly/x86_64\n  sterna ls -R --json ./repo\n  sterna ls s3:            (the buckets)"
    )]
    Ls(LsArgs),
    /// Show a place as a tree
    Tree(LookArgs),
    /// Count objects and bytes
    Size(LookArgs),
    /// Everything known of one object
    Stat(StatArgs),
    /// Write an object's bytes to standard output
    Cat(CatArgs),
    /// Digests of objects, as sha256sum prints them
    #[command(after_help = "Example:\n  sterna hash sha256 ./repo > SHA256SUMS")]
    Hash(HashArgs),
    /// Copy what the destination lacks; nothing is deleted
    #[command(
        after_help = "Examples:\n  sterna copy ./repo s3:haiku-nightly/x86_64 --progress\n  sterna copy s3:bucket/image.iso ./images"
    )]
    Copy(SyncArgs),
    /// Make the destination hold exactly what the source holds
    #[command(
        after_help = "Examples:\n  sterna sync ./repo s3:haiku-nightly/x86_64 --dry-run\n  sterna sync s3:haiku-nightly /srv/mirror --exclude '*.tmp' --max-delete 10%\n  sterna sync ./repo s3:mirror b2:mirror --profile haiku-repo --delete-after 24h\n  sterna sync ./repo wasabi:haiku b2:haiku --dry-run      (what it costs, side by side)\n  sterna sync ./repo b2:haiku --max-cost 5USD"
    )]
    Sync(SyncArgs),
    /// Copy, then delete at the source what has arrived
    Move(SyncArgs),
    /// Write down what a sync would do, to be read and applied later
    #[command(
        after_help = "Example:\n  sterna plan ./repo s3:haiku-nightly/x86_64 -o plan.jsonl && sterna apply plan.jsonl"
    )]
    Plan(PlanArgs),
    /// Carry out a plan; what has drifted since is refused
    #[command(
        after_help = "Examples:\n  sterna apply plan.jsonl --dry-run       (what it would do, and what that costs)\n  sterna apply plan.jsonl --max-cost 2USD"
    )]
    Apply(ApplyArgs),
    /// Compare places; exit code 1 on any difference
    #[command(
        after_help = "Examples:\n  sterna check ./repo s3:haiku-nightly/x86_64\n  sterna check --download --combined report.txt s3:a b2:a"
    )]
    Check(CheckArgs),
    /// Providers side by side: what they hold, how fast they are, what they cost, what they can do
    #[command(
        after_help = "Examples:\n  sterna compare wasabi:haiku b2:haiku garage:haiku --html report.html\n  sterna compare --budget-bytes 1G --egress 3TB/month wasabi:haiku b2:haiku\n  sterna compare --no-speed --json ./repo wasabi:haiku/x86_64"
    )]
    Compare(compare::SideBySideArgs),
    /// Delete the objects that pass the filters
    #[command(
        after_help = "Examples:\n  sterna delete s3:bucket/old --min-age 90d --dry-run\n  sterna delete --incomplete s3:bucket --min-age 2d"
    )]
    Delete(DeleteArgs),
    /// Delete a place and everything in it, filters or not
    Purge(PurgeArgs),
    /// Make a bucket or directory
    Mkdir(PlaceArg),
    /// Run the conformance suite against a real endpoint and print what it can do
    Doctor(DoctorArgs),
    /// What is known of contents from earlier runs: learn more, look at it, forget it
    #[command(subcommand)]
    Index(IndexCommand),
    /// What a place, or a workload that is only thought of, costs at every provider
    #[command(after_help = cost::EXAMPLES)]
    Cost(Box<CostArgs>),
    /// Saved mirrors: run them, see how they stand, why they failed and when they are due
    #[command(subcommand, after_help = job::EXAMPLES)]
    Job(job::JobCommand),
    /// A deduplicated archive: dated copies of a place, each content kept once
    #[command(subcommand)]
    Snapshot(snapshot::SnapshotCommand),
    /// Run the saved jobs when they are due, and show how they stand on a status page
    #[command(after_help = daemon::EXAMPLES)]
    Daemon(daemon::DaemonArgs),
    /// Look at the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Print a completion script
    Completions {
        /// For which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page, or write one page a command into a folder
    Man {
        /// Write sterna.1, sterna-sync.1, … there
        #[arg(long, value_name = "FOLDER")]
        out: Option<PathBuf>,
    },
}

impl Command {
    /// Whether it comes to an end by itself when it is interrupted, because there is something to clean up.
    pub const fn cleans_up(&self) -> bool {
        matches!(self, Self::Compare(_) | Self::Daemon(_) | Self::Job(job::JobCommand::Run(_)))
    }
}

#[derive(Debug, Args)]
pub struct PlaceArg {
    /// The place
    pub place: String,
}

/// What is common to looking at a place.
#[derive(Debug, Args)]
pub struct LookArgs {
    /// The place
    pub place: String,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    #[command(flatten)]
    pub versions: VersionArgs,
}

#[derive(Clone, Debug, Default, Args)]
pub struct VersionArgs {
    /// Include old versions and delete markers, where the store keeps them
    #[arg(long, conflicts_with = "version_at")]
    pub versions: bool,
    /// As it was at that time: a date, an RFC 3339 time, or an age such as 2d
    #[arg(long, value_name = "TIME")]
    pub version_at: Option<crate::values::Age>,
}

#[derive(Debug, Args)]
pub struct LsArgs {
    #[command(flatten)]
    pub look: LookArgs,
    /// All levels, not just one
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Keys only
    #[arg(long)]
    pub keys: bool,
}

#[derive(Debug, Args)]
pub struct ObjectArgs {
    /// The object
    pub place: String,
    /// That version of it
    #[arg(long, value_name = "ID")]
    pub version_id: Option<String>,
}

#[derive(Debug, Args)]
pub struct StatArgs {
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Its tags too, for one request more
    #[arg(long)]
    pub tags: bool,
}

#[derive(Debug, Args)]
pub struct CatArgs {
    #[command(flatten)]
    pub object: ObjectArgs,
    /// Skip so many bytes
    #[arg(long, value_name = "BYTES")]
    pub offset: Option<u64>,
    /// At most so many bytes
    #[arg(long, value_name = "BYTES")]
    pub count: Option<u64>,
}

#[derive(Debug, Args)]
pub struct HashArgs {
    /// Which digest
    pub algorithm: Algorithm,
    #[command(flatten)]
    pub look: LookArgs,
    /// Read the bytes even where the store knows the digest
    #[arg(long)]
    pub download: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Algorithm {
    Md5,
    Sha1,
    Sha256,
    Crc32c,
    Crc64nvme,
}

/// copy, sync, move: the same arguments.
#[derive(Debug, Args)]
pub struct SyncArgs {
    /// Where the objects come from
    pub source: String,
    /// Where they go
    #[arg(required = true)]
    pub destinations: Vec<String>,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Ask before anything is done
    #[arg(short, long, conflicts_with = "dry_run")]
    pub interactive: bool,
    /// Write the plan there too, as JSON Lines
    #[arg(long, value_name = "FILE")]
    pub plan_out: Option<PathBuf>,
    #[command(flatten)]
    pub spending: SpendingArgs,
    #[command(flatten)]
    pub planning: PlanningArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    /// Of several destinations, how many must succeed: all, any, or a number
    #[arg(long, value_name = "all|any|N", default_value = "all")]
    pub require: Require,
    /// Of several destinations, how long the others wait in all for one that lists more slowly, before it is made after
    /// them; "off": as long as it takes
    #[arg(long, value_name = "DURATION", default_value = "1m")]
    pub patience: crate::values::Span,
    /// Exit with 9 if nothing had to be transferred
    #[arg(long)]
    pub error_on_no_transfer: bool,
}

/// How many of several destinations must succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Require {
    #[default]
    All,
    Any,
    AtLeast(usize),
}

impl std::str::FromStr for Require {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "all" => Ok(Self::All),
            "any" => Ok(Self::Any),
            number => match number.parse() {
                Ok(count) if count > 0 => Ok(Self::AtLeast(count)),
                _ => Err(format!("'{text}' is neither 'all' nor 'any' nor a number of destinations")),
            },
        }
    }
}

/// What decides on the plan.
#[derive(Debug, Args)]
pub struct PlanningArgs {
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub compare: CompareArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    /// Delete at most so many objects of a destination: a number, or a percentage of what it holds
    #[arg(long, value_name = "N|P%", default_value_t)]
    pub max_delete: sterna::plan::MaxDelete,
    #[command(flatten)]
    pub publication: PublicationArgs,
    /// Move overwritten and deleted objects there instead; a place of the destination's own remote
    #[arg(long, value_name = "PLACE")]
    pub backup_dir: Option<String>,
    /// Added to the names of what goes to --backup-dir; without --backup-dir it stays beside the original
    #[arg(long, value_name = "TEXT")]
    pub suffix: Option<String>,
    /// Set metadata: 'NAME=VALUE', or 'PATTERN: NAME=VALUE' for the keys that match
    #[arg(long, value_name = "RULE")]
    pub header: Vec<sterna::plan::MetadataRule>,
    /// Send everything, even what already lies at the destination under another key
    #[arg(long)]
    pub no_reuse: bool,
    /// The source as it was at that time: a date, an RFC 3339 time, or an age such as 2d
    #[arg(long, value_name = "TIME")]
    pub version_at: Option<crate::values::Age>,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}

/// What a run may cost.
#[derive(Debug, Args)]
pub struct SpendingArgs {
    /// Stop before or while it costs more than that: 5USD, 0.50EUR
    #[arg(long, value_name = "MONEY", value_parser = crate::values::money)]
    pub max_cost: Option<crate::values::Money>,
    /// Begin although a monthly budget of the configuration is used up
    #[arg(long)]
    pub over_budget: bool,
}

#[derive(Debug, Args)]
pub struct PlanArgs {
    /// Where the objects come from
    pub source: String,
    /// Where they go
    #[arg(required = true)]
    pub destinations: Vec<String>,
    /// Write the plan there; '-' for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// What the plan is for
    #[arg(long, value_enum, default_value_t = Intent::Sync)]
    pub intent: Intent,
    #[command(flatten)]
    pub planning: PlanningArgs,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Intent {
    Copy,
    Sync,
    Move,
}

#[derive(Debug, Args)]
pub struct ApplyArgs {
    /// The plan
    pub plan: PathBuf,
    /// Show the plan and what it costs; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub spending: SpendingArgs,
    #[command(flatten)]
    pub own: OwnPricesArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct CheckArgs {
    /// What the others should hold
    pub source: String,
    /// The others
    #[arg(required = true)]
    pub destinations: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub compare: CompareArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    /// Read every object on both sides
    #[arg(long)]
    pub download: bool,
    /// Extra objects at the destination are no difference
    #[arg(long)]
    pub one_way: bool,
    /// Write one line an object there: '= key', '* key' differs, '+ key' missing at the destination, '- key' missing
    /// at the source, '! key' error; '-' for standard output
    #[arg(long, value_name = "FILE")]
    pub combined: Option<PathBuf>,
    /// List the unproven matches
    #[arg(long)]
    pub list_unproven: bool,
}

#[derive(Debug, Args)]
pub struct DeleteArgs {
    /// The place
    pub place: String,
    #[command(flatten)]
    pub filter: FilterArgs,
    /// Show what would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Uploads that were begun and never completed, instead of objects; with --min-age
    #[arg(long)]
    pub incomplete: bool,
    /// Versions that were overwritten or deleted, for good, instead of objects; with --min-age those that old
    #[arg(long, conflicts_with = "incomplete")]
    pub old_versions: bool,
}

#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// The place
    pub place: String,
    /// Show what would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Delete old versions too
    #[arg(long)]
    pub versions: bool,
}

#[derive(Debug, Args)]
pub struct DoctorArgs {
    /// A place to try things in; what is written there is removed again
    pub place: String,
}

#[derive(Debug, Subcommand)]
pub enum ConfigCommand {
    /// The configuration as it is in effect, secrets hidden
    Show {
        /// Only that remote
        remote: Option<String>,
    },
    /// Read the configuration, resolve its secrets, open its remotes
    Check {
        /// Only that remote
        remote: Option<String>,
    },
    /// Translate an rclone.conf
    ImportRclone {
        /// The rclone.conf
        file: PathBuf,
        /// Add the remotes to the configuration file instead of printing them
        #[arg(long)]
        write: bool,
    },
}
