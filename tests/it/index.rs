//! `index`: what it says, what it refuses, and what is left of it when it is disturbed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Stdio};

use serde_json::Value;
use sterna_servers::{duckdb, seaweedfs};

use crate::servers::eventually;
use crate::sterna::{Ran, Sterna};
use crate::tree::noise;

impl Sterna {
    /// The index this home uses by itself.
    fn index_path(&self) -> std::path::PathBuf {
        self.path("../home/state/sterna/index.sqlite")
    }

    /// Runs Python: the other program that reads and writes SQLite.
    fn python(&self, script: &str, file: &Path) -> Ran {
        Ran::of(self.program("python3", &["-c", script, file.to_str().expect("UTF-8")])).exits(0)
    }

    /// What `index build --json` did.
    #[track_caller]
    fn built(&self, arguments: &[&str]) -> BTreeMap<String, u64> {
        let ran = self.run(&[&["index", "build", "--json"][..], arguments].concat()).exits(0);
        let told: Value = serde_json::from_str(&ran.stdout).expect("JSON");
        let counts = told["built"].as_object().expect("counts");
        let counts = counts.iter().map(|(name, count)| (name.clone(), count.as_u64().expect("a count")));
        counts.filter(|(_, count)| *count > 0).collect()
    }

    /// The rows of a place as `index export` writes them, by key.
    #[track_caller]
    fn rows(&self, place: &str) -> BTreeMap<String, csv::StringRecord> {
        let told = self.run(&["index", "export", place]).exits(0).stdout;
        let mut reader = csv::Reader::from_reader(told.as_bytes());
        let columns = ["place", "key", "size", "modified", "sha256", "sha1", "md5", "parts"];
        assert_eq!(reader.headers().expect("a header"), &columns[..]);
        reader.records().map(|row| row.expect("CSV")).map(|row| (row[1].to_owned(), row)).collect()
    }

    /// The SHA-256 of every file below `folder`, by its absolute path, as coreutils compute it.
    fn sums(&self, folder: &str) -> BTreeMap<String, String> {
        let told =
            Ran::of(self.program("sh", &["-c", "find \"$PWD/$0\" -type f -exec sha256sum {} +", folder])).exits(0);
        told.stdout.lines().map(|line| (line[66..].to_owned(), line[..64].to_owned())).collect()
    }
}

fn counts<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<String, u64> {
    counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
}

#[test]
fn a_build_reads_what_nobody_tells_and_reads_it_once() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    let bytes = sterna.files("src").values().map(|file| file.bytes.len() as u64).sum();
    assert_eq!(sterna.built(&["src", "--include", "*.txt"])["read"], 4);
    assert_eq!(sterna.built(&["src"])["known"], 4);
    assert_eq!(sterna.built(&["src"]), counts([("known", 14)]));
    // From below, and as one file.
    assert_eq!(sterna.built(&["src/b"]), counts([("known", 3)]));
    assert_eq!(sterna.built(&["src/b/a.txt"]), counts([("known", 1)]));
    fs::remove_file(sterna.index_path()).expect("an index");
    assert_eq!(sterna.built(&["src"]), counts([("read", 14), ("bytes_read", bytes)]));
    let rows = sterna.rows("src");
    for (path, sha256) in sterna.sums("src") {
        assert_eq!(&rows[&path][4], sha256, "{path}");
        assert!(!rows[&path][5].is_empty() && !rows[&path][6].is_empty(), "all of them: {:?}", rows[&path]);
    }
    // It holds names: nobody else may read it.
    let mode = fs::metadata(sterna.index_path()).expect("an index").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // What is gone is forgotten, what is new is read, what is changed is read again.
    fs::remove_file(sterna.path("src/repo")).expect("it is there");
    sterna.dated("src/new", "new", 1_500_000_000, 0);
    sterna.dated("src/a.txt", "changed", 1_500_000_000, 0);
    assert_eq!(sterna.built(&["src"]), counts([("known", 12), ("read", 2), ("bytes_read", 10)]));
}

#[test]
fn what_a_listing_or_a_stat_tells_is_not_read() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    sterna.dated("src/large", noise(13_000_000, 3), 1_500_000_000, 0);
    let near = format!("near:{}", seaweedfs().bucket("build"));
    sterna.run(&["copy", "src", &near, "--multipart-threshold", "6M", "--part-size", "5M"]).exits(0);
    fs::remove_file(sterna.index_path()).expect("an index");
    // The listing tells the MD5 of what went in one piece, and the metadata the SHA-256 of what went in parts.
    assert_eq!(sterna.built(&[&near]), counts([("listed", 14), ("stat", 1)]));
    assert_eq!(sterna.built(&[&near]), counts([("listed", 14), ("known", 1)]));
    let all = sterna.built(&["--all", &near]);
    assert_eq!(all["read"], 15, "{all:?}");
    assert_eq!(sterna.built(&["--all", &near]), counts([("known", 15)]));
}

