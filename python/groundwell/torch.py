"""Batches for PyTorch's DataLoader. Needs ``pip install groundwell[torch]``."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, Optional, Union

import torch
import torch.distributed
from torch.utils.data import IterableDataset, get_worker_info

from .batch import Batch
from .client import connect
from .epochs import EpochBoard, Span
from .errors import GroundwellError
from .stream import Stream, token_of
from .values import ResumeToken, from_wire, to_wire
from .watch import end_with_parent

#: How long a worker waits for PyTorch to take a batch out of its hands.
_WORKER_HOLD_SECONDS = 60.0


class BatchDataset(IterableDataset[dict[str, Any]]):
    """The batches of a stream, one epoch for each ``iter``; use ``DataLoader(batch_size=None)``.

    An item is a dict of writable tensors that share the batch's memory, with ``k`` (the batch's
    number) and ``prompts``. Every ``iter`` goes on with the following epoch of ``epoch_batches``
    batches, with or without workers, persistent or not; an epoch left early is not taken up again
    unless a state says so.

    Workers are not needed: the daemon decodes and prepares ahead in its own process, and
    PyTorch copies what comes from a worker once more. With ``W`` of them worker ``w`` reads the
    batches ``w``, ``w + W`` ... of an epoch on a connection of its own, and the DataLoader puts
    them in order again: the same batches as without. Fork, spawn and forkserver all work.

    Positional arguments and ``options`` are those of :meth:`groundwell.Client.stream`. ``rank``
    and ``world`` are those of ``torch.distributed`` where that is initialised: then make the
    dataset on every rank at the same point, since rank 0 tells the others which snapshot it sees.
    """

    def __init__(
        self,
        *args: Any,
        socket_path: Optional[Union[str, os.PathLike[str]]] = None,
        timeout: float = 30.0,
        epoch_batches: Optional[int] = None,
        rank: Optional[int] = None,
        world: Optional[int] = None,
        **options: Any,
    ) -> None:
        """Opens the stream; ``epoch_batches`` is ``len(stream)`` unless given."""
        super().__init__()
        if epoch_batches is not None and epoch_batches < 1:
            raise GroundwellError("invalid_params", f"epoch_batches is {epoch_batches}")
        self._path = None if socket_path is None else os.fspath(socket_path)
        self._timeout = timeout
        self._arguments = args
        ranks = _ranks(rank, world)
        self._options = {**options, "rank": ranks[0], "world": ranks[1]}
        self._iterations = 0
        #: What was begun last in this process, and what a worker was told to go on with.
        self._span: Optional[Span] = None
        self._loaded: Optional[Span] = None
        opened = self._open_on_all_ranks() if rank is None and ranks[1] > 1 else self._open()
        self._stream: Optional[Stream] = opened
        #: The stream's beginning: whoever opens it again sees the same snapshot.
        self._token: ResumeToken = opened.token
        self._plan = opened.plan
        #: Batches in one ``iter``, over all workers.
        self.epoch_batches = epoch_batches or len(opened)
        #: Names of the categories, by the positions in ``category``.
        self.names = opened.names
        self._board = EpochBoard(self.epoch_batches, opened.token.k)

    def __len__(self) -> int:
        return self.epoch_batches

    def __iter__(self) -> Iterator[dict[str, Any]]:
        span = self._loaded
        if span is None or span.is_begun:
            span = self._next_span()
        self._iterations += 1
        self._span = span
        return self._items(span)

    def state_dict(self, k: Optional[int] = None) -> dict[str, Any]:
        """A few small values with which :meth:`load_state_dict` goes on.

        ``k`` is the next batch wanted: ``item["k"] + 1`` of the last one that was used. It may
        be left out where this process reads the batches itself (no workers);
        ``StatefulDataLoader`` leaves it out, with workers too.
        """
        if k is not None:
            span = self._board.span_at(k)
        elif self._span is not None:
            span = self._span
        elif self._board.has_begun and get_worker_info() is None:
            raise GroundwellError(
                "invalid_params",
                "workers have read the batches: say which one comes next, state_dict(item['k'] "
                "+ 1), or use StatefulDataLoader of torchdata",
            )
        else:
            span = self._next_span()
        token = replace(self._token, k=span.next)
        return {
            "version": 1,
            "plan": self._plan,
            "token": to_wire(token),
            "rank": self._options["rank"],
            "world": self._options["world"],
            "epoch_batches": self.epoch_batches,
            "span": span.state(),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Goes on where the dataset stood that gave ``state``: the rest of its epoch comes next.

        The state of one rank serves all, and another world size too.
        """
        token, span = token_of(state), Span.from_state(state.get("span"))
        if state.get("epoch_batches") != self.epoch_batches:
            raise GroundwellError(
                "plan_mismatch",
                f"the state counts {state.get('epoch_batches')} batches an epoch, this dataset "
                f"{self.epoch_batches}",
            )
        info = get_worker_info()
        if info is None and span.workers > 1:
            raise GroundwellError(
                "invalid_params",
                f"the state is that of one of {span.workers} workers; load it with the "
                "StatefulDataLoader that saved it, or save state_dict(item['k'] + 1)",
            )
        stream = self._opened()
        stream.load_state_dict(state)
        self._token, self._plan = token, stream.plan
        self._span = self._loaded = None
        if info is None:
            self._board.begin_at(span.next)
        else:  # A fellow may have batches left where this worker has none.
            self._board.begin_epoch(span.epoch + int(span.is_finished))
            self._loaded = span

    def _next_span(self) -> Span:
        info = get_worker_info()
        if info is None:
            return self._board.next_span(0, 1, None, self._iterations)
        base = info.seed - info.id
        return self._board.next_span(info.id, info.num_workers, base, self._iterations)

    def _items(self, span: Span) -> Iterator[dict[str, Any]]:
        stream = self._opened()
        self._board.begin(span)
        while not span.is_finished:
            # No variable here may refer to what is yielded: its slot would stay in use.
            yield self._item(stream, span)

    def _item(self, stream: Stream, span: Span) -> dict[str, Any]:
        batch = stream.read(span.next, span.ahead(stream.prefetch))
        span.next += span.workers
        return item_of(batch)

    def _open(self, token: Optional[ResumeToken] = None) -> Stream:
        options = self._options if token is None else {**self._options, "resume": token}
        return connect(self._path, self._timeout).stream(*self._arguments, **options)

    def _opened(self) -> Stream:
        """This process's own stream at the dataset's snapshot."""
        if self._stream is None:
            stream = self._open(self._token)
            if stream.plan != self._plan:
                raise GroundwellError(
                    "snapshot_gone", "the store would give other batches than before"
                )
            self._stream = stream
        in_worker = get_worker_info() is not None
        if in_worker:
            end_with_parent()
        self._stream.hold_seconds = _WORKER_HOLD_SECONDS if in_worker else 0.0
        return self._stream

    def _open_on_all_ranks(self) -> Stream:
        """Opens on rank 0, then on the others what that one sees."""
        told: list[Any] = [None]
        stream: Optional[Stream] = None
        if self._options["rank"] == 0:
            try:
                stream = self._open()
                told = [to_wire(stream.token)]
            except GroundwellError as error:
                told = [error]
        torch.distributed.broadcast_object_list(told, src=0)
        if isinstance(told[0], GroundwellError):
            raise told[0]
        return stream or self._open(from_wire(ResumeToken, told[0]))

    def __getstate__(self) -> dict[str, Any]:
        """For another process: the connection and the callback stay here."""
        options = {name: value for name, value in self._options.items() if name != "progress"}
        return {**self.__dict__, "_stream": None, "_span": None, "_options": options}


def item_of(batch: Batch) -> dict[str, Any]:
    """A batch as training loops take it: tensors by name, ``k`` and ``prompts``."""
    return {**batch.torch(), "k": batch.k, "prompts": batch.prompts}


def _ranks(rank: Optional[int], world: Optional[int]) -> tuple[int, int]:
    if (rank is None) != (world is None):
        raise GroundwellError("invalid_params", "give both rank and world, or neither")
    if rank is not None and world is not None:
        return rank, world
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return torch.distributed.get_rank(), torch.distributed.get_world_size()
    return 0, 1
