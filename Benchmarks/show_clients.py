"""A crowd on one daemon: many idle clients, some that read batches all the time, and four that misbehave.

``counts`` is asked all the while from a connection of its own, and its latency stated: alone, with the
idle ones connected, with the active ones reading, and with the bad ones at work. The bad ones: some
send half a frame and wait, some ask for batches and never read, one sends a descriptor where none is
expected, one opens 10,000 streams. They must be refused or dropped. The others must not notice: every
batch of the active ones has the bytes that it had when they were alone, every idle one still answers,
and nothing stays behind: connections, streams, descriptors.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import select
import socket
import statistics
import threading
import time
import zlib
from typing import Any, Optional

from harness import (
    Daemon,
    binary_folder,
    descriptor_count,
    fill,
    finish,
    memory_bytes,
    on_signals,
)
from wire import HEAD, Refused, Wire

CATEGORIES = {"cat": 60, "dog": 40, "yak": 20}
SIDE = 64
BATCH = 8
BATCHES = 24
STALL_SECONDS = 3
HALF_FRAMES = 20
SILENT = 5
PAUSE = 0.1
#: An answer of ``counts`` that takes longer is as good as none.
LIMIT_SECONDS = 1.0
MEBIBYTE = 1 << 20


def request(number: int, method: str, **params: Any) -> bytes:
    """A frame."""
    text = json.dumps({"jsonrpc": "2.0", "id": number, "method": method, "params": params}).encode()
    return HEAD.pack(b"GWF1", 1, 0, 0, 0, len(text), 0) + text


class Active(threading.Thread):
    """A client that reads batches, one after the other, and compares them."""

    def __init__(self, path: str, seed: int, expected: dict[int, int], over: threading.Event):
        super().__init__(daemon=True)
        self.batches = 0
        self.problem: Optional[str] = None
        self.slowest = 0.0
        self._path, self._seed, self._expected, self._over = path, seed, expected, over

    def run(self) -> None:
        """Reads until it is over."""
        try:
            wire = Wire(self._path)
            stream = open_stream(wire)
            k = self._seed % BATCHES
            while not self._over.is_set():
                began = time.monotonic()
                body = wire.call("batch.get", stream=stream, k=k)[1]
                self.slowest = max(self.slowest, time.monotonic() - began)
                if zlib.crc32(body) != self._expected[k]:
                    self.problem = f"batch {k} has other bytes than before"
                    return
                self.batches += 1
                k = (k + 1) % BATCHES
                self._over.wait(PAUSE)
            wire.close()
        except Exception as error:  # Told at the end; the run has failed.
            self.problem = repr(error)


class Counts(threading.Thread):
    """Asks ``counts`` all the time and notes how long each answer took, by phase."""

    def __init__(self, path: str) -> None:
        super().__init__(daemon=True)
        self.phase = "alone"
        self.times: dict[str, list[float]] = {}
        self.problem: Optional[str] = None
        self._path = path
        self._over = threading.Event()

    def run(self) -> None:
        """Asks until it is over."""
        try:
            wire = Wire(self._path)
            while not self._over.is_set():
                phase, began = self.phase, time.monotonic()
                wire.call("counts")
                self.times.setdefault(phase, []).append(time.monotonic() - began)
                time.sleep(0.01)
            wire.close()
        except Exception as error:
            self.problem = repr(error)

    def end(self) -> None:
        """Ends the thread."""
        self._over.set()
        self.join(30)


def open_stream(wire: Wire) -> int:
    """The stream that all active clients read."""
    answer, _ = wire.call(
        "stream.open", categories=sorted(CATEGORIES), batch_size=BATCH, seed=5, delivery="inline"
    )
    return int(answer["stream"])


def text(times: list[float]) -> str:
    """Median, 99th percentile and the slowest, in milliseconds."""
    if len(times) < 2:
        return f"{len(times)} answers"
    ordered = [1000 * value for value in sorted(times)]
    tail = ordered[int(len(ordered) * 0.99)]
    return f"median {statistics.median(ordered):.2f} ms, p99 {tail:.2f}, slowest {ordered[-1]:.1f}"


def is_dropped(made: socket.socket, seconds: float) -> bool:
    """Whether the daemon ends a connection in time; nothing is read, as that would be a sign of life."""
    poll = select.poll()
    poll.register(made, 0)  # The end of a connection is told without being asked for.
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        if any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(left * 1000)):
            return True
    return False


class Bad:
    """The clients that misbehave, and what became of them."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.problems: list[str] = []
        self.dropped = 0
        self.refused_streams = 0

    def half_frames(self) -> list[socket.socket]:
        """Connections that stop in the middle of a frame."""
        made = []
        for _ in range(HALF_FRAMES):
            half = socket.socket(socket.AF_UNIX)
            half.connect(self.path)
            half.sendall(request(1, "hello", protocols=[1], client="half")[:20])
            made.append(half)
        return made

    def silent(self) -> list[socket.socket]:
        """Connections that ask for all they may and read nothing."""
        made = []
        for _ in range(SILENT):
            wire = Wire(self.path)
            stream = open_stream(wire)
            for number in range(64):
                wire.socket.sendall(request(100 + number, "batch.get", stream=stream, k=number))
            made.append(wire.socket)
        return made

    def descriptor(self) -> None:
        """Sends a descriptor along with a request: one clear error, then the end."""
        wire = Wire(self.path)
        with open(os.devnull, "rb") as file:
            socket.send_fds(wire.socket, [request(7, "ping")], [file.fileno()])
        head = HEAD.unpack(wire.socket.recv(16, socket.MSG_WAITALL))
        answer = json.loads(wire.socket.recv(head[5], socket.MSG_WAITALL))
        message = answer.get("error", {}).get("message", "no error")
        if message != "a descriptor came where none is expected":
            self.problems.append(f"a descriptor got: {message}")
        self.expect_dropped(wire.socket, "a client that sent a descriptor")

    def streams(self, count: int) -> None:
        """Opens streams until it is refused, and goes on all the same."""
        wire, opened = Wire(self.path), 0
        for _ in range(count):
            try:
                open_stream(wire)
                opened += 1
            except Refused as error:
                self.refused_streams += 1
                if "streams are open on this connection" not in str(error):
                    self.problems.append(f"a stream too many got: {error}")
                    break
        if opened != 64:
            self.problems.append(f"one connection opened {opened} streams of the 64 that it may")
        wire.call("ping")
        wire.close()

    def expect_dropped(self, made: socket.socket, who: str) -> None:
        """Counts a client that loses its connection in time."""
        if is_dropped(made, 6 * STALL_SECONDS):
            self.dropped += 1
        else:
            self.problems.append(f"{who} was not dropped")
        made.close()


