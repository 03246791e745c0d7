"""Everything at once for a long time: what is promised holds at the end, and nothing has grown.

On one daemon, all the while: its own workers make scenes, and one of them is killed every few seconds;
writers lease, make and hand in items, and some of them vanish with their leases; readers follow
streams inline and in shared memory, keep what they read, and read it again as long as they hold the
snapshot; deep checks run; where the daemon has methods to add triplets, to delete them and to compact
the packs, they run as well. Every second memory and descriptors of the daemon are noted.

At the end: what was acknowledged and not deleted is there with its pixels, also after a restart (P1);
every triplet is whole (P2); a deep check finds nothing, nothing was set aside (P3); no batch that was
read again differed (P4); counts equal a recount (P5); no lease outlives its owner (P6).
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import statistics
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Optional

import numpy as np
from harness import (
    OWN_ENGINE,
    ROOT,
    Daemon,
    binary_folder,
    descriptor_count,
    finish,
    memory_bytes,
    on_signals,
    pixel_hash,
    still_there,
    submit,
    worker_processes,
)
from show_crash import Log, Run

import groundwell
from groundwell import ConnectionLost, GroundwellError, Mask, safetensors
from groundwell.values import to_wire

NOISE = ["noise one", "noise two", "noise three"]
SCENES = ["cat", "dog", "bus", "apple"]
IMPORTED = ["tree", "house"]
SIDE = 32
LEASE_SECONDS = 3
KILL_EVERY = 4.0
#: From here on a few triplets a second are made instead of as many as possible, so that memory that
#: follows the number of triplets is told from memory that leaks.
MANY_TRIPLETS = 10_000
#: Methods that delete triplets and give their space back, where the daemon has them.
DELETE, COMPACT = "triplet.delete", "store.compact"
MEBIBYTE = 1 << 20
#: How much the memory of the last third may lie over that of the second: a leak does not stop there.
MEMORY_SHARE, MEMORY_BYTES = 0.10, 24 * MEBIBYTE
DESCRIPTORS = 16


def known_methods() -> set[str]:
    """The methods that this version's daemon has."""
    document = json.loads((ROOT / "schema" / "wire" / "openrpc.json").read_text())
    return {method["name"] for method in document["methods"]}


class Crew:
    """Threads that each do one thing until it is over, and what went wrong in them."""

    def __init__(self, socket: str) -> None:
        self.socket = socket
        self.over = threading.Event()
        self.problems: list[str] = []
        self.counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, work: Callable[[groundwell.Client, random.Random], None]) -> None:
        """Calls ``work`` with a client of its own, again and again."""

        def run() -> None:
            choose = random.Random(f"{name} {len(self._threads)}")
            try:
                with groundwell.connect(self.socket, timeout=120) as client:
                    while not self.over.is_set():
                        work(client, choose)
            except BaseException as error:
                self.problem(f"{name}: {error!r}")

        thread = threading.Thread(target=run, name=name, daemon=True)
        self._threads.append(thread)
        thread.start()

    def count(self, name: str, amount: int = 1) -> None:
        """Adds to a figure."""
        with self._lock:
            self.counts[name] = self.counts.get(name, 0) + amount

    def problem(self, text: str) -> None:
        """Notes what must not happen."""
        with self._lock:
            self.problems.append(text)

    def end(self) -> None:
        """Ends all threads."""
        self.over.set()
        for thread in self._threads:
            thread.join(120)
            if thread.is_alive():
                self.problem(f"{thread.name} does not end")


