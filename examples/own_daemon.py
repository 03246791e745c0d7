"""A daemon on a temporary store, so that the examples run without any preparation."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Optional

import groundwell

START_SECONDS = 30.0
STOP_SECONDS = 30.0


@contextmanager
def daemon(socket: Optional[str]) -> Iterator[str]:
    """The socket of a daemon: the one given, or of one that is started here and ends with us."""
    if socket is not None:
        yield socket
        return
    program = shutil.which("groundwelld")
    if program is None:
        raise SystemExit(
            "no groundwelld on the PATH: run 'make examples', or give --socket of a daemon"
        )
    with tempfile.TemporaryDirectory(prefix="groundwell-example-") as folder:
        path = f"{folder}/sock"
        command = [program, "--store", f"{folder}/store", "--socket", path, "--workers", "1"]
        with Path(folder, "log").open("wb") as log:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            wait_for(path, process)
            yield path
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(path: str, process: subprocess.Popen[bytes]) -> None:
    """Returns when the daemon answers."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            groundwell.connect(path).close()
            return
        except groundwell.GroundwellError as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"groundwelld did not start: {error}") from None
        time.sleep(0.02)


class Scenes:
    """Scenes to train on, and others that were made later and are not among them."""

    def __init__(
        self, client: groundwell.Client, categories: list[str], train: int, held_out: int, size: int
    ) -> None:
        start = time.monotonic()
        client.backfill({c: train for c in categories}, image_size=size, seed=1, wait=True)
        counts = client.counts(categories=categories)
        #: What training sees; whatever comes later is not in it.
        self.snapshot = counts.snapshot
        last = client.query(descending=True, limit=1)[0].triplet
        more = {name: count.stock + held_out for name, count in counts.items()}
        client.backfill(more, image_size=size, seed=2, wait=True)
        #: ``image`` ``[n, s, s, 3]`` and ``labels`` ``[n, s, s]`` of the held-out scenes.
        self.held_out = newer_than(client, last, categories, size)
        stocks = ", ".join(f"{count.stock} of '{name}'" for name, count in counts.items())
        print(
            f"scenes to train on: {stocks}; held out: {len(self.held_out['image'])} "
            f"({time.monotonic() - start:.0f} s)",
            flush=True,
        )


def newer_than(
    client: groundwell.Client, last: int, categories: list[str], size: int
) -> dict[str, Any]:
    """Copies of the scenes with ids above ``last``, each once."""
    import numpy as np

    seen: set[int] = set()
    found: dict[str, list[Any]] = {"image": [], "labels": []}
    with client.stream(categories, 16, size, seed=3) as stream:
        for _ in range(len(stream)):
            batch = next(stream)
            for row, triplet in enumerate(batch.triplet.tolist()):
                if triplet > last and triplet not in seen:
                    seen.add(triplet)
                    for name, rows in found.items():
                        rows.append(batch.tensors[name][row].copy())
    return {name: np.stack(rows) for name, rows in found.items()}


def report(names: list[str], intersection: Any, union: Any) -> float:
    """Prints the intersection over union of each category; returns the mean."""
    ratios = [float(i) / max(1.0, float(u)) for i, u in zip(intersection, union)]
    for name, ratio in zip(["background", *names], ratios):
        print(f"  {name:<12} IoU {ratio:.3f}")
    mean = sum(ratios) / len(ratios)
    print(f"  {'mean':<12} IoU {mean:.3f}", flush=True)
    return mean