def expected_batches(path: str) -> dict[int, int]:
    """The checksum of each batch while nobody else is there."""
    wire = Wire(path)
    stream = open_stream(wire)
    sums = {k: zlib.crc32(wire.call("batch.get", stream=stream, k=k)[1]) for k in range(BATCHES)}
    wire.close()
    return sums


def misbehave(bad: Bad, stream_count: int) -> None:
    """All of it, one kind after the other while the first ones still stand there."""
    standing = [(made, "a client that sent half a frame") for made in bad.half_frames()]
    standing += [(made, "a client that never read") for made in bad.silent()]
    bad.descriptor()
    bad.streams(stream_count)
    for made, who in standing:
        bad.expect_dropped(made, who)


def settled(wire: Wire, connections: int, streams: int) -> bool:
    """Whether nothing of the others is left after a while."""
    until = time.monotonic() + 20
    while True:
        status = wire.call("status")[0]
        if (status["connections"], status["streams"]) == (connections, streams):
            return True
        if time.monotonic() > until:
            return False
        time.sleep(0.1)


def descriptors_left(process: int, before: int) -> int:
    """Descriptors beyond those of before, once those of the last connections had time to close."""
    until = time.monotonic() + 10
    while (left := descriptor_count(process) - before) > 0 and time.monotonic() < until:
        time.sleep(0.1)
    return left


