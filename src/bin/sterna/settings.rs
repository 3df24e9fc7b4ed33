//! Every setting of a command, resolved once from arguments and files; a stage takes the few it uses.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use sterna::{
    backends::{Timestamp, VersionScope, registry::Notebook},
    compare::{Mode, Policy},
    history::History,
    index::{ALL, Index},
    list::{
        Grace, Scope,
        filter::{Filter, FilterBuilder},
    },
    plan::Groups,
    price::{Book, BookProblem},
    transfer::{Records, Settings},
};

use crate::{
    args::{CompareArgs, FilterArgs, GlobalArgs, OwnPricesArgs, PublicationArgs, TransferArgs, VersionArgs},
    config::Config,
    exit::Failure,
    found::Found,
    ui,
    values::Age,
};

/// The filter the arguments describe; files of patterns are read here.
pub fn filter(args: &FilterArgs) -> Result<Filter, Failure> {
    let now = Timestamp::now();
    let mut builder = FilterBuilder::new();
    for pattern in &args.include {
        builder.include(pattern);
    }
    for pattern in &args.exclude {
        builder.exclude(pattern);
    }
    for rule in &args.filter {
        builder.rule(rule);
    }
    type Add = fn(&mut FilterBuilder, &str, &str);
    let files: [(_, Add); 5] = [
        (&args.include_from, |builder, name, text| {
            builder.include_from(name, text);
        }),
        (&args.exclude_from, |builder, name, text| {
            builder.exclude_from(name, text);
        }),
        (&args.filter_from, |builder, name, text| {
            builder.filter_from(name, text);
        }),
        (&args.files_from, |builder, name, text| {
            builder.files_from(name, text);
        }),
        (&args.files_from_raw, |builder, name, text| {
            builder.files_from_raw(name, text);
        }),
    ];
    for (paths, add) in files {
        for path in paths {
            add(&mut builder, &path.display().to_string(), &read(path)?);
        }
    }
    if let Some(size) = args.min_size.and_then(|size| size.0) {
        builder.min_size(size);
    }
    if let Some(size) = args.max_size.and_then(|size| size.0) {
        builder.max_size(size);
    }
    if let Some(time) = args.min_age.and_then(|age| point(age, now)) {
        builder.modified_before(time);
    }
    if let Some(time) = args.max_age.and_then(|age| point(age, now)) {
        builder.modified_after(time);
    }
    if let Some(levels) = args.max_depth.filter(|levels| *levels > 0) {
        builder.max_depth(levels);
    }
    builder.ignore_case(args.ignore_case);
    builder.build().map_err(|error| Failure::usage(error.to_string()))
}

/// The point in time an age means, seen from `now`, in this machine's time zone.
pub fn point(age: Age, now: Timestamp) -> Option<Timestamp> {
    age.before(now, &jiff::tz::TimeZone::system())
}

fn read(path: &Path) -> Result<String, Failure> {
    let read =
        if path == Path::new("-") { std::io::read_to_string(std::io::stdin()) } else { fs::read_to_string(path) };
    read.map_err(|error| Failure::usage(format!("{}: {error}", path.display())))
}

/// What of a place is looked at.
pub fn scope(filters: &FilterArgs, versions: &VersionArgs) -> Result<Scope, Failure> {
    Ok(Scope {
        filter: Arc::new(filter(filters)?),
        versions: version_scope(versions.versions, versions.version_at.as_ref()),
    })
}

/// Which versions.
pub fn version_scope(all: bool, at: Option<&Age>) -> VersionScope {
    match at.and_then(|at| point(*at, Timestamp::now())) {
        _ if all => VersionScope::All,
        Some(at) => VersionScope::At(at),
        None => VersionScope::Latest,
    }
}

/// In which order objects become visible.
pub fn groups(args: &PublicationArgs) -> Result<Groups, Failure> {
    match &args.profile {
        Some(profile) => Ok(profile.clone()),
        None if args.group.is_empty() => Ok(Groups::default()),
        None => Groups::from_texts(args.group.iter().map(String::as_str))
            .map_err(|error| Failure::usage(format!("--group: {error}"))),
    }
}

/// How long what the source no longer has stays. Since when it is missing is kept in `$XDG_STATE_HOME/sterna/missing`.
pub fn grace(args: &PublicationArgs) -> Result<Option<Grace>, Failure> {
    args.delete_after.and_then(|span| span.0).map(grace_of).transpose()
}

/// A grace of that length.
pub fn grace_of(after: Duration) -> Result<Grace, Failure> {
    let state = state().ok_or_else(|| {
        Failure::usage("--delete-after: there is no home directory to remember in since when objects are missing")
    })?;
    Ok(Grace { after, now: Timestamp::now(), folder: state.join("missing") })
}

/// How objects are compared.
pub fn policy(args: &CompareArgs) -> Policy {
    let mode = match (args.checksum, args.size_only, args.ignore_times) {
        (true, ..) => Mode::Checksum,
        (_, true, _) => Mode::SizeOnly,
        (.., true) => Mode::IgnoreTimes,
        _ => Mode::Default,
    };
    Policy {
        mode,
        update: args.update,
        ignore_existing: args.ignore_existing,
        immutable: args.immutable,
        keep_times: args.no_update_modtime,
        read_below: args.read_below.0.unwrap_or(u64::MAX),
        modify_window: args.modify_window.and_then(|window| window.0).unwrap_or_default(),
    }
}

