"""A daemon under a service manager that a test plays."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Optional

import groundwell
from groundwell import GroundwellError


class Manager:
    """A notify socket, and the daemon that tells it how it is."""

    def __init__(self, binaries: Path, watchdog: float = 0, abstract: bool = False) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gw-service-"))
        self.socket = str(self.folder / "sock")
        self.process: Optional[subprocess.Popen[bytes]] = None
        self._binaries = binaries
        name = f"@gw-notify-{os.getpid()}-{id(self)}" if abstract else str(self.folder / "notify")
        self.notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.notify.bind("\0" + name[1:] if abstract else name)
        self.environment = {**os.environ, "NOTIFY_SOCKET": name}
        self.environment.pop("GROUNDWELL_CONFIG", None)
        if watchdog:
            self.environment["WATCHDOG_USEC"] = str(int(watchdog * 1e6))

    def start(
        self,
        *options: str,
        passed: tuple[tuple[socket.socket, str], ...] = (),
        own_socket: bool = True,
        wait: bool = True,
        **variables: str,
    ) -> None:
        """Starts the daemon; ``passed`` are its sockets from descriptor 3 on, with their names."""
        program = [str(self._binaries / "groundwelld"), "--store", str(self.folder / "store")]
        program += ["--workers", "0", *options]
        if own_socket:
            program += ["--socket", self.socket]
        environment = {**self.environment, **variables}
        numbers = tuple(range(3, 3 + len(passed)))
        if passed:
            environment["LISTEN_FDS"] = str(len(passed))
            environment["LISTEN_FDNAMES"] = ":".join(name for _, name in passed)
            # Only the process itself knows its number.
            program = ["sh", "-c", 'LISTEN_PID=$$ exec "$0" "$@"', *program]

        def place() -> None:
            copies = [os.dup(made.fileno()) for made, _ in passed]
            high = [os.dup2(copy, 100 + index) for index, copy in enumerate(copies)]
            for number, copy in zip(numbers, high):
                os.dup2(copy, number)

        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                program,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=place,
                pass_fds=numbers,
            )
        if wait:
            assert "READY=1" in self.message(20), self.log()

    def message(self, seconds: float) -> str:
        """The next message, or nothing when none comes in time."""
        self.notify.settimeout(max(0.001, seconds))
        try:
            return self.notify.recv(4096).decode()
        except socket.timeout:
            return ""

    def count(self, wanted: str, seconds: float) -> int:
        """Messages of a kind that come within a time."""
        until, count = time.monotonic() + seconds, 0
        while (left := until - time.monotonic()) > 0:
            count += wanted in self.message(left)
        return count

    def client(self) -> groundwell.Client:
        """A client of the daemon."""
        return groundwell.connect(self.socket, timeout=20)

    def hang_up(self) -> None:
        """Has the daemon read its configuration again."""
        assert self.process is not None
        self.process.send_signal(signal.SIGHUP)

    def stop(self) -> int:
        """Asks the daemon to stop; returns its exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def ended(self) -> int:
        """The exit status of a daemon that ends by itself."""
        assert self.process is not None
        return self.process.wait(20)

    def log(self) -> str:
        """What the daemon has written."""
        return (self.folder / "log").read_text(errors="replace")

    def __enter__(self) -> Manager:
        return self

    def __exit__(self, *unused: Any) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.notify.close()
        with contextlib.suppress(OSError):
            subprocess.run(["rm", "-rf", str(self.folder)], check=False)


def listening(path: str) -> socket.socket:
    """A Unix socket that listens, as a socket unit would make it."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    os.chmod(path, 0o600)
    made.listen(16)
    return made


def is_refused(call: Any) -> Optional[str]:
    """The word of the error that a call gets."""
    try:
        call()
    except GroundwellError as error:
        return error.word
    return None
