//! Backblaze B2: the official SDK's own simulator, mended and served over HTTP (`simulator.py`, `serve.py`).
//!
//! No account is needed and none is reachable from a test. What stands in for the service is Backblaze's code wherever
//! that does what the service does; that the rest is honest is shown by `it/b2_oracle.rs`, where the official command
//! line and rclone make the same round trip against it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::install::B2;
use crate::judge::{self, Remote};
use crate::process::{Launch, Process};

/// What a bucket of B2 is asked for.
pub const EVERYTHING: &[&str] =
    &["listBuckets", "listFiles", "readFiles", "writeFiles", "deleteFiles", "writeBuckets", "deleteBuckets"];

/// A running B2, with one account.
#[derive(Debug)]
pub struct B2Server {
    /// `http://127.0.0.1:PORT`, where accounts are authorized.
    pub endpoint: String,
    /// The id of the key that may do everything.
    pub key_id: String,
    /// The key.
    pub key: String,
    /// The process behind the endpoint.
    pub process: Process,
    port: u16,
}

impl B2Server {
    /// A server of one's own: for tests that count calls or ask for faults.
    ///
    /// # Panics
    /// When it cannot be installed or does not start.
    #[must_use]
    pub fn start() -> Self {
        start().unwrap_or_else(|reason| panic!("a test server is missing: {reason}"))
    }

    /// Makes a bucket of its own for one test, `NAME-NUMBER`, and returns its name.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn bucket(&self, name: &str) -> String {
        static NUMBER: AtomicU32 = AtomicU32::new(1);
        let bucket = format!("{name}-{:04}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.control("make", &json!({ "bucketName": bucket }));
        bucket
    }

    /// A key restricted to buckets and a prefix, as id and secret.
    ///
    /// # Panics
    /// When the server refuses.
    #[must_use]
    pub fn restricted(&self, buckets: &[&str], prefix: Option<&str>, capabilities: &[&str]) -> (String, String) {
        let asked = json!({ "buckets": buckets, "namePrefix": prefix, "capabilities": capabilities });
        let made = self.control("key", &asked);
        let text = |name: &str| made[name].as_str().expect("a key has an id and a secret").to_owned();
        (text("applicationKeyId"), text("applicationKey"))
    }

    /// Asks for faults to come; `serve.py` says which there are.
    ///
    /// # Panics
    /// When the server refuses.
    pub fn faults(&self, faults: Value) {
        self.control("faults", &faults);
    }

    /// Every account token expires now.
    pub fn expire(&self) {
        self.control("expire", &Value::Null);
    }

    /// Every upload token expires now.
    pub fn expire_uploads(&self) {
        self.control("expire_uploads", &Value::Null);
    }

    /// Forgets the calls so far, and the faults to come.
    pub fn reset(&self) {
        self.control("reset", &Value::Null);
    }

    /// The calls since the last reset, by the API's name.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<String, u64> {
        serde_json::from_value(self.control("calls", &Value::Null)).expect("counts by name")
    }

    /// The calls since the last reset in order: seconds since then, name, HTTP status.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn log(&self) -> Vec<(f64, String, u16)> {
        serde_json::from_value(self.control("log", &Value::Null)).expect("a list of calls")
    }

    /// All versions in a bucket, unfinished large files included, as the service would list them.
    ///
    /// # Panics
    /// When the server does not answer.
    #[must_use]
    pub fn versions(&self, bucket: &str) -> Vec<Value> {
        let Value::Array(files) = self.control(&format!("files/{bucket}"), &Value::Null) else {
            panic!("no list of files")
        };
        files
    }

    /// rclone with this server as its remote `server:`.
    ///
    /// # Panics
    /// When rclone cannot be installed.
    #[must_use]
    pub fn rclone(&self) -> Command {
        judge::rclone_with_remotes(&[("server", &self.remote())])
    }

    /// How rclone's configuration names this server.
    #[must_use]
    pub fn remote(&self) -> Remote {
        let settings = [("TYPE", "b2"), ("ACCOUNT", &self.key_id), ("KEY", &self.key), ("ENDPOINT", &self.endpoint)];
        settings.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// Backblaze's own command line, authorized at this server.
    ///
    /// # Panics
    /// When it cannot be installed.
    #[must_use]
    pub fn official(&self) -> Command {
        let library = B2.directory().unwrap_or_else(|reason| panic!("the judge is missing: {reason}"));
        let mut command = Command::new("python3");
        command.args(["-m", "b2._internal.b2v5"]).env("PYTHONPATH", library).env("PYTHONDONTWRITEBYTECODE", "1");
        command.env("B2_APPLICATION_KEY_ID", &self.key_id).env("B2_APPLICATION_KEY", &self.key);
        command.env("B2_ENVIRONMENT", &self.endpoint);
        // What it remembers of accounts would be the machine's.
        command.env("B2_ACCOUNT_INFO", self.process.directory().join("account.db"));
        command
    }

    /// One request to the server's own control, beside the API.
    fn control(&self, what: &str, given: &Value) -> Value {
        let ask = || -> std::io::Result<String> {
            let body = if given.is_null() { String::new() } else { given.to_string() };
            let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
            write!(
                stream,
                "POST /control/{what} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = ask().unwrap_or_else(|error| panic!("/control/{what}: {error}\n{}", self.process.log_end()));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        assert!(head.starts_with("HTTP/1.1 200"), "/control/{what}: {answer}\n{}", self.process.log_end());
        serde_json::from_str(body).expect("the control answers in JSON")
    }
}

pub(crate) fn start() -> Result<B2Server, String> {
    let library = B2.directory()?;
    let (process, ports) = Process::start("b2", 1, |directory, ports| {
        for (name, text) in [("simulator.py", include_str!("simulator.py")), ("serve.py", include_str!("serve.py"))] {
            let path = directory.join(name);
            fs::write(&path, text).map_err(|error| format!("cannot write {}: {error}", path.display()))?;
        }
        let mut command = Command::new("python3");
        command.arg(directory.join("serve.py")).arg(ports[0].to_string());
        command.env("PYTHONPATH", &library).env("PYTHONDONTWRITEBYTECODE", "1");
        Ok(Launch { command, litter: Vec::new(), ready: vec![(ports[0], "/control/calls", true)] })
    })?;
    Ok(B2Server {
        endpoint: format!("http://127.0.0.1:{}", ports[0]),
        key_id: "account-0".to_owned(),
        key: "masterKey-0".to_owned(),
        process,
        port: ports[0],
    })
}
