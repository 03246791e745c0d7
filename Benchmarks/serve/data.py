"""The data sets of show-serve: photo-like pictures with label maps, 20 categories with a long tail.

Kept as plain arrays (`images.npy` [n, s, s, 3], `labels.npy` [n, s, s], `category.npy` [n]), from which every
loader's store is made. A label map is 0 for background and 1 + category elsewhere, one byte a pixel.
"""

import pathlib
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import photographs  # noqa: E402

CATEGORIES = 20
SETS = {512: 1500, 64: 20000}
BATCH = {512: 32, 64: 256}


def blob(side, random):
    """A smooth shape somewhere in the picture, [side, side] of bool."""
    angles = np.arange(2, 6)
    waves, phases = random.normal(0, 0.12, 4), random.uniform(0, 6.283, 4)
    radius = random.uniform(0.12, 0.3) * side
    y, x = np.ogrid[:side, :side]
    y, x = y - random.uniform(0.25, 0.75) * side, x - random.uniform(0.25, 0.75) * side
    theta = np.arctan2(y, x)
    edge = 1 + sum(w * np.cos(a * theta + p) for a, w, p in zip(angles, waves, phases))
    return x * x + y * y < (radius * edge) ** 2


def categories(count, random):
    """The main category of every picture: shares fall as 1 / rank, and each has at least two."""
    shares = 1 / np.arange(1, CATEGORIES + 1)
    first = np.repeat(np.arange(CATEGORIES), 2)
    rest = random.choice(CATEGORIES, count - first.size, p=shares / shares.sum())
    return random.permutation(np.concatenate([first, rest])).astype(np.int64)


def make(folder, side, count):
    """Writes the arrays, unless they are there."""
    if (folder / "category.npy").exists():
        return
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng([17, side])
    photos = list(photographs.photographs().values())
    main = categories(count, random)
    images = np.lib.format.open_memmap(folder / "images.npy", "w+", np.uint8, (count, side, side, 3))
    labels = np.lib.format.open_memmap(folder / "labels.npy", "w+", np.uint8, (count, side, side))
    for index in range(count):
        images[index] = photographs.photo_like(photos, side, random)
        for other in random.choice(CATEGORIES, random.integers(0, 3)):
            labels[index][blob(side, random)] = 1 + other
        labels[index][blob(side, random)] = 1 + main[index]
        if index % 500 == 0:
            print(f"pictures of {side} pixels: {index} of {count}", file=sys.stderr, flush=True)
    images.flush()
    labels.flush()
    np.save(folder / "category.npy", main)


class Arrays:
    """The arrays of one data set, mapped."""

    def __init__(self, folder):
        self.images = np.load(folder / "images.npy", mmap_mode="r")
        self.labels = np.load(folder / "labels.npy", mmap_mode="r")
        self.category = np.load(folder / "category.npy")
        self.side = self.images.shape[1]

    def __len__(self):
        return len(self.category)

    def weights(self):
        """What makes every category equally likely."""
        return 1 / np.bincount(self.category)[self.category]


class BalancedOrder:
    """Balanced positions without an end, as a careful user would write them: categories in turn."""

    def __init__(self, category, seed):
        self.random = np.random.default_rng(seed)
        self.members = [np.flatnonzero(category == c) for c in range(CATEGORIES)]
        self.next = 0

    def take(self, count):
        chosen = [(self.next + i) % CATEGORIES for i in range(count)]
        self.next = (self.next + count) % CATEGORIES
        return np.array([self.random.choice(self.members[c]) for c in chosen])
