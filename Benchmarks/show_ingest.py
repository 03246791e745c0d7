"""Durable triplets a second, against plain appending and ``fdatasync`` of the same bytes in the same run.

Writers import triplets over the socket, one a call, each when the one before is durable; 64x64 and 512x512, one
writer and eight. The other side: as many threads append as many bytes as a triplet takes in the pack to one file
on the same disk, and wait for ``fdatasync`` each time. Both take turns, several rounds; the figure is the median
of the rounds' ratios.
"""

from __future__ import annotations

import argparse
import os
import statistics
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from faults.load import Importer, together
from harness import Daemon, binary_folder, finish, on_signals

SIDES = (64, 512)
WRITERS = (1, 8)
CATEGORIES = ["cat", "dog", "yak"]
BOUND, GOAL = 0.5, 0.8


@dataclass
class Store:
    """A daemon's side: how many triplets a second, and what each takes."""

    daemon: Daemon
    side: int
    next_item: int = 0
    importers: list[Importer] = field(default_factory=list)

    def connect(self) -> None:
        """Makes connections for as many writers as there may be."""
        self.daemon.start().close()
        self.importers = [
            Importer(self.daemon.socket, "show-ingest", self.side, seed=number, items=1)
            for number in range(max(WRITERS))
        ]

    def rate(self, writers: int, seconds: float) -> float:
        """Triplets a second that are durable."""
        counts = [0] * writers
        base, until = self.next_item, time.monotonic() + seconds

        def write(number: int) -> None:
            while time.monotonic() < until:
                item = base + counts[number] * writers + number
                self.importers[number].send(item, CATEGORIES)
                counts[number] += 1

        began = time.monotonic()
        together(writers, write)
        self.next_item = base + (max(counts) + 1) * writers
        return sum(counts) / (time.monotonic() - began)

    def bytes_each(self) -> int:
        """Bytes that a triplet takes in the pack."""
        used = sum(path.stat().st_size for path in (self.daemon.store / "packs").iterdir())
        return used // max(1, self.importers[0].stored())


class Raw:
    """A file that is appended to."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        self._lock = threading.Lock()
        self._end = 0

    def rate(self, writers: int, seconds: float, count: int) -> float:
        """Appends of ``count`` bytes a second, each waited for."""
        content, counts = os.urandom(count), [0] * writers
        until = time.monotonic() + seconds

        def write(number: int) -> None:
            while time.monotonic() < until:
                with self._lock:
                    at = self._end
                    self._end += count
                os.pwrite(self._descriptor, content, at)
                os.fdatasync(self._descriptor)
                counts[number] += 1

        began = time.monotonic()
        together(writers, write)
        return sum(counts) / (time.monotonic() - began)

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)


def main() -> None:
    """Takes turns and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0, help="of one side in one round")
    options = parser.parse_args()
    on_signals()
    began = time.monotonic()
    binaries = binary_folder(options.bin)
    figures: dict[tuple[int, int], tuple[float, float, float]] = {}
    for side in SIDES:
        with Daemon(binaries, workers=0) as daemon:
            store, raw = Store(daemon, side), Raw(daemon.folder / "raw")
            store.connect()
            store.rate(max(WRITERS), 1.0)
            count = store.bytes_each()
            for writers in WRITERS:
                ours, plain = [], []
                for _ in range(options.rounds):
                    ours.append(store.rate(writers, options.seconds))
                    plain.append(raw.rate(writers, options.seconds, count))
                ratio = statistics.median(mine / other for mine, other in zip(ours, plain))
                figures[side, writers] = (statistics.median(ours), statistics.median(plain), ratio)
                print(
                    f"{side}x{side}, {count} bytes, writers {writers}: "
                    f"{statistics.median(ours):.0f} triplets/s durable, "
                    f"{statistics.median(plain):.0f} appends/s, ratio {ratio:.2f}",
                    flush=True,
                )
            raw.close()
    worst = min(figures[side, max(WRITERS)][2] for side in SIDES)
    text = ", ".join(
        f"{side}x{side} with {writers}: {ours:.0f}/s of {plain:.0f}/s ({ratio:.2f})"
        for (side, writers), (ours, plain, ratio) in figures.items()
    )
    finish(
        "show-ingest",
        f"{text}; {time.monotonic() - began:.0f} s",
        f"ratio >= {BOUND} with {max(WRITERS)} writers, goal {GOAL}",
        worst >= BOUND,
    )


if __name__ == "__main__":
    main()
