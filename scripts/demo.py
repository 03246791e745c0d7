"""The main job on real input, from nothing: fill, stream, look (``make demo``).

Starts a daemon on a temporary store, fills 24 categories unevenly, opens a balanced stream with a
minimum, so that the thin categories are generated while it waits, takes 50 batches, and draws a
contact sheet and the counts before and after.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "Benchmarks"))

from harness import Daemon, binary_folder, on_signals  # noqa: E402

import groundwell  # noqa: E402

#: From common to rare, as in a data set that nobody balanced.
CATEGORIES = [
    "cat", "dog", "horse", "bird", "car", "bus", "bicycle", "sheep", "cow", "airplane", "boat",
    "train", "bottle", "chair", "potted plant", "elephant", "giraffe", "motorcycle", "pizza",
    "umbrella", "unicorn", "dragon", "octopus", "rocket",
]  # fmt: skip
MOST, FEWEST = 60, 2
MINIMUM = 40
BATCHES = 50
BATCH_SIZE = 32
IMAGE_SIZE = 64
BAR = 40


def long_tail(names: Sequence[str]) -> dict[str, int]:
    """Targets that fall from ``MOST`` to ``FEWEST`` by the same factor each."""
    factor = (FEWEST / MOST) ** (1 / (len(names) - 1))
    return {name: max(FEWEST, round(MOST * factor**rank)) for rank, name in enumerate(names)}


def bar(value: float, most: float) -> str:
    """A bar in eighths of a character."""
    eighths = round(BAR * 8 * value / max(most, 1))
    return "█" * (eighths // 8) + " ▏▎▍▌▋▊▉"[eighths % 8].strip()


def table(title: str, rows: dict[str, int]) -> None:
    """One line with a bar for each row."""
    print(f"\n{title}")
    width = max(len(name) for name in rows)
    for name, value in rows.items():
        print(f"  {name:<{width}} {value:>5}  {bar(value, max(rows.values()))}")


class ProgressLine:
    """A progress bar that redraws itself on a terminal, and is a few lines elsewhere."""

    def __init__(self, title: str) -> None:
        self._title = title
        self._start = time.monotonic()
        self._shown = -1

    def __call__(self, jobs: list[groundwell.Job]) -> None:
        done, items = sum(job.done for job in jobs), sum(job.items for job in jobs)
        if items == 0 or done == self._shown:
            return
        seconds = time.monotonic() - self._start
        text = f"  {self._title} {done:>4} of {items} {bar(done, items):<{BAR}} {seconds:.1f} s"
        if sys.stdout.isatty():
            print(f"\r{text}", end="\n" if done == items else "", flush=True)
        elif done == items or done - self._shown >= max(1, items // 4) or self._shown < 0:
            print(text, flush=True)
        else:
            return
        self._shown = done


def cli(binaries: Path, socket: str, *arguments: str) -> str:
    """Runs the ``groundwell`` command and returns what it prints."""
    command = [str(binaries / "groundwell"), *arguments, "--socket", socket]
    environment = {**os.environ, "NO_COLOR": "1"}
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{answer.stdout}{answer.stderr}")
    return answer.stdout


def train(client: groundwell.Client) -> dict[str, int]:
    """Takes the batches and counts the draws; a training step would stand in the loop."""
    print(f"\nA balanced stream, at least {MINIMUM} triplets of each category:", flush=True)
    with client.stream(
        CATEGORIES,
        BATCH_SIZE,
        IMAGE_SIZE,
        minimum=MINIMUM,
        seed=7,
        wait_timeout=240,
        progress=ProgressLine("generating"),
    ) as stream:
        filled = sum(stream.filled.values())
        print(f"  {filled} triplets of {len(stream.filled)} thin categories were generated")
        draws = dict.fromkeys(stream.names, 0)
        start, labelled, pixels = time.monotonic(), 0, 0
        for _ in range(BATCHES):
            batch = next(stream)
            for position in batch.category:
                draws[stream.names[position]] += 1
            labelled += int((batch.labels > 0).sum())
            pixels += batch.labels.size
        seconds = time.monotonic() - start
    print(
        f"  {BATCHES} batches of {BATCH_SIZE} at {IMAGE_SIZE}x{IMAGE_SIZE} in {seconds:.2f} s: "
        f"{BATCHES * BATCH_SIZE / seconds:.0f} images/s, {labelled / pixels:.0%} of pixels labelled"
    )
    return draws


def pictures(binaries: Path, socket: str, before: Path, output: Path) -> None:
    """The contact sheet and the counts before and after."""
    sheet = ["sheet", "--newest", "--count", "24", "--output", str(output / "contact-sheet.png")]
    cli(binaries, socket, *sheet)
    plot = ["counts", "--compare", str(before), "--plot", str(output / "counts.png")]
    print(f"\nCounts before and after:\n{cli(binaries, socket, *plot)}")


def main() -> None:
    """Runs the demonstration."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", help="folder of groundwelld, groundwell, groundwell-generator")
    parser.add_argument("--output", type=Path, default=Path("demo-output"))
    parser.add_argument("--workers", type=int, default=1)
    options = parser.parse_args()
    on_signals()
    start = time.monotonic()
    binaries = binary_folder(options.bin)
    options.output.mkdir(parents=True, exist_ok=True)
    status: Optional[int] = None
    with Daemon(binaries, options.workers) as daemon:
        try:
            client = daemon.start()
            print(f"groundwelld runs as process {client.status()['process']}", flush=True)
            print(f"\nFilling {len(CATEGORIES)} categories unevenly:", flush=True)
            client.backfill(
                long_tail(CATEGORIES),
                image_size=IMAGE_SIZE,
                companions=False,
                seed=7,
                wait=True,
                progress=ProgressLine("generating"),
            )
            before = options.output / "before.json"
            before.write_text(cli(binaries, daemon.socket, "counts", "--json"))
            counts = client.counts(minimum=MINIMUM)
            table("Stock:", {name: counts[name].stock for name in CATEGORIES})
            draws = train(client)
            table(f"Draws in {BATCHES} batches:", draws)
            pictures(binaries, daemon.socket, before, options.output)
            client.close()
            status = daemon.stop()
        except groundwell.GroundwellError as error:
            daemon.show_log()
            sys.exit(f"the demonstration failed: {error}")
        if status != 0:
            daemon.show_log()
    print(f"The daemon stopped with exit status {status}.")
    print(f"Look at {options.output / 'contact-sheet.png'} and {options.output / 'counts.png'}.")
    print(f"{time.monotonic() - start:.0f} s in all, without the build.")
    expected = BATCHES * BATCH_SIZE / len(CATEGORIES)
    if status != 0 or max(draws.values()) - min(draws.values()) > 1:
        sys.exit(f"failed: exit status {status}, draws {draws}, expected {expected:.1f} each")


if __name__ == "__main__":
    main()
