"""A store of 1,000,000 triplets beside one of 1,000: as quick to ask, and quick to open.

Tiny triplets in 20 categories are imported over the socket, 64 a call, by two connections. The daemon is then
stopped and started again: the time until it answers, and its memory when it has served all that is asked below. Then,
in one run and turn by turn, the round trips of an empty call (``ping``) and of ``counts`` are measured on both
stores; the figure is the ratio of the medians. Last, the large store is killed and opened once more, as after a crash.

The stores lie in memory (``/dev/shm``) where there is room, as a million durable triplets cost a disk here many
minutes: what is measured is not the disk.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Optional

from faults.load import ITEMS, Importer, together
from harness import Daemon, binary_folder, finish, memory_bytes, on_signals
from wire import Wire

import groundwell

LARGE, SMALL = 1_000_000, 1_000
CATEGORIES = [f"category {number}" for number in range(20)]
SIDE = 8
WRITERS = 2
OPEN_SECONDS = 3.0
MEMORY_BYTES = 400_000_000
RATIO = 1.5
ROUND_TRIPS, WARM_UP = 2000, 50
#: Bytes that a store of this size takes, about.
BYTES_EACH = 2000


def build(daemon: Daemon, count: int) -> None:
    """Imports ``count`` triplets; those that are there already are not sent again."""
    daemon.start().close()
    began = time.monotonic()

    def write(number: int) -> None:
        importer = Importer(daemon.socket, "show-scale", SIDE, seed=number)
        for first in range(number * ITEMS, count, WRITERS * ITEMS):
            importer.send(first, CATEGORIES)
            if number == 0 and count > SMALL and first % (count // 20 // ITEMS * ITEMS or 1) == 0:
                print(f"{first} of {count} after {time.monotonic() - began:.0f} s", flush=True)
        importer.close()

    together(WRITERS, write)
    status = daemon.stop()
    if status != 0:
        raise RuntimeError(f"the daemon ended with status {status}")


def opening(daemon: Daemon, is_killed: bool = False) -> float:
    """Seconds until a daemon that was stopped, or killed, answers."""
    if is_killed:
        daemon.kill()
    began = time.monotonic()
    daemon.start().close()
    return time.monotonic() - began


def measure(wires: dict[int, Wire]) -> dict[tuple[int, str], float]:
    """Medians of the round trips in seconds, by store and method, taken in turn."""
    times: dict[tuple[int, str], list[float]] = {}
    for turn in range(ROUND_TRIPS + WARM_UP):
        for size, wire in wires.items():
            for method in ("ping", "counts"):
                seconds = wire.round_trip(method)
                if turn >= WARM_UP:
                    times.setdefault((size, method), []).append(seconds)
    return {what: statistics.median(found) for what, found in times.items()}


def use(socket: str, count: int) -> None:
    """Uses the store a little, so that its memory is that of a daemon at work."""
    with groundwell.connect(socket, timeout=120) as client:
        if client.counts().triplets < count:
            raise RuntimeError(f"{client.counts().triplets} triplets of {count}")
        for first in range(0, count, max(1, count // 200)):
            client.triplet(client.query(after=first, limit=1)[0].triplet)
    wire = Wire(socket)
    stream, _ = wire.call(
        "stream.open", categories=CATEGORIES, batch_size=32, seed=1, delivery="inline"
    )
    for k in range(200):
        wire.call("batch.get", stream=stream["stream"], k=k)
    wire.close()


def folder_with_room(needed: int) -> Optional[str]:
    """Memory where there is room for the stores; None for the usual place."""
    try:
        room = shutil.disk_usage("/dev/shm").free
    except OSError:
        return None
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) and room > 2 * needed else None


def main() -> None:
    """Builds, measures and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--count", type=int, default=LARGE, help="triplets of the large store")
    parser.add_argument("--keep", type=Path, help="folder of the large store, made when missing")
    options = parser.parse_args()
    on_signals()
    began = time.monotonic()
    binaries, count = binary_folder(options.bin), options.count
    tempfile.tempdir = folder_with_room(BYTES_EACH * count)
    print(f"the stores lie in {tempfile.gettempdir()}")
    with Daemon(binaries, workers=0) as large, Daemon(binaries, workers=0) as small:
        if options.keep is not None:
            large.store = options.keep.resolve()
        if not large.store.is_dir():
            build(large, count)
        build(small, SMALL)
        built = time.monotonic() - began
        seconds = opening(large)
        opening(small)
        use(large.socket, count)
        wires = {count: Wire(large.socket), SMALL: Wire(small.socket)}
        medians = measure(wires)
        process = large.process.pid if large.process else 0
        memory = memory_bytes(process, "VmHWM")
        after_kill = opening(large, is_killed=True)
        for wire in wires.values():
            wire.close()
    ratios = {
        size: medians[size, "counts"] / medians[size, "ping"] for size in (count, SMALL)
    }
    for (size, method), median in medians.items():
        print(f"{method} with {size} triplets: {1e6 * median:.0f} us")
    finish(
        "show-scale",
        f"{count} triplets open in {seconds:.2f} s (after a kill in {after_kill:.2f} s), "
        f"{memory / 1e6:.0f} MB at most; counts against an empty call {ratios[count]:.2f}, with "
        f"{SMALL} triplets {ratios[SMALL]:.2f}; built in {built:.0f} s",
        f"open < {OPEN_SECONDS:g} s, < {MEMORY_BYTES / 1e6:.0f} MB, ratio <= {RATIO} with both",
        max(seconds, after_kill) < OPEN_SECONDS
        and memory < MEMORY_BYTES
        and max(ratios.values()) <= RATIO,
    )


if __name__ == "__main__":
    main()
