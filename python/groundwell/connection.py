"""One connection: requests out, answers in, in whatever order they come."""

from __future__ import annotations

import itertools
import os
import socket
import threading
import time
import weakref
from typing import Any, Callable, Optional

from . import frames, process
from .errors import ConnectionLost, GroundwellError, TimedOut
from .safetensors import Array

OnProgress = Callable[[dict[str, Any]], None]


#: Connections of this process: a forked child must not keep the daemon's other end open.
_connections: weakref.WeakSet[Connection] = weakref.WeakSet()


class Pending:
    """A request that was sent, and what has come of it so far."""

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method
        self.answer: Optional[frames.Frame] = None
        #: Nobody will take the answer. Set without a lock, by finalizers too.
        self.is_abandoned = False
        self.progress: list[dict[str, Any]] = []

    def abandon(self) -> None:
        """Drops the answer, whether it has come or still comes."""
        self.is_abandoned = True
        if self.answer is not None:
            self.answer.close()


class Connection:
    """A socket with any number of requests under way.

    There is no thread behind it: of the threads that wait for an answer one reads for all. That
    keeps a connection cheap and lets it be left behind by a fork.
    """

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.process = process.number()
        self._socket = sock
        self._reader = frames.FrameReader(sock)
        self._sending = threading.Lock()
        #: The end of a frame that did not fit into the socket; guarded by ``_sending``.
        self._unsent: bytes = b""
        # A plain lock: a finalizer may run in the thread that holds it, and must notice that.
        self._changed = threading.Condition(threading.Lock())
        self._pending: dict[int, Pending] = {}
        self._is_reading = False
        self._failure: Optional[ConnectionLost] = None
        self._numbers = itertools.count(1)
        _connections.add(self)
        weakref.finalize(self, sock.close).atexit = False

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
        pending = self.ask(method, params, body, timeout=timeout)
        try:
            frame = self.wait(pending, timeout=timeout, progress=progress)
        finally:
            self.forget(pending)
        frame.close()
        return result(frame, method), frame.body

    def ask(
        self, method: str, params: dict[str, Any], body: bytes = b"", *, timeout: float
    ) -> Pending:
        """Sends a request; :meth:`wait` gives its answer."""
        pending = Pending(next(self._numbers), method)
        with self._changed:
            self._raise_failure()
            self._pending[pending.number] = pending
        try:
            self._send(pending.number, method, params, body, time.monotonic() + timeout)
        except BaseException:
            self.forget(pending)
            raise
        return pending

    def forget(self, pending: Pending) -> None:
        """Drops the answer to a request if it has not come yet."""
        with self._changed:
            self._pending.pop(pending.number, None)

    def tell(self, method: str, params: dict[str, Any], *, timeout: float) -> None:
        """Sends a request whose answer nobody needs; it is read and dropped later."""
        number = next(self._numbers)
        self._send(number, method, params, b"", time.monotonic() + timeout)

    def tell_later(self, method: str, params: dict[str, Any]) -> None:
        """:meth:`tell` with the next request, or at :meth:`push`: both in one system call."""
        with self._sending:
            self._raise_failure()
            self._unsent += b"".join(_request(next(self._numbers), method, params, b""))

    def push(self, *, timeout: float) -> None:
        """Sends what :meth:`tell_later` has left, if no request took it along."""
        if self._unsent:
            self._send_pieces([], time.monotonic() + timeout)

    def try_tell(self, method: str, params: dict[str, Any]) -> bool:
        """:meth:`tell` if that takes neither a wait nor a lock that is held; else False.

        For finalizers, which run in any thread between any two of its steps.
        """
        if self._failure is not None or not self._sending.acquire(blocking=False):
            return False
        try:
            if not self._send_unsent():
                return False
            self._unsent = b"".join(_request(next(self._numbers), method, params, b""))
            self._send_unsent()
            return True
        except OSError:
            return False  # The next call finds out why.
        finally:
            self._sending.release()

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
        self, number: int, method: str, params: dict[str, Any], body: bytes, deadline: float
    ) -> None:
        self._send_pieces(_request(number, method, params, body), deadline)

    def _send_pieces(self, pieces: list[bytes], deadline: float) -> None:
        try:
            with self._sending:
                self._raise_failure()
                rest, self._unsent = self._unsent, b""
                frames.send(self._socket, [rest, *pieces], deadline)
        except BaseException as error:  # A frame that was cut off cannot be mended.
            lost = error if isinstance(error, ConnectionLost) else ConnectionLost(str(error))
            with self._changed:
                self._fail(lost)
            raise
        if self._failure is not None:
            with self._changed:
                self._close_if_idle()

    def _send_unsent(self) -> bool:
        """Sends what a finalizer could not; returns whether nothing is left."""
        while self._unsent:
            try:
                sent = self._socket.send(self._unsent, socket.MSG_NOSIGNAL | socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            self._unsent = self._unsent[sent:]
        return True

    def wait(
        self, pending: Pending, *, timeout: float, progress: Optional[OnProgress] = None
    ) -> frames.Frame:
        """The answer to a request, as it came; who waits owns its descriptors."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                news, pending.progress = pending.progress, []
                if not news:
                    if pending.answer is not None:
                        return pending.answer
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
            waiting = self._pending.get(report.get("request", 0))
            if waiting is not None:
                waiting.progress.append(report)
        elif "id" not in message or message["id"] is None:
            error = GroundwellError.from_wire(message.get("error"))
            self._fail(ConnectionLost(error.message, error.word))
        else:
            pending = self._pending.pop(message["id"], None)
            if pending is not None:
                pending.answer = frame
                if pending.is_abandoned:
                    frame.close()
                return
        frame.close()

    def _fail(self, error: ConnectionLost) -> None:
        """Marks the connection as dead; what has been answered can still be read."""
        if self._failure is None:
            self._failure = error
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass  # The other side was faster.
        self._close_if_idle()
        self._changed.notify_all()

    def _close_if_idle(self) -> None:
        """Closes a dead connection unless a thread is at its descriptor; that one does it then."""
        if self._failure is not None and not self._is_reading and not self._sending.locked():
            self._reader.close()
            self._socket.close()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise ConnectionLost(self._failure.message, self._failure.word)


def result(frame: frames.Frame, method: str) -> dict[str, Any]:
    """The result in an answer; raises the error in it."""
    if "error" in frame.message:
        raise GroundwellError.from_wire(frame.message["error"])
    found = frame.message.get("result")
    if not isinstance(found, dict):
        raise GroundwellError("bad_answer", f"'{method}' was answered without a result")
    return found


def _request(number: int, method: str, params: dict[str, Any], body: bytes) -> list[bytes]:
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
    return frames.encode(message, body)


def _leave_all() -> None:
    for connection in list(_connections):
        connection.leave()


os.register_at_fork(after_in_child=_leave_all)