#[test]
fn sums_files_of_every_kind_are_believed() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    sterna.dated("src/back\\slash\nline", "odd", 1_500_000_000, 0);
    sterna.dated("src/large", noise(13_000_000, 3), 1_500_000_000, 0);
    let near = format!("near:{}", seaweedfs().bucket("import"));
    // As another program puts it: the whole is known by no digest.
    let parts = ["--s3-upload-cutoff", "5Mi", "--s3-chunk-size", "5Mi", "--s3-disable-checksum"];
    sterna.rclone(&[&["copy", "src", &near, "--exclude", "back*"][..], &parts].concat()).exits(0);
    let shell = |script: &str| Ran::of(sterna.program("sh", &["-c", script])).exits(0);
    shell(
        "cd src && find . -type f -exec sha256sum -b {} + > ../GNU && find * -type f -exec sha1sum --tag {} + > ../BSD",
    );
    let hashsum = sterna.rclone(&["hashsum", "MD5", "src"]).exits(0).stdout;
    sterna.file(
        "RCLONE",
        hashsum
            .lines()
            .filter(|line| !line.contains("back") && !line.starts_with("line"))
            .fold(String::new(), |text, line| text + line + "\n"),
    );
    for (file, column) in [("GNU", 4), ("BSD", 5), ("RCLONE", 6)] {
        let extra = if file == "RCLONE" { 1 } else { 0 };
        sterna.run(&["index", "import", file, "src"]).exits(0).says(&format!("{} objects imported", 16 - extra));
        let known = sterna.rows("src").values().filter(|row| !row[column].is_empty()).count();
        assert_eq!(known, 16 - extra, "{file}");
    }
    for (path, sha256) in sterna.sums("src/images") {
        assert_eq!(&sterna.rows("src")[&path][4], sha256, "{path}");
    }
    // In a bucket: what is in parts is proven by what was imported, and read by nobody.
    let ran = sterna
        .run(&["index", "import", "GNU", &near])
        .exits(1)
        .says("15 objects imported, 1 of the file are not there");
    assert!(ran.stdout.starts_with("GNU: line ") && ran.stdout.contains(": back\\slash\nline is not there\n"), "{ran}");
    sterna.run(&["index", "import", "--ignore-missing", "GNU", &near]).exits(0).prints("");
    let ran = sterna.run(&["check", "--checksum", "src", &near, "--exclude", "back*"]).exits(0);
    ran.says("15 the same (15 proven");
}

#[test]
fn a_sums_file_that_is_wrong_is_refused_by_line() {
    let sterna = Sterna::new();
    sterna.dated("src/a", "one", 1_500_000_000, 0);
    sterna.dated("src/b", "two", 1_500_000_000, 0);
    let a = Ran::of(sterna.program("sh", &["-c", "cd src && sha256sum a"])).exits(0).stdout;
    sterna.file("SUMS", format!("-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n{a}"));
    let ran = sterna.run(&["index", "import", "SUMS", "src"]).exits(1);
    ran.says("SUMS: line 1: ").says("SUMS: line 2: ").says("nothing was imported").never_says("line 4");
    assert!(!sterna.index_path().exists() || sterna.rows("src").is_empty());
    sterna.run(&["index", "import", "--ignore-broken", "SUMS", "src"]).exits(0).says("1 object imported, 1 there");
    // What is known already is not believed away.
    sterna.run(&["index", "build", "src"]).exits(0);
    sterna.file("SUMS", a.replace("  a", "  b"));
    let ran = sterna.run(&["index", "import", "SUMS", "src"]).exits(1);
    assert!(ran.stdout.starts_with("SUMS: line 1: b is known to have another sha256"), "{ran}");
    let sums = sterna.sums("src");
    assert!(sterna.rows("src").iter().all(|(path, row)| row[4] == sums[path]));
    sterna.run(&["index", "import", "missing", "src"]).exits(2).says("missing");
}

