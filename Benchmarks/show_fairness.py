"""A fast client beside a slow one, which holds all its batches and asks for more than it may.

    python Benchmarks/show_fairness.py --bin FOLDER [--rounds 21]

Interleaves rounds of the fast client alone and beside the slow one; the last line has the median loss and its bound.
"""

import argparse
import statistics
import threading
import time

import harness
import stream_runs

import groundwell  # As the harness finds it.

SECONDS = 1.0
SIDE, COUNT, BATCH = 256, 60, 32
TENSORS = ["image", "labels"]
SLOTS = 4


class SlowClient(threading.Thread):
    """Takes a batch, holds it for a while as a slow training step does, and takes the next."""

    def __init__(self, socket):
        super().__init__(daemon=True)
        self.client = groundwell.connect(socket)
        self.stream = self.client.stream(list(stream_runs.CATEGORIES), batch_size=BATCH, image_size=SIDE, seed=9)
        self.is_awake, self.is_over = threading.Event(), False
        self.start()

    def run(self):
        while not self.is_over:
            self.is_awake.wait()
            batch = next(self.stream)
            time.sleep(1.0)
            del batch


def measure(stream, slow, is_beside, seconds):
    """Batches per second, without those that were made before the window began."""
    slow.is_awake.set() if is_beside else slow.is_awake.clear()
    for _ in range(SLOTS):
        next(stream)
    return stream_runs.read(stream, seconds, TENSORS)[1]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=21)
    arguments = parser.parse_args()
    harness.on_signals()
    with harness.Daemon(harness.binary_folder(arguments.bin), 0) as daemon:
        client = daemon.start()
        stream_runs.fill(client, SIDE, COUNT)
        slow = SlowClient(daemon.socket)
        rates = []
        with client.stream(list(stream_runs.CATEGORIES), batch_size=BATCH, image_size=SIDE, prompts=False) as stream:
            stream_runs.read(stream, 0.5, TENSORS)
            for _ in range(arguments.rounds):
                # Alone before and after, so that a machine that is getting busier does not count.
                first, beside, second = (measure(stream, slow, *window) for window in
                                         [(False, SECONDS / 2), (True, SECONDS), (False, SECONDS / 2)])
                alone = (first + second) / 2
                rates.append((alone, beside, 1 - beside / alone))
        slow.is_over = True
        alone, beside, loss = (statistics.median(column) for column in zip(*rates))
        print(f"alone {alone:.1f} batches/s, beside a slow client {beside:.1f}")
        harness.finish("show-fairness", f"the fast client loses {100 * loss:.1f} %", "less than 5 %", loss < 0.05)


if __name__ == "__main__":
    main()
