//! RE2's regular expressions (<https://github.com/google/re2/wiki/Syntax>), in the words of the `regex` crate.
//!
//! The two agree on nearly everything. Here is what they do not agree on: `\d`, `\s`, `\w` and `\b` know only ASCII in
//! RE2; `\<` is just `<` there; classes have no operators (`&&`, `--`, `~~`) and do not nest; a brace that is no
//! repetition is a brace.

use super::builder::Reason;

const DIGIT: &str = "0-9";
const SPACE: &str = r"\t\n\f\r\x20";
const WORD: &str = "0-9A-Za-z_";

/// `text`, so that it stands for itself in RE2 and here.
pub(super) fn literal(text: &str) -> String {
    regex::escape(text)
}

/// Writes `expression` anew for the `regex` crate.
///
/// # Errors
/// [`Reason::Unsupported`] for `\B`, `\C`, `\Q`, `\E` and octal escapes. Other faults are left for the crate to find.
pub(super) fn translate(expression: &str) -> Result<String, Reason> {
    let mut out = String::with_capacity(expression.len() + 8);
    let mut rest = expression;
    while let Some(first) = rest.chars().next() {
        let taken = match first {
            '\\' => escape(rest, &mut out, false)?,
            '[' => class(rest, &mut out)?,
            '{' => match repetition(rest) {
                Some(length) => {
                    out.push_str(&rest[..length]);
                    length
                }
                None => {
                    out.push_str(r"\{");
                    1
                }
            },
            '}' => {
                out.push_str(r"\}");
                1
            }
            other => {
                out.push(other);
                other.len_utf8()
            }
        };
        rest = &rest[taken..];
    }
    Ok(out)
}

/// Length of the `{n}`, `{n,}` or `{n,m}` that `rest` starts with.
fn repetition(rest: &str) -> Option<usize> {
    let end = rest.find('}')?;
    let (low, high) = rest[1..end].split_once(',').unwrap_or((&rest[1..end], ""));
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!low.is_empty() && number(low) && number(high)).then_some(end + 1)
}

/// Writes the escape that `rest` starts with; says how long it is.
fn escape(rest: &str, out: &mut String, in_class: bool) -> Result<usize, Reason> {
    let Some(escaped) = rest[1..].chars().next() else {
        return Err(Reason::LoneBackslash);
    };
    let mut taken = 1 + escaped.len_utf8();
    match escaped {
        'd' | 's' | 'w' | 'D' | 'S' | 'W' => {
            let members = match escaped.to_ascii_lowercase() {
                'd' => DIGIT,
                's' => SPACE,
                _ => WORD,
            };
            let not = if escaped.is_ascii_uppercase() { "^" } else { "" };
            out.push_str(&format!("[{not}{members}]"));
        }
        'b' if !in_class => out.push_str(r"(?-u:\b)"),
        'B' | 'C' | 'Q' | 'E' | '0'..='9' => {
            return Err(Reason::Unsupported { construct: rest[..taken].to_owned() });
        }
        'p' | 'P' | 'x' => {
            if rest[taken..].starts_with('{') {
                taken += rest[taken..].find('}').map_or(0, |end| end + 1);
            }
            out.push_str(&rest[..taken]);
        }
        plain if plain.is_ascii() && !plain.is_ascii_alphanumeric() => out.push_str(&member(plain)),
        _ => out.push_str(&rest[..taken]),
    }
    Ok(taken)
}

/// One character, written so that it means itself inside and outside a class.
fn member(character: char) -> String {
    regex::escape(character.encode_utf8(&mut [0; 4]))
}

/// Writes the character class that `rest` starts with; says how long it is.
fn class(rest: &str, out: &mut String) -> Result<usize, Reason> {
    let mut at = 1;
    out.push('[');
    if rest[at..].starts_with('^') {
        out.push('^');
        at += 1;
    }
    let start = at;
    while let Some(first) = rest[at..].chars().next() {
        if first == ']' && at > start {
            out.push(']');
            return Ok(at + 1);
        }
        if rest[at..].starts_with("[:")
            && let Some(end) = rest[at..].find(":]")
        {
            out.push_str(&rest[at..at + end + 2]);
            at += end + 2;
            continue;
        }
        at += class_member(&rest[at..], out)?;
        // A range, unless the hyphen is the last character of the class.
        if let Some(high) = rest[at..].strip_prefix('-')
            && !high.starts_with(']')
            && !high.is_empty()
        {
            out.push('-');
            at += 1 + class_member(high, out)?;
        }
    }
    // Left open; the crate says so.
    Ok(rest.len())
}

fn class_member(rest: &str, out: &mut String) -> Result<usize, Reason> {
    match rest.chars().next() {
        Some('\\') => escape(rest, out, true),
        Some(plain) => {
            out.push_str(&member(plain));
            Ok(plain.len_utf8())
        }
        None => Ok(0),
    }
}
