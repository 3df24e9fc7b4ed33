//! The house rules, read from the sources: who may use whom, what nobody may do, and what every file looks like.
//! A rule that fails names the file and line.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Sources that may read the environment, each with the reason.
const READS_ENVIRONMENT: &[(&str, &str)] = &[
    ("backends/src/s3/", "AWS's own credential chain is environment, profile files and instance metadata"),
    ("backends/src/b2/settings.rs", "Backblaze's own tools take the key from the environment"),
];

/// Sources that may be longer than 800 lines because they are a table of alike things, each with the reason.
const LONG_TABLES: &[(&str, &str)] = &[];

/// Everything the top level may hold beside dotfiles and what git ignores.
const TOP_LEVEL: &[&str] = &["Cargo.toml", "Cargo.lock", "src", "backends", "docs", "tests", "README.md", "LICENSE"];

struct Source {
    /// Relative to the root, with `/`.
    path: String,
    text: String,
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below the folders, in order.
fn sources(folders: &[&str]) -> Vec<Source> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut folders: Vec<PathBuf> = folders.iter().map(|folder| root().join(folder)).collect();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    let read = |path: PathBuf| Source {
        path: path.strip_prefix(root()).expect("found below the root").to_string_lossy().replace('\\', "/"),
        text: fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())),
    };
    found.into_iter().map(read).collect()
}

impl Source {
    /// A file of unit tests, beside the code it tests.
    fn is_tests(&self) -> bool {
        self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The room a file of the engine belongs to: `list` for `src/list/merge.rs`, `sync` for `src/sync.rs`.
    fn room(&self) -> Option<&str> {
        let inside = self.path.strip_prefix("src/")?;
        let first = inside.split('/').next()?;
        (!matches!(first, "bin" | "lib.rs")).then(|| first.trim_end_matches(".rs"))
    }
}

/// The code without comments, strings and inline `#[cfg(test)]` modules; line numbers stay.
fn code(text: &str) -> String {
    without_test_modules(&without_text(text))
}

/// The code without comments and strings; line numbers stay.
fn without_text(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let raw = if first == 'r' && !code.ends_with(is_word) { raw_quoted(rest) } else { None };
        let taken = match first {
            _ if raw.is_some() => raw.unwrap_or_default(),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => quoted(rest),
            '\'' if rest.starts_with("'\"'") => 3,
            _ => {
                code.push(first);
                rest = &rest[first.len_utf8()..];
                continue;
            }
        };
        code.extend(rest[..taken].chars().filter(|&letter| letter == '\n'));
        rest = &rest[taken..];
    }
    code
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// The length of the string literal `text` starts with.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, letter) in text.char_indices().skip(1) {
        match letter {
            '"' if !escaped => return at + 1,
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    text.len()
}

/// The length of the raw string literal `text` starts with, if it does.
fn raw_quoted(text: &str) -> Option<usize> {
    let hashes = text[1..].find(|letter| letter != '#')?;
    let open = 1 + hashes;
    text[open..].strip_prefix('"')?;
    let close = format!("\"{}", "#".repeat(hashes));
    Some(text[open + 1..].find(&close).map_or(text.len(), |end| open + 1 + end + close.len()))
}

/// Empties `#[cfg(test)] mod x { .. }`; rustfmt puts the closing brace under the attribute.
fn without_test_modules(code: &str) -> String {
    let mut kept = String::with_capacity(code.len());
    let mut until: Option<String> = None;
    let mut lines = code.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(end) = &until {
            if line == end {
                until = None;
            }
        } else if line.trim() == "#[cfg(test)]"
            && lines.peek().is_some_and(|next| next.trim_start().starts_with("mod ") && next.ends_with('{'))
        {
            until = Some(format!("{indent}}}"));
        } else {
            kept.push_str(line);
        }
        kept.push('\n');
    }
    kept
}

