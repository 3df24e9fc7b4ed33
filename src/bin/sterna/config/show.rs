//! The configuration as it holds, each value with where it came from, and no secret in it.

use std::{fmt, path::PathBuf};

use serde::Serialize;
use sterna_backends::{registry::Holds, secret::without_password};
use toml::Table;

use super::{
    error::{ConfigError, Origin},
    file::Section,
    given::{Given, Setting, quoted},
    locate::Asked,
    prices::OwnPrices,
    remotes::{Config, Configured},
    specs,
};

/// What a configuration shows of itself. Serialises for machines; prints as TOML with comments.
#[derive(Debug, Serialize)]
pub struct Shown {
    /// Where the file was looked for.
    pub file: Option<PathBuf>,
    /// Who named it.
    pub named_by: Asked,
    /// Whether it is there.
    pub found: bool,
    /// The remotes, in byte order of their names.
    pub remotes: Vec<ShownTable>,
    /// What they may be spent, in the order of the file.
    pub budgets: Vec<ShownTable>,
    /// Prices of the user's own, as the file has them; left out where one remote is shown.
    #[serde(skip_serializing_if = "Table::is_empty")]
    pub prices: Table,
    /// Variables that speak of no remote there is.
    pub stray_variables: Vec<String>,
}

/// One remote, or what it may be spent.
#[derive(Debug, Serialize)]
pub struct ShownTable {
    /// Its name.
    pub name: String,
    /// Its options; of a remote the `type` first.
    pub options: Vec<ShownOption>,
}

/// One option.
#[derive(Debug, Serialize)]
pub struct ShownOption {
    /// Its name.
    pub name: String,
    /// The text; `***` where it is never shown; absent where it is had from elsewhere, as [`ShownOption::source`]
    /// says, when the remote is used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
    /// `{ env = "NAME" }` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it stands.
    pub origin: Origin,
}

/// Shows what holds, or of one remote only. Nothing is run or read for it.
///
/// # Errors
/// `NoSuchRemote`.
pub fn show(config: &Config, only: Option<&str>) -> Result<Shown, ConfigError> {
    let remotes = config
        .chosen(only)?
        .into_iter()
        .map(|(name, configured)| ShownTable { name: name.to_owned(), options: options(configured) })
        .collect();
    let is_meant = |name: &str| only.is_none_or(|only| only == name);
    Ok(Shown {
        file: config.located.path.clone(),
        named_by: config.located.asked,
        found: config.found,
        remotes,
        budgets: config.budget_tables.iter().filter(|budget| is_meant(&budget.name)).map(budget).collect(),
        prices: config.prices.as_ref().filter(|_| only.is_none()).map(OwnPrices::table).unwrap_or_default(),
        stray_variables: config.stray.clone(),
    })
}

fn budget(section: &Section) -> ShownTable {
    let options = section.settings.iter().map(|(name, setting)| shown(name, Holds::Text, setting)).collect();
    ShownTable { name: section.name.clone(), options }
}

fn options(configured: &Configured) -> Vec<ShownOption> {
    let holds = |option: &str| {
        specs(configured.family).find(|spec| spec.name == option).map_or(Holds::Secret, |spec| spec.holds)
    };
    let first = shown("type", Holds::Text, &configured.typed);
    let rest = configured.settings.iter().map(|(name, setting)| shown(name, holds(name), setting));
    std::iter::once(first).chain(rest).collect()
}

fn shown(name: &str, holds: Holds, setting: &Setting) -> ShownOption {
    let (value, source) = match (&setting.given, holds) {
        (Given::Literal(secret), Holds::Secret) => (Some(secret.to_string()), None),
        (Given::Literal(text), Holds::Text | Holds::Bool) => (Some(without_password(text.reveal()).into_owned()), None),
        (elsewhere, _) => (None, Some(elsewhere.to_string())),
    };
    ShownOption { name: name.to_owned(), value, source, origin: setting.origin.clone() }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.file {
            Some(file) if self.found => writeln!(f, "# {}", file.display())?,
            Some(file) => writeln!(f, "# there is no {}", file.display())?,
            None => writeln!(f, "# no file: there is no home directory to look in")?,
        }
        self.remotes.iter().try_for_each(|remote| remote.write("remote", f))?;
        self.budgets.iter().try_for_each(|budget| budget.write("budget", f))?;
        if !self.prices.is_empty() {
            write!(f, "\n{}", self.prices)?;
        }
        if !self.stray_variables.is_empty() {
            writeln!(f)?;
        }
        for name in &self.stray_variables {
            writeln!(f, "# ${name} speaks of no remote there is")?;
        }
        Ok(())
    }
}

impl ShownTable {
    /// As TOML, each line with its origin.
    fn write(&self, kind: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = if self.name.contains('.') { quoted(&self.name) } else { self.name.clone() };
        writeln!(f, "\n[{kind}.{name}]")?;
        for option in &self.options {
            let value = match (&option.value, &option.source) {
                (Some(value), _) => quoted(value),
                (None, source) => source.clone().unwrap_or_default(),
            };
            let line = format!("{} = {value}", option.name);
            match &option.origin {
                Origin::File { line: number, .. } => writeln!(f, "{line:<48} # line {number}")?,
                Origin::Variable(name) => writeln!(f, "{line:<48} # ${name}")?,
                Origin::Key(name) => writeln!(f, "{line:<48} # {name}")?,
            }
        }
        Ok(())
    }
}
