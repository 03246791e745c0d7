"""Imports as fast as one program can send: the pixels of a call are made once, only names change."""

from __future__ import annotations

import threading
from typing import Any, Callable, Sequence

import numpy as np
from wire import Wire

from groundwell import safetensors

#: Items of a call; the daemon's limit.
ITEMS = 64


class Importer:
    """Sends items of one size over one connection."""

    def __init__(self, path: str, source: str, side: int, seed: int = 0, items: int = ITEMS) -> None:
        self._wire = Wire(path)
        self._source, self._items = source, items
        random: Any = np.random.default_rng(seed)
        tensors = {}
        for index in range(items):
            # Smooth, with a little noise, as pictures are: about as compressible.
            image = random.integers(0, 256, (side // 8 + 1, side // 8 + 1, 3), dtype=np.uint8)
            image = image.repeat(8, 0).repeat(8, 1)[:side, :side]
            image = image ^ random.integers(0, 8, image.shape, dtype=np.uint8)
            mask = np.zeros((1, side, side), np.uint8)
            mask[0, side // 4 : side // 2 + 1, side // 4 : side // 2 + 1] = 1
            tensors[f"image{index}"] = np.ascontiguousarray(image)
            tensors[f"masks{index}"] = mask
        self._body = safetensors.encode(tensors)

    def send(self, first: int, categories: Sequence[str]) -> list[int]:
        """Imports the items numbered from ``first`` on; returns their ids when they are durable."""
        items = [
            {
                "item": f"{number}",
                "prompt": f"a thing, number {number}",
                "masks": [
                    {
                        "category": categories[number % len(categories)],
                        "instance": 0,
                        "source": "import",
                    }
                ],
            }
            for number in range(first, first + self._items)
        ]
        answer, _ = self._wire.call_with(
            "triplet.import", self._body, source=self._source, items=items
        )
        return [outcome["triplet"] for outcome in answer["outcomes"]]

    def stored(self) -> int:
        """Triplets that the store has."""
        return int(self._wire.call("counts")[0]["triplets"])

    def close(self) -> None:
        """Ends the connection."""
        self._wire.close()


def together(count: int, work: Callable[[int], None]) -> None:
    """Runs ``work(0)`` to ``work(count - 1)`` at the same time; raises the first failure."""
    failed: list[BaseException] = []

    def run(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(number,), daemon=True) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
