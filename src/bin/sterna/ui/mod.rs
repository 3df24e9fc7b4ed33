//! Everything people and machines read: data on standard output, words and progress on standard error.

mod log;
mod progress;
mod signals;
mod table;

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
};

pub use log::{JsonLog, LogLine};
pub use progress::{Progress, above_bars};
pub use signals::{Signal, Signals};
pub use sterna::report::words::{bytes, count, grouped, rate, span};
pub use table::Table;

/// `text` for `out`: names are anybody's, and none of them commands a terminal. There control characters stand as escapes,
/// but for line feeds and tabs.
pub fn legible<'a>(text: &'a str, out: &impl IsTerminal) -> Cow<'a, str> {
    let commands = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(commands) || !out.is_terminal() {
        return Cow::Borrowed(text);
    }
    let escaped = |character: char| match commands(character) {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(escaped).collect())
}

/// A sentence on standard error.
pub fn complain(message: &str) {
    let message = legible(message, &io::stderr());
    let colour = io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (start, end) = if colour { ("\u{1b}[31m", "\u{1b}[0m") } else { ("", "") };
    let _nobody_reads = above_bars(|| writeln!(io::stderr(), "{start}sterna:{end} {message}"));
}

/// Characters in a line of standard output: those of the terminal, else 80.
pub fn width() -> usize {
    terminal_size::terminal_size_of(io::stdout()).map_or(80, |(width, _)| usize::from(width.0))
}

/// A line on standard error.
pub fn say(line: &str) {
    let _nobody_reads = above_bars(|| writeln!(io::stderr(), "{}", legible(line, &io::stderr())));
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

/// Asks a question on the terminal; only `y` or `yes` is a yes. The answer is waited for on a thread of its own: it may take
/// hours, or never come.
pub async fn confirm(question: &str) -> io::Result<bool> {
    write!(io::stderr(), "{question} [y/N] ")?;
    io::stderr().flush()?;
    let asked = tokio::task::spawn_blocking(|| io::stdin().lines().next().transpose());
    let answer = asked.await.map_err(io::Error::other)??;
    let nobody = || io::Error::new(io::ErrorKind::UnexpectedEof, "nobody is there to answer");
    Ok(matches!(answer.ok_or_else(nobody)?.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}
