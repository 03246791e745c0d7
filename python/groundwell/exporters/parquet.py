"""Triplets as rows of a Parquet file."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Callable, Optional

from ..client import Client
from ..errors import GroundwellError
from ..values import Triplet
from . import png

ROWS_PER_GROUP = 100


@dataclass
class Exported:
    """What an export has written."""

    triplets: int = 0
    masks: int = 0
    #: Triplets that were removed from the store meanwhile.
    gone: int = 0
    #: Triplets that are damaged and were left out.
    broken: int = 0


def schema() -> Any:
    """The columns; ``image`` is what Hugging Face datasets reads as an image."""
    import pyarrow as pa

    mask = pa.struct(
        [
            ("category", pa.string()),
            ("instance", pa.int32()),
            ("source", pa.string()),
            ("confidence", pa.float64()),
            ("visible_fraction", pa.float64()),
            ("pixel_count", pa.int64()),
            ("png", pa.binary()),
        ]
    )
    provenance = pa.struct(
        [
            ("engine", pa.string()),
            ("model_fingerprint", pa.string()),
            ("seed", pa.int64()),
            ("sampler", pa.string()),
            ("steps", pa.int32()),
            ("guidance_scale", pa.float64()),
            ("grounding_fingerprint", pa.string()),
            ("worker", pa.string()),
            ("created_microseconds", pa.int64()),
        ]
    )
    return pa.schema(
        [
            ("triplet", pa.int64()),
            ("prompt", pa.string()),
            ("width", pa.int32()),
            ("height", pa.int32()),
            ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
            ("masks", pa.list_(mask)),
            ("provenance", provenance),
            ("committed_microseconds", pa.int64()),
        ]
    )


def row(triplet: Triplet) -> dict[str, Any]:
    """One triplet as a row."""
    info = triplet.info
    return {
        "triplet": info.triplet,
        "prompt": info.prompt,
        "width": info.width,
        "height": info.height,
        "image": {"bytes": png.encode(triplet.image), "path": f"{info.triplet:08}.png"},
        "masks": [
            {**vars(mask), "png": png.encode(pixels * 255)}
            for mask, pixels in zip(info.masks, triplet.masks)
        ],
        "provenance": dict(vars(info.provenance)),
        "committed_microseconds": info.committed_microseconds,
    }


def _ids(client: Client, limit: Optional[int], **conditions: Any) -> Iterator[int]:
    after: Optional[int] = None
    left = limit
    while left is None or left > 0:
        page = client.query(after=after, limit=1000 if left is None else min(left, 1000),
                            **conditions)  # fmt: skip
        yield from (info.triplet for info in page)
        if not page:
            return
        after = page[-1].triplet
        left = None if left is None else left - len(page)


def export_parquet(
    client: Client,
    path: str,
    *,
    limit: Optional[int] = None,
    on_error: str = "stop",
    progress: Optional[Callable[[int], None]] = None,
    **conditions: Any,
) -> Exported:
    """Writes the triplets that meet every condition of :meth:`Client.query`, by id.

    The file appears under its name when it is complete; it must not be there before.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    if os.path.exists(path):
        raise FileExistsError(errno.EEXIST, "is there already; name another file", path)
    partial = path + ".partial"
    done = Exported()
    try:
        with pq.ParquetWriter(partial, schema(), compression="none") as writer:
            rows: list[dict[str, Any]] = []
            for number in _ids(client, limit, **conditions):
                try:
                    triplet = client.triplet(number)
                except GroundwellError as error:
                    if error.word == "triplet_unknown":
                        done.gone += 1
                        continue
                    if error.word == "triplet_corrupt" and on_error == "skip":
                        done.broken += 1
                        continue
                    raise
                rows.append(row(triplet))
                done.triplets += 1
                done.masks += len(triplet.info.masks)
                if len(rows) == ROWS_PER_GROUP:
                    writer.write_table(pa.Table.from_pylist(rows, schema()))
                    rows = []
                if progress is not None:
                    progress(done.triplets)
            if rows:
                writer.write_table(pa.Table.from_pylist(rows, schema()))
        os.replace(partial, path)
    except BaseException:
        if os.path.exists(partial):
            os.unlink(partial)
        raise
    return done
