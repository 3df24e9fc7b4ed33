//! What the places cost.

use std::collections::BTreeSet;

use maud::{Markup, html};

use super::{chart, colour, letter, scrolling, who};
use crate::{
    price::{About, Flag},
    report::{
        Comparison, Priced, Prices,
        words::{self, money},
    },
};

pub(super) fn section(comparison: &Comparison, prices: &Prices) -> Markup {
    html! {
        p.soft {
            "A month of these " (words::grouped(prices.objects)) " objects, " (words::bytes(prices.bytes)) ", and "
            (words::bytes(prices.egress_bytes)) " that leave. List prices without tax, compared in " (prices.currency) "."
        }
        div.stack {
            div.panel { (stacked(comparison, prices)) }
            @if known(prices).any(|(_, priced)| priced.curve.len() > 1) { div.panel { (against_egress(comparison, prices)) } }
            (unknown(comparison, prices))
            details { summary { "Every line, and what the prices rest on" } (scrolling("Price, by line", &lines(comparison, prices))) (flags(comparison, prices)) }
        }
    }
}

fn known(prices: &Prices) -> impl Iterator<Item = (usize, &Priced)> {
    prices.places.iter().enumerate().filter_map(|(at, place)| Some((at, place.as_ref()?)))
}

/// The charges of all places, in the order of their names.
fn charges(prices: &Prices) -> Vec<&str> {
    let costs = known(prices).flat_map(|(_, priced)| &priced.lines).filter(|(_, amount)| *amount != 0.0);
    costs.map(|(charge, _)| charge.as_str()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn stacked(comparison: &Comparison, prices: &Prices) -> Markup {
    let charges = charges(prices);
    let most = known(prices).filter_map(|(_, priced)| priced.total).fold(f64::MIN_POSITIVE, f64::max);
    let class = |charge: &str| colour(charges.iter().position(|known| *known == charge).unwrap_or(7));
    html! {
        figure {
            h3 { "A month, by line" }
            ul.legend { @for charge in &charges { li class=(class(charge)) { span.swatch {} (charge) } } }
            @for (at, priced) in known(prices) {
                div style="margin-top:.7rem" {
                    div style="display:flex;flex-wrap:wrap;justify-content:space-between;gap:0 1rem" {
                        (who(comparison, at))
                        span { b { @if let Some(total) = priced.total { (money(total)) " " (prices.currency) } @else { "no rate" } }
                            " " span.small.soft { (priced.quote.offer) } }
                    }
                    @for flag in priced.quote.flags.iter().filter(|flag| flag.about() != About::Basis) {
                        div.small.alert { (flag) }
                    }
                    @for flag in priced.quote.flags.iter().filter(|flag| matches!(flag, Flag::Overridden { .. })) {
                        div.small.soft { (flag) }
                    }
                    (chart::stack(most, &priced.lines, &class, &|amount| format!("{} {}", money(amount), prices.currency)))
                }
            }
        }
    }
}

fn against_egress(comparison: &Comparison, prices: &Prices) -> Markup {
    let drawn: Vec<chart::Line> = known(prices)
        .map(|(at, priced)| chart::Line {
            colour: colour(at),
            name: Comparison::letter(at),
            points: priced.curve.iter().map(|(egress, total)| (*egress as f64, *total)).collect(),
        })
        .collect();
    let crossings = prices.crossings();
    html! {
        figure {
            h3 { "Cost against egress" }
            figcaption { "What a month costs when so many bytes leave. The dotted line is the workload above." }
            ul.legend { @for (at, _) in known(prices) { li { (who(comparison, at)) } } }
            (chart::lines("Cost of a month against bytes that leave", &drawn, Some(prices.egress_bytes as f64),
                (&|x| words::bytes(x as u64), &|y| format!("{} {}", money(y), prices.currency))))
            @if crossings.is_empty() {
                p.small.soft { "The lines do not cross in this range." }
            } @else {
                ul.small { @for (a, b, egress) in crossings {
                    li { (Comparison::letter(a)) " and " (Comparison::letter(b)) " cost the same at about " (words::bytes(egress)) " a month." }
                } }
            }
        }
    }
}

fn unknown(comparison: &Comparison, prices: &Prices) -> Markup {
    html! {
        @for (at, place) in prices.places.iter().enumerate() {
            @if place.is_none() {
                p.small.soft { (who(comparison, at)) "Nothing is known of its price; " code { "price_offer" } " in its configuration names one." }
            }
        }
    }
}

fn lines(comparison: &Comparison, prices: &Prices) -> Markup {
    let cell = |priced: &Priced, charge: &str| {
        priced.lines.iter().find(|(known, _)| known == charge).map(|(_, amount)| money(*amount))
    };
    html! {
        table {
            caption { "In " (prices.currency) ", converted by the rates of the price book." }
            thead { tr {
                th scope="col" { "Line" }
                @for (at, _) in known(prices) { th scope="col" { (letter(comparison, at)) } }
            } }
            tbody {
                @for charge in charges(prices) {
                    tr { th scope="row" { (charge) } @for (_, priced) in known(prices) { td { (cell(priced, charge).unwrap_or_else(|| "-".to_owned())) } } }
                }
                tr { th scope="row" { b { "total" } } @for (_, priced) in known(prices) { td { b { (priced.total.map_or_else(|| "-".to_owned(), money)) } } } }
            }
        }
    }
}

fn flags(comparison: &Comparison, prices: &Prices) -> Markup {
    html! {
        @for (at, priced) in known(prices).filter(|(_, priced)| !priced.quote.flags.is_empty()) {
            div style="margin-top:.6rem" { (who(comparison, at)) }
            ul.small { @for flag in &priced.quote.flags { li { (flag) } } }
        }
    }
}
