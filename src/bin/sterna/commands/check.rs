//! `check`: what differs, with which evidence.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::Arc,
};

use sterna::{
    compare::Evidence,
    event::Observers,
    report::Summary,
    verify::{self, CheckSettings, Checked, Finding, Findings},
};

use super::{observer, plan::reason, print, print_json};
use crate::{
    args::{CheckArgs, GlobalArgs, VersionArgs},
    exit::{Exit, Failure},
    places::Opener,
    settings, ui,
};

/// `sterna check`.
pub async fn run(global: &GlobalArgs, args: CheckArgs) -> Result<Exit, Failure> {
    let summary = Arc::new(Summary::default());
    let observer = observer(global, Some(Arc::clone(&summary) as Observers));
    let opener = Opener::new(global, args.local.clone(), Arc::clone(&observer))?;
    let source = opener.either(&args.source).await?;
    let mut scope = settings::scope(&args.filter, &VersionArgs::default())?;
    scope.filter = source.narrows(scope.filter);
    let mut targets = Vec::new();
    for written in &args.destinations {
        targets.push(opener.folder(written).await?.store);
    }
    let settings = CheckSettings {
        scope,
        policy: settings::policy(&args.compare),
        download: args.download,
        one_way: args.one_way,
        checkers: global.checkers,
        index: settings::index(global)?,
    };
    let mut teller = Teller::new(global, &args)?;
    let progress = ui::Progress::start(summary, global.progress, global.stats.0.unwrap_or_default());
    let checked = verify::check(&source.store, &targets, &settings, &observer, |finding| teller.tell(&finding)).await;
    progress.finish();
    let checked = checked?;
    teller.end()?;
    summarise(global, &args, &checked)?;
    let unproven = checked.iter().any(|checked| checked.unproven > 0);
    Ok(if checked.iter().any(Checked::differs) {
        Exit::Error
    } else if unproven && !args.compare.allow_unproven && !args.compare.size_only {
        Exit::Unproven
    } else {
        Exit::Success
    })
}

fn summarise(global: &GlobalArgs, args: &CheckArgs, checked: &[Checked]) -> Result<(), Failure> {
    if global.json {
        return print_json(&serde_json::json!({
            "source": args.source, "destinations": args.destinations, "checked": checked,
        }));
    }
    if global.quiet {
        return Ok(());
    }
    for (name, found) in args.destinations.iter().zip(checked) {
        let differences = found.differing + found.missing_at_destination + found.missing_at_source;
        ui::say(&format!(
            "{name}: {} ({} differ, {} missing there, {} missing at the source), {} that could not be compared; \
             {} the same ({} proven, {} likely, {} unproven)",
            ui::count(differences, "difference"),
            found.differing,
            found.missing_at_destination,
            found.missing_at_source,
            found.errors,
            found.proven + found.likely + found.unproven,
            found.proven,
            found.likely,
            found.unproven,
        ));
    }
    Ok(())
}

/// Says findings as they come.
struct Teller {
    json: bool,
    quiet: bool,
    several: bool,
    unproven: bool,
    combined: Option<BufWriter<Box<dyn Write + Send>>>,
    failed: Option<Failure>,
}

impl Teller {
    fn new(global: &GlobalArgs, args: &CheckArgs) -> Result<Self, Failure> {
        let combined: Option<Box<dyn Write + Send>> = match &args.combined {
            Some(path) if path == Path::new("-") => Some(Box::new(std::io::stdout())),
            Some(path) => {
                let file = File::create(path)
                    .map_err(|error| Failure::usage(format!("--combined {}: {error}", path.display())))?;
                Some(Box::new(file))
            }
            None => None,
        };
        Ok(Self {
            json: global.json,
            // One line an object is enough.
            quiet: global.quiet || args.combined.as_deref() == Some(Path::new("-")),
            several: args.destinations.len() > 1,
            unproven: args.list_unproven,
            combined: combined.map(BufWriter::new),
            failed: None,
        })
    }

    fn tell(&mut self, finding: &Finding) {
        if let Some(out) = &mut self.combined {
            let written = writeln!(out, "{} {}", sign(&finding.finding), finding.key);
            self.failed = self.failed.take().or(written.err().map(Failure::from));
        }
        let shown = match &finding.finding {
            Findings::Match { evidence: Evidence::Unproven } => self.unproven,
            Findings::Match { .. } => false,
            _ => true,
        };
        if !shown {
            return;
        }
        let told = if self.json {
            print_json(finding)
        } else if self.quiet {
            Ok(())
        } else {
            let to = if self.several { format!(" -> {}", finding.place) } else { String::new() };
            print(&format!("{} {}{to}  ({})\n", sign(&finding.finding), finding.key, words(&finding.finding)))
        };
        self.failed = self.failed.take().or(told.err());
    }

    fn end(self) -> Result<(), Failure> {
        self.failed.map_or(Ok(()), Err)?;
        if let Some(mut out) = self.combined {
            out.flush()?;
        }
        Ok(())
    }
}

/// rclone's sign for `--combined`.
pub(super) fn sign(finding: &Findings) -> char {
    match finding {
        Findings::Match { .. } => '=',
        Findings::Differs { .. } => '*',
        Findings::MissingAtDestination => '+',
        Findings::MissingAtSource => '-',
        Findings::Error { .. } => '!',
    }
}

pub(super) fn words(finding: &Findings) -> String {
    match finding {
        Findings::Match { evidence: Evidence::Proven(algorithm) } => format!("the same {algorithm}"),
        Findings::Match { evidence: Evidence::Likely } => "the same size and time".to_owned(),
        Findings::Match { evidence: Evidence::Unproven } => "the same size, nothing more is known".to_owned(),
        Findings::Differs { reason: why } => reason(*why),
        Findings::MissingAtDestination => "missing at the destination".to_owned(),
        Findings::MissingAtSource => "missing at the source".to_owned(),
        Findings::Error { message } => message.clone(),
    }
}
