"""Killed at each failpoint, before, inside and behind every durable step, and opened again.

The program itself is asked which failpoints it has; each group of them (the first word of the name) needs
an entry in ``WORKLOADS`` that makes the daemon get there, and a group without one fails the run. At each
point the daemon ends itself with SIGKILL, the first, second and third time it gets there, while
clients import and hand in work. Opened again:

- P1: every acknowledged triplet is served with the bytes and facts that it had;
- P2: what else is there is one of the items that were under way, whole; sent again, nothing is there twice;
- P5: a recount finds nothing, and neither does a look at all bytes.

Behind each first kill the next open is killed as well, at every point that an open passes, before the
store is opened for good. After the failpoints come refused calls: ``show_errors.py``.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import signal
import subprocess
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional

from faults.contents import identities, identity, item
from faults.pool import processes
from harness import OWN_ENGINE, ROOT, Daemon, binary_folder, finish, on_signals, submit

import groundwell
from groundwell import Client, ConnectionLost, GroundwellError

SOURCE = "show-failpoints"
OLD_STORE = ROOT / "Tests" / "Fixtures" / "store-v1"
COUNTS = (1, 2, 3)
#: Calls of each client until the point must have been reached.
CALLS = 12
#: Items of a call, and calls, after which the catalog's log is full and moved.
MANY_ITEMS, MANY_CALLS = 48, 60
#: Rounds of deleting and compacting, and items of each.
ROUNDS, ITEMS = 4, 9
END_SECONDS = 20


@dataclass
class Under:
    """A store under test: what was acknowledged, and what was on its way."""

    daemon: Daemon
    acknowledged: dict[int, str] = field(default_factory=dict)
    sent: set[str] = field(default_factory=set)
    #: Triplets whose deletion was acknowledged, and those whose deletion was on its way.
    deleted: set[int] = field(default_factory=set)
    deleting: set[int] = field(default_factory=set)
    problems: list[str] = field(default_factory=list)

    def import_items(self, client: Client, numbers: list[int]) -> None:
        """Imports items that are decided by their numbers."""
        items = [_item(number) for number in numbers]
        self.sent.update(one.item for one in items)
        outcomes = client.import_triplets(SOURCE, items)
        for outcome in outcomes:
            self.acknowledged.setdefault(outcome.triplet, "")

    def look(self, client: Client) -> None:
        """Notes what the triplets acknowledged so far are."""
        for triplet, what in self.acknowledged.items():
            if not what:
                self.acknowledged[triplet] = identity(client.triplet(triplet))


def _item(number: int) -> groundwell.ImportItem:
    return item(f"item {number}", 16, ("cat", "dog", "yak")[number % 3], number)


def clients(under: Under, seed: int, calls: int = CALLS, count: int = 3) -> None:
    """Clients that write at the same time, until the daemon is gone or their calls are made."""

    def importing(client: Client, choose: random.Random, base: int) -> None:
        for call in range(calls):
            numbers = [base + count * call + place for place in range(choose.randint(1, count))]
            under.import_items(client, numbers)

    def working(client: Client, choose: random.Random, base: int) -> None:
        client.backfill({"noise": 1000}, engine=OWN_ENGINE, image_size=16, companions=False)
        for _ in range(calls):
            for work in client.lease("writer", [OWN_ENGINE], 2):
                under.acknowledged.setdefault(submit(client, work, "writer")[0], "")

    def run(work: Callable[[Client, random.Random, int], None], base: int) -> None:
        try:
            with groundwell.connect(under.daemon.socket, timeout=60) as client:
                work(client, random.Random(base), base)
        except ConnectionLost:
            pass
        except GroundwellError as error:
            under.problems.append(f"a client was told: {error}")

    threads = [
        threading.Thread(target=run, args=(work, 1_000_000 * seed + 10_000 * place))
        for place, work in enumerate((importing, importing, working), 1)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def open_and_write(under: Under, seed: int) -> None:
    """Opens the store; if that passes, writes."""
    try:
        under.daemon.start(is_quiet=True).close()
    except RuntimeError:
        return
    clients(under, seed)


def write_much(under: Under, seed: int) -> None:
    """Writes until the catalog's log is moved."""
    under.daemon.start().close()
    clients(under, seed, MANY_CALLS, MANY_ITEMS)


def delete_and_compact(under: Under, seed: int) -> None:
    """Makes triplets, deletes two of three, and gives their space back, several times."""

    def work(client: Client) -> None:
        client.backfill({"noise": 1000}, engine=OWN_ENGINE, image_size=16, companions=False)
        for _ in range(ROUNDS):
            made = [
                submit(client, item, "writer")[0]
                for item in client.lease("writer", [OWN_ENGINE], ITEMS)
            ]
            under.acknowledged.update(dict.fromkeys(made, ""))
            under.look(client)
            under.deleting = {triplet for place, triplet in enumerate(made) if place % 3}
            client.delete(sorted(under.deleting))
            under.deleted |= under.deleting
            under.deleting = set()
            client.compact(dead_percent=1)

    _alone(under, work)


