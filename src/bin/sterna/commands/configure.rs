//! `config`: what is configured, whether it works, and what rclone had.

use std::path::Path;

use super::{print, print_json};
use crate::{
    args::{ConfigCommand, GlobalArgs},
    config::{self, Config, Environment, import},
    exit::{Exit, Failure},
    ui,
};

/// `sterna config …`.
pub async fn run(global: &GlobalArgs, command: ConfigCommand) -> Result<Exit, Failure> {
    match command {
        ConfigCommand::Show { remote } => {
            let config = load(global)?;
            let shown = config::show(&config, remote.as_deref())?;
            if global.json {
                print_json(&shown)?
            } else {
                print(&shown.to_string())?
            }
            Ok(Exit::Success)
        }
        ConfigCommand::Check { remote } => {
            let config = load(global)?;
            let report = config::check(&config, remote.as_deref()).await?;
            if global.json {
                print_json(&report)?
            } else {
                print(&report.to_string())?
            }
            Ok(if report.holds() { Exit::Success } else { Exit::Error })
        }
        ConfigCommand::ImportRclone { file, write } => import_rclone(global, &file, write),
    }
}

fn load(global: &GlobalArgs) -> Result<Config, Failure> {
    Ok(Config::load(global.config.as_deref(), Environment::of_process())?)
}

fn import_rclone(global: &GlobalArgs, file: &Path, write: bool) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::usage(format!("{}: {error}", file.display())))?;
    let import = import::read(file, &text)?;
    for refused in &import.refused {
        ui::complain(&refused.to_string());
    }
    if write {
        let located = config::locate(global.config.as_deref(), &Environment::of_process());
        let path =
            located.path.ok_or_else(|| Failure::usage("there is no home directory; name a file with --config"))?;
        import.write(&path)?;
        ui::say(&format!("{} added to {}", ui::count(import.remotes.len() as u64, "remote"), path.display()));
    } else {
        print(&import.to_toml())?;
    }
    Ok(if import.refused.is_empty() { Exit::Success } else { Exit::Error })
}
