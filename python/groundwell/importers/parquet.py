"""Parquet files as ``python -m groundwell.exporters parquet`` writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Optional

from ..importing import ImportItem
from .items import MAXIMUM_FILE_BYTES, BrokenItem, BrokenSource, LoadedItem
from .records import item_of

COLUMNS = ("triplet", "prompt", "image", "masks")


class ParquetSource:
    """The rows of one file."""

    def __init__(self, path: str) -> None:
        import pyarrow.parquet

        self.problems: list[str] = []
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
            names = self._file.schema_arrow.names
        except _broken() as error:
            raise BrokenSource(f"{path}: no Parquet, or cut off ({_first(error)})") from None
        missing = [name for name in COLUMNS if name not in names]
        if missing:
            raise BrokenSource(f"{path}: no column '{missing[0]}'; groundwell's exporter writes it")
        if not 0 <= self._file.metadata.num_rows < 1 << 40:
            raise BrokenSource(f"{path}: broken (it tells of {self._file.metadata.num_rows} rows)")
        self._path = path

    def __len__(self) -> int:
        return int(self._file.metadata.num_rows)

    def __iter__(self) -> Iterator[LoadedItem]:
        try:
            for batch in self._file.iter_batches(batch_size=16, columns=list(COLUMNS)):
                for row in batch.to_pylist():
                    name = f"{row['triplet']}"
                    yield LoadedItem(name, lambda row=row, name=name: row_item(name, row))
        except _broken() as error:
            raise BrokenSource(f"{self._path}: broken ({_first(error)})") from None


def _broken() -> tuple[type[Exception], ...]:
    """What pyarrow raises for files that are not what they should be: besides its own errors those
    of Python, such as for names that are not UTF-8."""
    import pyarrow

    return (pyarrow.ArrowException, OSError, ValueError, KeyError, MemoryError)


def _first(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]


def row_item(name: str, row: dict[str, Any]) -> Optional[ImportItem]:
    """One item from a row. Raises :class:`BrokenItem`."""
    image, masks = row.get("image"), row.get("masks")
    if not isinstance(image, dict) or not isinstance(image.get("bytes"), bytes):
        raise BrokenItem("its image has no bytes")
    if not isinstance(masks, list) or not all(
        isinstance(mask, dict) and isinstance(mask.get("png"), bytes) for mask in masks
    ):
        raise BrokenItem("its masks have no bytes")
    if len(image["bytes"]) > MAXIMUM_FILE_BYTES:
        raise BrokenItem(f"an image of {len(image['bytes'])} bytes")
    facts = {"prompt": row.get("prompt") or "", "masks": masks}
    return item_of(name, facts, image["bytes"], [mask["png"] for mask in masks])
