//! `ls`, `tree`, `size`: a place as it is.

use std::{collections::BTreeMap, fmt::Write, sync::Arc};

use futures::TryStreamExt;
use sterna::{
    backends::{Entry, Key, Kind, ListRequest, Store, StoreExt, VersionScope},
    list::{Listing, Scope, filter::Filter},
};

use super::{observer, print, print_json};
use crate::{
    args::{GlobalArgs, LookArgs, LsArgs},
    exit::{Exit, Failure},
    places::{Opener, Place},
    settings, ui,
};

/// Bytes of output gathered before they are written.
const OUTPUT: usize = 64 * 1024;

/// A place that was opened to be looked at, and what of it.
pub(super) struct Look {
    pub(super) place: Place,
    pub(super) scope: Scope,
    pub(super) observer: sterna::event::Observers,
}

impl Look {
    pub(super) async fn open(global: &GlobalArgs, args: &LookArgs) -> Result<Self, Failure> {
        let observer = observer(global, None);
        let mut scope = settings::scope(&args.filter, &args.versions)?;
        let place = Opener::new(global, args.local.clone(), Arc::clone(&observer))?.either(&args.place).await?;
        if scope.versions != VersionScope::Latest && !place.store.capabilities().versions {
            return Err(no_versions(&args.place));
        }
        scope.filter = place.narrows(scope.filter);
        Ok(Self { place, scope, observer })
    }

    /// All objects, in byte order.
    pub(super) fn listing(&self) -> Listing {
        Listing::open(&self.place.store, &self.scope, 0, Arc::clone(&self.observer))
    }
}

/// That old versions were asked for where none are kept, as far as the configuration says.
pub(super) fn no_versions(place: &str) -> Failure {
    Failure::usage(format!("{place} keeps no old versions; for a bucket that does, set versions = true for its remote"))
}

/// `sterna ls`.
pub async fn ls(global: &GlobalArgs, args: LsArgs) -> Result<Exit, Failure> {
    let observer = observer(global, None);
    let opener = Opener::new(global, args.look.local.clone(), observer)?;
    if let Some(buckets) = opener.buckets(&args.look.place).await? {
        for bucket in buckets {
            if global.json {
                print_json(&serde_json::json!({ "bucket": bucket }))?;
            } else {
                print(&format!("{bucket}/\n"))?;
            }
        }
        return Ok(Exit::Success);
    }
    let look = Look::open(global, &args.look).await?;
    let mut out = Output::new(global.json, args.keys);
    if args.recursive && look.scope.versions != VersionScope::All {
        let mut listing = look.listing();
        while let Some(entry) = listing.next().await? {
            out.entry(&entry)?;
        }
        return out.end();
    }
    level(&look, args.recursive, &mut out).await?;
    out.end()
}

/// One level, or all versions: entries as the store lists them, directories among them.
async fn level(look: &Look, recursive: bool, out: &mut Output) -> Result<(), Failure> {
    let filter: Arc<Filter> = Arc::clone(&look.scope.filter);
    let prefix = if look.place.object.is_some() { filter.prefix().to_owned() } else { String::new() };
    let request = ListRequest {
        recursive,
        versions: look.scope.versions,
        empty_directories: !recursive,
        ..ListRequest::level(prefix)
    };
    let mut pages = look.place.store.list(request);
    while let Some(page) = pages.try_next().await? {
        for entry in page {
            let shown = match entry.kind {
                Kind::Directory => filter.enters(&entry.key),
                Kind::Object | Kind::DeleteMarker => filter.admits(&entry),
            };
            if shown {
                out.entry(&entry)?;
            }
        }
    }
    Ok(())
}

/// What a store holds at `path`: that object, or what is below it.
pub(super) async fn ls_store(
    store: &dyn Store,
    path: &str,
    recursive: bool,
    (json, keys): (bool, bool),
) -> Result<Exit, Failure> {
    let mut out = Output::new(json, keys);
    if let Ok(key) = Key::new(path)
        && let Ok(entry) = store.stat(&key, None).await
    {
        out.entry(&entry)?;
        return out.end();
    }
    let prefix = if path.is_empty() || path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
    let mut entries = store.entries(ListRequest { recursive, ..ListRequest::level(prefix) });
    let mut any = path.is_empty();
    while let Some(entry) = entries.try_next().await? {
        any = true;
        out.entry(&entry)?;
    }
    if !any {
        return Err(Failure::new(Exit::ObjectNotFound, format!("{}: there is no {path}", store.name())));
    }
    out.end()
}

struct Output {
    json: bool,
    keys: bool,
    text: String,
}

