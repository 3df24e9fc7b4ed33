//! A pattern, cut into pieces, as a regular expression or as something faster.

use super::{builder::Reason, re2};

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    /// Text that stands for itself. Two of these never follow each other.
    Text(String),
    /// `*`: anything within one segment.
    Star,
    /// `**`: anything.
    Stars,
    /// A part of a regular expression, in RE2's words.
    Other(String),
    /// What stands between `{{` and `}}`.
    Expression(String),
}

/// A pattern of the filter language, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Glob {
    anchored: bool,
    pieces: Vec<Piece>,
}

/// What a pattern comes down to where no regular expression is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// `**`, `*`, `/**`
    Anything,
    /// `/a/b`
    Exactly(String),
    /// `a/b`
    Tail(String),
    /// `*.a`, `**a`
    EndsWith(String),
    /// `/a/**`
    StartsWith(String),
    /// `a/**`
    Below(String),
}

impl Shape {
    /// Whether `path` is of this shape.
    pub(super) fn matches(&self, path: &str) -> bool {
        match self {
            Self::Anything => true,
            Self::Exactly(text) => path == text,
            Self::Tail(text) => {
                path.strip_suffix(text.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
            }
            Self::EndsWith(text) => path.ends_with(text.as_str()),
            Self::StartsWith(text) => path.starts_with(text.as_str()),
            Self::Below(text) => {
                path.match_indices(text.as_str()).any(|(at, _)| at == 0 || path.as_bytes()[at - 1] == b'/')
            }
        }
    }
}

impl Glob {
    /// Takes `pattern` apart.
    ///
    /// # Errors
    /// Brackets or braces that do not pair, more than two stars in a row, a `\` with nothing behind it. Regular
    /// expressions inside are not looked at yet.
    pub(super) fn parse(pattern: &str) -> Result<Self, Reason> {
        let (anchored, rest) = match pattern.strip_prefix('/') {
            Some(rest) => (true, rest),
            None => (false, pattern),
        };
        let mut glob = Self { anchored, pieces: Vec::new() };
        glob.read(rest)?;
        Ok(glob)
    }

    fn read(&mut self, mut rest: &str) -> Result<(), Reason> {
        let mut open = 0_usize;
        while let Some(first) = rest.chars().next() {
            let mut taken = first.len_utf8();
            match first {
                '*' => {
                    taken = rest.len() - rest.trim_start_matches('*').len();
                    self.pieces.push(match taken {
                        1 => Piece::Star,
                        2 => Piece::Stars,
                        _ => return Err(Reason::TooManyStars),
                    });
                }
                '?' => self.other("[^/]"),
                '\\' => {
                    let escaped = rest[taken..].chars().next().ok_or(Reason::LoneBackslash)?;
                    taken += escaped.len_utf8();
                    if escaped.is_ascii() && !escaped.is_ascii_alphanumeric() {
                        self.text(escaped);
                    } else {
                        self.other(&rest[..taken]);
                    }
                }
                '[' => {
                    taken = brackets(rest)?;
                    self.other(&rest[..taken]);
                }
                '{' if rest.starts_with("{{") => {
                    let (inside, length) = expression(rest)?;
                    self.pieces.push(Piece::Expression(inside.to_owned()));
                    taken = length;
                }
                '{' => {
                    open += 1;
                    self.other("(?:");
                }
                '}' => {
                    open = open.checked_sub(1).ok_or(Reason::Braces)?;
                    self.other(")");
                }
                ',' if open > 0 => self.other("|"),
                ']' => return Err(Reason::Brackets),
                plain => self.text(plain),
            }
            rest = &rest[taken..];
        }
        if open == 0 { Ok(()) } else { Err(Reason::Braces) }
    }

    fn text(&mut self, character: char) {
        if let Some(Piece::Text(text)) = self.pieces.last_mut() {
            text.push(character);
        } else {
            self.pieces.push(Piece::Text(character.into()));
        }
    }

    fn other(&mut self, expression: &str) {
        if let Some(Piece::Other(text)) = self.pieces.last_mut() {
            text.push_str(expression);
        } else {
            self.pieces.push(Piece::Other(expression.to_owned()));
        }
    }

    /// The simple form, where there is one.
    pub(super) fn shape(&self) -> Option<Shape> {
        use Piece::{Star, Stars, Text};
        Some(match (self.anchored, self.pieces.as_slice()) {
            (_, [Stars]) | (false, [Star]) => Shape::Anything,
            (true, [Text(text)]) => Shape::Exactly(text.clone()),
            (true, [Text(text), Stars]) => Shape::StartsWith(text.clone()),
            (false, [Text(text)]) => Shape::Tail(text.clone()),
            (false, [Star | Stars, Text(text)]) | (true, [Stars, Text(text)]) => Shape::EndsWith(text.clone()),
            (false, [Text(text), Stars]) => Shape::Below(text.clone()),
            _ => return None,
        })
    }

    /// The pattern as an expression for the `regex` crate, anchored as the pattern is.
    ///
    /// # Errors
    /// An escape inside a class or a regular expression that the crate does not have.
    pub(super) fn expression(&self) -> Result<String, Reason> {
        let mut expression = String::from(if self.anchored { "^" } else { "(?:^|/)" });
        let mut re2 = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => re2.push_str(&re2::literal(text)),
                Piece::Star => re2.push_str("[^/]*"),
                Piece::Stars => re2.push_str("(?s:.*)"),
                Piece::Other(text) => re2.push_str(text),
                Piece::Expression(text) => re2.extend(["(", text, ")"]),
            }
        }
        expression.push_str(&re2::translate(&re2)?);
        expression.push('$');
        Ok(expression)
    }

    /// The text that every match starts with.
    pub(super) fn literal_prefix(&self) -> &str {
        // `{{a)|(b}}` reaches around the text before it.
        let reaches_out =
            self.pieces.iter().any(|piece| matches!(piece, Piece::Expression(text) if text.contains(')')));
        match self.pieces.first() {
            Some(Piece::Text(text)) if self.anchored && !reaches_out => text,
            _ => "",
        }
    }
}

/// Length of the character class that `rest` starts with. Classes nest (`[[:digit:]_]`), and a `\` protects nothing.
fn brackets(rest: &str) -> Result<usize, Reason> {
    let mut depth = 0_usize;
    for (at, character) in rest.char_indices() {
        match character {
            '[' => depth += 1,
            ']' if depth == 1 => return Ok(at + 1),
            ']' => depth -= 1,
            _ => {}
        }
    }
    Err(Reason::Brackets)
}

/// The expression inside the `{{…}}` that `rest` starts with, and the length of the whole; of several closing braces
/// in a row the last two close.
fn expression(rest: &str) -> Result<(&str, usize), Reason> {
    let mut end = 2 + rest[2..].find("}}").ok_or(Reason::Braces)?;
    while rest[end + 2..].starts_with('}') {
        end += 1;
    }
    Ok((&rest[2..end], end + 2))
}
