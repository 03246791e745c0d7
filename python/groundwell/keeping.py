"""The methods that look after the store: deleting, space, damage, backups."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Optional, Union

from .calls import Calls
from .options import given
from .values import BackupResult, Compaction, Deletion, Quarantined, Recount, Release, from_wire

_PAGE = 1000
_LONG_SECONDS = 3600.0


class KeepingCalls(Calls):
    """Looking after the store."""

    def delete(self, triplets: Iterable[int]) -> Deletion:
        """Deletes triplets, any number of them; returns when that is durable.

        Open streams keep seeing what they saw. Those that the store does not have, or no longer, are
        in ``missing``, so a call may be repeated. Up to 1000 go at once, more in several steps.
        """
        wanted = list(dict.fromkeys(int(triplet) for triplet in triplets))
        deleted, missing, snapshot = 0, [], 0
        for start in range(0, len(wanted), _PAGE):
            answer = self.call("triplet.delete", {"triplets": wanted[start : start + _PAGE]})
            deleted += answer["deleted"]
            missing += answer["missing"]
            snapshot = answer["snapshot"]
        return Deletion(deleted, missing, snapshot)

    def compact(
        self, dead_percent: Optional[int] = None, timeout: float = _LONG_SECONDS
    ) -> Compaction:
        """Gives the space of deleted triplets back, while everything else goes on."""
        answer, _ = self._call(
            "store.compact", given(dead_percent=dead_percent), timeout=timeout
        )
        return from_wire(Compaction, answer)

    def recount(self, timeout: float = _LONG_SECONDS) -> Recount:
        """Counts everything afresh and corrects what disagrees."""
        answer, _ = self._call("store.recount", {}, timeout=timeout)
        return from_wire(Recount, answer)

    def backup(
        self, directory: Union[str, os.PathLike[str]], timeout: float = _LONG_SECONDS
    ) -> BackupResult:
        """Copies the store into a new folder on the daemon's machine, while everything goes on.

        A relative path counts from this process's own folder. ``groundwelld --restore`` makes a store
        of it.
        """
        path = os.path.abspath(os.fspath(directory))
        answer, _ = self._call("store.backup", {"directory": path}, timeout=timeout)
        return from_wire(BackupResult, answer)

    def quarantined(self) -> list[Quarantined]:
        """All triplets that were set aside because their bytes or rows were found broken."""
        found: list[Quarantined] = []
        after: Optional[int] = None
        while True:
            answer = self.call("quarantine.list", given(after=after, limit=_PAGE))
            found += [from_wire(Quarantined, entry) for entry in answer["triplets"]]
            after = answer.get("next")
            if after is None or not answer["triplets"]:
                return found

    def release_quarantined(
        self, triplets: Iterable[int], timeout: float = _LONG_SECONDS
    ) -> Release:
        """Takes triplets back that were set aside and are whole again; each gets a new id."""
        wanted = list(dict.fromkeys(int(triplet) for triplet in triplets))
        released: dict[int, int] = {}
        damaged: dict[int, str] = {}
        missing: list[int] = []
        for start in range(0, len(wanted), _PAGE):
            answer, _ = self._call(
                "quarantine.release",
                {"triplets": wanted[start : start + _PAGE]},
                timeout=timeout,
            )
            released.update({entry["triplet"]: entry["became"] for entry in answer["released"]})
            damaged.update({entry["triplet"]: entry["reason"] for entry in answer["damaged"]})
            missing += answer["missing"]
        return Release(released, damaged, missing)
