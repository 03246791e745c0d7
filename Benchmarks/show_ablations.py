"""What decides how good a grounding module is: one training for each value, on one split.

    python Benchmarks/show_ablations.py --bin FOLDER --out FOLDER [--only NAME ...]

NAME is strategy, size, timestep, seen-count, level or loss. Tables and plots go into --out; a second call goes on
where the first was stopped. The last line has two figures of the first two: how much more of the unseen
categories' masks 'without-zero-masks' keeps than 'normal' when half of the masks were missed, and what the
largest data set gains over the smallest; exits with 1 where one of them is not above its bound.
"""

import argparse
import json
import sys
from pathlib import Path

from grounding_runs import (
    CELLS, PictureStore, Run, core_seconds_of, evaluate, mean_of, say, train_all,
)
from harness import ROOT, binary_folder

SPLIT = "stickers-1"
METHOD = "grounding module"
MISSES = [0.0, 0.1, 0.3, 0.5]
SIZES = [16, 64, 256, 1024, 4096]
TIMESTEPS = [1, 50, 100, 200, 400, 700]
SEEN = [12, 48, 96, 192]
LEVELS = {"4x4": 0, "8x8": 1, "16x16": 2}
LOSSES = ["bce", "dice", "bce+dice"]
#: Pictures drawn to find out what one costs.
SAMPLED = 64
#: The last line's bounds: both have to be above nothing.
MINIMUM_GAIN = 0.0


def runs_of(name: str, steps: int) -> dict[str, Run]:
    """The trainings of an ablation by the value that they stand for."""
    common = ("--steps", str(steps), "--seed", "1") + (() if name == "loss" else ("--loss", "bce+dice"))

    def run(value: str, *options: str) -> Run:
        return Run(f"{name}-{value}".replace(" ", "-"), SPLIT, (*common, *options))

    if name == "strategy":
        found = {}
        for missed in MISSES:
            for strategy in ("normal", "without-zero-masks"):
                options = ("--strategy", strategy, "--simulate-misses", str(missed))
                # Where nothing is missed the strategies are one.
                value = f"{strategy}-{missed}" if missed else "nothing-missed"
                found[f"{strategy} {missed}"] = run(value, *options)
        return found
    if name == "size":
        return {str(size): run(str(size), "--pictures", str(size)) for size in SIZES}
    if name == "timestep":
        return {str(step): run(str(step), "--timestep", str(step)) for step in TIMESTEPS}
    if name == "seen-count":
        return {str(count): run(str(count), "--seen-count", str(count)) for count in SEEN}
    if name == "level":
        found = {side: run(side, "--level", str(level)) for side, level in LEVELS.items()}
        return {**found, "all": run("all")}
    return {loss: run(loss, "--loss", loss) for loss in LOSSES}


def table(name: str, rows: dict[str, list[float]], seconds: dict[str, float]) -> str:
    """Markdown: a line for each value."""
    lines = [
        f"| {name} | " + " | ".join(CELLS) + " | core-seconds |", "|---|" + "---|" * (len(CELLS) + 1)
    ]
    for value, means in rows.items():
        cells = " | ".join(f"{100 * mean:.1f}" for mean in means)
        lines.append(f"| {value} | {cells} | {seconds[value]:.0f} |")
    return "\n".join(lines) + "\n"