#[test]
fn duplicates_are_found_across_places_largest_first() {
    let sterna = Sterna::at(&["near"]);
    let near = format!("near:{}", seaweedfs().bucket("dups"));
    let (big, small) = (noise(50_000, 1), noise(3_000, 2));
    for (name, content) in [("one", &big), ("deep/two", &big), ("s1", &small), ("s2", &small), ("s3", &small)] {
        sterna.dated(format!("src/{name}"), content, 1_500_000_000, 0);
    }
    sterna.dated("src/other", noise(50_000, 3), 1_500_000_000, 0);
    sterna.dated("src/e1", "", 1_500_000_000, 0);
    sterna.dated("src/e2", "", 1_500_000_000, 0);
    sterna.rclone(&["copyto", "src/one", &format!("{near}/far")]).exits(0);
    // Of files nothing is told before somebody has read them.
    sterna.run(&["index", "dups", "src"]).exits(0).prints("").says("6 objects of a size").says("index build");
    sterna.run(&["index", "build", "src"]).exits(0);
    let want =
        "48.8 KiB wasted: 2 times 48.8 KiB\n  deep/two\n  one\n5.8 KiB wasted: 3 times 2.9 KiB\n  s1\n  s2\n  s3\n";
    let ran = sterna.run(&["index", "dups", "src"]).exits(0).prints(want);
    ran.says("8 objects").says("2 contents more than once; 3 objects (54.6 KiB) could be spared");
    let ran = sterna.run(&["index", "dups", "src", &near, "--json", "--min-size", "10k"]).exits(0);
    let lines: Vec<Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    assert_eq!(lines.len(), 2, "{ran}");
    assert_eq!((lines[0]["wasted"].as_u64(), lines[0]["objects"].as_array().map(Vec::len)), (Some(100_000), Some(3)));
    assert_eq!(lines[0]["objects"][2], serde_json::json!({ "place": 2, "key": "far" }));
    assert_eq!(lines[1]["found"]["objects"], 4);
    // A changed file is what it is now.
    sterna.dated("src/one", noise(50_000, 9), 1_500_000_000, 0);
    sterna.run(&["index", "dups", "src", "--min-size", "10k"]).exits(0).prints("");
    sterna.run(&["index", "dups", "src", "src/deep"]).exits(2).says("lies in another");
}

/// What is exported is read by somebody else.
#[test]
fn an_export_is_read_by_others() {
    let sterna = Sterna::at(&["near"]);
    sterna.tree("src");
    sterna.dated("src/com,ma \"quoted\"\nline", "odd", 1_500_000_000, 5_000);
    let near = format!("near:{}", seaweedfs().bucket("export"));
    sterna.run(&["sync", "src", &near, "--exclude", "com*"]).exits(0);
    sterna.run(&["index", "build", "src"]).exits(0);
    sterna.run(&["index", "export", "-o", "all.csv"]).exits(0).says("29 objects exported");
    sterna.run(&["index", "export", "--format", "parquet", "-o", "all.parquet"]).exits(0).says("29 objects exported");
    let script = "
import duckdb
csv = duckdb.read_csv('all.csv', header=True, all_varchar=True)
parquet = duckdb.read_parquet('all.parquet')
print([column + ' ' + str(kind) for column, kind in zip(parquet.columns, parquet.types)])
text = \"select place, key, size::varchar, epoch_us(modified), sha256, sha1, md5, parts from \"
a = duckdb.sql(text + \"(select * replace (modified::timestamptz as modified) from csv)\").fetchall()
b = duckdb.sql(text + 'parquet').fetchall()
assert a == b, (a[:2], b[:2])
print(len(b), sum(row[4] is None for row in b))
print([row for row in b if 'com,ma' in row[1]][0][2:5])
";
    let mut python = duckdb(script);
    python.current_dir(sterna.path(""));
    let ran = Ran::of(python).exits(0);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    let types = "['place VARCHAR', 'key VARCHAR', 'size BIGINT', 'modified TIMESTAMP WITH TIME ZONE', 'sha256 VARCHAR', \
                 'sha1 VARCHAR', 'md5 VARCHAR', 'parts VARCHAR']";
    assert_eq!(lines[0], types, "{ran}");
    assert_eq!(lines[1], "29 0", "{ran}");
    assert!(lines[2].starts_with("('3', 1500000000000005, '"), "{ran}");
    // A place of it; and nothing appears under the name before it is complete.
    sterna.run(&["index", "export", &near]).exits(0).says("14 objects exported");
    let lines = sterna.run(&["index", "export", "--json", &near]).exits(0).says("14 objects exported").stdout;
    let keys: Vec<_> =
        lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["key"].clone()).collect();
    assert_eq!(keys.len(), 14);
    assert_eq!(sterna.run(&["index", "export", "--format", "json", &near]).exits(0).stdout, lines);
    sterna.run(&["index", "export", "--json", "--format", "csv"]).exits(2).says("--json");
    sterna.run(&["index", "export", "-o", "no/such/folder.csv"]).exits(1).says("folder.csv");
}

