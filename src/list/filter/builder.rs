//! Rules as people write them, collected into a [`Filter`].

use std::fmt;

use sterna_backends::{Key, Timestamp, entry::InvalidKey};

use super::{
    directory,
    glob::Glob,
    rules::{self, RuleList, common_prefix},
    verdict::{Bounds, Filter},
};

/// Collects rules, lists and bounds.
///
/// The order of calls matters only among calls of one method: as in rclone all includes come before all files of
/// includes, then excludes, files of excludes, rules, and files of rules. Where there was any include, everything
/// that no rule matches is left out.
#[derive(Debug, Clone, Default)]
pub struct FilterBuilder {
    includes: Vec<Line>,
    includes_from: Vec<Line>,
    excludes: Vec<Line>,
    excludes_from: Vec<Line>,
    rules: Vec<Line>,
    rules_from: Vec<Line>,
    files: Option<Vec<Line>>,
    only_includes: bool,
    ignore_case: bool,
    bounds: Bounds,
}

/// A line and where it stands.
#[derive(Debug, Clone)]
struct Line {
    text: String,
    origin: Option<(String, usize)>,
}

impl Line {
    /// One that stands in no file. Spaces around it count for nothing there either, as in rclone.
    fn typed(text: &str) -> Self {
        Self { text: text.trim().to_owned(), origin: None }
    }

    fn fault(&self, reason: Reason) -> FilterError {
        FilterError { origin: self.origin.clone(), pattern: self.text.clone(), reason }
    }
}

/// A filter that cannot be built.
#[derive(Debug, Clone, PartialEq)]
pub struct FilterError {
    /// The name of the file, as it was handed in, and the line, counted from 1; `None` for what came without a file.
    pub origin: Option<(String, usize)>,
    /// The rule, the pattern or the name; empty where the fault lies between flags.
    pub pattern: String,
    /// What is wrong.
    pub reason: Reason,
}

impl fmt::Display for FilterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some((file, line)) = &self.origin {
            write!(f, "{file}:{line}: ")?;
        }
        if !self.pattern.is_empty() {
            write!(f, "{:?}: ", self.pattern)?;
        }
        self.reason.fmt(f)
    }
}

impl std::error::Error for FilterError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.reason)
    }
}

/// Why a filter cannot be built.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Reason {
    /// A rule is `+ PATTERN`, `- PATTERN` or `!`.
    #[error("a rule begins with \"+ \" or \"- \", or is \"!\"")]
    MalformedRule,
    /// Three or more stars in a row mean nothing.
    #[error("more than two stars in a row")]
    TooManyStars,
    /// `[` and `]` do not pair.
    #[error("'[' and ']' do not pair")]
    Brackets,
    /// `{` and `}`, or `{{` and `}}`, do not pair.
    #[error("'{{' and '}}' do not pair")]
    Braces,
    /// A `\` with nothing behind it.
    #[error("a '\\' at the end escapes nothing")]
    LoneBackslash,
    /// RE2 has it, the `regex` crate does not.
    #[error("{construct:?} is not supported in a pattern")]
    Unsupported {
        /// The escape.
        construct: String,
    },
    /// A character class or a regular expression is wrong.
    #[error("not a regular expression: {0}")]
    Expression(regex::Error),
    /// All patterns together are more than can be compiled.
    #[error("too many patterns, or too large ones")]
    TooLarge,
    /// A list of files says exactly what to take; rules, sizes and ages cannot be added to it.
    #[error("--files-from cannot be combined with other filters")]
    FilesFromWithOthers,
    /// No object is younger than the one age and older than the other.
    #[error("--min-age is larger than --max-age")]
    AgesCross,
    /// A name in a list of files that no object can have.
    #[error("{0}")]
    NotAKey(InvalidKey),
}

impl FilterBuilder {
    /// A builder of the filter that admits everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `--include PATTERN`.
    pub fn include(&mut self, pattern: &str) -> &mut Self {
        self.includes.push(Line::typed(pattern));
        self.only_includes = true;
        self
    }

