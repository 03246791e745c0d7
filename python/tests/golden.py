"""Where the golden files are, and how they are read."""

from __future__ import annotations

import json
import socket
import time
from pathlib import Path
from typing import Any

from groundwell.frames import Frame, FrameReader

SCHEMA = Path(__file__).resolve().parents[2] / "schema"
FRAMES = SCHEMA / "wire" / "golden"
PLANS = SCHEMA / "plan" / "golden"


def raw(name: str) -> bytes:
    """The bytes of a golden frame."""
    return (FRAMES / name).read_bytes()


def frame(name: str) -> Frame:
    """A golden frame, read through a socket as the client reads it."""
    near, far = socket.socketpair()
    with near, far:
        far.sendall(raw(name))
        near.setblocking(False)
        return FrameReader(near).read(time.monotonic() + 5)


def vectors(name: str) -> Any:
    """The entries of a golden plan file."""
    return json.loads((PLANS / name).read_text(encoding="utf-8"))
