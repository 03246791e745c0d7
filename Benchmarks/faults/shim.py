"""Builds the shim, puts it in front of a program, and says what is to fail; see ``shim.c``."""

from __future__ import annotations

import errno
import mmap
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Optional

SOURCE = Path(__file__).with_name("shim.c")
BUILT = Path(__file__).resolve().parents[2] / ".build" / "fault-shim.so"

#: Classes of calls, as in ``shim.c``.
CLASSES = {
    "write": 1,
    "sync": 2,
    "open": 4,
    "mmap": 8,
    "truncate": 16,
    "read": 32,
    "malloc": 64,
    "unlink": 128,
}
_FIELDS = 16
_CLASS, _NTH, _ERRNO, _STAYS, _SHORT, _COUNT, _FIRED = range(7)


def build() -> Path:
    """Compiles the shim unless it is newer than its source; returns where it is."""
    if not BUILT.is_file() or BUILT.stat().st_mtime < SOURCE.stat().st_mtime:
        BUILT.parent.mkdir(exist_ok=True)
        made = BUILT.with_suffix(f".{os.getpid()}")
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-fPIC", "-shared"]
        answer = subprocess.run([*command, str(SOURCE), "-o", str(made)], check=False)
        if answer.returncode != 0:
            sys.exit("the shim does not compile; a C compiler is needed (apt install gcc)")
        made.rename(BUILT)
    return BUILT


def environment(
    root: Path, log: Optional[Path] = None, control: Optional[Path] = None
) -> dict[str, str]:
    """The environment of a program whose calls on files below ``root`` the shim sees."""
    chosen = dict(os.environ, LD_PRELOAD=str(build()), GROUNDWELL_FAULT_ROOT=str(root.resolve()))
    if log is not None:
        chosen["GROUNDWELL_FAULT_LOG"] = str(log)
    if control is not None:
        chosen["GROUNDWELL_FAULT_CONTROL"] = str(control)
    return chosen


class Control:
    """Says, while the program runs, which call fails."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.write_bytes(bytes(4 * _FIELDS))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), 4 * _FIELDS)

    def arm(
        self, kind: str, nth: int, number: int, stays: bool = False, is_short: bool = False
    ) -> None:
        """Lets the ``nth`` call of a class from now on fail with the errno ``number``."""
        self.disarm()
        for field, value in (
            (_NTH, nth),
            (_ERRNO, number),
            (_STAYS, int(stays)),
            (_SHORT, int(is_short)),
            (_COUNT, 0),
            (_FIRED, 0),
            (_CLASS, CLASSES[kind]),
        ):
            self._set(field, value)

    def disarm(self) -> None:
        """Lets nothing fail."""
        self._set(_CLASS, 0)

    @property
    def calls(self) -> int:
        """Calls of the class since it was armed."""
        return self._get(_COUNT)

    @property
    def fired(self) -> int:
        """Calls that failed since it was armed."""
        return self._get(_FIRED)

    def _set(self, field: int, value: int) -> None:
        struct.pack_into("=i", self._page, 4 * field, value)

    def _get(self, field: int) -> int:
        return int(struct.unpack_from("=i", self._page, 4 * field)[0])


def name(number: int) -> str:
    """The symbol of an errno."""
    return errno.errorcode.get(number, str(number))
