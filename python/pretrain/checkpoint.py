"""Checkpoints: one file, replaced in one step, with the one before it kept."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Optional

import torch

VERSION = 1
_NAME, _PREVIOUS = "checkpoint.pt", "checkpoint-previous.pt"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be continued, and why."""


def save(folder: Path, content: dict[str, Any]) -> None:
    """Returns when the checkpoint is on the disk; a crash at any moment leaves a whole one."""
    path, partial = folder / _NAME, folder / "checkpoint.partial.pt"
    with partial.open("wb") as file:
        torch.save({"version": VERSION, **content}, file)
        file.flush()
        os.fsync(file.fileno())
    if path.is_file():
        previous = folder / _PREVIOUS
        previous.unlink(missing_ok=True)
        os.link(path, previous)
    partial.rename(path)


def load(folder: Path, device: str) -> Optional[dict[str, Any]]:
    """The newest checkpoint of a folder, or none.

    Raises :class:`CheckpointError` when the file is of another version.
    """
    path = folder / _NAME
    if not path.is_file():
        return None
    content = torch.load(path, map_location=device, weights_only=True)
    if content.get("version") != VERSION:
        raise CheckpointError(
            f"{path}: version {content.get('version')}; this program reads {VERSION}"
        )
    return content


def check_same_model(saved: dict[str, Any], now: dict[str, Any], where: Path) -> list[str]:
    """Refuses other sizes by name; returns what else differs, as ``table.key: was -> is``."""
    changes = []
    for table in ("data", "model", "autoencoder", "diffusion", "report", "machine"):
        for key, value in now[table].items():
            before = saved[table].get(key)
            if before == value:
                continue
            if table == "model" or key in ("image_size", "categories", "stream_batch"):
                raise CheckpointError(
                    f"{where}: made with {table}.{key} = {before!r}, the file says {value!r}; "
                    "begin a new run in another folder, with --from for its weights"
                )
            changes.append(f"{table}.{key}: {before!r} -> {value!r}")
    return changes
