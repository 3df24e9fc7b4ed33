//! The TOML file: its shape, with the place of every key.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
};

use sterna_backends::{registry::nearest, secret::Secret};
use toml::{
    Spanned,
    de::{DeString, DeTable, DeValue},
};

use super::{
    error::{ConfigError, ConfigErrorKind, Origin},
    fields::Fields,
    given::{Given, SOURCES, Setting},
    prices,
};

/// The tables a file may hold.
const TABLES: &[&str] = &["remote", "budget", "job", prices::TABLE];

/// One `[remote.NAME]`, its options not yet checked against a family.
#[derive(Clone, Debug)]
pub struct Section {
    /// NAME.
    pub name: String,
    /// Where the table begins.
    pub origin: Origin,
    /// Every key, `type` included.
    pub settings: BTreeMap<String, Setting>,
}

/// Reads the remotes of the file `path`, which holds `text`.
///
/// # Errors
/// The first mistake: `Syntax`, `Unknown` for a table, `WrongType` for a value, `BadPlace` for a name that no
/// place can name.
pub fn parse(path: &Path, text: &str) -> Result<Vec<Section>, ConfigError> {
    Reader { path: path.into(), text }.read("remote")
}

/// Reads the `[budget.NAME]` of the same file.
///
/// # Errors
/// As [`parse`].
pub fn budgets(path: &Path, text: &str) -> Result<Vec<Section>, ConfigError> {
    Reader { path: path.into(), text }.read("budget")
}

/// Reads each `[job.NAME]` of the same file with `job`.
///
/// # Errors
/// As [`parse`], and those of `job`.
pub fn jobs<T>(
    path: &Path,
    text: &str,
    mut job: impl FnMut(&str, Fields<'_>) -> Result<T, ConfigError>,
) -> Result<Vec<T>, ConfigError> {
    let reader = Reader { path: path.into(), text };
    let mut jobs = Vec::new();
    reader.each("job", |name, key, value| {
        let table = reader.table("job", name, key, value)?;
        jobs.push(job(name, Fields::new(&reader, format!("job.{name}"), table, reader.origin(key.span().start)))?);
        Ok(())
    })?;
    Ok(jobs)
}

pub(super) struct Reader<'a> {
    path: Arc<Path>,
    text: &'a str,
}

