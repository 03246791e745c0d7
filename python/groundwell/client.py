"""The client: one method for each of the daemon's."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, Optional, Union

import numpy as np

from . import safetensors
from .connection import Connection
from .errors import ConnectionLost, GroundwellError
from .opening import Opening
from .options import check_understood, given, listed, weights_of
from .safetensors import Array
from .stream import Stream
from .values import (
    Backfill,
    CategoryCount,
    CheckResult,
    Counts,
    Job,
    Lease,
    Mask,
    Outcome,
    Provenance,
    ResumeToken,
    Submitted,
    Triplet,
    TripletInfo,
    WorkItem,
    from_wire,
    to_wire,
)
from .version import VERSION

#: Called with the jobs that a request waits for, whenever the daemon reports on them.
ProgressCallback = Callable[[list[Job]], None]

_MAXIMUM_PATH_BYTES = 107
_WAIT_STEP_SECONDS = 60.0


def default_socket_path() -> str:
    """Where a daemon listens unless told otherwise: the same rule as the daemon's own."""
    chosen = os.environ.get("GROUNDWELL_SOCKET")
    if chosen:
        return chosen
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    folder = os.path.join(runtime, "groundwell") if runtime else f"/tmp/groundwell-{os.getuid()}"
    return os.path.join(folder, "groundwelld.sock")


def connect(
    socket_path: Optional[Union[str, os.PathLike[str]]] = None, timeout: float = 30.0
) -> Client:
    """Connects to the daemon and says hello.

    ``timeout`` is in seconds and holds for every call; calls that wait for work add their own.
    Raises :class:`GroundwellError` ``not_running`` when nobody listens.
    """
    path = os.fspath(socket_path) if socket_path is not None else default_socket_path()
    if len(os.fsencode(path)) > _MAXIMUM_PATH_BYTES:
        raise GroundwellError(
            "invalid_params",
            f"socket path of {len(os.fsencode(path))} bytes; the system allows "
            f"{_MAXIMUM_PATH_BYTES}: {path}",
        )

    def dial() -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            sock.settimeout(timeout)
            sock.connect(path)
        except OSError as error:
            sock.close()
            raise ConnectionLost(
                f"no daemon at {path} ({error.strerror or error}); start groundwelld, "
                "or set GROUNDWELL_SOCKET",
                "not_running",
            ) from None
        return sock

    client = Client(dial, timeout)
    client.ping()
    return client


