//! Events as JSON lines.

use std::{
    fmt,
    io::{self, Write},
};

use serde::Serialize;
use sterna::event::{Event, Observer};

/// Writes each event but the passing of bytes to standard error, with its time.
#[derive(Clone, Copy, Debug)]
pub struct JsonLog;

/// An event as a line of a log: JSON, with its time.
#[derive(Serialize)]
pub struct LogLine<'a> {
    time: jiff::Timestamp,
    #[serde(flatten)]
    event: &'a Event,
}

impl<'a> LogLine<'a> {
    /// That it has just happened; `None` for what happens too often to be told one by one.
    pub fn of(event: &'a Event) -> Option<Self> {
        let often = matches!(event, Event::Bytes { .. } | Event::Listed { .. });
        (!often).then(|| Self { time: jiff::Timestamp::now(), event })
    }
}

impl fmt::Display for LogLine<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&serde_json::to_string(self).map_err(|_| fmt::Error)?)
    }
}

impl Observer for JsonLog {
    fn on(&self, event: &Event) {
        if let Some(line) = LogLine::of(event) {
            let _nobody_reads = super::above_bars(|| writeln!(io::stderr(), "{line}"));
        }
    }
}
