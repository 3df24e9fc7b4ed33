//! The log of a run: its events as JSON lines, and at the end what came of it.

use std::{
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use jiff::Timestamp as Time;
use sterna::{
    backends::Timestamp,
    event::{Event, Observer},
    jobs::RunRecord,
};

use crate::ui::LogLine;

/// Logs of a job that are kept.
const KEPT: usize = 200;

/// A log being written. What cannot be written is lost, and stops nothing.
pub struct Log(Mutex<BufWriter<File>>);

impl Log {
    /// In `folder`, named by the time; the oldest ones go.
    pub fn create(folder: &Path, began: Timestamp) -> io::Result<(Self, PathBuf)> {
        fs::create_dir_all(folder)?;
        let mut logs: Vec<PathBuf> = fs::read_dir(folder)?.flatten().map(|entry| entry.path()).collect();
        logs.retain(|path| path.extension().is_some_and(|extension| extension == "jsonl"));
        logs.sort();
        for old in logs.iter().take(logs.len().saturating_sub(KEPT - 1)) {
            let _gone_already = fs::remove_file(old);
        }
        let path = folder.join(format!("{}.jsonl", Time::from(began).strftime("%Y%m%dT%H%M%S.%6fZ")));
        let mut options = File::options();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        Ok((Self(Mutex::new(BufWriter::new(file))), path))
    }

    /// The last line.
    pub fn end(&self, record: &RunRecord) {
        let mut file = self.file();
        let told = serde_json::json!({ "time": Time::now(), "event": "ended", "record": record });
        let _lost = writeln!(file, "{told}").and_then(|()| file.flush());
    }

    fn file(&self) -> MutexGuard<'_, BufWriter<File>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Log {
    fn on(&self, event: &Event) {
        // What is told thousands of times a second tells nobody anything afterwards.
        if matches!(event, Event::Started { .. } | Event::Planned { .. } | Event::Reading { .. }) {
            return;
        }
        let Some(line) = LogLine::of(event) else { return };
        let mut file = self.file();
        let _lost = writeln!(file, "{line}");
        // Whoever looks while it goes on sees what went wrong.
        if matches!(event, Event::Failed { .. } | Event::Lost { .. } | Event::PlanEnded | Event::Republished) {
            let _lost = file.flush();
        }
    }
}
