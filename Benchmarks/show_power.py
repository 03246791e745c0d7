"""Simulated power losses: nothing acknowledged may be lost, and nothing served may be wrong.

A daemon works with a shim in front of it that records every write, truncation, name and sync of its
store, in order. Clients import, hand in work, order backfills, delete and compact, and the daemon's own worker
makes scenes; each acknowledgement is noted with the length of the record at that moment. The daemon is killed
once and stopped once on the way, so that recovery and the last checkpoint are recorded as well.

Then the power goes, behind an entry of the record chosen by seed. The folder is rebuilt as the disk may be
found: see ``faults/disk.py``. A daemon opens it, and must have every triplet and job acknowledged
until then and not one whose deletion it acknowledged; all that it serves must be what was stored, to the bit; a
check and a recount must find nothing; and it must take one more item.

At the end some cases are run with a disk that forgets what was synced as well: those must be found
out, or the program would pass whatever the store does.

``--keep FOLDER`` keeps the records, ``--record FOLDER --case N`` looks at one case again.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable, Optional, Sequence

from faults import disk, shim
from faults.contents import identities, identity, item
from faults.pool import processes
from harness import OWN_ENGINE, Daemon, binary_folder, finish, on_signals, submit

import groundwell
from groundwell import ConnectionLost, GroundwellError

SIDES = (8, 16, 31, 64)
CATEGORIES = ("cat", "dog", "noise one")
SCENES = {"bus": 400, "sheep": 400}
SCENE_SIDE = 32
#: Calls of each client in one life of the daemon.
CALLS = 24
LIFE_SECONDS = 20
BIG_BATCH = 24
#: A round of deleting takes this share of what is there, and needs so many; then the store is compacted.
DELETED_SHARE, DELETED_FROM, DELETE_PAUSE = 0.3, 20, 0.1
#: Where nothing has been acknowledged yet.
NEVER = 1 << 62
#: Cases with a disk that forgets what was synced.
LIES = 10


@dataclass
class Recording:
    """One run of a daemon, and what it acknowledged when."""

    #: ``(bytes of the record, triplet)``
    triplets: list[tuple[int, int]] = field(default_factory=list)
    #: ``(bytes of the record, job)``
    jobs: list[tuple[int, int]] = field(default_factory=list)
    #: Triplets that were deleted: bytes of the record before the call and behind it.
    deleted: dict[int, tuple[int, int]] = field(default_factory=dict)
    #: Compactions that moved or freed something.
    compactions: int = 0
    #: What the store served at the end, and of what was deleted before.
    truth: dict[int, str] = field(default_factory=dict)
    root: int = 0

    def save(self, folder: Path) -> None:
        """Writes it beside the record."""
        (folder / "acknowledged.json").write_text(json.dumps(vars(self)))

    @classmethod
    def load(cls, folder: Path) -> Recording:
        """Reads what was saved."""
        found = cls(**json.loads((folder / "acknowledged.json").read_text()))
        found.truth = {int(triplet): what for triplet, what in found.truth.items()}
        found.deleted = {int(triplet): (asked, done) for triplet, (asked, done) in found.deleted.items()}
        return found


class Clients:
    """Those that write, each in a thread and with a connection of its own, for one life."""

    def __init__(self, daemon: Daemon, log: Path, into: Recording, seed: int) -> None:
        self.error: Optional[BaseException] = None
        self._daemon, self._log, self._into, self._seed = daemon, log, into, seed
        self._lock = threading.Lock()
        self._over = threading.Event()
        works = [self._singles, self._batches, self._work, self._watch, self._forget]
        self._threads = [threading.Thread(target=self._run, args=(work,)) for work in works]
        for thread in self._threads:
            thread.start()

    def wait(self) -> None:
        """Returns when all writers have made their calls."""
        deadline = time.monotonic() + LIFE_SECONDS
        for thread in self._threads[:3]:
            thread.join(max(0.0, deadline - time.monotonic()))

    def end(self) -> None:
        """Ends those that are left; the daemon may be gone."""
        self._over.set()
        for thread in self._threads:
            thread.join(60)

    def _run(self, work: Callable[[groundwell.Client, random.Random], None]) -> None:
        try:
            with groundwell.connect(self._daemon.socket, timeout=60) as client:
                work(client, random.Random(f"{self._seed} {work.__name__}"))
        except ConnectionLost:
            pass  # The daemon was killed; what was not acknowledged may be there or not.
        except BaseException as error:
            self.error = error

    def _acknowledged(self, triplets: list[int]) -> None:
        end = self._log.stat().st_size
        with self._lock:
            self._into.triplets += [(end, triplet) for triplet in triplets]

    def _import(self, client: groundwell.Client, choose: random.Random, count: int) -> None:
        items = []
        for _ in range(count):
            seed = choose.getrandbits(48)
            items.append(
                item(f"item {seed}", choose.choice(SIDES), choose.choice(CATEGORIES), seed)
            )
        outcomes = client.import_triplets("show-power", items)
        self._acknowledged([outcome.triplet for outcome in outcomes])

    def _singles(self, client: groundwell.Client, choose: random.Random) -> None:
        for _ in range(CALLS):
            self._import(client, choose, 1)

    def _batches(self, client: groundwell.Client, choose: random.Random) -> None:
        for _ in range(CALLS // 3):
            self._import(client, choose, choose.randint(2, BIG_BATCH))

    def _work(self, client: groundwell.Client, choose: random.Random) -> None:
        stock = {name: count.stock for name, count in client.counts().items()}
        for name in ("noise two", "noise three"):
            answer = client.backfill(
                {name: stock.get(name, 0) + CALLS // 2},
                engine=OWN_ENGINE,
                image_size=choose.choice(SIDES[1:]),
                companions=False,
            )
            end = self._log.stat().st_size
            self._into.jobs += [(end, job) for job in answer.job_numbers]
        while not self._over.is_set():
            items = client.lease("writer", [OWN_ENGINE], choose.randint(1, 4))
            if not items:
                return
            for work in items:
                self._acknowledged([submit(client, work, "writer")[0]])

    def _watch(self, client: groundwell.Client, choose: random.Random) -> None:
        """What is listed is acknowledged: nobody else sees when a worker's submission is."""
        client.backfill(SCENES, engine="scenes", image_size=SCENE_SIDE)
        last = 0
        while not self._over.is_set():
            infos = client.query(after=last, engine="scenes", limit=1000)
            self._acknowledged([info.triplet for info in infos])
            last = infos[-1].triplet if infos else last
            time.sleep(0.02)


    def _forget(self, client: groundwell.Client, choose: random.Random) -> None:
        """Deletes what was acknowledged, and compacts."""
        while not self._over.wait(DELETE_PAUSE):
            with self._lock:
                known = sorted({t for _, t in self._into.triplets} - set(self._into.deleted))
            if len(known) < DELETED_FROM:
                continue
            chosen = choose.sample(known, int(DELETED_SHARE * len(known)))
            for triplet in chosen:
                self._into.truth[triplet] = identity(client.triplet(triplet))
            asked = self._log.stat().st_size
            with self._lock:
                self._into.deleted.update({triplet: (asked, NEVER) for triplet in chosen})
            client.delete(chosen)
            done = self._log.stat().st_size
            with self._lock:
                self._into.deleted.update({triplet: (asked, done) for triplet in chosen})
            try:
                self._into.compactions += client.compact().packs > 0
            except GroundwellError as error:
                if error.word != "busy":  # The daemon compacts by itself as well.
                    raise


