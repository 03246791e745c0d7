"""1,000 random bit flips in packs and in the catalog file: harmless, or reported; never served.

A small store is filled and closed. Each case flips one bit of catalog.sqlite in a copy, or sixteen bits of
its pack, and starts a daemon on it; half of all flips are in the catalog and half in the pack. A daemon that refuses to open must name the file. One that opens is asked for
batches, for every triplet, for counts and for a check of all bytes. Everything that it serves must be
what was stored: pixels, masks, prompt, provenance, categories. A triplet that it refuses must be named
by its id, and one that it no longer knows must be named by the check. Counts that are not those of
before must be reported by the check as well, or follow from triplets that were set aside.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from faults.contents import identity, item
from faults.pool import processes
from harness import Daemon, binary_folder, finish, on_signals
from wire import Refused, Wire

import groundwell
from groundwell import GroundwellError, safetensors

CATEGORIES = ("cat", "dog", "yak", "potted plant")
SIDE = 32
TRIPLETS = 32
BATCH = 8
BATCHES = 8
#: Flips of one copy's pack: its triplets do not depend on each other.
PACK_FLIPS = 16
WORDS = ("triplet_corrupt", "store_unwritable", "triplet_unknown", "internal_error")


@dataclass
class Truth:
    """What the store served before anything was flipped."""

    #: By triplet.
    whole: dict[int, str] = field(default_factory=dict)
    images: dict[int, str] = field(default_factory=dict)
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)


@dataclass
class Verdict:
    """What became of one flip."""

    case: int
    place: str
    flips: int = 1
    #: ``harmless``, ``refused to open`` or ``reported``.
    outcome: str = "harmless"
    wrong: int = 0
    silent: int = 0
    problems: list[str] = field(default_factory=list)


def image_hash(image: Any) -> str:
    """A hash of an image."""
    return hashlib.sha256(np.ascontiguousarray(image).tobytes()).hexdigest()[:32]


def make(binaries: Path, folder: Path) -> Truth:
    """Fills a store, closes it and copies it to ``folder``."""
    truth = Truth()
    with Daemon(binaries, workers=0) as daemon:
        with daemon.start() as client:
            items = [
                item(f"item {number}", SIDE, CATEGORIES[number % len(CATEGORIES)], number)
                for number in range(TRIPLETS)
            ]
            for outcome in client.import_triplets("show-flips", items):
                found = client.triplet(outcome.triplet)
                truth.whole[outcome.triplet] = identity(found)
                truth.images[outcome.triplet] = image_hash(found.image)
            truth.counts = counts(client)
        if daemon.stop() != 0:
            raise RuntimeError("the daemon did not stop well")
        shutil.copytree(daemon.store, folder)
    return truth


def counts(client: groundwell.Client) -> dict[str, tuple[int, int]]:
    """Stock and instances of each category."""
    return {name: (count.stock, count.instances) for name, count in client.counts().items()}


def flip(path: Path, choose: random.Random) -> str:
    """Flips one bit of a file; says which."""
    content = bytearray(path.read_bytes())
    at, bit = choose.randrange(len(content)), choose.randrange(8)
    content[at] ^= 1 << bit
    path.write_bytes(content)
    return f"{path.name} byte {at} bit {bit}"


def try_flip(binaries: Path, base: Path, truth: Truth, seed: int, case: int) -> Verdict:
    """Flips one bit of a copy and looks at what a daemon makes of it."""
    choose = random.Random(f"{seed} {case}")
    with Daemon(binaries, workers=0) as daemon:
        shutil.copytree(base, daemon.store)
        is_pack = case % (PACK_FLIPS + 1) == 0
        name, flips = ("packs/000001.pack", PACK_FLIPS) if is_pack else ("catalog.sqlite", 1)
        places = [flip(daemon.store / name, choose) for _ in range(flips)]
        verdict = Verdict(case, ", ".join(places), flips)
        try:
            client = daemon.start(is_quiet=True)
        except RuntimeError:
            told = daemon.log.read_text(errors="replace")
            status = daemon.process.returncode if daemon.process else None
            verdict.outcome = "refused to open"
            if Path(name).name not in told or status != 1:
                verdict.silent += 1
                verdict.problems.append(f"ended with status {status} and said: {told[-400:]}")
            return verdict
        with client:
            try:
                _judge(verdict, client, daemon.socket, truth)
            except GroundwellError as error:
                verdict.silent += 1
                log = daemon.log.read_text(errors="replace")
                verdict.problems.append(f"{error}; {log[-300:]}")
    return verdict


def _judge(verdict: Verdict, client: groundwell.Client, socket: str, truth: Truth) -> None:
    said = _read_batches(verdict, socket, truth)
    refused: set[int] = set()
    for triplet, what in truth.whole.items():
        try:
            found = identity(client.triplet(triplet))
            if found != what:
                verdict.wrong += 1
                verdict.problems.append(f"triplet {triplet} is served with other content")
        except GroundwellError as error:
            refused.add(triplet)
            said.append(error.message if error.word in WORDS else "")
    for triplet in _listed(client, said) - set(truth.whole):
        try:
            client.triplet(triplet)
            verdict.wrong += 1
            verdict.problems.append(f"triplet {triplet} was never stored and is served")
        except GroundwellError as error:
            said.append(error.message)
    after = counts(client)
    try:
        check = client.check(deep=True)
        said += check.problems + [f"triplet {triplet} set aside" for triplet in check.quarantined]
    except GroundwellError as error:
        said.append(error.message)
    text = "\n".join(said)
    unnamed = [t for t in refused if f"triplet {t}" not in text and "catalog.sqlite" not in text]
    verdict.silent += len(unnamed)
    verdict.problems += [f"triplet {triplet} is gone without a word" for triplet in unnamed]
    if after != truth.counts and not said:
        verdict.silent += 1
        verdict.problems.append(f"counts are {after}, were {truth.counts}, and nothing says so")
    if said:
        verdict.outcome = "reported"


def _listed(client: groundwell.Client, said: list[str]) -> set[int]:
    try:
        return {info.triplet for info in client.query(limit=1000)}
    except GroundwellError as error:
        said.append(error.message)
        return set()


def _read_batches(verdict: Verdict, socket: str, truth: Truth) -> list[str]:
    """Reads batches; each image must be that of its triplet. Returns what was refused."""
    wire = Wire(socket)
    said = []
    try:
        stream, _ = wire.call(
            "stream.open", categories=CATEGORIES, batch_size=BATCH, seed=1, delivery="inline"
        )
        for k in range(BATCHES):
            try:
                body = wire.call("batch.get", stream=stream["stream"], k=k)[1]
                tensors = safetensors.decode(np.frombuffer(body, np.uint8))
            except Refused as error:
                said.append(str(error))
                continue
            for triplet, image in zip(tensors["triplet"], tensors["image"]):
                if truth.images.get(int(triplet)) != image_hash(image):
                    verdict.wrong += 1
                    verdict.problems.append(f"batch {k} has a wrong image for triplet {triplet}")
    except Refused as error:
        said.append(str(error))
    wire.close()
    return said


def main() -> None:
    """Flips and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--case", type=int, help="only this case")
    parser.add_argument("--jobs", type=int, default=2, help="daemons at the same time")
    parser.add_argument("--bin", help="folder of groundwelld")
    options = parser.parse_args()
    on_signals()
    began = time.monotonic()
    binaries = binary_folder(options.bin)
    verdicts: list[Verdict] = []
    with tempfile.TemporaryDirectory(prefix="groundwell-") as folder:
        base = Path(folder) / "store"
        truth = make(binaries, base)
        # One case with a pack goes with sixteen with a catalog.
        count = -(-options.flips * (PACK_FLIPS + 1) // (2 * PACK_FLIPS))
        cases = range(count) if options.case is None else [options.case]
        with processes(options.jobs) as pool:
            waiting = [
                pool.submit(try_flip, binaries, base, truth, options.seed, case) for case in cases
            ]
            for future in waiting:
                verdicts.append(future.result())
                if len(verdicts) % 100 == 0:
                    print(f"{len(verdicts)} of {count} daemons", flush=True)
    bad = [verdict for verdict in verdicts if verdict.problems]
    for verdict in bad[:15]:
        print(f"case {verdict.case} (--seed {options.seed} --case {verdict.case}), {verdict.place}:")
        for problem in verdict.problems[:3]:
            print(f"  {problem}")
    flips = sum(verdict.flips for verdict in verdicts)
    outcomes = [verdict.outcome for verdict in verdicts]
    wrong, silent = (sum(getattr(verdict, n) for verdict in verdicts) for n in ("wrong", "silent"))
    finish(
        "show-flips",
        f"served wrong {wrong}, unreported {silent} of {flips} flips in {len(verdicts)} copies "
        f"({outcomes.count('harmless')} harmless, {outcomes.count('reported')} reported, "
        f"{outcomes.count('refused to open')} refused to open), seed {options.seed}, "
        f"{time.monotonic() - began:.0f} s",
        f"wrong 0, unreported 0 of {options.flips if options.case is None else 1}",
        not bad
        and wrong == silent == 0
        and (options.case is not None or (flips >= options.flips and "reported" in outcomes)),
    )


if __name__ == "__main__":
    main()
