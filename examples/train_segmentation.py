"""Trains a small segmentation network in PyTorch on a balanced stream of scenes.

The daemon makes the scenes: some to train on, later others to evaluate on. In the middle the
checkpoint is written, and training goes on in two ways: without a stop, and from the file with a
new connection, dataset, network and optimiser. Both must end with the same weights, bit for bit.

    make examples                                    # a short version of all examples
    python examples/train_segmentation.py            # a few minutes on two cores
    python examples/train_segmentation.py --socket $XDG_RUNTIME_DIR/groundwell/groundwelld.sock
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from own_daemon import Scenes, daemon, report
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader

import groundwell
from groundwell.torch import BatchDataset

CATEGORIES = ["cat", "car", "tree", "pizza"]
IGNORE = 65535
SIZE = 64
BATCH = 16


class SmallUNet(nn.Module):
    """Three levels with skip connections; from ``[n, 3, s, s]`` to ``[n, classes, s, s]``."""

    def __init__(self, classes: int, width: int = 16) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [block(3, width), block(width, 2 * width), block(2 * width, 4 * width)]
        )
        self.up = nn.ModuleList([block(6 * width, 2 * width), block(3 * width, width)])
        self.out = nn.Conv2d(width, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        kept = []
        for index, level in enumerate(self.down):
            x = level(functional.max_pool2d(x, 2) if index else x)
            kept.append(x)
        for level, skip in zip(self.up, kept[-2::-1]):
            x = level(torch.cat([functional.interpolate(x, scale_factor=2.0), skip], dim=1))
        return self.out(x)


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class Training:
    """All that a checkpoint has to hold."""

    def __init__(self, socket: str, snapshot: int, steps: int) -> None:
        torch.manual_seed(7)
        self.data = BatchDataset(
            CATEGORIES, BATCH, SIZE, seed=7, snapshot=snapshot, socket_path=socket
        )
        self.model = SmallUNet(1 + len(CATEGORIES))
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=3e-3)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(self.optimiser, 3e-3, steps)
        self.step = 0
        self.items = self.epochs()

    def epochs(self) -> Iterator[dict[str, Any]]:
        """Every loop over a ``DataLoader`` is one epoch, or what a loaded state leaves of it."""
        while True:
            yield from DataLoader(self.data, batch_size=None)

    def run(self, until: int, report_every: int) -> None:
        """Trains until a step."""
        self.model.train()
        start, losses = time.monotonic(), []
        while self.step < until:
            losses.append(self.learn(next(self.items)))
            self.step += 1
            if self.step % report_every == 0:
                rate = len(losses) / (time.monotonic() - start)
                recent = sum(losses[-report_every:]) / len(losses[-report_every:])
                print(f"  step {self.step}: loss {recent:.3f}, {rate:.1f} steps/s", flush=True)

    def learn(self, item: dict[str, Any]) -> float:
        scores = self.model(normalised(item["image"]))
        loss = functional.cross_entropy(scores, item["labels"].long(), ignore_index=IGNORE)
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.schedule.step()
        return loss.item()

    def state_dict(self) -> dict[str, Any]:
        parts = ("data", "model", "optimiser", "schedule")
        return {"step": self.step, **{name: getattr(self, name).state_dict() for name in parts}}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.step = state["step"]
        for name in ("data", "model", "optimiser", "schedule"):
            getattr(self, name).load_state_dict(state[name])


def normalised(image: Tensor) -> Tensor:
    """``uint8 [n, s, s, 3]`` to ``float32 [n, 3, s, s]`` around 0."""
    return image.permute(0, 3, 1, 2).float() / 127.5 - 1


@torch.no_grad()
def evaluate(model: SmallUNet, held_out: dict[str, Any]) -> float:
    """Prints and averages the intersection over union on held-out scenes."""
    model.eval()
    classes = 1 + len(CATEGORIES)
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    images, labels = (torch.from_numpy(held_out[name]) for name in ("image", "labels"))
    for image, label in zip(images.split(BATCH), labels.split(BATCH)):
        truth, guess = label.long(), model(normalised(image)).argmax(1)
        pairs = truth * classes + guess
        confusion += torch.bincount(pairs[truth != IGNORE], minlength=classes**2).view(
            classes, classes
        )
    intersection = confusion.diagonal()
    return report(CATEGORIES, intersection, confusion.sum(0) + confusion.sum(1) - intersection)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="seconds, poor results")
    parser.add_argument("--socket", help="a daemon that runs already")
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    steps, scenes, held_out = (24, 12, 3) if options.quick else (300, 150, 25)
    torch.set_num_threads(options.threads)
    torch.use_deterministic_algorithms(True)
    with daemon(options.socket) as socket, tempfile.TemporaryDirectory() as folder:
        with groundwell.connect(socket) as client:
            made = Scenes(client, CATEGORIES, scenes, held_out, SIZE)
        print(f"training for {steps // 2} steps, then a checkpoint", flush=True)
        training = Training(socket, made.snapshot, steps)
        training.run(steps // 2, steps // 4)
        checkpoint = Path(folder, "checkpoint.pt")
        torch.save(training.state_dict(), checkpoint)
        print("going on without a stop", flush=True)
        training.run(steps, steps // 4)
        print("going on from the checkpoint", flush=True)
        resumed = Training(socket, made.snapshot, steps)
        resumed.load_state_dict(torch.load(checkpoint))
        resumed.run(steps, steps // 4)
        print("held-out scenes:")
        mean = evaluate(resumed.model, made.held_out)
        pairs = zip(training.model.parameters(), resumed.model.parameters())
        is_same = all(torch.equal(left, right) for left, right in pairs)
    verdict = "the same weights, bit for bit" if is_same else "OTHER weights"
    print(f"mIoU {mean:.3f}; resumed training ended with {verdict}")
    raise SystemExit(0 if is_same else 1)


if __name__ == "__main__":
    main()