impl Output {
    fn new(json: bool, keys: bool) -> Self {
        Self { json, keys, text: String::new() }
    }

    fn entry(&mut self, entry: &Entry) -> Result<(), Failure> {
        if self.json {
            self.text += &serde_json::to_string(entry).map_err(std::io::Error::from)?;
        } else if self.keys {
            self.text += entry.key.as_str();
        } else {
            let size = match entry.kind {
                Kind::Directory => "-".to_owned(),
                Kind::DeleteMarker => "deleted".to_owned(),
                Kind::Object => entry.size.map_or_else(|| "?".to_owned(), |size| size.to_string()),
            };
            let time = entry.modified.or(entry.stored).map_or_else(
                || " ".repeat(20),
                |time| jiff::Timestamp::from(time).strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            );
            let _written = write!(self.text, "{size:>14} {time} {}", entry.key);
            if let Some(version) = &entry.version {
                let _written = write!(self.text, "  [{version}]");
            }
        }
        self.text.push('\n');
        if self.text.len() >= OUTPUT {
            print(&std::mem::take(&mut self.text))?;
        }
        Ok(())
    }

    fn end(self) -> Result<Exit, Failure> {
        print(&self.text)?;
        Ok(Exit::Success)
    }
}

/// `sterna size`.
pub async fn size(global: &GlobalArgs, args: LookArgs) -> Result<Exit, Failure> {
    let look = Look::open(global, &args).await?;
    let mut listing = look.listing();
    let (mut objects, mut bytes, mut largest, mut unknown) = (0_u64, 0_u64, 0_u64, 0_u64);
    while let Some(entry) = listing.next().await? {
        objects += 1;
        unknown += u64::from(entry.size.is_none());
        bytes += entry.size.unwrap_or(0);
        largest = largest.max(entry.size.unwrap_or(0));
    }
    if global.json {
        print_json(
            &serde_json::json!({ "objects": objects, "bytes": bytes, "largest": largest, "unknown_sizes": unknown }),
        )?;
    } else {
        print(&format!(
            "{}, {} ({bytes} bytes), largest {}\n",
            ui::count(objects, "object"),
            ui::bytes(bytes),
            ui::bytes(largest)
        ))?;
    }
    Ok(Exit::Success)
}

/// `sterna tree`.
pub async fn tree(global: &GlobalArgs, args: LookArgs) -> Result<Exit, Failure> {
    let look = Look::open(global, &args).await?;
    let mut listing = look.listing();
    let mut root = Node::default();
    while let Some(entry) = listing.next().await? {
        root.add(entry.key.as_str(), entry.size.unwrap_or(0));
    }
    if global.json {
        print_json(&root.json())?;
        return Ok(Exit::Success);
    }
    let mut text = format!("{}\n", args.place);
    root.draw("", &mut text);
    let _written = writeln!(text, "\n{}, {}", ui::count(root.objects, "object"), ui::bytes(root.bytes));
    print(&text)?;
    Ok(Exit::Success)
}

#[derive(Default)]
struct Node {
    objects: u64,
    bytes: u64,
    below: BTreeMap<String, Node>,
    is_object: bool,
}

impl Node {
    fn add(&mut self, path: &str, size: u64) {
        self.objects += 1;
        self.bytes += size;
        let (name, rest) = path.split_once('/').map_or((path, None), |(name, rest)| (name, Some(rest)));
        match rest {
            Some(rest) => self.below.entry(format!("{name}/")).or_default().add(rest, size),
            None => {
                let leaf = self.below.entry(name.to_owned()).or_default();
                (leaf.objects, leaf.bytes, leaf.is_object) = (1, size, true);
            }
        }
    }

    fn draw(&self, indent: &str, text: &mut String) {
        let last = self.below.len().saturating_sub(1);
        for (at, (name, node)) in self.below.iter().enumerate() {
            let (branch, more) = if at == last { ("└── ", "    ") } else { ("├── ", "│   ") };
            let what = if node.is_object {
                ui::bytes(node.bytes)
            } else {
                format!("{}, {}", ui::count(node.objects, "object"), ui::bytes(node.bytes))
            };
            let _written = writeln!(text, "{indent}{branch}{name}  ({what})");
            node.draw(&format!("{indent}{more}"), text);
        }
    }

    fn json(&self) -> serde_json::Value {
        let below: serde_json::Map<_, _> = self.below.iter().map(|(name, node)| (name.clone(), node.json())).collect();
        serde_json::json!({ "objects": self.objects, "bytes": self.bytes, "below": below })
    }
}
