"""A stream of batches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Any, Optional

from . import safetensors
from .connection import Connection
from .errors import ConnectionLost, GroundwellError
from .safetensors import Array
from .values import Batch, ResumeToken, StreamCategory, from_wire

if TYPE_CHECKING:
    from .client import Client

_TENSORS = ("image", "labels", "target", "category", "triplet", "probability")


class Stream(Iterator[Batch]):
    """A reproducible sequence of batches without an end: ``for batch in stream: ...``.

    ``stream.get(k)`` reads any batch by its number and gives the same bytes every time. A stream
    survives a restart of the daemon and a fork: it opens itself again at its own snapshot, and
    refuses to go on if that would not give the same batches.
    """

    def __init__(self, client: Client, params: dict[str, Any], start: int, opened: Any) -> None:
        connection, answer = opened
        self._client = client
        self._params = params
        self._connection: Optional[Connection] = connection
        self._number: int = answer["stream"]
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
        #: Continues the stream with the batch that the iterator would give next.
        self.token = replace(from_wire(ResumeToken, answer["token"]), k=start)

    @property
    def snapshot(self) -> int:
        """The snapshot that the stream sees."""
        return self.token.snapshot

    @property
    def names(self) -> list[str]:
        """The names of the categories; ``batch.category`` holds positions in this list."""
        return [entry.category for entry in self.categories]

    def __next__(self) -> Batch:
        batch = self.get(self.token.k)
        self.token = batch.token
        return batch

    def get(self, k: int) -> Batch:
        """Batch ``k``, from 0. Does not move the iterator."""
        for attempt in (0, 1):
            try:
                return self._get(k)
            except ConnectionLost:
                if attempt:
                    raise
        raise AssertionError("unreachable")

    def close(self) -> None:
        """Closes the stream in the daemon."""
        connection, self._connection = self._connection, None
        if connection is not None and self._client.owns(connection):
            try:
                self._client.call("stream.close", {"stream": self._number})
            except ConnectionLost:
                pass  # The daemon closes the streams of a connection that ends.

    def __enter__(self) -> Stream:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def _get(self, k: int) -> Batch:
        connection = self._ready()
        timeout = self._client.timeout
        answer, body = connection.call(
            "batch.get", {"stream": self._number, "k": k}, timeout=timeout
        )
        # The bytes are this process's own now: the daemon need not keep a place for them.
        connection.tell("batch.done", {"stream": self._number, "k": k}, timeout=timeout)
        return _batch(answer, body, self.batch_size, self.image_size)

    def _ready(self) -> Connection:
        """The connection on which the stream is open; opens it again where that has gone."""
        if self._connection is None:
            raise GroundwellError("stream_unknown", "the stream is closed")
        if not self._client.owns(self._connection):
            params = {**self._params, "snapshot": self.token.snapshot, "store": self.token.store}
            connection, answer = self._client.open_stream(params, None)
            if answer["plan"] != self.plan:
                raise GroundwellError(
                    "snapshot_gone", "the store would give other batches than before"
                )
            self._connection, self._number = connection, answer["stream"]
        return self._connection


def _batch(answer: dict[str, Any], body: Array, batch_size: int, side: int) -> Batch:
    tensors = safetensors.decode(body)
    missing = [name for name in _TENSORS if name not in tensors]
    if missing:
        raise GroundwellError("bad_answer", f"the batch lacks {', '.join(missing)}")
    if tensors["image"].shape != (batch_size, side, side, 3):
        raise GroundwellError(
            "bad_answer",
            f"the batch's image is {tensors['image'].shape}; "
            f"expected {(batch_size, side, side, 3)}",
        )
    return Batch(
        k=answer["k"],
        token=from_wire(ResumeToken, answer["token"]),
        prompts=answer["prompts"],
        epochs=answer["epochs"],
        thin=answer["thin"],
        body=body,
        **{name: tensors[name] for name in _TENSORS},
    )
