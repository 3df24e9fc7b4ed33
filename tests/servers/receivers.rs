//! Who is told: an HTTP server that writes down what is posted to it, and an SMTP server that keeps e-mail.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::AIOSMTPD;
use crate::process::{Launch, Process};

/// Python's own HTTP server; what it is posted goes to a file each, `PATH` first, the body after a line end. Below `/refuse`
/// it answers 500.
const HOOK: &str = r#"
import http.server, os, sys
class Hook(http.server.BaseHTTPRequestHandler):
    count = 0
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get('Content-Length', 0)))
        Hook.count += 1
        with open('partial', 'wb') as told:
            told.write(self.path.encode() + b'\n' + body)
        os.rename('partial', 'told-%06d' % Hook.count)
        self.send_response(500 if self.path.startswith('/refuse') else 200)
        self.end_headers()
http.server.HTTPServer(('127.0.0.1', int(sys.argv[1])), Hook).serve_forever()
"#;

/// A receiver of one test's own.
#[derive(Debug)]
pub struct Receiver {
    /// `http://127.0.0.1:PORT` or `smtp://127.0.0.1:PORT`.
    pub url: String,
    told: PathBuf,
    prefix: &'static str,
    _process: Process,
}

impl Receiver {
    /// What arrived, in order.
    ///
    /// # Panics
    /// When it cannot be read.
    #[must_use]
    pub fn told(&self) -> Vec<String> {
        let Ok(files) = fs::read_dir(&self.told) else { return Vec::new() };
        let paths = files.map(|file| file.expect("a readable folder").path());
        let is_one = |path: &PathBuf| name(path).starts_with(self.prefix) && path.is_file();
        let mut paths: Vec<PathBuf> = paths.filter(is_one).collect();
        paths.sort();
        paths.iter().map(|path| fs::read_to_string(path).expect("text that was told")).collect()
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// An HTTP server that hears.
///
/// # Panics
/// With the reason, when it does not start.
#[must_use]
pub fn hook() -> Receiver {
    let started = Process::start("hook", 1, |_, ports| {
        let mut command = Command::new("python3");
        command.args(["-c", HOOK, &ports[0].to_string()]);
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/", true)] })
    });
    let (process, ports) = started.unwrap_or_else(|why| panic!("a test server is missing: {why}"));
    let told = process.directory().to_owned();
    Receiver { url: format!("http://127.0.0.1:{}", ports[0]), told, prefix: "told-", _process: process }
}

/// aiosmtpd, which keeps e-mail in a Maildir.
///
/// # Panics
/// With the reason, when it cannot be installed or does not start.
#[must_use]
pub fn mailbox() -> Receiver {
    let started = Process::start("mailbox", 1, |directory, ports| {
        let mut command = Command::new("python3");
        command.args(["-m", "aiosmtpd", "-n", "-l", &format!("127.0.0.1:{}", ports[0])]);
        command.args(["-c", "aiosmtpd.handlers.Mailbox"]).arg(directory.join("mail"));
        command.env("PYTHONPATH", AIOSMTPD.directory()?).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "", true)] })
    });
    let (process, ports) = started.unwrap_or_else(|why| panic!("a test server is missing: {why}"));
    let told = process.directory().join("mail/new");
    Receiver { url: format!("smtp://127.0.0.1:{}", ports[0]), told, prefix: "", _process: process }
}
