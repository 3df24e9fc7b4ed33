//! One file a command, or a family of alike ones.

mod apart;
mod apply;
mod bill;
mod check;
mod compare;
mod configure;
mod cost;
mod daemon;
mod delete;
mod doctor;
mod draft;
mod ground;
mod hash;
mod history;
mod index;
mod job;
mod look;
mod object;
mod old_versions;
mod pages;
mod plan;
mod record;
mod run;
mod snapshot;
mod sync;
mod view;

use std::{io::Write, sync::Arc};

use serde::Serialize;
use sterna::event::{Event, Observer, Observers};

use crate::{
    args::{Cli, Command, GlobalArgs},
    exit::{Exit, Failure},
    ui,
};

/// Runs the command and says what went wrong.
pub async fn run(cli: Cli) -> Exit {
    let global = &cli.global;
    let result = match cli.command {
        Command::Ls(args) => look::ls(global, args).await,
        Command::Tree(args) => look::tree(global, args).await,
        Command::Size(args) => look::size(global, args).await,
        Command::Stat(args) => object::stat(global, args).await,
        Command::Cat(args) => object::cat(global, args).await,
        Command::Hash(args) => hash::hash(global, args).await,
        Command::Copy(args) => sync::run(global, sterna::plan::Intent::Copy, args).await,
        Command::Sync(args) => sync::run(global, sterna::plan::Intent::Sync, args).await,
        Command::Move(args) => sync::run(global, sterna::plan::Intent::Move, args).await,
        Command::Plan(args) => plan::run(global, args).await,
        Command::Apply(args) => apply::run(global, args).await,
        Command::Check(args) => check::run(global, args).await,
        Command::Compare(args) => compare::run(global, args).await,
        Command::Delete(args) => delete::delete(global, args).await,
        Command::Purge(args) => delete::purge(global, args).await,
        Command::Mkdir(args) => object::mkdir(global, args).await,
        Command::Doctor(args) => doctor::run(global, args).await,
        Command::Index(command) => index::run(global, command).await,
        Command::Cost(args) => cost::run(global, *args).await,
        Command::Job(command) => job::run(global, command).await,
        Command::Snapshot(command) => snapshot::run(global, command).await,
        Command::Daemon(args) => daemon::run(global, args).await,
        Command::Config(command) => configure::run(global, command).await,
        Command::Completions { shell } => pages::completions(shell),
        Command::Man { out } => pages::man(out.as_deref()),
    };
    result.unwrap_or_else(Failure::report)
}

/// Data for standard output; a reader that has gone away ends the command quietly.
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    Ok(ui::above_bars(|| out.write_all(ui::legible(text, &out).as_bytes()).and_then(|()| out.flush()))?)
}

/// A value as one line of JSON on standard output.
pub fn print_json(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(value).map_err(std::io::Error::from)?;
    print(&(text + "\n"))
}

/// Tells several observers.
pub struct Several(pub Vec<Observers>);

impl Observer for Several {
    fn on(&self, event: &Event) {
        self.0.iter().for_each(|observer| observer.on(event));
    }
}

/// Says what people must know: failures, what was passed over, blocked deletes.
pub struct Words {
    verbose: u8,
    quiet: bool,
}

impl Observer for Words {
    fn on(&self, event: &Event) {
        match event {
            Event::Failed { message, .. } | Event::Unread { message, .. } => ui::complain(message),
            Event::Skipped { path, why, nameless: true } => ui::complain(&format!("passed over {path}: {why}")),
            Event::Skipped { path, why, .. } if !self.quiet => ui::say(&format!("passed over {path}: {why}")),
            Event::DeletesBlocked { objects, why, .. } => {
                ui::complain(&format!("{} not made: {why}", ui::count(*objects, "delete")));
            }
            Event::Lost { message, .. } => {
                ui::complain(&format!("{message}; nothing more is done at this destination, and nothing deleted"));
            }
            Event::LeftBehind { store, .. } if !self.quiet => {
                ui::say(&format!("{store} tells what it holds more slowly than the others: it is made after them"));
            }
            Event::GroupsHeld { objects, .. } => {
                let objects = ui::count(*objects, "object");
                ui::complain(&format!(
                    "{objects} of later groups not begun: something before them failed, or the run was stopped"
                ));
            }
            Event::Republished if !self.quiet => {
                ui::say("the source was republished meanwhile: what names other objects waits for a fresh listing");
            }
            Event::Finished { key, deed, bytes, .. } if self.verbose > 0 => {
                ui::say(&format!("{} {key} ({})", deed.name(), ui::bytes(*bytes)));
            }
            Event::Waiting { message } if !self.quiet => ui::say(message),
            Event::Resumed { key, bytes } if !self.quiet => {
                ui::say(&format!("going on with {key}: {} are there already", ui::bytes(*bytes)));
            }
            _ => {}
        }
    }
}

/// The observer of a command: words, or a JSON log, and whatever `more` wants to know.
pub fn observer(global: &GlobalArgs, more: Option<Observers>) -> Observers {
    let speaks: Observers = if global.use_json_log {
        Arc::new(ui::JsonLog)
    } else {
        Arc::new(Words { verbose: global.verbose, quiet: global.quiet })
    };
    match more {
        Some(more) => Arc::new(Several(vec![speaks, more])),
        None => speaks,
    }
}
