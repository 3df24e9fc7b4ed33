//! The planner on its way through the merged listings.

use std::sync::PoisonError;

use futures::{SinkExt, StreamExt, TryStreamExt, channel::mpsc::Sender};
use sterna_backends::{Entry, Error, ErrorKind, Operation, Result};

use super::{
    exempt::Counting,
    job::{Job, facts, listings},
    judge::{Verdicts, judge_row},
    republished::later_groups,
    river::Found,
    undecided::{DELETES_IN_MEMORY, Undecided},
};
use crate::{
    compare::{Evidence, Reason, Verdict, Which},
    event::Event,
    index::{Shelves, Unsettled, rows},
    list::{Generation, Merge, Merged, Spool},
    plan::{Action, Census, Decision, Item, Lost, Planner, permit},
    reuse::Step,
};

/// What the merged listings told, compared.
enum Judged {
    Row(Box<Verdicts>),
    Ended(usize),
    Lost(usize, Error),
}

pub(super) async fn drive(job: Job, shelves: &Shelves, found: &Found, out: Sender<Result<Step>>) -> Result<()> {
    let learnt = found.learnt.as_deref();
    let mut drive = Drive::new(&job, found, out)?;
    // A publisher puts first what an index names: what this look sees is named by nothing that the listing misses.
    found.look.set(later_groups(&job).await?);

    told(&job).await;
    let merge = Merge::new(listings(&job, &found.round));
    let merge = if job.targets.len() > 1 { merge.goes_on(found.patience.clone()) } else { merge };
    let mut walks = shelves.walks(job.scope.is_everything());
    (1..=job.targets.len()).filter(|to| !found.round.takes(*to)).for_each(|to| walks.lose(to));
    let rows = rows(merge, walks);
    let told = rows.inspect_ok(|told| {
        if let Merged::Row(row) = told {
            found.spending.listed(&row.entries);
        }
    });
    let judged = told.map(|told: Result<Merged>| async {
        Ok::<_, Error>(match told? {
            Merged::Row(row) => Judged::Row(Box::new(judge_row(&job, (shelves, learnt), &found.patience, row).await)),
            Merged::Ended(place) => Judged::Ended(place),
            Merged::Lost(place, error) => Judged::Lost(place, error),
        })
    });
    let mut judged = std::pin::pin!(judged.buffered(job.checkers.max(1)));
    while drive.goes_on()
        && let Some(told) = judged.next().await
    {
        match told? {
            Judged::Row(row) => drive.row(*row).await?,
            Judged::Ended(0) => {}
            Judged::Ended(to) => drive.ended(to).await?,
            Judged::Lost(to, error) => drive.lose(to, &error).await?,
        }
    }
    let inventory = std::mem::take(&mut drive.counting).end();
    drive.end(found.look.get()).await?;
    *found.inventory.lock().unwrap_or_else(PoisonError::into_inner) = Some(inventory);
    Ok(())
}

/// What follows from a row.
#[derive(Default)]
struct Decided {
    items: Vec<Item>,
    /// Destinations that are lost by it.
    lost: Vec<(usize, Error)>,
}

/// The planner on its way through the rows.
struct Drive<'a> {
    job: &'a Job,
    found: &'a Found,
    planner: Planner,
    undecided: Undecided,
    counting: Counting,
    /// Which destinations are out: lost, or in another round.
    lost: Vec<bool>,
    out: Sender<Result<Step>>,
}

impl<'a> Drive<'a> {
    fn new(job: &'a Job, found: &'a Found, out: Sender<Result<Step>>) -> Result<Self> {
        let targets = job.targets.iter().map(|target| facts(job, target)).collect();
        let mut undecided = Undecided::new(job)?;
        let lost: Vec<bool> = (1..=job.targets.len()).map(|to| !found.round.takes(to)).collect();
        undecided.absences.iter_mut().zip(&lost).filter(|(_, lost)| **lost).for_each(|(absences, _)| *absences = None);
        Ok(Self {
            job,
            found,
            planner: Planner::new(job.intent, targets, job.rules.clone(), job.groups.clone()),
            undecided,
            counting: Counting::default(),
            lost,
            out,
        })
    }

    /// Whether there is a destination left to plan for.
    fn goes_on(&self) -> bool {
        self.lost.contains(&false)
    }

