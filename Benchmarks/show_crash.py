"""Random ``kill -9`` of the daemon and of its workers: nothing acknowledged may be lost.

A writer leases items of 16x16 and hands them in; beside it the daemon's own workers make scenes.
Whatever is acknowledged goes to a log outside the store, with a hash of its pixels. Each round kills
the daemon, a worker, or both at a random moment, and starts again what is dead. Then every id
acknowledged since the last round, and a sample of the older ones, must be readable with the same
pixels, and a recount must agree with the counts; every tenth round all stored bytes are compared with
their checksums. A submit that was cut off is sent again and must not make a second triplet. At the
end, without kills, all jobs must finish with exactly the items that were asked for.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Optional

from harness import (
    OWN_ENGINE,
    Daemon,
    binary_folder,
    finish,
    on_signals,
    pixel_hash,
    still_there,
    submit,
    worker_processes,
)

import groundwell
from groundwell import ConnectionLost, GroundwellError, WorkItem

OWN_SIDE = 16
SCENE_SIDE = 32
OWN_CATEGORIES = ["noise one", "noise two", "noise three"]
SCENE_CATEGORIES = ["cat", "dog", "bus"]
SAMPLE = 50
DEEP_EVERY = 10
LEASE_SECONDS = 5


class Log:
    """The outside log of acknowledged ids, on disk before the next item is begun."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("a", encoding="ascii")
        self._lock = threading.Lock()
        self.entries: list[tuple[int, str]] = []

    def add(self, triplet: int, pixels: str) -> None:
        """Notes an acknowledged triplet."""
        with self._lock:
            self._file.write(f"{triplet} {pixels}\n")
            self._file.flush()
            os.fsync(self._file.fileno())
            self.entries.append((triplet, pixels))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class Writer(threading.Thread):
    """Leases, makes and hands in items until it is told to end, whatever happens to the daemon."""

    def __init__(self, socket: str, log: Log) -> None:
        super().__init__(daemon=True)
        self.repeated = 0
        self.error: Optional[BaseException] = None
        self._socket = socket
        self._log = log
        self._ended = threading.Event()
        self._cut_off: Optional[WorkItem] = None

    def end(self) -> None:
        """Ends the writer after the item at hand."""
        self._ended.set()
        self.join(60)

    def run(self) -> None:
        """See the class."""
        try:
            while not self._ended.is_set():
                try:
                    with groundwell.connect(self._socket, timeout=60) as client:
                        self._work(client)
                except ConnectionLost:
                    time.sleep(0.01)
        except BaseException as error:  # Told by the main thread, which fails the run.
            self.error = error

    def _work(self, client: groundwell.Client) -> None:
        if self._cut_off is not None:
            self._hand_in(client, self._cut_off)
            self.repeated += 1
        while not self._ended.is_set():
            items = client.lease(
                "writer", [OWN_ENGINE], 4, lease_seconds=LEASE_SECONDS, wait_seconds=0.2
            )
            for item in items:
                self._hand_in(client, item)

    def _hand_in(self, client: groundwell.Client, item: WorkItem) -> None:
        self._cut_off = item
        try:
            triplet, pixels = submit(client, item, "writer")
            self._log.add(triplet, pixels)
        except GroundwellError as error:
            if error.word != "token_stale":
                raise
        self._cut_off = None


