//! A program under a real pseudo-terminal: what a person sees, and the keys a person presses.

use std::io::{Read, Write};
use std::num::NonZeroU16;
use std::process::{Child, Command, ExitStatus};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use pty_process::Size;
use pty_process::blocking::{Command as PtyCommand, Pty};

const ROWS: u16 = 24;
const COLUMNS: u16 = 100;

/// A program on a terminal of 24 rows and 100 columns. It is killed when this value is dropped.
pub struct Terminal {
    child: Child,
    pty: Arc<Pty>,
    shown: Arc<Shown>,
}

/// What came out of the terminal so far, and the bell that rings when more does.
struct Shown {
    state: Mutex<State>,
    more: Condvar,
}

struct State {
    screen: vt100::Parser,
    bytes: Vec<u8>,
    /// No process has the terminal open any more.
    closed: bool,
}

impl Terminal {
    /// Starts a command with exactly the environment that was set on it, and `TERM=xterm-256color`.
    pub fn start(command: &Command) -> Self {
        let (pty, pts) = pty_process::blocking::open().expect("a pseudo-terminal");
        pty.resize(Size::new(ROWS, COLUMNS)).expect("a terminal has a size");
        let mut started = PtyCommand::new(command.get_program()).args(command.get_args()).env_clear();
        for (name, value) in command.get_envs() {
            started = match value {
                Some(value) => started.env(name, value),
                None => started.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            started = started.current_dir(directory);
        }
        let child = started.env("TERM", "xterm-256color").spawn(pts).expect("a program that runs");
        let size = |cells| NonZeroU16::new(cells).expect("a screen has cells");
        let state =
            State { screen: vt100::Parser::new(size(ROWS), size(COLUMNS), 0), bytes: Vec::new(), closed: false };
        let shown = Arc::new(Shown { state: Mutex::new(state), more: Condvar::new() });
        let pty = Arc::new(pty);
        let (reader, writer) = (Arc::clone(&pty), Arc::clone(&shown));
        thread::spawn(move || writer.follow(&reader));
        Self { child, pty, shown }
    }

    /// Waits until the screen is as it should be, and returns it.
    #[track_caller]
    pub fn until(&self, what: &str, condition: impl Fn(&str) -> bool) -> String {
        self.shown.until(what, |state| condition(&state.screen.screen().contents()))
    }

    /// What stands on the screen now, without colours, lines separated by `\n`.
    pub fn screen(&self) -> String {
        self.shown.state.lock().unwrap_or_else(PoisonError::into_inner).screen.screen().contents()
    }

    /// Every byte written to the terminal so far, escape sequences included.
    pub fn bytes(&self) -> Vec<u8> {
        self.shown.state.lock().unwrap_or_else(PoisonError::into_inner).bytes.clone()
    }

    /// Presses keys.
    pub fn press(&self, keys: &str) {
        (&*self.pty).write_all(keys.as_bytes()).expect("an open terminal");
    }

    /// Presses Ctrl-C: the terminal sends SIGINT to the program in front.
    pub fn ctrl_c(&self) {
        self.press("\x03");
    }

    /// SIGKILL.
    pub fn kill(&mut self) {
        self.child.kill().expect("a child");
    }

    /// Waits until the program has ended, and says how long that took.
    #[track_caller]
    pub fn end(&mut self) -> (ExitStatus, Duration) {
        let since = Instant::now();
        self.shown.until("the program ends", |state| state.closed);
        (self.child.wait().expect("a child"), since.elapsed())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // Both fail only when the program has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Shown {
    /// Reads until the last process with the terminal open is gone (Linux says EIO then, others end of file).
    fn follow(&self, mut pty: &Pty) {
        let mut buffer = [0; 4096];
        loop {
            let read = pty.read(&mut buffer).unwrap_or(0);
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.screen.process(&buffer[..read]);
            state.bytes.extend_from_slice(&buffer[..read]);
            state.closed = read == 0;
            self.more.notify_all();
            if read == 0 {
                return;
            }
        }
    }

    #[track_caller]
    fn until(&self, what: &str, condition: impl Fn(&State) -> bool) -> String {
        let deadline = Instant::now() + Duration::from_secs(60);
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while !condition(&state) {
            let left = deadline.saturating_duration_since(Instant::now());
            let screen = state.screen.screen().contents();
            assert!(!left.is_zero(), "not within 60 s: {what}; the screen shows\n{screen}\n--");
            assert!(!state.closed, "the program ended before: {what}; the screen shows\n{screen}\n--");
            state = self.more.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        state.screen.screen().contents()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;
    use crate::sterna::Sterna;

    fn shell(script: &str) -> Terminal {
        // Whoever runs the tests in the background has them ignore SIGINT, and a shell cannot undo what it inherits.
        let arguments = ["--default-signal=INT", "/bin/sh", "-c", script];
        Terminal::start(Sterna::new().program("/usr/bin/env", &arguments).current_dir("/").env("WORD", "tern"))
    }

    #[test]
    fn the_screen_is_what_a_person_sees() {
        let script =
            "test -t 0 && test -t 1 && test -t 2 || exit 9; stty size; printf '10%%\\r20%%\\r'; echo $WORD $TERM";
        let mut terminal = shell(&format!("{script}; read answer; echo heard $answer"));
        let screen = terminal.until("the size and the word", |screen| screen.contains("tern xterm"));
        assert_eq!(screen, "24 100\ntern xterm-256color");
        assert!(String::from_utf8_lossy(&terminal.bytes()).contains("10%\r20%\r"));
        terminal.press("yes\n");
        assert!(terminal.end().0.success());
        assert!(terminal.screen().ends_with("heard yes"), "{}", terminal.screen());
    }

    #[test]
    fn ctrl_c_is_heard() {
        let mut terminal = shell("trap 'exit 130' INT; echo ready; while :; do read line; done");
        terminal.until("the trap is set", |screen| screen.contains("ready"));
        terminal.ctrl_c();
        assert_eq!(terminal.end().0.code(), Some(130));
    }

    #[test]
    fn a_kill_is_not() {
        let mut terminal = shell("trap '' INT; echo ready; while :; do read line; done");
        terminal.until("the trap is set", |screen| screen.contains("ready"));
        terminal.ctrl_c();
        terminal.press("still here\n");
        terminal.until("it goes on", |screen| screen.contains("still here"));
        terminal.kill();
        assert_eq!(terminal.end().0.signal(), Some(9));
    }
}
