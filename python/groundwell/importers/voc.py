"""PASCAL VOC: JPEG images with masks as palette PNGs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Optional

import numpy as np

from ..importing import ImportItem
from ..safetensors import Array
from .items import BrokenItem, BrokenSource, LoadedItem, MaskList, inside, picture

#: VOC's categories in plain English, in the order of their numbers.
NAMES = (
    "airplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow",
    "dining table", "dog", "horse", "motorcycle", "person", "potted plant", "sheep", "couch",
    "train", "tv",
)  # fmt: skip
IGNORED = 255


def objects(
    classes: Array, instances: Optional[Array], names: Sequence[str], masks: MaskList
) -> None:
    """Adds the masks of one image: one for each object, or for each category without objects."""
    if instances is not None and instances.shape != classes.shape:
        raise BrokenItem(
            f"the masks of categories and of objects differ in size: {classes.shape[::-1]} and "
            f"{instances.shape[::-1]}"
        )
    shown = [number for number in np.unique(classes).tolist() if number not in (0, IGNORED)]
    wrong = [number for number in shown if number > len(names)]
    if wrong:
        raise BrokenItem(f"the mask holds category {wrong[0]}; there are {len(names)}")
    if instances is None:
        for number in shown:
            masks.add(names[number - 1], classes == number)
        return
    for number in np.unique(instances).tolist():
        if number in (0, IGNORED):
            continue
        region = instances == number
        labels, counts = np.unique(classes[region], return_counts=True)
        label = int(labels[np.argmax(counts)])
        if label in (0, IGNORED):
            raise BrokenItem(f"object {number} has no category in the mask of categories")
        masks.add(names[label - 1], region)


class VOCSource:
    """The images of one list, or all that have a mask of categories."""

    def __init__(self, folder: str, list_name: Optional[str] = None) -> None:
        self.problems: list[str] = []
        self._folder = folder
        self._names: Sequence[str] = NAMES
        labels = os.path.join(folder, "labels.txt")
        if os.path.exists(labels):
            self._names = _lines(labels)[1:]
        if not os.path.isdir(os.path.join(folder, "SegmentationClass")):
            raise BrokenSource(f"{folder}: no VOC folder; it has no SegmentationClass")
        if list_name is None:
            found = os.listdir(os.path.join(folder, "SegmentationClass"))
            self._stems = sorted(name[:-4] for name in found if name.endswith(".png"))
        else:
            path = os.path.join(folder, "ImageSets", "Segmentation", f"{list_name}.txt")
            self._stems = [line.split()[0] for line in _lines(path) if line.strip()]
        if len(set(self._stems)) != len(self._stems):
            raise BrokenSource(f"{folder}: an image is in the list twice")

    def __len__(self) -> int:
        return len(self._stems)

    def __iter__(self) -> Iterator[LoadedItem]:
        for stem in self._stems:
            yield LoadedItem(stem, lambda stem=stem: self.load(stem))

    def load(self, stem: str) -> Optional[ImportItem]:
        """One item with its pixels."""
        inside(stem)
        image = None
        for suffix in (".jpg", ".jpeg", ".png"):
            path = os.path.join(self._folder, "JPEGImages", stem + suffix)
            if os.path.exists(path):
                image = picture(path, name=stem + suffix)
                break
        if image is None:
            raise BrokenItem(f"no image JPEGImages/{stem}.jpg")
        classes = self._indices("SegmentationClass", stem)
        path = os.path.join(self._folder, "SegmentationObject", stem + ".png")
        instances = self._indices("SegmentationObject", stem) if os.path.exists(path) else None
        masks = MaskList(*image.shape[:2])
        objects(classes, instances, self._names, masks)
        return masks.item(stem, "", image)

    def _indices(self, kind: str, stem: str) -> Array:
        name = f"{kind}/{stem}.png"
        return picture(os.path.join(self._folder, kind, stem + ".png"), mode=None, name=name)


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError as error:
        raise BrokenSource(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError:
        raise BrokenSource(f"{path}: no text in UTF-8") from None
