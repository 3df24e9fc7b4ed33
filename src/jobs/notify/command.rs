//! A program that is told.

use std::process::Stdio;

use tokio::{io::AsyncWriteExt, process::Command};

use super::Notice;
use crate::jobs::Verdict;

/// Bytes of what it says on its standard error that are passed on.
const SAID: usize = 200;

/// Runs `words` with the notice as JSON on its standard input, and `STERNA_JOB`, `STERNA_EVENT` and `STERNA_VERDICT` in its
/// environment. It is killed when the future is dropped.
///
/// # Errors
/// Why it did not succeed, for people.
pub(super) async fn tell(words: &[String], notice: &Notice) -> Result<(), String> {
    let Some((program, arguments)) = words.split_first() else { return Err("the command is empty".to_owned()) };
    let json = serde_json::to_vec(notice).map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(arguments)
        .env("STERNA_JOB", &notice.job)
        .env("STERNA_EVENT", notice.event.name())
        .env("STERNA_VERDICT", notice.verdict.map_or("", Verdict::name))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| format!("cannot run it: {error}"))?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not want to read all of it may still do its work.
        let _closed_early = stdin.write_all(&json).await;
    }
    let output = child.wait_with_output().await.map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said: String = said.trim().chars().filter(|letter| !letter.is_control()).take(SAID).collect();
    Err(format!("it ended with {}{}{said}", output.status, if said.is_empty() { "" } else { ": " }))
}
