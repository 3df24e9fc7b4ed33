#!/usr/bin/env python3
"""sterna beside rclone, s5cmd, juicefs sync and rsync: the same servers, the same data, one run.

    cargo build --release && cargo build --release -p sterna-bare
    tests/bench/run.py                                     all rows, the median of 3 runs each
    tests/bench/run.py --quick --rows up,down              a tenth of the data, two rows

Measured per run, for the client process: wall time, CPU (user + system), peak resident memory. The tools take turns in
an order that rotates; every run has a destination of its own; what arrived is counted afterwards, so a tool that
fails is shown as failed and not as fast. Prints tables in Markdown, and writes every run to target/bench/results.json.
"""

import argparse
import ctypes
import dataclasses
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import peers
import stage
from peers import Bucket, Job

HOME = stage.TARGET / "bench"
NEAR, FAR, SERVER = "near", "far", "server"


@dataclasses.dataclass(frozen=True)
class Row:
    title: str
    source: str  # local, near or server
    destination: str  # local, near, far or server
    count: int
    size: int
    unchanged: bool = False

    def quick(self):
        if self.count == 1:
            return dataclasses.replace(self, size=self.size // 8)
        return dataclasses.replace(self, count=self.count // 10)


ROWS = {
    "up": Row("{count} files of 8 KiB up", "local", NEAR, 10_000, 8 << 10),
    "down": Row("{count} files of 8 KiB down", NEAR, "local", 10_000, 8 << 10),
    "across": Row("{count} objects of 8 KiB, S3 to S3 across two endpoints", NEAR, FAR, 10_000, 8 << 10),
    "within": Row("{count} objects of 8 KiB, S3 to S3 within one endpoint", NEAR, NEAR, 10_000, 8 << 10),
    "big-up": Row("one object of {mib} MiB up", "local", NEAR, 1, 2 << 30),
    "big-down": Row("one object of {mib} MiB down", NEAR, "local", 1, 2 << 30),
    "same-s3": Row("no change, {count} local files against S3", "local", NEAR, 100_000, 128, unchanged=True),
    "local": Row("{count} files of 8 KiB, local to local", "local", "local", 20_000, 8 << 10),
    "sftp-up": Row("{count} files of 8 KiB up, SFTP", "local", SERVER, 1_000, 8 << 10),
    "sftp-down": Row("{count} files of 8 KiB down, SFTP", SERVER, "local", 1_000, 8 << 10),
    "sftp-big-up": Row("one file of {mib} MiB up, SFTP", "local", SERVER, 1, 512 << 20),
    "sftp-big-down": Row("one file of {mib} MiB down, SFTP", SERVER, "local", 1, 512 << 20),
    "same-local": Row("no change, {count} local files against local files", "local", "local", 200_000, 128, unchanged=True),
}


class Stage:
    """One row's servers, places and checks. What it made goes with the last row only: ext4 passes over inodes that were
    freed a moment ago, and creating 20,000 files after removing as many took seven seconds of the next tool's CPU."""

    def __init__(self, key, row, home):
        self.row, self.home = row, home / f"row-{key}"
        self.home.mkdir(parents=True)
        self.endpoints = {}
        for name in dict.fromkeys(side for side in (row.source, row.destination) if side != "local"):
            home = self.home / name
            is_server = name == SERVER
            self.endpoints[name] = stage.Sshd(home) if is_server else stage.Endpoint(home, f"{name}-key", f"{name}-secret")
        self.files = stage.files(HOME / "data", row.count, row.size)
        self.number = 0
        self.source = self.files if row.source == "local" else self.place(row.source)
        if isinstance(self.source, Bucket):
            self.rclone("copy", "--transfers", "16", str(self.files), peers.rclone_place(self.source))
            self.require(self.source)
        if row.unchanged:
            self.destination = self.place(row.destination)
            if isinstance(self.destination, Bucket):
                self.rclone("copy", "--transfers", "16", str(self.files), peers.rclone_place(self.destination))
            else:
                stage.copy_of(self.files, self.destination)
            self.require(self.destination)
            self.before = self.state(self.destination)

    def place(self, side):
        """A path that does not exist, or an empty bucket."""
        if side == "local":
            self.number += 1
            return self.home / f"out-{self.number}"
        self.number += 1
        bucket = Bucket(self.endpoints[side], side, self.endpoints[side].place(f"bench-{self.number}"))
        self.rclone("mkdir", peers.rclone_place(bucket))
        return bucket

    def rclone(self, *arguments):
        environment = peers.rclone_environment(self.home, self.endpoints)
        command = [stage.program("rclone-1.75.2"), *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout

    def counted(self, place):
        if isinstance(place, Bucket):
            size = json.loads(self.rclone("size", "--json", peers.rclone_place(place)))
            return size["count"], size["bytes"]
        found = [os.stat(os.path.join(folder, name)).st_size for folder, _, names in os.walk(place) for name in names]
        return len(found), sum(found)

    def expect(self, place):
        """None when everything is there, else what is."""
        wanted = (self.row.count, self.row.count * self.row.size)
        found = self.counted(place)
        return None if found == wanted else f"{found[0]} objects, {found[1]} bytes; {wanted[0]}, {wanted[1]} wanted"

    def require(self, place):
        missing = self.expect(place)
        if missing:
            raise SystemExit(f"the data of this row is not in place: {missing}")

    def state(self, place):
        """Something that changes when any object is written again."""
        if isinstance(place, Bucket):
            listing = ["lsf", "-R", "--files-only", "--format", "pst", "--use-server-modtime"]
            return sorted(self.rclone(*listing, peers.rclone_place(place)).splitlines())
        paths = (os.path.join(folder, name) for folder, _, names in os.walk(place) for name in names)
        return sorted((path, os.stat(path).st_ino, os.stat(path).st_mtime_ns) for path in paths)

    def run(self, tool, command):
        """One run of one tool; None when it cannot do this row."""
        unchanged = self.row.unchanged
        destination = self.destination if unchanged else self.place(self.row.destination)
        if not isinstance(destination, Bucket) and not destination.exists():
            destination.mkdir()
        home = self.home / "homes" / tool.replace(" ", "-")
        home.mkdir(parents=True, exist_ok=True)
        line = command(Job(self.source, destination, unchanged, self.row.count == 1), home, self.endpoints)
        if line is None:
            return None
        measured = measure(*line, home, self.endpoints.values())
        problem = self.expect(destination)
        if self.row.count == 1 and not isinstance(destination, Bucket):
            shutil.rmtree(destination)  # one inode, much room: three runs of all tools would fill a disk
        if not problem and unchanged and self.state(destination) != self.before:
            problem = "it wrote what was there already"
            self.before = self.state(destination)
        if measured["exit"] != 0:
            said = (home / "log").read_text(errors="replace").strip().splitlines()
            # juicefs ends with its figures; why it failed stands before them.
            why = [line for line in said if "ERROR" in line or "FATAL" in line] or said
            problem = f"exit code {measured['exit']}: {why[-1] if why else 'nothing said'}"
        return {**measured, "tool": tool, "failed": problem}

    def close(self):
        for endpoint in self.endpoints.values():
            endpoint.stop()
        if self.row.count == 1:
            shutil.rmtree(self.home)  # few inodes, much room


# A process that Python starts counts Python's own memory as its peak, from the moment between fork and exec. So a
# small shell starts the tool, and leaves it to this process, which adopts orphans (see `adopt_orphans`).
START = 'log=$1; shift; "$@" >"$log" 2>&1 </dev/null & echo $!'


def adopt_orphans():
    """Children of children become this process's own when their parent ends. Linux only: prctl(2),
    PR_SET_CHILD_SUBREAPER."""
    if not sys.platform.startswith("linux") or ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0:
        raise SystemExit("the benchmark needs Linux")


def left_behind(endpoints):
    """CPU seconds of what the command started and did not wait for (sterna's ssh), once that has ended."""
    servers, seconds = {endpoint.process.pid for endpoint in endpoints}, 0
    for child in Path("/proc/thread-self/children").read_text().split():
        if int(child) not in servers:
            usage = os.wait4(int(child), 0)[2]
            seconds += usage.ru_utime + usage.ru_stime
    return seconds


def measure(command, environment, home, endpoints):
    """Runs a command to its end; wall seconds, CPU seconds, peak resident bytes, of it and what it waited for."""
    os.sync()  # what earlier runs left to write must not slow this one
    servers = [endpoint.cpu() for endpoint in endpoints]
    load = os.getloadavg()[0]
    start = time.monotonic()
    shell = ["sh", "-c", START, "start", str(home / "log"), *command]
    started = subprocess.run(shell, env=environment, stdout=subprocess.PIPE, check=True, cwd=home)
    process = int(started.stdout)
    try:
        _, status, usage = os.wait4(process, 0)
        cpu = usage.ru_utime + usage.ru_stime + left_behind(endpoints)
    except BaseException:
        os.kill(process, signal.SIGKILL)
        raise
    wall = time.monotonic() - start
    server = sum((after.cpu() or 0) - (before or 0) for after, before in zip(endpoints, servers))
    return {
        "wall": wall,
        "cpu": cpu,
        "memory": usage.ru_maxrss * 1024,
        "server_cpu": server,
        "load_before": load,
        "exit": os.waitstatus_to_exitcode(status),
        "command": [Path(command[0]).name, *command[1:]],
    }


def run_row(key, row, tools, rounds, home):
    """Every tool `rounds` times; before a row without changes once more, unmeasured, so that what a tool remembers of
    contents is there as it would be in the second of many runs."""
    stand = Stage(key, row, home)
    runs = []
    try:
        able = dict(tools)
        for at in range(-1 if row.unchanged else 0, rounds):
            names = list(able)
            shift = at % len(names)
            for name in names[shift:] + names[:shift]:
                result = stand.run(name, able[name])
                if result is None:
                    del able[name]
                    continue
                print(f"  {key} {at + 1}/{rounds} {name}: {result['wall']:.2f} s, cpu {result['cpu']:.2f} s"
                      f"{', FAILED: ' + result['failed'] if result['failed'] else ''}", file=sys.stderr)
                if at >= 0:
                    runs.append({"row": key, **result})
    finally:
        stand.close()
    return runs


def medians(runs):
    """tool -> medians, or the first failure."""
    table = {}
    for name in dict.fromkeys(run["tool"] for run in runs):
        mine = [run for run in runs if run["tool"] == name]
        failed = next((run["failed"] for run in mine if run["failed"]), None)
        table[name] = failed or {what: statistics.median(run[what] for run in mine) for what in ("wall", "cpu", "memory")}
    return table


def tables(rows, runs):
    """Everything in absolute figures, then sterna beside the best peer of each column."""
    lines = ["| row | tool | wall s | CPU s | peak MiB |", "|---|---|---:|---:|---:|"]
    ratios = ["| row | | wall, of the best | CPU, of the best | memory, of the least |", "|---|---|---:|---:|---:|"]
    for key, row in rows.items():
        table = medians([run for run in runs if run["row"] == key])
        title = row.title.format(count=f"{row.count:,}", mib=row.size >> 20)
        for name, result in table.items():
            if isinstance(result, str):
                lines.append(f"| {title} | {name} | failed: {result} | | |")
            else:
                mib = result["memory"] / (1 << 20)
                lines.append(f"| {title} | {name} | {result['wall']:.2f} | {result['cpu']:.2f} | {mib:.0f} |")
        others = {name: result for name, result in table.items()
                  if name not in (*peers.OURS, *peers.FLOORS) and not isinstance(result, str)}
        for name in peers.OURS:
            if not others or not isinstance(table.get(name), dict):
                continue
            cells = []
            for what in ("wall", "cpu", "memory"):
                best = min(others, key=lambda other: others[other][what])
                cells.append(f"{table[name][what] / max(others[best][what], 0.01):.2f} ({best})")
            ratios.append(f"| {title} | {name} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *ratios])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", default=",".join(ROWS), help=f"of {', '.join(ROWS)}")
    parser.add_argument("--tools", help="of " + ", ".join([*peers.OURS, *peers.PEERS]) + "; all that can by default")
    parser.add_argument("--runs", type=int, default=3, help="of each tool and row; the median is shown")
    parser.add_argument("--quick", action="store_true", help="a tenth of the files, an eighth of the big object")
    parser.add_argument("--sterna", type=Path, help="the binary (default: target/release/sterna)")
    options = parser.parse_args()

    unknown = [key for key in options.rows.split(",") if key not in ROWS]
    if unknown:
        parser.error(f"no such row: {', '.join(unknown)}")
    rows = {key: ROWS[key].quick() if options.quick else ROWS[key] for key in options.rows.split(",")}
    program = (options.sterna or stage.TARGET / "release" / "sterna").resolve()
    tools = {"sterna": peers.sterna(program), "sterna --no-index": peers.sterna(program, "--no-index"), **peers.PEERS}
    if options.tools:
        tools = {name: tools[name] for name in options.tools.split(",")}
    if set(peers.OURS) & set(tools) and not program.is_file():
        if options.sterna or options.tools:
            parser.error(f"{program} is not there")
        print(f"sterna is left out: {program} is not there (cargo build --release)", file=sys.stderr)
        tools = {name: tools[name] for name in tools if name not in peers.OURS}
    if not (stage.TARGET / "release" / "bare").is_file():
        print("the bare loops are left out: cargo build --release -p sterna-bare", file=sys.stderr)

    adopt_orphans()
    HOME.mkdir(parents=True, exist_ok=True)
    runs = []
    with tempfile.TemporaryDirectory(prefix="run-", dir=HOME) as home:
        for key, row in rows.items():
            runs += run_row(key, row, tools, options.runs, Path(home))
            machine = {"cpus": os.cpu_count(), "system": platform.platform(), "quick": options.quick}
            (HOME / "results.json").write_text(json.dumps({"machine": machine, "runs": runs}, indent=1))
    print(tables(rows, runs))
    return 1 if any(run["failed"] for run in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
