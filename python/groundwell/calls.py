"""What all of a client's methods stand on: its connection, made anew where it has gone."""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Any, Callable, Optional, TypeVar

from . import process
from .connection import Connection
from .safetensors import Array
from .values import Job, from_wire
from .version import VERSION

#: Called with the jobs that a request waits for, whenever the daemon reports on them.
ProgressCallback = Callable[[list[Job]], None]

Self = TypeVar("Self", bound="Calls")


class Calls:
    """A connection that mends itself."""

    def __init__(self, dial: Callable[[], socket.socket], timeout: float = 30.0) -> None:
        """``dial`` gives a connected socket; :func:`connect` is the usual way to a client."""
        self.timeout = timeout
        #: The daemon's answer to ``hello``; empty before the first call.
        self.server: dict[str, Any] = {}
        self._dial = dial
        self._process = process.number()
        self._lock = threading.Lock()
        self._connection: Optional[Connection] = None

    def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None and self._process == process.number():
            self._connection.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(
        self,
        kind: Optional[type[BaseException]],
        error: Optional[BaseException],
        trace: Optional[TracebackType],
    ) -> None:
        self.close()

    def call(self, method: str, params: dict[str, Any]) -> dict[str, Any]:
        """Any method by its name on the wire, for what this class has no method for."""
        answer, _ = self._call(method, params)
        return answer

    def owns(self, connection: Connection) -> bool:
        """Whether a connection is this process's own and alive."""
        return connection.process == process.number() and connection.is_usable

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
            progress=reporting(progress),
        )

    def _ready(self) -> Connection:
        if self._process != process.number():
            self._lock = threading.Lock()  # The parent's may have been held when it forked.
            self._process = process.number()
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


def reporting(
    progress: Optional[ProgressCallback],
) -> Optional[Callable[[dict[str, Any]], None]]:
    if progress is None:
        return None
    return lambda report: progress([from_wire(Job, entry) for entry in report.get("jobs", [])])