def main() -> None:
    """Runs the phases and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--idle", type=int, default=1000)
    parser.add_argument("--active", type=int, default=50)
    parser.add_argument("--streams", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=10, help="of each phase")
    parser.add_argument("--bin", help="folder of groundwelld")
    options = parser.parse_args()
    on_signals()
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    room = options.idle + options.active + HALF_FRAMES + SILENT + 20
    settings = ["--maximum-connections", str(room), "--stall-seconds", str(STALL_SECONDS)]
    problems: list[str] = []
    with Daemon(binary_folder(options.bin), 0, settings) as daemon:
        with daemon.start() as client:
            fill(client, CATEGORIES, SIDE)
        process = daemon.process.pid if daemon.process else 0
        expected = expected_batches(daemon.socket)
        watcher = Wire(daemon.socket)
        counts = Counts(daemon.socket)
        counts.start()
        time.sleep(options.seconds)
        memory = {"alone": memory_bytes(process)}
        files = descriptor_count(process)

        counts.phase = "idle"
        idle = [Wire(daemon.socket) for _ in range(options.idle)]
        time.sleep(options.seconds)
        memory["idle"] = memory_bytes(process)

        counts.phase = "active"
        over = threading.Event()
        active = [Active(daemon.socket, seed, expected, over) for seed in range(options.active)]
        for thread in active:
            thread.start()
        time.sleep(options.seconds)
        memory["active"] = memory_bytes(process)

        counts.phase = "bad"
        bad = Bad(daemon.socket)
        misbehave(bad, options.streams)
        memory["bad"] = memory_bytes(process)
        answered = 0
        for wire in idle:
            with contextlib.suppress(OSError, ValueError):
                wire.call("ping")
                answered += 1
        over.set()
        for thread in active:
            thread.join(30)
        for wire in idle:
            wire.close()
        counts.end()
        problems += bad.problems
        problems += [f"an active client: {one.problem}" for one in active if one.problem]
        if counts.problem:
            problems.append(f"counts: {counts.problem}")
        if not settled(watcher, 1, 0):
            problems.append(f"left behind: {watcher.call('status')[0]}")
        left = descriptors_left(process, files)
        peak = memory_bytes(process, "VmHWM")
        watcher.close()
        status = daemon.stop()
        if problems or status:
            daemon.show_log()
    for problem in problems[:20]:
        print(problem)
    for phase, times in counts.times.items():
        print(f"counts, {phase}: {text(times)} ({len(times)} answers)")
    held = ", ".join(f"{name} {value / MEBIBYTE:.0f} MiB" for name, value in memory.items())
    each = (memory["idle"] - memory["alone"]) / max(1, options.idle) / 1024
    print(f"memory: {held}, peak {peak / MEBIBYTE:.0f} MiB; {each:.1f} KiB for each idle client")
    batches = sum(one.batches for one in active)
    slowest = max(max(times) for times in counts.times.values())
    wanted_drops = HALF_FRAMES + SILENT + 1
    passed = (
        not problems
        and answered == options.idle
        and slowest < LIMIT_SECONDS
        and bad.dropped == wanted_drops
        and bad.refused_streams == options.streams - 64
        and batches >= options.active
        and left <= 0
        and status == 0
    )
    finish(
        "show-clients",
        f"{answered} idle and {options.active} active clients served, {batches} batches, slowest "
        f"counts {1000 * slowest:.0f} ms, {bad.dropped} bad ones dropped, {bad.refused_streams} "
        f"streams refused, {max(0, left)} descriptors left, {len(problems)} problems, peak memory "
        f"{peak / MEBIBYTE:.0f} MiB",
        f"all {options.idle} answer, counts within {1000 * LIMIT_SECONDS:.0f} ms, {wanted_drops} "
        f"dropped, {options.streams - 64} refused, 0 left, 0 problems",
        passed,
    )


if __name__ == "__main__":
    main()
