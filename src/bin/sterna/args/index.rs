//! `sterna index`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

use super::{FilterArgs, LocalArgs};

#[derive(Debug, Subcommand)]
pub enum IndexCommand {
    /// Learn the contents of a place: read what no listing, no stat and no earlier run tells a digest of
    #[command(
        after_help = "Examples:\n  sterna index build /srv/mirror\n  sterna index build --all s3:haiku-nightly --include '*.hpkg'"
    )]
    Build(BuildArgs),
    /// Believe a sums file (SHA256SUMS and its like, BSD style, rclone hashsum) of the objects that lie there now
    #[command(
        after_help = "The file does not say when it was written: what it says is taken to be of the version that lies there now. \
                      Import only what you would also trust to be unchanged since.\n\n\
                      Examples:\n  sterna index import SHA256SUMS s3:haiku-nightly\n  rclone hashsum MD5 old:bucket | sterna index import - s3:bucket"
    )]
    Import(ImportArgs),
    /// What is known, place by place
    Stats,
    /// Contents that stand more than once, those that waste most first; nothing is read
    #[command(
        after_help = "Examples:\n  sterna index dups /srv/mirror\n  sterna index dups s3:nightly s3:release --json"
    )]
    Dups(DupsArgs),
    /// Write down what is known: place, key, size, modified, sha256, sha1, md5, parts
    #[command(
        after_help = "Examples:\n  sterna index export -o index.csv\n  sterna index export --format parquet -o nightly.parquet s3:haiku-nightly"
    )]
    Export(ExportArgs),
    /// Forget a place and everything below it; the objects stay
    #[command(
        after_help = "Examples:\n  sterna index forget s3:old-bucket\n  sterna index forget local        (a place as 'index stats' names it)"
    )]
    Forget(ForgetArgs),
    /// Give the room of what was forgotten back to the disk
    Vacuum,
}

#[derive(Debug, Args)]
pub struct BuildArgs {
    /// The place
    pub place: String,
    /// Read whatever lacks any of SHA-256, SHA-1 and MD5
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct ImportArgs {
    /// The sums file; '-' for standard input
    pub file: PathBuf,
    /// Where its names lie
    pub place: String,
    /// Pass over lines that cannot be read, such as those of a signature
    #[arg(long)]
    pub ignore_broken: bool,
    /// Names that are not there are no error
    #[arg(long)]
    pub ignore_missing: bool,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct DupsArgs {
    /// The places; contents are looked for in all of them together
    #[arg(required = true)]
    pub places: Vec<String>,
    #[command(flatten)]
    pub filter: FilterArgs,
    #[command(flatten)]
    pub local: LocalArgs,
}

#[derive(Debug, Args)]
pub struct ExportArgs {
    /// Only what is known of that place
    pub place: Option<String>,
    /// In which form; csv, or with --json json, if not given
    #[arg(long, value_enum)]
    pub format: Option<ExportFormat>,
    /// Write it there; '-' for standard output
    #[arg(short, long, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ExportFormat {
    /// Text, with a line of names
    Csv,
    /// Apache Parquet
    Parquet,
    /// A line of JSON each
    Json,
}

#[derive(Debug, Args)]
pub struct ForgetArgs {
    /// The place
    #[arg(required_unless_present = "all")]
    pub place: Option<String>,
    /// Everything
    #[arg(long, conflicts_with = "place")]
    pub all: bool,
}