/// Where a word or path stands in code, not as the end or beginning of a longer word: 1-based line numbers.
fn lines_with(code: &str, path: &str) -> Vec<usize> {
    let stands_alone = |line: &str| {
        line.match_indices(path).any(|(at, _)| {
            let after = &line[at + path.len()..];
            !line[..at].ends_with(is_word) && (!path.ends_with(is_word) || !after.starts_with(is_word))
        })
    };
    code.lines().enumerate().filter(|(_, line)| stands_alone(line)).map(|(at, _)| at + 1).collect()
}

/// The first segments of every `crate::..` path, groups included: `crate::{list::X, plan}` gives `list` and `plan`.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, path) in code.match_indices("crate::") {
        // `$crate` in a macro is the crate too; `other_crate::` is not.
        if code[..at].ends_with(is_word) {
            continue;
        }
        let rest = &code[at + path.len()..];
        let Some(group) = rest.strip_prefix('{') else {
            names.insert(rest.chars().take_while(|&letter| is_word(letter)).collect());
            continue;
        };
        let (mut depth, mut name, mut at_start) = (0, String::new(), true);
        for letter in group.chars() {
            match letter {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => {
                    names.insert(std::mem::take(&mut name));
                    at_start = true;
                }
                _ if depth == 0 && at_start && is_word(letter) => name.push(letter),
                _ if depth == 0 && !name.is_empty() => at_start = false,
                _ => {}
            }
        }
        names.insert(name);
    }
    names.remove("");
    names
}

/// The rooms, in the order of the law.
fn rooms(lib: &str) -> Vec<String> {
    let declared = |line: &str| Some(line.strip_prefix("pub mod ")?.strip_suffix(';')?.to_owned());
    code(lib).lines().filter_map(declared).collect()
}

/// Uses that break the law, for one file.
fn lawless(source: &Source, rooms: &[String]) -> Vec<String> {
    let Some(room) = source.room() else { return Vec::new() };
    let Some(own) = rooms.iter().position(|name| name == room) else {
        return vec![format!("{}: `{room}` is no `pub mod` of src/lib.rs", source.path)];
    };
    let code = code(&source.text);
    let mut broken = Vec::new();
    for name in crate_paths(&code) {
        match rooms.iter().position(|room| *room == name) {
            Some(used) if used > own => broken.push(format!("{}: {room} uses {name}, which is below it", source.path)),
            Some(_) => {}
            None => broken.push(format!("{}: `crate::{name}` is no room; name the room it lies in", source.path)),
        }
    }
    for below in &rooms[own + 1..] {
        for line in lines_with(&code, &format!("super::{below}")) {
            // The innermost folder may well have a module of that name; two steps up it can only be a room.
            if code.lines().nth(line - 1).is_some_and(|text| text.contains("super::super::")) {
                broken.push(format!("{}:{line}: {room} uses {below}, which is below it", source.path));
            }
        }
    }
    broken
}

fn assert_none(broken: &[String]) {
    assert!(broken.is_empty(), "\n{}\n", broken.join("\n"));
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let rooms = rooms(&fs::read_to_string(root().join("src/lib.rs")).unwrap());
    let engine = sources(&["src"]);
    let broken: Vec<String> =
        engine.iter().filter(|source| !source.is_tests()).flat_map(|source| lawless(source, &rooms)).collect();
    assert_none(&broken);
}

#[test]
fn backends_uses_nobody() {
    let mut broken = Vec::new();
    for source in sources(&["backends/src"]) {
        for line in lines_with(&code(&source.text), "sterna::") {
            broken.push(format!("{}:{line}: backends uses the engine", source.path));
        }
    }
    let manifest = fs::read_to_string(root().join("backends/Cargo.toml")).unwrap();
    if manifest.lines().any(|line| line.starts_with("sterna.") || line.starts_with("sterna ")) {
        broken.push("backends/Cargo.toml: depends on the engine".to_owned());
    }
    assert_none(&broken);
}

