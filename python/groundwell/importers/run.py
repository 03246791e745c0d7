"""Sends a data set to the daemon: what it has already is passed over, the rest goes in batches."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict, dataclass, field
from itertools import islice
from typing import Any, Optional, TextIO

from ..client import Client
from ..errors import GroundwellError
from ..importing import ImportItem
from .items import BrokenItem, BrokenSource, LoadedItem, Source, is_text

REQUEST_BYTES = 8 << 20
REQUEST_ITEMS = 64
MAXIMUM_REQUEST_BYTES = (64 << 20) - (1 << 20)
MAXIMUM_PROBLEMS = 100
_OF_ITEM = {"invalid_params", "bad_body", "category_invalid"}


@dataclass
class Summary:
    """What an import has done."""

    source: str
    #: Items of the data set that were looked at.
    items: int = 0
    #: Triplets that are new in the store.
    imported: int = 0
    #: Items that the store had already.
    known: int = 0
    #: Items without a mask, which no store takes.
    without_mask: int = 0
    #: Items that were broken and left out.
    broken: int = 0
    #: What was wrong, one sentence each, at most 100.
    problems: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.items} items: {self.imported} imported, {self.known} known already, "
            f"{self.without_mask} without a mask, {self.broken} broken."
        )


class Progress:
    """A line that moves on a terminal, one every five seconds elsewhere."""

    def __init__(self, total: int, out: TextIO) -> None:
        self.total = total
        self.out = out
        self.moving = out.isatty()
        self.start = self.shown = time.monotonic()

    def show(self, done: int, last: bool = False) -> None:
        now = time.monotonic()
        if not last and now - self.shown < (0.1 if self.moving else 5.0):
            return
        self.shown = now
        rate = done / (now - self.start) if now > self.start else 0.0
        part = f"{100 * done // self.total}%" if self.total else "100%"
        text = f"{done} of {self.total} done ({part}), {rate:.0f}/s"
        if self.moving:
            self.out.write(f"\r\x1b[K{text}" + ("\n" if last else ""))
        elif not last:
            self.out.write(text + "\n")
        self.out.flush()

    def note(self, text: str) -> None:
        clean = "".join(c if c.isprintable() else "\ufffd" for c in text)
        self.out.write(("\r\x1b[K" if self.moving else "") + f"groundwell: {clean}\n")


class Run:
    """One import under way."""

    def __init__(self, client: Client, source: str, on_error: str, progress: Progress) -> None:
        self.client = client
        self.summary = Summary(source)
        self.on_error = on_error
        self.progress = progress

    def problem(self, sentence: str) -> None:
        if self.on_error != "skip":
            raise BrokenItem(sentence + "; --on-error skip leaves such items out")
        self.summary.broken += 1
        if len(self.summary.problems) < MAXIMUM_PROBLEMS:
            self.summary.problems.append(sentence)
        self.progress.note("left out: " + sentence)

    def load(self, entry: LoadedItem) -> Optional[ImportItem]:
        try:
            item = entry.load()
            if item is not None and item.byte_count > MAXIMUM_REQUEST_BYTES:
                raise BrokenItem(f"{item.byte_count} bytes are too many for one request")
        except BrokenItem as error:
            self.problem(f"'{entry.name[:120]}': {error}")
            return None
        if item is None:
            self.summary.without_mask += 1
        return item

    def send(self, items: list[ImportItem]) -> None:
        if not items:
            return
        try:
            outcomes = self.client.import_triplets(self.summary.source, items)
        except GroundwellError as error:
            if error.word not in _OF_ITEM:
                raise
            if len(items) > 1:
                for item in items:
                    self.send([item])
            else:
                self.problem(f"'{items[0].item[:120]}': {error.message}")
            return
        for outcome in outcomes:
            if outcome.duplicate:
                self.summary.known += 1
            else:
                self.summary.imported += 1

    def take(self, entries: list[LoadedItem]) -> None:
        # A name that no store takes is reported when its item is sent.
        named = [entry.name for entry in entries if _is_askable(entry.name)]
        known = self.client.imported(self.summary.source, named) if named else {}
        batch: list[ImportItem] = []
        bytes_held = 0
        for entry in entries:
            self.summary.items += 1
            self.progress.show(self.summary.items - 1)
            if entry.name in known:
                self.summary.known += 1
                continue
            item = self.load(entry)
            if item is None:
                continue
            if batch and (
                bytes_held + item.byte_count > REQUEST_BYTES or len(batch) == REQUEST_ITEMS
            ):
                self.send(batch)
                batch, bytes_held = [], 0
            batch.append(item)
            bytes_held += item.byte_count
        self.send(batch)


def _is_askable(name: str) -> bool:
    return is_text(name) and "\0" not in name and 1 <= len(name.encode()) <= 1024


def run(
    client: Client,
    data: Source,
    source: str,
    *,
    on_error: str = "stop",
    limit: Optional[int] = None,
    out: Optional[TextIO] = None,
) -> Summary:
    """Imports a data set. Raises :class:`BrokenItem` for a broken item unless told to skip it."""
    total = min(len(data), limit) if limit is not None else len(data)
    work = Run(client, source, on_error, Progress(total, out or sys.stderr))
    for sentence in data.problems:
        work.problem(sentence)
    entries = islice(iter(data), limit)
    while True:
        page = list(islice(entries, 500))
        if not page:
            break
        work.take(page)
    work.progress.show(work.summary.items, last=True)
    return work.summary


__all__ = ["BrokenItem", "BrokenSource", "Progress", "Run", "Summary", "run"]
