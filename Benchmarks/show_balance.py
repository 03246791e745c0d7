"""Random streams over a real daemon: balanced at every prefix, and the same bytes for ever.

For each of ``--cases`` random (N, K) a stream is opened over K of 30 categories that hold 1 to 20
triplets. Counted as a failure: a batch that draws a category neither floor(N/K) nor ceil(N/K)
times, a prefix in which two categories are further apart than the rule allows, a triplet that is
not the one that the arithmetic of schema/README.md names, and a batch whose bytes differ when it is
asked for again: at once, and after more triplets and a restart of the daemon.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import sys
import time

from harness import ROOT, Daemon, binary_folder, fill, finish, on_signals

sys.path.insert(0, str(ROOT / "python" / "tests"))

import plan as arithmetic  # noqa: E402

import groundwell  # noqa: E402

CATEGORIES = 30
SIDE = 16


def digest(batch: groundwell.Batch) -> str:
    """A hash of all bytes of a batch."""
    return hashlib.sha256(batch.body.tobytes()).hexdigest()


class Case:
    """One random stream and what its batches were."""

    def __init__(self, client: groundwell.Client, names: list[str], seed: int) -> None:
        choose = random.Random(seed)
        self.names = choose.sample(names, choose.randint(1, len(names)))
        self.size = choose.randint(1, 40)
        self.seed = choose.randrange(1 << 53)
        self.stream = self._open(client)
        self.plan = arithmetic.Plan(
            self.size,
            [(entry.category, entry.stock) for entry in self.stream.categories],
            self.seed,
        )
        self.hashes: dict[int, str] = {}

    def _open(
        self, client: groundwell.Client, resume: groundwell.ResumeToken | None = None
    ) -> groundwell.Stream:
        return client.stream(
            self.names, self.size, SIDE, seed=self.seed, on_thin="repeat", resume=resume
        )

    def unbalanced(self, ids: dict[str, list[int]], batches: int) -> list[str]:
        """Looks at the first batches; one sentence for each break of the rule."""
        kinds, problems = len(self.names), []
        totals = [0] * kinds
        for k in range(batches):
            batch = next(self.stream)
            self.hashes[k] = digest(batch)
            counts = [int((batch.category == position).sum()) for position in range(kinds)]
            totals = [total + count for total, count in zip(totals, counts)]
            place = f"N {self.size}, K {kinds}, seed {self.seed}, batch {k}"
            floor, ceiling = self.size // kinds, -(-self.size // kinds)
            if sum(counts) != self.size or not set(counts) <= {floor, ceiling}:
                problems.append(f"{place}: draws {counts}")
            if max(totals) - min(totals) != (0 if self.size * (k + 1) % kinds == 0 else 1):
                problems.append(f"{place}: draws so far {totals}")
            expected = [
                ids[self.names[category]][item] for category, item, _ in self.plan.draws(k)
            ]
            if batch.triplet.tolist() != expected:
                problems.append(f"{place}: triplets {batch.triplet.tolist()}, not {expected}")
        return problems

    def changed(self, client: groundwell.Client | None) -> list[str]:
        """Asks for the same batches again, of a stream opened anew if a client is given."""
        stream = self.stream
        if client is not None:
            stream = self._open(client, self.stream.token)
            if stream.plan != self.stream.plan:
                return [f"N {self.size}, seed {self.seed}: plan {stream.plan}"]
        problems = [
            f"N {self.size}, K {len(self.names)}, seed {self.seed}: batch {k} has other bytes"
            for k, expected in self.hashes.items()
            if digest(stream.get(k)) != expected
        ]
        stream.close()
        return problems


def main() -> None:
    """Runs all cases and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=200)
    parser.add_argument("--batches", type=int, default=12, help="batches looked at per case")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bin", help="folder of groundwelld")
    options = parser.parse_args()
    on_signals()
    start = time.monotonic()
    with Daemon(binary_folder(options.bin), workers=0) as daemon:
        client = daemon.start()
        names = [f"category {number}" for number in range(CATEGORIES)]
        choose = random.Random(options.seed)
        stocks = {name: choose.randint(1, 20) for name in names}
        fill(client, stocks, SIDE)
        ids = {name: [info.triplet for info in client.query(name, limit=1000)] for name in names}
        assert {name: len(found) for name, found in ids.items()} == stocks
        cases, rule, again = [], [], []
        for number in range(options.cases):
            case = Case(client, names, options.seed * 1_000_003 + number)
            rule += case.unbalanced(ids, options.batches)
            again += case.changed(None)
            cases.append(case)
        fill(client, {name: count + 5 for name, count in stocks.items()}, SIDE)
        client.close()
        status = daemon.stop()
        client = daemon.start()
        restarted = [problem for case in cases for problem in case.changed(client)]
        client.close()
        status = status or daemon.stop()
    for problem in [*rule, *again, *restarted][:20]:
        print(problem)
    count = options.cases * options.batches
    finish(
        "show-balance",
        f"{len(rule)} breaks of the rule in {options.cases} cases of {options.batches} batches, "
        f"{len(again)} of {count} batches changed at once, {len(restarted)} after a restart, "
        f"daemon exit {status}, {time.monotonic() - start:.0f} s",
        "0, 0, 0, exit 0",
        not rule and not again and not restarted and status == 0,
    )


if __name__ == "__main__":
    main()
