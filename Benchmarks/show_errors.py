"""A disk that refuses: each call of a commit, and of an open, fails once or from then on.

A shim in front of the daemon fails the nth call of a class (write, sync, open, truncate, read, mmap, and
SQLite's own allocations) with ENOSPC, EIO, EMFILE or ENOMEM, for n = 1, 2, ... until the commit passes
without meeting the fault: in the first commit of a store, and in one of a store in use. The client must
get an error that says what to do; what was stored must be served all the while; the daemon must
go on, or say that it takes nothing more until it is started again; after a restart every
acknowledged triplet must be there, the refused one whole or not at all, and nothing wrong in a check.
The same for the calls of an open: the daemon opens, or ends with one clear line, and opens afterwards.
"""

from __future__ import annotations

import argparse
import errno
import time
from concurrent.futures import as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional

from faults import shim
from faults.contents import identities, identity, item
from faults.pool import processes
from harness import Daemon, binary_folder, finish, on_signals

import groundwell
from groundwell import ConnectionLost, GroundwellError

#: A full disk has a word of its own.
REFUSALS = ("store_unwritable", "store_full")
#: What fails how, and words of which one must be in the message: what to do.
SPACE = ("free space", "space on the disk")
DISK = ("the disk", "system's log")
FILES = ("open files",)
MEMORY = ("free memory",)


@dataclass(frozen=True)
class Fault:
    """One way to fail."""

    kind: str
    number: int
    #: A message must have one of these.
    remedies: tuple[str, ...]
    stays: bool = False
    is_short: bool = False

    def __str__(self) -> str:
        text = f"{self.kind} {shim.name(self.number)}"
        return text + (" from then on" if self.stays else "") + (" half" if self.is_short else "")


FAULTS = [
    Fault("write", errno.ENOSPC, SPACE),
    Fault("write", errno.ENOSPC, SPACE, stays=True, is_short=True),
    Fault("write", errno.EIO, DISK),
    Fault("sync", errno.EIO, DISK),
    Fault("sync", errno.ENOSPC, SPACE + DISK, stays=True),
    Fault("open", errno.EMFILE, FILES + DISK),
    Fault("open", errno.ENOSPC, SPACE + FILES + DISK),
    Fault("open", errno.EIO, DISK + FILES),
    Fault("truncate", errno.EIO, DISK),
    Fault("truncate", errno.ENOSPC, SPACE + DISK, stays=True),
    Fault("read", errno.EIO, DISK),
    Fault("mmap", errno.ENOMEM, MEMORY + DISK),
    Fault("malloc", errno.ENOMEM, MEMORY + DISK),
]
FIRST, LATER, OPEN = "first commit", "commit", "open"
#: Calls of SQLite's allocator in one commit are many and alike: each of the first, then each so many.
ALLOCATIONS_SINGLY, ALLOCATION_STEP = 30, 61
MAXIMUM_NTH = 4000


