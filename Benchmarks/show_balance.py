"""Random streams over a real daemon: the policy's rule at every prefix, the same bytes for ever.

For each of ``--cases`` random (N, K, policy) a stream is opened over K of 30 categories that hold
1 to 20 triplets. Counted as a break of the rule: a prefix whose draws per category are not what the
policy promises (schema/README.md, "What follows from it"), a triplet that comes twice before
another of its category has come once, a triplet that is not the one that the second implementation
of the arithmetic (python/tests/plan.py) names, and ranks of a world of 1 to 8 whose batches do not
add up to the plan. Counted as changed: a batch whose bytes differ when it is asked for again, from
a random k on, by a new client after the old one or the daemon was ended by kill -9.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import subprocess
import sys
import time
from typing import Any

from harness import ROOT, Daemon, binary_folder, fill, finish, on_signals
from wire import Wire, integers

sys.path.insert(0, str(ROOT / "python" / "tests"))

import plan as arithmetic  # noqa: E402

CATEGORIES = 30
SIDE = 8
POLICIES = ("balanced", "natural", "weights", "repeat-factor", "mixture")
#: The discrepancy of van der Corput's sequence over 2^16 places.
SHARE_BOUND = 16 / 3 + 1


class Case:
    """One random stream and what its batches were."""

    def __init__(self, stocks: dict[str, int], number: int, seed: int) -> None:
        choose = random.Random(seed * 1_000_003 + number)
        self.policy = POLICIES[number % len(POLICIES)]
        least = 2 if self.policy == "mixture" else 1
        self.names = choose.sample(sorted(stocks), choose.randint(least, len(stocks)))
        self.size = choose.randint(1, 40)
        self.seed = choose.randrange(1 << 53)
        self.world = min(1 + number // len(POLICIES) % 8, self.size)
        self.counts = [stocks[name] for name in self.names]
        self.parameters: dict[str, Any] = {}
        if self.policy == "weights":
            self.parameters["weights"] = [choose.uniform(0.01, 10) for _ in self.names]
        elif self.policy == "repeat-factor":
            self.parameters["threshold"] = choose.uniform(0.001, 0.5)
            self.parameters["power"] = choose.choice([0.5, choose.random()])
        elif self.policy == "mixture":
            unseen = choose.randint(1, len(self.names) - 1)
            self.parameters["unseen"] = self.names[:unseen]
            self.parameters["unseen_share"] = choose.random()
        self.choose = choose
        self.hashes: dict[int, str] = {}
        self.opened: dict[str, Any] = {}

    def __str__(self) -> str:
        return f"{self.policy}, N {self.size}, K {len(self.names)}, seed {self.seed}"

    def plan(self, rank: int = 0, world: int = 1) -> arithmetic.Plan:
        """The same stream by the second implementation."""
        return arithmetic.Plan(
            self.size,
            list(zip(self.names, self.counts)),
            self.seed,
            rank,
            world,
            policy=self.policy,
            **self.parameters,
        )

    def request(self, rank: int = 0, world: int = 1) -> dict[str, Any]:
        """The parameters that open the stream; at its own snapshot once it was open."""
        token = {name: self.opened[name] for name in ("store", "snapshot") if self.opened}
        return {
            "categories": self.names,
            "batch_size": self.size,
            "image_size": SIDE,
            "seed": self.seed,
            "policy": self.policy,
            "on_thin": "repeat",
            "rank": rank,
            "world": world,
            **self.parameters,
            **token,
        }

    def broken(self, wire: Wire, ids: dict[str, list[int]], batches: int) -> list[str]:
        """Looks at the first batches; one sentence for each break of the rule."""
        answer, _ = wire.call("stream.open", **self.request())
        stream, plan, problems = answer["stream"], self.plan(), []
        self.opened = answer["token"]
        if answer["shares"] != plan.shares():
            problems.append(f"{self}: shares {answer['shares']}, not {plan.shares()}")
        drawn = [dict.fromkeys(ids[name], 0) for name in self.names]
        totals = [0] * len(self.names)
        for k in range(batches):
            result, body = wire.call("batch.get", stream=stream, k=k)
            self.hashes[k] = hashlib.sha256(body).hexdigest()
            categories, triplets = integers(body, "category"), integers(body, "triplet")
            expected = plan.draws(k)
            if [(c, t) for c, t in zip(categories, triplets)] != [
                (c, ids[self.names[c]][item]) for c, item, _ in expected
            ] or result["epochs"] != [epoch for _, _, epoch in expected]:
                problems.append(f"{self}: batch {k} is not what the arithmetic gives")
            counts = [categories.count(position) for position in range(len(self.names))]
            totals = [total + count for total, count in zip(totals, counts)]
            for category, triplet in zip(categories, triplets):
                drawn[category][triplet] += 1
            problems += self._rule(k, counts, totals, plan)
            if any(max(times.values()) - min(times.values()) > 1 for times in drawn):
                problems.append(f"{self}: a triplet came twice too early by batch {k}")
        wire.call("stream.close", stream=stream)
        return problems

    def _rule(
        self, k: int, counts: list[int], totals: list[int], plan: arithmetic.Plan
    ) -> list[str]:
        kinds, n = len(self.names), self.size * (k + 1)
        if self.policy == "balanced":
            least, most = self.size // kinds, -(-self.size // kinds)
            even = set(counts) <= {least, most}
            kept = even and max(totals) - min(totals) == (0 if n % kinds == 0 else 1)
        elif self.policy == "natural":
            # By whole epochs exactly, and never more than the next one has.
            epoch = n // sum(self.counts)
            kept = all(
                epoch * count <= total <= (epoch + 1) * count
                for count, total in zip(self.counts, totals)
            )
        else:
            kept = all(
                abs(total - n * share) <= SHARE_BOUND
                for total, share in zip(totals, plan.shares())
            )
        return [] if kept else [f"{self}: after batch {k} the draws are {totals}"]

    def split(self, wire: Wire, k: int) -> list[str]:
        """Whether the batches of the ranks of this case's world add up to batch ``k``."""
        def drawn(rank: int, world: int) -> list[tuple[int, int]]:
            answer, _ = wire.call("stream.open", **self.request(rank, world))
            _, body = wire.call("batch.get", stream=answer["stream"], k=k)
            wire.call("stream.close", stream=answer["stream"])
            return list(zip(integers(body, "category"), integers(body, "triplet")))

        parts = [draw for rank in range(self.world) for draw in drawn(rank, self.world)]
        if parts == drawn(0, 1):
            return []
        return [f"{self}: {self.world} ranks do not add up to batch {k}"]

    def resumed(self, wire: Wire, start: int) -> list[str]:
        """Goes on from batch ``start`` with a stream opened anew."""
        answer, _ = wire.call("stream.open", **self.request())
        changed = []
        for k in [k for k in sorted(self.hashes) if k >= start]:
            _, body = wire.call("batch.get", stream=answer["stream"], k=k)
            if hashlib.sha256(body).hexdigest() != self.hashes[k]:
                changed.append(f"{self}: batch {k} has other bytes")
        wire.call("stream.close", stream=answer["stream"])
        return changed


