//! Header fields by pattern.

use std::str::FromStr;

use sterna::list::filter::Pattern;
use sterna_backends::Metadata;

use super::InvalidValue;

/// What the objects of a pattern are stored with: `repo*: cache-control=max-age=60`, or `cache-control=max-age=60` for
/// all objects.
///
/// The pattern is one of the filter language and ends at the first `: `. Fields are divided by `; `; what follows a `; ` and
/// is no known field belongs to the value before it (`content-type=text/html; charset=utf-8`). Of rules that set one
/// field, the last that is applied holds; an empty value takes the field away.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderRule {
    /// `None`: every object.
    pattern: Option<Pattern>,
    fields: Vec<(Field, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    CacheControl,
    ContentType,
    ContentDisposition,
    ContentEncoding,
    ContentLanguage,
    StorageClass,
    /// `meta-NAME`; the name in lower case.
    User(String),
}

impl Field {
    fn parse(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase();
        Some(match name.as_str() {
            "cache-control" => Self::CacheControl,
            "content-type" => Self::ContentType,
            "content-disposition" => Self::ContentDisposition,
            "content-encoding" => Self::ContentEncoding,
            "content-language" => Self::ContentLanguage,
            "storage-class" => Self::StorageClass,
            other => {
                let own = other.strip_prefix("meta-").filter(|own| !own.is_empty())?;
                let is_name =
                    own.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
                return is_name.then(|| Self::User(own.to_owned()));
            }
        })
    }

    fn set(&self, value: &str, metadata: &mut Metadata) {
        let slot = match self {
            Self::CacheControl => &mut metadata.cache_control,
            Self::ContentType => &mut metadata.content_type,
            Self::ContentDisposition => &mut metadata.content_disposition,
            Self::ContentEncoding => &mut metadata.content_encoding,
            Self::ContentLanguage => &mut metadata.content_language,
            Self::StorageClass => &mut metadata.storage_class,
            Self::User(name) if value.is_empty() => {
                metadata.user.remove(name);
                return;
            }
            Self::User(name) => {
                metadata.user.insert(name.clone(), value.to_owned());
                return;
            }
        };
        *slot = (!value.is_empty()).then(|| value.to_owned());
    }
}

impl HeaderRule {
    /// Sets the fields in `metadata`, if the rule is about `key`.
    pub fn apply(&self, key: &str, metadata: &mut Metadata) {
        if self.pattern.as_ref().is_none_or(|pattern| pattern.matches(key)) {
            self.fields.iter().for_each(|(field, value)| field.set(value, metadata));
        }
    }
}

impl FromStr for HeaderRule {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        const EXPECTED: &str = "FIELD=VALUE or PATTERN: FIELD=VALUE, with cache-control, content-type, content-disposition, \
            content-encoding, content-language, storage-class or meta-NAME as the field";
        let invalid = || InvalidValue::new(text, EXPECTED);
        // Where the text begins with a field, a `: ` further on is part of its value.
        let (pattern, fields) = match text.split_once(": ") {
            Some((pattern, fields)) if assignment(pattern).is_none() => (Some(pattern), fields),
            _ => (None, text),
        };
        let pattern = match pattern {
            Some("") => return Err(invalid()),
            Some(pattern) => {
                let compiled = Pattern::new(pattern);
                Some(
                    compiled
                        .map_err(|_| InvalidValue::new(pattern, "a pattern of the filter language before the ': '"))?,
                )
            }
            None => None,
        };
        let mut parsed: Vec<(Field, String)> = Vec::new();
        for part in fields.split("; ") {
            match (assignment(part), parsed.last_mut()) {
                (Some((field, value)), _) => parsed.push((field, value.to_owned())),
                (None, Some((_, value))) => value.extend(["; ", part]),
                (None, None) => return Err(invalid()),
            }
        }
        Ok(Self { pattern, fields: parsed })
    }
}

fn assignment(text: &str) -> Option<(Field, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((Field::parse(name)?, value.trim()))
}
