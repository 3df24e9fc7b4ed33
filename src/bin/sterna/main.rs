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

use std::{process::ExitCode, time::Duration};

use clap::Parser;

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
    let exit = runtime.block_on(async {
        if cli.command.cleans_up() {
            return commands::run(cli).await;
        }
        tokio::select! {
            exit = commands::run(cli) => exit,
            () = ui::interrupted() => {
                ui::complain("interrupted; finished objects stay, the next run goes on from here");
                Exit::Interrupted
            }
        }
    });
    runtime.shutdown_timeout(LAST_WORDS);
    exit.into()
}
