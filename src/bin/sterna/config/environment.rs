//! The environment, read once, and what it says of remotes.
//!
//! `STERNA_REMOTE_<NAME>_<OPTION>`, both in capitals with every character that is no letter or digit written
//! `_`, overrides one key of one remote; an empty one takes the key out. `…_TYPE` of a name the file does not
//! have makes that remote.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
};

use sterna_backends::{registry::COMMON_OPTIONS, secret::Secret};

use super::{
    Families,
    error::{ConfigError, ConfigErrorKind, Origin},
    file::Section,
    given::{Given, Setting},
};

const PREFIX: &str = "STERNA_REMOTE_";

/// A copy of the environment. Prints the number of variables only.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

impl Environment {
    /// That of this process, now.
    #[must_use]
    pub fn of_process() -> Self {
        Self(std::env::vars_os().collect())
    }

    /// One variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.0.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// Every variable that speaks of remotes, without [`PREFIX`].
    fn of_remotes(&self) -> impl Iterator<Item = (&str, &OsStr)> {
        self.0.iter().filter_map(|(name, value)| Some((name.to_str()?.strip_prefix(PREFIX)?, value.as_os_str())))
    }
}

impl<K: Into<OsString>, V: Into<OsString>> FromIterator<(K, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (K, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

/// `name` as variables write it.
pub fn in_capitals(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The variable that overrides `option` of the remote `name`.
pub fn variable(name: &str, option: &str) -> String {
    format!("{PREFIX}{}_{}", in_capitals(name), in_capitals(option))
}

/// Puts what the environment says over `sections`, and adds the remotes it makes. Returns the variables that
/// speak of no remote there is.
///
/// # Errors
/// `Unknown` where two remotes have the same name in capitals and a variable speaks of them; `WrongType` for a
/// variable that is not UTF-8.
pub fn apply(
    environment: &Environment,
    sections: &mut Vec<Section>,
    families: Families,
) -> Result<Vec<String>, ConfigError> {
    make_remotes(environment, sections);
    let mut stray = Vec::new();
    for (rest, value) in environment.of_remotes() {
        let origin = Origin::Variable(format!("{PREFIX}{rest}"));
        let Some((name, option)) = split(rest, sections, families) else {
            stray.push(format!("{PREFIX}{rest}"));
            continue;
        };
        let mut meant = sections.iter_mut().filter(|section| in_capitals(&section.name) == name);
        let Some(section) = meant.next() else { continue };
        if let Some(other) = meant.next() {
            let what = format!("it speaks of two remotes, '{}' and '{}'", section.name, other.name);
            return Err(ConfigError::new(ConfigErrorKind::Unknown, what).at(&origin).remedy("rename one of them"));
        }
        let text = value.to_str().ok_or_else(|| {
            ConfigError::new(ConfigErrorKind::WrongType, "the variable does not hold UTF-8").at(&origin)
        })?;
        if text.is_empty() {
            section.settings.remove(&option);
        } else {
            section.settings.insert(option, Setting { given: Given::Literal(Secret::new(text)), origin });
        }
    }
    Ok(stray)
}

/// Adds a remote, its name in small letters, for every `…_TYPE` that speaks of none there is.
fn make_remotes(environment: &Environment, sections: &mut Vec<Section>) {
    for (rest, value) in environment.of_remotes() {
        let Some(name) = rest.strip_suffix("_TYPE").filter(|name| !name.is_empty() && !value.is_empty()) else {
            continue;
        };
        if sections.iter().all(|section| in_capitals(&section.name) != name) {
            let origin = Origin::Variable(format!("{PREFIX}{rest}"));
            sections.push(Section { name: name.to_ascii_lowercase(), origin, settings: BTreeMap::new() });
        }
    }
}

/// `MY_NAS_ENDPOINT` as a remote's name in capitals and an option. Of several names that fit, the longest whose
/// option exists, else the longest.
fn split(rest: &str, sections: &[Section], families: Families) -> Option<(String, String)> {
    let known = |option: &str| {
        let mut specs = families.iter().flat_map(|family| family.options).chain(COMMON_OPTIONS);
        option == "type" || specs.any(|spec| spec.name == option)
    };
    sections
        .iter()
        .filter_map(|section| {
            let name = in_capitals(&section.name);
            let option = rest.strip_prefix(&name)?.strip_prefix('_').filter(|option| !option.is_empty())?;
            let option = option.to_ascii_lowercase();
            Some((known(&option), name.len(), name, option))
        })
        .max()
        .map(|(_, _, name, option)| (name, option))
}