def back_up(under: Under, seed: int) -> None:
    """Copies the store away, and writes between the copies."""

    def work(client: Client) -> None:
        for number in range(max(COUNTS)):
            under.import_items(client, [1_000_000 * seed + number])
            client.backup(under.daemon.folder / f"backup-{number}")

    _alone(under, work)


def _alone(under: Under, work: Callable[[Client], None]) -> None:
    """One client's work, until the daemon is gone or the work is done."""
    try:
        with under.daemon.start() as client:
            work(client)
    except ConnectionLost:
        pass
    except GroundwellError as error:
        under.problems.append(f"a client was told: {error}")


@dataclass(frozen=True)
class Workload:
    """How the points of a group are reached."""

    #: The store that the daemon begins with: ``new``, ``used`` or ``old`` (catalog version 1).
    store: str
    run: Callable[[Under, int], None]


#: By the first word of a failpoint's name.
WORKLOADS = {
    "catalog": Workload("new", open_and_write),
    "migration": Workload("old", open_and_write),
    "pack": Workload("new", open_and_write),
    "append": Workload("used", open_and_write),
    "sync": Workload("used", open_and_write),
    "transaction": Workload("used", open_and_write),
    "checkpoint": Workload("used", write_much),
    "recovery": Workload("used", open_and_write),
    "delete": Workload("used", delete_and_compact),
    "compaction": Workload("used", delete_and_compact),
    "backup": Workload("used", back_up),
}
#: Groups that every open passes.
AT_OPEN = ("catalog", "migration", "recovery")


@dataclass
class Verdict:
    """What became of one store."""

    name: str
    count: int
    second: Optional[str]
    was_reached: bool = False
    lost: int = 0
    due: int = 0
    problems: list[str] = field(default_factory=list)


