"""Frames: the bytes on the socket (table in ``schema/README.md``)."""

from __future__ import annotations

import json
import os
import select
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Optional

from .errors import ConnectionLost, GroundwellError, TimedOut
from .safetensors import Array, aligned

HEADER = struct.Struct("<4sBBBBII")
MAGIC = b"GWF1"
VERSION = 1
MAXIMUM_JSON_BYTES = 1 << 20
MAXIMUM_ANSWER_JSON_BYTES = 16 << 20
MAXIMUM_DESCRIPTORS = 4
#: What is sent or read at once.
_BUFFER_BYTES = 1 << 16
_DESCRIPTOR_BYTES = struct.calcsize("i")


_NO_BODY = aligned(0)


@dataclass
class Frame:
    """One message with what rode on it. Whoever takes it owns the descriptors."""

    message: dict[str, Any]
    body: Array
    descriptors: list[int]

    def close(self) -> None:
        """Closes the descriptors that nobody has taken."""
        while self.descriptors:
            try:
                os.close(self.descriptors.pop())
            except IndexError:
                return  # Another thread was faster.


def encode(message: dict[str, Any], body: bytes = b"") -> list[bytes]:
    """The pieces of a frame, to be sent one after the other."""
    text = json.dumps(
        message, ensure_ascii=False, allow_nan=False, separators=(",", ":"), sort_keys=True
    ).encode()
    if len(text) > MAXIMUM_JSON_BYTES:
        raise GroundwellError(
            "invalid_params", f"a request of {len(text)} bytes; at most {MAXIMUM_JSON_BYTES}"
        )
    return [HEADER.pack(MAGIC, VERSION, 0, 0, 0, len(text), len(body)), text, body]


def _joined(pieces: list[bytes]) -> list[bytes]:
    """Small pieces as one, so that they take one system call."""
    if sum(map(len, pieces)) <= _BUFFER_BYTES:
        return [b"".join(pieces)]
    return [piece for piece in pieces if piece]


def send(sock: socket.socket, pieces: list[bytes], deadline: float) -> None:
    """Sends everything on a non-blocking socket, or raises :class:`ConnectionLost`."""
    for piece in _joined(pieces):
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[sock.send(rest, socket.MSG_NOSIGNAL) :]
            except BlockingIOError:
                if not _wait(sock, select.POLLOUT, deadline):
                    raise ConnectionLost("the daemon takes no bytes; gave the connection up")
            except OSError as error:
                raise ConnectionLost(f"sending failed: {error}") from None


class FrameReader:
    """Reads frames from a non-blocking socket and keeps what it has between calls.

    Descriptors come before the bytes they belong to and wait in a queue until their frame is
    complete, so that no frame ever takes those of another.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.maximum_body_bytes = 256 << 20
        self._socket = sock
        self._header = memoryview(bytearray(HEADER.size))
        self._filled = 0
        self._json = memoryview(b"")
        self._body: Optional[Array] = None
        self._descriptor_count = 0
        self._descriptors: deque[int] = deque()
        #: What was read and belongs to no frame yet: one call often reads several short frames.
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        self._rest = self._buffer[:0]

    def read(self, deadline: float) -> Frame:
        """The next frame. After :class:`TimedOut` the same frame can be read on."""
        if self._body is None:
            self._fill(self._header, 0, deadline)
            self._parse_header()
        body = self._body
        assert body is not None
        self._fill(self._json, 0, deadline)
        self._fill(body.data, len(self._json), deadline)
        if len(self._descriptors) < self._descriptor_count:
            raise ConnectionLost("the daemon announced more descriptors than came", "bad_answer")
        descriptors = [self._descriptors.popleft() for _ in range(self._descriptor_count)]
        message = self._parse_json(descriptors)
        self._filled, self._json, self._body = 0, memoryview(b""), None
        return Frame(message, body, descriptors)

    def close(self) -> None:
        """Closes the descriptors that nobody has taken."""
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _fill(self, target: memoryview, offset: int, deadline: float) -> None:
        while self._filled < offset + len(target):
            wanted = target[self._filled - offset :]
            if not self._rest:
                if len(wanted) >= len(self._buffer):
                    self._filled += self._receive(wanted, deadline)
                    continue
                self._rest = self._buffer[: self._receive(self._buffer, deadline)]
            count = min(len(wanted), len(self._rest))
            wanted[:count] = self._rest[:count]
            self._rest = self._rest[count:]
            self._filled += count

    def _receive(self, target: memoryview, deadline: float) -> int:
        space = socket.CMSG_SPACE(MAXIMUM_DESCRIPTORS * _DESCRIPTOR_BYTES)
        while True:
            try:
                count, ancillary, flags, _ = self._socket.recvmsg_into(
                    [target], space, socket.MSG_CMSG_CLOEXEC
                )
            except BlockingIOError:
                if not _wait(self._socket, select.POLLIN, deadline):
                    raise TimedOut("the daemon did not answer in time") from None
                continue
            except OSError as error:
                raise ConnectionLost(f"receiving failed: {error}") from None
            self._queue(ancillary)
            if flags & socket.MSG_CTRUNC:
                raise ConnectionLost(
                    "descriptors from the daemon were cut off: this process has too many files "
                    "open (ulimit -n)",
                    "bad_answer",
                )
            if count == 0:
                raise ConnectionLost("the daemon closed the connection")
            return count

    def _queue(self, ancillary: list[tuple[int, int, bytes]]) -> None:
        for level, kind, data in ancillary:
            if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                whole = len(data) - len(data) % _DESCRIPTOR_BYTES
                for (descriptor,) in struct.iter_unpack("i", data[:whole]):
                    self._descriptors.append(descriptor)

    def _parse_header(self) -> None:
        magic, version, flags, descriptors, reserved, json_bytes, body_bytes = HEADER.unpack(
            self._header
        )
        if magic != MAGIC or version != VERSION or flags or reserved:
            raise ConnectionLost(
                f"a frame starts with {bytes(self._header[:8])!r}; is this a Groundwell socket?",
                "bad_answer",
            )
        if descriptors > MAXIMUM_DESCRIPTORS or not 2 <= json_bytes <= MAXIMUM_ANSWER_JSON_BYTES:
            raise ConnectionLost(
                f"a frame announces {json_bytes} bytes of JSON and {descriptors} descriptors",
                "bad_answer",
            )
        if body_bytes > self.maximum_body_bytes:
            raise ConnectionLost(
                f"a frame announces a body of {body_bytes} bytes; "
                f"at most {self.maximum_body_bytes}",
                "bad_answer",
            )
        self._descriptor_count = descriptors
        self._json = memoryview(bytearray(json_bytes))
        self._body = aligned(body_bytes) if body_bytes else _NO_BODY
        self._filled = 0

    def _parse_json(self, descriptors: list[int]) -> dict[str, Any]:
        try:
            message = json.loads(bytes(self._json))
            if isinstance(message, dict):
                return message
        except (ValueError, RecursionError):
            pass
        for descriptor in descriptors:
            os.close(descriptor)
        raise ConnectionLost("the daemon sent a frame that holds no JSON object", "bad_answer")


def _wait(sock: socket.socket, event: int, deadline: float) -> bool:
    poll = select.poll()
    try:
        poll.register(sock, event)
    except ValueError:
        raise ConnectionLost("the connection was closed on this side") from None
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))
