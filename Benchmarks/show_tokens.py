"""What tuning a token on one annotated picture gains for the categories that a module finds worst.

    python Benchmarks/show_tokens.py --bin FOLDER --out FOLDER [--categories 12]

The worst unseen categories of a split by Protocol I; for each the first picture of a store that shows it alone;
``tune-token`` on that picture; then the same held-out scenes again with all tokens. The last line has the mean gain on
these categories and its bound; exits with 1 at or below it.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path

from grounding_runs import PictureStore, evaluate, say
from harness import ROOT, binary_folder
from PIL import Image

import groundwell

SPLIT = "stickers-1"
METHOD = "grounding module"
CELL = "one, unseen"
#: In intersection over union: tuning has to help at all.
MINIMUM_GAIN = 0.0


def by_category(scores: list[dict]) -> dict[str, float]:
    """Mean scores of unseen categories alone in a picture."""
    return next(s["categories"] for s in scores if s["method"] == METHOD and s["cell"] == CELL)


def main() -> int:
    """Finds the worst categories, tunes, and measures again."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--store", type=Path, help="folder of the pictures; OUT/store when left out")
    parser.add_argument("--model", type=Path, default=ROOT / "Sources/Generator/Resources/stickers")
    parser.add_argument("--each", type=int, default=20, help="pictures made for each category")
    parser.add_argument("--categories", type=int, default=12)
    parser.add_argument("--pictures", type=int, default=512, help="of each kind, to measure on")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    binaries, model, out = binary_folder(arguments.bin), arguments.model.resolve(), arguments.out
    module = model / "grounding" / f"{SPLIT}.safetensors"
    options = ["--modules-only", "--pictures", str(arguments.pictures)]
    options += ["--module", f"{METHOD}={module}"]
    before = by_category(evaluate(binaries, model, SPLIT, out / "before", options, arguments.threads))
    worst = sorted(before, key=lambda name: before[name])[: arguments.categories]
    seconds = []
    with PictureStore(binaries, arguments.store or out / "store", model, arguments.each) as store:
        with groundwell.connect(store.socket) as client:
            for name in worst:
                info = next(
                    entry for entry in client.query(name, limit=1000)
                    if len(entry.masks) == 1
                )  # fmt: skip
                triplet = client.triplet(info.triplet)
                stem = out / name.replace(" ", "-")
                Image.fromarray(triplet.image).save(f"{stem}.png")
                Image.fromarray(triplet.masks[0] * 255).save(f"{stem}-mask.png")
                began = time.monotonic()
                subprocess.run(
                    [str(binaries / "groundwell-generator"), "tune-token", "--image", f"{stem}.png",
                     "--mask", f"{stem}-mask.png", "--category", name, "--prompt", info.prompt,
                     "--model", str(model), "--module", str(module), "--out", f"{stem}.safetensors",
                     "--threads", str(arguments.threads)],
                    check=True, stdout=subprocess.DEVNULL,
                )  # fmt: skip
                seconds.append(time.monotonic() - began)
                say(f"tuned '{name}' in {seconds[-1]:.0f} s")
                options += ["--token", f"{stem}.safetensors"]
    after = by_category(evaluate(binaries, model, SPLIT, out / "after", options, arguments.threads))
    print("| category | before | after |\n|---|---|---|")
    for name in worst:
        print(f"| {name} | {100 * before[name]:.1f} | {100 * after[name]:.1f} |")
    gain = sum(after[name] - before[name] for name in worst) / len(worst)
    means = [sum(scores[name] for name in worst) / len(worst) for scores in (before, after)]
    (out / "tokens.json").write_text(json.dumps({"before": before, "after": after}, indent=2) + "\n")
    print(f"{sum(seconds) / len(seconds):.0f} s a token")
    short = "" if gain > MINIMUM_GAIN else ": short"
    print(
        f"tokens: mIoU of the {len(worst)} worst unseen categories {means[0]:.3f} before, {means[1]:.3f} after, "
        f"{gain:+.3f} (above {MINIMUM_GAIN:g}){short}"
    )
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
