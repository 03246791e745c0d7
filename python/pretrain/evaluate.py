"""Judges a stickers model: ``python -m pretrain.evaluate MODEL --bin DIR --out DIR``.

Prints each figure with its bound, writes ``figures.json`` and sheets, exits 1 when one falls short.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Optional

import numpy as np
import torch
from PIL import Image
from torch import Tensor

import groundwell

from . import autoencoder, data, evaluators, sampling
from .data import ONE_OBJECT, Scenes

#: From the issue that asked for the model.
BOUNDS = {
    "autoencoder_psnr": 26.0,
    "one_object_top1": 0.85,
    "one_object_worst": 0.4,
    "two_object_both": 0.65,
    "classifier_accuracy": 0.95,
    "segmenter_accuracy": 0.95,
}
#: Training scenes of the evaluators, and held-out ones: other seeds than the model's own.
_SCENES_SEED, _HELD_OUT_SEED = 101, 102
#: First seeds of the samples.
_ONE_OBJECT_SEED, _TWO_OBJECT_SEED = 10_000, 20_000
_STREAM_BATCH = 256
_NEAREST_SAMPLES = 12
_PAIR_STEP = 7


@dataclass(frozen=True)
class Samples:
    """Images that the model drew, with what they were asked to show."""

    #: ``uint8 [n, 3, s, s]``.
    image: Tensor
    #: Positions of the categories asked for, one or two of each image.
    asked: list[tuple[int, ...]]
    prompts: list[str]


#: Given seeds and prompts, ``uint8 [n, 3, s, s]``.
Draw = Callable[[list[int], list[str]], Tensor]


def drawn_by_diffusers(parts: sampling.Parts, steps: int, guidance: float) -> Draw:
    """Draws with diffusers; seeds follow one another."""
    return lambda seeds, prompts: parts.images(prompts, seeds[0], steps, guidance)


class Runtime:
    """``groundwell-generator``: the runtime that users draw with."""

    def __init__(self, program: Path, model: Path, folder: Path, threads: int) -> None:
        self._program, self._model, self._folder = program, model, folder
        self._threads = str(threads)

    def draw(self, steps: int, guidance: float) -> Draw:
        """Draws with ``sample``, from a table of seeds and prompts."""

        def images(seeds: list[int], prompts: list[str]) -> Tensor:
            folder = self._emptied("samples")
            table = write_prompts(folder.with_suffix(".tsv"), seeds, prompts)
            self._run(
                "sample", "--prompt-table", str(table), "--out", str(folder),
                "--steps", str(steps), "--guidance", str(guidance), "--batch", "16",
            )  # fmt: skip
            return read_images([folder / f"{seed}.png" for seed in seeds])

        return images

    def psnr(self, scenes: Scenes) -> float:
        """What ``autoencode`` says of scenes, in dB."""
        folder = self._emptied("scenes")
        paths = [folder / f"{row}.png" for row in range(len(scenes))]
        for path, image in zip(paths, scenes.image):
            Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(path)
        answer = self._run("autoencode", "--json", *(str(path) for path in paths))
        return float(json.loads(answer)["mean"])

    def _emptied(self, name: str) -> Path:
        folder = self._folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def _run(self, command: str, *arguments: str) -> str:
        words = [str(self._program), command, "--model", str(self._model)]
        words += ["--threads", self._threads, *arguments]
        done = subprocess.run(words, capture_output=True, text=True)
        if done.returncode:
            raise OSError(f"{self._program.name} {command}: {done.stderr.strip()}")
        return done.stdout


def write_prompts(path: Path, seeds: list[int], prompts: list[str]) -> Path:
    """One line for each image: its seed, a tab, its prompt."""
    rows = "".join(f"{seed}\t{prompt}\n" for seed, prompt in zip(seeds, prompts))
    path.write_text(rows, "utf-8")
    return path


def read_images(paths: list[Path]) -> Tensor:
    """``uint8 [n, 3, s, s]``."""
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()


def one_object_samples(draw: Draw, categories: list[str], each: int) -> Samples:
    """``each`` images of every category, places in turn."""
    asked = [(position,) for position in range(len(categories)) for _ in range(each)]
    return _drawn(draw, categories, asked, _ONE_OBJECT_SEED)


def two_object_samples(draw: Draw, categories: list[str], count: int) -> Samples:
    """``count`` images of two different categories; every category in turn comes first."""
    total = len(categories)
    asked = []
    for number in range(count):
        other = number + 1 + (number // total * _PAIR_STEP + number * 3) % (total - 1)
        asked.append((number % total, other % total))
    asked = [(a, b if a != b else (b + 1) % total) for a, b in asked]
    return _drawn(draw, categories, asked, _TWO_OBJECT_SEED)


def _drawn(
    draw: Draw, categories: list[str], asked: list[tuple[int, ...]], seed: int
) -> Samples:
    places = sampling.PLACES
    prompts = [
        sampling.prompt_for([categories[position] for position in entry], places[i % len(places)])
        for i, entry in enumerate(asked)
    ]
    return Samples(draw(list(range(seed, seed + len(asked))), prompts), asked, prompts)


def one_object_figures(
    samples: Samples, judges: evaluators.Evaluators, categories: list[str]
) -> dict:
    """Top-1 by category, and how many images show anything at all."""
    found = evaluators.classify(judges.classifier, samples.image).cpu().numpy()
    asked = np.array([entry[0] for entry in samples.asked])
    per_category = {
        name: float((found[asked == position] == position).mean())
        for position, name in enumerate(categories)
    }
    maps = evaluators.segment(judges.segmenter, samples.image)
    return {
        "one_object_top1": float((found == asked).mean()),
        "one_object_worst": min(per_category.values()),
        "visible_object": float(evaluators.is_any_present(maps).float().mean()),
        "per_category": per_category,
    }


def two_object_figures(samples: Samples, judges: evaluators.Evaluators) -> dict:
    """How often both objects are there."""
    maps = evaluators.segment(judges.segmenter, samples.image)
    both = [
        all(bool(evaluators.is_present(maps[row : row + 1], 1 + p)) for p in entry)
        for row, entry in enumerate(samples.asked)
    ]
    return {"two_object_both": float(np.mean(both))}


def diversity(
    samples: Samples, scenes: Scenes, judges: evaluators.Evaluators, categories: list[str]
) -> dict:
    """Mean distance of the features of two images of a category, for samples and for scenes."""
    asked = np.array([entry[0] for entry in samples.asked])
    each = int((asked == 0).sum())
    distances: dict[str, list[float]] = {"samples": [], "scenes": []}
    for position in range(len(categories)):
        rows = np.nonzero((scenes.category == position) & (scenes.kind == ONE_OBJECT))[0][:each]
        groups = {
            "samples": samples.image[torch.from_numpy(np.nonzero(asked == position)[0])],
            "scenes": torch.from_numpy(scenes.image[rows]).to(samples.image.device),
        }
        for name, image in groups.items():
            if len(image) > 1:
                vectors = evaluators.features(judges.classifier, image)
                distances[name].append(float(torch.pdist(vectors).mean()))
    means = {name: float(np.mean(values)) if values else 0.0 for name, values in distances.items()}
    ratio = means["samples"] / means["scenes"] if means["scenes"] else 0.0
    return {
        "diversity_samples": means["samples"],
        "diversity_scenes": means["scenes"],
        "diversity_ratio": ratio,
    }


def nearest_sheet(samples: Samples, scenes: Scenes, path: Path) -> list[float]:
    """Draws samples beside the nearest scenes; returns their distances (RMS, 0 to 255)."""
    count = len(samples.image)
    rows = np.linspace(0, count - 1, min(count, _NEAREST_SAMPLES)).astype(int)
    pool = torch.nn.functional.avg_pool2d
    known = torch.cat(
        [pool(torch.from_numpy(part).float(), 4).flatten(1) for part in
         np.array_split(scenes.image, max(1, len(scenes) // 2048))]
    )  # fmt: skip
    images, labels, result = [], [], []
    for row in rows:
        sample = samples.image[row].cpu()
        distance = (known - pool(sample[None].float(), 4).flatten(1)).square().mean(1).sqrt()
        best = int(distance.argmin())
        images += [sample, torch.from_numpy(scenes.image[best])]
        labels += ["sample", f"scene {float(distance[best]):.0f}"]
        result.append(float(distance[best]))
    sampling.save_sheet(path, torch.stack(images), labels)
    return result


def read_store(
    binaries: Path, store: Path, categories: list[str], count: int, size: int, seed: int,
    workers: int,
) -> Scenes:  # fmt: skip
    """``count`` scenes of each category from a store; filled up to that unless ``seed`` is 0."""
    server = data.DataServer(binaries, store, workers)
    client = server.start()
    try:
        if seed:
            data.fill(client, categories, count, size, seed)
        source = data.SceneSource(client, categories, _STREAM_BATCH, size, seed)
        total = max(1, count * len(categories) // _STREAM_BATCH)
        return data.concatenated([source.batch(number) for number in range(total)])
    finally:
        client.close()
        server.stop()


def verdict(figures: dict) -> tuple[list[str], bool]:
    """A line for each bounded figure, and whether all hold."""
    lines, holds = [], True
    for name, bound in BOUNDS.items():
        good = figures[name] >= bound
        holds = holds and good
        note = "" if good else " SHORT"
        lines.append(f"{name}: {figures[name]:.3f} (bound: at least {bound:g}){note}")
    return lines, holds


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pretrain.evaluate", description=__doc__)
    parser.add_argument("model", type=Path, help="a diffusers directory with categories.txt")
    parser.add_argument("--bin", type=Path, required=True, help="folder with groundwelld")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--run", type=Path, help="training folder, to look for nearest scenes in")
    parser.add_argument("--runtime", type=Path, help="groundwell-generator, to draw with")
    parser.add_argument("--each", type=int, default=8, help="samples of each category")
    parser.add_argument("--pairs", type=int, default=96, help="samples of two objects")
    parser.add_argument("--steps", type=int, default=25)
    parser.add_argument("--guidance", type=float, default=4.0)
    parser.add_argument("--scenes", type=int, default=500, help="of each category, for the judges")
    parser.add_argument("--judge-steps", type=int, default=8000)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--judges-only", action="store_true", help="train the judges and stop")
    return parser


def main() -> int:
    """Evaluates; 0 when every bound holds."""
    options = _parser().parse_args()
    torch.set_num_threads(options.threads)
    out, device = options.out.resolve(), options.device
    out.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"{time.monotonic() - started:7.0f} s  {text}", file=sys.stderr, flush=True)

    categories = (options.model / "categories.txt").read_text("utf-8").split("\n")[:-1]
    parts = sampling.Parts.load(options.model, device)
    draw = drawn_by_diffusers(parts, options.steps, options.guidance)
    runtime = None
    if options.runtime:
        runtime = Runtime(
            options.runtime.resolve(), options.model.resolve(), out / "runtime", options.threads
        )
        draw = runtime.draw(options.steps, options.guidance)
    size = parts.vae.config.sample_size
    held: dict[str, Scenes] = {}

    def scenes(which: str, count: int, seed: int) -> Scenes:
        if which not in held:
            say(f"reads {which} scenes")
            store = out / f"{which}-{len(categories)}"
            held[which] = read_store(
                options.bin.resolve(), store, categories, count, size, seed, options.workers
            )
        return held[which]

    def held_out() -> Scenes:
        return scenes("held-out", 16, _HELD_OUT_SEED)

    judges = evaluators.train_or_load(
        out / f"judges-{len(categories)}.pt", categories,
        lambda: scenes("training", options.scenes, _SCENES_SEED), held_out,
        options.judge_steps, device, say,
    )  # fmt: skip
    say(
        f"classifier {judges.classifier_accuracy:.3f}, segmenter {judges.segmenter_accuracy:.3f}, "
        f"both objects found in {judges.both_present_in_scenes:.3f} of two-object scenes"
    )
    if options.judges_only:
        return 0
    figures = {
        "classifier_accuracy": judges.classifier_accuracy,
        "segmenter_accuracy": judges.segmenter_accuracy,
        "both_present_in_scenes": judges.both_present_in_scenes,
        "autoencoder_psnr": (
            runtime.psnr(held_out()) if runtime else _autoencoder_psnr(parts, held_out(), device)
        ),
    }
    single = one_object_samples(draw, categories, options.each)
    say(f"{len(single.image)} one-object samples")
    figures |= one_object_figures(single, judges, categories)
    pairs = two_object_samples(draw, categories, options.pairs)
    say(f"{len(pairs.image)} two-object samples")
    figures |= two_object_figures(pairs, judges)
    figures |= diversity(single, held_out(), judges, categories)
    figures |= _sheets(options, out, categories, single, pairs, size, held_out)
    figures |= {
        "categories": len(categories), "samples_each": options.each, "pairs": options.pairs,
        "steps": options.steps, "guidance": options.guidance,
        "drawn_by": "groundwell-generator" if runtime else "diffusers",
    }  # fmt: skip
    (out / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", "utf-8")
    return _print(figures)


def _autoencoder_psnr(parts: sampling.Parts, scenes: Scenes, device: str) -> float:
    image = torch.from_numpy(scenes.image).to(device)
    return autoencoder.psnr(
        image, autoencoder.decode(parts.vae, autoencoder.encode(parts.vae, image))
    )


def _sheets(
    options: argparse.Namespace, out: Path, categories: list[str], single: Samples,
    pairs: Samples, size: int, held_out: object,
) -> dict:  # fmt: skip
    first = torch.arange(len(categories)) * options.each
    sampling.save_sheet(out / "categories.png", single.image[first].cpu(), categories)
    names = ["+".join(categories[p][:5] for p in entry) for entry in pairs.asked]
    sampling.save_sheet(out / "pairs.png", pairs.image.cpu(), names)
    scenes: Optional[Scenes] = None
    if options.run:
        count = options.scenes
        scenes = read_store(
            options.bin.resolve(), options.run / "store", categories, count, size, 0,
            options.workers,
        )  # fmt: skip
    source = "training scenes" if scenes else "held-out scenes"
    distances = nearest_sheet(single, scenes or held_out(), out / "nearest.png")  # type: ignore
    return {"nearest_from": source, "nearest_distance": float(np.mean(distances))}


def _print(figures: dict) -> int:
    for name, value in sorted(figures["per_category"].items(), key=lambda entry: entry[1]):
        print(f"  {value:.2f}  {name}")
    print(f"visible object in {figures['visible_object']:.3f} of one-object samples")
    print(
        f"diversity within a category: {figures['diversity_samples']:.3f}, scenes "
        f"{figures['diversity_scenes']:.3f}"
    )
    lines, holds = verdict(figures)
    print("\n".join(lines[:-1]))
    short = [name for name, bound in BOUNDS.items() if figures[name] < bound]
    print(lines[-1])
    print(
        f"stickers: one-object top-1 {figures['one_object_top1']:.3f} (bound: at least "
        f"{BOUNDS['one_object_top1']:g}); "
        + (f"short of its bound: {', '.join(short)}" if short else "every bound holds")
    )
    return 0 if holds else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (groundwell.GroundwellError, OSError) as error:
        print(f"pretrain.evaluate: {error}", file=sys.stderr)
        sys.exit(1)
