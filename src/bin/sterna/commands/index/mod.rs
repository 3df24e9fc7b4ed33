//! `index`: what is known of contents, and how more of it gets there.

mod fill;
mod look;

use sterna::index::Index;

use crate::{
    args::{GlobalArgs, IndexCommand},
    exit::{Exit, Failure},
};

/// Runs one of them.
pub async fn run(global: &GlobalArgs, command: IndexCommand) -> Result<Exit, Failure> {
    match command {
        IndexCommand::Build(args) => fill::build(global, args).await,
        IndexCommand::Import(args) => fill::import(global, args).await,
        IndexCommand::Stats => look::stats(global),
        IndexCommand::Dups(args) => look::dups(global, args).await,
        IndexCommand::Export(args) => look::export(global, args).await,
        IndexCommand::Forget(args) => look::forget(global, args).await,
        IndexCommand::Vacuum => look::vacuum(global),
    }
}

/// The code of a command that is about the index: what stopped the writing was said when it happened.
fn code(index: &Index, otherwise: Exit) -> Exit {
    if index.trouble().is_some() { Exit::Fatal } else { otherwise }
}