def record(binaries: Path, folder: Path, seed: int) -> int:
    """Makes one recording in ``folder``; returns how many entries it has."""
    folder.mkdir(parents=True, exist_ok=True)
    into, log = Recording(), folder / "record"
    log.unlink(missing_ok=True)
    with Daemon(binaries, workers=1) as daemon:
        root = daemon.folder / "disk"
        root.mkdir()
        into.root = root.stat().st_ino
        daemon.store = root / "store"
        daemon.environment = shim.environment(root, log=log)
        for life, is_kind in enumerate((False, True, False)):
            daemon.start().close()
            clients = Clients(daemon, log, into, 3 * seed + life)
            clients.wait()
            if is_kind:
                clients.end()
                daemon.stop()
            else:
                daemon.kill()
                clients.end()
            if clients.error is not None:
                daemon.show_log()
                raise clients.error
        daemon.environment = None
        with Daemon(binaries, workers=0) as reader:
            reader.store = daemon.store
            with reader.start() as client:
                into.truth |= identities(client)
    into.save(folder)
    return len(disk.read(log))


@dataclass
class Verdict:
    """What became of one power loss."""

    case: int
    due: int = 0
    lost: int = 0
    wrong: int = 0
    problems: list[str] = field(default_factory=list)


_records: dict[Path, tuple[list[disk.Entry], Recording]] = {}


