//! `job freshness`: its arguments.

use clap::Args;

use crate::values::Span;

pub const EXAMPLES: &str = "Exit codes: 0 where every mirror is fresh, 1 where one is older than --max-age, has no trace or cannot be reached.\n\nExamples:\n  sterna job freshness https://mirror.example.org/haikuports/x86_64\n  sterna job freshness b2:haikuports/master/x86_64 /srv/mirror/haikuports/x86_64 --max-age 2h\n  sterna job freshness https://mirror.example.org/images --trace .trace-eu --json";

#[derive(Debug, Args)]
pub struct FreshnessArgs {
    /// Mirrors: URLs, or any other places
    #[arg(required = true, value_name = "PLACE")]
    pub places: Vec<String>,
    /// How old the youngest trace may be
    #[arg(long, value_name = "AGE", default_value = "off")]
    pub max_age: Span,
    /// What the trace is called there
    #[arg(long, value_name = "NAME", default_value = sterna::jobs::trace::NAME)]
    pub trace: String,
}
