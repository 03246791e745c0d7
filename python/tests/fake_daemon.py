"""A daemon for tests: golden answers, unless a test says otherwise."""

from __future__ import annotations

import socket
import threading
import time
from typing import Any, Callable, Optional

from golden import frame

from groundwell import Client, GroundwellError, frames

#: What a handler may do with a request: answer (once or later), notify, hang up.
Handler = Callable[["Conversation", dict[str, Any]], None]


class Conversation:
    """One connection, seen from the daemon."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        sock.setblocking(False)

    def send(self, message: dict[str, Any], body: bytes = b"") -> None:
        frames.send(self.socket, frames.encode(message, body), time.monotonic() + 5)

    def answer(
        self, request: dict[str, Any], result: Any, body: bytes = b"", descriptors: Any = ()
    ) -> None:
        message = {"jsonrpc": "2.0", "id": request["id"], "result": result}
        if not descriptors:
            return self.send(message, body)
        header, text, body = frames.encode(message, body)
        header = header[:6] + bytes([len(descriptors)]) + header[7:]
        self.socket.setblocking(True)
        socket.send_fds(self.socket, [header], list(descriptors))
        self.socket.setblocking(False)
        frames.send(self.socket, [text, body], time.monotonic() + 5)

    def refuse(
        self, request: dict[str, Any], code: int, word: str, message: str, **data: Any
    ) -> None:
        error = {"code": code, "message": message, "data": {"word": word, **data}}
        self.send({"jsonrpc": "2.0", "id": request["id"], "error": error})

    def golden(self, request: dict[str, Any]) -> None:
        answer = frame(f"{request['method']}.response.bin")
        self.answer(request, answer.message["result"], answer.body.tobytes())

    def progress(self, request: dict[str, Any], jobs: list[Any]) -> None:
        params = {"request": request["id"], "jobs": jobs}
        self.send({"jsonrpc": "2.0", "method": "progress", "params": params})

    def hang_up(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)


class FakeDaemon:
    """Serves every connection that ``dial`` makes, in a thread each."""

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self.requests: list[dict[str, Any]] = []
        self.bodies: dict[str, bytes] = {}
        self.connections = 0
        self._threads: list[threading.Thread] = []
        self._sockets: list[socket.socket] = []

    def client(self, timeout: float = 5.0) -> Client:
        return Client(self.dial, timeout)

    def dial(self) -> socket.socket:
        near, far = socket.socketpair()
        self.connections += 1
        self._sockets.append(far)
        thread = threading.Thread(target=self._serve, args=(far,), daemon=True)
        self._threads.append(thread)
        thread.start()
        return near

    def sent(self, method: str) -> list[dict[str, Any]]:
        """The parameters of all requests of one method."""
        return [entry["params"] for entry in self.requests if entry["method"] == method]

    def close(self) -> None:
        for sock in self._sockets:
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        for thread in self._threads:
            thread.join(5)
        for sock in self._sockets:
            sock.close()

    def _serve(self, sock: socket.socket) -> None:
        conversation = Conversation(sock)
        reader = frames.FrameReader(sock)
        while True:
            try:
                got = reader.read(time.monotonic() + 60)
            except GroundwellError:
                return
            request = got.message
            self.requests.append(request)
            self.bodies[request["method"]] = got.body.tobytes()
            handler: Optional[Handler] = self.handlers.get(request["method"])
            try:
                if handler is None:
                    conversation.golden(request)
                else:
                    handler(conversation, request)
            except (GroundwellError, OSError):
                return
