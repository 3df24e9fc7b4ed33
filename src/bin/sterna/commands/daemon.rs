//! `daemon`: the scheduler and its page, until a signal ends them.

use std::{fs::File, io::Read, net::SocketAddr, path::Path, sync::Arc};

use sterna::{
    backends::secret::Secret,
    jobs::{
        RunRecord, Saved,
        daemon::{self, Board, Clock, News, Order, Setup, Terms},
        page::{self, Door, Site},
    },
};
use tokio::net::TcpListener;

use super::job;
use crate::{
    args::{GlobalArgs, daemon::DaemonArgs},
    config::{Config, Environment, open_to_others},
    exit::{Exit, Failure},
    limits::Limits,
    settings, ui,
};

/// The longest file of a token, in bytes.
const LONGEST_TOKEN: u64 = 4096;

/// Runs the command.
pub async fn run(global: &GlobalArgs, args: DaemonArgs) -> Result<Exit, Failure> {
    let limits = Limits::of(global)?;
    let setup = setup(global, &limits)?;
    let history = settings::history(global)?
        .ok_or_else(|| Failure::usage("the daemon needs the history: it takes no --no-history"))?;
    let (door, listener) = open(&args).await?;
    let (board, orders) = Board::new(history, setup.jobs.iter().map(|(job, _)| job));
    let site = Site::new(Arc::clone(&board), door, env!("CARGO_PKG_VERSION"));
    let page = tokio::spawn(page::serve(listener, Arc::new(site)));
    let terms = Terms { most: args.runs, clock: args.clock.unwrap_or(Clock::REAL) };
    let exit = tokio::select! {
        ended = daemon::run(setup, &board, orders, terms, &say) => ended.map(|()| Exit::Success).map_err(Failure::from),
        signals = obey_signals(global, &limits, &board) => signals.map(|()| Exit::Interrupted),
    };
    page.abort();
    exit
}

/// The page's door, and its listener: nobody is listened to who may not be.
async fn open(args: &DaemonArgs) -> Result<(Door, TcpListener), Failure> {
    let token = args.token_file.as_deref().map(token).transpose()?;
    let door = |listen: SocketAddr| {
        Door::new(listen, token.as_ref(), args.allow_host.clone()).map_err(|error| Failure::usage(error.to_string()))
    };
    // Refused before anybody could connect.
    door(args.listen)?;
    let listener = TcpListener::bind(args.listen).await.map_err(|error| {
        Failure::other(format!("cannot listen on {}: {error}; --listen says where else", args.listen))
    })?;
    let listen = listener.local_addr()?;
    ui::say(&format!("the status page is at http://{listen}/"));
    Ok((door(listen)?, listener))
}

/// The token in the file at `path`.
fn token(path: &Path) -> Result<Secret, Failure> {
    let wrong = |why: String| Failure::usage(format!("--token-file {}: {why}", path.display()));
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| wrong(error.to_string()))?;
    if open_to_others(&metadata) {
        return Err(wrong("others may read it; chmod 600 keeps it secret".to_owned()));
    }
    let mut text = String::new();
    let read = file.take(LONGEST_TOKEN + 1).read_to_string(&mut text).map_err(|error| wrong(error.to_string()))?;
    if read as u64 > LONGEST_TOKEN {
        return Err(wrong(format!("it is longer than {LONGEST_TOKEN} bytes, and no token")));
    }
    Ok(Secret::new(text.trim()))
}

/// Obeys signals; returns at the second one that is to end it.
async fn obey_signals(global: &GlobalArgs, limits: &Limits, board: &Board) -> Result<(), Failure> {
    let mut signals = ui::Signals::new()?;
    let mut drains = false;
    loop {
        match signals.next().await {
            ui::Signal::Reload => {
                board.order(Order::Reload(setup(global, limits).map_err(|failure| failure.message)));
            }
            ui::Signal::End if drains => {
                ui::complain("ended at once; the next daemon goes on from here");
                return Ok(());
            }
            ui::Signal::End => {
                drains = true;
                board.order(Order::Drain);
            }
        }
    }
}

/// What happened, on standard error: a line each, as a journal wants it.
fn say(news: News<'_>) {
    match news {
        News::Loaded(jobs) => ui::say(&format!("{} configured", ui::count(jobs as u64, "job"))),
        News::Refused(why) => ui::complain(&format!("the new configuration is not taken, the old one holds: {why}")),
        News::Began(job, trigger) => ui::say(&format!("{job}: begun ({})", trigger.name())),
        News::Ended(record) => ended(record),
        News::Broke(job) => ui::complain(&format!("{job}: the run broke off inside sterna; please report it")),
        News::Blind(error) => ui::complain(&format!("{error}; it is tried again")),
        News::Draining(0) => ui::say("ending"),
        News::Draining(runs) => {
            ui::say(&format!(
                "ending: {} to come to an end; a second signal cuts it off",
                ui::count(runs as u64, "run")
            ));
        }
    }
}

fn ended(record: &RunRecord) {
    let line = format!("{}: {}", record.job, record.verdict.describe());
    match record.first_failure().filter(|_| record.verdict.is_trouble()) {
        Some(failure) => ui::complain(&format!("{line}: {}", failure.message)),
        None => ui::say(&line),
    }
}

/// What the configuration, as it is now, comes to. The runner keeps it: a run never sees a newer one.
fn setup(global: &GlobalArgs, limits: &Limits) -> Result<Setup, Failure> {
    let config = Arc::new(Config::load(global.config.as_deref(), Environment::of_process())?);
    let due = |job: &Saved| Ok((job.clone(), job::schedule(job)?));
    let jobs = config.jobs().iter().map(due).collect::<Result<_, Failure>>()?;
    Ok(Setup { jobs, runner: Arc::new(job::ByConfig::new(config, global.clone(), limits.for_another_configuration())) })
}
