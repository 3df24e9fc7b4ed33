//! Everything people and machines read: data on standard output, words and progress on standard error.

mod log;
mod progress;
mod signals;
mod table;

use std::io::{self, IsTerminal, Write};

pub use log::{JsonLog, LogLine};
pub use progress::Progress;
pub use signals::{Signal, Signals};
pub use sterna::report::words::{bytes, count, grouped, rate, span};
pub use table::Table;

/// A sentence on standard error.
pub fn complain(message: &str) {
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (start, end) = if colour { ("\u{1b}[31m", "\u{1b}[0m") } else { ("", "") };
    let _nobody_reads = writeln!(io::stderr(), "{start}sterna:{end} {message}");
}

/// Characters in a line of standard output: those of the terminal, else 80.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| usize::from(width.0))
}

/// A line on standard error.
pub fn say(line: &str) {
    let _nobody_reads = writeln!(io::stderr(), "{line}");
}

/// Resolves at the first Ctrl-C or SIGTERM.
pub async fn interrupted() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            return;
        }
    }
    // Without a handler nobody can interrupt us but the system itself.
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Asks a question on the terminal; only `y` or `yes` is a yes.
pub fn confirm(question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let mut answer = String::new();
    if io::stdin().read_line(&mut answer)? == 0 {
        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "nobody is there to answer"));
    }
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