impl Reader<'_> {
    /// The sections of `wanted`; the others are read by whoever wants them.
    fn read(&self, wanted: &str) -> Result<Vec<Section>, ConfigError> {
        let mut sections = Vec::new();
        self.each(wanted, |_, key, value| {
            sections.push(self.section(wanted, key, value)?);
            Ok(())
        })?;
        Ok(sections)
    }

    /// Takes each `[wanted.NAME]` to `take`.
    fn each(
        &self,
        wanted: &str,
        mut take: impl FnMut(&str, &Spanned<DeString<'_>>, &Spanned<DeValue<'_>>) -> Result<(), ConfigError>,
    ) -> Result<(), ConfigError> {
        let document = DeTable::parse(self.text).map_err(|error| self.syntax(&error))?;
        for (key, value) in document.get_ref() {
            let name = key.get_ref().as_ref();
            if !TABLES.contains(&name) {
                let error = self.wrong(ConfigErrorKind::Unknown, key, format!("there is no table '{name}'"));
                return Err(match nearest(name, TABLES.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy("remotes are written [remote.NAME]"),
                });
            }
            if name != wanted {
                continue;
            }
            let DeValue::Table(remotes) = value.get_ref() else {
                let what = format!("'{name}' is {}, not a table", kind(value.get_ref()));
                return Err(self.wrong(ConfigErrorKind::WrongType, key, what).remedy(format!("write [{name}.NAME]")));
            };
            for (key, value) in remotes {
                take(key.get_ref().as_ref(), key, value)?;
            }
        }
        Ok(())
    }

    /// The table that stands under a name.
    fn table<'t, 'd>(
        &self,
        table_name: &str,
        name: &str,
        key: &Spanned<DeString<'_>>,
        value: &'t Spanned<DeValue<'d>>,
    ) -> Result<&'t DeTable<'d>, ConfigError> {
        let DeValue::Table(table) = value.get_ref() else {
            let what = format!("'{table_name}.{name}' is {}, not a table", kind(value.get_ref()));
            let remedy = format!("write [{table_name}.NAME] above it");
            return Err(self.wrong(ConfigErrorKind::WrongType, key, what).remedy(remedy));
        };
        Ok(table)
    }

    fn section(
        &self,
        table_name: &str,
        key: &Spanned<DeString<'_>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Section, ConfigError> {
        let name = key.get_ref().as_ref();
        let table = self.table(table_name, name, key, value)?;
        if !is_name(name) {
            let what = format!("no place can name the remote '{name}'");
            let remedy = "a name is made of letters, digits, '-', '_' and '.', starts with no '.', and is not 'memory'";
            return Err(self.wrong(ConfigErrorKind::BadPlace, key, what).remedy(remedy));
        }
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let option = key.get_ref().as_ref();
            let given = self.given(&format!("{table_name}.{name}.{option}"), value)?;
            settings.insert(option.to_owned(), Setting { given, origin: self.origin(key.span().start) });
        }
        Ok(Section { name: name.to_owned(), origin: self.origin(key.span().start), settings })
    }

    fn given(&self, what: &str, value: &Spanned<DeValue<'_>>) -> Result<Given, ConfigError> {
        let text = match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(on) => on.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            DeValue::Table(table) => return self.source(what, value, table),
            DeValue::Array(_) => {
                let what = format!("'{what}' is a list");
                return Err(self.wrong(ConfigErrorKind::WrongType, value, what).remedy("write one text"));
            }
        };
        Ok(Given::Literal(Secret::new(text)))
    }

    /// `{ env = … }` and the like: exactly one key, of [`SOURCES`].
    fn source<T>(&self, what: &str, value: &Spanned<T>, table: &DeTable<'_>) -> Result<Given, ConfigError> {
        let remedy =
            r#"write one of { env = "NAME" }, { file = "PATH" }, { command = ["PROGRAM"] }, { credential = "NAME" }"#;
        let mut entries = table.iter();
        let (Some((key, source)), None) = (entries.next(), entries.next()) else {
            let what = format!("'{what}' must say in one way where its text is to be had");
            return Err(self.wrong(ConfigErrorKind::WrongType, value, what).remedy(remedy));
        };
        let wrong_type = |wanted: &str| {
            let what = format!("'{what}.{}' is {}, not {wanted}", key.get_ref(), kind(source.get_ref()));
            self.wrong(ConfigErrorKind::WrongType, source, what).remedy(remedy)
        };
        match (key.get_ref().as_ref(), source.get_ref()) {
            ("env", DeValue::String(name)) => Ok(Given::Variable(name.clone().into_owned())),
            ("file", DeValue::String(path)) => Ok(Given::File(self.beside(path))),
            ("credential", DeValue::String(name)) => Ok(Given::Credential(name.clone().into_owned())),
            ("env" | "file" | "credential", _) => Err(wrong_type("a text")),
            ("command", DeValue::Array(words)) if !words.is_empty() => words
                .iter()
                .map(|word| match word.get_ref() {
                    DeValue::String(word) => Ok(word.clone().into_owned()),
                    _ => Err(wrong_type("a list of texts")),
                })
                .collect::<Result<_, _>>()
                .map(Given::Command),
            ("command", _) => Err(wrong_type("a list of texts, the program first")),
            (other, _) => {
                let error = self.wrong(ConfigErrorKind::Unknown, key, format!("'{what}' knows no source '{other}'"));
                Err(match nearest(other, SOURCES.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy(remedy),
                })
            }
        }
    }

    /// A path of the file, which is relative to the directory the file lies in.
    fn beside(&self, path: &str) -> PathBuf {
        self.path.parent().unwrap_or(Path::new("")).join(path)
    }

    /// The parser's message is a fixed text; its own display would show the line, which may hold a secret.
    fn syntax(&self, error: &toml::de::Error) -> ConfigError {
        let message = error.message().lines().collect::<Vec<_>>().join(", ");
        let wrong = ConfigError::new(ConfigErrorKind::Syntax, format!("not TOML: {message}"));
        wrong.at(&self.origin(error.span().map_or(0, |span| span.start)))
    }

    pub(super) fn wrong<T>(&self, kind: ConfigErrorKind, at: &Spanned<T>, what: String) -> ConfigError {
        ConfigError::new(kind, what).at(&self.origin(at.span().start))
    }

    pub(super) fn origin(&self, offset: usize) -> Origin {
        let before = &self.text[..self.text.floor_char_boundary(offset)];
        let line = before.rfind('\n').map_or(before, |end| &before[end + 1..]);
        Origin::File {
            path: self.path.clone(),
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: line.chars().count() + 1,
        }
    }
}

/// Whether a place can name a remote of that name; the rule is that of [`Location`](sterna_backends::location).
pub fn is_name(name: &str) -> bool {
    use sterna_backends::location::Location;
    format!("{name}:").parse() == Ok(Location::Remote { name: name.to_owned(), path: String::new() })
}

pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}