class Soak:
    """What the threads do."""

    def __init__(self, daemon: Daemon, crew: Crew, log: Log) -> None:
        self.daemon, self.crew, self.log = daemon, crew, log
        self.deleted: set[int] = set()
        self.workers: set[int] = set()
        self.goals: dict[str, int] = {}
        self.imported: dict[str, int] = {}
        self.again: set[str] = set()

    def order(self, client: groundwell.Client, choose: random.Random) -> None:
        """Keeps a little work in the queue."""
        counts = client.counts()
        step = 60 if counts.triplets < MANY_TRIPLETS else 2
        for names, engine in ((NOISE, OWN_ENGINE), (SCENES, "scenes")):
            name = choose.choice(names)
            count = counts.get(name)
            if count is None or count.pending < 40:
                stock = count.stock if count is not None else 0
                goal = max(self.goals.get(name, 0), stock) + step
                self.goals[name] = goal
                client.backfill({name: goal}, engine=engine, image_size=SIDE, companions=False)
        self.crew.over.wait(1.0)

    def write(self, client: groundwell.Client, choose: random.Random) -> None:
        """Leases, makes and hands in."""
        items = client.lease("writer", [OWN_ENGINE], 4, lease_seconds=LEASE_SECONDS, wait_seconds=1)
        for item in items:
            try:
                triplet, pixels = submit(client, item, "writer")
                self.log.add(triplet, pixels)
                self.crew.count("submitted")
            except GroundwellError as error:
                if error.word not in ("token_stale", "item_unknown"):
                    raise
        self.crew.over.wait(0.05)

    def vanish(self, client: groundwell.Client, choose: random.Random) -> None:
        """Takes leases and is gone, or keeps them until they run out."""
        with groundwell.connect(self.daemon.socket, timeout=60) as other:
            items = other.lease("ghost", [OWN_ENGINE], 2, lease_seconds=1)
            self.crew.count("vanished", len(items))
            if choose.random() < 0.5:
                self.crew.over.wait(1.5)
        self.crew.over.wait(5.0)

    def read(self, client: groundwell.Client, choose: random.Random) -> None:
        """Opens a stream, reads on, and reads again what it has read."""
        delivery = choose.choice(["inline", "memfd"])
        names = [name for name, count in client.counts().items() if count.stock]
        if not names:
            self.crew.over.wait(0.5)
            return
        some = sorted(choose.sample(names, choose.randint(1, len(names))))
        seen: dict[int, int] = {}
        with client.stream(some, 8, SIDE, seed=choose.randrange(1000), delivery=delivery) as stream:
            until = time.monotonic() + choose.uniform(2, 20)
            k = choose.randrange(100)
            while time.monotonic() < until and not self.crew.over.is_set():
                self.compare(stream, seen, k)
                if seen and choose.random() < 0.3:
                    self.compare(stream, seen, choose.choice(list(seen)))
                k += 1
                self.crew.over.wait(0.02)
            for old in choose.sample(list(seen), min(20, len(seen))):
                self.compare(stream, seen, old)

    def compare(self, stream: Any, seen: dict[int, int], k: int) -> None:
        """Reads a batch; the same number must have the same bytes."""
        found = zlib.crc32(np.ascontiguousarray(stream.get(k).body).tobytes())
        self.crew.count("batches")
        if seen.setdefault(k, found) != found:
            self.crew.problem(f"P4: batch {k} of a stream has other bytes than before")

    def import_some(self, client: groundwell.Client, choose: random.Random) -> None:
        """Adds items of a data set, some of them for the second time, which makes no new triplet."""
        if client.counts().triplets >= MANY_TRIPLETS:
            self.crew.over.wait(5.0)
        names = sorted({f"item {choose.randrange(1 << 20)}" for _ in range(4)} | self.again)
        tensors, items, hashes = {}, [], []
        for index, name in enumerate(names):
            random_ = np.random.default_rng(zlib.crc32(name.encode()))
            image = random_.integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
            mask = np.zeros((1, SIDE, SIDE), np.uint8)
            mask[0, :: 1 + index % 3] = 1
            tensors |= {f"image{index}": image, f"masks{index}": mask}
            info = to_wire(Mask(choose.choice(IMPORTED), 0, "exact"))
            items.append({"item": name, "prompt": "an item", "masks": [info]})
            hashes.append(pixel_hash(image, mask))
        answer, _ = client._call(
            "triplet.import", {"source": "soak", "items": items}, safetensors.encode(tensors)
        )
        for name, outcome, pixels in zip(names, answer["outcomes"], hashes):
            before = self.imported.get(name)
            if outcome["duplicate"]:
                if before not in (None, outcome["triplet"]):
                    self.crew.problem(f"'{name}' was triplet {before} and is another one now")
                continue
            # Only what was deleted is stored anew.
            if before is not None and before not in self.deleted:
                self.crew.problem(f"'{name}' was imported twice")
            self.imported[name] = outcome["triplet"]
            self.log.add(outcome["triplet"], pixels)
            self.crew.count("imported")
        self.again = {choose.choice(names)}
        self.crew.over.wait(0.5)

    def delete(self, client: groundwell.Client, choose: random.Random) -> None:
        """Deletes some of what was acknowledged; streams that hold a snapshot must not notice."""
        entries = self.log.entries
        if len(entries) > 200:
            ids = {choose.choice(entries[:-50])[0] for _ in range(8)} - self.deleted
            self.deleted |= ids
            client.call(DELETE, {"triplets": sorted(ids)})
            self.crew.count("deleted", len(ids))
        self.crew.over.wait(1.0)

    def compact(self, client: groundwell.Client, choose: random.Random) -> None:
        """Gives back the space of what was deleted."""
        try:
            client.call(COMPACT, {})
            self.crew.count("compactions")
        except GroundwellError as error:
            if error.word not in ("busy", "over_quota"):
                raise
        self.crew.over.wait(15.0)

    def check(self, client: groundwell.Client, choose: random.Random) -> None:
        """A recount while everything goes on, and now and then a deep check."""
        found = client.check(deep=choose.random() < 0.2)
        for text in found.problems:
            self.crew.problem(f"a check while others write: {text}")
        self.crew.count("checks")
        self.crew.over.wait(10.0)

    def kill(self, client: groundwell.Client, choose: random.Random) -> None:
        """Kills one of the daemon's workers."""
        if processes := worker_processes(client):
            self.workers.update(processes)
            with contextlib.suppress(ProcessLookupError):
                os.kill(choose.choice(processes), signal.SIGKILL)
                self.crew.count("killed")
        self.crew.over.wait(KILL_EVERY)


