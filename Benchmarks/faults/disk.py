"""A disk that forgets: what may be left of a folder when the power goes.

Reads the record of ``shim.c`` and rebuilds the folder as it may be found after a power loss behind
any entry. What was synced is there: a file's bytes and length by a sync of the file, names by a sync of
their folder. Everything later may be there or not: each 512-byte sector of a write by itself, each
length, each name. Two writes to the same sector keep their order; nothing else is ordered. Closing a
file does not sync it, and neither does a rename. Sectors of a file that became longer without its
bytes hold zeros, or in some cases noise.
"""

from __future__ import annotations

import random
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Optional, Union

SECTOR_BYTES = 512
_ENTRY = struct.Struct("=IIQQ")
CREATE, WRITE, TRUNCATE, SYNC, UNLINK, RENAME, MKDIR = range(1, 8)
#: How likely it is that something unsynced is there, one of these for each case.
LIKELIHOODS = (0.0, 0.1, 0.5, 0.9, 1.0)


@dataclass(frozen=True)
class Entry:
    """One call that changed something or made it durable."""

    operation: int
    file: int
    offset: int
    data: bytes
    #: Bytes of the record up to the end of this entry.
    end: int

    @property
    def paths(self) -> list[str]:
        """The paths of a call that has some."""
        return [part.decode() for part in self.data.split(b"\0")[:-1]]


def read(path: Path) -> list[Entry]:
    """All whole entries of a record."""
    record = path.read_bytes()
    entries, at = [], 0
    while at + _ENTRY.size <= len(record):
        operation, count, file, offset = _ENTRY.unpack_from(record, at)
        begin, at = at + _ENTRY.size, at + _ENTRY.size + count
        if at > len(record):
            break
        entries.append(Entry(operation, file, offset, record[begin:at], at))
    return entries


@dataclass
class File:
    """Bytes that are on the disk, and changes that may be."""

    durable: bytearray = field(default_factory=bytearray)
    #: Writes, and truncations (no bytes), since the last sync.
    pending: list[tuple[int, Optional[bytes]]] = field(default_factory=list)

    def sync(self) -> None:
        """Everything is on the disk."""
        for offset, data in self.pending:
            _apply(self.durable, offset, data)
        self.pending = []

    def after_loss(self, choose: random.Random, likelihood: float, is_noisy: bool) -> bytes:
        """What may be found."""
        found = bytearray(self.durable)
        for offset, data in self.pending:
            if data is None:
                if choose.random() < likelihood:
                    _resize(found, offset, choose if is_noisy else None)
                continue
            end = offset + len(data)
            if end > len(found) and choose.random() < likelihood:
                _resize(found, end, choose if is_noisy else None)
            at = offset
            while at < end:
                stop = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
                if choose.random() < likelihood:
                    if at > len(found):
                        _resize(found, at, choose if is_noisy else None)
                    found[at:stop] = data[at - offset : stop - offset]
                at = stop
        return bytes(found)


@dataclass
class Folder:
    """Names that are on the disk, those of now, and the changes between the two."""

    durable: dict[str, Node] = field(default_factory=dict)
    names: dict[str, Node] = field(default_factory=dict)
    #: Each change sets some names, or removes them (None), all at once.
    pending: list[dict[str, Optional[Node]]] = field(default_factory=list)

    def change(self, names: dict[str, Optional[Node]]) -> None:
        """Changes names."""
        _rename(self.names, names)
        self.pending.append(names)

    def sync(self) -> None:
        """All names are on the disk."""
        self.durable = dict(self.names)
        self.pending = []

    def after_loss(self, choose: random.Random, likelihood: float) -> dict[str, Node]:
        """The names that may be found."""
        found = dict(self.durable)
        for names in self.pending:
            if choose.random() < likelihood:
                _rename(found, names)
        return found


Node = Union[File, Folder]


class Disk:
    """The folder of a record, entry by entry."""

    def __init__(self, root: int) -> None:
        self.root = Folder()
        self._nodes: dict[int, Node] = {root: self.root}

    def is_file(self, number: int) -> bool:
        """Whether an inode number is a file's now."""
        return isinstance(self._nodes.get(number), File)

    def apply(self, entry: Entry) -> None:
        """Follows one call."""
        node = self._nodes.get(entry.file)
        if entry.operation in (CREATE, MKDIR):
            made: Node = File() if entry.operation == CREATE else Folder()
            self._nodes[entry.file] = made  # An inode number may have been another file's before.
            folder, name = self._place(entry.paths[0])
            folder.change({name: made})
        elif entry.operation == UNLINK:
            folder, name = self._place(entry.paths[0])
            folder.change({name: None})
        elif entry.operation == RENAME:
            (old, old_name), (new, new_name) = (self._place(path) for path in entry.paths)
            moved = old.names[old_name]
            if old is not new:
                raise ValueError(f"a rename between folders is not modelled: {entry.paths}")
            old.change({old_name: None, new_name: moved})
        elif entry.operation == SYNC and node is not None:
            node.sync()
        elif isinstance(node, File):
            node.pending.append((entry.offset, entry.data if entry.operation == WRITE else None))

    def write(self, folder: Path, choose: random.Random) -> None:
        """Writes what may be found after the power has gone now."""
        likelihood = choose.choice(LIKELIHOODS)
        is_noisy = choose.random() < 0.25
        self._write(self.root, folder, choose, likelihood, is_noisy)

    def _write(
        self, node: Folder, folder: Path, choose: random.Random, likelihood: float, is_noisy: bool
    ) -> None:
        folder.mkdir(mode=0o700, exist_ok=True)
        for name, child in sorted(node.after_loss(choose, likelihood).items()):
            if isinstance(child, Folder):
                self._write(child, folder / name, choose, likelihood, is_noisy)
            else:
                (folder / name).write_bytes(child.after_loss(choose, likelihood, is_noisy))

    def _place(self, path: str) -> tuple[Folder, str]:
        *folders, name = path.split("/")
        folder = self.root
        for part in folders:
            below = folder.names[part]
            if not isinstance(below, Folder):
                raise ValueError(f"{path}: '{part}' is no folder")
            folder = below
        return folder, name


def _apply(content: bytearray, offset: int, data: Optional[bytes]) -> None:
    if data is None or offset > len(content):
        _resize(content, offset, None)
    if data is not None:
        content[offset : offset + len(data)] = data


def _resize(content: bytearray, length: int, choose: Optional[random.Random]) -> None:
    if length < len(content):
        del content[length:]
    elif length > len(content):
        more = length - len(content)
        content.extend(choose.randbytes(more) if choose else bytes(more))


def _rename(content: dict[str, Node], names: dict[str, Optional[Node]]) -> None:
    for name, node in names.items():
        if node is None:
            content.pop(name, None)
        else:
            content[name] = node
