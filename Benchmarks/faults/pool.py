"""Processes that run cases side by side, and end with whoever started them."""

from __future__ import annotations

import contextlib
import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor

END_SECONDS = 10


@contextlib.contextmanager
def processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool; when the program is interrupted its processes are too, and stop their daemons."""
    pool = ProcessPoolExecutor(count)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        children = multiprocessing.active_children()
        for child in children:
            child.terminate()
        for child in children:
            child.join(END_SECONDS)
            if child.is_alive():
                child.kill()
        raise
    pool.shutdown()
