"""The arithmetic of ``schema/README.md`` a second time, written from its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Optional

MASK = (1 << 64) - 1
CYCLE = 65536


def mix64(z: int) -> int:
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def fnv1a64(text: str) -> int:
    value = 0xCBF29CE484222325
    for byte in text.encode("utf-8"):
        value = ((value ^ byte) * 0x100000001B3) & MASK
    return value


def key(seed: int, text: str, number: int) -> int:
    return mix64((mix64(mix64(seed) ^ fnv1a64(text)) + number) & MASK)


def permute(count: int, key: int, index: int) -> int:
    bits = max(2, (count - 1).bit_length())
    value = index
    while True:
        left_bits, right_bits = bits // 2, bits - bits // 2
        left, right = value >> right_bits, value & ((1 << right_bits) - 1)
        for turn in range(8):
            mixed = mix64((key + turn * 0x9E3779B97F4A7C15 + right) & MASK)
            left, right = right, left ^ (mixed & ((1 << left_bits) - 1))
            left_bits, right_bits = right_bits, left_bits
        value = (left << right_bits) | right
        if value < count:
            return value


def whole_shares(proportions: Sequence[float]) -> list[int]:
    """Shares of 65,536 in proportion to ``proportions``."""
    scaled = [value / max(proportions) for value in proportions]
    total = 0.0
    for value in scaled:
        total += value
    quotas = [CYCLE * (value / total) for value in scaled]
    shares = [max(1, int(quota)) for quota in quotas]
    places = range(len(shares))
    while sum(shares) < CYCLE:
        shares[max(places, key=lambda c: (quotas[c] - shares[c], -c))] += 1
    while sum(shares) > CYCLE:
        several = [c for c in places if shares[c] > 1]
        shares[min(several, key=lambda c: (quotas[c] - shares[c], c))] -= 1
    return shares


def reverse16(offset: int) -> int:
    return int(f"{offset & 0xFFFF:016b}"[::-1], 2)


def visits(length: int, mask: int, bound: int) -> int:
    count = start = 0
    for j in range(16, -1, -1):
        if length >> j & 1:
            step = CYCLE >> j
            first = (reverse16(start) ^ mask) & (step - 1)
            count += (bound + step - 1 - first) // step
            start += 1 << j
    return count


@dataclass
class Plan:
    batch_size: int
    categories: list[tuple[str, int]]
    seed: int
    rank: int = 0
    world: int = 1
    policy: str = "balanced"
    weights: Optional[Sequence[float]] = None
    threshold: Optional[float] = None
    power: Optional[float] = None
    unseen: Optional[Sequence[str]] = None
    unseen_share: Optional[float] = None
    edges: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.counts = [count for _, count in self.categories]
        proportions = self._proportions()
        #: Draws of each category in 65,536, for the policies that go by shares.
        self.whole = whole_shares(proportions) if proportions is not None else None
        self.bounds = [0]
        for share in self.whole or self.counts:
            self.bounds.append(self.bounds[-1] + share)

    def _proportions(self) -> Optional[list[float]]:
        if self.policy == "weights":
            return list(self.weights or [])
        if self.policy == "repeat-factor":
            threshold = 0.001 if self.threshold is None else self.threshold
            power = 0.5 if self.power is None else self.power
            parts = [count / sum(self.counts) for count in self.counts]
            return [part * max(1.0, (threshold / part) ** power) for part in parts]
        if self.policy == "mixture":
            share = 0.5 if self.unseen_share is None else self.unseen_share
            unseen = set(self.unseen or [])
            return [
                share / len(unseen)
                if name in unseen
                else (1 - share) / (len(self.categories) - len(unseen))
                for name, _ in self.categories
            ]
        return None

    def shares(self) -> list[float]:
        """The part of all draws that each category gets."""
        if self.whole:
            return [share / CYCLE for share in self.whole]
        if self.policy == "natural":
            return [count / sum(self.counts) for count in self.counts]
        return [1 / len(self.counts)] * len(self.counts)

    def place(self, position: int) -> tuple[int, int]:
        """(category, turn) of a position."""
        if not self.whole:
            turn, place = divmod(position, len(self.counts))
            return permute(len(self.counts), key(self.seed, "category order", 0), place), turn
        cycle, offset = divmod(position, CYCLE)
        mask = key(self.seed, "shares", cycle) & 0xFFFF
        value = reverse16(offset) ^ mask
        category = next(c for c in range(len(self.counts)) if value < self.bounds[c + 1])
        before = visits(offset, mask, self.bounds[category + 1])
        before -= visits(offset, mask, self.bounds[category])
        return category, cycle * self.whole[category] + before

    def item(self, category: int, turn: int) -> tuple[int, int]:
        """(item, epoch) of a turn."""
        name, count = self.categories[category]
        first, before = 0, 0
        for next_first, next_count in self.edges.get(name, [])[1:]:
            if next_first > turn:
                break
            before += (next_first - first) // count
            first, count = next_first, next_count
        epoch, step = divmod(turn - first, count)
        epoch += before
        return permute(count, key(self.seed, name, epoch), step), epoch

    def draw(self, position: int) -> tuple[int, int, int]:
        """(category, item, epoch) of a position."""
        if self.policy == "natural":
            epoch, step = divmod(position, sum(self.counts))
            index = permute(sum(self.counts), key(self.seed, "natural", epoch), step)
            category = next(c for c in range(len(self.counts)) if index < self.bounds[c + 1])
            return category, index - self.bounds[category], epoch
        category, turn = self.place(position)
        return (category, *self.item(category, turn))

    def draws(self, k: int) -> list[tuple[int, int, int]]:
        """(category, item, epoch) of each place of batch ``k`` that this rank gets."""
        size = self.batch_size
        slots = range(size * self.rank // self.world, size * (self.rank + 1) // self.world)
        shuffle = key(self.seed, "batch", k)
        return [self.draw(k * size + permute(size, shuffle, slot)) for slot in slots]

    def epoch_batches(self) -> int:
        if self.policy == "natural":
            draws = sum(self.counts)
        elif not self.whole:
            draws = max(self.counts) * len(self.counts)
        else:
            # The slow way, from its definition.
            missing, draws = list(self.counts), 0
            while any(left > 0 for left in missing):
                missing[self.place(draws)[0]] -= 1
                draws += 1
        return -(-draws // self.batch_size)
