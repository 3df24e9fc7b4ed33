//! Metadata by rule: `repo*: cache-control=max-age=60`.

use std::{str::FromStr, sync::Arc};

use sterna_backends::{Key, Metadata};

use crate::list::filter::Pattern;

/// One assignment for the keys that match.
#[derive(Clone, Debug)]
pub struct MetadataRule {
    pattern: Option<Pattern>,
    field: Field,
    value: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Field {
    ContentType,
    CacheControl,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    StorageClass,
    User(String),
    Tag(String),
}

/// Why a text is no rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// No `name=value` in it.
    #[error("'{0}' has no name=value; write 'PATTERN: NAME=VALUE' or 'NAME=VALUE'")]
    NoAssignment(String),
    /// The name is none we know.
    #[error(
        "'{0}' is no header that can be set; known are content-type, cache-control, content-disposition, content-encoding, content-language, storage-class, x-amz-meta-NAME and tag-NAME"
    )]
    UnknownName(String),
    /// The pattern is none.
    #[error("pattern '{pattern}': {why}")]
    Pattern {
        /// As written.
        pattern: String,
        /// What is wrong.
        why: String,
    },
}

impl FromStr for MetadataRule {
    type Err = InvalidRule;

    fn from_str(text: &str) -> Result<Self, InvalidRule> {
        let (pattern, assignment) = match text.split_once(": ") {
            Some((pattern, assignment)) if !pattern.contains('=') => (Some(pattern.trim()), assignment),
            _ => (None, text),
        };
        let (name, value) = assignment.split_once('=').ok_or_else(|| InvalidRule::NoAssignment(text.to_owned()))?;
        let pattern = pattern
            .map(|pattern| {
                Pattern::new(pattern)
                    .map_err(|error| InvalidRule::Pattern { pattern: pattern.to_owned(), why: error.to_string() })
            })
            .transpose()?;
        Ok(Self { pattern, field: field(name.trim())?, value: value.trim().to_owned() })
    }
}

fn field(name: &str) -> Result<Field, InvalidRule> {
    let name = name.to_ascii_lowercase();
    Ok(match name.as_str() {
        "content-type" => Field::ContentType,
        "cache-control" => Field::CacheControl,
        "content-disposition" => Field::ContentDisposition,
        "content-encoding" => Field::ContentEncoding,
        "content-language" => Field::ContentLanguage,
        "storage-class" | "x-amz-storage-class" => Field::StorageClass,
        _ => {
            if let Some(user) = name.strip_prefix("x-amz-meta-").filter(|user| !user.is_empty()) {
                Field::User(user.to_owned())
            } else if let Some(tag) = name.strip_prefix("tag-").filter(|tag| !tag.is_empty()) {
                Field::Tag(tag.to_owned())
            } else {
                return Err(InvalidRule::UnknownName(name));
            }
        }
    })
}

/// Rules in the order in which they were given; a later one wins over an earlier one.
#[derive(Clone, Debug, Default)]
pub struct MetadataRules(pub Vec<MetadataRule>);

impl MetadataRules {
    /// What the rules set for `key`; `None` where none matches.
    #[must_use]
    pub fn apply(&self, key: &Key) -> Option<Arc<Metadata>> {
        let mut metadata = Metadata::default();
        let mut any = false;
        for rule in &self.0 {
            if rule.pattern.as_ref().is_some_and(|pattern| !pattern.matches(key)) {
                continue;
            }
            any = true;
            let value = rule.value.clone();
            match &rule.field {
                Field::ContentType => metadata.content_type = Some(value),
                Field::CacheControl => metadata.cache_control = Some(value),
                Field::ContentDisposition => metadata.content_disposition = Some(value),
                Field::ContentEncoding => metadata.content_encoding = Some(value),
                Field::ContentLanguage => metadata.content_language = Some(value),
                Field::StorageClass => metadata.storage_class = Some(value),
                Field::User(name) => drop(metadata.user.insert(name.clone(), value)),
                Field::Tag(name) => drop(metadata.tags.insert(name.clone(), value)),
            }
        }
        any.then(|| Arc::new(metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_set_headers_by_pattern() {
        let rules: Vec<MetadataRule> = [
            "repo*: cache-control=max-age=60",
            "content-language=en",
            "*.html: content-type=text/html; charset=utf-8",
            "x-amz-meta-Owner=x: y",
        ]
        .iter()
        .map(|rule| rule.parse().unwrap())
        .collect();
        let rules = MetadataRules(rules);
        let applied = |key: &str| rules.apply(&Key::new(key).unwrap()).unwrap();
        let index = applied("x86/repo.sha256");
        assert_eq!(index.cache_control.as_deref(), Some("max-age=60"));
        assert_eq!(index.content_language.as_deref(), Some("en"));
        assert_eq!(index.user.get("owner").map(String::as_str), Some("x: y"));
        assert_eq!(applied("packages/a.hpkg").cache_control, None);
        assert_eq!(applied("a.html").content_type.as_deref(), Some("text/html; charset=utf-8"));
        for wrong in ["", "a", "repo*: etag=x", "[a: cache-control=x", "x-amz-meta-=x"] {
            assert!(wrong.parse::<MetadataRule>().is_err(), "{wrong}");
        }
    }
}
