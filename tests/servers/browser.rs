//! A real browser without a window, driven over the DevTools protocol: how a page looks to who opens it.
//!
//! It speaks through two pipes (`--remote-debugging-pipe`: it reads descriptor 3 and writes 4, messages end in a zero byte) and
//! ends when they close, so it cannot outlive the test.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::debian::CHROMIUM;
use crate::install::run;

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    child: Child,
    to: File,
    from: BufReader<File>,
    session: Option<String>,
    sent: u64,
    events: Vec<Value>,
    _profile: TempDir,
}

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub struct View {
    /// Width of the window, in CSS pixels.
    pub width: u32,
    /// Its height.
    pub height: u32,
    /// Whether the reader prefers dark colours.
    pub dark: bool,
}

/// What a page did while it was loaded.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// What went to the console, and every error.
    pub console: Vec<String>,
    /// The addresses that were asked for, the page's own first.
    pub requests: Vec<String>,
}

impl Browser {
    /// Starts it.
    ///
    /// # Panics
    /// With the reason, where it cannot be had or does not start.
    #[must_use]
    pub fn start() -> Self {
        Self::try_start().unwrap_or_else(|reason| panic!("a browser is missing: {reason}"))
    }

    fn try_start() -> Result<Self, String> {
        let (browser, _) = CHROMIUM.command()?;
        let failed = |error: std::io::Error| format!("cannot start {:?}: {error}", browser.get_program());
        let profile = tempfile::Builder::new().prefix("sterna-browser-").tempdir().map_err(failed)?;
        let (to, from) = (profile.path().join("to"), profile.path().join("from"));
        run(Command::new("mkfifo").args([&to, &from]))?;
        let mut command = Command::new("sh");
        command.args(["-c", r#"to=$1 from=$2; shift 2; exec "$@" 3<"$to" 4>"$from""#, "sh"]).args([&to, &from]);
        command.arg(browser.get_program());
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
        command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
        command.args(["--hide-scrollbars", "--remote-debugging-pipe"]);
        command.arg(format!("--user-data-dir={}", profile.path().join("profile").display()));
        for (name, value) in browser.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().map_err(failed)?;
        let to = File::options().write(true).open(&to).map_err(failed)?;
        let from = BufReader::new(File::open(&from).map_err(failed)?);
        let (session, events) = (None, Vec::new());
        let mut browser = Self { child, to, from, session, sent: 0, events, _profile: profile };
        let target = browser.call("Target.createTarget", &json!({ "url": "about:blank" }));
        let attached =
            browser.call("Target.attachToTarget", &json!({ "targetId": target["targetId"], "flatten": true }));
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        Ok(browser)
    }

    /// Loads a file and waits until it is there.
    ///
    /// # Panics
    /// When the browser ends.
    pub fn load(&mut self, file: &Path, view: View) -> Heard {
        self.open(&format!("file://{}", file.display()), view)
    }

    /// Loads an address and waits until it is there.
    ///
    /// # Panics
    /// When the browser ends.
    pub fn open(&mut self, address: &str, view: View) -> Heard {
        let View { width, height, dark } = view;
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.call("Emulation.setDeviceMetricsOverride", &metrics);
        let scheme = if dark { "dark" } else { "light" };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] });
        self.call("Emulation.setEmulatedMedia", &media);
        self.loads(|browser| {
            browser.call("Page.navigate", &json!({ "url": address }));
        })
    }

    /// Clicks what the selector finds first, and waits until the page is there that this leads to.
    ///
    /// # Panics
    /// Where nothing is found.
    pub fn follow(&mut self, selector: &str) -> Heard {
        let click = format!("document.querySelector({}).click()", json!(selector));
        self.loads(|browser| {
            browser.evaluate(&click);
        })
    }

    fn loads(&mut self, begin: impl FnOnce(&mut Self)) -> Heard {
        self.events.clear();
        begin(self);
        while !self.events.iter().any(|event| event["method"] == "Page.loadEventFired") {
            let event = self.receive();
            self.events.push(event);
        }
        // Whatever the page does at once after it was loaded has been done when this answers.
        self.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
        let mut heard = Heard::default();
        for event in &self.events {
            match event["method"].as_str() {
                Some("Network.requestWillBeSent") => {
                    heard.requests.push(event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned());
                }
                Some("Runtime.consoleAPICalled" | "Runtime.exceptionThrown" | "Log.entryAdded") => {
                    heard.console.push(event["params"].to_string());
                }
                _ => {}
            }
        }
        heard
    }

    /// What an expression comes to in the page.
    ///
    /// # Panics
    /// Where it throws.
    pub fn evaluate(&mut self, expression: &str) -> Value {
        let asked = json!({ "expression": expression, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", &asked);
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The whole page as a PNG.
    ///
    /// # Panics
    /// Where the browser gives none.
    pub fn picture(&mut self) -> Vec<u8> {
        let size =
            self.evaluate("({ w: document.documentElement.clientWidth, h: document.documentElement.scrollHeight })");
        let clip = json!({ "x": 0, "y": 0, "width": size["w"], "height": size["h"], "scale": 1 });
        let answer = self.call("Page.captureScreenshot", &json!({ "captureBeyondViewport": true, "clip": clip }));
        let data = answer["data"].as_str().expect("a picture");
        base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
    }

    fn call(&mut self, method: &str, params: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({ "id": self.sent, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let text = format!("{message}\0");
        self.to.write_all(text.as_bytes()).unwrap_or_else(|error| panic!("{method}: the browser is gone: {error}"));
        loop {
            let answer = self.receive();
            if answer["id"] == self.sent {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn receive(&mut self) -> Value {
        let mut message = Vec::new();
        self.from.read_until(0, &mut message).expect("a pipe to the browser");
        assert_eq!(message.pop(), Some(0), "the browser has ended");
        serde_json::from_slice(&message).expect("JSON")
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _gone_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}