/// How objects are carried.
pub fn transfer(args: &TransferArgs, transfers: Option<usize>) -> Settings {
    Settings {
        transfers,
        memory: args.buffer.0.unwrap_or(u64::MAX),
        part_size: args.part_size.and_then(|size| size.0),
        multipart_threshold: args.multipart_threshold.and_then(|size| size.0),
        max_transfer: args.max_transfer.and_then(|size| size.0),
        metadata: !args.no_metadata,
        tags: args.tags,
        check_drift: false,
        prove: false,
        // Who knows the configuration may want fewer.
        digests: ALL.to_vec(),
    }
}

/// Where uploads that outlive the process are recorded: `$XDG_STATE_HOME/sterna/uploads`, else below the home
/// directory.
pub fn records(args: &TransferArgs) -> Records {
    match state() {
        Some(state) if !args.no_resume => Records::new(state.join("uploads")),
        _ => Records::none(),
    }
}

/// Where runs that write something of their own say that they are alive: `$XDG_STATE_HOME/sterna/measures`, else below the
/// home directory.
pub fn locks() -> Option<PathBuf> {
    state().map(|state| state.join("measures"))
}

/// Where saved jobs keep their locks and logs: `$XDG_STATE_HOME/sterna/jobs`, else below the home directory.
pub fn jobs() -> Result<PathBuf, Failure> {
    let none =
        || Failure::usage("there is no home directory to keep the locks and logs of jobs in; set $XDG_STATE_HOME");
    state().map(|state| state.join("jobs")).ok_or_else(none)
}

/// What leases call this machine: a name nobody else has, made once and kept beside the locks that tell who is alive here.
pub fn machine(jobs: &Path) -> std::io::Result<String> {
    let path = jobs.join("machine");
    fs::create_dir_all(jobs)?;
    let mut made = tempfile::NamedTempFile::new_in(jobs)?;
    made.write_all(format!("{:032x}\n", fastrand::u128(..)).as_bytes())?;
    match made.persist_noclobber(&path) {
        Ok(_) => {}
        Err(error) if error.error.kind() == std::io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error.error),
    }
    Ok(fs::read_to_string(path)?.trim().to_owned())
}

/// What is known of contents. One that was named must open; without the usual one everything works and takes longer.
pub fn index(args: &GlobalArgs) -> Result<Option<Index>, Failure> {
    if args.no_index {
        return Ok(None);
    }
    if args.index.is_some() {
        return needed_index(args).map(Some);
    }
    let Some(path) = index_path() else { return Ok(None) };
    match Index::open(&path) {
        Ok(index) => Ok(Some(telling(index))),
        Err(error) => {
            ui::complain(&error.to_string());
            Ok(None)
        }
    }
}

/// The index, for a command that is about it.
pub fn needed_index(args: &GlobalArgs) -> Result<Index, Failure> {
    if args.no_index {
        return Err(Failure::usage("this command is about the index; leave out --no-index"));
    }
    let path = args.index.clone().or_else(index_path);
    let path =
        path.ok_or_else(|| Failure::usage("there is no home directory to keep an index in; name one by --index"))?;
    Index::open(&path).map(telling).map_err(|error| Failure::usage(error.to_string()))
}

/// Has `index` say when it can no longer be written: nothing else fails for that.
fn telling(index: Index) -> Index {
    index.on_trouble(|error| ui::complain(&error.to_string()));
    index
}

/// Where it is kept what servers were found to do; `None` without a home directory.
pub fn notebook() -> Option<Arc<dyn Notebook>> {
    Some(Arc::new(Found { folder: state()?.join("servers") }))
}

/// Where runs and their costs are written down; `None` where nobody wants that. One that was named must open; without the
/// usual one everything works, and nobody remembers what it cost.
pub fn history(args: &GlobalArgs) -> Result<Option<History>, Failure> {
    if args.no_history {
        return Ok(None);
    }
    let usual = || state().map(|state| state.join("history.db"));
    let Some(path) = args.history.clone().or_else(usual) else { return Ok(None) };
    match History::open(&path) {
        Ok(history) => Ok(Some(history)),
        Err(error) if args.history.is_some() => Err(Failure::usage(error.to_string())),
        Err(error) => {
            ui::complain(&error.to_string());
            Ok(None)
        }
    }
}

/// The price book with the prices of one's own over it: those of the configuration's `[prices]`, and over them those of
/// `--prices FILE`. A field nobody knows is an error in the configuration, as everywhere in it, and a warning in the file.
pub fn book(own: &OwnPricesArgs, config: &Config) -> Result<Book, Failure> {
    let wrong = |problem: BookProblem| Failure::usage(problem.to_string());
    let book = config.priced(Book::shipped()).map_err(wrong)?;
    let Some(path) = &own.prices else { return Ok(book) };
    let (book, warnings) = book.with_own(&path.display().to_string(), &read(path)?).map_err(wrong)?;
    warnings.iter().for_each(|warning| ui::complain(&warning.to_string()));
    Ok(book)
}

fn index_path() -> Option<PathBuf> {
    state().map(|state| state.join("index.sqlite"))
}

/// Where things are kept from run to run: `$XDG_STATE_HOME/sterna`, else below the home directory.
fn state() -> Option<PathBuf> {
    std::env::var_os("XDG_STATE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| std::env::home_dir().map(|home| home.join(".local/state")))
        .map(|state| state.join("sterna"))
}