    async fn row(&mut self, row: Verdicts) -> Result<()> {
        let Decided { items, lost } = self.decide(row)?;
        let items = self.undecided.set_aside(items)?;
        propose(&mut self.planner, &mut self.out, items).await?;
        for (to, error) in lost {
            self.lose(to, &error).await?;
        }
        Ok(())
    }

    async fn ended(&mut self, to: usize) -> Result<()> {
        told(self.job).await;
        say(&mut self.out, Step::Listed(to)).await
    }

    /// What destination `to` has is not known: it is out, with all that was to come later and to be deleted there.
    async fn lose(&mut self, to: usize, error: &Error) -> Result<()> {
        if std::mem::replace(&mut self.lost[to - 1], true) {
            return Ok(());
        }
        self.undecided.extras[to - 1].clear();
        self.undecided.absences[to - 1] = None;
        let lost = Lost::new(to, error);
        self.planner.totals_mut()[to - 1].lost = Some(lost.loss);
        self.job.observer.on(&match self.found.patience.left_behind(to) {
            true => {
                let store = self.job.targets[to - 1].store.name().to_owned();
                Event::LeftBehind { place: to, store }
            }
            false => Event::Lost { place: to, kind: error.kind(), message: lost.why.clone() },
        });
        self.found.patience.gone(to);
        say(&mut self.out, Step::Lost(lost)).await
    }

    /// All listings but those of destinations that are out have ended cleanly; only now later groups and deletes may be spoken of.
    async fn end(mut self, first_look: Option<Generation>) -> Result<()> {
        if self.goes_on() {
            if first_look.is_none_or(|first| first == self.undecided.seen) {
                for items in std::mem::take(&mut self.undecided.groups) {
                    for items in items.read()? {
                        let mut items = items?;
                        items.retain(|item| !self.lost[item.to() - 1]);
                        propose(&mut self.planner, &mut self.out, items).await?;
                    }
                }
                // The limit is one of what was there before the run.
                for (census, added) in self.undecided.census.iter_mut().zip(&self.found.added) {
                    census.target = census.target.saturating_sub(*added);
                }
                propose_deletes(self.job, &mut self.planner, &mut self.out, self.undecided).await?;
            } else {
                self.job.observer.on(&Event::Republished);
                for (totals, _) in self.planner.totals_mut().iter_mut().zip(&self.lost).filter(|(_, lost)| !**lost) {
                    totals.withheld = Some("the source was republished while it was listed".to_owned());
                }
            }
        }
        say(&mut self.out, Step::Ended(self.planner.totals().to_vec())).await
    }

    /// What follows from a row, and which destinations are lost by it.
    fn decide(&mut self, row: Verdicts) -> Result<Decided> {
        let Decided { mut items, mut lost } = Decided::default();
        if let Some(source) = &row.source {
            self.planner.source_key(&source.key);
            self.counting.add(source);
            if self.job.groups.of(&source.key) > 0 {
                self.undecided.seen.add(source);
            }
        }
        for (at, (theirs, verdict)) in row.targets.into_iter().enumerate() {
            if self.lost[at] {
                continue;
            }
            let to = at + 1;
            let census = &mut self.undecided.census[at];
            census.source += u64::from(row.source.is_some());
            census.target += u64::from(theirs.is_some());
            let decision = match (&row.source, theirs) {
                (Some(source), theirs) => match self.planner.refuse(to, &source.key) {
                    Some(refused) => refused,
                    None => match self.compared(to, source, theirs.as_ref(), verdict) {
                        Ok(decision) => decision,
                        Err(Unsettled { which: Which::Target, error })
                            if self.job.targets.len() > 1 && error.kind() != ErrorKind::Cancelled =>
                        {
                            lost.push((to, error));
                            continue;
                        }
                        Err(Unsettled { error, .. }) => return Err(error),
                    },
                },
                (None, Some(theirs)) if self.job.exempt.holds(at, &theirs.key) => Decision::Nothing,
                (None, Some(theirs)) => self.planner.source_lacks(to, &theirs),
                (None, None) => Decision::Nothing,
            };
            match decision {
                Decision::Nothing => {}
                Decision::Now(item) => items.push(item),
                Decision::Last(action) => self.set_delete_aside(at, &action)?,
            }
        }
        if let Some(source) = &row.source {
            self.planner.source_done(&source.key);
        }
        Ok(Decided { items, lost })
    }

