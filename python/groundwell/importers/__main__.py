"""The command line of the importers."""

from __future__ import annotations

import argparse
import json
import os
import sys
from typing import Optional

from ..client import connect
from ..errors import GroundwellError
from .items import BrokenItem, BrokenSource, Source
from .run import run


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m groundwell.importers",
        description="Brings data sets with JPEG files, WebDataset shards and Parquet into a store.",
    )
    formats = made.add_subparsers(dest="format", required=True)
    voc = formats.add_parser("voc", help="a folder of PASCAL VOC, such as VOCdevkit/VOC2012")
    voc.add_argument("path")
    voc.add_argument("--list", help="a list of ImageSets/Segmentation, such as trainval")
    coco = formats.add_parser("coco", help="a COCO file of instances and a folder of images")
    coco.add_argument("path")
    coco.add_argument("--images", help="the folder of the images (default: that of the file)")
    coco.add_argument("--captions", help="a COCO file of captions, for prompts")
    coco.add_argument("--crowd", choices=("keep", "drop"), default="keep")
    shards = formats.add_parser("webdataset", help="shards of 'groundwell export webdataset'")
    shards.add_argument("path", help="a folder, or a pattern such as 'shards/*.tar'")
    parquet = formats.add_parser("parquet", help="a file of 'groundwell.exporters parquet'")
    parquet.add_argument("path")
    for sub in (voc, coco, shards, parquet):
        sub.add_argument("--source", help="name of the data set (default: the full path)")
        sub.add_argument("--on-error", choices=("skip", "stop"), default="stop")
        sub.add_argument("--limit", type=int, help="take at most this many items")
        sub.add_argument("--json", action="store_true", help="print the summary as JSON")
        sub.add_argument("--socket", help="socket of the daemon")
    return made


def source_of(options: argparse.Namespace) -> Source:
    """The data set that the options name."""
    if options.format == "voc":
        from .voc import VOCSource

        return VOCSource(options.path, options.list)
    if options.format == "coco":
        from .coco import COCOSource, read_json

        return COCOSource(
            read_json(options.path),
            options.images or os.path.dirname(options.path) or ".",
            options.path,
            captions=read_json(options.captions) if options.captions else None,
            crowd=options.crowd,
        )
    if options.format == "webdataset":
        from .webdataset import WebDatasetSource

        return WebDatasetSource(options.path)
    from .parquet import ParquetSource

    return ParquetSource(options.path)


def main(arguments: Optional[list[str]] = None) -> int:
    options = parser().parse_args(arguments)
    try:
        with connect(options.socket) as client:
            summary = run(
                client,
                source_of(options),
                options.source or os.path.realpath(options.path),
                on_error=options.on_error,
                limit=options.limit,
            )
    except ModuleNotFoundError as error:
        print(f"groundwell: {error.name} is missing: pip install 'groundwell[importers]'",
              file=sys.stderr)  # fmt: skip
        return 1
    except (BrokenItem, BrokenSource) as error:
        print(f"groundwell: {error}", file=sys.stderr)
        return 1
    except GroundwellError as error:
        print(f"groundwell: {error.message}", file=sys.stderr)
        return 3 if error.code == 0 else 4
    print(json.dumps(summary.as_json()) if options.json else summary)
    return 1 if summary.broken else 0


if __name__ == "__main__":
    sys.exit(main())
