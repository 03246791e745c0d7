"""Loaders of pixels that are not PNG: mapped arrays, LMDB with LZ4, Reverb, FFCV, and ours."""

import os
import pathlib
import sys
import time

import numpy as np

from data import CATEGORIES, BalancedOrder
from peer import Peer, to_tensors

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Gather(Peer):
    """Memory-mapped arrays, one gather for each batch into new tensors, in process: what ours is measured on."""

    store = "gather"

    def size(self, arrays, store):
        return arrays.images.nbytes + arrays.labels.nbytes

    def files(self, folder, store):
        return [folder / "images.npy", folder / "labels.npy"]

    def batches(self, arrays, store, batch):
        order = BalancedOrder(arrays.category, 3)
        while True:
            rows = order.take(batch)
            yield to_tensors(np.asarray(arrays.images[rows]), np.asarray(arrays.labels[rows]))


class LMDB(Peer):
    """LMDB with one LZ4 block of raw pixels for each sample, keys drawn in balance."""

    store = "lmdb-lz4"
    needs = ["lmdb", "lz4"]

    def build(self, arrays, store):
        import lmdb
        import lz4.block

        with lmdb.open(str(store), map_size=1 << 36) as environment:
            for start in range(0, len(arrays), 500):
                with environment.begin(write=True) as transaction:
                    for row in range(start, min(start + 500, len(arrays))):
                        value = arrays.images[row].tobytes() + arrays.labels[row].tobytes()
                        transaction.put(b"%08d" % row, lz4.block.compress(value, store_size=False))

    def batches(self, arrays, store, batch):
        import lmdb
        import lz4.block

        order, side = BalancedOrder(arrays.category, 3), arrays.side
        pixels, size = 3 * side * side, 4 * side * side
        with lmdb.open(str(store), readonly=True, lock=False, readahead=False) as environment:
            with environment.begin(buffers=True) as transaction:
                while True:
                    images = np.empty((batch, side, side, 3), np.uint8)
                    labels = np.empty((batch, side, side), np.uint8)
                    for place, row in enumerate(order.take(batch)):
                        value = lz4.block.decompress(transaction.get(b"%08d" % row), uncompressed_size=size)
                        images[place] = np.frombuffer(value, np.uint8, pixels).reshape(side, side, 3)
                        labels[place] = np.frombuffer(value, np.uint8, -1, pixels).reshape(side, side)
                    yield to_tensors(images, labels)


class Reverb(Peer):
    """Reverb: a server of its own with all samples in memory, one uniform table for each category."""

    store = "reverb"
    needs = ["reverb"]
    environment = ".venv-serve-reverb"
    server = None

    def batches(self, arrays, store, batch):
        import reverb
        import tensorflow as tf

        side = arrays.side
        signature = {"image": tf.TensorSpec((side, side, 3), tf.uint8), "labels": tf.TensorSpec((side, side), tf.uint8)}
        if self.server is None:
            tables = [reverb.Table("all", reverb.selectors.Prioritized(1.0), reverb.selectors.Fifo(), len(arrays),
                                   reverb.rate_limiters.MinSize(1), signature=signature)]
            self.server = reverb.Server(tables)
            weights = arrays.weights()
            with reverb.Client(f"localhost:{self.server.port}").trajectory_writer(1) as writer:
                for row in range(len(arrays)):
                    writer.append({"image": arrays.images[row], "labels": arrays.labels[row]})
                    writer.create_item("all", float(weights[row]),
                                       {"image": writer.history["image"][-1], "labels": writer.history["labels"][-1]})
                    writer.flush(64)
        data = reverb.TrajectoryDataset.from_table_signature(
            f"localhost:{self.server.port}", "all", max_in_flight_samples_per_worker=2 * batch)
        for sample in data.batch(batch).prefetch(2).as_numpy_iterator():
            yield to_tensors(sample.data["image"], sample.data["labels"])


