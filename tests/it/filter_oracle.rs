//! rclone as the judge of our filters: random rules over a tree of awkward names, and the same files have to come out.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

use sterna::list::filter::FilterBuilder;

/// The names of the tree; every directory holds some of them, down to the third level.
const NAMES: [&str; 14] =
    ["a", "b", "ab", "a.txt", "b.jpg", "A.TXT", "a*", "[ab]", "{a,b}", "ä", " a", "1", "a b.txt", "secret.jpg"];

/// What the patterns are made of.
const PIECES: [&str; 40] = [
    "a",
    "b",
    "ab",
    "/",
    "/",
    "*",
    "*",
    "**",
    "**",
    "?",
    ".txt",
    ".jpg",
    "*.txt",
    "*.{txt,jpg}",
    "[ab]",
    "[^a]",
    "[!a]",
    "{a,b}",
    "{a/,b}",
    "{a,{b,ab}}",
    "{{a|b}}",
    "{{[^/]*\\.jpg}}",
    "{{(?i)a}}",
    "\\*",
    "\\d",
    "\\D",
    "\\w",
    "\\[",
    "\\]",
    "[[:alpha:]]",
    "[\\d]",
    "[a-]",
    "ä",
    "\\{a,b\\}",
    "a/b",
    "/**",
    "//",
    "[^[:punct:]]",
    "{{a{1,2}}}",
    "secret",
];

/// One flag of rclone's filter family with its value.
type Flag = (&'static str, String);

/// How a comparison went.
#[derive(Debug, Default)]
pub struct Agreement {
    /// Rule sets for which both said the same: the same files, or that the rules are wrong.
    pub agreed: usize,
    /// Of these, how many selected some files but not all.
    pub telling: usize,
    /// Rule sets that rclone refuses and we take, because we find a way where it gives up (`[a/b]`).
    pub taken: Vec<String>,
    /// Everything else: a bug.
    pub disagreed: Vec<String>,
}

/// Compares `rounds` random rule sets; the same `seed` gives the same rules. `scratch` is an empty directory.
///
/// # Errors
/// When the tree cannot be written, or rclone cannot be run.
pub fn compare(rclone: &Path, scratch: &Path, rounds: usize, seed: u64) -> io::Result<Agreement> {
    let mut random = fastrand::Rng::with_seed(seed);
    let tree = grow(scratch, &mut random)?;
    let mut agreement = Agreement::default();
    for _ in 0..rounds {
        let flags = flags(&mut random);
        let theirs = rclone_selects(rclone, &flags, scratch)?;
        let ours = sterna_selects(&flags, &tree);
        if ours == theirs {
            agreement.agreed += 1;
            let some = ours.is_some_and(|keys| !keys.is_empty() && keys.len() < tree.len());
            agreement.telling += usize::from(some);
        } else if theirs.is_none() {
            agreement.taken.push(format!("{flags:?}"));
        } else {
            agreement.disagreed.push(format!("{flags:?}: {}", difference(ours.as_ref(), theirs.as_ref())));
        }
    }
    Ok(agreement)
}

fn difference(ours: Option<&BTreeSet<String>>, theirs: Option<&BTreeSet<String>>) -> String {
    match (ours, theirs) {
        (Some(ours), Some(theirs)) => {
            let only = |left: &BTreeSet<String>, right| left.difference(right).take(5).cloned().collect::<Vec<_>>();
            format!("only ours {:?}, only theirs {:?}", only(ours, theirs), only(theirs, ours))
        }
        (None, _) => "we refuse it".to_owned(),
        (_, None) => "rclone refuses it".to_owned(),
    }
}

/// What our filter selects of `keys`; `None` where it refuses the flags. A walk and a flat listing must agree.
fn sterna_selects(flags: &[Flag], keys: &BTreeSet<String>) -> Option<BTreeSet<String>> {
    let mut builder = FilterBuilder::new();
    for (flag, value) in flags {
        match *flag {
            "--include" => builder.include(value),
            "--exclude" => builder.exclude(value),
            "--filter" => builder.rule(value),
            "--max-depth" => builder.max_depth(value.parse().expect("a number")),
            "--ignore-case" => builder.ignore_case(true),
            other => unreachable!("{other} is never made"),
        };
    }
    let filter = builder.build().ok()?;
    let flat: BTreeSet<String> = keys.iter().filter(|key| filter.admits_key(key)).cloned().collect();
    let reached = |key: &str| key.match_indices('/').all(|(at, _)| filter.enters(&key[..=at]));
    assert!(flat.iter().all(|key| reached(key) && key.starts_with(filter.prefix())), "{flags:?}");
    Some(flat)
}

/// What rclone selects of the tree; `None` where it refuses the flags.
fn rclone_selects(rclone: &Path, flags: &[Flag], tree: &Path) -> io::Result<Option<BTreeSet<String>>> {
    let mut command = Command::new(rclone);
    command.args(["lsf", "-R", "--files-only", "--config", "/dev/null", "--local-encoding", "None"]).arg(tree);
    for (flag, value) in flags {
        command.arg(if value.is_empty() { (*flag).to_owned() } else { format!("{flag}={value}") });
    }
    let output = command.output()?;
    if !output.status.success() {
        return Ok(None);
    }
    let listed = String::from_utf8(output.stdout).map_err(io::Error::other)?;
    Ok(Some(listed.lines().map(str::to_owned).collect()))
}

fn flags(random: &mut fastrand::Rng) -> Vec<Flag> {
    let mut flags: Vec<Flag> = Vec::new();
    for _ in 0..random.usize(1..5) {
        let length = random.usize(1..6);
        let pattern: String = (0..length).map(|_| PIECES[random.usize(..PIECES.len())]).collect();
        flags.push(match random.u8(..10) {
            0..2 => ("--include", pattern),
            2..4 => ("--exclude", pattern),
            4..7 => ("--filter", format!("+ {pattern}")),
            7..9 => ("--filter", format!("- {pattern}")),
            _ => ("--filter", ["- *", "- **", "!", "- a/"][random.usize(..4)].to_owned()),
        });
    }
    if random.u8(..8) == 0 {
        flags.push(("--ignore-case", String::new()));
    }
    if random.u8(..8) == 0 {
        flags.push(("--max-depth", random.usize(1..4).to_string()));
    }
    if random.bool() {
        flags.push(("--filter", "- **".to_owned()));
    }
    flags
}

/// Writes a tree of empty files; gives their paths.
fn grow(root: &Path, random: &mut fastrand::Rng) -> io::Result<BTreeSet<String>> {
    let mut paths = BTreeSet::new();
    let mut levels = vec![(PathBuf::new(), 0)];
    while let Some((directory, level)) = levels.pop() {
        for name in NAMES {
            let path = directory.join(name);
            if level < 2 && random.u8(..3) == 0 {
                fs::create_dir(root.join(&path))?;
                levels.push((path, level + 1));
            } else if random.u8(..2) == 0 {
                fs::write(root.join(&path), "")?;
                paths.insert(path.to_str().expect("made from text").to_owned());
            }
        }
    }
    Ok(paths)
}

#[test]
fn rclone_selects_the_same_files() {
    let scratch = tempfile::tempdir().expect("a temporary directory");
    let rclone = sterna_servers::rclone();
    let agreement = compare(Path::new(rclone.get_program()), scratch.path(), 60, 1).expect("a writable directory");
    assert!(agreement.disagreed.is_empty(), "{:#?}", agreement.disagreed);
    assert!(agreement.agreed > 30 && agreement.telling > 10, "{agreement:?}");
}
