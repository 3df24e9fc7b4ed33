//! An ordered list of rules, made fast to ask.

use std::collections::{HashMap, HashSet};

use regex::{RegexSet, RegexSetBuilder};

use super::{
    builder::Reason,
    glob::{Glob, Shape},
};

/// How many expressions are asked at once. Measured with patterns like `/x86_64/*/packages/*-1-[0-9]*.hpkg` on keys of
/// 60 bytes: 32 at once take 0.2 µs a key, one alone 0.05 µs; of 1,000 in groups of 32 a key takes 10 µs, in one group
/// about a millisecond, because their states no longer fit a table.
const TOGETHER: usize = 32;
/// Up to how many are asked one by one.
const FEW: usize = 3;

/// Rules, while they are collected. Says of each list where it can end early.
#[derive(Debug, Default)]
pub(super) struct RuleList {
    rules: Vec<(bool, Glob)>,
    seen: HashSet<(bool, String)>,
    closed: bool,
}

impl RuleList {
    /// Adds a rule, unless no key can reach it. Says whether it was added.
    pub(super) fn add(&mut self, include: bool, pattern: &str, glob: Glob) -> bool {
        if self.closed || !self.seen.insert((include, pattern.to_owned())) {
            return false;
        }
        self.closed = glob.shape() == Some(Shape::Anything);
        self.rules.push((include, glob));
        true
    }

    /// The text that every admitted path starts with, as far as the patterns tell.
    pub(super) fn prefix(&self) -> &str {
        if !self.closed || self.rules.last().is_none_or(|(include, _)| *include) {
            return "";
        }
        let includes = self.rules.iter().filter(|(include, _)| *include);
        common_prefix(includes.map(|(_, glob)| glob.literal_prefix())).unwrap_or_default()
    }

    /// Compiles the list.
    ///
    /// # Errors
    /// [`Reason::TooLarge`], or what [`Glob::expression`] gives.
    pub(super) fn compile(self, ignore_case: bool) -> Result<Rules, Reason> {
        let mut rules = Rules { verdicts: Vec::with_capacity(self.rules.len()), ..Rules::default() };
        let mut expressions: Vec<(usize, String)> = Vec::new();
        for (index, (include, glob)) in self.rules.iter().enumerate() {
            rules.verdicts.push(*include);
            match glob.shape() {
                Some(Shape::Anything) => rules.shapes.push((index, Shape::Anything)),
                Some(Shape::Exactly(path)) if !ignore_case => {
                    rules.exact.entry(path).or_insert(index);
                }
                Some(shape) if !ignore_case => rules.shapes.push((index, shape)),
                _ => expressions.push((index, glob.expression()?)),
            }
        }
        let together = if expressions.len() > FEW { TOGETHER } else { 1 };
        for chunk in expressions.chunks(together) {
            let set = RegexSetBuilder::new(chunk.iter().map(|(_, expression)| expression))
                .case_insensitive(ignore_case)
                .build()
                .map_err(|error| match error {
                    regex::Error::CompiledTooBig(_) => Reason::TooLarge,
                    other => Reason::Expression(other),
                })?;
            rules.expressions.push(Expressions { set, rules: chunk.iter().map(|(index, _)| *index).collect() });
        }
        Ok(rules)
    }
}

/// Checks that `glob` compiles on its own, so that a fault can be laid at its door.
///
/// # Errors
/// See [`Glob::expression`]; [`Reason::Expression`] with what the `regex` crate says.
pub(super) fn check(glob: &Glob) -> Result<(), Reason> {
    if glob.shape().is_some() {
        return Ok(());
    }
    regex::Regex::new(&glob.expression()?).map(drop).map_err(Reason::Expression)
}

/// The longest text that all of `texts` start with; `None` where there are none.
pub(super) fn common_prefix<'a>(texts: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    texts.reduce(|common, text| {
        let differ = common.char_indices().zip(text.chars()).find(|((_, left), right)| left != right);
        let length = differ.map_or(common.len().min(text.len()), |((at, _), _)| at);
        &common[..length]
    })
}

/// A compiled list. The first rule that matches decides; what none matches is admitted.
#[derive(Debug, Clone, Default)]
pub(super) struct Rules {
    /// By index: whether the rule includes.
    verdicts: Vec<bool>,
    /// Whole paths, with the first rule that names each.
    exact: HashMap<String, usize>,
    /// What needs no regular expression, by index.
    shapes: Vec<(usize, Shape)>,
    /// The others, by index.
    expressions: Vec<Expressions>,
}

/// Expressions that are asked at once.
#[derive(Debug, Clone)]
struct Expressions {
    set: RegexSet,
    /// Index of the rule of each, ascending.
    rules: Vec<usize>,
}

impl Expressions {
    fn first_match(&self, path: &str) -> Option<usize> {
        match self.rules.as_slice() {
            // Many times faster than asking which: it may search from the end.
            [only] => self.set.is_match(path).then_some(*only),
            rules => self.set.matches(path).iter().next().map(|expression| rules[expression]),
        }
    }
}

impl Rules {
    /// Whether there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }

    /// The verdict on `path`.
    pub(super) fn admit(&self, path: &str) -> bool {
        let mut first = self.verdicts.len();
        if !self.exact.is_empty()
            && let Some(index) = self.exact.get(path)
        {
            first = *index;
        }
        let earlier = self.shapes.iter().take_while(|(index, _)| *index < first);
        if let Some((index, _)) = earlier.into_iter().find(|(_, shape)| shape.matches(path)) {
            first = *index;
        }
        let earlier = self.expressions.iter().take_while(|group| group.rules.first().is_some_and(|rule| *rule < first));
        if let Some(index) = earlier.into_iter().find_map(|group| group.first_match(path)) {
            first = first.min(index);
        }
        self.verdicts.get(first).copied().unwrap_or(true)
    }
}
