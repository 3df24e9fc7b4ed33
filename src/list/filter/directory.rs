//! What a pattern for keys says about directories.

/// Patterns for the directories that may hold what `pattern` matches, each ending in `/`, the deepest first; `/**` alone
/// where the pattern does not tell. The root (`/`) is left out: it is always entered.
///
/// A pattern without a leading `/` is followed upwards only as far as it is written, as rclone does:
/// `a/b.txt` gives `a/`, and nothing for the directories above a deeper `a`.
pub(super) fn directories(pattern: &str) -> Vec<String> {
    if is_opaque(pattern) {
        return vec!["/**".to_owned()];
    }
    let squashed = squash(pattern);
    let mut left = squashed.as_str();
    let mut found: Vec<String> = Vec::new();
    loop {
        let slash = left.rfind('/');
        let stars = left.rfind("**");
        let (cut, kept) = match (slash, stars) {
            (None, None) => break,
            (slash, Some(stars)) if Some(stars) > slash => (stars, "**"),
            (slash, _) => (slash.unwrap_or_default(), ""),
        };
        left = &left[..cut];
        let directory = format!("{left}{kept}/");
        if found.last() != Some(&directory) {
            found.push(directory);
        }
    }
    if found.is_empty() {
        found.push("/**".to_owned());
    }
    found.retain(|directory| directory != "/");
    found
}

/// Whether every directory above every key that `pattern` matches is matched by one of [`directories`].
///
/// May say no where yes would be right, never the other way round.
pub(super) fn are_complete(pattern: &str) -> bool {
    if is_opaque(pattern) || (!pattern.contains('/') && !pattern.contains("**")) || pattern.starts_with("**") {
        return true;
    }
    // A class or an escape may match a `/` that is not written; two slashes are folded into one.
    pattern.starts_with('/') && !pattern.contains(['[', '\\']) && !pattern.contains("//")
}

/// Whether an exclude rule that matches a directory also matches every key below it.
///
/// May say no where yes would be right, never the other way round.
pub(super) fn covers_what_is_below(pattern: &str) -> bool {
    // `a\**` ends in an escaped star and a star.
    let covers = pattern == "*" || (pattern.ends_with("**") && !pattern.ends_with("\\**"));
    // No directory ends in a letter, so this one rules none out.
    let rules_none_out = pattern.ends_with(char::is_alphanumeric) && !pattern.contains(['\\', '{', '[']);
    covers || rules_none_out
}

/// Alternatives that hold `/` or `**`, braces in braces, and regular expressions cannot be cut at a slash.
fn is_opaque(pattern: &str) -> bool {
    if pattern.contains("{{") || pattern.contains("}}") {
        return true;
    }
    // Inside of a brace: whether it holds `/` or `**`.
    let mut inside: Option<bool> = None;
    let mut before = ' ';
    for character in pattern.chars() {
        match (character, &mut inside) {
            ('{', Some(_)) | ('}', Some(true)) => return true,
            ('{', None) => inside = Some(false),
            ('}', _) => inside = None,
            ('/', Some(holds)) => *holds = true,
            ('*', Some(holds)) if before == '*' => *holds = true,
            _ => {}
        }
        before = character;
    }
    false
}

fn squash(pattern: &str) -> String {
    let mut squashed = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if character != '/' || !squashed.ends_with('/') {
            squashed.push(character);
        }
    }
    squashed
}
