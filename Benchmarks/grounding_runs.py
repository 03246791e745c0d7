"""Trainings and measurements of grounding modules, on a daemon of our own; shared by the show-programs."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Sequence

from harness import Daemon

#: Kinds of pictures, as ``evaluate protocol-1`` names them, in the order of the paper's table.
CELLS = ["one, seen", "one, unseen", "two, seen", "two, seen + unseen", "two, unseen"]
#: Of the training pictures; the held-out ones lie far from all seeds that a daemon hands out.
SEED = 7
_FILL_SECONDS = 6 * 3600.0


def say(text: str) -> None:
    """A line with the time, on standard error."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


class PictureStore:
    """A daemon whose store has scenes of every category of the stickers model."""

    def __init__(self, binaries: Path, folder: Path, model: Path, each: int, size: int = 64) -> None:
        self.binaries = binaries
        folder.mkdir(parents=True, exist_ok=True)
        # It stays, so that a second run finds its pictures.
        self._daemon = Daemon(binaries, workers=1, folder=folder.resolve())
        self.socket = self._daemon.socket
        self._categories = (model / "categories.txt").read_text("utf-8").split("\n")[:-1]
        self._each, self._size = each, size

    def __enter__(self) -> PictureStore:
        client = self._daemon.start()
        stock = {name: count.stock for name, count in client.counts().items()}
        missing = {n: self._each for n in self._categories if stock.get(n, 0) < self._each}
        if missing:
            say(f"makes pictures of {len(missing)} categories, {self._each} each")
            client.backfill(
                missing, image_size=self._size, seed=SEED, wait=True, wait_timeout=_FILL_SECONDS
            )
        client.close()
        return self

    def __exit__(self, *unused: Any) -> None:
        self._daemon.stop()


@dataclass(frozen=True)
class Run:
    """One training."""

    name: str
    split: str
    options: tuple[str, ...]


def train(
    store: PictureStore, model: Path, folder: Path, run: Run, threads: int = 1
) -> tuple[Path, float]:
    """The module of a run and the core-seconds that it took; goes on where an earlier call stopped."""
    out = folder / run.name
    done = out / "core-seconds"
    if done.is_file():
        return out / "module.safetensors", float(done.read_text())
    command = [
        str(store.binaries / "groundwell-generator"), "train", "--split", run.split,
        "--model", str(model), "--socket", store.socket, "--out", str(out),
        "--threads", str(threads), *run.options,
    ]  # fmt: skip
    if (out / "checkpoint.safetensors").is_file():
        command.append("--resume")
    out.mkdir(parents=True, exist_ok=True)
    say(f"trains {run.name}")
    with (out / "log.txt").open("ab") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
        _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{run.name}: training failed, see {out / 'log.txt'}")
    used = usage.ru_utime + usage.ru_stime
    done.write_text(f"{used:.1f}\n")
    return out / "module.safetensors", used


def train_all(
    store: PictureStore, model: Path, folder: Path, runs: Sequence[Run], parallel: int
) -> dict[str, tuple[Path, float]]:
    """All runs, some at a time."""
    with ThreadPoolExecutor(parallel) as pool:
        results = list(pool.map(lambda run: train(store, model, folder, run), runs))
    return {run.name: result for run, result in zip(runs, results)}


def evaluate(
    binaries: Path, model: Path, split: str, out: Path, options: Sequence[str], threads: int
) -> list[dict]:
    """The scores of ``evaluate protocol-1``; tables, charts and sheets lie in ``out``."""
    out.mkdir(parents=True, exist_ok=True)
    command = [
        str(binaries / "groundwell-generator"), "evaluate", "protocol-1", "--split", split,
        "--model", str(model), "--out", str(out), "--threads", str(threads), *options,
    ]  # fmt: skip
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if answer.returncode:
        sys.exit(f"evaluate protocol-1 --split {split} failed")
    return json.loads((out / "protocol-1.json").read_text())


def mean_of(scores: list[dict], method: str, cell: str) -> float:
    """The mean intersection over union of a method in a cell."""
    return next(s["mean"] for s in scores if s["method"] == method and s["cell"] == cell)


def core_seconds_of(command: Sequence[str]) -> float:
    """Core-seconds of a program that is run to its end."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
