"""Which epoch a DataLoader is in: agreed on by workers that only share a few bytes.

A DataLoader does not tell its dataset that a new epoch begins, and workers that are not
persistent are new processes every time. So the epochs that workers have begun are written into
memory that all of them share: one number a worker, each written in one piece, and no locks, since a
worker may be killed at any moment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Optional

import torch

from .errors import GroundwellError

MAXIMUM_WORKERS = 512
_FLOOR, _RESUME, _ROWS = 0, 1, 2
_EPOCH_BITS = 32
_MIX = 0x9E3779B97F4A7C15


@dataclass
class Span:
    """What is left of an epoch for one worker: ``next``, ``next + workers`` ... below ``stop``."""

    epoch: int
    next: int
    stop: int
    worker: int = 0
    workers: int = 1
    #: Tells the iterations of workers that belong together from all others; 0 without workers.
    tag: int = 0
    is_begun: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether the epoch has no batch left for this worker."""
        return self.next >= self.stop

    def ahead(self, depth: int) -> range:
        """The batches that come after the next one."""
        if self.workers == 1:
            return range(self.next + 1, self.next + 1 + depth)
        return range(self.next + self.workers, self.stop, self.workers)[:depth]

    def state(self) -> dict[str, int]:
        """What :meth:`from_state` needs."""
        return {
            "epoch": self.epoch, "next": self.next, "stop": self.stop, "worker": self.worker,
            "workers": self.workers,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: Any) -> Span:
        """Reads what :meth:`state` gave."""
        try:
            names = ("epoch", "next", "stop", "worker", "workers")
            values = {name: int(state[name]) for name in names}
            return cls(**values, tag=0, is_begun=False)
        except (KeyError, TypeError, ValueError) as error:
            raise GroundwellError("invalid_params", f"no state of a dataset: {error}") from None


class EpochBoard:
    """Where the workers of one dataset write which epoch they have begun."""

    def __init__(self, epoch_batches: int, start: int) -> None:
        self._length = epoch_batches
        self._board = torch.zeros(_ROWS + MAXIMUM_WORKERS, dtype=torch.int64)
        self._board.share_memory_()  # type: ignore[no-untyped-call]
        self.begin_at(start)

    @property
    def has_begun(self) -> bool:
        """Whether anybody has read a batch since the beginning or :meth:`begin_at`."""
        return bool(self._board[_ROWS:].any())

    def begin_at(self, k: int) -> None:
        """The next epoch to begin is what is left of the one with batch ``k``."""
        self._board[_ROWS:] = 0
        self._board[_RESUME] = k
        self._board[_FLOOR] = k // self._length

    def begin_epoch(self, epoch: int) -> None:
        """The next epoch to begin is this one, whole."""
        self.begin_at(epoch * self._length)

    def next_span(self, worker: int, workers: int, base: Optional[int], iteration: int) -> Span:
        """What a worker reads next: the epoch that its fellows have begun, or the following one.

        ``base`` is what the DataLoader gave all workers of one start, and ``iteration`` counts
        how often these were asked to begin; the pair is the same for workers that belong together.
        """
        if worker >= MAXIMUM_WORKERS:
            raise GroundwellError("invalid_params", f"at most {MAXIMUM_WORKERS} workers")
        tag = 0 if base is None else _tag(base, iteration)
        rows = [(row >> _EPOCH_BITS, row & ((1 << _EPOCH_BITS) - 1)) for row in self._rows()]
        epoch = max(int(self._board[_FLOOR]), *(following for _, following in rows))
        if tag:
            # A DataLoader that is seeded alike every time gives the same base again: then this
            # worker's own row tells that the others' rows may be old, too.
            own = rows[worker][1] if rows[worker][0] == tag else 0
            fellows = [following for other, following in rows if other == tag and following > own]
            epoch = max(fellows) - 1 if fellows else epoch
        begin, stop = epoch * self._length, (epoch + 1) * self._length
        resume = int(self._board[_RESUME])
        begin = resume if begin <= resume < stop else begin
        return Span(epoch, begin + worker, stop, worker, workers, tag)

    def span_at(self, k: int) -> Span:
        """The epoch of batch ``k``, from ``k`` on, without workers."""
        epoch = k // self._length
        return Span(epoch, k, (epoch + 1) * self._length)

    def begin(self, span: Span) -> None:
        """Notes that a worker has begun an epoch."""
        span.is_begun = True
        self._board[_ROWS + span.worker] = span.tag << _EPOCH_BITS | (span.epoch + 1)

    def _rows(self) -> list[int]:
        rows: list[int] = self._board[_ROWS:].tolist()
        return rows


def _tag(base: int, iteration: int) -> int:
    mixed = ((base ^ iteration * _MIX) * _MIX) & ((1 << 64) - 1)
    return (mixed >> 34) | 1
