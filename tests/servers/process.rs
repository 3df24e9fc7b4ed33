//! A server process that cannot outlive the test process.
//!
//! The server is started by a line of `sh` that leaves a watcher behind, in the server's process group. The watcher
//! reads a pipe whose other end only this process holds (the *leash*). When the leash is dropped, or this process dies
//! in any way, SIGKILL included, the pipe closes: the watcher kills the server, removes its data, and ends what the server
//! started and left behind (Apache's workers outlive a parent that is killed), itself last.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::install;

/// How long a server may take to answer. SeaweedFS needs 3 s on an idle machine; a busy one gets its chance.
const READY_WITHIN: Duration = Duration::from_secs(90);

/// Between two looks at a server that does not answer yet.
const POLL: Duration = Duration::from_millis(50);

/// `$1` and the next `$1` arguments are what to remove at the end, the rest is the server. The shell becomes the server,
/// so `$$` is its process id; the id cannot be used anew while the watcher is in its group.
const LEASH: &str = r#"
exec 3<&0 </dev/null
count=$1; shift
remove=
while [ "$count" -gt 0 ]; do remove="$remove '$1'"; shift; count=$((count - 1)); done
(
    trap '' HUP INT TERM
    cat <&3 >/dev/null
    kill -TERM 0
    kill -KILL $$
    tries=0
    until eval "rm -rf $remove" || [ "$tries" -ge 100 ]; do tries=$((tries + 1)); sleep 0.05; done
    kill -KILL 0
) >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"#;

/// A running server. Dropping it ends the server and removes its data.
#[derive(Debug)]
pub struct Process {
    child: Child,
    leash: Option<ChildStdin>,
    directory: PathBuf,
    _ports: Ports,
}

/// What a server is started with.
#[derive(Debug)]
pub struct Launch {
    /// The program and its arguments; the environment that is set on it is kept.
    pub command: Command,
    /// Files outside its directory that the server leaves behind when it is killed.
    pub litter: Vec<PathBuf>,
    /// An address and a path that answer 200 to a plain GET, or any status when `false`, once the server can be used.
    /// Where the path is empty, the server speaks first, and its greeting is awaited.
    pub ready: Vec<(u16, &'static str, bool)>,
}

impl Process {
    /// Starts a server with `ports` free ports and an empty data directory, and waits until it can be used. A server
    /// that ends before that is tried again on other ports: somebody may have taken one in between.
    ///
    /// # Errors
    /// The reason, with the end of the server's log.
    pub fn start(
        name: &str,
        ports: usize,
        mut launch: impl FnMut(&Path, &[u16]) -> Result<Launch, String>,
    ) -> Result<(Self, Vec<u16>), String> {
        let mut failures = String::new();
        for _ in 0..3 {
            let ports = Ports::reserve(ports)?;
            let numbers = ports.numbers.clone();
            let directory = tempfile::Builder::new()
                .prefix(&format!("sterna-{name}-"))
                .tempdir()
                .map_err(|error| format!("no temporary directory: {error}"))?
                .keep();
            let launch = launch(&directory, &numbers)?;
            let ready = launch.ready.clone();
            let mut process = Self::spawn(launch, directory, ports)?;
            match process.wait_until_ready(&ready) {
                Ok(()) => return Ok((process, numbers)),
                Err(reason) => {
                    let log = process.log_end();
                    failures.push_str(&format!("{name} {reason}; its log ends with:\n{log}\n"));
                }
            }
        }
        Err(failures)
    }

    /// The server's own directory: its data and its log.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The server's process id, for tests that stop or kill it.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The last lines the server wrote.
    #[must_use]
    pub fn log_end(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    fn spawn(launch: Launch, directory: PathBuf, ports: Ports) -> Result<Self, String> {
        let log = File::create(directory.join("log")).map_err(|error| format!("no log: {error}"))?;
        let errors = log.try_clone().map_err(|error| format!("no log: {error}"))?;
        let mut command = Command::new("sh");
        command.args(["-c", LEASH, "leash"]).arg((launch.litter.len() + 1).to_string()).arg(&directory);
        command.args(&launch.litter).arg(launch.command.get_program()).args(launch.command.get_args());
        for (name, value) in launch.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        command.current_dir(&directory).env("HOME", &directory).env("TMPDIR", &directory);
        command.stdin(Stdio::piped()).stdout(log).stderr(errors).process_group(0);
        let mut child = command.spawn().map_err(|error| format!("cannot run sh: {error}"))?;
        let leash = child.stdin.take();
        Ok(Self { child, leash, directory, _ports: ports })
    }

    fn wait_until_ready(&mut self, ready: &[(u16, &str, bool)]) -> Result<(), String> {
        let deadline = Instant::now() + READY_WITHIN;
        for &(port, path, must_succeed) in ready {
            loop {
                match status(port, path) {
                    Some(200) => break,
                    Some(_) if !must_succeed => break,
                    _ => {}
                }
                if let Ok(Some(status)) = self.child.try_wait() {
                    return Err(format!("ended by itself ({status})"));
                }
                if Instant::now() > deadline {
                    return Err(format!("did not answer GET {path} on port {port} within {READY_WITHIN:?}"));
                }
                thread::sleep(POLL);
            }
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.leash.take());
        // The watcher kills at once; a failed wait has nobody left to tell.
        let _ = self.child.wait();
    }
}

/// The status of a plain GET on 127.0.0.1, when there is an answer; 200 for a greeting.
fn status(port: u16, path: &str) -> Option<u16> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    if path.is_empty() {
        return stream.read_exact(&mut [0; 4]).ok().map(|()| 200);
    }
    write!(stream, "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n").ok()?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).ok()?;
    std::str::from_utf8(&head).ok()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()
}

/// A run of free ports that no other test process of this checkout takes while this value lives.
#[derive(Debug)]
struct Ports {
    numbers: Vec<u16>,
    _lock: File,
}

impl Ports {
    /// Ports are taken in blocks below the range from which systems draw the ports of outgoing connections.
    const FIRST: u16 = 20_000;
    const BLOCK: u16 = 10;
    const BLOCKS: u16 = 1_000;

    fn reserve(count: usize) -> Result<Self, String> {
        assert!(count <= usize::from(Self::BLOCK), "a block holds {} ports", Self::BLOCK);
        let locks = install::home().join("ports");
        fs::create_dir_all(&locks).map_err(|error| format!("cannot make {}: {error}", locks.display()))?;
        let clock = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let start = (clock.subsec_micros() ^ std::process::id()) % u32::from(Self::BLOCKS);
        for step in 0..u32::from(Self::BLOCKS) {
            let block = u16::try_from((start + step) % u32::from(Self::BLOCKS)).expect("below BLOCKS, a u16");
            let first = Self::FIRST + block * Self::BLOCK;
            let path = locks.join(first.to_string());
            let lock = File::create(&path).map_err(|error| format!("cannot make {}: {error}", path.display()))?;
            if lock.try_lock().is_err() {
                continue;
            }
            let numbers: Vec<u16> = (first..first + Self::BLOCK).filter(|&port| is_free(port)).take(count).collect();
            if numbers.len() == count {
                return Ok(Self { numbers, _lock: lock });
            }
        }
        Err("no free ports between 20000 and 30000".to_owned())
    }
}

fn is_free(port: u16) -> bool {
    match TcpListener::bind(("127.0.0.1", port)) {
        Ok(_) => true,
        Err(error) => error.kind() != ErrorKind::AddrInUse && error.kind() != ErrorKind::PermissionDenied,
    }
}
