"""PNG files with nothing but NumPy and zlib."""

from __future__ import annotations

import struct
import zlib

import numpy as np

from ..safetensors import Array


def encode(pixels: Array) -> bytes:
    """A PNG of ``uint8 [height, width]`` (gray) or ``[height, width, 3]`` (sRGB)."""
    pixels = np.ascontiguousarray(pixels, np.uint8)
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1).astype(np.int16)
    if pixels.ndim == 3:  # Filter 2, up: each row less the one above.
        rows[1:] -= pixels.reshape(height, -1)[:-1]
    is_colour = pixels.ndim == 3
    data = np.empty((height, rows.shape[1] + 1), np.uint8)
    data[:, 0] = 2 if is_colour else 0  # The row's filter.
    data[:, 1:] = (rows & 0xFF).astype(np.uint8)
    header = struct.pack(">IIBBBBB", width, height, 8, 2 if is_colour else 0, 0, 0, 0)
    parts = [(b"IHDR", header), (b"IDAT", zlib.compress(data.tobytes(), 6)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))
        for name, body in parts
    )
