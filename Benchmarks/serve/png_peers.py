"""Loaders whose stores are as small as ours: PNG inside."""

import io

import numpy as np

from peer import Peer, to_tensors

SUFFIX = {"image": "image.png", "labels": "labels.png"}


def png(array):
    from PIL import Image

    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG", compress_level=6)
    return file.getvalue()


def pixels(data):
    from PIL import Image

    return np.asarray(Image.open(io.BytesIO(data)))


class Folder(Peer):
    """PyTorch DataLoader on a folder of PNG files, WeightedRandomSampler."""

    store = "png-folder"
    has_png = True

    def build(self, arrays, store):
        for index in range(len(arrays)):
            (store / f"{index}.image.png").write_bytes(png(arrays.images[index]))
            (store / f"{index}.labels.png").write_bytes(png(arrays.labels[index]))

    def batches(self, arrays, store, batch):
        import torch

        class Files(torch.utils.data.Dataset):
            def __len__(self):
                return len(arrays)

            def __getitem__(self, index):
                return to_tensors(pixels((store / f"{index}.image.png").read_bytes()),
                                  pixels((store / f"{index}.labels.png").read_bytes()))

        sampler = torch.utils.data.WeightedRandomSampler(arrays.weights(), 10_000_000)
        loader = torch.utils.data.DataLoader(Files(), batch, sampler=sampler, num_workers=self.workers)
        return iter(loader)


class WebDataset(Peer):
    """WebDataset tar shards with PNG files, shuffled (it cannot balance)."""

    store = "webdataset"
    needs = ["webdataset"]
    has_png = True

    def build(self, arrays, store):
        import webdataset

        with webdataset.ShardWriter(str(store / "%05d.tar"), maxcount=500, verbose=0) as writer:
            for index in range(len(arrays)):
                writer.write({"__key__": str(index), "image.png": png(arrays.images[index]),
                              "labels.png": png(arrays.labels[index])})

    def batches(self, arrays, store, batch):
        import webdataset

        shards = [str(path) for path in sorted(store.glob("*.tar"))]
        data = webdataset.WebDataset(shards, shardshuffle=len(shards), resampled=True).shuffle(200)
        data = data.map(lambda sample: to_tensors(pixels(sample["image.png"]), pixels(sample["labels.png"])))
        loader = webdataset.WebLoader(data.batched(batch), batch_size=None, num_workers=self.workers)
        return iter(loader)


def without_torchvision():
    """Lets `streaming` be imported: its classes for named collections want torchvision, its readers do not."""
    import sys
    import types

    for name in ("multimodal", "text", "vision"):
        sys.modules.setdefault(f"streaming.{name}", types.ModuleType(f"streaming.{name}"))


class Streaming(Peer):
    """MosaicML Streaming, MDS shards with PNG columns, one stream for each category so that it balances."""

    store = "mds"
    needs = ["streaming"]
    has_png = True

    def build(self, arrays, store):
        without_torchvision()
        from streaming import MDSWriter

        columns = {"image": "bytes", "labels": "bytes"}
        for category in np.unique(arrays.category):
            with MDSWriter(out=str(store / str(category)), columns=columns) as writer:
                for index in np.flatnonzero(arrays.category == category):
                    writer.write({"image": png(arrays.images[index]), "labels": png(arrays.labels[index])})

    def batches(self, arrays, store, batch):
        import torch

        without_torchvision()
        from streaming import Stream, StreamingDataset
        from streaming.base.util import clean_stale_shared_memory

        clean_stale_shared_memory()

        class Decoded(StreamingDataset):
            def __getitem__(self, index):
                sample = super().__getitem__(index)
                return to_tensors(pixels(sample["image"]), pixels(sample["labels"]))

        folders = sorted(path for path in store.iterdir() if path.is_dir())
        streams = [Stream(local=str(path), proportion=1 / len(folders)) for path in folders]
        data = Decoded(streams=streams, shuffle=True, batch_size=batch, epoch_size=1_000_000)
        return iter(torch.utils.data.DataLoader(data, batch, num_workers=self.workers))