@dataclass
class Tally:
    """What is counted."""

    fired: int = 0
    refused: int = 0
    passed: int = 0
    stopped: int = 0
    lost: int = 0
    problems: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Adds what another process has counted."""
        for name, count in vars(other).items():
            setattr(self, name, getattr(self, name) + count)


class Trial:
    """One store, the daemon on it, and what it has acknowledged."""

    def __init__(self, binaries: Path, tally: Tally, fault: Fault, when: str) -> None:
        self.tally, self.fault, self.when = tally, fault, when
        self.daemon = Daemon(binaries, workers=0)
        root = self.daemon.folder / "disk"
        root.mkdir()
        self.daemon.store = root / "store"
        self.control = shim.Control(self.daemon.folder / "control")
        self.daemon.environment = shim.environment(root, control=self.control.path)
        self.truth: dict[int, str] = {}
        self.nth = 0
        self._count = 0

    def problem(self, text: str) -> None:
        """Notes what went wrong, and where."""
        self.tally.problems.append(f"{self.when}, {self.fault}, call {self.nth}: {text}")

    def store(self, client: groundwell.Client) -> int:
        """Stores one more triplet."""
        self._count += 1
        new = item(f"item {self._count}", 16, "cat" if self._count % 2 else "dog", self._count)
        return client.import_triplets("show-errors", [new])[0].triplet

    def keep(self, client: groundwell.Client) -> None:
        """Stores one and notes what it is."""
        triplet = self.store(client)
        self.truth[triplet] = identity(client.triplet(triplet))

    def arm(self, nth: int) -> None:
        """Lets the nth call fail."""
        self.nth = nth
        fault = self.fault
        self.control.arm(fault.kind, nth, fault.number, fault.stays, fault.is_short)

    def judge_message(self, message: str) -> None:
        """A message must say what to do."""
        if not any(remedy in message for remedy in self.fault.remedies):
            self.problem(f"the error does not say what to do: {message}")

    def reopen(self) -> groundwell.Client:
        """Ends the daemon without warning, opens the store again and looks at everything."""
        self.daemon.kill()
        client = self.daemon.start()
        found = identities(client)
        for triplet, what in self.truth.items():
            if found.get(triplet) != what:
                self.tally.lost += 1
                self.problem(f"triplet {triplet} was {what}, is {found.get(triplet)} after a restart")
        extra = set(found) - set(self.truth)
        # A commit whose sync failed may be there; then it is whole.
        if len(extra) > 1 or any(found[triplet].startswith("refused") for triplet in extra):
            self.problem(f"triplets {sorted(extra)} are there and were not acknowledged")
        self.truth.update({triplet: found[triplet] for triplet in extra})
        check = client.check(deep=True)
        if check.problems or check.quarantined:
            self.problem(f"a check finds {check.problems} {check.quarantined}")
        return client


def commit(trial: Trial, client: groundwell.Client, nth: int) -> bool:
    """One commit whose nth call fails; returns whether it met the fault."""
    trial.arm(nth)
    try:
        triplet: Optional[int] = trial.store(client)
    except ConnectionLost as error:
        trial.control.disarm()
        status = trial.daemon.process.poll() if trial.daemon.process else None
        trial.problem(f"no error but {error}; exit status {status}")
        return True
    except GroundwellError as error:
        triplet = None
        trial.tally.refused += 1
        if error.word not in REFUSALS:
            trial.problem(f"the word is '{error.word}': {error.message}")
        trial.judge_message(error.message)
    fired = trial.control.fired
    trial.tally.fired += fired > 0
    if trial.fault.kind != "read":
        read_on(trial, client)
    trial.control.disarm()
    if trial.fault.kind == "read":
        read_on(trial, client)
    if triplet is None and fired == 0:
        trial.problem("refused although nothing failed")
    if triplet is not None:
        trial.tally.passed += fired > 0
        trial.truth[triplet] = identity(client.triplet(triplet))
    elif fired > 0:
        go_on(trial, client)
    return fired > 0


def read_on(trial: Trial, client: groundwell.Client) -> None:
    """Everything stored must be served while writes are refused."""
    for triplet, what in list(trial.truth.items())[:3] + list(trial.truth.items())[-3:]:
        try:
            if identity(client.triplet(triplet)) != what:
                trial.problem(f"triplet {triplet} reads differently")
        except GroundwellError as error:
            if trial.fault.kind == "malloc":
                continue  # The fault may have met the read.
            trial.problem(f"triplet {triplet} cannot be read: {error}")
            return


def go_on(trial: Trial, client: groundwell.Client) -> None:
    """The disk is well again: the next commit passes, or says that a restart is needed."""
    try:
        trial.keep(client)
    except GroundwellError as error:
        trial.tally.stopped += 1
        if "start groundwelld again" not in getattr(error, "message", ""):
            trial.problem(f"takes nothing more and does not say what to do: {error}")


def numbers(fault: Fault) -> list[int]:
    """The calls that fail, one after the other."""
    if fault.kind != "malloc":
        return list(range(1, MAXIMUM_NTH))
    singly = list(range(1, ALLOCATIONS_SINGLY))
    return singly + list(range(ALLOCATIONS_SINGLY, MAXIMUM_NTH, ALLOCATION_STEP))


def try_commits(binaries: Path, tally: Tally, fault: Fault, when: str) -> None:
    """Commits with the first, second, ... call failing, until one meets no fault."""
    for nth in numbers(fault):
        trial = Trial(binaries, tally, fault, when)
        with trial.daemon:
            client = trial.daemon.start()
            if when == LATER:
                for _ in range(3):
                    trial.keep(client)
            has_fired = commit(trial, client, nth)
            client.close()
            trial.reopen().close()
        if not has_fired:
            return
    tally.problems.append(f"{when}, {fault}: still failing at call {MAXIMUM_NTH}")


def try_opens(binaries: Path, tally: Tally, fault: Fault) -> None:
    """Opens a store that was not closed, with the first, second, ... call failing."""
    trial = Trial(binaries, tally, fault, OPEN)
    daemon = trial.daemon
    with daemon:
        client = daemon.start()
        for _ in range(3):
            trial.keep(client)
        for nth in numbers(fault):
            trial.keep(client)
            client.close()
            daemon.kill()
            trial.arm(nth)
            has_started, message = start(daemon)
            has_fired = trial.control.fired > 0
            trial.control.disarm()
            tally.fired += has_fired
            if has_started:
                tally.passed += has_fired
            else:
                tally.refused += 1
                status = daemon.process.returncode if daemon.process else None
                if status != 1 or message.count("\n") > 1:
                    trial.problem(f"ended with status {status}: {message}")
                trial.judge_message(message)
            client = trial.reopen()
            if not has_fired:
                break
        client.close()


def try_all(binaries: Path, fault: Fault) -> Tally:
    """One fault in every place."""
    tally = Tally()
    try_commits(binaries, tally, fault, FIRST)
    try_commits(binaries, tally, fault, LATER)
    try_opens(binaries, tally, fault)
    return tally


def start(daemon: Daemon) -> tuple[bool, str]:
    """Starts the daemon; whether it serves, and what it wrote if not."""
    begin = daemon.log.stat().st_size
    try:
        daemon.start(is_quiet=True).close()
        return True, ""
    except RuntimeError:
        with daemon.log.open("rb") as log:
            log.seek(begin)
            return False, log.read().decode(errors="replace")


def main() -> None:
    """Runs all faults and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--only", help="only faults whose name contains this, such as 'EIO'")
    parser.add_argument("--jobs", type=int, default=2, help="faults at the same time")
    options = parser.parse_args()
    on_signals()
    began = time.monotonic()
    binaries, tally = binary_folder(options.bin), Tally()
    shim.build()
    faults = [fault for fault in FAULTS if not options.only or options.only in str(fault)]
    with processes(options.jobs) as pool:
        waiting = {pool.submit(try_all, binaries, fault): fault for fault in faults}
        for future in as_completed(waiting):
            part = future.result()
            tally.add(part)
            print(
                f"{waiting[future]}: {part.fired} calls failed, {len(part.problems)} problems, "
                f"{time.monotonic() - began:.0f} s",
                flush=True,
            )
    for problem in tally.problems[:30]:
        print(problem)
    finish(
        "show-errors",
        f"lost {tally.lost}, problems {len(tally.problems)}; {tally.fired} calls failed in "
        f"{len(faults)} ways: {tally.refused} refused with an error that says what to do, "
        f"{tally.passed} passed all the same, {tally.stopped} took nothing more until started "
        f"again, {time.monotonic() - began:.0f} s",
        "lost 0, problems 0",
        not tally.problems and tally.lost == 0 and tally.fired > 0,
    )


if __name__ == "__main__":
    main()
