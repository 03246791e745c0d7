"""Scenes held in memory, refreshed by whole batches of the stream in a fixed order."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Optional

import torch
from torch import Tensor

from .data import SceneSource, Scenes

Encoder = Callable[[Scenes], dict[str, Tensor]]


class Pool:
    """A ring of encoded batches.

    Batch ``n`` of the stream lies in slot ``n % batches``, and the ring holds the ``batches``
    before the frontier. Its content is a function of the stream and the frontier alone: that is
    what makes a resumed run the same as one that was not interrupted.
    """

    def __init__(self, source: SceneSource, batches: int, batch_size: int, encode: Encoder) -> None:
        self.frontier = 0
        self.tensors: dict[str, Tensor] = {}
        self._source, self._encode = source, encode
        self._batches, self._batch_size = batches, batch_size
        self._reader = ThreadPoolExecutor(1)
        self._next: Optional[tuple[int, Future[Scenes]]] = None

    def __len__(self) -> int:
        return self._batches * self._batch_size

    def fill(self, frontier: int = 0) -> None:
        """Loads what the pool holds at ``frontier``; a new one begins with its first batches."""
        frontier = max(frontier, self._batches)
        for number in range(frontier - self._batches, frontier):
            self._put(number)
        self.frontier = frontier

    def advance(self) -> None:
        """Replaces the oldest batch by the next of the stream."""
        self._put(self.frontier)
        self.frontier += 1

    def close(self) -> None:
        """Waits for the batch that is being read."""
        self._reader.shutdown(wait=True, cancel_futures=True)

    def _put(self, number: int) -> None:
        if self._next is not None and self._next[0] == number:
            scenes = self._next[1].result()
        else:
            scenes = self._source.batch(number)
        self._next = (number + 1, self._reader.submit(self._source.batch, number + 1))
        if len(scenes) != self._batch_size:
            raise ValueError(f"batch {number} has {len(scenes)} scenes, not {self._batch_size}")
        encoded = self._encode(scenes)
        start = number % self._batches * self._batch_size
        for name, values in encoded.items():
            if name not in self.tensors:
                shape = (len(self), *values.shape[1:])
                self.tensors[name] = torch.zeros(shape, dtype=values.dtype, device=values.device)
            self.tensors[name][start : start + self._batch_size] = values
