#!/usr/bin/env python3
"""A repository that changes every day, mirrored to S3 and archived: sterna beside rclone and restic.

    cargo build --release && tests/bench/days.py            20 days; --quick: 4 days of a tenth

A tree of packages and disk images is made from a seed. Each day a twentieth of the packages gets another version, some
move, a new image comes beside its alias, at times one is promoted, and once the folder of the packages is renamed (see
repository.py). After each day every tool brings its own bucket of one SeaweedFS into step, and every archive on disk gets
another snapshot. What arrived is read back and compared at the end. Bytes received and requests are the server's own
counters; wall time, CPU and memory are the client's, as in run.py. Prints tables in Markdown, and writes every run to
target/bench/days.json.
"""

import argparse
import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import peers
import repository
import run
import stage
from peers import Bucket, Job

HOME = stage.TARGET / "bench"
RCLONE = "rclone-1.75.2"
CLASSES = ("PUT", "COPY", "GET", "LIST", "DELETE", "POST")


def rclone(*flags):
    def command(job, home, endpoints):
        line = [stage.program(RCLONE), "sync", "--track-renames", *flags]
        return [*line, str(job.source), peers.rclone_place(job.destination)], peers.rclone_environment(home, endpoints)

    return command


def mirrors(sterna):
    """How each tool brings a bucket into step; `tuned` asks for no time of any object, and compares by MD5 instead. The
    day on which a folder is renamed deletes more than sterna does without being told."""
    return {
        "sterna": peers.sterna(sterna, "--max-delete", "100%"),
        "rclone --track-renames": rclone(),
        "the same, tuned": rclone("--checksum", "--fast-list", "--transfers", "64", "--checkers", "64"),
    }


@dataclasses.dataclass(frozen=True)
class Archive:
    """How an archive on disk is begun, gets a snapshot, and gives the last one back into a folder."""

    begin: list
    snapshot: list
    restore: list
    environment: dict
    inside: str  # where below the folder the tree then lies


def archives(sterna, tree, home):
    environment = {"HOME": str(home), "PATH": os.environ["PATH"]}

    def ours(name, *flags):
        place, out = str(home / name), str(home / f"{name}.out")
        line = [str(sterna), "snapshot"]
        return Archive([], [*line, "create", *flags, str(tree), place], [*line, "restore", place, "latest", out],
                       {**environment, "STERNA_CONFIG": "/dev/null"}, "")

    restic = [stage.program("debian-restic"), "--quiet", "--repo", str(home / "restic")]
    return {
        "sterna": ours("sterna"),
        "sterna --chunk": ours("chunked", "--chunk"),
        "restic": Archive([*restic, "init", "--repository-version", "2"], [*restic, "backup", str(tree)],
                          [*restic, "restore", "latest", "--target", str(home / "restic.out")],
                          {**environment, "RESTIC_PASSWORD": "bench", "RESTIC_CACHE_DIR": str(home / "cache")},
                          str(tree).lstrip("/")),
    }


class Mirrored:
    """One tool's bucket and what its runs cost, day by day."""

    def __init__(self, name, command, endpoint, home, number):
        self.name, self.command, self.endpoint, self.home = name, command, endpoint, home / f"mirror-{number}"
        self.home.mkdir()
        self.bucket = Bucket(endpoint, "near", f"mirror-{number}")
        self.days = []
        self.rclone("mkdir", peers.rclone_place(self.bucket))

    def rclone(self, *arguments):
        environment = peers.rclone_environment(self.home, {"near": self.endpoint})
        return subprocess.run([stage.program(RCLONE), *arguments], check=True, env=environment, capture_output=True)

    def sync(self, tree):
        job = Job(tree, self.bucket, False, False)
        before = self.counted()
        line, environment = self.command(job, self.home, {"near": self.endpoint})
        measured = successful(run.measure(line, environment, self.home, [self.endpoint]), self.name, self.home)
        after = self.counted()
        self.days.append({**measured, **{what: after[what] - before[what] for what in after}})

    def counted(self):
        """Bytes and requests of this bucket so far, by class. HEAD counts as GET with this server."""
        found = dict.fromkeys((*CLASSES, "bytes"), 0)
        for (name, labels), value in self.endpoint.counters().items():
            if f'bucket="{self.bucket.name}"' not in labels:
                continue
            if name == "bucket_traffic_received_bytes_total":
                found["bytes"] += round(value)
            elif name == "request_total":
                kind = labels.rpartition('type="')[2].rstrip('"')
                found[kind] = found.get(kind, 0) + round(value)
        return found

    def check(self, tree):
        """Reads the whole bucket back; it differs in nothing, or this is the end."""
        out = self.home / "out"
        self.rclone("copy", "--transfers", "16", peers.rclone_place(self.bucket), str(out))
        require_same(repository.digests(out), tree, self.name)


def successful(measured, name, home):
    if measured["exit"] != 0:
        raise SystemExit(f"{name}: exit code {measured['exit']}: {(home / 'log').read_text(errors='replace')}")
    return measured


