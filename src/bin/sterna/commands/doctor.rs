//! `doctor`: the conformance suite against a real endpoint.

use std::sync::Arc;

use futures::StreamExt;
use sterna::backends::{ErrorKind, ListRequest, Store, conformance};

use super::{observer, print, print_json};
use crate::{
    args::{DoctorArgs, GlobalArgs, LocalArgs},
    exit::{Exit, Failure, of_error},
    places::Opener,
    ui,
};

/// `sterna doctor`.
pub async fn run(global: &GlobalArgs, args: DoctorArgs) -> Result<Exit, Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?.trying();
    let place = opener.target(&args.place).await?;
    if !global.quiet && !global.json {
        ui::say(&format!("trying {} in a folder of its own; what is written is removed again", args.place));
    }
    reachable(&place.store).await?;
    let report = conformance::run(place.store, conformance::Options::default()).await;
    if global.json {
        print_json(&report)?;
    } else {
        print(&report.to_string())?;
    }
    if let Some(error) = report.unreachable {
        return Err(Failure { exit: of_error(&error), kind: error.kind(), message: error.to_string() });
    }
    Ok(if report.is_clean() { Exit::Success } else { Exit::Error })
}

/// A bucket that is not there, or keys nobody knows, would only break every check. Folders are made.
async fn reachable(store: &Arc<dyn Store>) -> Result<(), Failure> {
    match store.list(ListRequest::level("")).next().await {
        Some(Err(error)) if error.kind() == ErrorKind::NoSuchContainer && store.capabilities().directories => Ok(()),
        Some(Err(error)) => Err(error.into()),
        Some(Ok(_)) | None => Ok(()),
    }
}
