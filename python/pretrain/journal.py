"""The log of a run: text to read, a table to plot."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path
from typing import Optional

_COLUMNS = [
    "seconds", "stage", "step", "samples", "loss", "samples_per_second", "rate_factor", "psnr",
    "right", "wrong", "bound",
]  # fmt: skip


class Journal:
    """Appends to ``log.txt`` and ``log.csv`` of a folder; silent without one."""

    def __init__(self, folder: Optional[Path]) -> None:
        self._folder = folder
        if folder and not (folder / "log.csv").is_file():
            with (folder / "log.csv").open("w", newline="") as file:
                csv.writer(file).writerow(_COLUMNS)

    def say(self, text: str) -> None:
        """A line with the time, in ``log.txt`` and on standard output."""
        if self._folder is None:
            return
        line = f"{datetime.datetime.now():%Y-%m-%d %H:%M:%S} {text}"
        print(line, flush=True)
        with (self._folder / "log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def row(self, **values: object) -> None:
        """A row of ``log.csv``; what is not given stays empty."""
        if self._folder is None:
            return
        unknown = set(values) - set(_COLUMNS)
        if unknown:
            raise ValueError(f"no columns {sorted(unknown)}")
        with (self._folder / "log.csv").open("a", newline="") as file:
            csv.writer(file).writerow([values.get(name, "") for name in _COLUMNS])
