"""Data sets that come in through Python: PASCAL VOC and COCO folders with JPEG files, WebDataset
shards and Parquet files.

    python -m groundwell.importers voc VOCdevkit/VOC2012 --list trainval
    python -m groundwell.importers coco annotations/instances_val2017.json --images val2017
    python -m groundwell.importers webdataset 'shards/*.tar'
    python -m groundwell.importers parquet data.parquet

Needs ``pip install 'groundwell[importers]'``.
"""

from .items import BrokenItem, LoadedItem, Source
from .run import Summary, run

__all__ = ["BrokenItem", "LoadedItem", "Source", "Summary", "run"]
