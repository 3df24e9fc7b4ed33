//! Deleting.

use super::{
    checks::{Check, Verdict, ensure},
    errors::writable,
    site::{Site, name},
};
use crate::{error::Result, store::Deleted};

pub(super) static CHECKS: &[Check] = &[
    Check::new("delete.gone", "what was deleted is gone, and nothing else", |site| Box::pin(gone(site))),
    Check::new("delete.missing", "deleting what is missing succeeds", |site| Box::pin(missing(site))),
    Check::new("delete.batch", "each target has its result, in order, beyond one request, too", |site| {
        Box::pin(batch(site))
    }),
];

async fn gone(site: &Site) -> Verdict {
    writable(site)?;
    for key in ["d/a", "d/ab", "d/b"] {
        site.put(key, "x").await?;
    }
    site.delete("d/a").await?;
    site.is_missing("d/a", "after it was deleted").await?;
    let mut listed = site.keys("").await?;
    listed.sort();
    ensure(listed == ["d/ab", "d/b"], || format!("after one was deleted {listed:?} are left"))
}

async fn missing(site: &Site) -> Verdict {
    writable(site)?;
    site.delete("never/there").await?;
    site.put("once", "x").await?;
    site.delete("once").await?;
    site.delete("once").await?;
    Ok(())
}

async fn batch(site: &Site) -> Verdict {
    writable(site)?;
    let mut targets: Vec<Deleted> = Vec::new();
    for number in 0..5 {
        site.put(&format!("there-{number}"), "x").await?;
        targets.push(name(&format!("there-{number}")).into());
        targets.push(name(&format!("missing-{number}")).into());
    }
    // More than one request holds, where that is not many requests.
    let batch = site.can().delete_batch;
    if (2..=1_000).contains(&batch) {
        targets.extend((0..batch).map(|number| Deleted::from(name(&format!("more-{number}")))));
    }
    site.put("last", "x").await?;
    site.put("stays", "x").await?;
    targets.push(name("last").into());
    let results = site.store.delete(&targets).await;
    ensure(results.len() == targets.len(), || format!("{} targets, {} results", targets.len(), results.len()))?;
    results.into_iter().collect::<Result<()>>()?;
    let listed = site.keys("").await?;
    ensure(listed == ["stays"], || format!("after a batch {listed:?} are left"))?;
    let none = site.store.delete(&[]).await;
    ensure(none.is_empty(), || "no targets have results".to_owned())
}
