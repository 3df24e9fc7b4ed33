//! The log of a run, for people. Its lines are the events of the run as JSON; a line that is something else is shown as it is.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use serde_json::{Map, Value};

use super::html::Log;

/// Bytes of a log's end that a page shows.
const SHOWN: u64 = 128 * 1024;

/// Bytes of a log that are given whole.
const WHOLE: u64 = 32 * 1024 * 1024;

/// The end of the log at `path`, as people read it.
pub(super) fn end(path: Option<&Path>) -> Log {
    let Some(path) = path else { return Log::None("This run wrote no log.".to_owned()) };
    match tail(path, SHOWN) {
        Ok((bytes, cut)) => {
            let text = String::from_utf8_lossy(&bytes);
            // The first line of a part is a part of a line.
            let whole = if cut { text.split_once('\n').map_or("", |(_, rest)| rest) } else { &text };
            Log::Lines { text: whole.lines().map(|line| told(line) + "\n").collect(), cut }
        }
        Err(error) => Log::None(format!("The log {} cannot be read: {error}", path.display())),
    }
}

/// The log at `path` as it was written; of a very long one the end.
///
/// # Errors
/// What stopped the read.
pub(super) fn whole(path: &Path) -> io::Result<Vec<u8>> {
    tail(path, WHOLE).map(|(bytes, _)| bytes)
}

fn tail(path: &Path, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    let cut = length > most;
    if cut {
        file.seek(SeekFrom::Start(length - most))?;
    }
    let mut bytes = Vec::new();
    file.take(most).read_to_end(&mut bytes)?;
    Ok((bytes, cut))
}

/// A line as people read it: its time of day, what happened, to what, and the rest.
fn told(line: &str) -> String {
    let Ok(Value::Object(mut fields)) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    let mut words = Vec::new();
    if let Some(Value::String(time)) = fields.remove("time") {
        // The time of day, to the second.
        words.push(time.get(11..19).map_or_else(|| time.clone(), str::to_owned));
    }
    for name in ["event", "deed", "key", "message"] {
        if let Some(value) = fields.remove(name) {
            words.push(word(&value));
        }
    }
    words.extend(rest(&fields));
    words.join("  ")
}

fn rest(fields: &Map<String, Value>) -> impl Iterator<Item = String> {
    fields.iter().map(|(name, value)| format!("{name}={}", word(value)))
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_and_what_is_none_is_shown() {
        let line = r#"{"time":"2026-11-25T23:15:02.5Z","event":"failed","place":1,"key":"a b","deed":"transfer","message":"no"}"#;
        assert_eq!(told(line), "23:15:02  failed  transfer  a b  no  place=1");
        assert_eq!(told("sterna: no"), "sterna: no");
    }

    #[test]
    fn of_a_long_log_the_end_is_shown_from_a_whole_line_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let lines: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
        std::fs::write(&path, &lines).unwrap();
        let Log::Lines { text, cut } = end(Some(&path)) else { panic!("it can be read") };
        assert!(cut && text.starts_with("line ") && text.ends_with("line 19999\n"));
        assert_eq!(whole(&path).unwrap(), lines.as_bytes());
        assert!(matches!(end(Some(&folder.path().join("none"))), Log::None(_)) && matches!(end(None), Log::None(_)));
    }
}