def plot(
    path: Path, title: str, label: str, lines: dict[str, list[tuple[float, float]]], is_logarithmic: bool
) -> None:
    """Lines over the values of an ablation."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), dpi=120)
    for name, points in lines.items():
        axes.plot(*zip(*points), marker="o", label=name)
    if is_logarithmic:
        axes.set_xscale("log")
    axes.set(title=title, xlabel=label, ylabel="mean intersection over union, percent")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path)
    pyplot.close(figure)


def draw(name: str, rows: dict[str, list[float]], seconds: dict[str, float], out: Path) -> None:
    """The plots of an ablation."""
    if name == "strategy":
        lines = {}
        for strategy in ("normal", "without-zero-masks"):
            for cell in ("one, unseen", "two, unseen"):
                lines[f"{strategy}: {cell}"] = [
                    (100 * missed, 100 * rows[f"{strategy} {missed}"][CELLS.index(cell)])
                    for missed in MISSES
                ]
        plot(out / "ablation-strategy.png", "Missed masks", "masks missed, percent", lines, False)
        return
    places = {value: index for index, value in enumerate(rows)}
    is_number = all(value.replace(".", "").isdigit() for value in rows)
    lines = {
        cell: [
            (float(value) if is_number else places[value], 100 * means[index])
            for value, means in rows.items()
        ]
        for index, cell in enumerate(CELLS)
    }
    label = {"size": "pictures to train on", "timestep": "timestep of the features"}.get(name, name)
    if not is_number:
        label += ": " + ", ".join(rows)
    plot(out / f"ablation-{name}.png", name, label, lines, name in ("size", "seen-count"))
    if name == "size":
        lines = {
            cell: [(seconds[value], 100 * means[index]) for value, means in rows.items()]
            for index, cell in enumerate(CELLS)
        }
        plot(
            out / "ablation-size-cost.png", "What a data set costs",
            "core-seconds of drawing and training", lines, True,
        )  # fmt: skip


def seconds_of_a_picture(binaries: Path, model: Path, out: Path) -> float:
    """Core-seconds that the diffusion model takes to draw one picture."""
    names = (model / "categories.txt").read_text("utf-8").split("\n")[:-1]
    prompts = out / "prompts.tsv"
    rows = [f"{n}\ta photograph of a {names[n % len(names)]}\n" for n in range(SAMPLED)]
    prompts.write_text("".join(rows))
    return core_seconds_of(
        [str(binaries / "groundwell-generator"), "sample", "--model", str(model),
         "--prompt-table", str(prompts), "--out", str(out / "drawn"), "--steps", "25",
         "--guidance", "4", "--batch", "16", "--threads", "1"]
    ) / SAMPLED  # fmt: skip


def main() -> int:
    """Trains, measures, writes tables and plots, and judges."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin")
    parser.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    parser.add_argument("--model", type=Path, default=ROOT / "Sources/Generator/Resources/stickers")
    parser.add_argument("--only", nargs="+", default=["strategy", "size"])
    parser.add_argument("--store", type=Path, help="folder of the pictures; OUT/store when left out")
    parser.add_argument("--each", type=int, default=100, help="pictures made for each category")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--pictures", type=int, default=128, help="of each kind, to measure on")
    parser.add_argument("--parallel", type=int, default=2)
    arguments = parser.parse_args()
    known = ["strategy", "size", "timestep", "seen-count", "level", "loss"]
    if unknown := sorted(set(arguments.only) - set(known)):
        parser.error(f"--only {unknown[0]}: expected one of {', '.join(known)}")
    binaries, model, out = binary_folder(arguments.bin), arguments.model.resolve(), arguments.out
    runs = {name: runs_of(name, arguments.steps) for name in arguments.only}
    with PictureStore(binaries, arguments.store or out / "store", model, arguments.each) as store:
        every = {run.name: run for found in runs.values() for run in found.values()}
        modules = train_all(store, model, out, list(every.values()), arguments.parallel)
    results: dict[str, dict[str, list[float]]] = {}
    means: dict[str, list[float]] = {}
    for run_name, (path, _) in modules.items():
        say(f"measures {run_name}")
        scores = evaluate(
            binaries, model, SPLIT, out / run_name,
            ["--modules-only", "--pictures", str(arguments.pictures),
             "--module", f"{METHOD}={path}"], arguments.parallel,
        )  # fmt: skip
        means[run_name] = [mean_of(scores, METHOD, cell) for cell in CELLS]
    for name, found in runs.items():
        rows = {value: means[run.name] for value, run in found.items()}
        seconds = {value: modules[run.name][1] for value, run in found.items()}
        if name == "size":
            each = seconds_of_a_picture(binaries, model, out)
            print(f"a picture drawn by the diffusion model: {each:.2f} core-seconds")
            seconds = {value: used + each * int(value) for value, used in seconds.items()}
        text = table(name, rows, seconds)
        (out / f"ablation-{name}.md").write_text(text)
        print(text)
        draw(name, rows, seconds, out)
        results[name] = rows
    (out / "ablations.json").write_text(json.dumps(results, indent=2) + "\n")
    gains = {}
    if rows := results.get("strategy"):
        worst, unseen = MISSES[-1], CELLS.index("one, unseen")
        gains["without-zero-masks over normal, half missed, one unseen"] = (
            rows[f"without-zero-masks {worst}"][unseen] - rows[f"normal {worst}"][unseen]
        )
    if rows := results.get("size"):
        gains[f"{SIZES[-1]} pictures over {SIZES[0]}, mean of all cells"] = (
            sum(rows[str(SIZES[-1])]) - sum(rows[str(SIZES[0])])
        ) / len(CELLS)
    holds = all(gain > MINIMUM_GAIN for gain in gains.values())
    figures = ", ".join(f"{name} {gain:+.3f} (above {MINIMUM_GAIN:g})" for name, gain in gains.items())
    print(f"ablations: {figures or ', '.join(results)}" + ("" if holds else ": short"))
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main())
