"""Trains a segmentation of pixels with NumPy alone, on a balanced stream of scenes.

A small two-layer network looks at the colours around each pixel at three scales. It is nothing to
be proud of, but it needs no framework: the stream's arrays are views of the daemon's memory, and
``state_dict`` is a few values. In the middle training is stopped and resumed, and must end with
the same weights as without a stop.

    make examples                             # a short version of all examples
    python examples/train_numpy.py            # about a minute
"""

from __future__ import annotations

import argparse
import json
from typing import Any

import numpy as np
from own_daemon import Scenes, daemon, report

import groundwell

CATEGORIES = ["cat", "car", "tree", "pizza"]
CLASSES = 1 + len(CATEGORIES)
IGNORE = 65535
SIZE = 32
BATCH = 8
PIXELS = 300
RADII = (1, 3, 8)
FEATURES = 3 * (1 + 2 * len(RADII)) + 2
HIDDEN = 48


def features(image: Any) -> Any:
    """``float32 [n * s * s, FEATURES]``: colour, mean and spread around it, and the place."""
    x = image.astype(np.float32) / 127.5 - 1
    parts = [x]
    for radius in RADII:
        mean = blurred(x, radius)
        parts += [mean, np.sqrt(np.maximum(0, blurred(x * x, radius) - mean * mean))]
    places = np.linspace(-1, 1, x.shape[1], dtype=np.float32)
    down, right = np.meshgrid(places, places, indexing="ij")
    place = np.broadcast_to(np.stack([down, right], axis=2), (*x.shape[:3], 2))
    return np.concatenate([*parts, place], axis=3).reshape(-1, FEATURES)


def blurred(x: Any, radius: int) -> Any:
    """The mean of a square around each pixel, edges repeated."""
    for axis in (1, 2):
        widths = [(radius + 1, radius) if a == axis else (0, 0) for a in range(4)]
        total = np.cumsum(np.pad(x, widths, mode="edge"), axis=axis)
        size = 2 * radius + 1
        high = np.take(total, range(size, total.shape[axis]), axis=axis)
        low = np.take(total, range(total.shape[axis] - size), axis=axis)
        x = (high - low) / size
    return x


def some_of_each(truth: Any, random: np.random.Generator) -> Any:
    """Pixels to learn from: as many of each category as there are, up to a bound."""
    chosen = [np.flatnonzero(truth == label) for label in range(CLASSES)]
    return np.concatenate([random.permutation(rows)[:PIXELS] for rows in chosen])


class Network:
    """Two layers and Adam."""

    def __init__(self) -> None:
        random = np.random.default_rng(7)
        self.weights = [
            random.normal(0, FEATURES**-0.5, (FEATURES, HIDDEN)).astype(np.float32),
            np.zeros(HIDDEN, np.float32),
            random.normal(0, HIDDEN**-0.5, (HIDDEN, CLASSES)).astype(np.float32),
            np.zeros(CLASSES, np.float32),
        ]
        self.first = [np.zeros_like(weight) for weight in self.weights]
        self.second = [np.zeros_like(weight) for weight in self.weights]
        self.step = 0

    def scores(self, x: Any) -> tuple[Any, Any]:
        hidden = np.maximum(0, x @ self.weights[0] + self.weights[1])
        return hidden, hidden @ self.weights[2] + self.weights[3]

    def learn(self, image: Any, labels: Any) -> float:
        """One step of Adam on the cross entropy; returns the loss."""
        truth = labels.reshape(-1)
        chosen = some_of_each(truth, np.random.default_rng(self.step))
        x, truth = features(image)[chosen], truth[chosen].astype(np.int64)
        hidden, scores = self.scores(x)
        scores -= scores.max(axis=1, keepdims=True)
        chance = np.exp(scores)
        chance /= chance.sum(axis=1, keepdims=True)
        rows = np.arange(len(truth))
        loss = -np.log(np.maximum(chance[rows, truth], 1e-9)).mean()
        chance[rows, truth] -= 1
        chance /= len(truth)
        inner = (chance @ self.weights[2].T) * (hidden > 0)
        self.update([x.T @ inner, inner.sum(0), hidden.T @ chance, chance.sum(0)])
        return float(loss)

    def update(self, gradients: list[Any]) -> None:
        self.step += 1
        for weight, first, second, gradient in zip(
            self.weights, self.first, self.second, gradients
        ):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient * gradient - second)
            spread = np.sqrt(second / (1 - 0.999**self.step)) + 1e-8
            weight -= 0.005 * first / (1 - 0.9**self.step) / spread


def train(network: Network, stream: groundwell.Stream, until: int) -> None:
    """Takes batches until a step."""
    losses = []
    while network.step < until:
        batch = next(stream)
        losses.append(network.learn(batch.image, batch.labels))
    print(f"  step {until}: loss {sum(losses[-50:]) / len(losses[-50:]):.3f}", flush=True)


def evaluate(network: Network, held_out: dict[str, Any]) -> float:
    """Prints and averages the intersection over union on held-out scenes."""
    confusion = np.zeros(CLASSES**2, np.int64)
    for image, label in zip(held_out["image"], held_out["labels"]):
        truth = label.reshape(-1).astype(np.int64)
        guess = network.scores(features(image[None]))[1].argmax(axis=1)
        pairs = (truth * CLASSES + guess)[truth != IGNORE]
        confusion += np.bincount(pairs, minlength=CLASSES**2)
    table = confusion.reshape(CLASSES, CLASSES)
    intersection = table.diagonal()
    return report(CATEGORIES, intersection, table.sum(0) + table.sum(1) - intersection)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a few seconds, poor results")
    parser.add_argument("--socket", help="a daemon that runs already")
    options = parser.parse_args()
    steps, scenes, held_out = (40, 10, 3) if options.quick else (600, 100, 20)
    with daemon(options.socket) as socket, groundwell.connect(socket) as client:
        made = Scenes(client, CATEGORIES, scenes, held_out, SIZE)

        def opened() -> groundwell.Stream:
            return client.stream(CATEGORIES, BATCH, SIZE, seed=7, snapshot=made.snapshot)

        network, stream = Network(), opened()
        train(network, stream, steps // 2)
        state = json.dumps(stream.state_dict())
        middle = [weight.copy() for weight in network.weights]
        moments = [part.copy() for part in (*network.first, *network.second)]
        train(network, stream, steps)
        resumed, again = Network(), opened()
        again.load_state_dict(json.loads(state))
        resumed.weights, resumed.step = middle, steps // 2
        resumed.first, resumed.second = moments[: len(middle)], moments[len(middle) :]
        train(resumed, again, steps)
        print("held-out scenes:")
        mean = evaluate(resumed, made.held_out)
    pairs = zip(network.weights, resumed.weights)
    is_same = all(np.array_equal(left, right) for left, right in pairs)
    verdict = "the same weights, bit for bit" if is_same else "OTHER weights"
    print(f"mIoU {mean:.3f}; resumed training ended with {verdict}")
    raise SystemExit(0 if is_same else 1)


if __name__ == "__main__":
    main()