def lose_power(
    binaries: Path, record_folder: Path, seed: int, case: int, is_liar: bool = False
) -> Verdict:
    """One case: rebuilds the folder and looks at what a daemon makes of it.

    With ``is_liar`` the disk does not do what a sync of a file asks for.
    """
    if record_folder not in _records:
        found = (disk.read(record_folder / "record"), Recording.load(record_folder))
        _records.clear()
        _records[record_folder] = found
    entries, recording = _records[record_folder]
    choose = random.Random(f"{seed} {case}")
    cut = choose.randrange(1, len(entries) + 1)
    end = entries[cut - 1].end
    ghost = disk.Disk(recording.root)
    for entry in entries[:cut]:
        if not (is_liar and entry.operation == disk.SYNC and ghost.is_file(entry.file)):
            ghost.apply(entry)
    verdict = Verdict(case)
    due = {triplet for when, triplet in recording.triplets if when <= end}
    # From the call on a deleted one may be gone, and from the answer on it must be.
    due -= {triplet for triplet, (asked, _) in recording.deleted.items() if asked <= end}
    gone = {triplet for triplet, (_, done) in recording.deleted.items() if done <= end}
    jobs = {job for when, job in recording.jobs if when <= end}
    verdict.due = len(due)
    with Daemon(binaries, workers=0) as daemon:
        root = daemon.folder / "disk"
        ghost.write(root, choose)
        daemon.store = root / "store"
        try:
            client = daemon.start()
        except RuntimeError as error:
            verdict.lost += len(due)
            verdict.problems.append(f"{error}; {daemon.log.read_text(errors='replace')[-400:]}")
            return verdict
        with client:
            _judge(verdict, client, due, gone, jobs, recording.truth)
    verdict.problems = [f"behind entry {cut} of {len(entries)}: {p}" for p in verdict.problems]
    return verdict


def _judge(
    verdict: Verdict,
    client: groundwell.Client,
    due: set[int],
    gone: set[int],
    jobs: set[int],
    truth: dict[int, str],
) -> None:
    found = identities(client)
    for triplet in sorted(gone & set(found)):
        verdict.wrong += 1
        verdict.problems.append(f"triplet {triplet} was deleted and is there again")
    for triplet in sorted(due - set(found)):
        verdict.lost += 1
        verdict.problems.append(f"triplet {triplet} was acknowledged and is not there")
    for triplet, what in found.items():
        if truth.get(triplet) == what:
            continue
        if what.startswith("refused"):
            verdict.lost += triplet in due
        else:
            verdict.wrong += 1
        verdict.problems.append(f"triplet {triplet} is '{what}', stored was {truth.get(triplet)}")
    missing = jobs - {job.job for job in client.jobs(limit=1000)}
    verdict.lost += len(missing)
    verdict.problems += [f"job {job} was acknowledged and is not there" for job in missing]
    check = client.check(deep=True)
    verdict.problems += check.problems
    verdict.problems += [f"triplet {triplet} is set aside" for triplet in check.quarantined]
    new = item("after the loss", 16, "cat", 1)
    try:
        triplet = client.import_triplets("show-power", [new])[0].triplet
        identity(client.triplet(triplet))
    except GroundwellError as error:
        verdict.problems.append(f"takes nothing more: {error}")


