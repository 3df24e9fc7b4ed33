//! Putting objects in one call.

use std::{
    sync::atomic::{AtomicBool, Ordering::SeqCst},
    time::Duration,
};

use futures::future::join_all;

use super::{
    checks::{Check, Trouble, Verdict, ensure, fails, offered},
    errors::writable,
    site::{Site, breaking, digests, name, noise, streamed, stuck},
};
use crate::{
    body::Body,
    entry::{Algorithm, Digest, Digests},
    error::ErrorKind,
    store::PutRequest,
};

pub(super) static CHECKS: &[Check] = &[
    Check::new("put.returns", "a put returns what was stored", |site| Box::pin(returns(site))),
    Check::new("put.replaces", "a put replaces what was there, the empty object included", |site| {
        Box::pin(replaces(site))
    }),
    Check::new("put.streams", "a body may be a stream", |site| Box::pin(streams(site))),
    Check::new("put.wrong_digest", "content that is not what its digests say is not stored", |site| {
        Box::pin(wrong_digest(site))
    }),
    Check::new("put.broken_body", "a body that fails midway leaves nothing", |site| Box::pin(broken_body(site))),
    Check::new("put.wrong_length", "a body shorter or longer than announced leaves nothing", |site| {
        Box::pin(wrong_length(site))
    }),
    Check::new("put.dropped", "a put that is given up leaves nothing", |site| Box::pin(dropped(site))),
    Check::new("put.never_torn", "readers see the old object or the new one, never a mix", |site| {
        Box::pin(never_torn(site))
    }),
    Check::new("put.if_absent", "'only if nothing is there' is kept", |site| Box::pin(if_absent(site))),
    Check::new("put.if_absent_race", "of several that write 'only if nothing is there', one does", |site| {
        Box::pin(if_absent_race(site))
    }),
    Check::new("put.if_match", "'only over this ETag' is kept", |site| Box::pin(if_match(site))),
];

fn of_size(size: usize) -> PutRequest {
    PutRequest { size: Some(size as u64), ..PutRequest::default() }
}

async fn returns(site: &Site) -> Verdict {
    writable(site)?;
    let content = noise(1, 5_000);
    let put = site.put("a", content.clone()).await?;
    let stat = site.stat("a").await?;
    ensure(put.key == name("a"), || format!("the key returned is {:?}", put.key))?;
    ensure(put.size == Some(5_000), || format!("the size returned is {:?}", put.size))?;
    ensure(stat.size == Some(5_000), || format!("the size stored is {:?}", stat.size))?;
    ensure(put.etag == stat.etag, || format!("ETag {:?} returned, {:?} stored", put.etag, stat.etag))?;
    ensure(put.version.is_none() || put.version == stat.version, || {
        format!("version {:?} returned, {:?} stored", put.version, stat.version)
    })?;
    for entry in [&put, &stat] {
        let truth = digests(&[Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256], &content);
        let compared = entry.digests.compare(&truth);
        ensure(compared.is_none_or(|(_, equal)| equal), || format!("wrong digests: {:?}", entry.digests))?;
    }
    site.holds("a", &content, "after a put").await
}

async fn replaces(site: &Site) -> Verdict {
    writable(site)?;
    for content in [noise(1, 3_000), noise(2, 10), noise(3, 0), noise(4, 4_000)] {
        site.put("a", content.clone()).await?;
        site.holds("a", &content, "after a put").await?;
        let size = site.stat("a").await?.size;
        ensure(size == Some(content.len() as u64), || format!("{} bytes have the size {size:?}", content.len()))?;
    }
    for content in ["one", "and another"] {
        site.put_over("a", content).await?;
        site.holds("a", content.as_bytes(), "after a put that says that it replaces something").await?;
        site.put_over("new", content).await?;
        site.holds("new", content.as_bytes(), "after a put that says so, of what was not there").await?;
        site.store.delete(&[name("new").into()]).await.remove(0)?;
    }
    let listed = site.keys("").await?;
    ensure(listed == ["a"], || format!("after the puts the listing is {listed:?}"))
}

async fn streams(site: &Site) -> Verdict {
    writable(site)?;
    let content = noise(1, 200_000);
    let body = streamed(Some(200_000), &content);
    site.store.put(&name("a"), of_size(200_000), body).await?;
    site.holds("a", &content, "after a put from a stream").await?;
    let unknown = noise(2, 150_000);
    let entry = site.store.put(&name("a"), PutRequest::default(), streamed(None, &unknown)).await?;
    let told = entry.size;
    ensure(told == Some(150_000), || format!("150,000 bytes of unknown number are told as {told:?}"))?;
    site.holds("a", &unknown, "after a put of unknown length").await
}

async fn wrong_digest(site: &Site) -> Verdict {
    writable(site)?;
    let (old, new) = (noise(1, 1_000), noise(2, 1_000));
    site.put("there", old.clone()).await?;
    for wrong in [Digest::Sha256([7; 32]), Digest::Md5([7; 16])] {
        let algorithm = wrong.algorithm();
        let request = || PutRequest { digests: Digests::from_iter([wrong]), ..of_size(1_000) };
        let put = site.store.put(&name("new"), request(), new.clone().into()).await;
        fails(put, &[ErrorKind::Integrity], &format!("a put with a wrong {algorithm}"))?;
        site.is_missing("new", "after a refused put").await?;
        let put = site.store.put(&name("there"), request(), streamed(Some(1_000), &new)).await;
        fails(put, &[ErrorKind::Integrity], &format!("an overwrite with a wrong {algorithm}"))?;
        site.holds("there", &old, "after a refused overwrite").await?;
    }
    let digests = digests(&[Algorithm::Sha256, Algorithm::Md5], &new);
    site.store.put(&name("new"), PutRequest { digests, ..of_size(1_000) }, new.clone().into()).await?;
    site.holds("new", &new, "after a put with the right digests").await
}

