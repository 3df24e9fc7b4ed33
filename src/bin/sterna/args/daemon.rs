//! `daemon`.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use sterna::{backends::Timestamp, jobs::daemon::Clock};

pub const EXAMPLES: &str = "Examples:
  sterna daemon                                   (the page is at http://127.0.0.1:8384/)
  sterna daemon --token-file /etc/sterna/token    (with buttons, for who knows the token)
  sterna daemon --listen 0.0.0.0:8384 --token-file /etc/sterna/token
  kill -HUP $(pidof sterna)                       (read the configuration again)

SIGTERM or Ctrl-C ends the runs cleanly, a second one at once; either way the next daemon goes on. A configuration that cannot be \
read on SIGHUP is not taken, and the old one holds on.";

#[derive(Debug, Args)]
pub struct DaemonArgs {
    /// Where the status page listens
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8384")]
    pub listen: SocketAddr,
    /// The file with the token that lets run, pause and resume jobs; needed where other machines reach the page
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// A further name the page is reached by, as behind a reverse proxy; to look then takes the token, too
    #[arg(long, value_name = "NAME")]
    pub allow_host: Vec<String>,
    /// Runs at once; other jobs whose time has come wait
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = super::groups::at_least_one)]
    pub runs: usize,
    /// For tests: from that time on (seconds since 1970) schedules pass so many times as fast
    #[arg(long, value_name = "SECONDS:SPEED", hide = true, value_parser = hurried)]
    pub clock: Option<Clock>,
}

fn hurried(text: &str) -> Result<Clock, String> {
    let parsed = text.split_once(':').and_then(|(origin, speed)| Some((origin.parse().ok()?, speed.parse().ok()?)));
    let (origin, speed) = parsed.ok_or("write SECONDS:SPEED")?;
    Ok(Clock::hurried(Timestamp::from_parts(origin, 0), speed))
}