def child(path: str) -> None:
    """Streams until somebody ends it: one line with k and hash for each batch."""
    request = json.loads(sys.stdin.readline())
    wire = Wire(path)
    answer, _ = wire.call("stream.open", **request)
    k = 0
    while True:
        _, body = wire.call("batch.get", stream=answer["stream"], k=k)
        print(k, hashlib.sha256(body).hexdigest(), flush=True)
        k += 1


def killed_client(case: Case, path: str) -> list[str]:
    """Ends a client by kill -9 after some batches, and lets another go on behind the last."""
    process = subprocess.Popen(
        [sys.executable, __file__, "--child", path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    problems, last = [], case.choose.randrange(len(case.hashes))
    with process:
        process.stdin.write(json.dumps(case.request()) + "\n")
        process.stdin.flush()
        for k in range(last + 1):
            if process.stdout.readline().split() != [str(k), case.hashes[k]]:
                problems.append(f"{case}: the client that was killed saw another batch {k}")
        process.kill()
    wire = Wire(path)
    problems += case.resumed(wire, last + 1)
    wire.close()
    return problems


def main() -> None:
    """Runs all cases and prints the verdict."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--batches", type=int, default=12, help="batches looked at per case")
    parser.add_argument("--clients", type=int, default=50, help="clients ended by kill -9")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--bin", help="folder of groundwelld")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        child(options.child)
    on_signals()
    start = time.monotonic()
    with Daemon(binary_folder(options.bin), workers=0) as daemon:
        client = daemon.start()
        choose = random.Random(options.seed)
        stocks = {f"category {number}": choose.randint(1, 20) for number in range(CATEGORIES)}
        fill(client, stocks, SIDE)
        ids = {name: [info.triplet for info in client.query(name, limit=1000)] for name in stocks}
        assert {name: len(found) for name, found in ids.items()} == stocks
        wire = Wire(daemon.socket)
        cases = [Case(stocks, number, options.seed) for number in range(options.cases)]
        rule, ranks = [], []
        for case in cases:
            rule += case.broken(wire, ids, options.batches)
            ranks += case.split(wire, case.choose.randrange(options.batches))
        clients = [
            problem
            for case in cases[: options.clients]
            for problem in killed_client(case, daemon.socket)
        ]
        # The store grows and its daemon dies; the snapshots stay.
        fill(client, {name: count + 5 for name, count in stocks.items()}, SIDE)
        wire.close()
        client.close()
        daemon.kill()
        client = daemon.start()
        wire = Wire(daemon.socket)
        restarted = [
            problem
            for case in cases
            for problem in case.resumed(wire, case.choose.randrange(options.batches))
        ]
        wire.close()
        client.close()
        status = daemon.stop()
    for problem in [*rule, *ranks, *clients, *restarted][:20]:
        print(problem)
    finish(
        "show-balance",
        f"{len(rule)} breaks of the rule in {options.cases} cases of {options.batches} batches and "
        f"{len(POLICIES)} policies, {len(ranks)} worlds of 1 to 8 ranks that are not the plan, "
        f"batches with other bytes: {len(clients)} after {options.clients} clients were killed, "
        f"{len(restarted)} after the daemon was; daemon exit {status}, "
        f"{time.monotonic() - start:.0f} s",
        "0, 0, 0, 0, exit 0",
        not (rule or ranks or clients or restarted or status),
    )


if __name__ == "__main__":
    main()
