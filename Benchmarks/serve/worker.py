"""One loader in a process of its own; show_serve.py gives the orders.

    python worker.py NAME FOLDER SIDE BINARIES

Reads one order a line and answers with one JSON line: `build`, `round SECONDS`, `processes`. A round reads the
loader's files once, because some systems take pages away that nobody has used for seconds; then it makes a new iterator, takes a first batch, two more to settle, and then as many as the time allows; every page of every
batch is read, as a training step would.
"""

import json
import os
import pathlib
import shutil
import sys
import time


def peers():
    import png_peers
    import raw_peers

    return {peer.name: peer for peer in png_peers.PEERS + raw_peers.PEERS}


def touch(images, labels):
    """Reads one byte of each page; as bytes, because torch does little with uint16."""
    import torch

    return sum(int(tensor.view(torch.uint8).view(-1)[::4096].sum()) for tensor in (images, labels))


def warm(paths):
    """Reads files, so that they are in the page cache."""
    room = bytearray(1 << 20)
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while file.readinto(room):
                pass


def run(peer, arrays, store, batch, seconds):
    start = time.perf_counter()
    source = peer.batches(arrays, store, batch)
    images, labels = next(source)
    assert tuple(images.shape) == (batch, arrays.side, arrays.side, 3), images.shape
    assert tuple(labels.shape) == (batch, arrays.side, arrays.side), labels.shape
    touch(images, labels)
    first = time.perf_counter() - start
    for _ in range(2):
        images, labels = next(source)
        touch(images, labels)
    count, start = 0, time.perf_counter()
    while count < 2 or time.perf_counter() - start < seconds:
        images, labels = next(source)
        touch(images, labels)
        count += 1
    elapsed = time.perf_counter() - start
    del images, labels
    if hasattr(source, "close"):
        source.close()
    return {"first": first, "rate": count * batch / elapsed}


def main():
    name, folder, side, binaries = sys.argv[1], pathlib.Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    # Loaders print; answers go to the stream that was standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from data import BATCH, Arrays

    peer = peers()[name]
    peer.binaries = binaries
    arrays = Arrays(folder)
    store = folder / "stores" / peer.store
    for line in sys.stdin:
        order, *rest = line.split()
        try:
            if order == "build":
                missing = peer.missing()
                if missing:
                    raise RuntimeError(f"module {missing} is not installed")
                complete = store.with_suffix(".complete")
                if not complete.exists():
                    shutil.rmtree(store, ignore_errors=True)
                    store.mkdir(parents=True)
                    peer.build(arrays, store)
                    complete.touch()
                answer = {"bytes": peer.size(arrays, store)}
            elif order == "round":
                warm(peer.files(folder, store))
                answer = run(peer, arrays, store, BATCH[side], float(rest[0]))
            else:
                answer = {"processes": peer.processes()}
        except Exception as error:  # noqa: BLE001: whatever a loader raises is what is reported
            import traceback

            traceback.print_exc()
            answer = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    peer.close()


if __name__ == "__main__":
    main()
