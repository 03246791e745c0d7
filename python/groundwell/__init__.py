"""Balanced, pixel-labelled training batches from a Groundwell daemon.

    import groundwell

    client = groundwell.connect()
    with client.stream(["cat", "dog", "unicorn"], batch_size=32, minimum=100) as stream:
        for batch in stream:
            train(batch.image, batch.labels)
"""

from .batch import Batch
from .calls import ProgressCallback
from .client import Client, connect, default_socket_path
from .errors import ConnectionLost, GroundwellError, TimedOut
from .importing import ImportItem
from .stream import Stream
from .values import (
    Backfill,
    BackupResult,
    CategoryCount,
    CheckResult,
    Compaction,
    Counts,
    Deletion,
    Job,
    Lease,
    Mask,
    Outcome,
    Provenance,
    Quarantined,
    Recount,
    Release,
    ResumeToken,
    StreamCategory,
    Submitted,
    Triplet,
    TripletInfo,
    WorkItem,
)
from .version import VERSION as __version__

__all__ = [
    "Backfill",
    "BackupResult",
    "Batch",
    "CategoryCount",
    "CheckResult",
    "Client",
    "Compaction",
    "ConnectionLost",
    "Counts",
    "Deletion",
    "GroundwellError",
    "ImportItem",
    "Job",
    "Lease",
    "Mask",
    "Outcome",
    "ProgressCallback",
    "Provenance",
    "Quarantined",
    "Recount",
    "Release",
    "ResumeToken",
    "Stream",
    "StreamCategory",
    "Submitted",
    "TimedOut",
    "Triplet",
    "TripletInfo",
    "WorkItem",
    "__version__",
    "connect",
    "default_socket_path",
]
