#!/usr/bin/env python3
"""A flat prefix with many keys, listed in one sequence and by several hands, over a line with latency.

    cargo build --release && tests/bench/listing.py --keys 250000

Fills a bucket of SeaweedFS, puts a delay between it and the client, and lists it with `list_order = "unknown"` (one page
after the other, then sorted) and with `list_order = "bytes"` (ranges side by side). Both have to print the same, and `size`
has to count them. Nothing is asserted of the time; wall, CPU, requests and memory are printed as a table in Markdown.
"""

import argparse
import asyncio
import hashlib
import json
import os
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path

import run
import stage

PREFIX = "packages"


class Delay:
    """A line to a server: what goes in comes out so many seconds later, each way; requests are counted."""

    def __init__(self, port, seconds):
        self.target, self.each_way, self.requests = port, seconds / 2, 0
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def run():
            asyncio.set_event_loop(self.loop)
            server = self.loop.run_until_complete(asyncio.start_server(self.serve, "127.0.0.1", 0))
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            self.loop.run_forever()

        threading.Thread(target=run, daemon=True).start()
        ready.wait()

    async def serve(self, reader, writer):
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        await asyncio.gather(self.carry(reader, far_writer, True), self.carry(far_reader, writer, False))

    async def carry(self, reader, writer, counts):
        queue = asyncio.Queue()

        async def deliver():
            while True:
                due, data = await queue.get()
                await asyncio.sleep(max(0, due - time.monotonic()))
                if not data:
                    break
                writer.write(data)
                await writer.drain()
            writer.close()

        delivery = asyncio.ensure_future(deliver())
        try:
            while True:
                data = await reader.read(1 << 16)
                if counts:
                    self.requests += data.count(b"GET /")
                queue.put_nowait((time.monotonic() + self.each_way, data))
                if not data:
                    break
            await delivery
        except ConnectionError:
            delivery.cancel()


def flat(home, count):
    """`count` empty files in one directory, named as packages are: numbers and words that do not spread evenly."""
    folder = Path(home) / f"flat-{count}" / PREFIX
    if not folder.exists():
        partial = folder.with_suffix(".partial")
        partial.mkdir(parents=True)
        for at in range(count):
            word = hashlib.md5(str(at // 7).encode()).hexdigest()[:6]
            (partial / f"lib{word}-{at % 7}.{at // 7}-1-x86_64.hpkg").touch()
        partial.rename(folder)
    return folder.parent


def configuration(home, endpoint, port):
    config = Path(home) / "sterna.toml"
    config.touch(mode=0o600)
    common = (f'type = "s3"\nprovider = "seaweedfs"\nregion = "us-east-1"\npath_style = true\n'
              f'access_key_id = "{endpoint.access_key}"\nsecret_access_key = "{endpoint.secret_key}"\n')
    remotes = {"direct": (endpoint.port, "unknown"), "sequence": (port, "unknown"), "ranges": (port, "bytes")}
    config.write_text("".join(
        f'[remote.{name}]\n{common}endpoint = "http://127.0.0.1:{to}"\nlist_order = "{order}"\n\n'
        for name, (to, order) in remotes.items()
    ))
    return {"STERNA_CONFIG": str(config), "HOME": str(home), "PATH": os.environ["PATH"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--keys", type=int, default=250_000)
    parser.add_argument("--latency", type=float, nargs="*", default=[0, 0.05], help="seconds of a round trip")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--sterna", type=Path, default=stage.TARGET / "release" / "sterna")
    options = parser.parse_args()
    run.adopt_orphans()
    data = stage.TARGET / "bench" / "data"
    source = flat(data, options.keys)
    with tempfile.TemporaryDirectory(prefix="listing-", dir=stage.TARGET / "bench") as home:
        endpoint = stage.Endpoint(Path(home) / "server", "listing-key", "listing-secret")
        try:
            environment = configuration(home, endpoint, endpoint.port)

            def sterna(*arguments):
                """What it took, and what it printed."""
                measured = run.measure([str(options.sterna.resolve()), *arguments], environment, Path(home), [endpoint])
                printed = (Path(home) / "log").read_bytes()
                if measured["exit"] != 0:
                    raise SystemExit(f"{arguments}: {printed.decode(errors='replace')}")
                return measured, printed

            sterna("mkdir", "direct:flat")
            filled, _ = sterna("--quiet", "copy", str(source), "direct:flat")
            print(f"{options.keys:,} keys in {filled['wall']:.0f} s", file=sys.stderr)
            rows = []
            for latency in options.latency:
                line = Delay(endpoint.port, latency)
                environment = configuration(home, endpoint, line.port)
                listings = set()
                for _ in range(options.runs):
                    for remote in ("sequence", "ranges"):
                        place = f"{remote}:flat/{PREFIX}/"
                        for command in (["ls", "-R"], ["size", "--json"]):
                            line.requests = 0
                            measured, printed = sterna(*command, place)
                            if command[0] == "ls":
                                listings.add(hashlib.sha256(printed).hexdigest())
                                count = printed.count(b"\n")
                            else:
                                count = json.loads(printed)["objects"]
                            if count != options.keys:
                                raise SystemExit(f"{command[0]} of {remote} told of {count} of {options.keys} keys")
                            rows.append({"latency": latency, "remote": remote, "what": command[0],
                                         "requests": line.requests, **measured})
                            print(f"  {latency} {command[0]} {remote}: {measured['wall']:.1f} s", file=sys.stderr)
                if len(listings) != 1:
                    raise SystemExit("the listings differ")
        finally:
            endpoint.stop()
    (stage.TARGET / "bench" / "listing.json").write_text(json.dumps(rows, indent=1))
    print("| round trip | what | listed | wall s | CPU s | requests | peak MiB |\n|---|---|---|---:|---:|---:|---:|")
    for latency in options.latency:
        for what in ("ls", "size"):
            for remote, how in (("sequence", "in one sequence"), ("ranges", "in ranges side by side")):
                mine = [row for row in rows if (row["latency"], row["remote"], row["what"]) == (latency, remote, what)]
                middle = {of: statistics.median(row[of] for row in mine) for of in ("wall", "cpu", "requests", "memory")}
                print(f"| {latency * 1000:.0f} ms | `{what}` | {how} | {middle['wall']:.2f} | {middle['cpu']:.2f} | "
                      f"{middle['requests']:,.0f} | {middle['memory'] / (1 << 20):.0f} |")


if __name__ == "__main__":
    sys.exit(main())
