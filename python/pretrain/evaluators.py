"""The networks that judge samples: a classifier and a segmentation network, trained on scenes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as functional
from torch import Tensor, nn

from .autoencoder import to_float
from .data import ONE_OBJECT, TWO_CATEGORIES, Scenes
from .optimizers import Optimizers, rate_factor

_IGNORED = 65535
_GROUPS = 8
_BATCH = 64
_CHUNK = 256
#: Pixels of each image that a step of the segmenter looks at, of 1,024.
_PIXELS = 256
_WARMUP_STEPS = 50
_DECAY_SHARE = 0.5
_MATRIX_RATE, _RATE = 0.02, 2e-3
#: Standard deviation of the noise that training images get: samples are not as clean as scenes.
_NOISE = 0.05
#: An object counts as present from this share of the image on (41 pixels of 64x64).
PRESENT_SHARE = 0.01


def _block(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(_GROUPS, outputs), nn.SiLU()
    )


class Classifier(nn.Module):
    """``[n, 3, s, s]`` in -1...1 to logits of the one category that is shown."""

    def __init__(self, categories: int, widths: tuple[int, ...] = (24, 48, 96, 192)) -> None:
        super().__init__()
        self.stem = _block(3, widths[0], 2)
        pairs = zip(widths, widths[1:])
        self.levels = nn.Sequential(
            *[nn.Sequential(_block(a, b, 2), _block(b, b)) for a, b in pairs]
        )
        self.head = nn.Linear(widths[-1], categories)

    def features(self, image: Tensor) -> Tensor:
        """``[n, width]``: what the head sees."""
        return self.levels(self.stem(image)).amax((2, 3))

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.features(image))


class Segmenter(nn.Module):
    """``[n, 3, s, s]`` in -1...1 to logits ``[n, 1 + categories, s/2, s/2]``; 0 is background.

    A U-Net whose way down is the classifier's, so that it begins with a trained one's weights.
    """

    def __init__(
        self,
        categories: int,
        widths: tuple[int, ...] = (24, 48, 96, 192),
        up_widths: tuple[int, ...] = (96, 64, 48),
    ) -> None:
        super().__init__()
        self.stem = _block(3, widths[0], 2)
        pairs = zip(widths, widths[1:])
        self.levels = nn.Sequential(
            *[nn.Sequential(_block(a, b, 2), _block(b, b)) for a, b in pairs]
        )
        below, up = widths[-1], []
        for beside, width in zip(reversed(widths[:-1]), up_widths):
            up.append(_block(below + beside, width))
            below = width
        self.up = nn.ModuleList(up)
        self.head = nn.Conv2d(below, 1 + categories, 1)

    def begin_with(self, classifier: Classifier) -> None:
        """Takes over the way down of a trained classifier."""
        self.stem.load_state_dict(classifier.stem.state_dict())
        self.levels.load_state_dict(classifier.levels.state_dict())

    def pixels(self, image: Tensor) -> Tensor:
        """``[n, width, s/2, s/2]``: what the head sees."""
        levels = [self.stem(image)]
        for level in self.levels:
            levels.append(level(levels[-1]))
        value = levels.pop()
        for up in self.up:
            value = functional.interpolate(value, scale_factor=2.0, mode="nearest")
            value = up(torch.cat([value, levels.pop()], 1))
        return value

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.pixels(image))


@dataclass(frozen=True)
class Evaluators:
    """Both networks, and how well they do on held-out scenes."""

    classifier: Classifier
    segmenter: Segmenter
    #: Share of held-out one-object scenes whose category the classifier names.
    classifier_accuracy: float
    #: Share of held-out objects most of whose pixels the segmenter gives their category.
    segmenter_accuracy: float
    #: Share of held-out two-category scenes in which the segmenter finds both.
    both_present_in_scenes: float


def train_or_load(
    path: Path,
    categories: list[str],
    scenes: Callable[[], Scenes],
    held_out: Callable[[], Scenes],
    steps: int,
    device: str,
    say: Callable[[str], None],
) -> Evaluators:
    """Evaluators from ``path`` when they are for these categories, else trained and kept there."""
    classifier = Classifier(len(categories)).to(device)
    segmenter = Segmenter(len(categories)).to(device)
    names = ("classifier_accuracy", "segmenter_accuracy", "both_present_in_scenes")
    if path.is_file():
        saved = torch.load(path, map_location=device, weights_only=True)
        if saved["categories"] == categories and saved["steps"] >= steps:
            classifier.load_state_dict(saved["classifier"])
            segmenter.load_state_dict(saved["segmenter"])
            figures = {name: saved[name] for name in names}
            return Evaluators(classifier.eval(), segmenter.eval(), **figures)
    training, testing = scenes(), held_out()
    torch.manual_seed(0)
    # It learns faster, and the segmenter goes on with what it learned.
    half = max(1, steps // 2)
    _train(classifier, training, half, _classifier_loss, np.array([ONE_OBJECT]), device, say)
    segmenter.begin_with(classifier)
    _train(segmenter, training, steps, _segmenter_loss, np.arange(3), device, say)
    classifier.eval()
    segmenter.eval()
    figures = {
        "classifier_accuracy": _classifier_accuracy(classifier, testing, device),
        "segmenter_accuracy": _segmenter_accuracy(segmenter, testing, device),
        "both_present_in_scenes": _both_present(segmenter, testing, device),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(
        {
            "categories": categories,
            "steps": steps,
            "classifier": classifier.state_dict(),
            "segmenter": segmenter.state_dict(),
            **figures,
        },
        path,
    )
    return Evaluators(classifier, segmenter, **figures)


def _train(
    network: nn.Module,
    scenes: Scenes,
    steps: int,
    loss_of: Callable[[nn.Module, Tensor, Tensor, Tensor], Tensor],
    kinds: np.ndarray,
    device: str,
    say: Callable[[str], None],
) -> None:
    rows = np.nonzero(np.isin(scenes.kind, kinds))[0]
    optimizers = Optimizers([network], "muon", _MATRIX_RATE, _RATE)
    random, total = np.random.default_rng(0), 0.0
    network.to(memory_format=torch.channels_last)
    for step in range(steps):
        chosen = random.choice(rows, _BATCH)
        image = to_float(torch.from_numpy(scenes.image[chosen]).to(device))
        labels = torch.from_numpy(scenes.labels[chosen].astype(np.int64)).to(device)
        category = torch.from_numpy(scenes.category[chosen].astype(np.int64)).to(device)
        if random.random() < 0.5:
            image, labels = image.flip(3), labels.flip(2)
        image = image + _NOISE * random.random() * torch.randn_like(image)
        with torch.autocast(device, torch.bfloat16):
            loss = loss_of(network, image, labels, category)
        loss.backward()
        optimizers.step(rate_factor(step, steps, _WARMUP_STEPS, _DECAY_SHARE))
        total += float(loss.detach())
        if (step + 1) % 100 == 0:
            say(f"{type(network).__name__.lower()} {step + 1}/{steps} loss {total / 100:.4f}")
            total = 0.0


def _classifier_loss(network: nn.Module, image: Tensor, labels: Tensor, category: Tensor) -> Tensor:
    return functional.cross_entropy(network(image).float(), category)


def _segmenter_loss(network: nn.Module, image: Tensor, labels: Tensor, category: Tensor) -> Tensor:
    """Cross-entropy at some pixels: 257 logits at each of them would take most of the time."""
    half = labels[:, ::2, ::2].flatten(1)
    chosen = torch.multinomial(_pixel_shares(half).flatten(), _PIXELS * len(half), True)
    seen = network.pixels(image).permute(0, 2, 3, 1).flatten(0, 2)[chosen]
    logits = functional.linear(seen, network.head.weight.flatten(1), network.head.bias)
    return functional.cross_entropy(logits.float(), half.flatten()[chosen])


def _pixel_shares(labels: Tensor) -> Tensor:
    """Chances of ``[n, pixels]``: a label's together grow with the root of its area, none if ignored.

    With equal chances an object of 30 pixels would hardly count beside 700 of background.
    """
    counts = (labels != _IGNORED).float()
    known = torch.where(labels == _IGNORED, 0, labels)
    areas = torch.zeros(len(labels), int(known.max()) + 1, device=labels.device)
    areas.scatter_add_(1, known, counts)
    return areas.gather(1, known).clamp(min=1).rsqrt() * counts


@torch.no_grad()
def classify(network: Classifier, image: Tensor) -> Tensor:
    """``int64 [n]`` of ``uint8 [n, 3, s, s]``."""
    return torch.cat([network(to_float(chunk)).argmax(1) for chunk in image.split(_CHUNK)])


@torch.no_grad()
def features(network: Classifier, image: Tensor) -> Tensor:
    """``[n, width]`` of ``uint8 [n, 3, s, s]``, each of length 1."""
    parts = [network.features(to_float(chunk)) for chunk in image.split(_CHUNK)]
    return functional.normalize(torch.cat(parts), dim=1)


@torch.no_grad()
def segment(network: Segmenter, image: Tensor) -> Tensor:
    """``int64 [n, s/2, s/2]`` of ``uint8 [n, 3, s, s]``: what an image and its mirror image say together."""
    maps = []
    for chunk in image.split(_CHUNK):
        value = to_float(chunk)
        logits = network(value) + network(value.flip(3)).flip(3)
        maps.append(logits.argmax(1))
    return torch.cat(maps)


def is_present(maps: Tensor, label: int) -> Tensor:
    """``bool [n]``: whether ``label`` takes at least :data:`PRESENT_SHARE` of each map."""
    return (maps == label).float().mean((1, 2)) >= PRESENT_SHARE


def is_any_present(maps: Tensor) -> Tensor:
    """``bool [n]``: whether one category takes at least :data:`PRESENT_SHARE` of each map."""
    counts = functional.one_hot(maps.flatten(1)).sum(1)[:, 1:]
    if counts.shape[1] == 0:
        return torch.zeros(len(maps), dtype=torch.bool)
    return counts.amax(1) >= PRESENT_SHARE * maps[0].numel()


def _classifier_accuracy(network: Classifier, scenes: Scenes, device: str) -> float:
    rows = np.nonzero(scenes.kind == ONE_OBJECT)[0]
    found = classify(network, torch.from_numpy(scenes.image[rows]).to(device)).cpu().numpy()
    return float((found == scenes.category[rows]).mean())


def _segmenter_accuracy(network: Segmenter, scenes: Scenes, device: str) -> float:
    maps = segment(network, torch.from_numpy(scenes.image).to(device)).cpu().numpy()
    right, total = 0, 0
    for found, labels in zip(maps, scenes.labels[:, ::2, ::2]):
        for label in np.unique(labels):
            region = found[labels == label]
            if label in (0, _IGNORED) or len(region) == 0:
                continue
            total += 1
            right += int(np.bincount(region).argmax() == label)
    return right / max(1, total)


def _both_present(network: Segmenter, scenes: Scenes, device: str) -> float:
    rows = np.nonzero(scenes.kind == TWO_CATEGORIES)[0]
    maps = segment(network, torch.from_numpy(scenes.image[rows]).to(device))
    both = []
    for place, row in enumerate(rows):
        labels = [label for label in np.unique(scenes.labels[row]) if label not in (0, _IGNORED)]
        one = maps[place : place + 1]
        both.append(all(bool(is_present(one, int(label))) for label in labels))
    return float(np.mean(both)) if both else 0.0
