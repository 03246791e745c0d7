"""A stream as it is open on one connection: requests under way, and the slots they fill."""

from __future__ import annotations

import gc
import time
import weakref
from collections.abc import Sequence
from typing import Any, Optional

from . import process
from .batch import DEFAULT_TENSORS, Batch, check_shape
from .connection import Connection, OnProgress, Pending, result
from .errors import ConnectionLost, GroundwellError
from .frames import Frame
from .safetensors import Array
from .slots import SlotTable

#: The most batches that are asked for ahead; the daemon takes 64 requests of a connection.
MAXIMUM_AHEAD = 32
_DEFAULT_SLOTS = 4
#: A batch was given back but the daemon has not heard yet: asked again for this long.
_QUOTA_SECONDS = 2.0
_QUOTA_STEP_SECONDS = 0.02
_RETURN_STEP_SECONDS = 0.002


class Opening:
    """Reads batches by number and asks ahead; not for several threads at once."""

    def __init__(
        self,
        connection: Connection,
        answer: dict[str, Any],
        timeout: float,
        *,
        patience: float = 0.0,
        progress: Optional[OnProgress] = None,
    ) -> None:
        """``patience`` is how much longer a batch may take than other answers, in seconds."""
        self.connection = connection
        self.answer = answer
        self.number: int = answer["stream"]
        self.is_shared: bool = answer.get("delivery") == "memfd"
        self.slots: int = answer.get("slots") or _DEFAULT_SLOTS
        #: How long to wait for another thread to drop a batch when all slots are in use.
        self.hold_seconds = 0.0
        self._timeout = timeout
        self._patience = patience
        self._progress = progress
        self._table = SlotTable(connection, self.number, self.slots, timeout)
        self._pending: dict[int, Pending] = {}
        #: How many batches the daemon's quotas seem to allow; less than the slots if they are big.
        self._allowed = self.slots
        self._finalizer = weakref.finalize(
            self, _abandon, connection, self.number, self._pending, self._table
        )
        self._finalizer.atexit = False

    @property
    def default_ahead(self) -> int:
        """How many batches to ask ahead: what fits beside the one at hand; none without slots.

        Without slots the answers would lie in the socket, and a daemon closes a connection whose
        answers lie there for long.
        """
        return min(self.slots - 1, MAXIMUM_AHEAD) if self.is_shared else 0

    def batch(self, k: int, ahead: Sequence[int]) -> Batch:
        """Batch ``k``; those in ``ahead`` are asked for as well, as far as there is room."""
        self._table.flush(later=True)
        if ahead:
            for stale in [number for number in self._pending if number not in (k, *ahead)]:
                self._drop(stale)
        if k not in self._pending:
            self._make_room()
            self._ask(k)
        for later in ahead:
            if later not in self._pending and self._room_ahead(len(ahead)) > 0:
                self._ask(later)
        self.connection.push(timeout=self._timeout)
        self._table.asks_ahead = len(self._pending) > 1
        return self._receive(k)

    def close(self) -> None:
        """Closes the stream in the daemon; batches that are alive stay as they are."""
        self._finalizer.detach()
        self._table.close()
        for entry in self._pending.values():
            entry.abandon()
        self._pending.clear()
        if not self.connection.is_usable:
            return  # The daemon closes the streams of a connection that ends.
        try:
            params = {"stream": self.number}
            self.connection.call("stream.close", params, timeout=self._timeout)
        except ConnectionLost:
            pass

    def _ask(self, k: int) -> None:
        params = {"stream": self.number, "k": k}
        self._pending[k] = self.connection.ask("batch.get", params, timeout=self._timeout)

    def _answer(self, k: int) -> Frame:
        pending = self._pending[k]
        frame = self.connection.wait(
            pending, timeout=self._timeout + self._patience, progress=self._progress
        )
        del self._pending[k]
        return frame

    def _receive(self, k: int) -> Batch:
        deadline = time.monotonic() + _QUOTA_SECONDS
        pause = 0.0  # A refusal of what was asked ahead is of the past: at once again, first.
        while True:
            frame = self._answer(k)
            try:
                answer = result(frame, "batch.get")
                break
            except GroundwellError as error:
                frame.close()
                if error.word != "over_quota" or time.monotonic() > deadline:
                    raise
                self._allowed = max(1, self._table.lent + len(self._pending))
                if self._pending:  # What comes later may have the place that this one needs.
                    self._drop(max(self._pending))
                else:
                    time.sleep(pause)
                    pause = min(error.retry_after or _QUOTA_STEP_SECONDS, _QUOTA_SECONDS)
                self._table.flush()
                self._ask(k)
        batch = Batch.from_wire(answer, self._body(k, answer, frame))
        check_shape(
            batch,
            self.answer.get("tensors") or list(DEFAULT_TENSORS),
            self.answer["batch_size"],
            self.answer["image_size"],
            self.answer.get("layout"),
        )
        return batch

    def _body(self, k: int, answer: dict[str, Any], frame: Frame) -> Array:
        try:
            if answer.get("slot") is not None:
                return self._table.take(k, answer["slot"], frame.descriptors)
        finally:
            frame.close()
        # The bytes are this process's own now: the daemon need not keep a place for them.
        params = {"stream": self.number, "k": k}
        self.connection.tell("batch.done", params, timeout=self._timeout)
        return frame.body

    def _drop(self, k: int) -> None:
        """Waits for an answer that nobody wants any more and gives its slot back."""
        frame = self._answer(k)
        if "error" in frame.message:
            frame.close()
        else:
            self._body(k, result(frame, "batch.get"), frame)
        self._table.flush()

    def _room(self) -> int:
        return self.slots - self._table.lent - len(self._pending)

    def _room_ahead(self, ahead: int) -> int:
        if self.is_shared:
            return self._allowed - self._table.lent - len(self._pending)
        return 1 + ahead - len(self._pending)

    def _make_room(self) -> None:
        if not self.is_shared:
            return
        while self._pending and self._room() <= 0:
            self._drop(max(self._pending))
        if self._room() > 0:
            return
        gc.collect()  # Batches in reference cycles.
        deadline = time.monotonic() + self.hold_seconds
        while True:
            self._table.flush()
            if self._room() > 0:
                return
            if time.monotonic() >= deadline:
                break
            time.sleep(_RETURN_STEP_SECONDS)
        raise GroundwellError(
            "batches_held",
            f"{self._table.lent} batches of this stream are still in use and it has {self.slots} "
            "slots: drop older batches (and arrays and tensors made of them) before taking the "
            "next one, keep batch.copy() instead, or open the stream with more slots (slots=, at "
            "most 64)",
        )


def _abandon(
    connection: Connection, number: int, pending: dict[int, Pending], table: SlotTable
) -> None:
    """What a garbage-collected stream leaves to do; runs in any thread, so it waits for nothing."""
    if connection.process != process.number():
        return
    table.close()
    for entry in list(pending.values()):
        entry.abandon()
    pending.clear()
    if connection.is_usable:
        connection.try_tell("stream.close", {"stream": number})


def is_worth_retrying(error: GroundwellError) -> bool:
    """Whether the daemon may answer when it is asked again on a new connection."""
    return isinstance(error, ConnectionLost) or error.word == "stopping"
