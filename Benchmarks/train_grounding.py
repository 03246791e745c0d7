"""Trains the three modules that ship with the stickers model.

    python Benchmarks/train_grounding.py --bin FOLDER --out FOLDER [--install]

A daemon of its own fills a store with scenes; then ``groundwell-generator train`` is its client, once for each
split, with the same seed. --install copies the modules into the model's folder ``grounding``. A second call goes
on where the first was stopped.
"""

import argparse
import shutil
import sys
from pathlib import Path

from grounding_runs import PictureStore, Run, say, train_all
from harness import ROOT, binary_folder

SPLITS = ["stickers-1", "stickers-2", "stickers-3"]


def main() -> int:
    """Trains, and installs when asked to."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--out", type=Path, required=True, help="folder for store, checkpoints, logs")
    parser.add_argument("--model", type=Path, default=ROOT / "Sources/Generator/Resources/stickers")
    parser.add_argument("--each", type=int, default=100, help="pictures made for each category")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--parallel", type=int, default=2)
    parser.add_argument("--install", action="store_true")
    arguments = parser.parse_args()
    binaries, model = binary_folder(arguments.bin), arguments.model.resolve()
    runs = [
        Run(split, split, ("--steps", str(arguments.steps), "--seed", "1", "--loss", "bce+dice"))
        for split in SPLITS
    ]
    with PictureStore(binaries, arguments.out / "store", model, arguments.each) as store:
        modules = train_all(store, model, arguments.out, runs, arguments.parallel)
    for name, (path, seconds) in modules.items():
        say(f"{name}: {path.stat().st_size} bytes, {seconds:.0f} core-seconds")
        if arguments.install:
            (model / "grounding").mkdir(exist_ok=True)
            shutil.copyfile(path, model / "grounding" / f"{name}.safetensors")
    return 0


if __name__ == "__main__":
    sys.exit(main())
