//! What servers were found to do, a small file for each.

use std::{
    fs,
    io::{self, Write},
    path::PathBuf,
};

use sha2::{Digest as _, Sha256};
use sterna::backends::registry::Notebook;

/// A folder of such files, made when the first is written.
#[derive(Debug)]
pub struct Found {
    /// Where it lies.
    pub folder: PathBuf,
}

impl Found {
    /// The name does not tell the server's: an address may hold what is nobody's business.
    fn path(&self, server: &str) -> PathBuf {
        let name: String = Sha256::digest(server).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
        self.folder.join(name)
    }
}

impl Notebook for Found {
    fn read(&self, server: &str) -> Option<String> {
        fs::read_to_string(self.path(server)).ok()
    }

    fn note(&self, server: &str, found: &str) {
        let write = || -> io::Result<()> {
            fs::create_dir_all(&self.folder)?;
            let mut file = tempfile::NamedTempFile::new_in(&self.folder)?;
            writeln!(file, "{found}")?;
            file.persist(self.path(server))?;
            Ok(())
        };
        // It is found out again.
        let _cannot_be_kept = write();
    }
}
