"""Runs damaged inputs through one of the Python importers; ``show_fuzz.py`` starts it.

    fuzz_importers.py PROBE SEED FIRST COUNT MARKER [REGRESSIONS]

With COUNT 0 it writes input FIRST to the file MARKER instead.
"""

from __future__ import annotations

import io
import json
import os
import random
import resource
import signal
import struct
import sys
import tarfile
import time
import zlib
from pathlib import Path
from typing import Any, Callable

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "python"))

import numpy as np  # noqa: E402
from groundwell.exporters import png  # noqa: E402
from groundwell.importers.coco import COCOSource  # noqa: E402
from groundwell.importers.items import (  # noqa: E402
    BrokenItem,
    BrokenSource,
    MaskList,
    picture,
)
from groundwell.importers.parquet import ParquetSource  # noqa: E402
from groundwell.importers.voc import NAMES, objects  # noqa: E402
from groundwell.importers.webdataset import _samples, sample  # noqa: E402

HANG_SECONDS = 10
MAXIMUM_BYTES = 4096


def palette_png(values: Any) -> bytes:
    """A PNG of palette numbers."""
    height, width = values.shape
    rows = np.zeros((height, width + 1), np.uint8)
    rows[:, 1:] = values
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", bytes(range(256)) * 3),
        (b"IDAT", zlib.compress(rows.tobytes())),
        (b"IEND", b""),
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )


def mended_png(data: bytes) -> bytes:
    """The same PNG with right checksums on all whole chunks."""
    out, start = bytearray(data), 8
    while len(out) - start >= 12:
        length = int.from_bytes(out[start : start + 4], "big")
        if length > len(out) - start - 12:
            break
        end = start + 8 + length
        out[end : end + 4] = struct.pack(">I", zlib.crc32(bytes(out[start + 4 : end])))
        start = end + 4
    return bytes(out)


def mended_tar(data: bytes) -> bytes:
    """The same tar with a right checksum on its first header."""
    if len(data) < 512:
        return data
    out = bytearray(data)
    out[148:156] = b" " * 8
    out[148:156] = b"%06o\0 " % sum(out[:512])
    return bytes(out)


def image(side: int) -> Any:
    return (np.arange(side * side * 3) * 7 % 251).astype(np.uint8).reshape(side, side, 3)


def facts() -> bytes:
    mask = {"category": "cat", "instance": 0, "source": "exact", "confidence": 0.5}
    return json.dumps({"prompt": "a cat", "masks": [mask], "triplet": 7}).encode()


def shard() -> bytes:
    stream = io.BytesIO()
    mask = np.eye(9, dtype=np.uint8) * 255
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as made:
        for name, data in (
            ("7.image.png", png.encode(image(9))), ("7.mask000.png", png.encode(mask)),
            ("7.json", facts()),
        ):  # fmt: skip
            info = tarfile.TarInfo(name)
            info.size = len(data)
            made.addfile(info, io.BytesIO(data))
    return stream.getvalue()[: 512 * 9 + 1024]


def parquet_file() -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from groundwell.exporters.parquet import schema

    rows = [
        {
            "triplet": number, "prompt": "a cat", "width": 8, "height": 8,
            "image": {"bytes": png.encode(image(8)), "path": "a.png"},
            "masks": [{"category": "cat", "instance": 0, "source": "exact",
                       "png": png.encode(np.eye(8, dtype=np.uint8))}],
            "provenance": None, "committed_microseconds": 1,
        }
        for number in range(2)
    ]  # fmt: skip
    small = pa.schema([field for field in schema() if field.name != "provenance"])
    stream = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, small), stream, compression="none",
                   write_statistics=False, store_schema=False)  # fmt: skip
    return stream.getvalue()


COCO = {
    "images": [{"id": 7, "file_name": "a.png", "width": 16, "height": 16}],
    "categories": [{"id": 2, "name": "cat"}],
    "annotations": [
        {"id": 1, "image_id": 7, "category_id": 2, "iscrowd": 0,
         "segmentation": [[1.5, 2.25, 9, 2, 9.75, 11, 3, 12.5]]},
        {"id": 2, "image_id": 7, "category_id": 2, "iscrowd": 1,
         "segmentation": {"size": [16, 16], "counts": [20, 10, 200, 26]}},
        {"id": 3, "image_id": 7, "category_id": 2,
         "segmentation": {"size": [16, 16], "counts": "R1793M00000000O7Jh2"}},
    ],
}  # fmt: skip


def read_voc(data: bytes) -> None:
    half = len(data) // 2
    parts = (data[:half], data[half:])
    classes = picture(parts[0], mode=None)
    instances = picture(parts[1], mode=None)
    objects(classes, instances, NAMES, MaskList(*classes.shape[:2]))