    /// Adds `--include-from`: a pattern a line. In this and the other files spaces around a line, empty lines and
    /// lines that begin with `#` or `;` are skipped; `file` is the name for errors.
    pub fn include_from(&mut self, file: &str, text: &str) -> &mut Self {
        self.includes_from.extend(lines(file, text));
        self.only_includes = true;
        self
    }

    /// Adds `--exclude PATTERN`.
    pub fn exclude(&mut self, pattern: &str) -> &mut Self {
        self.excludes.push(Line::typed(pattern));
        self
    }

    /// Adds `--exclude-from`; see [`FilterBuilder::include_from`].
    pub fn exclude_from(&mut self, file: &str, text: &str) -> &mut Self {
        self.excludes_from.extend(lines(file, text));
        self
    }

    /// Adds `--filter RULE`: `+ PATTERN`, `- PATTERN`, or `!`, which forgets all rules before it.
    pub fn rule(&mut self, rule: &str) -> &mut Self {
        self.rules.push(Line::typed(rule));
        self
    }

    /// Adds `--filter-from`: a rule a line; see [`FilterBuilder::include_from`].
    pub fn filter_from(&mut self, file: &str, text: &str) -> &mut Self {
        self.rules_from.extend(lines(file, text));
        self
    }

    /// Adds `--files-from`: exactly these keys, one a line, `/` at either end dropped; see
    /// [`FilterBuilder::include_from`].
    pub fn files_from(&mut self, file: &str, text: &str) -> &mut Self {
        self.files.get_or_insert_default().extend(lines(file, text));
        self
    }

    /// Adds `--files-from-raw`: as [`FilterBuilder::files_from`], but every line is a name as it stands.
    pub fn files_from_raw(&mut self, file: &str, text: &str) -> &mut Self {
        let names = text.lines().enumerate().map(|(at, line)| numbered(file, at, line));
        self.files.get_or_insert_default().extend(names);
        self
    }

    /// Leaves out what is smaller than `bytes`, and what is of unknown size.
    pub fn min_size(&mut self, bytes: u64) -> &mut Self {
        self.bounds.min_size = Some(bytes);
        self
    }

    /// Leaves out what is larger than `bytes`.
    pub fn max_size(&mut self, bytes: u64) -> &mut Self {
        self.bounds.max_size = Some(bytes);
        self
    }

    /// Leaves out what was modified before `time` (`--max-age`).
    pub fn modified_after(&mut self, time: Timestamp) -> &mut Self {
        self.bounds.modified_after = Some(time);
        self
    }

    /// Leaves out what was modified after `time` (`--min-age`), and what was modified at an unknown time.
    pub fn modified_before(&mut self, time: Timestamp) -> &mut Self {
        self.bounds.modified_before = Some(time);
        self
    }

    /// Leaves out keys of more than `levels` segments: 1 keeps those without a `/`.
    pub fn max_depth(&mut self, levels: usize) -> &mut Self {
        self.bounds.max_depth = Some(levels);
        self
    }

    /// Whether patterns match letters of either case.
    pub fn ignore_case(&mut self, yes: bool) -> &mut Self {
        self.ignore_case = yes;
        self
    }

    /// The filter.
    ///
    /// # Errors
    /// [`FilterError`] for the first fault that is found.
    pub fn build(&self) -> Result<Filter, FilterError> {
        let between_flags = |reason| FilterError { origin: None, pattern: String::new(), reason };
        let Bounds { modified_after, modified_before, .. } = self.bounds;
        if modified_before.zip(modified_after).is_some_and(|(before, after)| before < after) {
            return Err(between_flags(Reason::AgesCross));
        }
        if let Some(names) = &self.files {
            if self.has_rules() || self.bounds.judges_contents() {
                return Err(between_flags(Reason::FilesFromWithOthers));
            }
            let files = keys(names)?;
            let prefix = common_prefix(files.iter().map(Key::as_str)).unwrap_or_default().to_owned();
            return Ok(Filter { files: Some(files), prefix, bounds: self.bounds, ..Filter::default() });
        }
        let collected = self.collect()?;
        let prefix = if self.ignore_case { String::new() } else { collected.keys.prefix().to_owned() };
        Ok(Filter {
            keys: collected.keys.compile(self.ignore_case).map_err(between_flags)?,
            directories: collected.directories.compile(self.ignore_case).map_err(between_flags)?,
            directories_decide: collected.directories_decide,
            files: None,
            prefix,
            bounds: self.bounds,
        })
    }

