//! An rclone.conf, taken apart.

use std::{collections::BTreeMap, path::Path};

use ini::{Ini, ParseOption};
use sterna_backends::{registry::FAMILIES, secret::Secret};

use super::{
    super::{
        Families,
        error::{ConfigError, ConfigErrorKind, Origin},
    },
    translate::{Import, translate},
};

/// One section: every key with its value, which may be a secret.
pub type Section = BTreeMap<String, Secret>;

/// Reads an rclone.conf, `text`, that was found at `path` (for messages).
///
/// # Errors
/// `Syntax` for a file that is encrypted, and for one that is no rclone.conf.
pub fn read(path: &Path, text: &str) -> Result<Import, ConfigError> {
    read_for(FAMILIES, path, text)
}

pub(in super::super) fn read_for(families: Families, path: &Path, text: &str) -> Result<Import, ConfigError> {
    Ok(translate(families, sections(path, text)?))
}

/// The sections, in the order of the file. One that stands twice is one, of which the later values hold.
fn sections(path: &Path, text: &str) -> Result<Vec<(String, Section)>, ConfigError> {
    refuse_encrypted(path, text)?;
    let option = ParseOption { enabled_quote: false, enabled_escape: false, ..ParseOption::default() };
    let ini = Ini::load_from_str_opt(text.trim_start_matches('\u{feff}'), option).map_err(|error| {
        ConfigError::new(ConfigErrorKind::Syntax, "this is no rclone.conf").at(&origin(path, error.line, error.col))
    })?;
    let mut sections: Vec<(String, Section)> = Vec::new();
    for (name, properties) in &ini {
        let Some(name) = name else { continue };
        let index = sections.iter().position(|(known, _)| known == name).unwrap_or_else(|| {
            sections.push((name.to_owned(), Section::new()));
            sections.len() - 1
        });
        for (key, value) in properties.iter() {
            sections[index].1.insert(key.to_owned(), Secret::new(unquoted(value)));
        }
    }
    Ok(sections)
}

fn refuse_encrypted(path: &Path, text: &str) -> Result<(), ConfigError> {
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.starts_with("RCLONE_ENCRYPT_") {
            return Err(ConfigError::new(ConfigErrorKind::Syntax, "this rclone.conf is encrypted")
                .at(&origin(path, index + 1, 1))
                .remedy("'rclone config show' asks for its password and prints it in clear; import that"));
        }
        if !line.is_empty() && !line.starts_with(['#', ';']) {
            break;
        }
    }
    Ok(())
}

/// rclone writes a value with a backtick in it between `"""`, and reads one between backticks as well; other
/// quotes belong to the value (seen with 1.75.2).
fn unquoted(value: &str) -> &str {
    ["\"\"\"", "`"].iter().find_map(|quote| value.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(value)
}

fn origin(path: &Path, line: usize, column: usize) -> Origin {
    Origin::File { path: path.into(), line, column }
}
