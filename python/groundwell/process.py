"""The number of this process, without a system call for each look.

A batch is handed out with several looks at it: an object that is older than a fork must notice.
"""

import os

_number = os.getpid()


def number() -> int:
    """What ``os.getpid`` gives."""
    return _number


def _after_fork() -> None:
    global _number
    _number = os.getpid()


os.register_at_fork(after_in_child=_after_fork)
