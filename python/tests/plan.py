"""The arithmetic of ``schema/README.md`` a second time, written from its text."""

from __future__ import annotations

from dataclasses import dataclass

MASK = (1 << 64) - 1


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


@dataclass
class Plan:
    batch_size: int
    categories: list[tuple[str, int]]
    seed: int
    rank: int = 0
    world: int = 1

    def draws(self, k: int) -> list[tuple[int, int, int]]:
        """(category, item, epoch) of each place of batch ``k`` that this rank gets."""
        size, kinds = self.batch_size, len(self.categories)
        result = []
        for slot in range(size * self.rank // self.world, size * (self.rank + 1) // self.world):
            position = k * size + permute(size, key(self.seed, "batch", k), slot)
            turn, place = divmod(position, kinds)
            category = permute(kinds, key(self.seed, "category order", 0), place)
            name, count = self.categories[category]
            epoch, step = divmod(turn, count)
            result.append((category, permute(count, key(self.seed, name, epoch), step), epoch))
        return result

    def epoch_batches(self) -> int:
        longest = max(count for _, count in self.categories)
        return -(-longest * len(self.categories) // self.batch_size)
