"""What every importer gives: items by name, read one by one."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Callable, Optional, Protocol, Union

import numpy as np

from ..importing import ImportItem
from ..safetensors import Array
from ..values import Mask

MINIMUM_SIDE = 8
MAXIMUM_SIDE = 2048
MAXIMUM_MASKS = 256
MAXIMUM_FILE_BYTES = 64 << 20


class BrokenItem(Exception):
    """One item is broken; the others are not touched by it."""


class BrokenSource(Exception):
    """The whole data set cannot be read."""


@dataclass(frozen=True)
class LoadedItem:
    """One item that has not been read yet."""

    name: str
    #: Reads it; None when it has no mask. Raises :class:`BrokenItem`.
    load: Callable[[], Optional[ImportItem]]


class Source(Protocol):
    """A data set: its items in their order, and what is wrong with its index."""

    problems: list[str]

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[LoadedItem]: ...


@dataclass
class MaskList:
    """Gathers the masks of one image; empty ones are left out, instances are numbered."""

    height: int
    width: int
    masks: list[Array] = field(default_factory=list)
    infos: list[Mask] = field(default_factory=list)
    _used: set[tuple[str, int]] = field(default_factory=set)

    def add(
        self,
        category: str,
        mask: Array,
        *,
        instance: Optional[int] = None,
        source: str = "import",
        confidence: Optional[float] = None,
        visible_fraction: Optional[float] = None,
    ) -> None:
        if mask.shape != (self.height, self.width):
            raise BrokenItem(
                f"a mask of {mask.shape[1]}x{mask.shape[0]} pixels for an image of "
                f"{self.width}x{self.height}"
            )
        if not mask.any():
            return
        if len(self.masks) == MAXIMUM_MASKS:
            raise BrokenItem(f"more than {MAXIMUM_MASKS} masks of one image")
        category = category_name(category)
        if instance is None or instance < 0 or (category, instance) in self._used:
            instance = 0
            while (category, instance) in self._used:
                instance += 1
        self._used.add((category, instance))
        self.masks.append((mask != 0).astype(np.uint8))
        self.infos.append(Mask(category, instance, source, confidence, visible_fraction))

    def item(self, name: str, prompt: str, image: Array) -> Optional[ImportItem]:
        if not self.masks:
            return None
        if not is_text(prompt):
            raise BrokenItem("the prompt is no text")
        return ImportItem(name, prompt, image, np.stack(self.masks), self.infos)


def category_name(raw: str) -> str:
    """A category's name in the one form that the store knows; underscores become spaces."""
    text = unicodedata.normalize("NFC", raw.replace("_", " ").lower())
    text = " ".join(part for part in text.split(" ") if part)
    if not 1 <= len(text) <= 64 or not text[0].isalnum():
        raise BrokenItem(f"'{raw[:80]}' is no name of a category")
    odd = next((c for c in text if not (c.isalnum() or c in " -'.&" or c.isalpha())), None)
    if odd is not None and not unicodedata.category(odd).startswith("M"):
        raise BrokenItem(f"category name '{raw[:80]}' holds '{odd}', which no name may")
    return text


def picture(
    data: Union[str, bytes], *, mode: Optional[str] = "RGB", name: str = "the picture"
) -> Array:
    """Decodes a picture of any format that Pillow reads; its size is looked at before its pixels.

    With ``mode`` None the pixels stay as they are: palette numbers or gray.
    """
    from PIL import Image

    try:
        stream = io.BytesIO(data) if isinstance(data, bytes) else open(data, "rb")
    except OSError as error:
        raise BrokenItem(f"{name}: {error.strerror or error}") from None
    try:
        with stream, Image.open(stream, formats=("JPEG", "PNG")) as opened:
            check_size(opened.width, opened.height, name)
            if mode is not None:
                return np.asarray(opened.convert(mode), np.uint8)
            if opened.mode not in ("P", "L", "1"):
                raise BrokenItem(f"{name}: mode {opened.mode}; expected palette numbers or gray")
            return np.asarray(opened, np.uint8)
    except BrokenItem:
        raise
    except Image.DecompressionBombError as error:
        raise BrokenItem(f"{name}: {error}") from None
    except Exception as error:  # Pillow's decoders raise whatever they like.
        raise BrokenItem(f"{name}: cannot be decoded: {error}") from None


def check_size(width: int, height: int, name: str) -> None:
    if not (MINIMUM_SIDE <= width <= MAXIMUM_SIDE and MINIMUM_SIDE <= height <= MAXIMUM_SIDE):
        raise BrokenItem(
            f"{name}: {width}x{height} pixels; each side must be {MINIMUM_SIDE} to {MAXIMUM_SIDE}: "
            "resize it first"
        )


def is_text(text: str) -> bool:
    """Whether a text has an encoding at all: JSON lets halves of surrogate pairs through."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def inside(name: str) -> str:
    """A file name that stays inside its folder."""
    if not is_text(name):
        raise BrokenItem("the file name is no text")
    if not name or name.startswith("/") or "\0" in name or ".." in re.split(r"[/\\]", name):
        raise BrokenItem(f"the file name '{name[:80]}' is no path inside the folder of the images")
    return name
