//! What a run left, as rclone sees it: the other tool that reads and writes the same places.

use std::collections::BTreeMap;

use serde_json::Value;
use sterna_servers::{moto, rclone_with, seaweedfs, seaweedfs_second};

use crate::sterna::{Ran, Sterna};

impl Sterna {
    /// A home with the remotes that are asked for: `near:` and `far:` (two SeaweedFS), `keys:` (moto).
    pub fn at(remotes: &[&str]) -> Self {
        let sterna = Self::new();
        for remote in remotes {
            match *remote {
                "near" => sterna.s3("near", seaweedfs()),
                "far" => sterna.s3("far", seaweedfs_second()),
                "keys" => sterna.s3("keys", moto()),
                other => panic!("no server is called {other}"),
            }
        }
        sterna
    }

    /// rclone in the same directory, with the same remotes: only the ones its arguments name are started.
    pub fn rclone(&self, arguments: &[&str]) -> Ran {
        let named = |name: &str| arguments.iter().any(|argument| argument.starts_with(name));
        let mut remotes = Vec::new();
        if named("near:") {
            remotes.push(("near", seaweedfs()));
        }
        if named("far:") {
            remotes.push(("far", seaweedfs_second()));
        }
        if named("keys:") {
            remotes.push(("keys", moto()));
        }
        let mut rclone = rclone_with(&remotes);
        rclone.current_dir(self.path("")).args(arguments);
        Ran::of(rclone)
    }

    /// Two places hold the same bytes under the same keys: rclone reads both.
    #[track_caller]
    pub fn same(&self, a: &str, b: &str) {
        self.rclone(&["check", "--download", a, b]).exits(0);
    }

    /// [`Sterna::same`], but for the trace that a job leaves at its target.
    #[track_caller]
    pub fn mirrors(&self, source: &str, target: &str) {
        self.rclone(&["check", "--download", "--exclude", "/.mirror-trace", source, target]).exits(0);
    }

    /// What rclone lists of a place: path -> what it tells of it.
    #[track_caller]
    pub fn listed(&self, place: &str) -> BTreeMap<String, Value> {
        let told = self.rclone(&["lsjson", "-R", "--files-only", "-M", place]).exits(0);
        let told: Vec<Value> = serde_json::from_str(&told.stdout).expect("rclone writes JSON");
        told.into_iter().map(|object| (object["Path"].as_str().expect("a path").to_owned(), object)).collect()
    }

    /// Two places hold objects of the same names, sizes and times.
    #[track_caller]
    pub fn same_times(&self, a: &str, b: &str) {
        let facts = |place| -> BTreeMap<String, String> {
            let facts = |object: &Value| format!("{} {}", object["Size"], object["ModTime"]);
            self.listed(place).iter().map(|(path, object)| (path.clone(), facts(object))).collect()
        };
        assert_eq!(facts(a), facts(b), "{a} and {b}");
    }

    /// Runs a copy, sync, move or apply with `--json`, and returns what it did.
    #[track_caller]
    pub fn did(&self, arguments: &[&str]) -> Did {
        let mut all = vec!["--json"];
        all.extend(arguments);
        let ran = self.run(&all);
        let told: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|error| panic!("{error}\n{ran}"));
        let target = &told["done"]["targets"][0];
        let count = |name: &str| target[name].as_u64().unwrap_or_else(|| panic!("no {name}\n{ran}"));
        Did {
            code: ran.code.unwrap_or_else(|| panic!("ended by a signal\n{ran}")),
            transferred: count("transferred"),
            copied: count("copied"),
            touched: count("touched"),
            deleted: count("deleted"),
            unproven: told["planned"][0]["unproven"].as_u64().unwrap_or_default(),
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Did {
    /// The exit code.
    pub code: i32,
    /// Objects carried through sterna.
    pub transferred: u64,
    /// Objects copied by the server.
    pub copied: u64,
    /// Objects whose time was set.
    pub touched: u64,
    /// Objects deleted at the destination.
    pub deleted: u64,
    /// Matches by size alone.
    pub unproven: u64,
}

impl Did {
    /// Nothing, with success.
    pub const NOTHING: Self = Self { code: 0, transferred: 0, copied: 0, touched: 0, deleted: 0, unproven: 0 };
}
