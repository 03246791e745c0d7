"""Scenes from our own daemon: a store, a stream of balanced batches, and what captions say."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np

import groundwell

_START_SECONDS = 30.0
_STOP_SECONDS = 60.0
_FILL_SECONDS = 6 * 3600.0
#: Longest path of a Unix socket.
_MAXIMUM_SOCKET_BYTES = 107

_OPENING = "a photograph of "
_NUMBERS = ("two ", "three ", "four ")

#: Kinds of scenes, by position in a phase's ``shares``.
ONE_OBJECT, TWO_CATEGORIES, OTHER = 0, 1, 2


class DataServer:
    """A daemon on a store of its own, started and stopped by this program."""

    def __init__(self, binaries: Path, store: Path, workers: int) -> None:
        self._program = binaries / "groundwelld"
        if not self._program.is_file():
            raise FileNotFoundError(f"{self._program}: build it first: swift build -c release")
        self._store = store
        self._workers = workers
        self._socket = str(store.parent / f"{store.name}.sock")
        if len(os.fsencode(self._socket)) > _MAXIMUM_SOCKET_BYTES:
            raise ValueError(f"{self._socket}: longer than {_MAXIMUM_SOCKET_BYTES} bytes")
        self._process: Optional[subprocess.Popen] = None

    @property
    def socket(self) -> str:
        """Where it listens."""
        return self._socket

    def start(self) -> groundwell.Client:
        """Starts it and returns a client once it answers."""
        self._store.parent.mkdir(parents=True, exist_ok=True)
        command = [str(self._program), "--store", str(self._store), "--socket", self._socket]
        command += ["--workers", str(self._workers)]
        log_path = self._store.parent / f"{self._store.name}.log"
        with log_path.open("ab") as log:
            # A session of its own: Ctrl-C in a terminal stops training first, then the daemon.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + _START_SECONDS
        while True:
            try:
                return groundwell.connect(self._socket, timeout=120)
            except groundwell.GroundwellError as error:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise RuntimeError(f"groundwelld did not start, see {log_path}: {error}")
                time.sleep(0.02)

    def stop(self) -> None:
        """Ends the process; what it acknowledged is on the disk."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def drawable_categories(binaries: Path) -> list[str]:
    """The names that the scenes engine has drawings of, sorted."""
    command = [str(binaries / "groundwell-generator"), "categories", "--json"]
    answer = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    entries = answer["categories"] if isinstance(answer, dict) else answer
    return sorted(entry["category"] for entry in entries)


@dataclass(frozen=True)
class Scenes:
    """Scenes in memory; ``n`` of them, ``s`` pixels along a side."""

    #: ``uint8 [n, 3, s, s]``.
    image: np.ndarray
    #: ``uint16 [n, s, s]``: 0 background, 1 + position of the category, 65535 ignore.
    labels: np.ndarray
    #: ``int16 [n]``: position of the category that each was drawn for.
    category: np.ndarray
    #: ``uint8 [n]``: :data:`ONE_OBJECT`, :data:`TWO_CATEGORIES` or :data:`OTHER`.
    kind: np.ndarray
    prompts: list[str]

    def __len__(self) -> int:
        return len(self.prompts)


def kind_of(prompt: str, labels: np.ndarray) -> int:
    """What a scene shows, by its caption's numbers and the categories in its label map."""
    text = prompt.removeprefix(_OPENING)
    several = text.startswith(_NUMBERS) or any(
        f"{before}{number}" in text for number in _NUMBERS for before in (" and ", ", ")
    )
    shown = np.unique(labels)
    count = int(((shown > 0) & (shown < 65535)).sum())
    if several or count not in (1, 2):
        return OTHER
    if count == 1:
        return ONE_OBJECT
    return TWO_CATEGORIES


def scenes_of(batch: groundwell.Batch) -> Scenes:
    """A batch of the stream as training wants it."""
    kinds = [kind_of(prompt, labels) for prompt, labels in zip(batch.prompts, batch.labels)]
    return Scenes(
        image=np.ascontiguousarray(batch.image.transpose(0, 3, 1, 2)),
        labels=batch.labels.copy(),
        category=batch.category.astype(np.int16),
        kind=np.array(kinds, np.uint8),
        prompts=list(batch.prompts),
    )


class SceneSource:
    """The numbered batches of one stream: same store, snapshot, seed and number, same scenes."""

    def __init__(
        self,
        client: groundwell.Client,
        categories: list[str],
        batch_size: int,
        image_size: int,
        seed: int,
        token: Optional[dict] = None,
        rank: int = 0,
        world: int = 1,
        weights: Optional[dict[str, float]] = None,
    ) -> None:
        resume = groundwell.ResumeToken(**token) if token else None
        drawn = {}
        if weights:
            drawn = {
                "policy": "weights",
                "weights": {name: weights.get(name, 1.0) for name in categories},
            }
        self._stream = client.stream(
            categories,
            batch_size=batch_size * world,
            image_size=image_size,
            seed=seed,
            resume=resume,
            rank=rank,
            world=world,
            **drawn,
        )
        if self._stream.names != categories:
            raise ValueError("the stream numbers the categories otherwise than they were given")

    @property
    def token(self) -> dict:
        """Five values that open the same stream anew; ``k`` is the beginning."""
        token = self._stream.token
        return {
            "store": token.store,
            "snapshot": token.snapshot,
            "policy": token.policy,
            "seed": token.seed,
            "k": 0,
        }

    def batch(self, number: int) -> Scenes:
        """Batch ``number`` of this rank."""
        return scenes_of(self._stream.get(number))


def fill(
    client: groundwell.Client, categories: list[str], stock: int, size: int, seed: int
) -> None:
    """Returns when the store has ``stock`` scenes of each category, in any company."""
    client.backfill(
        {name: stock for name in categories},
        image_size=size,
        seed=seed,
        wait=True,
        wait_timeout=_FILL_SECONDS,
    )


def held_out(
    binaries: Path, folder: Path, categories: list[str], count: int, size: int, seed: int,
    workers: int,
) -> Scenes:  # fmt: skip
    """``count`` scenes of each category from a store of their own; kept in a file once made."""
    path = folder / "held-out.npz"
    if path.is_file():
        saved = np.load(path)
        total = count * len(categories)
        if list(saved["categories"]) == categories and len(saved["kind"]) == total:
            prompts = [str(prompt) for prompt in saved["prompts"]]
            names = ("image", "labels", "category", "kind")
            return Scenes(**{name: saved[name] for name in names}, prompts=prompts)
    server = DataServer(binaries, folder / "held-out", workers)
    client = server.start()
    try:
        fill(client, categories, count, size, seed)
        source = SceneSource(client, categories, len(categories), size, seed)
        batches = [source.batch(number) for number in range(count)]
    finally:
        client.close()
        server.stop()
    scenes = concatenated(batches)
    arrays = {name: getattr(scenes, name) for name in ("image", "labels", "category", "kind")}
    partial = folder / "held-out.partial.npz"
    np.savez(partial, categories=categories, prompts=scenes.prompts, **arrays)
    partial.rename(path)
    return scenes


def concatenated(batches: list[Scenes]) -> Scenes:
    """All scenes of several batches."""
    names = ("image", "labels", "category", "kind")
    arrays = {name: np.concatenate([getattr(b, name) for b in batches]) for name in names}
    return Scenes(**arrays, prompts=[prompt for b in batches for prompt in b.prompts])
