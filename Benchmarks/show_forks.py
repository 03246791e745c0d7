"""Clients that fork, spawn and die: no hang, no wrong batch, nothing left behind in the daemon.

Three parts against one daemon with a small store. First a DataLoader with two workers, started by
fork, spawn and forkserver, persistent or not, from a parent that has read nothing yet or that
holds batches of a connection: two epochs each, compared with a plain read of the stream; a held
batch must not change. Then parents that are killed in the middle of such an epoch: their workers
must end. Then deaths by the thousand: processes that hold 1, 10 or 100 batches and end by
SIGKILL, by SIGKILL with requests under way, by ``os._exit`` or by falling off the end. After each
part the daemon's descriptors, its memfds and the system's ``Shmem`` must be back where they were.

Every wait has a deadline, and only processes that were started here are ended.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from harness import Daemon, binary_folder, fill, finish, on_signals

import groundwell

CATEGORIES = ["cat", "dog", "yak"]
SIDE, BATCH, SEED = 32, 4, 11
WORKERS = 2
EPOCHS = 2
METHODS = ["fork", "spawn", "forkserver"]
HELD = [1, 10, 100]
MOST_SLOTS = 50
PARALLEL = 4
PART_SECONDS = 180.0
CHILD_SECONDS = 60.0
SETTLE_SECONDS = 20.0
SHMEM_SLACK_KIB = 8192


def shmem_kib() -> int:
    """Shared memory of the whole machine."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Shmem:"))


class Base:
    """What the daemon holds open when nobody asks it for anything."""

    def __init__(self, daemon: Daemon) -> None:
        assert daemon.process is not None
        self._folder = f"/proc/{daemon.process.pid}/fd"
        self.descriptors, self.memfds = self._count()
        self.shmem = shmem_kib()

    def _count(self) -> tuple[int, int]:
        links = []
        for name in os.listdir(self._folder):
            with contextlib.suppress(OSError):
                links.append(os.readlink(f"{self._folder}/{name}"))
        return len(links), sum("memfd:" in link for link in links)

    def left(self) -> tuple[int, int, int]:
        """Descriptors, memfds and KiB of Shmem above the base once they have settled."""
        deadline = time.monotonic() + SETTLE_SECONDS
        while True:
            descriptors, memfds = self._count()
            over = (descriptors - self.descriptors, memfds - self.memfds)
            shmem = shmem_kib() - self.shmem
            if max(over) <= 0 and shmem <= SHMEM_SLACK_KIB or time.monotonic() > deadline:
                return max(0, over[0]), max(0, over[1]), max(0, shmem)
            time.sleep(0.05)


# Part 1 and 2: what runs in a process of its own, so that a hang can be ended.


def loader_of(socket: str, method: str, persistent: bool) -> tuple[Any, Any]:
    """A dataset and a DataLoader with workers over it."""
    import torch
    from groundwell.torch import BatchDataset

    torch.set_num_threads(1)
    data = BatchDataset(CATEGORIES, BATCH, SIDE, seed=SEED, socket_path=socket)
    return data, torch.utils.data.DataLoader(
        data, None, num_workers=WORKERS, persistent_workers=persistent,
        multiprocessing_context=method,
    )  # fmt: skip


def run_loaders(socket: str, method: str) -> None:
    """Prints a line of JSON for each way to use a DataLoader with workers of one kind."""
    import multiprocessing

    multiprocessing.set_forkserver_preload(["torch"])
    expected = plain(socket, EPOCHS)
    for holds in (False, True):
        for persistent in (False, True):
            data, loader = loader_of(socket, method, persistent)
            start = time.monotonic()
            held = [next(islice(data, 1))] if holds else []
            wrong, k = 0, len(data) * int(holds)
            for _ in range(EPOCHS):
                for item in loader:
                    wrong += item["k"] != k or item["triplet"].tolist() != expected[k]
                    k += 1
            wrong += k != len(data) * (EPOCHS + int(holds))
            wrong += any(item["triplet"].tolist() != expected[0] for item in held)
            held.clear()
            seconds = time.monotonic() - start
            print(json.dumps({"holds": holds, "persistent": persistent, "wrong": wrong,
                              "seconds": round(seconds, 2)}), flush=True)  # fmt: skip
            del data, loader


def run_doomed(socket: str, method: str) -> None:
    """Reads until it is killed, having printed the process ids of its workers."""
    import multiprocessing

    _, loader = loader_of(socket, method, True)
    while True:
        for item in loader:
            if item["k"] == 2:
                print(*(child.pid for child in multiprocessing.active_children()), flush=True)


def plain(socket: str, epochs: int) -> list[list[int]]:
    """The triplets of the first batches, read in order without workers."""
    with groundwell.connect(socket) as client:
        with client.stream(CATEGORIES, BATCH, SIDE, seed=SEED) as stream:
            count = len(stream) * (epochs + 1)
            return [batch.triplet.tolist() for batch in islice(stream, count)]


@contextlib.contextmanager
def part(socket: str, name: str, method: str) -> Iterator[subprocess.Popen[str]]:
    """This program once more, for one part."""
    command = [sys.executable, __file__, "--part", name, "--method", method, "--socket", socket]
    # What workers of a killed parent say about it is no news.
    errors = subprocess.DEVNULL if name == "doomed" else None
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def check_loaders(daemon: Daemon, method: str) -> tuple[int, int]:
    """Runs the loaders of one method; returns how many batches were wrong, and hangs."""
    with part(daemon.socket, "loaders", method) as process:
        try:
            text, _ = process.communicate(timeout=PART_SECONDS)
        except subprocess.TimeoutExpired:
            print(f"  {method}: no end within {PART_SECONDS:g} s")
            return 0, 1
        lines = [json.loads(line) for line in text.splitlines()]
        for line in lines:
            print(
                f"  {method:<11} "
                f"parent {'holds a batch' if line['holds'] else 'read nothing':<13} "
                f"{'persistent' if line['persistent'] else 'new workers':<11} "
                f"{line['seconds']:>6.2f} s  {line['wrong']} wrong",
                flush=True,
            )
        is_whole = process.returncode == 0 and len(lines) == 4
        return sum(line["wrong"] for line in lines) + (not is_whole), 0


