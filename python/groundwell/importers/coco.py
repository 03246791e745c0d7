"""COCO folders: a file of instances and JPEG or PNG images."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from typing import Any, Optional

from ..importing import ImportItem
from .items import (
    BrokenItem,
    BrokenSource,
    LoadedItem,
    MaskList,
    category_name,
    check_size,
    inside,
    picture,
)
from .runs import decode_segmentation, is_number

MAXIMUM_FILE_BYTES = 2 << 30
_SOURCES = {"exact", "oracle", "grounding", "daam", "import"}


def read_json(path: str) -> Any:
    """A file of JSON, with one sentence for whatever is wrong with it."""
    try:
        if os.path.getsize(path) > MAXIMUM_FILE_BYTES:
            raise BrokenSource(f"{path}: more than {MAXIMUM_FILE_BYTES} bytes")
        with open(path, "rb") as file:
            return json.loads(file.read())
    except OSError as error:
        raise BrokenSource(f"{path}: {error.strerror or error}") from None
    except (ValueError, RecursionError) as error:
        raise BrokenSource(f"{path}: no JSON ({str(error)[:120]}); is the file cut off?") from None


def _entries(data: Any, kind: str, keys: dict[str, type], path: str) -> list[dict[str, Any]]:
    if not isinstance(data, dict) or not isinstance(data.get(kind), list):
        raise BrokenSource(f"{path}: no COCO file of instances; it has no list '{kind}'")
    for index, entry in enumerate(data[kind]):
        for key, form in keys.items():
            value = entry.get(key) if isinstance(entry, dict) else None
            if not isinstance(value, form) or isinstance(value, bool):
                raise BrokenSource(f"{path}: entry {index} of '{kind}' has no proper '{key}'")
    return list(data[kind])


class COCOSource:
    """Images in the order of their ids."""

    def __init__(
        self, data: Any, folder: str, path: str = "the file", *, captions: Any = None,
        crowd: str = "keep",
    ) -> None:  # fmt: skip
        self.problems: list[str] = []
        self._folder = folder
        self._captions = _captions(captions)
        self._categories: dict[int, str] = {}
        for entry in _entries(data, "categories", {"id": int, "name": str}, path):
            if entry["id"] in self._categories:
                raise BrokenSource(f"{path}: two categories have the id {entry['id']}")
            self._categories[entry["id"]] = entry["name"]
        images = self._unique(
            _entries(
                data, "images", {"id": int, "file_name": str, "width": int, "height": int}, path
            ),
            "image",
        )
        self._images = sorted(images.values(), key=lambda image: image["id"])
        names: set[str] = set()
        for image in list(self._images):
            if image["file_name"] in names:
                self.problems.append(
                    f"two images have the file '{image['file_name'][:80]}'; image {image['id']} "
                    "is left out"
                )
                self._images.remove(image)
            names.add(image["file_name"])
        self._annotations: dict[int, list[dict[str, Any]]] = {}
        keys = {"id": int, "image_id": int, "category_id": int}
        annotations = self._unique(_entries(data, "annotations", keys, path), "annotation")
        for entry in annotations.values():
            if entry["image_id"] not in images:
                self.problems.append(
                    f"annotation {entry['id']} is of image {entry['image_id']}, "
                    "which the file does not have"
                )
            elif crowd == "keep" or not entry.get("iscrowd"):
                self._annotations.setdefault(entry["image_id"], []).append(entry)

    def _unique(self, entries: list[dict[str, Any]], what: str) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for entry in entries:
            if entry["id"] in found:
                self.problems.append(f"{what} {entry['id']} is there twice; the second is left out")
            else:
                found[entry["id"]] = entry
        return found

    def __len__(self) -> int:
        return len(self._images)

    def __iter__(self) -> Iterator[LoadedItem]:
        for image in self._images:
            yield LoadedItem(image["file_name"], lambda image=image: self.load(image))

    def masks(self, image: dict[str, Any]) -> MaskList:
        """The masks of one image."""
        masks = MaskList(image["height"], image["width"])
        entries = self._annotations.get(image["id"], [])
        if entries:
            check_size(image["width"], image["height"], f"image {image['id']}")
        for entry in entries:
            try:
                if entry["category_id"] not in self._categories:
                    raise BrokenItem(
                        f"category {entry['category_id']}, which the file does not have"
                    )
                category = category_name(self._categories[entry["category_id"]])
                mask = decode_segmentation(
                    entry.get("segmentation"), image["height"], image["width"]
                )
                source = entry.get("source")
                instance = entry.get("instance")
                masks.add(
                    category,
                    mask,
                    instance=instance if isinstance(instance, int) else None,
                    source=source if source in _SOURCES else "import",
                    confidence=_share(entry, "confidence"),
                    visible_fraction=_share(entry, "visible_fraction"),
                )
            except BrokenItem as error:
                raise BrokenItem(f"annotation {entry['id']}: {error}") from None
        return masks

    def load(self, image: dict[str, Any]) -> Optional[ImportItem]:
        """One item with its pixels."""
        masks = self.masks(image)
        if not masks.masks:
            return None
        name = inside(image["file_name"])
        pixels = picture(os.path.join(self._folder, name), name=name)
        if pixels.shape[:2] != (image["height"], image["width"]):
            raise BrokenItem(
                f"the picture is {pixels.shape[1]}x{pixels.shape[0]}, the file of annotations says "
                f"{image['width']}x{image['height']}"
            )
        prompt = image.get("prompt")
        text = self._captions.get(image["id"], prompt if isinstance(prompt, str) else "")
        return masks.item(image["file_name"], text, pixels)


def _share(entry: dict[str, Any], key: str) -> Optional[float]:
    value = entry.get(key)
    return float(value) if is_number(value) else None


def _captions(data: Any) -> dict[int, str]:
    first: dict[int, tuple[int, str]] = {}
    if data is None:
        return {}
    keys = {"id": int, "image_id": int, "caption": str}
    for entry in _entries(data, "annotations", keys, "the captions"):
        known = first.get(entry["image_id"])
        if known is None or entry["id"] < known[0]:
            first[entry["image_id"]] = (entry["id"], " ".join(entry["caption"].split()))
    return {image: text for image, (_, text) in first.items()}