def require_same(found, tree, name):
    wanted = repository.digests(tree)
    if found != wanted:
        names = sorted(set(found.items()) ^ set(wanted.items()))[:5]
        raise SystemExit(f"{name}: {len(found)} files where {len(wanted)} are wanted; {names}")


def size(folder):
    sizes = [os.stat(os.path.join(above, name)).st_size for above, _, names in os.walk(folder) for name in names]
    return len(sizes), sum(sizes)


def over(runs):
    """What several runs took together."""
    total = {what: sum(run[what] for run in runs) for what in runs[0] if what not in ("exit", "command", "memory")}
    return {**total, "memory": max(run["memory"] for run in runs)}


MIB = 1 << 20


def mirror_table(days):
    lines = ["| days | tool | MiB received | PUT | COPY | GET, HEAD | LIST | DELETE | POST | wall s | CPU s | peak MiB |",
             "|---|---|" + "---:|" * 10]
    last = max(len(runs) for runs in days.values())
    for title, first, end in (("1", 0, 1), (f"2 to {last}", 1, last)):
        for name, runs in days.items():
            row = over(runs[first:end])
            cells = [f"{row['bytes'] / MIB:.0f}", *(f"{row[kind]:,}" for kind in CLASSES)]
            cells += [f"{row['wall']:.1f}", f"{row['cpu']:.1f}", f"{row['memory'] / MIB:.0f}"]
            lines.append(f"| {title} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def archive_table(days, sizes, tree):
    lines = ["| archive | MiB | of all days' trees | files | first day: wall s, CPU s | the others: wall s, CPU s | peak MiB | "
             "last day restored: wall s, CPU s |", "|---|---:|---:|---:|---:|---:|---:|---:|"]
    for name, runs in days.items():
        *created, restored = runs
        first, rest = created[0], over(created[1:])
        files, held = sizes[name]
        lines.append(
            f"| {name} | {held / MIB:.0f} | {held / tree:.3f} | {files:,} | {first['wall']:.1f}, {first['cpu']:.1f} | "
            f"{rest['wall']:.1f}, {rest['cpu']:.1f} | {over(created)['memory'] / MIB:.0f} | "
            f"{restored['wall']:.1f}, {restored['cpu']:.1f} |"
        )
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--packages", type=int, default=1500)
    parser.add_argument("--image", type=int, default=48, help="MiB of an image")
    parser.add_argument("--quick", action="store_true", help="4 days, 150 packages, images of 20 MiB")
    parser.add_argument("--sterna", type=Path, default=stage.TARGET / "release" / "sterna")
    options = parser.parse_args()
    if options.quick:
        options.days, options.packages, options.image = 4, 150, 20
    if options.days < 2:
        parser.error("nothing is repeated in less than two days")
    sterna = options.sterna.resolve()
    if not sterna.is_file():
        parser.error(f"{sterna} is not there (cargo build --release)")

    run.adopt_orphans()
    HOME.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="days-", dir=HOME) as home:
        home = Path(home)
        tree = home / "tree"
        made = repository.Repository(tree, options.packages, options.image * MIB)
        endpoint = stage.Endpoint(home / "server", "days-key", "days-secret")
        try:
            mirrored = [Mirrored(name, command, endpoint, home, at)
                        for at, (name, command) in enumerate(mirrors(sterna).items())]
            kept = archives(sterna, tree, home)
            runs = {name: [] for name in kept}
            for name, archive in kept.items():
                if archive.begin:
                    subprocess.run(archive.begin, check=True, env=archive.environment)
            seen = 0
            for day in range(options.days):
                if day > 0:
                    made.advance()
                seen += size(tree)[1]
                shift = day % len(mirrored)
                for mirror in mirrored[shift:] + mirrored[:shift]:
                    mirror.sync(tree)
                for name, archive in kept.items():
                    measured = run.measure(archive.snapshot, archive.environment, home, [])
                    runs[name].append(successful(measured, name, home))
                print(f"  day {day + 1} of {options.days}", file=sys.stderr)
            sizes = {name: size(home / {"sterna --chunk": "chunked"}.get(name, name)) for name in kept}
            for name, archive in kept.items():
                out = Path(archive.restore[-1])
                runs[name].append(successful(run.measure(archive.restore, archive.environment, home, []), name, home))
                require_same(repository.digests(out / archive.inside), tree, f"restored by {name}")
            for mirror in mirrored:
                mirror.check(tree)
            files, held = size(tree)
        finally:
            endpoint.stop()
    days = {mirror.name: mirror.days for mirror in mirrored}
    everything = {"mirrors": days, "archives": runs, "sizes": sizes, "trees": seen, "last": [files, held]}
    (HOME / "days.json").write_text(json.dumps(everything, indent=1))
    print(f"{options.days} days; on the last {files:,} files, {held / MIB:.0f} MiB; all days' trees together "
          f"{seen / MIB:,.0f} MiB\n")
    print(mirror_table(days), "\n")
    print(archive_table(runs, sizes, seen))


if __name__ == "__main__":
    sys.exit(main())
