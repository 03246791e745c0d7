"""A stream of batches."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Optional, TypeVar

from . import process
from .batch import Batch
from .errors import GroundwellError
from .opening import MAXIMUM_AHEAD, Opening, is_worth_retrying
from .options import TOKEN_PARAMETERS
from .values import ResumeToken, StreamCategory, from_wire, to_wire

if TYPE_CHECKING:
    from .calls import ProgressCallback
    from .streaming import StreamCalls

_STATE_VERSION = 1
_FIRST_PAUSE_SECONDS = 0.02
_LONGEST_PAUSE_SECONDS = 1.0
#: Connections that break one after the other before a stream gives up.
_MAXIMUM_BREAKS = 3

Found = TypeVar("Found")


class Stream(Iterator[Batch]):
    """A reproducible sequence of batches without an end: ``for batch in stream: ...``.

    ``stream.get(k)`` reads any batch by its number and gives the same bytes every time;
    ``len(stream)`` is the number of batches in which every category is gone through at least
    once. A stream survives a restart of the daemon and a fork: it opens itself again at its own
    snapshot and goes on with the exact next batch, or refuses if that would not be the same.

    Batches are memory that the daemon uses again once nothing refers to it (see
    :class:`Batch`): keep few of them, or copies.
    """

    def __init__(
        self,
        client: StreamCalls,
        params: dict[str, Any],
        start: int,
        opened: Opening,
        *,
        prefetch: Optional[int] = None,
        reconnect_timeout: float = 30.0,
        progress: Optional[ProgressCallback] = None,
    ) -> None:
        """``params`` are those of ``stream.open``; :meth:`Client.stream` is the usual way here."""
        if prefetch is not None and not 0 <= prefetch <= MAXIMUM_AHEAD:
            raise GroundwellError(
                "invalid_params", f"prefetch is {prefetch!r}; expected 0 to {MAXIMUM_AHEAD}"
            )
        self._client = client
        self._params = params
        self._prefetch = prefetch
        self._reconnect_timeout = reconnect_timeout
        self._progress = progress
        self._process = process.number()
        self._lock = threading.Lock()
        #: How long to wait for other threads to drop batches before refusing the next one.
        self.hold_seconds = 0.0
        self._opening: Optional[Opening] = opened
        #: Continues the stream with the batch that the iterator would give next.
        self.token = replace(from_wire(ResumeToken, opened.answer["token"]), k=start)
        self._describe(opened.answer)

    def _describe(self, answer: dict[str, Any]) -> None:
        #: The categories, by label.
        self.categories = [from_wire(StreamCategory, entry) for entry in answer["categories"]]
        #: Triplets in a batch of this rank.
        self.batch_size: int = answer["batch_size"]
        #: Pixels along a side of the images.
        self.image_size: int = answer["image_size"]
        #: Batches until every category has been gone through at least once.
        self.epoch_batches: int = answer["epoch_batches"]
        #: Hash of all that decides what the stream draws.
        self.plan: str = answer["plan"]
        #: Triplets that a backfill made while the stream was opened, by category.
        self.filled: dict[str, int] = answer["filled"]
        #: The long-run share of the draws that each category gets.
        self.shares: list[float] = answer.get("shares") or []
        #: ``memfd`` or ``inline``, as granted.
        self.delivery: str = answer.get("delivery") or "inline"
        #: Batches that can be in use at a time (delivery ``memfd``).
        self.slots: Optional[int] = answer.get("slots")

    @property
    def snapshot(self) -> int:
        """The snapshot that the stream sees."""
        return self.token.snapshot

    @property
    def names(self) -> list[str]:
        """The names of the categories; ``batch.category`` holds positions in this list."""
        return [entry.category for entry in self.categories]

    @property
    def prefetch(self) -> int:
        """How many batches the iterator asks ahead."""
        if self._prefetch is not None:
            return self._prefetch
        return 0 if self._opening is None else self._opening.default_ahead

    def __len__(self) -> int:
        return self.epoch_batches

    def __next__(self) -> Batch:
        with self._alone():
            k = self.token.k
            batch = self._retrying(lambda: self._read(k, range(k + 1, k + 1 + self.prefetch)))
            self.token = batch.token
        return batch

    def get(self, k: int) -> Batch:
        """Batch ``k``, from 0. Does not move the iterator."""
        return self.read(k, ())

    def read(self, k: int, ahead: Sequence[int]) -> Batch:
        """Batch ``k``, while the daemon prepares those in ``ahead``; does not move the iterator."""
        with self._alone():
            return self._retrying(lambda: self._read(k, ahead))

    def seek(self, k: int) -> None:
        """Makes batch ``k`` the one that the iterator gives next."""
        if not isinstance(k, int) or k < 0:
            raise GroundwellError("invalid_params", f"batch {k!r}; expected 0 or more")
        with self._alone():
            self.token = replace(self.token, k=k)

    def state_dict(self) -> dict[str, Any]:
        """What :meth:`load_state_dict` needs to go on with the next batch: a few small values."""
        return {
            "version": _STATE_VERSION,
            "plan": self.plan,
            "token": to_wire(self.token),
            "rank": self._params.get("rank", 0),
            "world": self._params.get("world", 1),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where the stream that gave ``state`` stood, at that stream's snapshot.

        The state of one rank serves all, and another world size too. Raises ``plan_mismatch``
        where this stream was opened with other arguments than that one.
        """
        token, plan = token_of(state), state["plan"]
        ranks = {"rank": state.get("rank", 0), "world": state.get("world", 1)}
        with self._alone():
            if any(self._params.get(name) != value for name, value in ranks.items()):
                self._open_at(token, plan, ranks)[1].close()
                self._reopen(token, None)
            elif plan != self.plan or token.edges is not None:
                self._reopen(token, plan)
            self.token = token

    def close(self) -> None:
        """Closes the stream in the daemon; batches that are alive stay as they are."""
        with self._alone():
            opening, self._opening = self._opening, None
            if opening is not None and self._client.owns(opening.connection):
                opening.close()

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """One thread at a time; a forked child gets a lock of its own."""
        if self._process != process.number():
            self._lock = threading.Lock()  # The parent's may have been held when it forked.
            self._process = process.number()
        with self._lock:
            yield

    def _read(self, k: int, ahead: Sequence[int]) -> Batch:
        opening = self._ready()
        opening.hold_seconds = self.hold_seconds
        return opening.batch(k, ahead)

    def _retrying(self, attempt: Callable[[], Found]) -> Found:
        """Tries again while the daemon restarts; every request may be sent twice."""
        deadline = time.monotonic() + self._reconnect_timeout
        pause, breaks = _FIRST_PAUSE_SECONDS, 0
        while True:
            try:
                return attempt()
            except GroundwellError as error:
                is_away = error.word in ("not_running", "stopping")
                breaks += not is_away
                if not is_worth_retrying(error) or breaks >= _MAXIMUM_BREAKS:
                    raise
                if is_away:
                    if time.monotonic() + pause > deadline:
                        raise
                    time.sleep(pause)
                    pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    def _ready(self) -> Opening:
        """The stream on a live connection; opens it again where that has gone."""
        if self._opening is None:
            raise GroundwellError("stream_unknown", "the stream is closed")
        if not self._client.owns(self._opening.connection):
            try:
                self._reopen(self.token, self.plan)
            except GroundwellError as error:
                if error.word != "plan_mismatch":
                    raise
                raise GroundwellError(
                    "snapshot_gone", "the store would give other batches than before"
                ) from None
        return self._opening

    def _reopen(self, token: ResumeToken, plan: Optional[str]) -> None:
        old = self._opening
        self._params, self._opening = self._open_at(token, plan, {})
        self._describe(self._opening.answer)
        if old is not None and self._client.owns(old.connection):
            old.close()

    def _open_at(
        self, token: ResumeToken, plan: Optional[str], changes: dict[str, Any]
    ) -> tuple[dict[str, Any], Opening]:
        """Opens the stream once more where a token says, if that gives the plan."""
        if self._opening is None:
            raise GroundwellError("stream_unknown", "the stream is closed")
        values = {name: getattr(token, name) for name in TOKEN_PARAMETERS}
        values = {name: value for name, value in values.items() if value is not None}
        params = {**self._params, **values, **changes}
        opening = self._client.open_stream(params, self._progress)
        if plan is not None and opening.answer["plan"] != plan:
            opening.close()
            raise GroundwellError(
                "plan_mismatch",
                f"the state is of plan {plan}, this stream's arguments give plan "
                f"{opening.answer['plan']}: open it with the same categories, sizes, seed and "
                "policy as the stream that gave the state",
            )
        return params, opening


def token_of(state: Mapping[str, Any]) -> ResumeToken:
    """The token in what ``state_dict`` gave."""
    if state.get("version") != _STATE_VERSION or not isinstance(state.get("plan"), str):
        raise GroundwellError(
            "invalid_params", f"no state of a stream of version {_STATE_VERSION}: {state!r:.80}"
        )
    return from_wire(ResumeToken, state.get("token"))
