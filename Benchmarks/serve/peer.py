"""What a loader is to show-serve."""

import importlib.util


def to_tensors(image, labels):
    """Arrays as torch tensors; copies what is read-only, as torch asks for."""
    import numpy as np
    import torch

    return tuple(torch.from_numpy(a if a.flags.writeable else np.array(a)) for a in (image, labels))


class Peer:
    """One loader: how it stores a data set, and its batches of (images [n, s, s, 3], label maps [n, s, s])."""

    #: Folder of its store, shared by loaders that differ in workers only.
    store = ""
    #: Modules that must be there.
    needs = []
    #: Whether its store is as small as PNG makes it.
    has_png = False
    #: Environment of setup.sh that it runs in.
    environment = ".venv-serve"

    def __init__(self, name, workers=0):
        self.name, self.workers = name, workers

    def missing(self):
        """The first module that is not installed, or None."""
        return next((need for need in self.needs if importlib.util.find_spec(need) is None), None)

    def build(self, arrays, store):
        """Writes the store of a data set; nothing by default."""

    def size(self, arrays, store):
        """Bytes on disk; blocks, because LMDB's files have holes."""
        return sum(path.stat().st_blocks * 512 for path in store.rglob("*") if path.is_file())

    def files(self, folder, store):
        """What it reads from; all of it is in the page cache when a round begins."""
        return [path for path in store.rglob("*") if path.is_file()]

    def batches(self, arrays, store, batch):
        """An iterator without an end."""
        raise NotImplementedError

    def processes(self):
        """Processes that are not children of ours but belong to the loader."""
        return []

    def close(self):
        """Ends what `batches` started."""
