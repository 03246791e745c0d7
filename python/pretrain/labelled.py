"""Drawn pictures with the masks of the segmentation network that judges: a folder to measure grounding on.

    python -m pretrain.labelled MODEL --runtime PROGRAM --judges FILE --split FILE.json --out FOLDER

Draws pictures of one and of two categories, seen and unseen ones of a split, and keeps those in which the network
finds every category that was asked for. The network is trained on scenes and used for evaluation alone. The folder
has the form that ``groundwell import`` and ``groundwell-generator evaluate protocol-1 --folder`` read.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from . import evaluators, sampling
from .evaluate import Runtime

_FIRST_SEED = 40_000


def asked_for(split: dict, count: int) -> list[tuple[str, ...]]:
    """What pictures are to show: ``count`` of each of the five kinds, categories in turn."""
    seen, unseen = split["seen"], split["unseen"]

    def pick(names: list[str], place: int) -> str:
        return names[place % len(names)]

    asked: list[tuple[str, ...]] = []
    for names in (seen, unseen):
        asked += [(pick(names, n),) for n in range(count)]
    for first, second in ((seen, seen), (seen, unseen), (unseen, unseen)):
        for n in range(count):
            # Another distance in each round, and never the category itself.
            step = 1 + n // len(first) % (len(second) - 1) if first is second else n // len(second)
            asked.append((pick(first, n), pick(second, n + step)))
    return asked


def write_folder(
    folder: Path, images: torch.Tensor, maps: torch.Tensor, asked: list[tuple[int, ...]],
    prompts: list[str], names: list[str],
) -> int:  # fmt: skip
    """Writes pictures in which all is found, with their masks; returns how many.

    ``images`` are ``uint8 [n, 3, s, s]``, ``maps`` ``int64 [n, s/2, s/2]`` with 1 + a category's position.
    """
    folder.mkdir(parents=True, exist_ok=True)
    kept = 0
    with (folder / "prompts.csv").open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["image", "mask", "category", "prompt", "source"])
        for number, (image, found, entry) in enumerate(zip(images, maps, asked)):
            if not all(evaluators.is_present(found[None], 1 + p)[0] for p in entry):
                continue
            kept += 1
            stem = f"{number:05d}"
            Image.fromarray(image.permute(1, 2, 0).numpy()).save(folder / f"{stem}.png")
            for position in entry:
                mask = (found == 1 + position).numpy().astype(np.uint8) * 255
                whole = Image.fromarray(mask).resize(image.shape[:0:-1], Image.Resampling.NEAREST)
                whole.save(folder / f"{stem}-{position}.png")
                row = [f"{stem}.png", f"{stem}-{position}.png", names[position], prompts[number]]
                rows.writerow([*row, "oracle"])
    return kept


def main() -> int:
    """Draws, labels and writes."""
    parser = argparse.ArgumentParser(prog="pretrain.labelled", description=__doc__)
    parser.add_argument("model", type=Path)
    parser.add_argument("--runtime", type=Path, required=True, help="groundwell-generator")
    parser.add_argument("--judges", type=Path, required=True, help="as pretrain.evaluate keeps them")
    parser.add_argument("--split", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=int, default=128, help="of each of the five kinds")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    saved = torch.load(options.judges, map_location="cpu", weights_only=True)
    names = saved["categories"]
    segmenter = evaluators.Segmenter(len(names))
    segmenter.load_state_dict(saved["segmenter"])
    segmenter.eval()
    split = json.loads(options.split.read_text("utf-8"))
    wanted = asked_for(split, options.pictures)
    prompts = [
        sampling.prompt_for(list(entry), sampling.PLACES[n % len(sampling.PLACES)])
        for n, entry in enumerate(wanted)
    ]
    runtime = Runtime(
        options.runtime.resolve(), options.model.resolve(), options.out / "drawn", options.threads
    )
    draw = runtime.draw(options.steps, options.guidance)
    images = draw(list(range(_FIRST_SEED, _FIRST_SEED + len(prompts))), prompts)
    maps = evaluators.segment(segmenter, images)
    asked = [tuple(names.index(name) for name in entry) for entry in wanted]
    kept = write_folder(options.out / "pictures", images, maps, asked, prompts, names)
    print(f"{options.out / 'pictures'}: {kept} of {len(prompts)} pictures show what they were asked for")
    return 0


if __name__ == "__main__":
    sys.exit(main())
