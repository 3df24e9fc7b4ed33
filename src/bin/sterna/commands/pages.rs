//! `completions`, `man`: what the arguments themselves say.

use std::{fs, path::Path};

use clap::CommandFactory;

use super::print;
use crate::{
    args::Cli,
    exit::{Exit, Failure},
};

/// `sterna completions`.
pub fn completions(shell: clap_complete::Shell) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "sterna", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Success)
}

/// `sterna man`.
pub fn man(out: Option<&Path>) -> Result<Exit, Failure> {
    match out {
        Some(folder) => {
            fs::create_dir_all(folder)?;
            clap_mangen::generate_to(Cli::command(), folder)?;
        }
        None => {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command()).render(&mut page)?;
            print(&String::from_utf8_lossy(&page))?;
        }
    }
    Ok(Exit::Success)
}
