//! `index stats`, `dups`, `export`, `forget`, `vacuum`.

use std::{
    fs::File,
    io::{self, BufWriter, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use sterna::{
    backends::Whereabouts,
    index::{self, Format, Group, Index, IndexError, PlaceStats},
};

use crate::{
    args::{DupsArgs, ExportArgs, ExportFormat, ForgetArgs, GlobalArgs, LocalArgs, VersionArgs},
    commands::{draft::Draft, observer, print, print_json},
    exit::{Exit, Failure},
    places::Opener,
    settings, ui,
};

impl From<IndexError> for Failure {
    fn from(error: IndexError) -> Self {
        let exit = if error.is_full() { Exit::Fatal } else { Exit::Error };
        Self::new(exit, error.to_string())
    }
}

/// `sterna index stats`.
pub fn stats(global: &GlobalArgs) -> Result<Exit, Failure> {
    let index = settings::needed_index(global)?;
    let stats = index.stats()?;
    if global.json {
        print_json(&serde_json::json!({ "index": index.path(), "stats": stats }))?;
        return Ok(Exit::Success);
    }
    let mut table = vec![["place", "objects", "bytes", "sha256", "sha1", "md5"].map(str::to_owned)];
    table.extend(stats.places.iter().map(cells));
    let widths: [usize; 6] =
        std::array::from_fn(|at| table.iter().map(|row| row[at].chars().count()).max().unwrap_or_default());
    for row in &table {
        let [place, numbers @ ..] = row;
        let numbers: String =
            numbers.iter().zip(&widths[1..]).map(|(text, width)| format!("  {text:>width$}")).collect();
        print(&format!("{place:<width$}{numbers}\n", width = widths[0]))?;
    }
    let contents = ui::count(stats.contents, "content");
    ui::say(&format!("{}: {contents} by SHA-256, {}", index.path().display(), ui::bytes(stats.file_bytes)));
    Ok(Exit::Success)
}

fn cells(place: &PlaceStats) -> [String; 6] {
    let PlaceStats { place, objects, bytes, sha256, sha1, md5 } = place;
    [place.clone(), objects.to_string(), ui::bytes(*bytes), sha256.to_string(), sha1.to_string(), md5.to_string()]
}

/// `sterna index dups`.
pub async fn dups(global: &GlobalArgs, args: DupsArgs) -> Result<Exit, Failure> {
    let observer = observer(global, None);
    let index = settings::index(global)?;
    let scope = settings::scope(&args.filter, &VersionArgs::default())?;
    let opener = Opener::new(global, args.local, Arc::clone(&observer))?;
    let mut stores = Vec::new();
    for place in &args.places {
        stores.push(opener.folder(place).await?.store);
    }
    let mut failed = None;
    let tell = |group: Group| {
        // Who has stopped to read needs no further group.
        if failed.is_none() {
            let told = if global.json { print_json(&group) } else { print(&draw(&group, &args.places)) };
            failed = told.err();
        }
    };
    let found = index::dups(&stores, index.as_ref(), &scope, &observer, tell).await?;
    if let Some(failure) = failed {
        return Err(failure);
    }
    if global.json {
        print_json(&serde_json::json!({ "places": args.places, "found": found }))?;
    } else if !global.quiet {
        ui::say(&format!(
            "{}, {}: {} more than once; {} ({}) could be spared",
            ui::count(found.objects, "object"),
            ui::bytes(found.bytes),
            ui::count(found.contents, "content"),
            ui::count(found.spare, "object"),
            ui::bytes(found.wasted)
        ));
        if found.unknown > 0 {
            ui::say(&format!(
                "{} of a size that others have, too, and of unknown content: see 'sterna index build'",
                ui::count(found.unknown, "object")
            ));
        }
    }
    Ok(Exit::Success)
}

fn draw(group: &Group, places: &[String]) -> String {
    let count = group.objects.len();
    let mut text = format!("{} wasted: {count} times {}\n", ui::bytes(group.wasted), ui::bytes(group.size));
    for object in &group.objects {
        let place = places.get(object.place - 1).filter(|_| places.len() > 1);
        let place = place.map(|place| format!("{place}  ")).unwrap_or_default();
        text += &format!("  {place}{}\n", object.key);
    }
    text
}

/// `sterna index export`.
pub async fn export(global: &GlobalArgs, args: ExportArgs) -> Result<Exit, Failure> {
    let index = settings::needed_index(global)?;
    let place = match &args.place {
        Some(place) => Some(whereabouts(global, &index, place).await?),
        None => None,
    };
    let format = match (args.format, global.json) {
        (None | Some(ExportFormat::Csv), false) => Format::Csv,
        (Some(ExportFormat::Parquet), false) => Format::Parquet,
        (None, true) | (Some(ExportFormat::Json), _) => Format::Json,
        (Some(ExportFormat::Csv | ExportFormat::Parquet), true) => {
            return Err(Failure::usage("--json is --format json; leave one of the two out"));
        }
    };
    let rows = if args.output == Path::new("-") {
        if format == Format::Parquet && io::stdout().is_terminal() {
            return Err(Failure::usage("Parquet is not for a terminal; name a file by -o"));
        }
        index::export(&index, place.as_ref(), format, BufWriter::new(io::stdout()))?
    } else {
        let draft = Draft::create(&args.output)?;
        let mut out = BufWriter::new(draft.file()?);
        let rows = index::export(&index, place.as_ref(), format, &mut out)?;
        out.flush()?;
        drop(out);
        draft.finish()?;
        rows
    };
    if !global.quiet {
        ui::say(&format!("{} exported", ui::count(rows, "object")));
    }
    Ok(Exit::Success)
}

/// `sterna index forget`.
pub async fn forget(global: &GlobalArgs, args: ForgetArgs) -> Result<Exit, Failure> {
    let index = settings::needed_index(global)?;
    let place = match &args.place {
        Some(place) => Some(whereabouts(global, &index, place).await?),
        None => None,
    };
    let forgotten = index.forget(place.as_ref())?;
    if global.json {
        print_json(&serde_json::json!({ "forgotten": forgotten }))?;
    } else if !global.quiet {
        ui::say(&format!("{} forgotten", ui::count(forgotten, "object")));
    }
    Ok(Exit::Success)
}

/// What a place is called in the index: one of the names `stats` shows, which may be of a remote that is no longer
/// configured, else a place as everywhere.
async fn whereabouts(global: &GlobalArgs, index: &Index, written: &str) -> Result<Whereabouts, Failure> {
    if index.places()?.iter().any(|place| place == written) {
        return Ok(Whereabouts::new(written.to_owned(), std::time::Duration::ZERO));
    }
    let opener = Opener::new(global, LocalArgs::default(), observer(global, None))?;
    let place = opener.folder(written).await?;
    place.store.whereabouts().ok_or_else(|| Failure::usage(format!("{written}: its objects cannot be remembered")))
}

/// `sterna index vacuum`.
pub fn vacuum(global: &GlobalArgs) -> Result<Exit, Failure> {
    let index = settings::needed_index(global)?;
    let size = |path: &Path| File::open(path).and_then(|file| Ok(file.metadata()?.len()));
    let before = size(index.path())?;
    index.vacuum()?;
    let after = size(index.path())?;
    if global.json {
        print_json(&serde_json::json!({ "before": before, "after": after }))?;
    } else if !global.quiet {
        ui::say(&format!("{}: {}, {} before", index.path().display(), ui::bytes(after), ui::bytes(before)));
    }
    Ok(Exit::Success)
}
