"""Balanced batches per second as torch tensors, against other loaders in the same run.

    python Benchmarks/show_serve.py --bin FOLDER [--data FOLDER] [--rounds 5] [--seconds 1.5] [--sides 512,64] [--only WORDS] [--share 1]

Run with the environment of Benchmarks/serve/setup.sh. The data sets and every loader's store are made on first use and
kept. Loaders stay in processes of their own on the same two cores and take turns, so that a busy machine slows
all of them; the page cache is warm; the median of the rounds counts. Reported: samples a second, seconds from starting the process to
the first batch (stores warm), seconds to the first batch of a new iterator, bytes on disk, and the most memory of all processes of a loader together
(proportional set size; in brackets the part that is not file-backed).

The last lines have each ratio with its bound; exits with 1 when a required one falls short.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import threading
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE / "serve"))

import data  # noqa: E402
import worker  # noqa: E402

CORES = {0, 1}
OURS, GATHER, LMDB, REVERB, FFCV = ("groundwell", "mapped arrays, gather in process", "LMDB with LZ4", "Reverb",
                                    "FFCV raw, 2 threads")


def descendants(process):
    found, left = [], [process]
    while left:
        current = left.pop()
        found.append(current)
        try:
            for task in os.listdir(f"/proc/{current}/task"):
                left += map(int, pathlib.Path(f"/proc/{current}/task/{task}/children").read_text().split())
        except OSError:
            pass
    return found


def memory(processes):
    """Proportional set size of processes, and the part of it that no file backs, in bytes."""
    total = own = 0
    for process in set(processes):
        try:
            for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                word, *rest = line.split()
                if word == "Pss:":
                    total += int(rest[0]) * 1024
                elif word in ("Pss_Anon:", "Pss_Shmem:"):
                    own += int(rest[0]) * 1024
        except OSError:
            pass
    return total, own


class Loader:
    """A loader's process and what was measured of it."""

    def __init__(self, peer, folder, side, binaries):
        self.peer, self.rates, self.firsts, self.peak, self.error = peer, [], [], (0, 0), None
        self.others = []
        python = ROOT / peer.environment / "bin" / "python"
        self.process = None
        if not python.exists():
            self.error = f"no environment {peer.environment}; run Benchmarks/serve/setup.sh"
            return
        self.log = (folder / f"{peer.store}-{peer.workers}.log").open("w")
        self.started = time.perf_counter()
        self.process = subprocess.Popen([python, HERE / "serve" / "worker.py", peer.name, folder, str(side), binaries],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        answer = json.loads(line) if line else {"error": f"ended; see {self.log.name}"}
        self.error = answer.get("error")
        return answer

    def build(self):
        self.bytes = self.ask("build").get("bytes", 0)

    def round(self, seconds, counts):
        done = threading.Event()

        def watch():
            while not done.wait(0.2):
                self.peak = max(self.peak, memory(descendants(self.process.pid) + self.others))

        watcher = threading.Thread(target=watch)
        watcher.start()
        answer = self.ask(f"round {seconds}")
        done.set()
        watcher.join()
        if self.error:
            return
        self.others = [p for known in self.ask("processes")["processes"] for p in descendants(known)]
        if counts:
            self.rates.append(answer["rate"])
            self.firsts.append(answer["first"])

    def close(self):
        if self.process:
            self.process.stdin.close()
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def measure(peers, folder, side, count, arguments):
    """All loaders of one data set, those that ran with their figures."""
    data.make(folder, side, count)
    loaders = []
    for peer in peers:
        loader = Loader(peer, folder, side, arguments.bin)
        if not loader.error:
            loader.build()
            # A process anew, so that the time to its first batch has nothing of the building in it.
            error, size = loader.error, getattr(loader, "bytes", 0)
            loader.close()
            if not error:
                loader = Loader(peer, folder, side, arguments.bin)
                loader.bytes = size
                loader.round(0.1, counts=False)
                loader.cold = time.perf_counter() - loader.started
                error = loader.error
            loader.error = error
        print(f"{side}: {peer.name}: {loader.error or 'ready'}", file=sys.stderr, flush=True)
        loaders.append(loader)
    running = [loader for loader in loaders if not loader.error]
    for _ in range(arguments.rounds):
        for loader in running:
            if not loader.error:
                loader.round(arguments.seconds, counts=True)
    for loader in loaders:
        loader.close()
    return loaders


def table(loaders, side, count):
    print(f"\n{count} pictures of {side}x{side} with label maps, batches of {data.BATCH[side]}\n")
    print("| loader | samples/s | lowest to highest | first batch, s | new iterator, s | bytes a sample | memory, GB |")
    print("|---|---|---|---|---|---|---|")
    for loader in sorted((l for l in loaders if l.rates), key=rate, reverse=True):
        low, high = min(loader.rates), max(loader.rates)
        print(f"| {loader.peer.name} | {rate(loader):,.0f} | {low:,.0f} to {high:,.0f} | {loader.cold:.1f} | "
              f"{statistics.median(loader.firsts):.2f} | {loader.bytes / count:,.0f} | "
              f"{loader.peak[0] / 1e9:.2f} ({loader.peak[1] / 1e9:.2f}) |")
    for loader in loaders:
        if loader.error:
            print(f"not measured: {loader.peer.name}: {loader.error}")


def rate(loader):
    return statistics.median(loader.rates)


def ratios(rates, png, side):
    """(what, ours over theirs or None, bound, whether it is required) of one data set."""
    def over(other):
        return rates[OURS] / other if OURS in rates and other else None

    if side == 512:
        return [("the best PNG-based loader at 512", over(max(png, default=None)), 20, True),
                ("LMDB with LZ4 at 512", over(rates.get(LMDB)), 1.5, True),
                ("Reverb at 512", over(rates.get(REVERB)), 1.5, True),
                ("the bare gather at 512", over(rates.get(GATHER)), 0.5, False),
                ("FFCV raw at 512", over(rates.get(FFCV)), 1.0, False)]
    return [("LMDB with LZ4 at 64", over(rates.get(LMDB)), 1.0, True),
            ("FFCV raw at 64", over(rates.get(FFCV)), 1.0, False)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--data", default=str(HERE / ".serve"))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5)
    parser.add_argument("--sides", default="512,64")
    parser.add_argument("--share", type=float, default=1.0, help="of the pictures, for a quick look")
    parser.add_argument("--only", default="", help="comma-separated words; loaders whose names hold none are left out")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, CORES & os.sched_getaffinity(0) or os.sched_getaffinity(0))
    words = [word for word in arguments.only.split(",") if word]
    peers = [peer for name, peer in worker.peers().items() if not words or any(word in name for word in words)]
    report = ROOT / ".venv-serve" / "peers.txt"
    for line in report.read_text().splitlines() if report.exists() else []:
        if "not installed" in line:
            print(line)
    results = []
    for side in map(int, arguments.sides.split(",")):
        count = max(int(data.SETS[side] * arguments.share), 2 * data.CATEGORIES)
        loaders = measure(peers, pathlib.Path(arguments.data) / f"{side}-{count}", side, count, arguments)
        table(loaders, side, count)
        rates = {loader.peer.name: rate(loader) for loader in loaders if loader.rates}
        png = [rate(loader) for loader in loaders if loader.rates and loader.peer.has_png]
        results += ratios(rates, png, side)
    print()
    passed = True
    for what, ratio, bound, is_required in results:
        kind = "required" if is_required else "goal"
        if ratio is None:
            # A peer that does not install cannot be compared with; ours must have run.
            print(f"{what}: not measured ({kind} {bound})")
            continue
        holds = ratio >= bound
        passed = passed and (holds or not is_required)
        print(f"{what}: {ratio:.2f} times ({kind} {bound}) {'ok' if holds else 'SHORT'}")
    if not any(ratio is not None for _, ratio, _, _ in results):
        passed = False
    required = [f"{ratio:.2f} of {bound}" for _, ratio, bound, must in results if must and ratio is not None]
    print(f"show-serve: {'ok' if passed else 'SHORT'}: required ratios {', '.join(required) or 'none measured'}")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
