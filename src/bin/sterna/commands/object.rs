//! `stat`, `cat`, `mkdir`: one object, one place.

use std::{fmt::Write as _, io::Write as _, sync::Arc};

use futures::TryStreamExt;
use sterna::backends::{Chunks, Entry, ErrorKind, Key, ReadRequest, Version};

use super::{observer, print, print_json};
use crate::{
    args::{CatArgs, GlobalArgs, LocalArgs, ObjectArgs, PlaceArg, StatArgs},
    exit::{Exit, Failure},
    places::{Opener, Place},
};

/// The one object a place names.
async fn object(global: &GlobalArgs, args: &ObjectArgs) -> Result<(Place, Key, Option<Version>), Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let version: Option<Version> = args.version_id.as_deref().map(Into::into);
    let place = opener.either(&args.place).await?;
    match place.object.clone() {
        Some(key) => Ok((place, key, version)),
        None => Err(Failure::new(Exit::ObjectNotFound, format!("{}: no such object", args.place))),
    }
}

/// `sterna stat`.
pub async fn stat(global: &GlobalArgs, args: StatArgs) -> Result<Exit, Failure> {
    let (place, key, version) = object(global, &args.object).await?;
    let mut entry = place.store.stat(&key, version.as_ref()).await?;
    if args.tags {
        let tags = place.store.tags(&key, version.as_ref()).await?;
        Arc::make_mut(entry.metadata.get_or_insert_default()).tags = tags;
    }
    if global.json {
        print_json(&entry)?;
    } else {
        print(&facts(&entry))?;
    }
    Ok(Exit::Success)
}

fn facts(entry: &Entry) -> String {
    let mut text = String::new();
    let mut line = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            let _written = writeln!(text, "{name:<20} {value}");
        }
    };
    line("key", Some(entry.key.to_string()));
    line("size", entry.size.map(|size| size.to_string()));
    line("modified", entry.modified.map(|time| time.to_string()));
    line("stored", entry.stored.map(|time| time.to_string()));
    line("etag", entry.etag.as_deref().map(str::to_owned));
    line("version", entry.version.as_deref().map(str::to_owned));
    line("storage class", entry.storage_class.as_deref().map(str::to_owned));
    for digest in entry.digests.iter() {
        line(digest.algorithm().name(), Some(digest.hex()));
    }
    if let Some(metadata) = &entry.metadata {
        line("content-type", metadata.content_type.clone());
        line("cache-control", metadata.cache_control.clone());
        line("content-disposition", metadata.content_disposition.clone());
        line("content-encoding", metadata.content_encoding.clone());
        line("content-language", metadata.content_language.clone());
        for (name, value) in &metadata.user {
            line(&format!("user {name}"), Some(value.clone()));
        }
        for (name, value) in &metadata.tags {
            line(&format!("tag {name}"), Some(value.clone()));
        }
    }
    text
}

/// `sterna cat`.
pub async fn cat(global: &GlobalArgs, args: CatArgs) -> Result<Exit, Failure> {
    let (place, key, version) = object(global, &args.object).await?;
    let range = (args.offset.is_some() || args.count.is_some()).then(|| {
        let start = args.offset.unwrap_or(0);
        start..args.count.map_or(u64::MAX, |count| start.saturating_add(count)).min(ReadRequest::FAR)
    });
    let request = ReadRequest { range, version: version.clone(), if_match: None };
    let reader = match place.store.read(&key, request).await {
        // Some stores have nothing to give beyond the end, others refuse to.
        Err(error) if error.kind() == ErrorKind::BadRequest && args.offset > Some(0) => {
            let size = place.store.stat(&key, version.as_ref()).await?.size;
            return if size <= args.offset { Ok(Exit::Success) } else { Err(error.into()) };
        }
        read => read?,
    };
    pour(reader.body.chunks()).await
}

/// Bytes to standard output, as they come.
pub(super) async fn pour(mut chunks: Chunks) -> Result<Exit, Failure> {
    while let Some(chunk) = chunks.try_next().await? {
        let written = tokio::task::spawn_blocking(move || std::io::stdout().lock().write_all(&chunk)).await;
        match written.unwrap_or_else(|panic| Err(std::io::Error::other(panic))) {
            // `cat … | head` is no error.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => return Ok(Exit::Success),
            result => result?,
        }
    }
    std::io::stdout().flush()?;
    Ok(Exit::Success)
}

/// `sterna mkdir`.
pub async fn mkdir(global: &GlobalArgs, args: PlaceArg) -> Result<Exit, Failure> {
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let place = opener.folder(&args.place).await?;
    match place.store.make_directory("").await {
        Err(error) if error.kind() == ErrorKind::Exists => {
            Err(Failure::other(format!("{}: something that is no directory is there", args.place)))
        }
        result => {
            result?;
            Ok(Exit::Success)
        }
    }
}
