//! Text of a price file -> typed values, with file, line and field of whatever is wrong.

use serde::de::DeserializeOwned;
use toml::{
    Table, Value,
    de::{DeArray, DeTable, DeValue},
};

use super::BookProblem;

/// A file of prices: its values, and where each stands.
pub(in crate::price) struct TomlFile<'a> {
    pub(in crate::price) file: &'a str,
    text: &'a str,
    spans: DeTable<'a>,
    /// Where in the file the values begin; every path is below it.
    root: Path,
}

/// One step on the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::price) enum Step {
    Key(String),
    Index(usize),
}

/// `offer[3].storage` as steps.
pub(in crate::price) type Path = Vec<Step>;

/// Keys as steps.
pub(in crate::price) fn path<const N: usize>(keys: [&str; N]) -> Path {
    keys.into_iter().map(|key| Step::Key(key.to_owned())).collect()
}

impl<'a> TomlFile<'a> {
    /// # Errors
    /// Where `text` is no TOML.
    pub(in crate::price) fn parse(file: &'a str, text: &'a str) -> Result<(Self, Table), BookProblem> {
        let wrong = |error: toml::de::Error| BookProblem {
            file: file.to_owned(),
            line: line_of(text, error.span().map_or(0, |span| span.start)),
            field: String::new(),
            what: format!("not TOML: {}", error.message().replace('\n', ", ")),
        };
        let spans = DeTable::parse(text).map_err(wrong)?.into_inner();
        let table = text.parse::<Table>().map_err(wrong)?;
        Ok((Self { file, text, spans, root: Path::new() }, table))
    }

    /// The table `key` of `text`, as if it were a file: for prices that stand in a file of other things. Empty where
    /// there is none.
    ///
    /// # Errors
    /// Where `text` is no TOML, or what has that name no table.
    pub(in crate::price) fn parse_below(file: &'a str, text: &'a str, key: &str) -> Result<(Self, Table), BookProblem> {
        let (mut source, mut table) = Self::parse(file, text)?;
        let inner = match table.remove(key) {
            None => Table::new(),
            Some(Value::Table(inner)) => inner,
            Some(_) => return Err(source.problem(&path([key]), &Path::new(), key, "not a table")),
        };
        source.root = path([key]);
        Ok((source, inner))
    }

    /// `table` as it is written in the file.
    pub(in crate::price) fn written(&self, table: &str) -> String {
        match shown(&self.root) {
            root if root.is_empty() => table.to_owned(),
            root => format!("{root}.{table}"),
        }
    }

    /// `value`, which stands at `at`, as a `T`, and the fields of it that `T` does not know.
    ///
    /// `name` is how people call the value.
    ///
    /// # Errors
    /// The first mistake.
    pub(in crate::price) fn typed<T: DeserializeOwned>(
        &self,
        value: Value,
        at: &Path,
        name: &str,
    ) -> Result<(T, Vec<BookProblem>), BookProblem> {
        let mut unknown = Vec::new();
        let mut note = |path: serde_ignored::Path<'_>| unknown.push(ignored_path(&path));
        let ignored = serde_ignored::Deserializer::new(value, &mut note);
        let typed = serde_path_to_error::deserialize(ignored)
            .map_err(|error| self.problem(at, &mistake_path(error.path()), name, error.inner().message()))?;
        let unknown = unknown.iter().map(|inner| self.problem(at, inner, name, "there is no such field")).collect();
        Ok((typed, unknown))
    }

    /// A problem with the field at `inner` below `at`.
    pub(in crate::price) fn problem(&self, at: &Path, inner: &Path, name: &str, what: &str) -> BookProblem {
        let whole: Path = self.root.iter().chain(at).chain(inner).cloned().collect();
        let field = match (name.is_empty(), inner.is_empty()) {
            (true, _) => shown(inner),
            (false, true) => name.to_owned(),
            (false, false) => format!("{name}: {}", shown(inner)),
        };
        let line = line_of(self.text, self.offset(&whole));
        BookProblem {
            file: self.file.to_owned(),
            line,
            field,
            what: what.replace('\n', ", ").trim_end_matches(", ").to_owned(),
        }
    }

    /// Where the field at `path` stands, or what of it there is.
    fn offset(&self, path: &Path) -> usize {
        let mut offset = 0;
        let mut table = Some(&self.spans);
        let mut array: Option<&DeArray<'_>> = None;
        for step in path {
            let found = match (step, table, array) {
                (Step::Key(wanted), Some(table), _) => table
                    .iter()
                    .find(|(key, _)| key.get_ref() == wanted.as_str())
                    .map(|(key, value)| (key.span(), value)),
                (Step::Index(at), _, Some(array)) => array.get(*at).map(|value| (value.span(), value)),
                _ => None,
            };
            let Some((span, value)) = found else { break };
            offset = span.start;
            (table, array) = match value.get_ref() {
                DeValue::Table(inner) => (Some(inner), None),
                DeValue::Array(inner) => (None, Some(inner)),
                _ => (None, None),
            };
        }
        offset
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

fn shown(path: &Path) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Index(at) => text += &format!("[{at}]"),
            Step::Key(key) if text.is_empty() => text += key,
            Step::Key(key) => text += &format!(".{key}"),
        }
    }
    text
}

fn mistake_path(path: &serde_path_to_error::Path) -> Path {
    use serde_path_to_error::Segment;
    path.iter()
        .filter_map(|segment| match segment {
            Segment::Seq { index } => Some(Step::Index(*index)),
            Segment::Map { key } => Some(Step::Key(key.clone())),
            Segment::Enum { .. } | Segment::Unknown => None,
        })
        .collect()
}

fn ignored_path(path: &serde_ignored::Path<'_>) -> Path {
    use serde_ignored::Path as Ignored;
    let (parent, step) = match path {
        Ignored::Root => return Path::new(),
        Ignored::Seq { parent, index } => (parent, Some(Step::Index(*index))),
        Ignored::Map { parent, key } => (parent, Some(Step::Key(key.clone()))),
        Ignored::Some { parent } | Ignored::NewtypeStruct { parent } | Ignored::NewtypeVariant { parent } => {
            (parent, None)
        }
    };
    let mut steps = ignored_path(parent);
    steps.extend(step);
    steps
}
