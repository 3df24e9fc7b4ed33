//! `snapshot`: its arguments.

use clap::{Args, Subcommand};
use sterna::archive::Name;

use super::{CompareArgs, FilterArgs, LocalArgs, OwnPricesArgs, TransferArgs};
use crate::values::Span;

#[derive(Debug, Subcommand)]
pub enum SnapshotCommand {
    /// Add a snapshot of a place; contents that the archive has are not sent again
    #[command(
        after_help = "Examples:\n  sterna snapshot create ./repo s3:archive --name nightly-2026-11-22\n  sterna snapshot create s3:haiku-nightly/x86_64 /srv/archive --exclude '*.tmp'"
    )]
    Create(Box<CreateArgs>),
    /// The snapshots of an archive
    List(ArchiveArg),
    /// What differs between two snapshots; exit code 1 on any difference
    #[command(after_help = "Example:\n  sterna snapshot diff s3:archive nightly-2026-11-21 latest")]
    Diff(Box<DiffArgs>),
    /// Copy a snapshot to a place, as 'copy' does: what is the same is left alone, nothing is deleted
    #[command(
        after_help = "Examples:\n  sterna snapshot restore s3:archive latest ./repo --dry-run\n  sterna snapshot restore s3:archive 20261122T030000.000000000Z ./one --include '/repo*'"
    )]
    Restore(Box<RestoreArgs>),
    /// List what a snapshot holds
    Ls(SnapshotLsArgs),
    /// Write an object of a snapshot to standard output
    Cat(SnapshotCatArgs),
    /// Make a plain tree of a snapshot inside the archive, of copies that the store makes by itself
    #[command(
        after_help = "The tree lies below views/ under the name that 'list' shows, and goes with its snapshot. On XFS and Btrfs it takes no room;\nelsewhere it takes its whole size again.\n\nExamples:\n  sterna snapshot view s3:archive latest\n  sterna snapshot view s3:archive nightly-2026-11-22 --remove"
    )]
    View(Box<ViewArgs>),
    /// Look whether everything is there that the snapshots name; exit code 1 where it is not
    Verify(VerifyArgs),
    /// Take snapshots away by rule; their contents stay until 'prune'
    #[command(
        after_help = "Examples:\n  sterna snapshot forget s3:archive --keep-last 20 --keep-daily 7 --dry-run\n  sterna snapshot forget s3:archive --keep-last 5 --group-by '^(.*)-[0-9]+$'\n  sterna snapshot forget s3:archive nightly-2026-11-01"
    )]
    Forget(Box<ForgetArgs>),
    /// Delete the contents that no snapshot names; not while a snapshot is being added
    Prune(PruneArgs),
}

#[derive(Debug, Args)]
pub struct ArchiveArg {
    /// The archive
    pub archive: String,
}

#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Where the objects come from
    pub source: String,
    /// The archive; made where nothing is yet
    pub archive: String,
    /// What the snapshot is called: letters, digits and . _ + -
    #[arg(long)]
    pub name: Option<Name>,
    /// Keep files of 8 MiB and more in pieces that they share with others; for images that differ little, not for packages
    #[arg(long)]
    pub chunk: bool,
    /// Then make a plain tree of the snapshot in the archive, as 'snapshot view' does
    #[arg(long)]
    pub views: bool,
    /// For --views: read and send what the store cannot copy by itself, such as contents in pieces
    #[arg(long, requires = "views")]
    pub carry: bool,
    /// For a new archive: after this time without a sign of life a run counts as killed; 15m if not given
    #[arg(long, value_name = "SPAN")]
    pub lease: Option<Span>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    /// Begin although a monthly budget of the configuration is used up
    #[arg(long)]
    pub over_budget: bool,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}

#[derive(Debug, Args)]
pub struct DiffArgs {
    /// The archive
    pub archive: String,
    /// The older snapshot: its name, its time, both as 'list' shows them, 'latest', or 8 and more digits of its digest
    pub a: String,
    /// The newer snapshot
    pub b: String,
    #[command(flatten)]
    pub filter: FilterArgs,
}

#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The archive
    pub archive: String,
    /// The snapshot: its name, its time, both as 'list' shows them, 'latest', or 8 and more digits of its digest
    pub snapshot: String,
    /// Where the objects go
    pub destination: String,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub compare: CompareArgs,
    #[command(flatten)]
    pub local: LocalArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    /// Begin although a monthly budget of the configuration is used up
    #[arg(long)]
    pub over_budget: bool,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}

#[derive(Debug, Args)]
pub struct ViewArgs {
    /// The archive
    pub archive: String,
    /// The snapshot: its name, its time, both as 'list' shows them, 'latest', or 8 and more digits of its digest
    pub snapshot: String,
    /// Remove the tree instead
    #[arg(long)]
    pub remove: bool,
    /// Read and send what the store cannot copy by itself, such as contents in pieces
    #[arg(long, conflicts_with = "remove")]
    pub carry: bool,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    #[command(flatten)]
    pub local: LocalArgs,
    #[command(flatten)]
    pub transfer: TransferArgs,
    /// Begin although a monthly budget of the configuration is used up
    #[arg(long)]
    pub over_budget: bool,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}

#[derive(Debug, Args)]
pub struct SnapshotLsArgs {
    /// The archive
    pub archive: String,
    /// The snapshot
    pub snapshot: String,
    /// A folder of it
    #[arg(default_value = "")]
    pub path: String,
    /// All levels, not just one
    #[arg(short = 'R', long)]
    pub recursive: bool,
    /// Keys only
    #[arg(long)]
    pub keys: bool,
}

#[derive(Debug, Args)]
pub struct SnapshotCatArgs {
    /// The archive
    pub archive: String,
    /// The snapshot
    pub snapshot: String,
    /// The object
    pub path: String,
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The archive
    pub archive: String,
    /// Read and hash every content, too
    #[arg(long)]
    pub read: bool,
}

#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// The archive
    pub archive: String,
    /// These snapshots, whatever the rules say
    pub snapshots: Vec<String>,
    /// Keep the newest N
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep_last: usize,
    /// Keep the newest of each of N days that have any
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep_daily: usize,
    /// Keep the newest of each of N weeks that have any
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep_weekly: usize,
    /// Keep the newest of each of N months that have any
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub keep_monthly: usize,
    /// Count those together of whose names this matches the same text (its first group, if it has one); what it does not
    /// match stays
    #[arg(long, value_name = "REGEX")]
    pub group_by: Option<regex::Regex>,
    /// Show what would be forgotten; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
}

#[derive(Debug, Args)]
pub struct PruneArgs {
    /// The archive
    pub archive: String,
    /// Show how much would be deleted; delete nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Begin although a monthly budget of the configuration is used up
    #[arg(long)]
    pub over_budget: bool,
    #[command(flatten)]
    pub own: OwnPricesArgs,
}
