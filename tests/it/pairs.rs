//! Every family to every family, with the names that all of them hold; what arrived is judged by rclone.

use sterna_servers::{B2Server, apache, moto};

use crate::judge::Did;
use crate::sterna::{Ran, Sterna};

/// Names every one of the families holds, and that are easily mangled on the way.
const ODD: &[&str] = &[
    " lead",
    "trail ",
    "a b+c%2Bü~.txt",
    "%41",
    "100%",
    "hash#hash",
    "ask?ask=1&b",
    "&<>'",
    "e\u{301}-nfd",
    "\u{e9}-nfc",
    "🐦/🐦.txt",
    "{brace}[bracket]*",
    "o",
    "o!",
    "o.txt",
    "o0/x",
    "-dash",
    "...",
    ".hidden/.deeper",
    "deep/er/and/deep/er/still",
];

/// Files in all.
const COUNT: u64 = ODD.len() as u64 + 2;

struct World {
    sterna: Sterna,
    b2: B2Server,
}

/// A place as sterna writes it, and as rclone does.
struct Spot {
    ours: String,
    theirs: String,
}

impl World {
    fn new() -> Self {
        let (sterna, b2) = (Sterna::at(&["keys"]), B2Server::start());
        sterna.b2("b", &b2, "");
        for name in ODD {
            sterna.file(format!("src/{name}"), format!("the bytes of {name}"));
        }
        sterna.file("src/empty", "");
        sterna.file("src/big", vec![7; 3_000_000]);
        Self { sterna, b2 }
    }

    /// An empty place of that family.
    fn fresh(&self, family: &str, number: usize) -> Spot {
        match family {
            "local" => {
                let folder = format!("local-{number}");
                Spot { ours: folder.clone(), theirs: folder }
            }
            "s3" => {
                let place = format!("keys:{}/below", moto().bucket("pairs"));
                Spot { ours: place.clone(), theirs: place }
            }
            "b2" => {
                let bucket = self.b2.bucket(&format!("pairs{number}"));
                Spot { ours: format!("b:{bucket}/below"), theirs: format!("server:{bucket}/below") }
            }
            _ => {
                let url = apache().folder("pairs");
                let name = format!("dav{number}");
                self.sterna.dav(&name, &url, "");
                Spot { ours: format!("{name}:"), theirs: format!(":webdav,url=\"{url}\",vendor=other:") }
            }
        }
    }

    fn judge(&self, family: &str, arguments: &[&str]) -> Ran {
        if family != "b2" {
            return self.sterna.rclone(arguments);
        }
        let mut rclone = self.b2.rclone();
        rclone.current_dir(self.sterna.path("")).args(arguments);
        Ran::of(rclone)
    }
}

#[test]
fn from_every_family_to_every_family() {
    let world = World::new();
    let families = ["local", "s3", "b2", "webdav"];
    let mut number = 0;
    let mut fresh = |family| {
        number += 1;
        world.fresh(family, number)
    };
    for from in families {
        let source = fresh(from);
        world.sterna.run(&["sync", "src", &source.ours]).exits(0);
        for to in families {
            let target = fresh(to);
            let did = world.sterna.did(&["sync", &source.ours, &target.ours]);
            assert_eq!((did.code, did.transferred + did.copied), (0, COUNT), "{from} to {to}");
            world.judge(to, &["check", "--download", "src", &target.theirs]).exits(0);
            // A server without times proves small files by reading them; the big one is of the same size only.
            let again = world.sterna.did(&["sync", &source.ours, &target.ours, "--allow-unproven"]);
            assert_eq!(Did { unproven: 0, ..again }, Did::NOTHING, "{from} to {to}, again");
        }
    }
}