def read_coco(data: bytes) -> None:
    try:
        parsed = json.loads(data)
    except (ValueError, RecursionError):
        return
    source = COCOSource(parsed, "/nowhere")
    for entry in list(source)[:3]:
        try:
            entry.load()
        except BrokenItem:
            continue


FILE = f"/dev/shm/groundwell-fuzz-{os.getpid()}" if os.path.isdir("/dev/shm") else ""


def read_shard(data: bytes) -> None:
    with open(FILE, "wb") as file:
        file.write(data)
    for key, members in _samples(FILE)[:3]:

        def read(name: str, members: Any = members) -> bytes:
            if name not in members:
                raise BrokenItem(f"no file {name}")
            offset, size = members[name]
            return data[offset : offset + size]

        try:
            sample(key, read)
        except BrokenItem:
            continue


def read_parquet(data: bytes) -> None:
    with open(FILE, "wb") as file:
        file.write(data)
    for entry in list(ParquetSource(FILE))[:3]:
        try:
            entry.load()
        except BrokenItem:
            continue


def voc_seed() -> bytes:
    values = np.arange(81, dtype=np.uint8).reshape(9, 9) % 3
    made = palette_png(values)
    return made + made


Probe = tuple[list[bytes], Callable[[bytes], None], Callable[[bytes], bytes], list[bytes]]
JSON_WORDS = [b"null", b"-1", b"1e308", b"NaN", b"Infinity", b"[]", b"{}", b'"', b"true", b"[[",
              b"99999999999999999999", b'"counts":', b"\\ud800"]  # fmt: skip


def mended_pair(data: bytes) -> bytes:
    half = len(data) // 2
    return mended_png(data[:half]) + mended_png(data[half:])


def probe_of(name: str) -> Probe:
    words = [b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff"]
    if name == "py-voc":
        return [voc_seed()], read_voc, mended_pair, words + [b"IHDR", b"PLTE", b"tRNS"]
    if name == "py-coco":
        return [json.dumps(COCO).encode()], read_coco, lambda data: data, JSON_WORDS
    if name == "py-webdataset":
        return [shard()], read_shard, mended_tar, words + JSON_WORDS + [b"ustar", b"7777777"]
    if name == "py-parquet":
        return [parquet_file()], read_parquet, lambda data: data, words + [b"PAR1"]
    sys.exit(2)


def damaged(number: int, seed: int, probe: Probe) -> bytes:
    seeds, _, mend, words = probe
    rng = random.Random(seed << 40 | number)
    data = bytearray(rng.choice(seeds))
    for _ in range(rng.randint(1, 6)):
        place = rng.randrange(len(data)) if data else 0
        kind = rng.randrange(7)
        if kind == 0 and data:
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 1 and data:
            data[place] = rng.randrange(256)
        elif kind == 2:
            data[place:place] = bytes([rng.randrange(256)])
        elif kind == 3:
            del data[place : place + rng.randint(1, 16)]
        elif kind == 4:
            word = rng.choice(words)
            data[place : place + (len(word) if rng.random() < 0.5 else 0)] = word
        elif kind == 5:
            data[place:place] = data[place : place + rng.randint(1, 64)]
        elif rng.random() < 0.3:
            del data[len(data) - rng.randint(1, 1 + len(data) // 4) :]
    whole = bytes(data[: max(MAXIMUM_BYTES, len(seeds[0]) + 256)])
    return mend(whole) if rng.random() < 0.75 else whole


def main() -> None:
    name, seed, first, count, marker = (
        sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), sys.argv[5],
    )  # fmt: skip
    probe = probe_of(name)
    if len(sys.argv) > 6 and os.path.isdir(sys.argv[6]):
        extra = [path.read_bytes() for path in sorted(Path(sys.argv[6]).iterdir())]
        probe = (probe[0] + extra, *probe[1:])
    if count == 0:
        Path(marker).write_bytes(damaged(first, seed, probe))
        return
    descriptor = os.open(marker, os.O_CREAT | os.O_RDWR)
    # The default of SIGALRM ends the process: an input that hangs in C is found as well.
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    started = time.monotonic()
    longest = 0.0
    for number in range(first, first + count):
        os.pwrite(descriptor, struct.pack("<q", number), 0)
        if number % 256 == 0:
            signal.alarm(HANG_SECONDS)
        data = damaged(number, seed, probe)
        begun = time.monotonic()
        try:
            probe[1](data)
        except (BrokenItem, BrokenSource):
            pass
        longest = max(longest, time.monotonic() - begun)
    signal.alarm(0)
    if FILE and os.path.exists(FILE):
        os.unlink(FILE)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps({"inputs": count, "seconds": time.monotonic() - started,
                      "longest_ms": longest * 1000, "peak_mb": peak}))  # fmt: skip


if __name__ == "__main__":
    main()