    fn has_rules(&self) -> bool {
        let lists =
            [&self.includes, &self.includes_from, &self.excludes, &self.excludes_from, &self.rules, &self.rules_from];
        self.only_includes || lists.iter().any(|list| !list.is_empty())
    }

    fn collect(&self) -> Result<Collected, FilterError> {
        let mut collected = Collected::default();
        for line in self.includes.iter().chain(&self.includes_from) {
            collected.add(true, &line.text).map_err(|reason| line.fault(reason))?;
        }
        for line in self.excludes.iter().chain(&self.excludes_from) {
            collected.add(false, &line.text).map_err(|reason| line.fault(reason))?;
        }
        for line in self.rules.iter().chain(&self.rules_from) {
            collected.rule(&line.text).map_err(|reason| line.fault(reason))?;
        }
        if self.only_includes {
            collected.add(false, "/**").expect("/** is a pattern");
        }
        Ok(collected)
    }
}

/// The two lists of rules.
#[derive(Debug, Default)]
struct Collected {
    keys: RuleList,
    directories: RuleList,
    /// Whether a directory may be ruled out above a key that the rules for keys let in.
    directories_decide: bool,
}

impl Collected {
    fn rule(&mut self, rule: &str) -> Result<(), Reason> {
        match rule.split_at_checked(2) {
            _ if rule == "!" => {
                *self = Self::default();
                Ok(())
            }
            Some(("+ ", pattern)) => self.add(true, pattern),
            Some(("- ", pattern)) => self.add(false, pattern),
            _ => Err(Reason::MalformedRule),
        }
    }

    fn add(&mut self, include: bool, pattern: &str) -> Result<(), Reason> {
        let names_directory = pattern.ends_with('/');
        let whole = if names_directory && !include { format!("{pattern}**") } else { pattern.to_owned() };
        let everything_below = whole.contains("**");
        let glob = Glob::parse(&whole)?;
        rules::check(&glob)?;
        let judges_keys = !names_directory || everything_below;
        let judges_directories = names_directory || everything_below;
        if judges_keys && self.keys.add(include, &whole, glob.clone()) {
            if include {
                self.directories_decide |= !directory::are_complete(&whole);
            }
            if include || whole == "*" {
                self.add_directories(include, &whole);
            }
        }
        if judges_directories && self.directories.add(include, &whole, glob) && !include {
            self.directories_decide |= !directory::covers_what_is_below(&whole);
        }
        Ok(())
    }

    fn add_directories(&mut self, include: bool, pattern: &str) {
        for directory in directory::directories(pattern) {
            let parsed = Glob::parse(&directory).and_then(|glob| rules::check(&glob).map(|()| glob));
            // Cut inside a class (`[a/b]`), a pattern for keys makes none for directories: look everywhere.
            let (directory, glob) = parsed.map_or_else(
                |_| ("/**".to_owned(), Glob::parse("/**").expect("/** is a pattern")),
                |glob| (directory, glob),
            );
            self.directories.add(include, &directory, glob);
        }
    }
}

fn numbered(file: &str, at: usize, line: &str) -> Line {
    Line { text: line.to_owned(), origin: Some((file.to_owned(), at + 1)) }
}

fn lines(file: &str, text: &str) -> impl Iterator<Item = Line> {
    text.lines()
        .map(str::trim)
        .enumerate()
        .filter(|(_, line)| !line.is_empty() && !line.starts_with(['#', ';']))
        .map(move |(at, line)| numbered(file, at, line))
}

/// The names as keys, in order, each once.
fn keys(names: &[Line]) -> Result<Vec<Key>, FilterError> {
    let mut keys = Vec::with_capacity(names.len());
    for line in names {
        let name = line.text.trim_matches('/');
        if !name.is_empty() {
            keys.push(Key::new(name).map_err(|invalid| line.fault(Reason::NotAKey(invalid)))?);
        }
    }
    keys.sort_unstable();
    keys.dedup();
    Ok(keys)
}