#[test]
fn only_the_face_prints_and_reads_the_environment() {
    let mut broken = Vec::new();
    for source in sources(&["src", "backends/src"]) {
        if source.path.starts_with("src/bin/") || source.is_tests() {
            continue;
        }
        let code = code(&source.text);
        for word in ["println!", "eprintln!", "print!", "eprint!", "stdout", "stderr", "dbg!"] {
            // A macro's name ends in `!`, a stream's in `()`.
            let word = if word.ends_with('!') { word.to_owned() } else { format!("{word}()") };
            for line in lines_with(&code, &word) {
                broken.push(format!("{}:{line}: {word} outside the face", source.path));
            }
        }
        if READS_ENVIRONMENT.iter().any(|(path, _)| source.path.starts_with(path)) {
            continue;
        }
        let reads: BTreeSet<usize> = ["std::env", "env::"].iter().flat_map(|word| lines_with(&code, word)).collect();
        for line in reads {
            broken.push(format!("{}:{line}: the environment, outside the face", source.path));
        }
    }
    assert_none(&broken);
}

#[test]
fn the_top_level_holds_only_what_it_should() {
    let mut broken = Vec::new();
    for entry in fs::read_dir(root()).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') && name != "target" && !TOP_LEVEL.contains(&name.as_str()) {
            broken.push(format!("{name}: does not belong at the top level"));
        }
    }
    assert_none(&broken);
}

#[test]
fn files_have_the_shape_of_the_house() {
    const NAMES: [&str; 8] = ["util", "utils", "common", "helper", "helpers", "manager", "managers", "misc"];
    let mut broken = Vec::new();
    for source in sources(&["src", "backends", "tests"]) {
        let path = &source.path;
        let lines = source.text.lines().count();
        if lines > 800 && !LONG_TABLES.iter().any(|(table, _)| table == path) {
            broken.push(format!("{path}: {lines} lines, 800 at most"));
        }
        let stem = path.trim_end_matches(".rs");
        if stem.split('/').any(|part| NAMES.contains(&part)) {
            broken.push(format!("{path}: a name that says nothing"));
        }
        if !stem.ends_with("/lib") && !stem.ends_with("/main") && root().join(stem).is_dir() {
            broken.push(format!("{path}: beside {stem}/; a folder's own file is mod.rs"));
        }
        if !lines_with(&code(&source.text), "allow(").is_empty() {
            broken.push(format!("{path}: #[allow]; #[expect(.., reason)] instead"));
        }
        broken.extend(
            long_functions(&source.text)
                .into_iter()
                .map(|(line, long)| format!("{path}:{line}: a function of {long} lines, 80 at most")),
        );
    }
    assert_none(&broken);
}

/// First line and length of every function of more than 80 lines; rustfmt puts its last brace under its first word.
fn long_functions(text: &str) -> Vec<(usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let starts = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().take_while(|word| *word != "fn").collect();
        let before = ["pub", "pub(crate)", "pub(super)", "async", "const"];
        line.contains("fn ") && !line.ends_with(['}', ';']) && words.iter().all(|word| before.contains(word))
    };
    let mut long = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| starts(line)) {
        let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
        let length = lines[at..].iter().position(|line| *line == end).map_or(0, |end| end + 1);
        if length > 80 {
            long.push((at + 1, length));
        }
    }
    long
}

/// The number of a promise a line of docs/semantics.md opens: `## 4. Deletes need a proof` or `### Promise 4: ..`.
/// A heading that ends in `(planned)` promises nothing yet.
fn promised(line: &str) -> Option<u32> {
    let heading = line.strip_prefix("##")?.trim_start_matches('#').trim();
    let heading = heading.strip_prefix("Promise ").unwrap_or(heading);
    let digits = heading.find(|letter: char| !letter.is_ascii_digit())?;
    (!heading.ends_with("(planned)")).then(|| heading[..digits].parse().ok())?
}

