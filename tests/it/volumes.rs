//! Local file systems of other kinds than the one the tests lie on: XFS and Btrfs, which share blocks, and exFAT, which
//! folds case.
//!
//! Each lies in a file that is mounted in a namespace of its own, which ends with the test, however that ends. Only root
//! may do that, and not on every kernel: where it is refused, nothing is shown, and that is said on stderr past the test
//! runner. With `STERNA_TEST_VOLUMES=1` it is a failure.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};

use sterna_servers::debian::{EXFAT, Package, XFS};
use tempfile::TempDir;

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

/// A mounted file system.
struct Volume {
    holder: Child,
    /// While it is open the holder waits; it then unmounts and ends.
    line: Option<ChildStdin>,
    image: TempDir,
}

/// Makes the file system and mounts it; says where it is ready, then waits until nobody listens any more. `$0` is the
/// image, `$1` the directory.
const XFS_SCRIPT: &str = "truncate -s 400M $0 && mkfs.xfs -q -m reflink=1 $0 && mount -o loop -t xfs $0 $1";
const BTRFS_SCRIPT: &str = "truncate -s 200M $0 && mkfs.btrfs -q $0 && mount -o loop -t btrfs $0 $1";
const EXFAT_SCRIPT: &str = "truncate -s 64M $0 && mkfs.exfat $0 >/dev/null && loop=$(losetup --find --show $0) && \
                            { mount.exfat-fuse $loop $1; mounted=$?; losetup -d $loop; [ $mounted = 0 ]; }";

impl Volume {
    /// `None` where this machine does not let us; that was said.
    fn mounted(kind: &str, package: &Package, script: &str) -> Option<Self> {
        let tools = package.directory().unwrap_or_else(|why| panic!("{why}"));
        let image = TempDir::with_prefix("sterna-volume-").expect("a temporary directory");
        fs::create_dir(image.path().join("here")).expect("a writable directory");
        let script = format!("{{ {script}; }} 2>&1 && {{ echo ready; cat; umount \"$1\"; }}");
        let mut holder = Command::new("unshare");
        holder.args(["--mount", "--propagation", "private", "sh", "-c", &script]);
        holder.arg(image.path().join("image")).arg(image.path().join("here"));
        let path = std::env::var("PATH").unwrap_or_default();
        holder.env("PATH", format!("{0}/usr/sbin:{0}/sbin:{0}/usr/bin:{path}:/usr/sbin:/sbin", tools.display()));
        let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
        holder.env("LD_LIBRARY_PATH", format!("{0}/usr/lib/{triplet}:{0}/lib/{triplet}", tools.display()));
        let holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut holder = match holder {
            Ok(holder) => holder,
            Err(error) => return refused(kind, &error.to_string()),
        };
        let mut said = String::new();
        for line in BufReader::new(holder.stdout.take().expect("piped")).lines().map_while(Result::ok) {
            if line == "ready" {
                let line = holder.stdin.take();
                return Some(Self { holder, line, image });
            }
            said.push_str(&line);
            said.push('\n');
        }
        let ended = holder.wait_with_output().expect("a child");
        said.push_str(&String::from_utf8_lossy(&ended.stderr));
        refused(kind, &said)
    }

    /// Where it is seen from outside its namespace.
    fn root(&self) -> PathBuf {
        let inside = self.image.path().join("here");
        let inside = inside.strip_prefix("/").expect("an absolute path");
        PathBuf::from(format!("/proc/{}/root", self.holder.id())).join(inside)
    }

    fn path(&self, inside: &str) -> String {
        self.root().join(inside).to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        drop(self.line.take());
        // It ends by itself now, and with it the mount.
        let _ended = self.holder.wait();
    }
}

fn refused(kind: &str, why: &str) -> Option<Volume> {
    let words = format!("NOT SHOWN on {kind}: it cannot be mounted here: {}", why.trim());
    assert!(std::env::var_os("STERNA_TEST_VOLUMES").is_none(), "{words}");
    // Past the capture of the test runner, which hides what a passing test says.
    let _unheard = writeln!(std::io::stderr(), "\n{words}\n");
    None
}

