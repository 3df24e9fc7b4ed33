//! How fast the places are.

use maud::{Markup, html};

use super::{chart, colour, letter, scrolling, who};
use crate::{
    measure::{Speed, Step, Task},
    report::{Comparison, words},
};

pub(super) fn section(comparison: &Comparison) -> Markup {
    let latencies = [
        (Task::FirstByte, "Waiting for the first byte", "Reads of 1 KiB, one after the other."),
        (Task::GetSmall, "Reading a small object", "To its end, many at once."),
        (Task::PutSmall, "Writing a small object", "Until the store says it is safe, many at once."),
    ];
    html! {
        p.soft { "Measured on " (super::day(comparison)) " from the machine that made this report. Each dot is one request." }
        div.panels {
            @for (task, title, note) in latencies { (latency(comparison, task, title, note)) }
            (rates(comparison, "Throughput", "Of large objects: one stream, and eight at once.",
                &[Task::GetStream, Task::GetParallel, Task::PutStream, Task::PutParallel], Step::bytes_per_second, words::bytes_per_second))
            (rates(comparison, "Objects a second", "Small ones, many at once; listings page by page.",
                &[Task::GetSmall, Task::PutSmall, Task::List], Step::objects_per_second, words::per_second))
        }
        (notes(comparison))
        details { summary { "All figures, and errors" } (scrolling("Speed, by place", &figures(comparison))) }
    }
}

fn step(comparison: &Comparison, place: usize, task: Task) -> Option<&Step> {
    comparison.places[place].speed.as_ref()?.of(task)
}

fn latency(comparison: &Comparison, task: Task, title: &str, note: &str) -> Markup {
    let measured: Vec<(usize, &Step)> = (0..comparison.places.len())
        .filter_map(|at| Some((at, step(comparison, at, task).filter(|step| step.latency.n() > 0)?)))
        .collect();
    if measured.is_empty() {
        return html! {};
    }
    let all = measured.iter().flat_map(|(_, step)| step.latency.micros().iter().map(|micros| *micros as f64 / 1000.0));
    let axis = chart::Log::around(all);
    html! {
        div.panel { figure {
            h3 { (title) }
            figcaption { (note) " The thick line is the median, the dashed one the 95th percentile; the scale is logarithmic." }
            @for (at, step) in measured {
                div style="margin-top:.6rem" {
                    div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem" {
                        (who(comparison, at))
                        span.small.soft { "p50 " (percentile(step, 50)) ", p95 " (percentile(step, 95)) ", n = " (step.latency.n()) }
                    }
                    (chart::strip(&colour(at), &axis, &step.latency, &format!("{title}, {}", comparison.places[at].name)))
                }
            }
            (axis.ticks(words::millis))
        } }
    }
}

fn percentile(step: &Step, percent: usize) -> String {
    step.latency.percentile(percent).map_or_else(|| "-".to_owned(), |micros| words::millis(micros as f64 / 1000.0))
}

fn rates(
    comparison: &Comparison,
    title: &str,
    note: &str,
    tasks: &[Task],
    of: fn(&Step) -> Option<f64>,
    say: fn(f64) -> String,
) -> Markup {
    let value = |task: Task, at: usize| step(comparison, at, task).and_then(of);
    let places = 0..comparison.places.len();
    let most = tasks.iter().flat_map(|task| places.clone().filter_map(|at| value(*task, at))).fold(0.0, f64::max);
    html! {
        div.panel { figure {
            h3 { (title) }
            figcaption { (note) }
            @for task in tasks.iter().filter(|task| places.clone().any(|at| value(**task, at).is_some())) {
                div.small style="margin:.7rem 0 .2rem" { (capital(task.name())) }
                @for at in places.clone() {
                    @if let Some(rate) = value(*task, at) {
                        (chart::labelled(&colour(at), Comparison::letter(at), rate / most.max(f64::MIN_POSITIVE), &say(rate)))
                    }
                }
            }
        } }
    }
}

/// What a reader must know to judge the figures.
fn notes(comparison: &Comparison) -> Markup {
    let measured = || comparison.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.speed.as_ref()?)));
    html! {
        ul.small.soft {
            @for (at, speed) in measured() {
                @if !speed.own { li { (Comparison::letter(at)) ": none of its objects could serve; what was written was read back." } }
                @if let Some(why) = &speed.not_written { li { (Comparison::letter(at)) ": nothing was written: " (why) "." } }
                @if let Some(left) = &speed.left_behind { li.alert { (Comparison::letter(at)) ": " (left) } }
                @if speed.errors > 0 {
                    li { (Comparison::letter(at)) ": " (words::grouped(speed.errors)) " of " (words::grouped(speed.requests)) " requests failed, " (words::grouped(speed.throttled)) " of these to slow us down." }
                }
            }
        }
    }
}

/// A number of a whole measuring: its name, and what it is.
type Count = (&'static str, fn(&Speed) -> u64);

fn figures(comparison: &Comparison) -> Markup {
    let places = 0..comparison.places.len();
    let counts: [Count; 3] = [
        ("Requests", |speed| speed.requests),
        ("Requests that failed", |speed| speed.errors),
        ("Requests throttled", |speed| speed.throttled),
    ];
    html! {
        table {
            thead { tr {
                th scope="col" { "Task" }
                @for at in places.clone() { th scope="col" { (letter(comparison, at)) } }
            } }
            tbody {
                @for task in Task::ALL {
                    tr {
                        th scope="row" { (capital(task.name())) }
                        @for at in places.clone() { td { (cell(step(comparison, at, task))) } }
                    }
                }
                @for (name, of) in counts {
                    tr {
                        th scope="row" { (name) }
                        @for place in &comparison.places { td { (place.speed.as_ref().map_or_else(|| "-".to_owned(), |speed| words::grouped(of(speed)))) } }
                    }
                }
            }
        }
    }
}

fn cell(step: Option<&Step>) -> Markup {
    let Some(step) = step.filter(|step| step.done + step.failures() > 0) else { return html! { "-" } };
    let rate = match step.bytes {
        0 => step.objects_per_second().map(words::per_second),
        _ => step.bytes_per_second().map(words::bytes_per_second),
    };
    html! {
        (percentile(step, 50)) " / " (percentile(step, 95)) br;
        span.soft { @if let Some(rate) = rate { (rate) ", " } "n = " (step.done) @if step.failures() > 0 { ", " (step.failures()) " failed" } }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