class FFCV(Peer):
    """FFCV, raw pixels, threads, by a balanced list of positions."""

    store = "ffcv"
    needs = ["ffcv"]

    def build(self, arrays, store):
        from ffcv.fields import NDArrayField
        from ffcv.writer import DatasetWriter

        class Samples:
            def __len__(self):
                return len(arrays)

            def __getitem__(self, row):
                return np.array(arrays.images[row]), np.array(arrays.labels[row])

        shape = arrays.images.shape[1:]
        fields = {"image": NDArrayField(np.dtype("u1"), shape), "labels": NDArrayField(np.dtype("u1"), shape[:2])}
        DatasetWriter(str(store / "data.beton"), fields, num_workers=2).from_indexed_dataset(Samples())

    def batches(self, arrays, store, batch):
        from ffcv.fields.decoders import NDArrayDecoder
        from ffcv.loader import Loader, OrderOption
        from ffcv.transforms import ToTensor

        order = BalancedOrder(arrays.category, 3).take(100_000)
        loader = Loader(str(store / "data.beton"), batch, num_workers=2, os_cache=True, order=OrderOption.RANDOM,
                        indices=order, drop_last=True,
                        pipelines={"image": [NDArrayDecoder(), ToTensor()], "labels": [NDArrayDecoder(), ToTensor()]})
        while True:
            yield from loader


class Groundwell(Peer):
    """Ours: a daemon, its store filled as a worker fills it, batches in shared memory."""

    store = "groundwell"
    binaries = None  # set by the worker
    daemon = None
    #: Bytes of decoded images that the daemon may keep; the default when None.
    pixel_cache = None

    def _start(self, store):
        sys.path[:0] = [str(ROOT / "Benchmarks"), str(ROOT / "python")]
        from harness import Daemon

        daemon = Daemon(pathlib.Path(self.binaries), workers=0)
        if self.pixel_cache is not None:
            daemon.environment = os.environ | {"GROUNDWELL_SERVER_PIXEL_CACHE_BYTES": str(self.pixel_cache)}
        (daemon.folder / "store").symlink_to(store)
        self.daemon = daemon
        return daemon.start()

    def build(self, arrays, store):
        client = self._start(store)
        try:
            from groundwell import Mask, Provenance

            for category in range(CATEGORIES):
                left = list(np.flatnonzero(arrays.category == category))
                name = f"category {category}"
                while left:
                    counts = client.counts()
                    have = counts[name].stock if name in counts else 0
                    client.backfill({name: have + len(left)}, engine="photographs", image_size=arrays.side, companions=False)
                    while left and (items := client.lease("harness", ["photographs"], min(64, len(left)))):
                        for item in items:
                            row = left.pop()
                            present = [c for c in np.unique(arrays.labels[row]) if c > 0]
                            masks = np.stack([arrays.labels[row] == c for c in present]).astype(np.uint8)
                            infos = [Mask(f"category {c - 1}", 0, "exact") for c in present]
                            client.submit(item, arrays.images[row], masks, infos, prompt=f"picture {row}",
                                          provenance=Provenance("photographs", item.seed, "harness", time.time_ns() // 1000))
        finally:
            self.close()

    def batches(self, arrays, store, batch):
        client = self._client = self._start(store) if self.daemon is None else self._client
        names = [f"category {category}" for category in range(CATEGORIES)]
        with client.stream(names, batch, arrays.side, delivery="memfd", tensors=["image", "labels"], prompts=False) as stream:
            for found in stream:
                tensors = found.torch()
                del found
                yield tensors["image"], tensors["labels"]

    def processes(self):
        return [self.daemon.process.pid] if self.daemon and self.daemon.process else []

    def close(self):
        if self.daemon:
            self.daemon.stop()
            self.daemon.remove()  # the link to the store, not the store
            self.daemon = None


class Decoding(Groundwell):
    """The same, but every image is decoded each time; one process owns a store, so it has its own."""

    store = "groundwell-decoding"
    pixel_cache = 0


PEERS = [Gather("mapped arrays, gather in process"), FFCV("FFCV raw, 2 threads"), LMDB("LMDB with LZ4"),
         Reverb("Reverb"), Groundwell("groundwell"),
         Decoding("groundwell, no pixel cache")]
