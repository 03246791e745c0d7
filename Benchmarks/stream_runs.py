"""What show_limit and show_fairness share: a store of picture-like triplets, and a reader that counts bytes."""

import time

import numpy as np

from harness import OWN_ENGINE

from groundwell import Mask, Provenance

CATEGORIES = {"cat": 1, "dog": 1, "bird": 1, "car": 1}


def picture(side, random):
    """Soft patches with a little noise: compresses about as a photograph does."""
    coarse = random.integers(0, 256, (side // 16 + 2, side // 16 + 2, 3)).astype(np.float32)
    rows = np.linspace(0, coarse.shape[0] - 1.001, side)
    base, part = rows.astype(int), (rows % 1).astype(np.float32)
    tall = coarse[base] * (1 - part)[:, None, None] + coarse[base + 1] * part[:, None, None]
    wide = tall[:, base] * (1 - part)[None, :, None] + tall[:, base + 1] * part[None, :, None]
    return np.clip(wide + random.normal(0, 4, wide.shape), 0, 255).astype(np.uint8)


def mask(side, random):
    """A disc."""
    y, x = np.ogrid[:side, :side]
    top, left = random.uniform(0.3, 0.7, 2) * side
    return ((y - top) ** 2 + (x - left) ** 2 < (0.25 * side) ** 2).astype(np.uint8)[None]


def fill(client, side, count):
    """Brings every category to `count` triplets of that size."""
    targets = {name: count for name in CATEGORIES}
    client.backfill(targets, engine=OWN_ENGINE, image_size=side, companions=False)
    while items := client.lease("bench", [OWN_ENGINE], 64):
        for item in items:
            random = np.random.default_rng([item.seed, item.job, item.ordinal])
            client.submit(
                item, picture(side, random), mask(side, random), [Mask(item.category, 0, "exact")],
                prompt=f"a photograph of a {item.category}",
                provenance=Provenance(item.engine, item.seed, "bench", time.time_ns() // 1000))


def body_bytes(batch, names):
    """Bytes of a batch's tensors."""
    return sum(getattr(batch, name).nbytes for name in names)


def read(stream, seconds, names, touch=True):
    """Takes batches for a while; returns bytes and batches per second."""
    batches, total, start = 0, 0, time.perf_counter()
    while True:
        batch = next(stream)
        if touch:  # One byte of every page: what a copy to a device would fault in.
            for name in names:
                getattr(batch, name).reshape(-1).view(np.uint8)[::4096].max()
        batches, total = batches + 1, total + body_bytes(batch, names)
        del batch
        passed = time.perf_counter() - start
        if passed >= seconds:
            return total / passed, batches / passed
