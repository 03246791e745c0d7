"""Bodies: the safetensors layout with the further rules of ``schema/README.md``."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from .errors import GroundwellError

ALIGNMENT = 64
MAXIMUM_HEADER_BYTES = 1 << 20
PADDING_PREFIX = "__pad"
_TYPES = {"U8": "|u1", "U16": "<u2", "I32": "<i4", "I64": "<i8", "F32": "<f4"}
_NAMES = {np.dtype(text): name for name, text in _TYPES.items()}

Array = np.ndarray[Any, Any]


def encode(tensors: dict[str, Array]) -> bytes:
    """Writes tensors in the order of the mapping, each at a multiple of 64 bytes."""
    entries: list[str] = []
    pieces: list[bytes] = []
    offset = 0
    for index, (name, array) in enumerate(tensors.items()):
        little = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<"))
        if name.startswith("__") or little.dtype not in _NAMES:
            raise ValueError(f"tensor '{name}' of {array.dtype} has no place in a body")
        entries.append(_entry(name, _NAMES[little.dtype], little.shape, offset, little.nbytes))
        pieces.append(little.tobytes())
        offset += little.nbytes
        padding = -offset % ALIGNMENT
        if padding and index + 1 < len(tensors):
            entries.append(_entry(f"{PADDING_PREFIX}{index}", "U8", (padding,), offset, padding))
            pieces.append(bytes(padding))
            offset += padding
    header = ("{" + ",".join(entries) + "}").encode()
    header += b" " * (-(8 + len(header)) % ALIGNMENT)
    return len(header).to_bytes(8, "little") + header + b"".join(pieces)


def _entry(name: str, dtype: str, shape: tuple[int, ...], start: int, length: int) -> str:
    axes = ",".join(str(axis) for axis in shape)
    return (
        f'{json.dumps(name)}:{{"dtype":"{dtype}","shape":[{axes}],'
        f'"data_offsets":[{start},{start + length}]}}'
    )


def aligned(count: int) -> Array:
    """Bytes that start at a multiple of 64, so that every tensor in a body does too."""
    whole = np.empty(count + ALIGNMENT, dtype=np.uint8)
    skip = -whole.ctypes.data % ALIGNMENT
    return whole[skip : skip + count]


def decode(body: Array) -> dict[str, Array]:
    """The tensors of a body as views of it; padding is left out.

    ``body`` is a flat array of bytes. Raises :class:`GroundwellError` ``bad_answer`` when the
    header is broken or tensors overlap, leave holes or do not fill the body.
    """
    if body.nbytes < 8:
        raise _bad(f"{body.nbytes} bytes; expected at least 8")
    length = int.from_bytes(body[:8].tobytes(), "little")
    if not 2 <= length <= min(MAXIMUM_HEADER_BYTES, body.nbytes - 8):
        raise _bad(f"header of {length} bytes in a body of {body.nbytes}")
    data = body[8 + length :]
    result: dict[str, Array] = {}
    end = 0
    for start, stop, name, dtype, shape in _entries(body[8 : 8 + length].tobytes()):
        count = 1
        for axis in shape:
            count *= axis
        if start != end or stop - start != count * dtype.itemsize or stop > data.nbytes:
            raise _bad(f"'{name}' {shape} lies at {start} to {stop}; expected a start at {end}")
        end = stop
        if not name.startswith(PADDING_PREFIX):
            result[name] = data[start:stop].view(dtype).reshape(shape)
    if end != data.nbytes:
        raise _bad(f"{data.nbytes - end} bytes behind the last tensor")
    return result


def _entries(header: bytes) -> list[tuple[int, int, str, np.dtype[Any], list[int]]]:
    try:
        parsed = json.loads(header)
        entries = []
        for name, entry in parsed.items():
            if name == "__metadata__":
                continue
            start, stop = entry["data_offsets"]
            shape = entry["shape"]
            if not all(isinstance(number, int) and number >= 0 for number in (start, stop, *shape)):
                raise ValueError(name)
            entries.append((start, stop, name, np.dtype(_TYPES[entry["dtype"]]), shape))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _bad(f"its header is not of the safetensors form ({error})") from None
    entries.sort(key=lambda entry: entry[:2])
    return entries


def _bad(message: str) -> GroundwellError:
    return GroundwellError("bad_answer", f"body: {message}")