def failpoints(binaries: Path) -> list[str]:
    """The names that the program knows, by its own error."""
    with tempfile.TemporaryDirectory(prefix="groundwell-") as folder:
        answer = subprocess.run(
            [binaries / "groundwelld", "--store", f"{folder}/store", "--socket", f"{folder}/sock"],
            env=dict(os.environ, GROUNDWELL_FAILPOINT="?"),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    _, found, names = answer.stderr.partition("expected NAME@COUNT of ")
    if not found:
        raise SystemExit(f"groundwelld names no failpoints: {answer.stderr.strip()}")
    return names.strip().split(", ")


def make_base(binaries: Path, folder: Path) -> dict[int, str]:
    """A store with something in it, whose daemon was killed; what it has acknowledged."""
    with Daemon(binaries, workers=0) as daemon:
        under = Under(daemon)
        with daemon.start() as client:
            for number in range(6):
                under.import_items(client, [2 * number, 2 * number + 1])
            under.look(client)
        daemon.kill()
        shutil.copytree(daemon.store, folder)
    return under.acknowledged


def kill_at(
    binaries: Path,
    base: tuple[Path, dict[int, str]],
    old: dict[int, str],
    name: str,
    count: int,
    second: Optional[str],
) -> Verdict:
    """Kills a daemon at one point, and perhaps the next one at another; judges what is left."""
    verdict = Verdict(name, count, second)
    workload = WORKLOADS[name.split(".")[0]]
    with Daemon(binaries, workers=0) as daemon:
        under = Under(daemon)
        if workload.store == "used":
            shutil.copytree(base[0], daemon.store)
            under.acknowledged = dict(base[1])
            under.sent = {_item(number).item for number in range(12)}
        elif workload.store == "old":
            shutil.copytree(OLD_STORE, daemon.store)
            under.acknowledged = dict(old)
        daemon.environment = dict(os.environ, GROUNDWELL_FAILPOINT=f"{name}@{count}")
        workload.run(under, 1)
        verdict.was_reached = _has_ended_itself(daemon, verdict)
        if second is not None and verdict.was_reached:
            daemon.environment["GROUNDWELL_FAILPOINT"] = second
            try:
                daemon.start(is_quiet=True).close()
            except RuntimeError:
                _has_ended_itself(daemon, verdict)
        daemon.kill()
        daemon.environment = None
        try:
            with daemon.start() as client:
                _judge(verdict, under, client)
        except (RuntimeError, GroundwellError) as error:
            verdict.problems.append(f"cannot be opened or read again: {error}")
            verdict.problems.append(daemon.log.read_text(errors="replace")[-300:])
        if verdict.was_reached or count == 1:
            verdict.problems += under.problems
    return verdict


def _has_ended_itself(daemon: Daemon, verdict: Verdict) -> bool:
    if daemon.process is None:
        return False
    try:
        status = daemon.process.wait(END_SECONDS if verdict.count == 1 else 0.2)
    except subprocess.TimeoutExpired:
        return False
    if status != -signal.SIGKILL:
        verdict.problems.append(f"the daemon ended with status {status}, not by its failpoint")
    return True


def _judge(verdict: Verdict, under: Under, client: Client) -> None:
    found = identities(client)
    for triplet in sorted(under.deleted & set(found)):
        verdict.problems.append(f"P1: triplet {triplet} was deleted and is there")
    due = set(under.acknowledged) - under.deleted
    verdict.due = len(due)
    for triplet, what in under.acknowledged.items():
        if triplet not in due or (triplet in under.deleting and triplet not in found):
            continue
        if triplet not in found:
            verdict.lost += 1
            verdict.problems.append(f"P1: triplet {triplet} was acknowledged and is not there")
        elif what and found[triplet] != what:
            verdict.problems.append(f"P1: triplet {triplet} was {what}, is {found[triplet]}")
    refused = [triplet for triplet, what in found.items() if what.startswith("refused")]
    verdict.problems += [f"P2: triplet {triplet}: {found[triplet]}" for triplet in refused]
    _send_again(verdict, under, client, found)
    check = client.check(deep=True)
    verdict.problems += [f"P5: {problem}" for problem in check.problems]
    verdict.problems += [f"P5: triplet {triplet} is set aside" for triplet in check.quarantined]


def _send_again(
    verdict: Verdict, under: Under, client: Client, found: dict[int, str]
) -> None:
    """Sends all items again: those that are there are duplicates, and are what was sent."""
    names = sorted(under.sent)
    known = client.imported(SOURCE, names)
    imported = {
        info.triplet
        for start in [0]
        for info in _all_infos(client)
        if info.provenance.worker == SOURCE
    }
    if imported != set(known.values()):
        verdict.problems.append(
            f"P2: imported triplets {sorted(imported ^ set(known.values()))[:5]} have no item"
        )
    for start in range(0, len(names), 64):
        part = names[start : start + 64]
        items = [_item(int(name.split()[1])) for name in part]
        for one, outcome in zip(items, client.import_triplets(SOURCE, items)):
            if outcome.duplicate != (one.item in known):
                verdict.problems.append(f"P2: '{one.item}' sent again: {outcome}")
            found_again = client.triplet(outcome.triplet)
            if (found_again.image != one.image).any() or (found_again.masks != one.masks).any():
                verdict.problems.append(f"P2: '{one.item}' has other pixels than were sent")


def _all_infos(client: Client) -> list[groundwell.TripletInfo]:
    infos: list[groundwell.TripletInfo] = []
    while page := client.query(after=infos[-1].triplet if infos else 0, limit=1000):
        infos += page
    return infos


def old_contents(binaries: Path) -> dict[int, str]:
    """What the store of version 1 holds."""
    with Daemon(binaries, workers=0) as daemon:
        shutil.copytree(OLD_STORE, daemon.store)
        with daemon.start() as client:
            return identities(client)


def main() -> None:
    """Kills everywhere and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--only", default="", help="only points whose name begins with this")
    parser.add_argument("--jobs", type=int, default=2, help="daemons at the same time")
    options = parser.parse_args()
    on_signals()
    began = time.monotonic()
    binaries = binary_folder(options.bin)
    names = failpoints(binaries)
    without = sorted({name for name in names if name.split(".")[0] not in WORKLOADS})
    chosen = [n for n in names if n.startswith(options.only) and n not in without]
    at_open = [name for name in names if name.split(".")[0] in AT_OPEN]
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="groundwell-") as folder:
        base = (Path(folder) / "store", make_base(binaries, Path(folder) / "store"))
        old = old_contents(binaries)
        tasks = [(name, count, None) for name in chosen for count in COUNTS]
        tasks += [(name, 1, second) for name in chosen for second in at_open]
        with processes(options.jobs) as pool:
            waiting = [pool.submit(kill_at, binaries, base, old, *task) for task in tasks]
            for future in waiting:
                verdicts.append(future.result())
                if len(verdicts) % 50 == 0:
                    print(f"{len(verdicts)} of {len(tasks)} kills", flush=True)
    _report(verdicts, chosen, without, time.monotonic() - began)


def _report(
    verdicts: list[Verdict], names: list[str], without: list[str], seconds: float
) -> None:
    reached = {verdict.name for verdict in verdicts if verdict.was_reached}
    missed = [name for name in names if name not in reached]
    bad = [verdict for verdict in verdicts if verdict.problems]
    for verdict in bad[:15]:
        then = f", then at {verdict.second}" if verdict.second else ""
        print(f"killed at {verdict.name}, time {verdict.count}{then}:")
        for problem in verdict.problems[:4]:
            print(f"  {problem}")
    for name in missed:
        print(f"{name} was never reached")
    for name in without:
        print(f"{name} has no workload; add one to WORKLOADS in {Path(__file__).name}")
    lost = sum(verdict.lost for verdict in verdicts)
    due = sum(verdict.due for verdict in verdicts)
    kills = sum(verdict.was_reached for verdict in verdicts)
    finish(
        "show-failpoints",
        f"lost {lost} of {due} acknowledged, kills with problems {len(bad)} of {kills}, points "
        f"never reached {len(missed) + len(without)} of {len(names) + len(without)}, {seconds:.0f} s",
        "lost 0, problems 0, never reached 0",
        lost == 0 and not bad and not missed and not without and kills > 0,
    )


if __name__ == "__main__":
    main()
