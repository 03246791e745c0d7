"""WebDataset shards as ``groundwell export webdataset`` writes them."""

from __future__ import annotations

import glob
import json
import os
import tarfile
from collections.abc import Iterator
from typing import Any, Optional

from ..importing import ImportItem
from .items import MAXIMUM_FILE_BYTES, MAXIMUM_MASKS, BrokenItem, BrokenSource, LoadedItem
from .records import item_of

MAXIMUM_MEMBERS = MAXIMUM_MASKS + 8


class WebDatasetSource:
    """The samples of all shards, in the order of their names."""

    def __init__(self, pattern: str) -> None:
        self.problems: list[str] = []
        paths = sorted(glob.glob(pattern)) if not os.path.isdir(pattern) else sorted(
            os.path.join(pattern, name) for name in os.listdir(pattern) if name.endswith(".tar")
        )  # fmt: skip
        if not paths:
            raise BrokenSource(f"{pattern}: no shards")
        self._samples: list[tuple[str, str, dict[str, tuple[int, int]]]] = []
        keys: set[str] = set()
        for path in paths:
            for key, members in _samples(path):
                if key in keys:
                    raise BrokenSource(f"{path}: the sample '{key[:80]}' is there twice")
                keys.add(key)
                self._samples.append((path, key, members))

    def __len__(self) -> int:
        return len(self._samples)

    def __iter__(self) -> Iterator[LoadedItem]:
        for path, key, members in self._samples:
            yield LoadedItem(key, lambda p=path, k=key, m=members: self._load(p, k, m))

    def _load(
        self, path: str, key: str, members: dict[str, tuple[int, int]]
    ) -> Optional[ImportItem]:
        with open(path, "rb") as file:

            def read(name: str) -> bytes:
                if name not in members:
                    raise BrokenItem(f"no file '{key}.{name}' in {os.path.basename(path)}")
                offset, size = members[name]
                file.seek(offset)
                return file.read(size)

            return sample(key, read)


def sample(key: str, read: Any) -> Optional[ImportItem]:
    """One item from the files of a sample, which ``read`` gives by their extension."""
    try:
        facts = json.loads(read("json"))
    except (ValueError, RecursionError):
        raise BrokenItem("its json is no JSON") from None
    count = len(facts["masks"]) if isinstance(facts, dict) and _has_list(facts, "masks") else 0
    if count > MAXIMUM_MASKS:
        raise BrokenItem(f"{count} masks; at most {MAXIMUM_MASKS}")
    return item_of(key, facts, read("image.png"), [read(f"mask{i:03}.png") for i in range(count)])


def _has_list(facts: dict[str, Any], key: str) -> bool:
    return isinstance(facts.get(key), list)


def _samples(path: str) -> list[tuple[str, dict[str, tuple[int, int]]]]:
    found: dict[str, dict[str, tuple[int, int]]] = {}
    size = os.path.getsize(path)
    try:
        with tarfile.open(path, "r:") as shard:
            while True:
                member = shard.next()
                if member is None:
                    break
                if not member.isfile():
                    continue
                key, _, extension = os.path.basename(member.name).partition(".")
                if member.size > MAXIMUM_FILE_BYTES:
                    raise BrokenSource(f"{path}: '{member.name[:80]}' has {member.size} bytes")
                if member.offset_data + member.size > size:
                    raise BrokenSource(f"{path}: ends inside '{member.name[:80]}'; is it cut off?")
                members = found.setdefault(key, {})
                members[extension] = (member.offset_data, member.size)
                if len(members) > MAXIMUM_MEMBERS:
                    raise BrokenSource(f"{path}: sample '{key[:80]}' has too many files")
            end = shard.offset
    except (tarfile.TarError, OSError, EOFError, ValueError, OverflowError) as error:
        raise BrokenSource(f"{path}: no tar, or a broken one ({str(error)[:120]})") from None
    with open(path, "rb") as file:
        # Two blocks of zeros end every archive; without them the rest may be missing.
        file.seek(end)
        mark = file.read(1024)
    if len(mark) < 1024 or mark.strip(b"\0"):
        raise BrokenSource(f"{path}: ends without the mark of its end; is it cut off?")
    return list(found.items())
