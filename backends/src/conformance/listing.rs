//! Listings.

use std::collections::BTreeMap;

use super::{
    checks::{Check, Verdict, ensure, offered},
    errors::writable,
    site::{Site, digests, noise},
};
use crate::{
    capability::Order,
    entry::{Algorithm, Kind},
    store::{ListRequest, StoreExt},
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("list.missing", "a prefix nothing lies under gives an empty listing", |site| Box::pin(missing(site))),
    Check::new("list.complete", "every object is listed once, over the borders of pages, too", |site| {
        Box::pin(complete(site))
    }),
    Check::new("list.order", "the order is the one it says", |site| Box::pin(order(site))),
    Check::new("list.prefix", "a prefix is text, not a path", |site| Box::pin(prefix(site))),
    Check::new("list.level", "one level shows what is deeper as directories, each once", |site| Box::pin(level(site))),
    Check::new("list.facts", "an entry tells what the capabilities say, and nothing wrong", |site| {
        Box::pin(facts(site))
    }),
    Check::new("list.fresh", "what was put or deleted is so in the next listing", |site| Box::pin(fresh(site))),
];

async fn missing(site: &Site) -> Verdict {
    for prefix in ["", "nothing/", "nothing"] {
        let keys = site.keys(prefix).await?;
        ensure(keys.is_empty(), || format!("{prefix:?} lists {keys:?}"))?;
    }
    let level = site.store.list_to_vec(ListRequest::level("nothing/")).await?;
    ensure(level.is_empty(), || format!("one level of nothing lists {} entries", level.len()))
}

async fn complete(site: &Site) -> Verdict {
    writable(site)?;
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    for number in 0..site.options.listed {
        let key = format!("{}/object-{number:05}", number % 7);
        site.put(&key, "x").await?;
        seen.insert(key, 0);
    }
    for key in site.keys("").await? {
        *seen.entry(key).or_insert(1_000) += 1;
    }
    let wrong: Vec<_> = seen.iter().filter(|(_, times)| **times != 1).take(5).collect();
    ensure(wrong.is_empty(), || format!("listed so many times (above 1,000: never put): {wrong:?}"))
}

async fn order(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().order == Order::Bytes, "it promises no order")?;
    // A tree walk, a locale and UTF-16 would each order some of these otherwise.
    let keys = ["B", "a!", "a", "a/b", "a/b/c", "a/b!", "a0", "ab", "b", "z", "é", "\u{ff5e}", "\u{1f426}"];
    let rules = site.can().keys;
    for key in keys.into_iter().filter(|key| rules.file_beside_directory || !matches!(*key, "a" | "a/b")) {
        site.put(key, "x").await?;
    }
    let listed = site.keys("").await?;
    let disorder = listed.windows(2).find(|pair| pair[0] >= pair[1]);
    ensure(disorder.is_none(), || format!("{disorder:?} are not in byte order"))
}

async fn prefix(site: &Site) -> Verdict {
    writable(site)?;
    for key in ["ab", "abc", "abd/e", "ac", "a", "b/ab"] {
        site.put(key, "x").await?;
    }
    for (prefix, wanted) in
        [("ab", &["ab", "abc", "abd/e"][..]), ("abd/", &["abd/e"]), ("abd", &["abd/e"]), ("b/a", &["b/ab"]), ("x", &[])]
    {
        let mut listed = site.keys(prefix).await?;
        listed.sort();
        ensure(listed == wanted, || format!("{prefix:?} lists {listed:?} instead of {wanted:?}"))?;
    }
    Ok(())
}

async fn level(site: &Site) -> Verdict {
    writable(site)?;
    for key in ["top", "d/one", "d/two", "d/deep/er", "d!", "e/x"] {
        site.put(key, "x").await?;
    }
    for (prefix, wanted) in [
        ("", &[("d!", Kind::Object), ("d/", Kind::Directory), ("e/", Kind::Directory), ("top", Kind::Object)][..]),
        ("d/", &[("d/deep/", Kind::Directory), ("d/one", Kind::Object), ("d/two", Kind::Object)]),
    ] {
        let entries = site.store.list_to_vec(ListRequest::level(prefix)).await?;
        let mut listed: Vec<_> = entries.iter().map(|entry| (entry.key.as_str(), entry.kind)).collect();
        listed.sort_by_key(|(key, _)| *key);
        ensure(listed == wanted, || format!("one level of {prefix:?} is {listed:?}"))?;
    }
    Ok(())
}

async fn facts(site: &Site) -> Verdict {
    writable(site)?;
    let content = noise(1, 12_345);
    let modified = crate::Timestamp::from_parts(1_500_000_000, 0);
    let request = crate::PutRequest { modified: Some(modified), size: Some(12_345), ..Default::default() };
    site.store.put(&super::site::name("a"), request, content.clone().into()).await?;
    let entries = site.store.list_to_vec(ListRequest::all("")).await?;
    let [entry] = &entries[..] else { return ensure(false, || format!("{} entries for one object", entries.len())) };
    let stat = site.stat("a").await?;
    ensure(entry.kind == Kind::Object, || format!("an object is listed as {:?}", entry.kind))?;
    ensure(entry.size.is_none_or(|size| size == 12_345), || format!("the size listed is {:?}", entry.size))?;
    ensure(entry.etag.is_none() || entry.etag == stat.etag, || "list and stat tell other ETags".to_owned())?;
    let can = site.can();
    let undeclared = entry.digests.iter().find(|digest| !can.digests_in_list.contains(&digest.algorithm()));
    ensure(undeclared.is_none(), || format!("a listing tells {undeclared:?}, which is not said of it"))?;
    let truth = digests(&[Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256], &content);
    let right = entry.digests.compare(&truth).is_none_or(|(_, equal)| equal);
    ensure(right, || format!("the digests listed are wrong: {:?}", entry.digests))?;
    match can.modified.filter(|_| can.modified_in_list) {
        Some(_) => ensure(entry.modified == stat.modified && entry.modified.is_some(), || {
            format!("the time is {:?} in the listing and {:?} in a stat", entry.modified, stat.modified)
        }),
        None => Ok(()),
    }
}

async fn fresh(site: &Site) -> Verdict {
    writable(site)?;
    for round in 0..3 {
        site.put("a", noise(round, 10 + usize::try_from(round).unwrap_or(0))).await?;
        let entries = site.store.list_to_vec(ListRequest::all("")).await?;
        let sizes: Vec<_> = entries.iter().map(|entry| entry.size).collect();
        ensure(sizes == [Some(10 + round)], || format!("after a put of {} bytes, listed: {sizes:?}", 10 + round))?;
        site.delete("a").await?;
        site.is_missing("a", "after a delete").await?;
    }
    Ok(())
}
