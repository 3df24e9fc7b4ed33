//! Running all checks, and removing what they made.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;

use super::{
    all,
    checks::{Check, Trouble},
    report::{Checked, Outcome, Report},
    site::Site,
};
use crate::{
    entry::Timestamp,
    error::{Error, ErrorKind},
    layer::{Meter, Prefix},
    store::{ListRequest, Store},
    sweep,
};

/// How the suite runs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything happens below it; it ends in `/`.
    pub prefix: String,
    /// Objects in the listing that is checked for completeness. Above 1,000 it has several pages on most stores.
    pub listed: usize,
    /// The longest a check may take.
    pub timeout: Duration,
}

impl Default for Options {
    /// A prefix nobody else has, 30 objects, five minutes a check.
    fn default() -> Self {
        let unique = format!("{:x}-{:08x}", Timestamp::now().seconds(), fastrand::u32(..));
        Self { prefix: format!("sterna-doctor-{unique}/"), listed: 30, timeout: Duration::from_secs(300) }
    }
}

/// Runs every check against `store`, one after another.
///
/// It never fails as a whole: a store that cannot be reached breaks its checks, and the report says how. With one that was
/// [given up](ErrorKind::Unreachable) it ends, and the report tells that error.
pub async fn run(store: Arc<dyn Store>, options: Options) -> Report {
    let meter = Arc::new(Meter::new(Arc::clone(&store)));
    let metered: Arc<dyn Store> = Arc::clone(&meter) as Arc<dyn Store>;
    let (mut checks, mut unreachable) = (Vec::new(), None);
    for (number, check) in all().enumerate() {
        let prefix = format!("{}{number:02}/", options.prefix);
        let site = Site { store: Arc::new(Prefix::new(Arc::clone(&metered), prefix)), options: options.clone() };
        let outcome = attempt(check, &site).await;
        let is_broken = matches!(outcome, Outcome::Broken(_));
        checks.push(Checked { name: check.name, guarantee: check.guarantee, outcome });
        if is_broken && let Some(error) = gone(&store).await {
            unreachable = Some(Arc::new(error));
            break;
        }
    }
    let place = Prefix::new(metered, options.prefix.clone());
    let left_behind = match sweep(&place).await {
        Ok(()) => None,
        Err(error) => Some(format!("below {}: {error}", place.name())),
    };
    let (store, capabilities) = (store.name().to_owned(), store.capabilities().clone());
    Report { store, capabilities, checks, cost: meter.counts(), left_behind, unreachable }
}

/// Why nothing more is to be asked of the store.
async fn gone(store: &Arc<dyn Store>) -> Option<Error> {
    let asked = store.list(ListRequest::level("")).next().await?;
    asked.err().filter(|error| error.kind() == ErrorKind::Unreachable)
}

async fn attempt(check: &Check, site: &Site) -> Outcome {
    match tokio::time::timeout(site.options.timeout, (check.run)(site)).await {
        Err(_) => Outcome::Broken(format!("it took longer than {:?}", site.options.timeout)),
        Ok(Ok(())) => Outcome::Held,
        Ok(Err(Trouble::Broken(what))) => Outcome::Broken(what),
        Ok(Err(Trouble::NotOffered(why))) => Outcome::NotOffered(why),
    }
}