/// Bytes that are free.
fn free(volume: &Volume) -> u64 {
    let told = Command::new("stat").args(["-f", "-c", "%a %S"]).arg(volume.root()).output().expect("stat runs");
    let told = String::from_utf8(told.stdout).expect("numbers");
    let numbers: Vec<u64> = told.split_whitespace().map(|number| number.parse().expect("a number")).collect();
    numbers[0] * numbers[1]
}

/// Whether every extent of a file is shared, as the kernel tells it (`FIEMAP_EXTENT_SHARED`).
fn is_shared(path: &str) -> bool {
    let told = Command::new("filefrag").arg("-v").arg(path).output().expect("filefrag of e2fsprogs runs");
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let extents: Vec<&str> =
        told.lines().filter(|line| line.trim_start().starts_with(|c: char| c.is_ascii_digit())).collect();
    assert!(!extents.is_empty(), "{told}");
    extents.iter().all(|line| line.contains("shared"))
}

fn blocks_are_shared(kind: &str, package: &Package, script: &str) {
    let Some(volume) = Volume::mounted(kind, package, script) else { return };
    let sterna = Sterna::new();
    let (src, dst) = (volume.path("src"), volume.path("dst"));
    fs::create_dir(&src).expect("a writable volume");
    let content = noise(60_000_000, 1);
    fs::write(volume.path("src/large.iso"), &content).expect("a writable volume");
    fs::write(volume.path("src/small"), "tern").expect("a writable volume");
    // What is written lies in memory first, and free space is counted late.
    Ran::of(sterna.program("sync", &["-f", &src])).exits(0);
    let before = free(&volume);
    let did = sterna.did(&["sync", &src, &dst]);
    assert_eq!((did.code, did.copied + did.transferred), (0, 2), "{did:?}");
    Ran::of(sterna.program("sync", &["-f", &src])).exits(0);
    let taken = before.saturating_sub(free(&volume));
    assert!(is_shared(&volume.path("dst/large.iso")), "the copy has blocks of its own");
    assert!(taken < content.len() as u64 / 2, "a copy of {} bytes took {taken}", content.len());
    assert!(fs::read(volume.path("dst/large.iso")).expect("it is there") == content);
    assert_eq!(sterna.did(&["sync", "--checksum", &src, &dst]), Did::NOTHING);
    // A view of a snapshot takes no room either, though it is written into an archive that has all of it.
    let archive = volume.path("archive");
    sterna.run(&["snapshot", "create", &dst, &archive]).exits(0);
    Ran::of(sterna.program("sync", &["-f", &src])).exits(0);
    let before = free(&volume);
    let did = sterna.did(&["snapshot", "view", &archive, "latest"]);
    assert_eq!((did.code, did.copied, did.transferred), (0, 2, 0), "{did:?}");
    Ran::of(sterna.program("sync", &["-f", &src])).exits(0);
    let taken = before.saturating_sub(free(&volume));
    assert!(taken < content.len() as u64 / 2, "a view of {} bytes took {taken}", content.len());
    // A copy that is written to leaves the original alone.
    fs::write(volume.path("dst/large.iso"), "changed").expect("a writable volume");
    assert!(fs::read(volume.path("src/large.iso")).expect("it is there") == content);
}

#[test]
fn blocks_are_shared_on_xfs() {
    blocks_are_shared("XFS", &XFS, XFS_SCRIPT);
}

#[test]
fn blocks_are_shared_on_btrfs() {
    blocks_are_shared("Btrfs", &sterna_servers::debian::BTRFS, BTRFS_SCRIPT);
}

