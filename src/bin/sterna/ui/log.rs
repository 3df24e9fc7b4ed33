//! Events as JSON lines.

use std::io::{self, Write};

use serde::Serialize;
use sterna::event::{Event, Observer};

/// Writes each event but the passing of bytes to standard error, with its time.
#[derive(Clone, Copy, Debug)]
pub struct JsonLog;

#[derive(Serialize)]
struct Line<'a> {
    time: jiff::Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

impl Observer for JsonLog {
    fn on(&self, event: &Event) {
        if matches!(event, Event::Bytes { .. } | Event::Listed { .. }) {
            return;
        }
        if let Ok(line) = serde_json::to_string(&Line { time: jiff::Timestamp::now(), event }) {
            let _nobody_reads = writeln!(io::stderr(), "{line}");
        }
    }
}
