"""The smallest client of the daemon, for programs that look at single requests."""

from __future__ import annotations

import json
import socket
import struct
import time
from typing import Any

HEAD = struct.Struct("<4sBBBBII")


class Refused(Exception):
    """The daemon answered with an error."""


class Wire:
    """One connection; one request at a time."""

    def __init__(self, path: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.number = 0
        self.call("hello", protocols=[1], client="benchmark")

    def call(self, method: str, **params: Any) -> tuple[Any, bytes]:
        """The result and the body of a request."""
        return self.call_with(method, b"", **params)

    def call_with(self, method: str, sent: bytes, **params: Any) -> tuple[Any, bytes]:
        """The result and the body of a request that has a body itself."""
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": params}
        text = json.dumps(request).encode()
        self.socket.sendall(HEAD.pack(b"GWF1", 1, 0, 0, 0, len(text), len(sent)) + text + sent)
        while True:
            size, length = HEAD.unpack(self._read(16))[5:]
            answer, body = json.loads(self._read(size)), self._read(length)
            if answer.get("id") == self.number:
                if "error" in answer:
                    raise Refused(f"{method}: {answer['error']['message']}")
                return answer["result"], body

    def round_trip(self, method: str) -> float:
        """Seconds from a request without parameters to the last byte of its answer, unread."""
        self.number += 1
        request = {"jsonrpc": "2.0", "id": self.number, "method": method, "params": {}}
        text = json.dumps(request).encode()
        frame = HEAD.pack(b"GWF1", 1, 0, 0, 0, len(text), 0) + text
        began = time.perf_counter()
        self.socket.sendall(frame)
        size, length = HEAD.unpack(self._read(16))[5:]
        answer = self._read(size + length)
        seconds = time.perf_counter() - began
        if b'"error":' in answer[:200] or json.loads(answer[:size])["id"] != self.number:
            raise Refused(f"{method}: {answer[:200]!r}")
        return seconds

    def close(self) -> None:
        """Ends the connection."""
        self.socket.close()

    def _read(self, count: int) -> bytes:
        parts = []
        while count > 0:
            part = self.socket.recv(min(count, 1 << 20))
            if not part:
                raise ConnectionError("the daemon closed the connection")
            parts.append(part)
            count -= len(part)
        return b"".join(parts)


def integers(body: bytes, name: str) -> list[int]:
    """One tensor of integers of a safetensors body."""
    (length,) = struct.unpack("<Q", body[:8])
    entry = json.loads(body[8 : 8 + length])[name]
    start, end = (8 + length + offset for offset in entry["data_offsets"])
    letter = {"I32": "i", "I64": "q"}[entry["dtype"]]
    count = (end - start) // struct.calcsize(letter)
    return list(struct.unpack(f"<{count}{letter}", body[start:end]))
