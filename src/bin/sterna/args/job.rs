//! `job`: its arguments.

use clap::{Args, Subcommand};

use super::freshness::{self, FreshnessArgs};

pub const EXAMPLES: &str = "A job is a table [job.NAME] of the configuration:\n\n  [job.ports]\n  source = \"garage:haikuports/master/x86_64\"\n  targets = [\"b2:haikuports/master/x86_64\", \"/srv/mirror/haikuports/x86_64\"]\n  every = \"15m\"\n  profile = \"haiku-repo\"\n\nExamples:\n  sterna job run ports --dry-run\n  sterna job run --all\n  sterna job status\n  sterna job logs ports\n  sterna job systemd ports";

#[derive(Debug, Subcommand)]
pub enum JobCommand {
    /// Run a job now; a second run of it ends at once, wherever the first is
    #[command(
        after_help = "Exit codes: those of sync; 5 where the job is at work already, 14 where its budget is spent.\n\nExamples:\n  sterna job run ports\n  sterna job run ports --dry-run\n  sterna job run --all"
    )]
    Run(RunArgs),
    /// The jobs of the configuration
    List,
    /// How jobs stand: each target, when it was last in step, what went wrong and what to do; exit code 1 where a run failed
    #[command(after_help = "Examples:\n  sterna job status\n  sterna job status ports --json")]
    Status(SomeArgs),
    /// The last runs, and what came of them
    #[command(after_help = "Examples:\n  sterna job history ports\n  sterna job history --count 100 --json")]
    History(HistoryArgs),
    /// The log of a run
    #[command(after_help = "Examples:\n  sterna job logs ports\n  sterna job logs ports --run 42 --json")]
    Logs(LogsArgs),
    /// Let a job run by itself again
    Enable(NameArg),
    /// Hold a job back from running by itself, until 'enable'; 'run' runs it all the same
    Disable(NameArg),
    /// When jobs are due
    #[command(after_help = "Examples:\n  sterna job next\n  sterna job next ports --count 10")]
    Next(NextArgs),
    /// What a job does, in words
    Explain(NameArg),
    /// How old mirrors are, by the trace that a job leaves last at each target; from outside, over HTTP or from any other place
    #[command(after_help = freshness::EXAMPLES)]
    Freshness(FreshnessArgs),
    /// Print a systemd service and timer for a job
    #[command(
        after_help = "Example:\n  sterna job systemd ports > /tmp/units    (two files; their names stand before them)"
    )]
    Systemd(NameArg),
    /// Print a line for a crontab
    #[command(after_help = "Example:\n  (crontab -l; sterna job cron ports) | crontab -")]
    Cron(NameArg),
}

#[derive(Debug, Args)]
pub struct NameArg {
    /// The job
    pub name: String,
}

#[derive(Debug, Args)]
pub struct SomeArgs {
    /// Only that job
    pub name: Option<String>,
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// The job
    #[arg(required_unless_present = "all")]
    pub name: Option<String>,
    /// Every job that is enabled, one after the other
    #[arg(long, conflicts_with = "name")]
    pub all: bool,
    /// Show what would be done; change nothing
    #[arg(short = 'n', long)]
    pub dry_run: bool,
    /// Begin although a budget is spent
    #[arg(long)]
    pub over_budget: bool,
}

#[derive(Debug, Args)]
pub struct HistoryArgs {
    /// Only that job
    pub name: Option<String>,
    /// So many runs
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub count: usize,
}

#[derive(Debug, Args)]
pub struct LogsArgs {
    /// The job
    pub name: String,
    /// That run; the last one if not given
    #[arg(long, value_name = "ID")]
    pub run: Option<i64>,
}

#[derive(Debug, Args)]
pub struct NextArgs {
    /// Only that job
    pub name: Option<String>,
    /// So many times of each
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub count: usize,
}
