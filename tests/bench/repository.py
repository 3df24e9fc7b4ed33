"""A package repository with disk images, day by day: the same from the same seed. Python's standard library only."""

import hashlib
import os
import random
import shutil
import zlib
from pathlib import Path

DAY = 86_400
FIRST = 1_750_000_000  # when the first day was, in seconds of Unix
KEPT = 3  # nightly images
PROMOTED = 5  # every so many days a nightly becomes a release
BRANCHED = 11  # the day on which the folder of packages gets another name
BLOCK = 64 << 10


class Repository:
    """The tree of one day. `advance` makes it the next day's, as a build server would: what did not change is not touched.

    Packages are bytes that no compressor makes smaller, as those of packages are. Of an image two fifths are zero, a third
    text and the rest such bytes; a day changes a twentieth of it, in runs of up to 2 MiB.
    """

    def __init__(self, root, packages, image, seed=20):
        self.root, self.day, self.random = Path(root), 0, random.Random(seed)
        self.branch = "r1beta5"
        self.packages = {f"{self.word()}_{at}": 1 for at in range(packages)}
        self.image = [self.block() for _ in range(image // BLOCK)]
        self.nightlies = []
        for name in self.packages:
            self.package(name)
        self.publish()

    def advance(self, churn=0.05):
        """A twentieth of the packages in a new version, the old one gone or, for every fifth, moved to the retired."""
        self.day += 1
        if self.day + 1 == BRANCHED:
            self.branch = "r1beta6"
            (self.root / "r1beta5").rename(self.root / self.branch)
        for at, name in enumerate(self.random.sample(sorted(self.packages), round(len(self.packages) * churn))):
            old = self.path(name)
            if at % 5 == 0:
                (self.root / "retired").mkdir(exist_ok=True)
                old.rename(self.root / "retired" / old.name)
            else:
                old.unlink()
            self.packages[name] += 1
            self.package(name)
        left = len(self.image) // 20
        while left > 0:
            at, run = self.random.randrange(len(self.image)), min(left, self.random.randrange(1, 33))
            self.image[at:at + run] = [self.block() for _ in self.image[at:at + run]]
            left -= run
        self.publish()

    def publish(self):
        """The index of the packages with its side files, the nightly image, its alias, and at times a release."""
        index = "\n".join(f"{name}-{version}" for name, version in sorted(self.packages.items()))
        packed = zlib.compress(index.encode())
        self.write(f"{self.branch}/repo", packed)
        self.write(f"{self.branch}/repo.sha256", hashlib.sha256(packed).hexdigest().encode())
        self.write(f"{self.branch}/repo.minisig", self.random.randbytes(240))
        nightly = self.write(f"images/nightly/anyboot-{self.day:04}.iso", b"".join(self.image))
        self.nightlies.append(nightly)
        if len(self.nightlies) > KEPT:
            self.nightlies.pop(0).unlink()
        self.alias(nightly, "images/nightly/anyboot.iso")
        if self.day % PROMOTED == PROMOTED - 1:
            self.alias(nightly, f"images/release/{self.day:04}/anyboot.iso")

    def package(self, name):
        size = min(round(self.random.lognormvariate(10.6, 1.4)), 8 << 20)  # 40 KB in the middle, 110 KB on average
        self.write(self.path(name).relative_to(self.root), self.random.randbytes(size))

    def path(self, name):
        return self.root / self.branch / "packages" / f"{name}-{self.packages[name]}-1-x86_64.hpkg"

    def alias(self, path, name):
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, self.root / name)

    def write(self, name, content):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        time = FIRST + self.day * DAY + self.random.randrange(DAY // 2)
        os.utime(path, (time, time))
        return path

    def block(self):
        kind = self.random.random()
        if kind < 0.4:
            return bytes(BLOCK)
        if kind < 0.73:
            words = [self.word() for _ in range(500)]
            return " ".join(self.random.choices(words, k=BLOCK // 5)).encode()[:BLOCK].ljust(BLOCK)
        return self.random.randbytes(BLOCK)

    def word(self):
        return "".join(self.random.choices("abcdefghijklmnoprstuvwyz", k=self.random.randrange(3, 9)))


def digests(root):
    """name -> SHA-256, of all files below `root`."""
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[os.path.relpath(path, root)] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