class LitData(Peer):
    """LitData chunks with PNG bytes, shuffled (it cannot balance)."""

    store = "litdata"
    needs = ["litdata"]
    has_png = True

    def build(self, arrays, store):
        from litdata.streaming.writer import BinaryWriter

        writer = BinaryWriter(str(store), chunk_bytes="64MB")
        for index in range(len(arrays)):
            writer.add_item(index, {"image": png(arrays.images[index]), "labels": png(arrays.labels[index])})
        writer.done()
        writer.merge()

    def batches(self, arrays, store, batch):
        from litdata import StreamingDataLoader, StreamingDataset

        class Decoded(StreamingDataset):
            def __getitem__(self, index):
                sample = super().__getitem__(index)
                return to_tensors(pixels(sample["image"]), pixels(sample["labels"]))

        loader = StreamingDataLoader(Decoded(str(store), shuffle=True), batch_size=batch, num_workers=self.workers)
        while True:
            yield from loader


class Grain(Peer):
    """Grain on an ArrayRecord file with PNG bytes, by a balanced list of positions."""

    store = "arrayrecord"
    needs = ["grain", "array_record"]
    has_png = True

    def build(self, arrays, store):
        from array_record.python.array_record_module import ArrayRecordWriter

        writer = ArrayRecordWriter(str(store / "data.array_record"), "group_size:1")
        for index in range(len(arrays)):
            image, labels = png(arrays.images[index]), png(arrays.labels[index])
            writer.write(len(image).to_bytes(8, "little") + image + labels)
        writer.close()

    def batches(self, arrays, store, batch):
        import grain.python as grain
        from data import BalancedOrder

        source = grain.ArrayRecordDataSource([str(store / "data.array_record")])
        order = BalancedOrder(arrays.category, 3).take(200_000)

        def decode(position):
            record = source[int(position)]
            split = 8 + int.from_bytes(record[:8], "little")
            return pixels(record[8:split]), pixels(record[split:])

        data = grain.MapDataset.source(order).map(decode).batch(batch)
        for image, labels in data.to_iter_dataset():
            yield to_tensors(image, labels)


class Lance(Peer):
    """Lance table with PNG columns, rows taken by balanced position."""

    store = "lance"
    needs = ["lance"]
    has_png = True

    def build(self, arrays, store):
        import lance
        import pyarrow

        schema = pyarrow.schema([("image", pyarrow.large_binary()), ("labels", pyarrow.large_binary())])

        def parts():
            for start in range(0, len(arrays), 250):
                rows = range(start, min(start + 250, len(arrays)))
                yield pyarrow.record_batch([
                    pyarrow.array([png(arrays.images[row]) for row in rows], pyarrow.large_binary()),
                    pyarrow.array([png(arrays.labels[row]) for row in rows], pyarrow.large_binary())], schema=schema)

        lance.write_dataset(pyarrow.RecordBatchReader.from_batches(schema, parts()), str(store / "data.lance"))

    def batches(self, arrays, store, batch):
        import lance
        from data import BalancedOrder

        table = lance.dataset(str(store / "data.lance"))
        order = BalancedOrder(arrays.category, 3)
        while True:
            rows = table.take(order.take(batch))
            yield to_tensors(np.stack([pixels(cell.as_py()) for cell in rows["image"]]),
                             np.stack([pixels(cell.as_py()) for cell in rows["labels"]]))


PEERS = [Folder("PNG folder, 0 workers", 0), Folder("PNG folder, 1 worker", 1), Folder("PNG folder, 2 workers", 2),
         WebDataset("WebDataset, 2 workers", 2), Streaming("MosaicML Streaming, 2 workers", 2),
         LitData("LitData, 2 workers", 2), Grain("Grain, ArrayRecord"), Lance("Lance")]