class Run:
    """Everything that is counted."""

    def __init__(self, daemon: Daemon, log: Log, seed: int) -> None:
        self.daemon = daemon
        self.log = log
        self.choose = random.Random(seed)
        self.lost = 0
        self.problems: list[str] = []
        self.daemon_kills = 0
        self.worker_kills = 0
        self.goals: dict[str, int] = {}
        self.workers: set[int] = set()
        self._seen = 0

    def order(self, client: groundwell.Client, has_workers: bool) -> None:
        """Keeps work in the queue, so that a kill meets some."""
        pending = {name: count.pending for name, count in client.counts().items()}
        kinds = [(OWN_CATEGORIES, OWN_ENGINE, OWN_SIDE, 40)]
        if has_workers:
            kinds.append((SCENE_CATEGORIES, "scenes", SCENE_SIDE, 20))
        for names, engine, side, amount in kinds:
            if sum(pending.get(name, 0) for name in names) < amount:
                name = self.choose.choice(names)
                self.goals[name] = self.goals.get(name, 0) + amount
                client.backfill(
                    {name: self.goals[name]}, engine=engine, image_size=side, companions=False
                )

    def kill_something(self, client: groundwell.Client) -> Optional[groundwell.Client]:
        """Kills at a random moment; returns the client if the daemon is still alive."""
        time.sleep(self.choose.uniform(0.01, 0.3))
        workers = worker_processes(client)
        self.workers.update(workers)
        what = self.choose.choices(["daemon", "worker", "both"], [6, 2, 2])[0]
        if what != "daemon" and workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.choose.choice(workers), signal.SIGKILL)
            self.worker_kills += 1
        if what == "worker":
            return client
        client.close()
        self.daemon.kill()
        self.daemon_kills += 1
        return None

    def verify(self, client: groundwell.Client, deep: bool, everything: bool = False) -> None:
        """Reads what was acknowledged, and has the store compare itself."""
        entries = list(self.log.entries)
        older, newer = entries[: self._seen], entries[self._seen :]
        self._seen = len(entries)
        if not everything:
            older = self.choose.sample(older, min(SAMPLE, len(older)))
        for triplet, pixels in older + newer:
            try:
                found = client.triplet(triplet)
            except ConnectionLost:
                raise
            except GroundwellError as error:
                self.lost += 1
                self.problems.append(f"triplet {triplet} was acknowledged: {error}")
                continue
            if pixel_hash(found.image, found.masks) != pixels:
                self.lost += 1
                self.problems.append(f"triplet {triplet} has other pixels than acknowledged")
        result = client.check(deep=deep)
        self.problems += result.problems
        self.problems += [f"triplet {triplet} is set aside" for triplet in result.quarantined]

    def partial(self, client: groundwell.Client) -> int:
        """Reads all triplets of the store; counts those that are not whole."""
        count, after = 0, 0
        while infos := client.query(after=after, limit=1000):
            after = infos[-1].triplet
            for info in infos:
                try:
                    found = client.triplet(info.triplet)
                    is_whole = (
                        found.info == info
                        and found.image.shape == (info.height, info.width, 3)
                        and found.masks.shape == (len(info.masks), info.height, info.width)
                        and [int(mask.sum()) for mask in found.masks]
                        == [mask.pixel_count for mask in info.masks]
                    )
                except ConnectionLost:
                    raise
                except GroundwellError as error:
                    self.problems.append(f"triplet {info.triplet}: {error}")
                    is_whole = False
                count += not is_whole
        return count

    def short(self, client: groundwell.Client, seconds: float) -> tuple[int, int]:
        """Lets all work end; returns how many jobs there were and how many did not come out."""
        jobs = client.jobs(limit=1000)
        with contextlib.suppress(GroundwellError):
            client.wait([job.job for job in jobs], seconds)
        jobs = client.jobs(limit=1000)
        wrong = [job for job in jobs if job.state != "done" or job.done != job.items]
        for job in wrong:
            self.problems.append(f"job {job.job} is {job.state}: {job.done} of {job.items} items")
        counts = client.counts()
        items = sum(job.items for job in jobs)
        if counts.triplets != items:
            self.problems.append(f"{counts.triplets} triplets for {items} items asked for")
        for name, goal in self.goals.items():
            if counts[name].stock != goal:
                self.problems.append(f"'{name}' has {counts[name].stock} of {goal} triplets")
        return len(jobs), len(wrong) + (counts.triplets != items)


def crash(run: Run, options: argparse.Namespace, until: float) -> tuple[groundwell.Client, int]:
    """The rounds; returns a client of the daemon that is alive at the end."""
    client = run.daemon.start()
    for number in range(options.rounds):
        if time.monotonic() > until:
            run.problems.append(f"time was up after {number} of {options.rounds} rounds")
            return client, number
        run.order(client, options.workers > 0)
        client = run.kill_something(client) or run.daemon.start()
        run.verify(client, deep=number % DEEP_EVERY == DEEP_EVERY - 1)
        if (number + 1) % 20 == 0:
            print(
                f"round {number + 1}: {len(run.log.entries)} acknowledged, "
                f"{run.daemon_kills} daemons and {run.worker_kills} workers killed, "
                f"{run.lost} lost",
                flush=True,
            )
    return client, options.rounds


def main() -> None:
    """Runs the rounds and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--workers", type=int, default=1, help="workers that the daemon spawns")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=20, help="gives up after this long")
    parser.add_argument("--bin", help="folder of groundwelld")
    options = parser.parse_args()
    on_signals()
    start = time.monotonic()
    with Daemon(binary_folder(options.bin), options.workers) as daemon:
        log = Log(daemon.folder / "acknowledged.log")
        run = Run(daemon, log, options.seed)
        writer = Writer(daemon.socket, log)
        writer.start()
        client, rounds = crash(run, options, start + options.minutes * 60)
        jobs, short = run.short(client, 120)
        writer.end()
        run.verify(client, deep=True, everything=True)
        partial = run.partial(client)
        run.workers.update(worker_processes(client))
        client.close()
        status = daemon.stop()
        left = still_there(run.workers, 10)
        log.close()
        if run.problems or status != 0:
            daemon.show_log()
    if writer.error is not None:
        run.problems.append(f"the writer failed: {writer.error!r}")
    if len(log.entries) < rounds:
        run.problems.append(f"only {len(log.entries)} triplets were acknowledged: too few to tell")
    for problem in run.problems[:20]:
        print(problem)
    finish(
        "show-crash",
        f"lost {run.lost}, partial {partial}, jobs short {short} of {jobs}, "
        f"problems {len(run.problems)}; {rounds} rounds, {run.daemon_kills} daemons and "
        f"{run.worker_kills} workers killed, {len(log.entries)} acknowledged, "
        f"{writer.repeated} sent again, workers left {len(left)}, daemon exit {status}, "
        f"{time.monotonic() - start:.0f} s",
        f"lost 0, partial 0, short 0, problems 0, left 0, exit 0 in {options.rounds} rounds",
        not run.problems
        and run.lost == partial == short == status == len(left) == 0
        and rounds == options.rounds,
    )


if __name__ == "__main__":
    main()
