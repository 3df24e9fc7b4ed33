//! `sterna`, the command: arguments in, a run of the engine, words and an exit code out.

mod args;
mod commands;
mod config;
mod exit;
mod found;
mod limits;
mod places;
mod settings;
mod ui;
mod values;

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use clap::Parser;
use tokio::task::JoinError;

use crate::{args::Cli, exit::Exit};

/// How long work that was cut off may take to let go of its files.
const LAST_WORDS: Duration = Duration::from_millis(700);

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            ui::complain(&format!("cannot start: {error}"));
            return Exit::Fatal.into();
        }
    };
    let (exit, over) = runtime.block_on(attend(cli));
    runtime.shutdown_timeout(LAST_WORDS.saturating_sub(over.elapsed()));
    exit.into()
}

/// Runs the command until it ends or is interrupted, and says when that was. It is a task of the runtime's own threads: on the
/// one that waits here, each object that ends would wake one thread more.
async fn attend(cli: Cli) -> (Exit, Instant) {
    let cleans_up = cli.command.cleans_up();
    let mut command = tokio::spawn(commands::run(cli));
    let interrupted = async {
        match cleans_up {
            true => std::future::pending().await,
            false => ui::interrupted().await,
        }
    };
    tokio::select! {
        ended = &mut command => (ended.unwrap_or_else(fell_over), Instant::now()),
        () = interrupted => {
            let over = Instant::now();
            command.abort();
            // What it holds it lets go of before anything is said, if it can.
            let _late = tokio::time::timeout(LAST_WORDS, command).await;
            ui::complain("interrupted; finished objects stay, the next run goes on from here");
            (Exit::Interrupted, over)
        }
    }
}

/// Nobody cuts a command off but whoever attends it.
fn fell_over(error: JoinError) -> Exit {
    match error.try_into_panic() {
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => Exit::Interrupted,
    }
}
