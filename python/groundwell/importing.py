"""The methods that bring triplets in from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from . import safetensors
from .calls import Calls
from .safetensors import Array
from .values import Mask, Submitted, from_wire, to_wire


@dataclass(frozen=True)
class ImportItem:
    """One triplet on its way into the store."""

    #: Its name within its source: same source, same name, same triplet.
    item: str
    prompt: str
    #: ``uint8 [height, width, 3]``.
    image: Array
    #: ``uint8 [masks, height, width]`` of 0 and 1, one for each of ``infos``.
    masks: Array
    infos: Sequence[Mask]

    @property
    def byte_count(self) -> int:
        """About how many bytes it takes on the way to the daemon."""
        return int(np.asarray(self.image).size + np.asarray(self.masks).size) + 1024


class ImportCalls(Calls):
    """Adding what was made elsewhere."""

    def import_triplets(self, source: str, items: Sequence[ImportItem]) -> list[Submitted]:
        """Adds triplets in one call; returns when all are durable.

        Either every item is well-formed or none is stored. An item that the store has already is
        not written again (``duplicate``), so a call may be repeated.
        """
        tensors: dict[str, Array] = {}
        for index, item in enumerate(items):
            tensors[f"image{index}"] = np.asarray(item.image, np.uint8)
            tensors[f"masks{index}"] = np.asarray(item.masks, np.uint8)
        described: list[dict[str, Any]] = [
            {
                "item": item.item,
                "prompt": item.prompt,
                "masks": [to_wire(info) for info in item.infos],
            }
            for item in items
        ]
        answer, _ = self._call(
            "triplet.import",
            {"source": source, "items": described},
            safetensors.encode(tensors),
            timeout=self.timeout + 300.0,
        )
        return [from_wire(Submitted, entry) for entry in answer["outcomes"]]

    def imported(self, source: str, items: Sequence[str]) -> dict[str, int]:
        """Which of these items the store has already, with their triplets; any number of items."""
        known: dict[str, int] = {}
        for start in range(0, len(items), 1000):
            answer = self.call(
                "triplet.imported", {"source": source, "items": list(items[start : start + 1000])}
            )
            known.update({entry["item"]: entry["triplet"] for entry in answer["known"]})
        return known