class Watch(threading.Thread):
    """Memory and descriptors of the daemon, every second."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.memory: list[int] = []
        self.descriptors: list[int] = []
        self._process = process
        self._over = threading.Event()

    def run(self) -> None:
        """Notes until it is over."""
        while not self._over.wait(1.0):
            with contextlib.suppress(OSError):
                self.memory.append(memory_bytes(self._process))
                self.descriptors.append(descriptor_count(self._process))

    def end(self) -> None:
        """Ends the thread."""
        self._over.set()
        self.join(10)

    def thirds(self, values: list[int]) -> Iterator[list[int]]:
        """The beginning, the middle and the end."""
        size = max(1, len(values) // 3)
        yield values[:size]
        yield values[size : 2 * size]
        yield values[2 * size :]

    def problems(self) -> list[str]:
        """What has grown, if anything has."""
        _, middle, last = (statistics.median(part or [0]) for part in self.thirds(self.memory))
        found = []
        if last > middle * (1 + MEMORY_SHARE) + MEMORY_BYTES:
            found.append(
                f"memory grew from {middle / MEBIBYTE:.0f} to {last / MEBIBYTE:.0f} MiB "
                "between the second third and the last"
            )
        _, middle, last = (max(part or [0]) for part in self.thirds(self.descriptors))
        if last > middle + DESCRIPTORS:
            found.append(f"descriptors grew from {middle} to {last}")
        return found

    @property
    def summary(self) -> str:
        """The medians of the thirds."""
        memory = [statistics.median(part or [0]) / MEBIBYTE for part in self.thirds(self.memory)]
        files = [max(part or [0]) for part in self.thirds(self.descriptors)]
        return (
            f"memory {', '.join(f'{value:.0f}' for value in memory)} MiB and descriptors "
            f"{', '.join(str(value) for value in files)} in the three thirds"
        )


def quiet(client: groundwell.Client, crew: Crew) -> None:
    """Cancels what is under way; nobody may hold a lease any more when its time is over (P6)."""
    jobs = [job.job for job in client.jobs(limit=1000) if job.state == "active"]
    if jobs:
        client.call("job.cancel", {"jobs": jobs})
    until = time.monotonic() + LEASE_SECONDS + 30
    while client.status()["leased_items"]:
        if time.monotonic() > until:
            crew.problem(f"P6: {client.status()['leased_items']} leases outlive their owners")
            return
        time.sleep(0.2)


def verify(soak: Soak, client: groundwell.Client, when: str) -> None:
    """What was acknowledged is there (P1), and a deep check finds nothing (P3, P5)."""
    crew, missing = soak.crew, 0
    for triplet, pixels in soak.log.entries:
        if triplet in soak.deleted:
            continue
        try:
            found = client.triplet(triplet)
            missing += pixel_hash(found.image, found.masks) != pixels
        except ConnectionLost:
            raise
        except GroundwellError as error:
            missing += 1
            crew.problem(f"P1 {when}: triplet {triplet}: {error}")
    if missing:
        crew.problem(f"P1 {when}: {missing} acknowledged triplets are gone or changed")
    result = client.check(deep=True)
    for text in result.problems:
        crew.problem(f"P3 or P5 {when}: {text}")
    if result.quarantined:
        crew.problem(f"P3 {when}: {len(result.quarantined)} triplets are set aside")


def work(soak: Soak, seconds: float) -> Watch:
    """Everything at once."""
    crew, daemon = soak.crew, soak.daemon
    watch = Watch(daemon.process.pid if daemon.process else 0)
    watch.start()
    crew.add("orders", soak.order)
    for _ in range(2):
        crew.add("writer", soak.write)
    crew.add("ghost", soak.vanish)
    for _ in range(4):
        crew.add("reader", soak.read)
    crew.add("checks", soak.check)
    if "triplet.import" in known_methods():
        crew.add("import", soak.import_some)
    if DELETE in known_methods():
        crew.add("delete", soak.delete)
    if COMPACT in known_methods():
        crew.add("compact", soak.compact)
    crew.add("killer", soak.kill)
    until = time.monotonic() + seconds
    said = time.monotonic()
    while time.monotonic() < until and not crew.problems:
        time.sleep(0.5)
        if time.monotonic() - said > 60:
            said = time.monotonic()
            print(f"{until - said:.0f} s left: {crew.counts}; {watch.summary}", flush=True)
    crew.end()
    watch.end()
    return watch


def main() -> None:
    """Runs it and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=1200)
    parser.add_argument("--workers", type=int, default=2, help="workers that the daemon spawns")
    parser.add_argument("--bin", help="folder of groundwelld")
    options = parser.parse_args()
    on_signals()
    start = time.monotonic()
    status: Optional[int] = None
    with Daemon(binary_folder(options.bin), options.workers) as daemon:
        daemon.start().close()
        crew = Crew(daemon.socket)
        log = Log(Path(daemon.folder) / "acknowledged.log")
        soak = Soak(daemon, crew, log)
        watch = work(soak, options.seconds)
        crew.problems += watch.problems()
        with groundwell.connect(daemon.socket, timeout=600) as client:
            quiet(client, crew)
            verify(soak, client, "at the end")
            run = Run(daemon, log, 1)
            partial = run.partial(client)
            crew.problems += [f"P2: {text}" for text in run.problems]
            triplets = client.counts().triplets
            soak.workers.update(worker_processes(client))
        status = daemon.stop()
        left = still_there(soak.workers, 10)
        with daemon.start() as client:
            verify(soak, client, "after a restart")
        daemon.stop()
        log.close()
        if crew.problems or status:
            daemon.show_log()
    for text in crew.problems[:20]:
        print(text)
    extra = [("imported", "triplet.import"), ("deleted", DELETE), ("compactions", COMPACT)]
    wanted = ["submitted", "batches", "killed", "checks"]
    wanted += [name for name, method in extra if method in known_methods()]
    for name in wanted:
        if not crew.counts.get(name):
            crew.problems.append(f"nothing was {name}")
            print(crew.problems[-1])
    counts = ", ".join(f"{value} {name}" for name, value in sorted(crew.counts.items()))
    finish(
        "show-soak",
        f"{len(crew.problems)} problems, {partial} partial triplets, {len(left)} workers left, "
        f"daemon exit {status} after {time.monotonic() - start:.0f} s: {counts}; {triplets} triplets; "
        f"{watch.summary}",
        "0 problems (P1 to P6, memory within "
        f"{100 * MEMORY_SHARE:.0f} % + {MEMORY_BYTES // MEBIBYTE} MiB, descriptors within "
        f"{DESCRIPTORS} of the second third), 0 partial, 0 left, exit 0",
        not crew.problems and partial == len(left) == status == 0,
    )


if __name__ == "__main__":
    main()