def main() -> None:
    """Records, loses power, prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=500)
    parser.add_argument("--records", type=int, default=5, help="runs of a daemon to record")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="cases at the same time")
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--keep", type=Path, help="folder to keep the records in")
    parser.add_argument("--record", type=Path, help="records that were kept, to be used again")
    parser.add_argument("--case", type=int, help="only this case")
    options = parser.parse_args()
    on_signals()
    start = time.monotonic()
    binaries = binary_folder(options.bin)
    shim.build()
    folder = options.record or options.keep or Path(tempfile.mkdtemp(prefix="groundwell-power-"))
    has_failed = True
    try:
        if options.record is None:
            for number in range(options.records):
                count = record(binaries, folder / str(number), 1000 * options.seed + number)
                made = Recording.load(folder / str(number))
                print(
                    f"record {number + 1}: {count} entries, {len(made.triplets)} acknowledged, "
                    f"{len(made.truth)} stored, {len(made.deleted)} deleted, "
                    f"{made.compactions} compactions, {time.monotonic() - start:.0f} s",
                    flush=True,
                )
        cases = range(options.cases) if options.case is None else [options.case]
        verdicts = _lose_all(binaries, folder, options, cases)
        has_failed = any(verdict.problems for verdict in verdicts)
        lied = _lose_all(binaries, folder, options, range(LIES), is_liar=True)
    finally:
        if not has_failed and options.record is None and options.keep is None:
            shutil.rmtree(folder, ignore_errors=True)
    found_out = sum(bool(verdict.problems) for verdict in lied)
    _report(verdicts, found_out, folder, options, time.monotonic() - start)


def _lose_all(
    binaries: Path,
    folder: Path,
    options: argparse.Namespace,
    cases: Sequence[int],
    is_liar: bool = False,
) -> list[Verdict]:
    records = sorted(
        (path.parent for path in folder.glob("*/record")), key=lambda path: int(path.name)
    )
    if not records:
        sys.exit(f"{folder} holds no records; they are made with --keep {folder}")
    # All cases of a record one after the other: it is read once by each process.
    cases = sorted(cases, key=lambda case: case % len(records))
    tasks = [(records[case % len(records)], options.seed, case) for case in cases]
    verdicts = []
    with processes(options.jobs) as pool:
        waiting = [pool.submit(lose_power, binaries, *task, is_liar) for task in tasks]
        for future in waiting:
            verdicts.append(future.result())
            if len(verdicts) % 100 == 0:
                print(f"{len(verdicts)} power losses", flush=True)
    return verdicts


def _report(
    verdicts: list[Verdict],
    found_out: int,
    folder: Path,
    options: argparse.Namespace,
    seconds: float,
) -> None:
    bad = [verdict for verdict in verdicts if verdict.problems]
    for verdict in bad[:10]:
        print(
            f"case {verdict.case}: {verdict.lost} lost, {verdict.wrong} wrong; again with "
            f"--seed {options.seed} --record {folder} --case {verdict.case}"
        )
        for problem in verdict.problems[:4]:
            print(f"  {problem}")
    lost, wrong = (sum(getattr(verdict, name) for verdict in verdicts) for name in ("lost", "wrong"))
    due = sum(verdict.due for verdict in verdicts)
    expected = options.cases if options.case is None else 1
    finish(
        "show-power",
        f"lost {lost}, wrong {wrong}, cases with problems {len(bad)} of {len(verdicts)} power "
        f"losses; {due} acknowledged triplets were due; a disk that lies was found out {found_out} "
        f"times of {LIES}; seed {options.seed}, {seconds:.0f} s",
        f"lost 0, wrong 0, problems 0 of {expected}, found out at least once",
        not bad and lost == wrong == 0 and len(verdicts) == expected and due > 0 < found_out,
    )


if __name__ == "__main__":
    main()
