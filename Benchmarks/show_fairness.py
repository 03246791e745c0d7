"""A fast client beside a slow one, which holds all its batches and asks for more than it may.

    python Benchmarks/show_fairness.py --bin FOLDER [--rounds 9]

Interleaves rounds of the fast client alone and beside the slow one; the last line has the median loss and its bound.
"""

import argparse
import statistics
import threading
import time

import harness
import streaming

import groundwell  # As the harness finds it.

SECONDS = 1.0
SIDE, COUNT, BATCH = 256, 60, 32
TENSORS = ["image", "labels"]


class SlowClient(threading.Thread):
    """Takes a batch, holds it for a while as a slow training step does, and takes the next."""

    def __init__(self, socket):
        super().__init__(daemon=True)
        self.client = groundwell.connect(socket)
        self.stream = self.client.stream(list(streaming.CATEGORIES), batch_size=BATCH, image_size=SIDE, seed=9)
        self.is_awake, self.is_over = threading.Event(), False
        self.start()

    def run(self):
        while not self.is_over:
            self.is_awake.wait()
            batch = next(self.stream)
            time.sleep(1.0)
            del batch


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    harness.on_signals()
    with harness.Daemon(harness.binary_folder(arguments.bin), 0) as daemon:
        client = daemon.start()
        streaming.fill(client, SIDE, COUNT)
        slow = SlowClient(daemon.socket)
        rates = []
        with client.stream(list(streaming.CATEGORIES), batch_size=BATCH, image_size=SIDE, prompts=False) as stream:
            streaming.read(stream, 0.5, TENSORS)
            for _ in range(arguments.rounds):
                slow.is_awake.clear()
                time.sleep(0.1)
                first = streaming.read(stream, SECONDS / 2, TENSORS)[1]
                slow.is_awake.set()
                beside = streaming.read(stream, SECONDS, TENSORS)[1]
                slow.is_awake.clear()
                time.sleep(0.1)
                second = streaming.read(stream, SECONDS / 2, TENSORS)[1]
                alone = (first + second) / 2
                rates.append((alone, beside, 1 - beside / alone))
        slow.is_over = True
        alone, beside, loss = (statistics.median(column) for column in zip(*rates))
        print(f"alone {alone:.1f} batches/s, beside a slow client {beside:.1f}")
        harness.finish("show-fairness", f"the fast client loses {100 * loss:.1f} %", "less than 5 %", loss < 0.05)


if __name__ == "__main__":
    main()