def check_killed_parent(daemon: Daemon, method: str) -> int:
    """Kills a parent in the middle of an epoch; returns how many of its workers stay."""
    with part(daemon.socket, "doomed", method) as process:
        assert process.stdout is not None
        workers = [int(word) for word in process.stdout.readline().split()]
        process.kill()
        process.wait()
        start = time.monotonic()
        while time.monotonic() < start + SETTLE_SECONDS:
            alive = [worker for worker in workers if is_alive(worker)]
            if not alive:
                break
            time.sleep(0.05)
        print(
            f"  {method:<11} {len(workers)} workers, {len(alive)} left after "
            f"{time.monotonic() - start:.1f} s",
            flush=True,
        )
        for worker in alive:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker, signal.SIGKILL)
        return len(alive) + int(len(workers) != WORKERS)


def is_alive(process: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


# Part 3


def die(socket: str, held: int, how: int) -> None:
    """Takes batches and ends without giving them back."""
    client = groundwell.connect(socket)
    batches, streams, left = [], [], held
    while left:
        slots = min(left, MOST_SLOTS)
        stream = client.stream(CATEGORIES, BATCH, SIDE, seed=SEED, **slots_option(client, slots))
        streams.append(stream)
        batches += [next(stream) for _ in range(slots)]
        left -= slots
    assert len({batch.body.ctypes.data for batch in batches}) == held
    if how == 1:
        pending = client.stream(CATEGORIES, BATCH, SIDE, seed=SEED, **slots_option(client, 8))
        batches.append(next(pending))  # The next seven are under way now.
    if how < 2:
        os.kill(os.getpid(), signal.SIGKILL)


def slots_option(client: groundwell.Client, slots: int) -> dict[str, int]:
    """The option where there are slots."""
    return {"slots": slots} if "memfd" in client.server["capabilities"] else {}


def check_deaths(daemon: Daemon, deaths: int, seed: int) -> tuple[int, int]:
    """Lets processes die; returns how many did it otherwise than told, and hangs."""
    choose = random.Random(seed)
    plans = [(HELD[index % len(HELD)], choose.randrange(4)) for index in range(deaths)]
    running: dict[int, tuple[float, int]] = {}
    failed = hangs = 0
    start = time.monotonic()
    while plans or running:
        while plans and len(running) < PARALLEL:
            held, how = plans.pop()
            child = os.fork()
            if child == 0:
                status = 1
                try:
                    die(daemon.socket, held, how)
                    status = 0
                finally:
                    os._exit(status)
            running[child] = (time.monotonic() + CHILD_SECONDS, -9 if how < 2 else 0)
        for child, (deadline, expected) in list(running.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                failed += os.waitstatus_to_exitcode(status) != expected
                del running[child]
            elif time.monotonic() > deadline:
                hangs += 1
                os.kill(child, signal.SIGKILL)
                running[child] = (deadline + CHILD_SECONDS, -9)
        time.sleep(0.001)
    print(f"  {deaths} deaths in {time.monotonic() - start:.1f} s, {failed} otherwise than told")
    return failed, hangs


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of the built programs")
    parser.add_argument("--deaths", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--without-torch", action="store_true", help="only the deaths")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    parser.add_argument("--method", help=argparse.SUPPRESS)
    parser.add_argument("--socket", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.part:
        {"loaders": run_loaders, "doomed": run_doomed}[options.part](
            options.socket, options.method
        )
        return
    on_signals()
    with Daemon(binary_folder(options.bin), workers=0) as daemon:
        with daemon.start() as client:
            fill(client, {"cat": 24, "dog": 18, "yak": 12}, SIDE)
            delivery = client.stream(CATEGORIES, BATCH, SIDE).delivery
        plain(daemon.socket, EPOCHS)  # Threads and caches of the daemon are there from now on.
        base = Base(daemon)
        wrong = hangs = stayed = 0
        print(f"delivery {delivery}; base: {base.descriptors} descriptors, {base.memfds} memfds")
        left = [base.left()]
        methods = [] if options.without_torch else METHODS
        for title, check in (("DataLoaders", check_loaders), ("parents killed", None)):
            print(title, flush=True)
            for method in methods:
                if check is None:
                    stayed += check_killed_parent(daemon, method)
                else:
                    more = check(daemon, method)
                    wrong, hangs = wrong + more[0], hangs + more[1]
                left.append(base.left())
        print(f"deaths holding {', '.join(map(str, HELD))} batches", flush=True)
        failed, more_hangs = check_deaths(daemon, options.deaths, options.seed)
        left.append(base.left())
    most = [max(values) for values in zip(*left)]
    hangs += more_hangs
    finish(
        "show-forks",
        f"{wrong} wrong batches, {hangs} hangs, {stayed} workers left, {options.deaths} deaths "
        f"with {failed} failures; left: {most[0]} descriptors, {most[1]} memfds, "
        f"{most[2]} KiB Shmem",
        f"0 of each, Shmem within {SHMEM_SLACK_KIB} KiB",
        wrong == hangs == stayed == failed == most[0] == most[1] == 0
        and most[2] <= SHMEM_SLACK_KIB,
    )


if __name__ == "__main__":
    main()