class Client:
    """A daemon, as a program sees it.

    Threads may share a client. After a fork the child gets a connection of its own at its first
    call; after a lost connection the next call connects anew. Leases and streams belong to a
    connection (streams open themselves again, leases do not).
    """

    def __init__(self, dial: Callable[[], socket.socket], timeout: float = 30.0) -> None:
        """``dial`` gives a connected socket; :func:`connect` is the usual way to a client."""
        self.timeout = timeout
        #: The daemon's answer to ``hello``; empty before the first call.
        self.server: dict[str, Any] = {}
        self._dial = dial
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._connection: Optional[Connection] = None

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None and self._process == os.getpid():
            self._connection.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    # Asking

    def ping(self) -> None:
        """Returns when the daemon has answered."""
        self.call("ping", {})

    def status(self) -> dict[str, Any]:
        """How the daemon and its store are."""
        return self.call("status", {})

    def counts(
        self, minimum: Optional[int] = None, categories: Optional[Sequence[str]] = None
    ) -> Counts:
        """What the store has, by category; shortfalls are against at least ``minimum``."""
        answer = self.call("counts", given(minimum=minimum, categories=listed(categories)))
        entries = [from_wire(CategoryCount, entry) for entry in answer["categories"]]
        return Counts(answer["snapshot"], answer["triplets"], entries)

    def query(
        self,
        category: Optional[str] = None,
        *,
        engine: Optional[str] = None,
        source: Optional[str] = None,
        since_microseconds: Optional[int] = None,
        until_microseconds: Optional[int] = None,
        after: Optional[int] = None,
        descending: Optional[bool] = None,
        limit: Optional[int] = None,
    ) -> list[TripletInfo]:
        """Triplets for which every condition given holds, by id, at most ``limit`` (100).

        Ask again with the last id as ``after`` for more.
        """
        answer = self.call(
            "triplet.query",
            given(
                category=category,
                engine=engine,
                source=source,
                since_microseconds=since_microseconds,
                until_microseconds=until_microseconds,
                after=after,
                descending=descending,
                limit=limit,
            ),
        )
        return [TripletInfo.from_wire(entry) for entry in answer["triplets"]]

    def triplet(self, triplet: int) -> Triplet:
        """One triplet with its pixels."""
        answer, body = self._call("triplet.get", {"triplet": triplet})
        tensors = safetensors.decode(body)
        if "image" not in tensors or "masks" not in tensors:
            raise GroundwellError("bad_answer", f"triplet {triplet} came without its pixels")
        return Triplet(TripletInfo.from_wire(answer), tensors["image"], tensors["masks"])

    def check(self, deep: bool = False, timeout: float = 600.0) -> CheckResult:
        """Compares counts with a recount, and with ``deep`` all bytes with their checksums."""
        answer, _ = self._call("store.check", {"deep": deep}, timeout=timeout)
        return from_wire(CheckResult, answer)

    # Filling

    def backfill(
        self,
        goals: Union[Mapping[str, int], Iterable[str], str],
        target: Optional[int] = None,
        *,
        engine: Optional[str] = None,
        image_size: Optional[int] = None,
        priority: Optional[int] = None,
        seed: Optional[int] = None,
        companions: Optional[bool] = None,
        wait: bool = False,
        progress: Optional[ProgressCallback] = None,
        wait_timeout: float = 3600.0,
    ) -> Backfill:
        """Brings categories up to a target.

        ``goals`` is ``{"cat": 100, "dog": 50}``, or names that share one ``target``. With
        ``wait`` returns when all work is done, and raises ``job_failed`` when some cannot be.
        """
        answer = self.call(
            "backfill",
            given(
                goals=_goals(goals, target),
                engine=engine,
                image_size=image_size,
                priority=priority,
                seed=seed,
                companions=companions,
            ),
        )
        result = Backfill([from_wire(Outcome, entry) for entry in answer["outcomes"]], [])
        if not wait or not result.job_numbers:
            return result
        return Backfill(
            result.outcomes, self.wait(result.job_numbers, wait_timeout, progress=progress)
        )

    def wait(
        self,
        jobs: Sequence[int],
        wait_timeout: float = 3600.0,
        *,
        progress: Optional[ProgressCallback] = None,
    ) -> list[Job]:
        """Returns the jobs when none is active any more.

        Raises ``deadline_reached`` after ``wait_timeout`` seconds; ``job_failed`` when one ended
        without all of its items.
        """
        deadline = time.monotonic() + wait_timeout
        while True:
            left = max(0.0, deadline - time.monotonic())
            answer, _ = self._call(
                "job.wait",
                {"jobs": list(jobs), "wait_seconds": min(left, _WAIT_STEP_SECONDS)},
                timeout=self.timeout + min(left, _WAIT_STEP_SECONDS),
                progress=progress,
            )
            found = [from_wire(Job, entry) for entry in answer["jobs"]]
            if progress is not None:
                progress(found)
            if answer["finished"]:
                _raise_failed(found)
                return found
            if time.monotonic() >= deadline:
                raise GroundwellError(
                    "deadline_reached",
                    f"jobs {list(jobs)} are not finished after {wait_timeout:g} s; "
                    "they go on",
                )

    def jobs(
        self,
        jobs: Optional[Sequence[int]] = None,
        *,
        state: Optional[str] = None,
        limit: Optional[int] = None,
    ) -> list[Job]:
        """Jobs, newest first, at most ``limit`` (100)."""
        answer = self.call("job.list", given(jobs=listed(jobs), state=state, limit=limit))
        return [from_wire(Job, entry) for entry in answer["jobs"]]

    def cancel(self, *jobs: int) -> list[Job]:
        """Cancels jobs; what is done stays."""
        answer = self.call("job.cancel", {"jobs": list(jobs)})
        return [from_wire(Job, entry) for entry in answer["jobs"]]

    # Working

    def lease(
        self,
        worker: str,
        engines: Sequence[str],
        count: int = 1,
        *,
        lease_seconds: Optional[int] = None,
        wait_seconds: float = 0.0,
    ) -> list[WorkItem]:
        """Takes work items; empty when there are none within ``wait_seconds``."""
        answer, _ = self._call(
            "work.lease",
            given(
                worker=worker,
                engines=list(engines),
                count=count,
                lease_seconds=lease_seconds,
                wait_seconds=wait_seconds,
            ),
            timeout=self.timeout + wait_seconds,
        )
        return [from_wire(WorkItem, entry) for entry in answer["items"]]

    def submit(
        self,
        lease: Union[WorkItem, Lease],
        image: Array,
        masks: Array,
        infos: Sequence[Mask],
        *,
        prompt: str,
        provenance: Provenance,
    ) -> Submitted:
        """Hands in a triplet; returns when it is durable.

        ``image`` is ``uint8 [height, width, 3]``, ``masks`` is ``uint8 [masks, height, width]``
        of 0 and 1 with one entry of ``infos`` each.
        """
        body = safetensors.encode(
            {"image": np.asarray(image, np.uint8), "masks": np.asarray(masks, np.uint8)}
        )
        answer, _ = self._call(
            "work.submit",
            {
                "lease": to_wire(_lease(lease)),
                "prompt": prompt,
                "masks": [to_wire(info) for info in infos],
                "provenance": to_wire(provenance),
            },
            body,
        )
        return from_wire(Submitted, answer)

    def renew(
        self, leases: Iterable[Union[WorkItem, Lease]], lease_seconds: Optional[int] = None
    ) -> list[Lease]:
        """Makes leases last longer; returns those that are lost."""
        named = [to_wire(_lease(lease)) for lease in leases]
        answer = self.call("work.renew", given(leases=named, lease_seconds=lease_seconds))
        return [from_wire(Lease, entry) for entry in answer["lost"]]

    def fail(self, lease: Union[WorkItem, Lease], error: str) -> bool:
        """Reports that an item cannot be made; returns whether it is parked now."""
        answer = self.call("work.fail", {"lease": to_wire(_lease(lease)), "error": error})
        return bool(answer["parked"])

    def release(self, leases: Iterable[Union[WorkItem, Lease]]) -> None:
        """Gives leases back without counting a failure."""
        self.call("work.release", {"leases": [to_wire(_lease(lease)) for lease in leases]})

    # Streaming

    def stream(
        self,
        categories: Optional[Sequence[str]] = None,
        batch_size: int = 32,
        image_size: Optional[int] = None,
        *,
        split: Optional[str] = None,
        minimum: int = 1,
        on_thin: str = "wait",
        maximum_draws: Optional[int] = None,
        seed: int = 0,
        snapshot: Optional[int] = None,
        follow: Optional[bool] = None,
        rank: int = 0,
        world: int = 1,
        start: int = 0,
        resume: Optional[ResumeToken] = None,
        policy: str = "balanced",
        weights: Optional[Union[Sequence[float], Mapping[str, float]]] = None,
        threshold: Optional[float] = None,
        power: Optional[float] = None,
        unseen: Optional[Sequence[str]] = None,
        unseen_share: Optional[float] = None,
        tensors: Optional[Sequence[str]] = None,
        layout: Optional[str] = None,
        resize: Optional[str] = None,
        flip: Optional[bool] = None,
        crop: Optional[tuple[float, float]] = None,
        prompts: Optional[bool] = None,
        delivery: Optional[str] = None,
        slots: Optional[int] = None,
        prefetch: Optional[int] = None,
        wait_timeout: float = 600.0,
        reconnect_timeout: float = 30.0,
        progress: Optional[ProgressCallback] = None,
    ) -> Stream:
        """Opens a stream of batches over ``categories``, a ``split``, or all categories.

        What is drawn. ``policy`` is ``balanced``, ``natural``, ``weights`` (with ``weights``, one
        for each category or by name), ``repeat-factor`` (LVIS; ``threshold``, ``power``) or
        ``mixture`` (``unseen`` categories get ``unseen_share`` of the draws). A category with
        fewer than ``minimum`` triplets is filled up first (``on_thin="wait"``), drawn again and
        again (``"repeat"``), or the reason to refuse (``"fail"``); with ``maximum_draws`` the
        same happens before a triplet of such a category is drawn that often. ``follow`` takes in
        new triplets where a category begins anew. ``resume`` takes the token of an earlier stream
        or batch and goes on behind it; the other arguments must be as they were.

        What is in a batch. ``tensors`` names arrays of :class:`Batch` (all but ``instances``);
        ``layout`` is ``nhwc`` or ``nchw``; ``resize`` is ``area`` or ``bilinear``; ``flip``
        mirrors every second image; ``crop=(low, high)`` cuts out a random part with that share of
        the area; ``prompts=False`` leaves the texts out.

        How it comes. ``delivery`` is ``memfd`` (memory shared with the daemon, where it offers
        that) or ``inline``; with the former up to ``slots`` batches are in use at a time, and
        ``prefetch`` of them (all but one) are prepared ahead. A daemon that restarts is waited
        for ``reconnect_timeout`` seconds.
        """
        store: Optional[str] = None
        edges: Optional[dict[str, list[list[int]]]] = None
        if resume is not None:
            store, snapshot, edges = resume.store, resume.snapshot, resume.edges
            policy, seed, start = resume.policy, resume.seed, resume.k
        if not isinstance(start, int) or start < 0:
            raise GroundwellError("invalid_params", f"start is {start!r}; expected 0 or more")
        params = given(
            categories=listed(categories),
            split=split,
            all=True if categories is None and split is None else None,
            batch_size=batch_size,
            image_size=image_size,
            seed=seed,
            policy=policy,
            weights=weights_of(weights, categories),
            threshold=threshold,
            power=power,
            unseen=listed(unseen),
            unseen_share=unseen_share,
            minimum=minimum,
            on_thin=on_thin,
            maximum_draws=maximum_draws,
            wait_seconds=wait_timeout,
            rank=rank,
            world=world,
            snapshot=snapshot,
            follow=follow,
            edges=edges,
            store=store,
            tensors=listed(tensors),
            layout=layout,
            resize=resize,
            flip=flip,
            crop=listed(crop),
            prompts=prompts,
            delivery=delivery,
            slots=slots,
        )
        return Stream(
            self,
            params,
            start,
            self.open_stream(params, progress),
            prefetch=prefetch,
            reconnect_timeout=reconnect_timeout,
        )

    def open_stream(
        self, params: dict[str, Any], progress: Optional[ProgressCallback]
    ) -> Opening:
        """Sends ``stream.open``; the stream lives as long as the connection it came on.

        Without a ``delivery`` in ``params`` it is ``memfd`` where the daemon offers that.
        """
        connection = self._ready()
        offered = self.server.get("capabilities") or []
        delivery = "memfd" if "memfd" in offered else "inline"
        answer, _ = connection.call(
            "stream.open",
            {"delivery": delivery, **params},
            timeout=self.timeout + float(params.get("wait_seconds", 0)),
            progress=_reporting(progress),
        )
        opening = Opening(connection, answer, self.timeout)
        check_understood(params, answer)
        return opening

    # The wire

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Any method by its name on the wire, for what this class has no method for."""
        answer, _ = self._call(method, params)
        return answer

    def owns(self, connection: Connection) -> bool:
        """Whether a connection is this process's own and alive."""
        return connection.process == os.getpid() and connection.is_usable

    def _call(
        self,
        method: str,
        params: dict[str, Any],
        body: bytes = b"",
        *,
        timeout: Optional[float] = None,
        progress: Optional[ProgressCallback] = None,
    ) -> tuple[dict[str, Any], Array]:
        return self._ready().call(
            method,
            params,
            body,
            timeout=self.timeout if timeout is None else timeout,
            progress=_reporting(progress),
        )

    def _ready(self) -> Connection:
        if self._process != os.getpid():
            self._lock = threading.Lock()  # The parent's may have been held when it forked.
            self._process = os.getpid()
            if self._connection is not None:
                self._connection.leave()
        with self._lock:
            if self._connection is None or not self._connection.is_usable:
                self._connection = self._greeted(Connection(self._dial()))
            return self._connection

    def _greeted(self, connection: Connection) -> Connection:
        try:
            self.server, _ = connection.call(
                "hello",
                {
                    "protocols": [1],
                    "client": "groundwell-python",
                    "version": VERSION,
                    "requires": ["inline"],
                },
                timeout=self.timeout,
            )
            connection.set_maximum_body_bytes(int(self.server["limits"]["maximum_batch_bytes"]))
        except BaseException:
            connection.close()
            raise
        return connection