    /// What follows for a key that the source has, after both sides were looked at.
    ///
    /// # Errors
    /// What ends more than this object.
    fn compared(
        &mut self,
        to: usize,
        source: &Entry,
        theirs: Option<&Entry>,
        verdict: Result<Verdict, Unsettled>,
    ) -> Result<Decision, Unsettled> {
        Ok(match verdict {
            Err(unsettled) if ends_all(unsettled.error.kind()) || self.found.patience.left_behind(to) => {
                return Err(unsettled);
            }
            Err(Unsettled { error, .. }) if error.kind() != ErrorKind::NotFound => {
                self.planner.fails(to, &source.key, error.to_string())
            }
            // It vanished while it was looked at: at the destination it is missing, at the source the transfer will
            // find out.
            verdict => {
                let verdict = verdict.unwrap_or(Verdict::Differs(Reason::Missing));
                if matches!(verdict, Verdict::Same { evidence: Evidence::Unproven, .. }) {
                    self.job.observer.on(&Event::Unproven { key: source.key.clone() });
                }
                self.planner.source_has(to, source, theirs, verdict)
            }
        })
    }

    /// Keeps a delete until all listings have ended, if its grace is over.
    fn set_delete_aside(&mut self, at: usize, action: &Action) -> Result<()> {
        if let Some(absences) = &mut self.undecided.absences[at]
            && !absences.is_over(&action.key, |key| !self.job.scope.filter.admits_key(key))?
        {
            self.planner.totals_mut()[at].deletes_waiting += 1;
            return Ok(());
        }
        self.undecided.extras[at][action.group].push(action)
    }
}

/// Failures of one object after which no other of its place can be looked at either.
fn ends_all(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Cancelled | ErrorKind::NoSuchContainer | ErrorKind::Config)
}

/// The last of a plan: deletes, those of what names others first.
async fn propose_deletes(
    job: &Job,
    planner: &mut Planner,
    out: &mut Sender<Result<Step>>,
    undecided: Undecided,
) -> Result<()> {
    let Undecided { extras, census, absences, .. } = undecided;
    for absences in absences.into_iter().flatten() {
        absences.finish(|key| !job.scope.filter.admits_key(key))?;
    }
    for (at, extra) in extras.into_iter().enumerate() {
        let (extra, objects) = without_other_cases(planner, at + 1, extra)?;
        if objects == 0 {
            continue;
        }
        if let Err(why) = permit(job.max_delete, Census { extra: objects, ..census[at] }) {
            job.observer.on(&Event::DeletesBlocked { place: at + 1, objects, why: why.clone() });
            planner.totals_mut()[at].deletes_blocked = Some(why);
            continue;
        }
        for group in extra.into_iter().rev() {
            for action in group.read()? {
                propose(planner, out, vec![Item::Action(Box::new(action?))]).await?;
            }
        }
    }
    Ok(())
}

/// What of `extra`, the deletes at destination `to` by groups, is no object of the source under another case of its name;
/// and how much that is.
fn without_other_cases(planner: &Planner, to: usize, extra: Vec<Spool<Action>>) -> Result<(Vec<Spool<Action>>, u64)> {
    let sifted = if planner.folds_case(to) {
        let sift = |group: Spool<Action>| {
            let mut sifted = Spool::new(DELETES_IN_MEMORY);
            for action in group.read()? {
                let action = action?;
                if !planner.is_another_case(to, &action.key) {
                    sifted.push(&action)?;
                }
            }
            Ok(sifted)
        };
        extra.into_iter().map(sift).collect::<Result<_>>()?
    } else {
        extra
    };
    let objects = sifted.iter().map(Spool::len).sum();
    Ok((sifted, objects))
}

/// Counts `items`, and sends them on.
async fn propose(planner: &mut Planner, out: &mut Sender<Result<Step>>, items: Vec<Item>) -> Result<()> {
    if items.is_empty() {
        return Ok(());
    }
    for item in &items {
        planner.totals_mut()[item.to() - 1].add(item);
    }
    say(out, Step::Items(items)).await
}

async fn say(out: &mut Sender<Result<Step>>, step: Step) -> Result<()> {
    out.send(Ok(step)).await.map_err(|_| Error::new(ErrorKind::Cancelled, Operation::List))
}

/// What was told so far, by listings and by earlier runs, can be asked of the index.
async fn told(job: &Job) {
    if let Some(index) = &job.index {
        index.flush().await;
    }
}
