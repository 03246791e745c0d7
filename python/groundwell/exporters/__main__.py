"""The command line of the exporters."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Optional

from ..client import connect
from ..errors import GroundwellError
from ..importers.run import Progress
from ..options import given
from .parquet import export_parquet


def main(arguments: Optional[list[str]] = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m groundwell.exporters", description="Writes triplets of a store to Parquet."
    )
    parser.add_argument("format", choices=("parquet",))
    parser.add_argument("path", help="the file to write; it must not be there")
    parser.add_argument("--category", help="only triplets that show it")
    parser.add_argument("--engine", help="only triplets made by it")
    parser.add_argument("--limit", type=int, help="at most this many")
    parser.add_argument("--on-error", choices=("skip", "stop"), default="stop")
    parser.add_argument("--json", action="store_true", help="print the summary as JSON")
    parser.add_argument("--socket", help="socket of the daemon")
    options = parser.parse_args(arguments)
    try:
        with connect(options.socket) as client:
            conditions = given(category=options.category, engine=options.engine)
            counts = client.counts(
                categories=[options.category] if options.category else None
            )
            total = counts[options.category].stock if options.category else counts.triplets
            bar = Progress(min(total, options.limit or total), sys.stderr)
            done = export_parquet(
                client, options.path, limit=options.limit, on_error=options.on_error,
                progress=bar.show, **conditions,
            )  # fmt: skip
            bar.show(done.triplets, last=True)
    except ModuleNotFoundError as error:
        print(f"groundwell: {error.name} is missing: pip install 'groundwell[exporters]'",
              file=sys.stderr)  # fmt: skip
        return 1
    except OSError as error:
        print(f"groundwell: {options.path}: {error.strerror or error}", file=sys.stderr)
        return 1
    except GroundwellError as error:
        print(f"groundwell: {error.message}", file=sys.stderr)
        return 3 if error.code == 0 else 4
    if options.json:
        print(json.dumps(vars(done)))
    else:
        print(f"{options.path}: {done.triplets} triplets, {done.masks} masks, {done.gone} gone, "
              f"{done.broken} left out.")  # fmt: skip
    return 1 if done.broken else 0


if __name__ == "__main__":
    sys.exit(main())