def _goals(
    goals: Union[Mapping[str, int], Iterable[str], str], target: Optional[int]
) -> list[dict[str, Any]]:
    if isinstance(goals, Mapping):
        if target is not None:
            raise GroundwellError("invalid_params", "give targets in goals or as target, not both")
        return [{"category": name, "target": count} for name, count in goals.items()]
    if target is None:
        raise GroundwellError("invalid_params", "names without numbers need a target")
    names = [goals] if isinstance(goals, str) else goals
    return [{"category": name, "target": target} for name in names]


def _lease(lease: Union[WorkItem, Lease]) -> Lease:
    return lease.lease if isinstance(lease, WorkItem) else lease


def _reporting(
    progress: Optional[ProgressCallback],
) -> Optional[Callable[[dict[str, Any]], None]]:
    if progress is None:
        return None
    return lambda report: progress([from_wire(Job, entry) for entry in report.get("jobs", [])])


def _raise_failed(jobs: list[Job]) -> None:
    short = [job for job in jobs if job.state != "done"]
    if short:
        job = short[0]
        reason = f": {job.last_error}" if job.last_error else ""
        raise GroundwellError(
            "job_failed",
            f"{len(short)} of {len(jobs)} jobs fell short; job {job.job} ('{job.category}') is "
            f"{job.state} with {job.done} of {job.items} items done{reason}",
        )
