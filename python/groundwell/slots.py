"""Slots: the shared memory that batches are delivered in, and giving it back.

The daemon writes a batch into a memfd, the *slot*, and this process maps it once. A batch that is
handed out is a fresh array over the mapping; when the last view of that array is gone, a finalizer
notes it, and the daemon is told that it may use the slot again. Finalizers run in any thread
between any two steps of anything, so they only append to a deque and never wait for a lock.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import sys
import threading
import weakref
from collections import deque
from typing import Any, Optional

import numpy as np

from . import process
from .connection import Connection
from .errors import GroundwellError
from .safetensors import Array

# fcntl has the names from Python 3.8 on, but not in every build.
_GET_SEALS = getattr(fcntl, "F_GET_SEALS", 1034)
_SEAL_SHRINK = getattr(fcntl, "F_SEAL_SHRINK", 2)

#: Tables of this process; what a forked child shares with its parent is found here.
_tables: weakref.WeakSet[SlotTable] = weakref.WeakSet()
#: Forks that are under way right now, in any thread.
_forks_under_way = 0


class Lending:
    """One batch in one slot, from its arrival until the daemon knows that it is gone."""

    def __init__(self, table: SlotTable, k: int, slot: int) -> None:
        self.table = table
        self.k = k
        self.slot = slot
        #: A forked child sees the memory too, for as long as it likes.
        self.is_shared_with_child = _forks_under_way > 0


class SlotTable:
    """The slots of one stream on one connection, and which of them are lent out."""

    def __init__(self, connection: Connection, stream: int, count: int, timeout: float) -> None:
        self.count = count
        #: Whether the stream has requests under way besides the batch at hand.
        self.asks_ahead = False
        self._process = process.number()
        self._connection = connection
        self._stream = stream
        self._timeout = timeout
        self._mapped: dict[int, mmap.mmap] = {}
        self._lent: dict[int, Lending] = {}
        self._returned: deque[Lending] = deque()
        self._lock = threading.Lock()
        self._is_closed = False
        _tables.add(self)

    @property
    def lent(self) -> int:
        """Batches that the daemon must not overwrite, those in finalizers' hands included."""
        return len(self._lent)

    def take(self, k: int, place: dict[str, Any], descriptors: list[int]) -> Array:
        """The bytes of a batch that has arrived, lent until the last view of them is gone.

        Takes over the descriptor where the slot is new.
        """
        try:
            slot, capacity, used = place["slot"], place["capacity_bytes"], place["bytes"]
            is_new = bool(place["descriptor"])
        except (KeyError, TypeError):
            raise _bad(f"a slot is described as {place!r:.80}") from None
        if not all(isinstance(number, int) for number in (slot, capacity, used)):
            raise _bad(f"a slot is described as {place!r:.80}")
        if len(descriptors) != int(is_new):
            raise _bad(f"slot {slot} came with {len(descriptors)} descriptors")
        if is_new:
            self._mapped[slot] = _map(descriptors.pop(), capacity)
        mapping = self._mapped.get(slot)
        if mapping is None or not 0 < used <= len(mapping):
            raise _bad(f"{used} bytes in slot {slot}, which is not that large or not known")
        array = np.frombuffer(mapping, np.uint8, count=used)
        lending = Lending(self, k, slot)
        with self._lock:
            self._lent[slot] = lending
        weakref.finalize(array, _give_back, lending).atexit = False
        return array

    def flush(self, *, later: bool = False) -> None:
        """Tells the daemon which batches are gone; with the next request if ``later``."""
        with self._lock:
            while self._returned:
                lending = self._returned[0]
                if later:
                    self._connection.tell_later("batch.done", self._done(lending))
                else:
                    self._connection.tell("batch.done", self._done(lending), timeout=self._timeout)
                self._settle(lending)

    def try_flush(self) -> None:
        """:meth:`flush` as far as nothing has to be waited for."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            while self._returned and not self._is_closed:
                lending = self._returned[0]
                if not self._connection.try_tell("batch.done", self._done(lending)):
                    return
                self._settle(lending)
        finally:
            self._lock.release()

    def give_back(self, lending: Lending) -> None:
        """Notes that a batch is gone; called by its finalizer.

        The daemon hears of it at once, or with the next request of a stream that asks ahead:
        until that one nothing would be written there anyway.
        """
        if self._process != process.number() or self._is_closed or not self._connection.is_usable:
            return  # The parent's to tell, or the daemon has dropped the slots long ago.
        self._returned.append(lending)
        if not self.asks_ahead:
            self.try_flush()

    def close(self) -> None:
        """The stream ends: batches that are alive keep their memory, and nobody is told."""
        self._is_closed = True
        self._returned.clear()
        self._mapped.clear()

    def mark_shared(self) -> None:
        """A fork is near: the child will see the batches that are alive now."""
        for lending in list(self._lent.values()):
            lending.is_shared_with_child = True

    def leave(self) -> None:
        """Drops a table of the parent process; batches that are alive keep their memory."""
        self._mapped.clear()
        self._returned.clear()

    def _done(self, lending: Lending) -> dict[str, Any]:
        params: dict[str, Any] = {"stream": self._stream, "k": lending.k, "slot": lending.slot}
        if lending.is_shared_with_child:
            params["discard"] = True
        return params

    def _settle(self, lending: Lending) -> None:
        self._returned.popleft()
        if self._lent.get(lending.slot) is not lending:
            return  # The daemon has been fast: the slot holds the next batch already.
        del self._lent[lending.slot]
        if lending.is_shared_with_child:
            self._mapped.pop(lending.slot, None)


def _give_back(lending: Lending) -> None:
    lending.table.give_back(lending)


def _map(descriptor: int, capacity: int) -> mmap.mmap:
    """Maps a memfd for reading and writing, and closes the descriptor."""
    try:
        # Unsealed, the file could be shortened, and touching it would end this process.
        if not fcntl.fcntl(descriptor, _GET_SEALS) & _SEAL_SHRINK:
            raise _bad("a slot that is not sealed against shrinking")
        size = os.fstat(descriptor).st_size
        if not 0 < capacity <= size:
            raise _bad(f"a slot of {size} bytes that should have {capacity}")
        options: dict[str, Any] = {"trackfd": False} if sys.version_info >= (3, 13) else {}
        return mmap.mmap(
            descriptor, capacity, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE, **options
        )
    except OSError as error:
        raise GroundwellError(
            "no_shared_memory",
            f"a batch in shared memory cannot be mapped ({error}); open the stream with "
            "delivery='inline'",
        ) from None
    finally:
        os.close(descriptor)


def _bad(message: str) -> GroundwellError:
    return GroundwellError("bad_answer", message)


def _before_fork() -> None:
    global _forks_under_way
    _forks_under_way += 1
    for table in list(_tables):
        table.mark_shared()


def _after_fork_in_parent() -> None:
    global _forks_under_way
    _forks_under_way -= 1


def _after_fork_in_child() -> None:
    global _forks_under_way
    _forks_under_way = 0
    for table in list(_tables):
        table.leave()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)
