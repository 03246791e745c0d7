"""Ends a DataLoader worker whose parent has been killed."""

from __future__ import annotations

import multiprocessing
import multiprocessing.connection
import os
import threading

_STEP_SECONDS = 1.0
#: The process whose parent is watched; a forked child starts a thread of its own.
_watching = 0


def end_with_parent() -> None:
    """From now on this process ends when the one that started it does.

    PyTorch's own watch looks at the parent's process id, which is that of the fork server for
    workers that came from one; the fork server in turn lives for as long as its children do, so
    both would stay for ever, and the memory of their batches with them.
    """
    global _watching
    if _watching == os.getpid() or multiprocessing.parent_process() is None:
        return
    _watching = os.getpid()
    threading.Thread(target=_watch, name="groundwell parent watch", daemon=True).start()


def _watch() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    is_direct = os.getppid() == parent.pid
    while True:
        # The pipe misses a death while forked siblings hold its other end.
        is_gone = bool(multiprocessing.connection.wait([parent.sentinel], _STEP_SECONDS))
        if is_gone or is_direct and os.getppid() != parent.pid:
            os._exit(1)
