//! `job explain`: what a job does, in words, and why it does not.

use serde_json::json;
use sterna::{
    backends::Timestamp,
    jobs::{JobStatus, Saved, Standing, schedule::Schedule},
};

use super::show::{clock, schedule, state};
use crate::{
    args::GlobalArgs,
    commands::{print, print_json},
    config::Config,
    exit::{Exit, Failure},
    settings, ui,
};

/// `job explain`.
pub fn explain(global: &GlobalArgs, job: &Saved) -> Result<Exit, Failure> {
    let due = schedule(job)?;
    let mut lines = sentences(job, due.as_ref());
    if let Some(history) = settings::history(global)? {
        lines.extend(troubles(&state(&history, job)?));
    }
    if global.json {
        print_json(&json!({ "name": job.name, "sentences": lines }))?;
    } else {
        print(&(lines.join("\n") + "\n"))?;
    }
    Ok(Exit::Success)
}

/// Why the job does not do that now, target by target, and what to do.
fn troubles(status: &JobStatus) -> Vec<String> {
    let behind = status.targets.iter().filter(|target| target.stale || target.failure.is_some());
    let sentence = |target: &Standing| {
        let why = status.why_behind(target);
        let advice = why.advice.map(|advice| format!(" What to do: {advice}.")).unwrap_or_default();
        format!("{} is not in step: {}.{advice}", target.place, why.message)
    };
    behind.map(sentence).collect()
}

fn sentences(job: &Saved, due: Option<&Schedule>) -> Vec<String> {
    let what = format!("The job '{}' makes {} hold what {} holds.", job.name, job.targets.join(" and "), job.source);
    let mut lines = vec![what];
    lines.push(match due {
        Some(due) => {
            let next = due.next_after(Timestamp::now()).map(|next| format!(", next at {}", clock(next)));
            format!("It is due {due}{}. What was missed is made up for once.", next.unwrap_or_default())
        }
        None => "It has no time of its own: 'sterna job run' begins it.".to_owned(),
    });
    lines.extend(mirrored(job));
    lines.extend(limited(job));
    lines.push(format!(
        "One run is made at a time: while it is under way a lease lies at each target, which others respect for {} after its last sign of life.",
        ui::span(job.lease)
    ));
    lines
}

/// What comes to the targets, what goes, and when nothing is looked at.
fn mirrored(job: &Saved) -> Vec<String> {
    let mut lines = Vec::new();
    if job.groups.is_ordered() {
        let names = job.groups.names().join(", then ");
        lines.push(format!("At each target appear {names}; each only once all before it is there."));
    }
    let filters = &job.filters;
    if !filters.include.is_empty() {
        lines.push(format!("Only {} is mirrored.", filters.include.join(", ")));
    }
    if !filters.exclude.is_empty() {
        lines.push(format!("{} is neither mirrored nor deleted.", filters.exclude.join(", ")));
    }
    if let Some(retention) = Config::retention(job) {
        lines.push(format!("Of each group it keeps {retention}; the rest is taken as missing at the source."));
    }
    let grace = match job.delete_after {
        Some(after) => format!("once it has been missing for {}", ui::span(after)),
        None => "in the same run".to_owned(),
    };
    lines.push(format!(
        "What the source no longer has is deleted last, {grace}; more than {} at one target is not deleted.",
        job.limits.max_delete
    ));
    if let Some(key) = super::tip::key(job) {
        let every = super::tip::every(job);
        let every = if every.is_zero() { "in every run".to_owned() } else { format!("every {}", ui::span(every)) };
        lines.push(format!("While {key} is the same on all sides nothing else is looked at; all is compared {every}."));
    }
    lines
}

/// How much it may do, and how old its targets may become.
fn limited(job: &Saved) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(age) = job.stale_after {
        lines.push(format!("A target that was last in step {} ago or more is stale.", ui::span(age)));
    }
    if let Some(most) = job.limits.max_duration {
        lines.push(format!("A run ends cleanly after {}; the next one goes on.", ui::span(most)));
    }
    if let Some(bandwidth) = &job.limits.bandwidth {
        lines.push(format!("Its bandwidth is {bandwidth}."));
    }
    if let Some(budget) = &job.budget {
        let egress = budget.egress.map(|bytes| format!("{} read", ui::bytes(bytes)));
        let cost = budget.cost.as_ref().map(|(amount, currency)| format!("{amount} {currency}"));
        let both: Vec<String> = egress.into_iter().chain(cost).collect();
        lines.push(format!("In a calendar month it may take {}.", both.join(" and ")));
    }
    lines
}
