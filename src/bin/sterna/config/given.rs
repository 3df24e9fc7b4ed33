//! A value as it was given: a text, or where the text is to be had.

use std::{
    fmt,
    fs::File,
    io::Read,
    path::PathBuf,
    process::{Command, Stdio},
};

use sterna_backends::{registry::Holds, secret::Secret};

use super::{
    environment::Environment,
    error::{ConfigError, ConfigErrorKind, Origin},
};

/// The longest text that is read from a file, in bytes; more is a wrong file.
const LONGEST: u64 = 1 << 20;

/// What stands for a value.
#[derive(Clone)]
pub enum Given {
    /// The text itself. Kept as a secret: whether it is one is known only with the family.
    Literal(Secret),
    /// `{ env = "NAME" }`.
    Variable(String),
    /// `{ file = "PATH" }`.
    File(PathBuf),
    /// `{ command = ["PROGRAM", "ARGUMENT"…] }`; never empty.
    Command(Vec<String>),
    /// `{ credential = "NAME" }`: a file in systemd's `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// The keys of a table that says where a text is to be had.
pub const SOURCES: &[&str] = &["env", "file", "command", "credential"];

/// Where the text is to be had, as in the file; of a command only the program, as its arguments may be secret.
impl fmt::Display for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(secret) => write!(f, "{secret}"),
            Self::Variable(name) => write!(f, "{{ env = {} }}", quoted(name)),
            Self::File(path) => write!(f, "{{ file = {} }}", quoted(&path.to_string_lossy())),
            Self::Command(words) if words.len() == 1 => write!(f, "{{ command = [{}] }}", quoted(&words[0])),
            Self::Command(words) => write!(f, "{{ command = [{}, …] }}", quoted(&words[0])),
            Self::Credential(name) => write!(f, "{{ credential = {} }}", quoted(name)),
        }
    }
}

impl fmt::Debug for Given {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `text` as a TOML string.
pub fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// One value of one remote, and where it stands.
#[derive(Clone, Debug)]
pub struct Setting {
    /// What stands there.
    pub given: Given,
    /// Where.
    pub origin: Origin,
}

impl Setting {
    /// The text, had from wherever it is. One line feed at its end is not part of it, unless it is a literal.
    ///
    /// Runs the command and waits for it; its standard error goes to ours, so that it can ask and explain.
    ///
    /// # Errors
    /// `Unobtainable`, never with the text or the output of the command.
    pub fn obtain(&self, environment: &Environment) -> Result<Secret, ConfigError> {
        let secret = match &self.given {
            Given::Literal(secret) => return Ok(secret.clone()),
            Given::Variable(name) => self.of_variable(name, environment)?,
            Given::File(path) => self.of_file(path.clone())?,
            Given::Command(words) => self.of_command(words)?,
            Given::Credential(name) => self.of_credential(name, environment)?,
        };
        if secret.reveal().is_empty() {
            return Err(self.failed(format!("{} is empty", self.given)));
        }
        Ok(secret)
    }

    /// Whether the text itself stands there and is one that is never shown.
    #[must_use]
    pub fn is_literal_secret(&self, holds: Holds) -> bool {
        holds == Holds::Secret && matches!(self.given, Given::Literal(_))
    }

    fn failed(&self, what: impl Into<String>) -> ConfigError {
        ConfigError::new(ConfigErrorKind::Unobtainable, what).at(&self.origin)
    }

    fn of_variable(&self, name: &str, environment: &Environment) -> Result<Secret, ConfigError> {
        let value = environment
            .get(name)
            .ok_or_else(|| self.failed(format!("the environment variable '{name}' is not set")))?;
        let text = value
            .to_str()
            .ok_or_else(|| self.failed(format!("the environment variable '{name}' does not hold UTF-8")))?;
        Ok(Secret::new(trimmed(text.to_owned())))
    }

    fn of_file(&self, path: PathBuf) -> Result<Secret, ConfigError> {
        let mut text = String::new();
        let read = File::open(&path).and_then(|file| file.take(LONGEST + 1).read_to_string(&mut text));
        match read {
            Ok(length) if length as u64 > LONGEST => {
                Err(self.failed(format!("'{}' is longer than a setting can be (1 MiB)", path.display())))
            }
            Ok(_) => Ok(Secret::new(trimmed(text))),
            Err(error) => {
                let failed = self.failed(format!("cannot read '{}'", path.display())).because(error);
                let tilde = path.components().any(|part| part.as_os_str() == "~");
                Err(if tilde { failed.remedy("'~' means nothing here, write the whole path") } else { failed })
            }
        }
    }

    fn of_command(&self, words: &[String]) -> Result<Secret, ConfigError> {
        let Some((program, arguments)) = words.split_first() else {
            return Err(self.failed("the command is empty"));
        };
        let output = Command::new(program)
            .args(arguments)
            .stderr(Stdio::inherit())
            .stdin(Stdio::inherit())
            .output()
            .map_err(|error| self.failed(format!("cannot run '{program}'")).because(error))?;
        if !output.status.success() {
            return Err(self.failed(format!("'{program}' failed: {}", output.status)));
        }
        // The error of a text that is no UTF-8 holds the bytes: it goes no further.
        let text =
            String::from_utf8(output.stdout).map_err(|_| self.failed(format!("'{program}' did not print UTF-8")))?;
        Ok(Secret::new(trimmed(text)))
    }

    fn of_credential(&self, name: &str, environment: &Environment) -> Result<Secret, ConfigError> {
        if name.is_empty() || name.contains(['/', '\\']) || name == "." || name == ".." {
            return Err(self.failed(format!("'{name}' is no name of a credential")));
        }
        let directory = environment.get("CREDENTIALS_DIRECTORY").ok_or_else(|| {
            self.failed(format!("no credential '{name}': $CREDENTIALS_DIRECTORY is not set"))
                .remedy(format!("run it as a systemd service with LoadCredential={name}:PATH"))
        })?;
        self.of_file(PathBuf::from(directory).join(name))
    }
}

/// Without the one line end that editors and commands add.
fn trimmed(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
