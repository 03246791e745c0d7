"""The colour photographs that scikit-learn's and scikit-image's wheels ship, and pictures cut from them.

astronaut (NASA), chelsea (S. van der Walt), coffee (R. Michel), motorcycle (Middlebury stereo), rocket (SpaceX),
retina and Hubble deep field (NASA, ESA) come with scikit-image; china and flower with scikit-learn. All are in the
public domain or under free licences; rocket, retina, Hubble, china and flower were JPEGs once.
"""

import importlib.util
import pathlib

import numpy as np
from PIL import Image

PLACES = {
    "skimage": ["data/astronaut.png", "data/chelsea.png", "data/coffee.png", "data/motorcycle_left.png",
                "data/rocket.jpg", "data/retina.jpg", "data/hubble_deep_field.jpg"],
    "sklearn": ["datasets/images/china.jpg", "datasets/images/flower.jpg"],
}


def photographs():
    """All of them, by name, [height, width, 3] bytes."""
    found = {}
    for package, paths in PLACES.items():
        # Found without importing: the wheels are installed without what they depend on.
        folder = pathlib.Path(importlib.util.find_spec(package).origin).parent
        for path in paths:
            found[pathlib.Path(path).stem] = np.asarray(Image.open(folder / path).convert("RGB"))
    return found


def crop(photograph, height, width, random):
    """A random part, not resampled."""
    height, width = min(height, photograph.shape[0]), min(width, photograph.shape[1])
    top = random.integers(0, photograph.shape[0] - height + 1)
    left = random.integers(0, photograph.shape[1] - width + 1)
    return np.ascontiguousarray(photograph[top:top + height, left:left + width])


def resized_crop(photograph, side, random):
    """A random square part of at least 256 pixels (or the whole height), resampled to side x side."""
    short = min(photograph.shape[:2])
    part = crop(photograph, *2 * [int(random.integers(min(256, short), short + 1))], random)
    return np.asarray(Image.fromarray(part).resize((side, side), Image.BICUBIC))


def photo_like(photos, side, random):
    """Two resampled crops mixed, then a little noise: like a photograph, and unlike any other picture of the set."""
    one, other = (resized_crop(photos[i], side, random).astype(np.float32)
                  for i in random.integers(0, len(photos), 2))
    share = random.uniform(0.6, 1.0)
    noise = random.normal(0, random.uniform(0, 1.5), one.shape)
    return (one * share + other * (1 - share) + noise).round().clip(0, 255).astype(np.uint8)
