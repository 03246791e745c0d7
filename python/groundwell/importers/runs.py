"""Masks as COCO writes them, read without trust: every number is checked before it is used.

pycocotools' C code takes what it is given at its word, so nothing from a file reaches it unchecked.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..safetensors import Array
from .items import BrokenItem

MAXIMUM_STEPS = 1 << 24
TOLERANCE = 1.0


def decode_text(text: bytes, maximum: int) -> list[int]:
    """The runs that compressed text stands for (pycocotools' ``rleFrString``)."""
    runs: list[int] = []
    position = 0
    while position < len(text):
        run = shift = 0
        more = True
        while more:
            if position >= len(text):
                raise BrokenItem("the runs end in the middle of a number")
            bits = text[position] - 48
            if not 0 <= bits < 64 or shift > 30:
                raise BrokenItem(f"character {position} of the runs is none of theirs")
            position += 1
            run |= (bits & 0x1F) << shift
            shift += 5
            more = bool(bits & 0x20)
            if not more and bits & 0x10:
                run |= -1 << shift
        if len(runs) > 2:
            run += runs[-2]
        if not 0 <= run <= 1 << 32:
            raise BrokenItem(f"run {len(runs)} is {run}")
        if len(runs) >= maximum:
            raise BrokenItem(f"more than {maximum} runs")
        runs.append(run)
    return runs


def decode_runs(runs: list[int], height: int, width: int) -> Array:
    """A mask from its runs, down the columns, zeros first."""
    try:
        lengths = np.array(runs, np.int64)
    except (OverflowError, ValueError, TypeError):
        raise BrokenItem("the runs are no whole numbers") from None
    if lengths.ndim != 1 or (lengths < 0).any() or (lengths > height * width).any():
        raise BrokenItem("a run is negative or longer than the image")
    if int(lengths.sum()) != height * width:
        raise BrokenItem(
            f"the runs cover {int(lengths.sum())} pixels, the image has {height * width}"
        )
    values = np.arange(len(lengths), dtype=np.int64) % 2
    flat = np.repeat(values.astype(np.uint8), lengths)
    return np.ascontiguousarray(flat.reshape(width, height).T)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def decode_polygons(polygons: list[Any], height: int, width: int) -> Array:
    """Filled polygons, as pycocotools fills them."""
    from pycocotools import mask as coco_mask

    steps = MAXIMUM_STEPS
    checked: list[list[float]] = []
    for polygon in polygons:
        if not isinstance(polygon, list) or len(polygon) < 6 or len(polygon) % 2:
            raise BrokenItem("a polygon needs three points or more, two numbers each")
        if not all(is_number(value) for value in polygon):
            raise BrokenItem("a polygon holds something that is no number")
        points = [(float(x), float(y)) for x, y in zip(polygon[::2], polygon[1::2])]
        for x, y in points:
            if not (-TOLERANCE <= x <= width + TOLERANCE and -TOLERANCE <= y <= height + TOLERANCE):
                raise BrokenItem(
                    f"the point ({x}, {y}) lies outside the image of {width}x{height} pixels"
                )
        for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1]):
            steps -= int(5 * max(abs(x0 - x1), abs(y0 - y1))) + 1
        if steps < 0:
            raise BrokenItem(f"outlines of more than {MAXIMUM_STEPS} steps; simplify the polygons")
        checked.append([value for point in points for value in point])
    if not checked:
        raise BrokenItem("an empty segmentation; only outlines and runs give masks")
    merged = coco_mask.merge(coco_mask.frPyObjects(checked, height, width))
    return np.ascontiguousarray(coco_mask.decode(merged))


def decode_segmentation(segmentation: Any, height: int, width: int) -> Array:
    """A mask from a segmentation of any of COCO's forms."""
    if isinstance(segmentation, list):
        return decode_polygons(segmentation, height, width)
    if not isinstance(segmentation, dict):
        raise BrokenItem("no segmentation; only outlines and runs give masks")
    size = segmentation.get("size")
    if size != [height, width]:
        raise BrokenItem(f"runs for a mask of {size!r:.40}, the image is [{height}, {width}]")
    counts = segmentation.get("counts")
    maximum = height * width + 1
    if isinstance(counts, str):
        return decode_runs(decode_text(counts.encode("utf-8", "replace"), maximum), height, width)
    if isinstance(counts, list) and len(counts) <= maximum:
        if not all(is_number(run) and run == int(run) for run in counts):
            raise BrokenItem("the runs are no whole numbers")
        return decode_runs([int(run) for run in counts], height, width)
    raise BrokenItem("runs without 'counts'")