/// Puts `body` over nothing and over something: both fail and change nothing.
async fn refuses(site: &Site, what: &str, announced: usize, body: impl Fn() -> Body) -> Verdict {
    let old = noise(1, 1_000);
    site.put("there", old.clone()).await?;
    for key in ["new", "there"] {
        if let Ok(entry) = site.store.put(&name(key), of_size(announced), body()).await {
            return Err(Trouble::Broken(format!("{what} was stored, {:?} bytes", entry.size)));
        }
    }
    site.is_missing("new", &format!("after {what}")).await?;
    site.holds("there", &old, &format!("after {what}")).await
}

async fn broken_body(site: &Site) -> Verdict {
    writable(site)?;
    let part = noise(2, 150_000);
    refuses(site, "a body that failed midway", 300_000, || breaking(300_000, &part)).await
}

async fn wrong_length(site: &Site) -> Verdict {
    writable(site)?;
    let content = noise(2, 10_000);
    refuses(site, "a body shorter than announced", 20_000, || streamed(Some(20_000), &content)).await?;
    refuses(site, "a body longer than announced", 5_000, || streamed(Some(5_000), &content)).await?;
    // The request alone says how much is to come.
    refuses(site, "a body shorter than the request says", 20_000, || streamed(None, &content)).await?;
    refuses(site, "a body longer than the request says", 5_000, || streamed(None, &content)).await
}

async fn dropped(site: &Site) -> Verdict {
    writable(site)?;
    let key = name("a");
    let put = site.store.put(&key, of_size(300_000), stuck(300_000, &noise(1, 150_000)));
    let given_up = tokio::time::timeout(Duration::from_millis(200), put).await;
    ensure(given_up.is_err(), || "a put ended before its body did".to_owned())?;
    site.is_missing("a", "after a put was given up").await
}

async fn never_torn(site: &Site) -> Verdict {
    const SIZE: usize = 200_000;
    writable(site)?;
    let contents = [noise(1, SIZE), noise(2, SIZE / 2)];
    site.put("a", contents[0].clone()).await?;
    let (key, done) = (name("a"), AtomicBool::new(false));
    let writer = async {
        let mut result = Ok(());
        for turn in 1..=12 {
            let content = &contents[turn % 2];
            let body = streamed(Some(content.len() as u64), content);
            let put = site.store.put(&key, of_size(content.len()), body).await;
            result = result.and(put.map(drop));
        }
        done.store(true, SeqCst);
        result
    };
    let reader = async {
        loop {
            let last = done.load(SeqCst);
            match site.get("a").await {
                Ok(seen) => ensure(contents.contains(&seen), || format!("a reader saw {} mixed bytes", seen.len()))?,
                // To notice that it was replaced while it was read is as good.
                Err(error) if matches!(error.kind(), ErrorKind::Changed | ErrorKind::Precondition) => {}
                Err(error) => return Err(Trouble::from(error)),
            }
            if last {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
    };
    let (written, read) = futures::join!(writer, reader);
    written?;
    read
}

async fn if_absent(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().conditional_put, "conditions on writing are not kept")?;
    let request = || PutRequest { if_absent: true, ..of_size(3) };
    site.store.put(&name("a"), request(), Body::from(&b"old"[..])).await?;
    let again = site.store.put(&name("a"), request(), Body::from(&b"new"[..])).await;
    fails(again, &[ErrorKind::Exists, ErrorKind::Precondition], "a second put 'only if nothing is there'")?;
    site.holds("a", b"old", "after a refused put").await
}

async fn if_absent_race(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().conditional_put, "conditions on writing are not kept")?;
    let key = name("a");
    let put = |content: u64| {
        let request = PutRequest { if_absent: true, ..of_size(1_000) };
        site.store.put(&key, request, noise(content, 1_000).into())
    };
    let results = join_all((0..4).map(put)).await;
    let won: Vec<_> = (0_u64..).zip(&results).filter(|(_, result)| result.is_ok()).map(|(at, _)| at).collect();
    match won[..] {
        [winner] => site.holds("a", &noise(winner, 1_000), "after the race").await,
        _ => Err(Trouble::Broken(format!("{} of 4 writers were told that they were the first", won.len()))),
    }
}

async fn if_match(site: &Site) -> Verdict {
    writable(site)?;
    offered(site.can().conditional_put, "conditions on writing are not kept")?;
    let old = site.put("a", "old").await?.etag;
    offered(old.is_some(), "it has no ETags")?;
    let request = || PutRequest { if_match: old.clone(), ..of_size(3) };
    site.store.put(&name("a"), request(), Body::from(&b"new"[..])).await?;
    let late = site.store.put(&name("a"), request(), Body::from(&b"bad"[..])).await;
    fails(late, &[ErrorKind::Precondition], "a put over an ETag that is gone")?;
    let missing = site.store.put(&name("b"), request(), Body::from(&b"bad"[..])).await;
    fails(missing, &[ErrorKind::Precondition, ErrorKind::NotFound], "a put over an object that is missing")?;
    site.holds("a", b"new", "after a refused put").await
}
