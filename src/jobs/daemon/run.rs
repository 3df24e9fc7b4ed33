//! The scheduler at work: it waits, begins runs, and ends them.

use std::{
    collections::BTreeMap,
    future::pending,
    sync::Arc,
    time::{Duration, Instant},
};

use sterna_backends::Timestamp;
use tokio::{
    sync::mpsc::UnboundedReceiver,
    task::{Id, JoinError, JoinSet},
    time::sleep,
};

use super::{
    Board, Clock, Refusal, Under,
    agenda::{Agenda, Entry},
};
use crate::{
    event::Observers,
    history::HistoryError,
    jobs::{JobStatus, RunRecord, Runner, Saved, State, Trigger, Verdict, schedule::Schedule},
    report::Summary,
    transfer::{Stop, StopReason},
};

/// How long the history is not looked at, in which other processes pause jobs and write down their runs, nor the age of targets.
const LOOK: Duration = Duration::from_secs(10);

/// How long after a run that was to make up for one that was cut off, and found the job held by another, it is tried again: the
/// one who was killed holds it until his lease is over.
const AGAIN: Duration = Duration::from_secs(30);

/// What one configuration comes to.
pub struct Setup {
    /// The jobs, and when each is due; `None`: never by itself.
    pub jobs: Vec<(Saved, Option<Schedule>)>,
    /// Who carries them out, with that configuration.
    pub runner: Arc<dyn Runner>,
}

/// How the scheduler works.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Runs at once; at least one.
    pub most: usize,
    /// The clock schedules are read by.
    pub clock: Clock,
}

/// What is asked of the scheduler.
pub enum Order {
    /// Take this configuration, or say why there is none and keep the old one.
    Reload(Result<Setup, String>),
    /// Run that job now, or once more when its run is over.
    Run(String),
    /// Something was written in the history that decides who runs.
    Look,
    /// Begin no run any more, end those under way cleanly, and return.
    Drain,
}

