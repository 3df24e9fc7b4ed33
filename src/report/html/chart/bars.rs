//! Bars: one, one with its words, one made of parts.

use maud::{Markup, html};

use super::percent;

/// A part of a bar.
pub(in super::super) struct Part {
    /// What it is.
    pub name: String,
    /// Of the whole width, 0 to 1.
    pub share: f64,
    /// The class that fills it.
    pub class: &'static str,
    /// 0 to 1.
    pub opacity: f64,
}

/// A bar of parts, one after the other; what they leave stays empty.
pub(in super::super) fn share(colour: &str, parts: &[Part]) -> Markup {
    let shown: Vec<&Part> = parts.iter().filter(|part| part.share > 0.0).collect();
    let says: Vec<&str> = shown.iter().map(|part| part.name.as_str()).collect();
    let starts = shown.iter().scan(0.0, |at, part| {
        let start = *at;
        *at += part.share;
        Some(start)
    });
    html! {
        svg class=(colour) width="100%" height="18" role="img" aria-label=(says.join("; ")) {
            rect.bed width="100%" height="18" rx="4" {}
            @for (part, start) in shown.iter().zip(starts) {
                rect class=(part.class) x=(percent(start)) width=(percent(part.share)) height="18" rx="2" opacity=(part.opacity) {
                    title { (part.name) }
                }
            }
        }
    }
}

/// A bar alone, for a cell of a table that says the number.
pub(in super::super) fn bar(class: &str, share: f64) -> Markup {
    html! {
        svg width="100%" height="12" aria-hidden="true" {
            rect class=(class) width=(percent(share)) height="12" rx="3" {}
        }
    }
}

/// A bar with the letter of its place before it and its value behind.
pub(in super::super) fn labelled(colour: &str, letter: char, share: f64, value: &str) -> Markup {
    html! {
        div class=(colour) style="display:flex;align-items:center;gap:.5rem;margin:.15rem 0" {
            span.badge style="font-size:.72rem" { (letter) }
            div style="flex:1;min-width:0" {
                svg width="100%" height="16" aria-hidden="true" {
                    rect.bed width="100%" height="16" rx="3" {}
                    rect.c width=(percent(share)) height="16" rx="3" {}
                }
            }
            span.small style="flex:none;min-width:5.6rem;text-align:right;font-variant-numeric:tabular-nums" { (value) }
        }
    }
}

/// A bar of amounts, `most` of which fill the width, each in the colour of its name.
pub(in super::super) fn stack(
    most: f64,
    amounts: &[(String, f64)],
    class: &dyn Fn(&str) -> String,
    say: &dyn Fn(f64) -> String,
) -> Markup {
    let shown: Vec<&(String, f64)> = amounts.iter().filter(|(_, amount)| *amount > 0.0).collect();
    let says: Vec<String> = shown.iter().map(|(name, amount)| format!("{name}: {}", say(*amount))).collect();
    let starts = shown.iter().scan(0.0, |at, (_, amount)| {
        let start = *at;
        *at += amount;
        Some(start)
    });
    html! {
        svg width="100%" height="26" role="img" aria-label=(says.join("; ")) {
            rect.bed width="100%" height="26" rx="4" {}
            @for (((name, amount), start), says) in shown.iter().zip(starts).zip(&says) {
                g class=(class(name)) {
                    rect.c x=(percent(start / most)) width=(percent(amount / most)) height="26" { title { (says) } }
                }
            }
        }
    }
}
