"""The client: one method for each of the daemon's."""

from __future__ import annotations

import os
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Optional, Union

from . import safetensors
from .calls import ProgressCallback, reporting
from .errors import ConnectionLost, GroundwellError
from .importing import ImportCalls
from .keeping import KeepingCalls
from .options import given, listed
from .streaming import StreamCalls
from .values import (
    Backfill,
    CategoryCount,
    CheckResult,
    Counts,
    Job,
    Outcome,
    Triplet,
    TripletInfo,
    from_wire,
)
from .work import WorkCalls

_MAXIMUM_PATH_BYTES = 107
_WAIT_STEP_SECONDS = 60.0
_CREDENTIALS = struct.Struct("3i")


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
        # Somebody else may have put a socket of theirs where ours would be.
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        owner = _CREDENTIALS.unpack(credentials)[1]
        if owner not in (os.getuid(), 0):
            sock.close()
            raise ConnectionLost(
                f"the daemon at {path} runs as user {owner}, you are {os.getuid()}; "
                "name your own daemon's socket with GROUNDWELL_SOCKET",
                "not_running",
            )
        return sock

    client = Client(dial, timeout)
    client.ping()
    return client


class Client(StreamCalls, WorkCalls, ImportCalls, KeepingCalls):
    """A daemon, as a program sees it.

    Threads may share a client. After a fork the child gets a connection of its own at its first
    call; after a lost connection the next call connects anew. Leases and streams belong to a
    connection (streams open themselves again, leases do not).
    """

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

    def search(
        self,
        text: str,
        *,
        category: Optional[str] = None,
        after: Optional[int] = None,
        limit: Optional[int] = None,
    ) -> list[TripletInfo]:
        """Triplets by words of their prompts, newest first, at most ``limit`` (100).

        All words must be there; ``"cat on grass"`` in quotes is a phrase, ``photo*`` the beginning of
        a word, ``-dog`` excludes. Ask again with the last id as ``after`` for more.
        """
        answer = self.call(
            "triplet.search", given(text=text, category=category, after=after, limit=limit)
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