/// What happened, for people.
#[derive(Debug)]
pub enum News<'a> {
    /// A configuration holds, with so many jobs.
    Loaded(usize),
    /// A configuration was not taken.
    Refused(&'a str),
    /// A run was begun.
    Began(&'a str, Trigger),
    /// A run has ended.
    Ended(&'a RunRecord),
    /// The code of a job's run broke off.
    Broke(&'a str),
    /// The history could not be read; it is tried again.
    Blind(&'a HistoryError),
    /// No run is begun any more; so many are to end.
    Draining(usize),
}

struct Scheduler<'a> {
    board: &'a Board,
    terms: Terms,
    says: &'a (dyn Fn(News<'_>) + Sync),
    runner: Arc<dyn Runner>,
    agenda: Agenda,
    runs: JoinSet<RunRecord>,
    /// The jobs of the tasks in `runs`, and how to end each.
    tasks: BTreeMap<Id, (String, Stop)>,
    /// When to try again those whose run was cut off.
    again: BTreeMap<String, Timestamp>,
    /// The look at the age of targets that is under way, and when it began.
    watch: JoinSet<()>,
    watched: Option<Instant>,
}

/// Runs the jobs of `setup`, and of every one that is ordered later, until it is told to [`Order::Drain`]. Dropped, it cuts off
/// the runs under way: the next scheduler makes up for them.
///
/// # Errors
/// Where the history cannot be read at the beginning.
pub async fn run(
    setup: Setup,
    board: &Board,
    mut orders: UnboundedReceiver<Order>,
    terms: Terms,
    says: &(dyn Fn(News<'_>) + Sync),
) -> Result<(), HistoryError> {
    let Setup { jobs, runner } = setup;
    let (agenda, runs, watch) = (Agenda::default(), JoinSet::new(), JoinSet::new());
    let (tasks, again) = (BTreeMap::new(), BTreeMap::new());
    let mut scheduler = Scheduler { board, terms, says, runner, agenda, runs, tasks, again, watch, watched: None };
    scheduler.load(jobs);
    scheduler.find_cut_off()?;
    loop {
        scheduler.look();
        scheduler.begin_due();
        scheduler.publish();
        scheduler.watch();
        if scheduler.board.state().draining && scheduler.runs.is_empty() {
            return Ok(());
        }
        let wait = scheduler.wait();
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => scheduler.obey(order),
                // Whoever holds the board could order; without anybody there is only the clock.
                None => pending().await,
            },
            Some(ended) = scheduler.runs.join_next_with_id() => scheduler.end(ended),
            () = sleep(wait) => {}
        }
    }
}

impl Scheduler<'_> {
    fn now(&self) -> Timestamp {
        self.terms.clock.tell(Timestamp::now())
    }

    fn load(&mut self, jobs: Vec<(Saved, Option<Schedule>)>) {
        let now = self.now();
        let entry = |(job, schedule): &(Saved, Option<Schedule>)| (job.name.clone(), Entry::new(schedule.clone(), now));
        let known: BTreeMap<String, Entry> = jobs.iter().map(entry).collect();
        // One that stays is due by when it ran last, not by when the configuration was read again.
        let mut known = known;
        for (name, entry) in &mut known {
            if let Some(before) = self.agenda.get_mut(name) {
                entry.last = before.last;
            }
        }
        self.agenda.replace(known);
        (self.says)(News::Loaded(jobs.len()));
        let mut state = self.board.state();
        state.jobs = jobs.into_iter().map(|(job, _)| (job.name.clone(), Arc::new(job))).collect();
        state.loaded = Some(Timestamp::now());
        state.refused = None;
    }

    /// Of an earlier process: when each job ran last, and whether that run came to its end.
    fn find_cut_off(&mut self) -> Result<(), HistoryError> {
        let clock = self.terms.clock;
        for (name, entry) in self.agenda.iter_mut() {
            let last = self.board.history(|history| history.job_runs(Some(name), 1))?.pop();
            let Some(last) = last else { continue };
            entry.last = clock.tell(last.began);
            entry.cut_off = matches!(last.verdict, Verdict::Running | Verdict::Killed | Verdict::Stopped);
        }
        Ok(())
    }

    /// What other processes have written down meanwhile.
    fn look(&mut self) {
        let clock = self.terms.clock;
        let jobs = self.board.state().jobs.clone();
        let looked = self.board.history(|history| {
            let paused = history.paused_jobs()?;
            for (name, entry) in self.agenda.iter_mut() {
                entry.held = paused.contains_key(name) || jobs.get(name).is_none_or(|job| !job.enabled);
                if let Some(last) = history.job_runs(Some(name), 1)?.first() {
                    entry.last = entry.last.max(clock.tell(last.began));
                }
            }
            Ok(())
        });
        if let Err(error) = looked {
            (self.says)(News::Blind(&error));
        }
        let now = self.now();
        let over: Vec<String> = self.again.iter().filter(|(_, at)| **at <= now).map(|(name, _)| name.clone()).collect();
        for name in over {
            self.again.remove(&name);
            if let Some(entry) = self.agenda.get_mut(&name) {
                entry.cut_off = true;
            }
        }
    }

    fn begin_due(&mut self) {
        if self.board.state().draining {
            return;
        }
        while let Some((name, trigger)) = self.agenda.take(self.now(), self.terms.most) {
            let Some(job) = self.board.state().jobs.get(&name).cloned() else {
                self.agenda.ended(&name);
                continue;
            };
            let (summary, stop) = (Arc::new(Summary::default()), Stop::default());
            let under = Under { trigger, began: Timestamp::now(), summary: Arc::clone(&summary) };
            self.board.state().under.insert(name.clone(), under);
            (self.says)(News::Began(&name, trigger));
            let (runner, ends) = (Arc::clone(&self.runner), stop.clone());
            let task = self.runs.spawn(async move { runner.run(&job, trigger, summary as Observers, ends).await });
            self.tasks.insert(task.id(), (name, stop));
        }
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Reload(Ok(Setup { jobs, runner })) => {
                self.runner = runner;
                self.load(jobs);
            }
            Order::Reload(Err(why)) => {
                (self.says)(News::Refused(&why));
                self.board.state().refused = Some(Refusal { at: Timestamp::now(), why });
            }
            Order::Run(name) => {
                if let Some(entry) = self.agenda.get_mut(&name) {
                    entry.asked = true;
                }
            }
            Order::Look => {}
            Order::Drain => {
                self.board.state().draining = true;
                (self.says)(News::Draining(self.runs.len()));
                self.tasks.values().for_each(|(_, stop)| stop.stop(StopReason::Asked));
            }
        }
    }

    fn end(&mut self, ended: Result<(Id, RunRecord), JoinError>) {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some((name, _)) = self.tasks.remove(&id) else { return };
        self.agenda.ended(&name);
        let caught_up = self.board.state().under.remove(&name).is_some_and(|under| under.trigger == Trigger::CatchUp);
        match ended {
            Ok((_, record)) => {
                *self.board.state().ended.entry((name.clone(), record.verdict.name())).or_default() += 1;
                if caught_up && record.verdict == Verdict::HeldElsewhere {
                    let at = self.terms.clock.tell(later(Timestamp::now(), AGAIN));
                    self.again.insert(name, at);
                } else {
                    self.board.state().broken.remove(&name);
                }
                (self.says)(News::Ended(&record));
            }
            Err(_) => {
                self.board.state().broken.insert(name.clone(), Timestamp::now());
                (self.says)(News::Broke(&name));
            }
        }
    }

    fn publish(&self) {
        let (now, clock) = (self.now(), self.terms.clock);
        let next = self.agenda.next(now).into_iter().map(|(name, at)| (name, clock.real(at))).collect();
        let mut state = self.board.state();
        state.next = next;
        state.waiting = self.agenda.waiting(now).into_iter().collect();
    }

    /// Has the age of targets looked at, one look at a time: a notice may take a minute to arrive.
    fn watch(&mut self) {
        while self.watch.try_join_next().is_some() {}
        if !self.watch.is_empty() || self.watched.is_some_and(|then| then.elapsed() < LOOK) {
            return;
        }
        self.watched = Some(Instant::now());
        let jobs = self.board.state().jobs.clone();
        let statuses = match self.board.statuses(Timestamp::now()) {
            Ok(statuses) => statuses,
            Err(error) => return (self.says)(News::Blind(&error)),
        };
        let told = |status: JobStatus| Some((Arc::clone(jobs.get(&status.name)?), status));
        let told: Vec<_> =
            statuses.into_iter().filter(|status| status.state != State::Disabled).filter_map(told).collect();
        let runner = Arc::clone(&self.runner);
        self.watch.spawn(async move {
            for (job, status) in told {
                runner.watch(&job, &status).await;
            }
        });
    }

    /// Until somebody is due, or it is time to look.
    fn wait(&self) -> Duration {
        let due = self.agenda.wakes(self.now()).into_iter().chain(self.again.values().copied()).min();
        let real = due.map(|due| self.terms.clock.real(due).as_nanos() - Timestamp::now().as_nanos());
        // A tick is not to be asked for a moment too early.
        let wait = real.map_or(LOOK, |nanos| Duration::from_nanos(u64::try_from(nanos).unwrap_or(0)));
        wait.saturating_add(Duration::from_millis(1)).min(LOOK)
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos().saturating_add(i64::try_from(by.as_nanos()).unwrap_or(i64::MAX)))
}
