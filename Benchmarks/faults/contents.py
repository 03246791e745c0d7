"""What a store serves, reduced to one hash per triplet, so that two looks at it can be compared."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
from harness import pixel_hash

from groundwell import Client, GroundwellError, ImportItem, Mask, Triplet

PAGE = 1000


def identity(found: Triplet) -> str:
    """A hash of everything that is served of a triplet: pixels, masks, prompt, provenance."""
    digest = hashlib.sha256(repr(found.info).encode())
    digest.update(pixel_hash(found.image, found.masks).encode())
    return digest.hexdigest()[:32]


def identities(client: Client, after: int = 0) -> dict[int, str]:
    """All triplets that the daemon lists and serves; ``"refused: ..."`` for one that it refuses."""
    found: dict[int, str] = {}
    while infos := client.query(after=after, limit=PAGE):
        after = infos[-1].triplet
        for info in infos:
            try:
                found[info.triplet] = identity(client.triplet(info.triplet))
            except GroundwellError as error:
                if error.word != "triplet_corrupt":
                    raise
                found[info.triplet] = f"refused: {error}"
    return found


def item(name: str, side: int, category: str, seed: int) -> ImportItem:
    """Noise with a box, decided by its seed."""
    random: Any = np.random.default_rng(seed)
    image = random.integers(0, 256, (side, side, 3), dtype=np.uint8)
    mask = np.zeros((1, side, side), np.uint8)
    top, left = (int(corner) for corner in random.integers(0, side - 1, 2))
    mask[0, top : top + side // 2, left : left + side // 2] = 1
    return ImportItem(name, f"noise {seed}", image, mask, [Mask(category, 0, "import")])
