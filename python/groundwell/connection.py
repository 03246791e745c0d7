"""One connection: requests out, answers in, in whatever order they come."""

from __future__ import annotations

import os
import socket
import threading
import time
from typing import Any, Callable, Optional

from . import frames
from .errors import ConnectionLost, GroundwellError, TimedOut
from .safetensors import Array

OnProgress = Callable[[dict[str, Any]], None]


class _Slot:
    """Where the answer to one request is put."""

    def __init__(self) -> None:
        self.answer: Optional[frames.Frame] = None
        self.progress: list[dict[str, Any]] = []


class Connection:
    """A socket with any number of requests under way.

    There is no thread behind it: of the threads that wait for an answer one reads for all. That
    keeps a connection cheap and lets it be left behind by a fork.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.process = os.getpid()
        self._socket = sock
        self._reader = frames.FrameReader(sock)
        self._sending = threading.Lock()
        self._changed = threading.Condition()
        self._slots: dict[int, _Slot] = {}
        self._is_reading = False
        self._failure: Optional[ConnectionLost] = None
        self._next = 1

    @property
    def is_usable(self) -> bool:
        """Whether a request has a chance."""
        return self._failure is None

    def set_maximum_body_bytes(self, count: int) -> None:
        """Refuses longer bodies from now on."""
        self._reader.maximum_body_bytes = count

    def call(
        self,
        method: str,
        params: dict[str, Any],
        body: bytes = b"",
        *,
        timeout: float,
        progress: Optional[OnProgress] = None,
    ) -> tuple[dict[str, Any], Array]:
        """Sends a request and waits for its answer and the answer's body."""
        deadline = time.monotonic() + timeout
        number = self._send(method, params, body, deadline, expected=True)
        frame = self._wait(number, deadline, progress)
        for descriptor in frame.descriptors:
            os.close(descriptor)
        if "error" in frame.message:
            raise GroundwellError.from_wire(frame.message["error"])
        result = frame.message.get("result")
        if not isinstance(result, dict):
            raise GroundwellError("bad_answer", f"'{method}' was answered without a result")
        return result, frame.body

    def tell(self, method: str, params: dict[str, Any], *, timeout: float) -> None:
        """Sends a request whose answer nobody needs; it is read and dropped later."""
        self._send(method, params, b"", time.monotonic() + timeout, expected=False)

    def close(self) -> None:
        """Ends the connection; who waits gets :class:`ConnectionLost`."""
        with self._changed:
            self._fail(ConnectionLost("the connection was closed on this side"))

    def leave(self) -> None:
        """Gives up a connection that belongs to the process this one was forked from.

        Only this process's descriptor is closed: the parent's connection lives on. No lock is
        touched, since one may have been held at the moment of the fork.
        """
        self._failure = ConnectionLost("this connection belongs to the parent process")
        self._reader.close()
        self._socket.close()

    def _send(
        self, method: str, params: dict[str, Any], body: bytes, deadline: float, expected: bool
    ) -> int:
        with self._changed:
            self._raise_failure()
            number = self._next
            self._next += 1
            if expected:
                self._slots[number] = _Slot()
        try:
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            pieces = frames.encode(message, body)
            with self._sending:
                frames.send(self._socket, pieces, deadline)
        except ConnectionLost as error:
            with self._changed:
                self._slots.pop(number, None)
                self._fail(error)
            raise
        except BaseException:
            with self._changed:
                self._slots.pop(number, None)
            raise
        return number

    def _wait(
        self, number: int, deadline: float, progress: Optional[OnProgress]
    ) -> frames.Frame:
        slot = self._slots[number]
        try:
            while True:
                with self._changed:
                    news, slot.progress = slot.progress, []
                    if not news:
                        if slot.answer is not None:
                            return slot.answer
                        self._raise_failure()
                        if self._is_reading:
                            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                                raise TimedOut("the daemon did not answer in time")
                            continue
                        self._is_reading = True
                if not news:
                    self._read(deadline)
                elif progress is not None:
                    for report in news:
                        progress(report)
        finally:
            with self._changed:
                self._slots.pop(number, None)

    def _read(self, deadline: float) -> None:
        """Reads one frame for whoever it is; the caller has set ``_is_reading``."""
        frame: Optional[frames.Frame] = None
        failure: Optional[ConnectionLost] = None
        try:
            frame = self._reader.read(deadline)
        except ConnectionLost as error:
            failure = error
        finally:
            with self._changed:
                self._is_reading = False
                failure = failure or self._failure
                if failure is not None:
                    self._fail(failure)
                if frame is not None:
                    self._deliver(frame)
                self._changed.notify_all()

    def _deliver(self, frame: frames.Frame) -> None:
        message = frame.message
        if message.get("method") == "progress":
            params = message.get("params")
            report = params if isinstance(params, dict) else {}
            waiting = self._slots.get(report.get("request", 0))
            if waiting is not None:
                waiting.progress.append(report)
        elif "id" not in message or message["id"] is None:
            error = GroundwellError.from_wire(message.get("error"))
            self._fail(ConnectionLost(error.message, error.word))
        else:
            slot = self._slots.get(message["id"])
            if slot is not None:
                slot.answer = frame
                return
        for descriptor in frame.descriptors:
            os.close(descriptor)

    def _fail(self, error: ConnectionLost) -> None:
        """Marks the connection as dead and closes it, or leaves that to the thread that reads."""
        if self._failure is None:
            self._failure = error
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # The other side was faster.
        if not self._is_reading:
            self._reader.close()
            self._socket.close()
        self._changed.notify_all()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ConnectionLost(self._failure.message, self._failure.word)
