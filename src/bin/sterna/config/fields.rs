//! A table of the file as it is read: value by value, each with the place where it stands.

use std::fmt::Display;

use sterna_backends::registry::nearest;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

use super::{
    error::{ConfigError, ConfigErrorKind, Origin},
    file::{Reader, kind},
};

/// A table whose values are wanted by name. What it says of a mistake names the value, line and column.
pub struct Fields<'a> {
    reader: &'a Reader<'a>,
    /// Its name from the top of the file.
    name: String,
    table: &'a DeTable<'a>,
    /// Where it begins.
    origin: Origin,
}

/// A value and where it stands.
#[derive(Debug)]
pub struct Field<T> {
    /// Its name from the top of the file.
    pub name: String,
    pub value: T,
    pub origin: Origin,
}

impl<'a> Fields<'a> {
    pub(super) fn new(reader: &'a Reader<'a>, name: String, table: &'a DeTable<'a>, origin: Origin) -> Self {
        Self { reader, name, table, origin }
    }

    /// Where the table begins.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Its keys, in byte order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.table.keys().map(|key| key.get_ref().as_ref())
    }

    /// That it has no key but `known`.
    ///
    /// # Errors
    /// `Unknown`, naming the nearest.
    pub fn only(&self, known: &[&str]) -> Result<(), ConfigError> {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !known.contains(&name) {
                let error =
                    self.reader.wrong(ConfigErrorKind::Unknown, key, format!("'{}' has no key '{name}'", self.name));
                return Err(match nearest(name, known.iter().copied()) {
                    Some(near) => error.remedy(format!("did you mean '{near}'?")),
                    None => error.remedy(format!("known are {}", known.join(", "))),
                });
            }
        }
        Ok(())
    }

    /// A text, a number or a truth, as written.
    ///
    /// # Errors
    /// `WrongType` for anything else.
    pub fn text(&self, key: &str) -> Result<Option<Field<String>>, ConfigError> {
        self.get(key).map(|value| self.field(key, value, self.word(key, value)?)).transpose()
    }

    /// A text that `read` understands.
    ///
    /// # Errors
    /// `WrongType`, with what `read` says.
    pub fn parsed<T, E: Display>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, E>,
    ) -> Result<Option<Field<T>>, ConfigError> {
        let Some(field) = self.text(key)? else { return Ok(None) };
        let value = read(&field.value).map_err(|error| field.wrong(error))?;
        Ok(Some(Field { name: field.name, value, origin: field.origin }))
    }

    /// A list of texts; one text stands for a list of one.
    ///
    /// # Errors
    /// `WrongType` for anything else.
    pub fn list(&self, key: &str) -> Result<Vec<Field<String>>, ConfigError> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(value) => match value.get_ref() {
                DeValue::Array(items) => items
                    .iter()
                    .enumerate()
                    .map(|(at, item)| {
                        let key = format!("{key}[{at}]");
                        self.field(&key, item, self.word(&key, item)?)
                    })
                    .collect(),
                _ => Ok(vec![self.field(key, value, self.word(key, value)?)?]),
            },
        }
    }

    /// A table.
    ///
    /// # Errors
    /// `WrongType` for anything else.
    pub fn table(&self, key: &str) -> Result<Option<Self>, ConfigError> {
        self.get(key).map(|value| self.inside(key, value)).transpose()
    }

    /// A list of tables; one table stands for a list of one.
    ///
    /// # Errors
    /// `WrongType` for anything else.
    pub fn tables(&self, key: &str) -> Result<Vec<Self>, ConfigError> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(value) => match value.get_ref() {
                DeValue::Array(items) => {
                    items.iter().enumerate().map(|(at, item)| self.inside(&format!("{key}[{at}]"), item)).collect()
                }
                _ => Ok(vec![self.inside(key, value)?]),
            },
        }
    }

    /// That `key` is missing.
    pub fn missing(&self, key: &str, remedy: &str) -> ConfigError {
        let what = format!("'{}' has no {key}", self.name);
        ConfigError::new(ConfigErrorKind::Missing, what).at(&self.origin).remedy(remedy)
    }

    fn get(&self, key: &str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.table.iter().find(|(name, _)| name.get_ref().as_ref() == key).map(|(_, value)| value)
    }

    fn field<T>(&self, key: &str, at: &Spanned<DeValue<'_>>, value: T) -> Result<Field<T>, ConfigError> {
        let origin = self.reader.origin(at.span().start);
        Ok(Field { name: format!("{}.{key}", self.name), value, origin })
    }

    fn word(&self, key: &str, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        Ok(match value.get_ref() {
            DeValue::String(text) => text.clone().into_owned(),
            DeValue::Boolean(on) => on.to_string(),
            DeValue::Integer(number) => number.to_string(),
            DeValue::Float(number) => number.to_string(),
            DeValue::Datetime(time) => time.to_string(),
            other => {
                let what = format!("'{}.{key}' is {}", self.name, kind(other));
                return Err(self.reader.wrong(ConfigErrorKind::WrongType, value, what).remedy("write one text"));
            }
        })
    }

    fn inside(&self, key: &str, value: &'a Spanned<DeValue<'a>>) -> Result<Self, ConfigError> {
        let name = format!("{}.{key}", self.name);
        let DeValue::Table(table) = value.get_ref() else {
            let what = format!("'{name}' is {}, not a table", kind(value.get_ref()));
            return Err(self.reader.wrong(ConfigErrorKind::WrongType, value, what).remedy("write { KEY = VALUE }"));
        };
        Ok(Self::new(self.reader, name, table, self.reader.origin(value.span().start)))
    }
}

impl<T> Field<T> {
    /// That the value is none, with why.
    pub fn wrong(&self, why: impl Display) -> ConfigError {
        ConfigError::new(ConfigErrorKind::WrongType, format!("{}: {why}", self.name)).at(&self.origin)
    }
}