/// Every file below a directory of a volume, by its path there.
fn files(volume: &Volume, folder: &str) -> Vec<(String, String)> {
    let root = volume.root().join(folder);
    let mut found = Vec::new();
    let mut open = vec![root.clone()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).expect("a directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&root).expect("below").to_str().expect("UTF-8").to_owned();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn keys_that_differ_in_case_only_are_told_before_one_overwrites_the_other() {
    let Some(volume) = Volume::mounted("exFAT", &EXFAT, EXFAT_SCRIPT) else { return };
    let sterna = Sterna::new();
    for name in ["README", "readme", "Folder/a", "folder/A", "folder/b", "plain"] {
        sterna.file(format!("src/{name}"), name);
    }
    // Of each pair the first in order; whichever of its files comes first names the directory.
    let kept = [("folder/a", "Folder/a"), ("folder/b", "folder/b"), ("plain", "plain"), ("readme", "README")];
    let kept = kept.map(|(name, text)| (name.to_owned(), text.to_owned()));
    // An empty volume, a directory on it that is not there yet, the same with names in it, one further below.
    for place in ["", "new", "new", "later/and/later"] {
        let to = volume.path(place);
        let dry = sterna.run(&["sync", "--dry-run", "src", &to]).exits(1);
        assert!(dry.stdout.contains("differs from it in case only"), "{place:?}: {dry}");
        sterna.run(&["sync", "src", &to]).exits(1).says("differs from it in case only");
        let mut found = files(&volume, place);
        found.iter_mut().for_each(|(name, _)| name.make_ascii_lowercase());
        found.sort();
        assert_eq!(found, kept, "{place:?}");
    }
    // Without the pairs all is well. This file system keeps whole seconds.
    let to = volume.path("clean");
    fs::remove_file(sterna.path("src/readme")).expect("it is there");
    fs::remove_dir_all(sterna.path("src/folder")).expect("it is there");
    sterna.run(&["sync", "src", &to]).exits(0);
    assert_eq!(sterna.did(&["sync", "src", &to, "--modify-window", "2s"]), Did::NOTHING);
    // A name that is written in another case at the source is the same file here, and is not deleted as one too many.
    fs::rename(sterna.path("src/README"), sterna.path("src/Readme")).expect("it is there");
    sterna.run(&["sync", "src", &to, "--max-delete", "100%"]);
    let found = files(&volume, "clean");
    let readme: Vec<_> = found.iter().filter(|(name, _)| name.eq_ignore_ascii_case("readme")).collect();
    assert_eq!(readme.len(), 1, "{found:?}");
    assert_eq!(readme[0].1, "README", "its content is there still");
}

/// Runs sterna with `src` mounted a second time, as `again`, and `src/deeper`, as `part`, in a namespace of its own; `None`
/// where that is refused.
fn mounted_twice(sterna: &Sterna, arguments: &[&str]) -> Option<Ran> {
    let script = "mount --bind src again && mount --bind src/deeper part || exit 99; exec \"$@\"";
    let mut command = sterna.program("unshare", &["--mount", "--propagation", "private", "sh", "-c", script, "sh"]);
    command.arg(env!("CARGO_BIN_EXE_sterna")).args(arguments);
    let ran = Ran::of(command);
    if matches!(ran.code, Some(1 | 99)) && !ran.stderr.contains("sterna") {
        let _none = refused("a folder mounted twice", &ran.stderr);
        return None;
    }
    Some(ran)
}

#[test]
fn a_folder_that_is_mounted_twice_is_one_place() {
    let sterna = Sterna::new();
    sterna.tree("src");
    fs::create_dir(sterna.path("again")).expect("a writable directory");
    fs::create_dir(sterna.path("part")).expect("a writable directory");
    fs::create_dir_all(sterna.path("src/deeper")).expect("a writable directory");
    sterna.run(&["plan", "src", "again", "-o", "copied.jsonl"]).exits(0);
    let before = sterna.files("src");
    let one: &[&[&str]] = &[
        &["move", "src", "again"],
        &["move", "src", "again/new/folder"],
        &["move", "again/deeper", "src"],
        &["sync", "src", "part"],
        &["sync", "part/new", "src"],
        &["move", "src/repo", "again"],
        &["sync", "src/none", "again/none"],
        &["apply", "copied.jsonl"],
        &["snapshot", "create", "src", "again/archive"],
    ];
    for arguments in one {
        let Some(ran) = mounted_twice(&sterna, arguments) else { return };
        ran.exits(2).says("overlap");
        assert_eq!(sterna.files("src"), before, "{arguments:?}");
    }
    // What lies beside it does not overlap.
    let Some(ran) = mounted_twice(&sterna, &["move", "src/repo", "again/deeper"]) else { return };
    ran.exits(0);
    assert!(sterna.path("src/deeper/repo").exists() && !sterna.path("src/repo").exists());
}