/// The numbers in `fn promise_4_..`.
fn kept(code: &str) -> BTreeSet<u32> {
    let number = |rest: &str| rest.split('_').next()?.parse().ok();
    code.match_indices("fn promise_").filter_map(|(at, word)| number(&code[at + word.len()..])).collect()
}

#[test]
fn every_promise_has_a_test_of_its_number() {
    let page = fs::read_to_string(root().join("docs/semantics.md")).unwrap_or_default();
    let promised: BTreeSet<u32> = page.lines().filter_map(promised).collect();
    // Samples in strings, as in this file, do not count.
    let kept: BTreeSet<u32> =
        sources(&["src", "backends", "tests"]).iter().flat_map(|source| kept(&without_text(&source.text))).collect();
    let untested: Vec<_> = promised.difference(&kept).collect();
    let unwritten: Vec<_> = kept.difference(&promised).collect();
    assert!(untested.is_empty(), "promises of docs/semantics.md without a test `promise_N_..`: {untested:?}");
    assert!(unwritten.is_empty(), "tests of promises docs/semantics.md does not make: {unwritten:?}");
}

/// The rules above can fail: each is shown a breach.
mod the_rules_themselves {
    use super::*;

    fn engine_file(path: &str, text: &str) -> Vec<String> {
        let rooms = rooms("pub mod event;\npub mod list;\npub mod plan;\npub mod sync;\n");
        lawless(&Source { path: path.to_owned(), text: text.to_owned() }, &rooms)
    }

    #[test]
    fn the_law_is_enforced() {
        assert_eq!(engine_file("src/plan/a.rs", "use crate::list::X; use crate::{event, plan::{B, C}};"), [""; 0]);
        assert_eq!(engine_file("src/list/a.rs", "use crate::plan::X;").len(), 1);
        assert_eq!(engine_file("src/list/a.rs", "use crate::{\n    event::{E, plan},\n    sync::S,\n};").len(), 1);
        assert_eq!(engine_file("src/list/mod.rs", "fn f() -> crate::Reexported {}").len(), 1);
        assert_eq!(engine_file("src/list/mod.rs", "use super::super::plan::X;").len(), 1);
        assert_eq!(engine_file("src/hall/mod.rs", "").len(), 1);
        assert_eq!(engine_file("src/sync.rs", "use crate::plan;").len(), 0);
        assert_eq!(engine_file("src/list/a.rs", "// crate::plan\nlet a = \"crate::plan\";").len(), 0);
        assert_eq!(engine_file("src/list/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::plan;\n}\n").len(), 0);
    }

    #[test]
    fn code_is_told_from_text() {
        assert_eq!(code("a /* b\n */ c // d\n\"e\\\"\" f r#\"g\"h\"# i '\"' j"), "a \n c \n f  i  j\n");
        assert_eq!(lines_with("x.println!\nmy_println!(\n", "println!"), [1]);
        assert_eq!(lines_with("use std::env;\nstd::environment", "std::env"), [1]);
    }

    #[test]
    fn promises_are_read() {
        assert_eq!(promised("## 4. Deletes need a proof"), Some(4));
        assert_eq!(promised("### Promise 12: a"), Some(12));
        assert_eq!(promised("## 3. No content is sent twice (planned)"), None);
        assert_eq!(promised("## Promises"), None);
        assert_eq!(kept("fn promise_4_an_empty_source() {}\nasync fn promise_12_b() {}"), BTreeSet::from([4, 12]));
    }

    #[test]
    fn long_functions_are_found() {
        let long = format!("impl A {{\n    pub async fn f() {{\n{}    }}\n}}\n", "        g();\n".repeat(79));
        assert_eq!(long_functions(&long), [(2, 81)]);
        assert_eq!(long_functions(&long.replacen("        g();\n", "", 1)), []);
    }
}