#[test]
fn a_place_is_forgotten_and_the_room_given_back() {
    let sterna = Sterna::new();
    for at in 0..3000 {
        sterna.dated(format!("a/{at}"), format!("{at}"), 1_500_000_000, 0);
    }
    sterna.tree("a-b");
    for place in ["a", "a-b"] {
        sterna.run(&["index", "build", place]).exits(0);
    }
    let ran = sterna.run(&["index", "stats"]).exits(0).says("index.sqlite: 3014 contents by SHA-256");
    let lines: Vec<Vec<&str>> = ran.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[0], ["place", "objects", "bytes", "sha256", "sha1", "md5"]);
    assert_eq!(lines[1][..2], ["local", "3014"]);
    let told = sterna.run(&["index", "stats", "--json"]).exits(0).stdout;
    let told: Value = serde_json::from_str(&told).expect("JSON");
    assert_eq!(told["stats"]["places"][0]["sha256"], 3014);

    sterna.run(&["index", "forget", "a"]).exits(0).says("3000 objects forgotten");
    sterna.run(&["index", "forget", "a"]).exits(0).says("0 objects forgotten");
    sterna.run(&["index", "forget", "a-b/repo"]).exits(0).says("1 object forgotten");
    let before = fs::metadata(sterna.index_path()).expect("an index").len();
    sterna.run(&["index", "vacuum"]).exits(0).says("before");
    let after = fs::metadata(sterna.index_path()).expect("an index").len();
    assert!(after < before / 4, "{after} of {before}");
    assert_eq!(sterna.built(&["a-b"])["known"], 13);
    // By the name it has in the index, as of a remote that is no longer configured.
    sterna.run(&["index", "forget", "local"]).exits(0).says("14 objects forgotten");
    sterna.run(&["index", "forget", "--all"]).exits(0).says("0 objects");
    sterna.run(&["index", "forget"]).exits(2);
    sterna.run(&["index", "stats", "--no-index"]).exits(2).says("--no-index");
}

#[test]
fn a_file_that_is_no_index_of_ours_is_left_alone() {
    let sterna = Sterna::new();
    sterna.tree("src");
    let refused = |file: &str, words: &str| {
        let before = fs::read(sterna.path(file)).expect("a file");
        for arguments in [&["index", "stats", "--index", file][..], &["index", "build", "src", "--index", file]] {
            sterna.run(arguments).exits(2).says(file).says(words);
        }
        // A run that is about something else says so, too, where the file was named.
        sterna.run(&["sync", "src", "dst", "--index", file]).exits(2).says(words);
        assert_eq!(fs::read(sterna.path(file)).expect("a file"), before, "{file} was changed");
    };
    sterna.file("letter", "this is a letter to a friend, and no database at all, however long it may be");
    refused("letter", "not a database");
    let foreign =
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('create table object (x)'); c.commit()";
    sterna.python(foreign, &sterna.path("foreign"));
    refused("foreign", "another program");

    sterna.run(&["index", "build", "src", "--index", "ours"]).exits(0);
    let version = |number: u32| {
        let script = format!(
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('pragma user_version = {number}'); c.commit(); \
             c.execute('pragma wal_checkpoint(truncate)')"
        );
        sterna.python(&script, &sterna.path("ours"));
    };
    version(7);
    refused("ours", "a newer sterna made it (layout 7");
    version(2);
    sterna.run(&["index", "build", "src", "--index", "ours"]).exits(0).says("14 before");
    // An older one is made anew: it is a memory.
    version(1);
    sterna.run(&["index", "build", "src", "--index", "ours"]).exits(0).says("14 read");
}

/// The usual place cannot be had: everything works without, and it is said. The place that was named must be had.
#[test]
fn a_folder_nobody_can_write_to() {
    let sterna = Sterna::new();
    sterna.tree("src");
    sterna.file("file", "in the way");
    for place in ["file/index.sqlite", "/proc/sterna/index.sqlite"] {
        sterna.run(&["index", "build", "src", "--index", place]).exits(2).says(place);
    }
    fs::create_dir_all(sterna.path("../home/state")).expect("a home");
    fs::write(sterna.path("../home/state/sterna"), "in the way").expect("a home");
    sterna.run(&["sync", "src", "dst"]).exits(0).says("the index").says("without it");
    assert_eq!(sterna.names("dst").len(), 14);
    sterna.run(&["index", "build", "src"]).exits(2).says("index.sqlite");
}

