"""Seconds and memory of one training step of the 18.80 M grounding module, against PyTorch on the same cores.

    PYTHONPATH=python python Benchmarks/show_train_step.py --bin FOLDER [--rounds 5] [--threads 2]

Both sides take steps on random features of a 512x512 picture with one query, in processes that take turns, so
that a busy machine slows both; the best of the rounds counts. PyTorch runs the module as it is published: blocks
are resized and joined before the 1x1 convolutions, and features enlarged to 512x512 before the dot product.
Memory is the peak resident size of each process. The last line has figures and bounds; exits with 1 when a
ratio is not below 1.0 in time, or above 1.0 in memory.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import time

BLOCKS = ((8, (1280,) * 6), (16, (640,) + (1280,) * 5), (32, (320, 640, 640, 1280, 640, 640)),
          (64, (320, 320, 320, 640, 320, 320, 320)))
MAXIMUM_RATIO = 1.0


def answer(values):
    print(json.dumps(values), flush=True)


def work(threads):
    """The PyTorch side."""
    import torch
    from grounding.reference import GroundingModule, mask_loss

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    module = GroundingModule().train()
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-5)
    levels = [[torch.randn(1, 2 * c, side, side) for c in channels] for side, channels in BLOCKS]
    query = torch.randn(1, 768)
    targets = (torch.arange(512) < 200).float().repeat(512).view(1, -1)
    ones = torch.ones_like(targets)
    answer({"parameters": sum(p.numel() for p in module.parameters())})
    for line in sys.stdin:
        if line.strip() == "memory":
            answer({"peak_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024})
            continue
        started = time.monotonic()
        optimiser.zero_grad()
        logits = module(levels, [query], (512, 512))[0]
        loss = mask_loss(logits.flatten(1), targets, ones, "bce").sum()
        loss.backward()
        optimiser.step()
        answer({"seconds": time.monotonic() - started, "loss": loss.item()})


class Worker:
    def __init__(self, command, threads):
        environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env=environment)
        self.first = self.read()

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"a worker ended: {self.process.args}")
        return json.loads(line)

    def ask(self, order):
        self.process.stdin.write(order + "\n")
        self.process.stdin.flush()
        return self.read()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--worker", action="store_true")
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.threads)
    threads = str(arguments.threads)
    ours = Worker([f"{arguments.bin}/groundwell-generator", "bench", "train-step", "--threads", threads],
                  arguments.threads)
    theirs = Worker([sys.executable, __file__, "--worker", "--threads", threads], arguments.threads)
    assert ours.first["parameters"] == theirs.first["parameters"], (ours.first, theirs.first)
    times = {"ours": [], "PyTorch": []}
    for turn in range(arguments.rounds + 1):
        for name, worker in (("ours", ours), ("PyTorch", theirs)):
            seconds = worker.ask("step")["seconds"]
            # The first step takes memory from the system.
            if turn > 0:
                times[name].append(seconds)
                print(f"round {turn}, {name}: {seconds:.2f} s", flush=True)
    memory = {name: worker.ask("memory")["peak_bytes"] for name, worker in (("ours", ours), ("PyTorch", theirs))}
    ratio = min(times["ours"]) / min(times["PyTorch"])
    share = memory["ours"] / memory["PyTorch"]
    is_short = ratio >= MAXIMUM_RATIO or share > MAXIMUM_RATIO
    print(f"show-train-step: {'SHORT' if is_short else 'ok'}: {min(times['ours']):.2f} s against "
          f"{min(times['PyTorch']):.2f} s, ratio {ratio:.2f} (bound below {MAXIMUM_RATIO}); memory "
          f"{memory['ours'] / 1e9:.2f} GB against {memory['PyTorch'] / 1e9:.2f} GB, ratio {share:.2f} "
          f"(bound {MAXIMUM_RATIO})")
    sys.exit(1 if is_short else 0)


if __name__ == "__main__":
    main()
