"""The methods that look after the store: deleting, and giving space back."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional

from .calls import Calls
from .options import given
from .values import Compaction, Deletion, from_wire

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