/// A limit on the size of a file stands for a full disk wherever nobody may mount one.
#[test]
fn a_full_disk_ends_a_build_and_nothing_else() {
    let sterna = Sterna::new();
    for at in 0..3000 {
        sterna.dated(format!("src/{at}"), format!("{at}"), 1_500_000_000, 0);
    }
    sterna.run(&["index", "stats"]).exits(0);
    let limited = |arguments: &[&str]| {
        let script = "trap '' XFSZ; ulimit -f 400; exec \"$0\" \"$@\"";
        Ran::of(sterna.program("sh", &[&["-c", script, env!("CARGO_BIN_EXE_sterna")], arguments].concat()))
    };
    limited(&["index", "build", "src"]).exits(7).says("the index").says("index.sqlite");
    // A comparison is whole without it, and says what is amiss.
    sterna.run(&["copy", "src", "dst"]).exits(0);
    limited(&["check", "--checksum", "src", "dst"]).exits(0).says("the index").says("3000 proven");
    // With room again all is well.
    sterna.built(&["src"]);
    assert_eq!(sterna.built(&["src"]), counts([("known", 3000)]));
    let rows = sterna.rows("src");
    assert!(sterna.sums("src").iter().all(|(path, sha256)| &rows[path][4] == sha256));
}

fn start(sterna: &Sterna, arguments: &[&str]) -> Child {
    sterna.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("sterna runs")
}

#[test]
fn two_builds_at_once_are_both_complete() {
    let sterna = Sterna::new();
    for at in 0..1500 {
        sterna.dated(format!("a/{at}"), format!("a{at}"), 1_500_000_000, 0);
        sterna.dated(format!("b/{at}"), format!("b{at}"), 1_500_000_000, 0);
    }
    let sums = [sterna.sums("a"), sterna.sums("b")];
    for round in 0..5 {
        // A file of its own each time: making it at once is the hardest.
        let file = format!("index-{round}");
        let runs = ["a", "b", "a"].map(|place| start(&sterna, &["index", "build", place, "--index", &file]));
        for run in runs {
            let output = run.wait_with_output().expect("a child");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        }
        let told = sterna.run(&["index", "export", "--index", &file]).exits(0).stdout;
        let mut reader = csv::Reader::from_reader(told.as_bytes());
        let rows: Vec<_> = reader.records().map(|row| row.expect("CSV")).collect();
        assert_eq!(rows.len(), 3000, "round {round}");
        for row in rows {
            let sum = sums.iter().find_map(|sums| sums.get(&row[1]));
            assert_eq!(sum.map(String::as_str), Some(&row[4]), "{row:?}");
        }
    }
}

#[test]
fn a_build_that_is_killed_leaves_true_rows() {
    let sterna = Sterna::new();
    for at in 0..25_000 {
        sterna.dated(format!("src/{}/{at}", at % 50), format!("content {at}"), 1_500_000_000, 0);
    }
    let sums = sterna.sums("src");
    let log = sterna.index_path().with_extension("sqlite-wal");
    let size = || fs::metadata(&log).map_or(0, |file| file.len());
    let mut killed_with_rows = 0;
    for round in 0..4_u64 {
        let mut run =
            start(&sterna, &["index", "build", "--index", sterna.index_path().to_str().expect("UTF-8"), "src"]);
        // In the middle of a transaction, if it can be hit: the log has begun to grow, each time a little further.
        let before = size();
        eventually("rows are being written", || {
            size() > before + 100_000 * (round + 1) || run.try_wait().expect("a child").is_some()
        });
        let _ended = run.kill();
        run.wait().expect("a killed child");
        let rows = sterna.rows("src");
        killed_with_rows += usize::from(!rows.is_empty() && rows.len() < sums.len());
        for (path, row) in rows {
            assert_eq!(Some(&row[4]), sums.get(&path).map(String::as_str), "{path}");
        }
        let whole =
            "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('pragma integrity_check').fetchone()[0])";
        sterna.python(whole, &sterna.index_path()).prints("ok\n");
    }
    assert!(killed_with_rows > 0, "no run was killed in the middle");
    sterna.built(&["src"]);
    assert_eq!(sterna.built(&["src"]), counts([("known", 25_000)]));
    assert_eq!(sterna.rows("src").len(), 25_000);
}
