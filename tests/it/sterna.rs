//! The real binary in a world of its own: an empty home, one configuration file, nothing of the machine's environment.

use std::fmt;
use std::fs;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use sterna_servers::S3Server;
use tempfile::TempDir;

/// A home directory with a configuration, in which sterna is run.
#[derive(Debug)]
pub struct Sterna {
    world: TempDir,
}

impl Sterna {
    /// An empty home with a configuration that names no remote.
    pub fn new() -> Self {
        let world = tempfile::Builder::new().prefix("sterna-it-").tempdir().expect("a temporary directory");
        for folder in ["home", "tmp", "work"] {
            fs::create_dir(world.path().join(folder)).expect("a writable temporary directory");
        }
        let sterna = Self { world };
        sterna.config("");
        sterna
    }

    /// A home with one remote, `NAME:`, at this server.
    pub fn with_s3(name: &str, server: &S3Server) -> Self {
        let sterna = Self::new();
        sterna.s3(name, server);
        sterna
    }

    /// Adds a remote at this server.
    pub fn s3(&self, name: &str, server: &S3Server) {
        let S3Server { endpoint, access_key, secret_key, provider, .. } = server;
        self.config(&format!(
            "[remote.{name}]\ntype = \"s3\"\nprovider = \"{provider}\"\nendpoint = \"{endpoint}\"\n\
             region = \"us-east-1\"\npath_style = true\naccess_key_id = \"{access_key}\"\n\
             secret_access_key = \"{secret_key}\"\n\n"
        ));
    }

    /// Adds a WebDAV remote at this address, with further lines.
    pub fn dav(&self, name: &str, url: &str, lines: &str) {
        self.config(&format!("[remote.{name}]\ntype = \"webdav\"\nurl = \"{url}\"\n{lines}\n"));
    }

    /// Appends lines to the configuration file, as they are. The file is readable by its owner only: it holds secrets.
    pub fn config(&self, lines: &str) {
        let mut options = fs::OpenOptions::new();
        let file = options.create(true).append(true).mode(0o600).open(self.config_path());
        file.and_then(|mut file| file.write_all(lines.as_bytes())).expect("a writable temporary directory");
    }

    /// The configuration file.
    pub fn config_path(&self) -> PathBuf {
        self.world.path().join("sterna.toml")
    }

    /// A path below the directory sterna runs in, where relative places are looked for.
    pub fn path(&self, inside: impl AsRef<Path>) -> PathBuf {
        self.world.path().join("work").join(inside)
    }

    /// Writes a file below the directory sterna runs in, with the folders above it.
    pub fn file(&self, inside: impl AsRef<Path>, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("below the working directory")).expect("a writable directory");
        fs::write(&path, content).expect("a writable directory");
        path
    }

    /// The command, ready to be started by whoever wants it: [`Sterna::run`], a pseudo-terminal, a test that kills it.
    pub fn command(&self, arguments: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_sterna"), arguments)
    }

    /// Any program in the same world.
    pub fn program(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).env_clear().current_dir(self.path(""));
        for kept in ["PATH", "LLVM_PROFILE_FILE"] {
            if let Some(value) = std::env::var_os(kept) {
                command.env(kept, value);
            }
        }
        let home = self.world.path().join("home");
        command.env("HOME", &home).env("TMPDIR", self.world.path().join("tmp")).env("LANG", "C.UTF-8");
        let folders =
            [("CONFIG", "config"), ("CACHE", "cache"), ("DATA", "data"), ("STATE", "state"), ("RUNTIME", "run")];
        for (variable, folder) in folders {
            let variable =
                if variable == "RUNTIME" { "XDG_RUNTIME_DIR".to_owned() } else { format!("XDG_{variable}_HOME") };
            command.env(variable, home.join(folder));
        }
        command.env("STERNA_CONFIG", self.config_path());
        command
    }

    /// Runs sterna to its end.
    pub fn run(&self, arguments: &[&str]) -> Ran {
        Ran::of(self.command(arguments))
    }
}

/// A run that ended: what came out of it. Each assertion shows the whole run when it fails.
#[derive(Debug)]
pub struct Ran {
    command: String,
    /// The exit code; `None` when a signal ended the run.
    pub code: Option<i32>,
    /// What it wrote as data.
    pub stdout: String,
    /// What it said to people.
    pub stderr: String,
}

impl Ran {
    /// Runs a command to its end.
    pub fn of(mut command: Command) -> Self {
        let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("sterna writes UTF-8");
        let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
        let program = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
        Self {
            command: format!("{program} {}", words.join(" ")),
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// The exit code is this one.
    #[track_caller]
    pub fn exits(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "exit code\n{self}");
        self
    }

    /// What it said to people holds these words.
    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        assert!(self.stderr.contains(words), "`{words}` was not said\n{self}");
        self
    }

    /// What it said to people does not hold these words.
    #[track_caller]
    pub fn never_says(self, words: &str) -> Self {
        assert!(!self.stderr.contains(words) && !self.stdout.contains(words), "`{words}` was said\n{self}");
        self
    }

    /// The data is exactly this.
    #[track_caller]
    pub fn prints(self, data: &str) -> Self {
        assert_eq!(self.stdout, data, "printed data\n{self}");
        self
    }
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { command, code, stdout, stderr } = self;
        write!(f, "$ {command}\n-- exit {code:?}, stdout:\n{stdout}\n-- stderr:\n{stderr}\n--")
    }
}

#[test]
fn the_world_is_its_own() {
    let sterna = Sterna::with_s3("near", sterna_servers::moto());
    let ran = Ran::of(sterna.program("env", &[])).exits(0);
    let allowed = ["PATH", "LLVM_PROFILE_FILE", "HOME", "TMPDIR", "LANG", "STERNA_CONFIG"];
    for line in ran.stdout.lines() {
        let (name, value) = line.split_once('=').expect("NAME=VALUE");
        assert!(allowed.contains(&name) || name.starts_with("XDG_"), "{name} leaks in");
        assert!(!name.starts_with("XDG_") || Path::new(value).starts_with(sterna.world.path()), "{line}");
    }
    let config = fs::read_to_string(sterna.config_path()).expect("a remote was configured");
    assert!(config.starts_with("[remote.near]\ntype = \"s3\"\n"), "{config}");
    let place = sterna.file("a/b", "tern");
    Ran::of(sterna.program("sh", &["-c", "cat a/b; echo oh >&2; exit 7"])).exits(7).prints("tern").says("oh");
    assert!(place.starts_with(sterna.path("a")));
}

#[test]
fn the_assertions_can_fail() {
    let fails = |check: fn(Ran) -> Ran| {
        let ran = Ran { command: String::new(), code: None, stdout: "data".to_owned(), stderr: "words".to_owned() };
        std::panic::catch_unwind(|| drop(check(ran))).is_err()
    };
    assert!(fails(|ran| ran.exits(0)));
    assert!(fails(|ran| ran.says("data")));
    assert!(fails(|ran| ran.never_says("dat")));
    assert!(fails(|ran| ran.prints("dat")));
    assert!(!fails(|ran| ran.says("word").never_says("bird").prints("data")));
}

#[test]
fn the_binary_runs() {
    let ran = Sterna::new().run(&["--version"]);
    assert!(ran.code.is_some(), "ended by a signal\n{ran}");
}
