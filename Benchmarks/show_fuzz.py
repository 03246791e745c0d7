"""`make show-fuzz`: damaged inputs for the frame decoder, the JSON layer, each importer and the
pack reader: none crashes, none hangs, memory stays bounded.

Every probe runs in a process of its own, two at a time. Where one dies, the input that did it is
written to Tests/Fixtures/fuzz/PROBE/ and tried by the tests from then on.
"""

from __future__ import annotations

import argparse
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "Tests" / "Fixtures" / "fuzz"
MEMORY_BOUND_MB = 512
INPUT_BOUND_MS = 10_000
SWIFT_PROBES = ("frame", "json", "body", "coco", "csv", "folder", "png", "pack")
PYTHON_PROBES = ("py-voc", "py-coco", "py-webdataset", "py-parquet")


def command(probe: str, binaries: Path, python: str) -> list[str]:
    if probe in SWIFT_PROBES:
        return [str(binaries / "FuzzBenchmark"), probe]
    return [python, str(ROOT / "Benchmarks" / "fuzz_importers.py"), probe]


def run_part(
    probe: str, first: int, count: int, seed: int, program: list[str]
) -> dict[str, Any]:
    """Runs a range of inputs; one that ends the process is kept, and the range goes on behind it."""
    total: dict[str, Any] = {
        "inputs": 0, "seconds": 0.0, "longest_ms": 0.0, "peak_mb": 0, "findings": [],
    }  # fmt: skip
    end = first + count
    with tempfile.TemporaryDirectory() as folder:
        marker = os.path.join(folder, "marker")
        while first < end and len(total["findings"]) < 5:
            arguments = [str(seed), str(first), str(end - first), marker]
            started = time.monotonic()
            done = subprocess.run(
                [*program, *arguments, str(FIXTURES / probe)], capture_output=True, text=True,
                check=False,
            )  # fmt: skip
            if done.returncode == 0:
                part = json.loads(done.stdout.splitlines()[-1])
                total["inputs"] += part["inputs"]
                total["seconds"] += part["seconds"]
                total["longest_ms"] = max(total["longest_ms"], part["longest_ms"])
                total["peak_mb"] = max(total["peak_mb"], part["peak_mb"])
                break
            if done.returncode == 2 or not os.path.exists(marker):
                sys.exit(f"show-fuzz: {probe} did not start: {done.stderr[-500:]}")
            number = struct.unpack("<q", Path(marker).read_bytes())[0]
            total["inputs"] += number + 1 - first
            total["seconds"] += time.monotonic() - started
            total["findings"].append(keep(probe, number, seed, program))
            words = done.stderr.strip().splitlines()
            print(f"{probe}: input {number} ended the process with {done.returncode}: "
                  f"{words[0][:200] if words else ''}", file=sys.stderr)  # fmt: skip
            first = number + 1
    return total


def keep(probe: str, number: int, seed: int, program: list[str]) -> str:
    (FIXTURES / probe).mkdir(parents=True, exist_ok=True)
    path = FIXTURES / probe / f"{seed}-{number}.bin"
    subprocess.run(
        [*program, str(seed), str(number), "0", str(path), str(FIXTURES / probe)], check=True
    )
    return str(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bin", type=Path, required=True)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--python", default=sys.executable, help="one with groundwell[importers]")
    parser.add_argument("--probe", action="append", help="only these")
    options = parser.parse_args()
    probes = options.probe or [*SWIFT_PROBES, *PYTHON_PROBES]
    start = time.monotonic()
    findings: list[str] = []
    peak, longest, fewest = 0, 0.0, options.count
    with ThreadPoolExecutor(2) as pool:
        halves = (options.count // 2, options.count - options.count // 2)
        parts = {
            probe: [
                pool.submit(
                    run_part, probe, first, count, options.seed,
                    command(probe, options.bin, options.python),
                )  # fmt: skip
                for first, count in ((0, halves[0]), (halves[0], halves[1]))
            ]
            for probe in probes
        }
        for probe, futures in parts.items():
            results = [future.result() for future in futures]
            inputs = sum(result["inputs"] for result in results)
            seconds = sum(result["seconds"] for result in results)
            found = [path for result in results for path in result["findings"]]
            findings += found
            peak = max(peak, *(result["peak_mb"] for result in results))
            longest = max(longest, *(result["longest_ms"] for result in results))
            fewest = min(fewest, inputs)
            print(f"{probe}: {inputs} inputs, {inputs / max(seconds, 1e-9):.0f}/s a core, longest "
                  f"{max(result['longest_ms'] for result in results):.0f} ms, at most "
                  f"{max(result['peak_mb'] for result in results)} MB, {len(found)} findings",
                  flush=True)  # fmt: skip
    passed = (
        not findings and fewest >= options.count
        and peak <= MEMORY_BOUND_MB and longest <= INPUT_BOUND_MS
    )  # fmt: skip
    print(
        f"show-fuzz: {len(probes)} probes, at least {fewest} inputs each in "
        f"{time.monotonic() - start:.0f} s: {len(findings)} crashes or hangs, at most {peak} MB, "
        f"longest input {longest:.0f} ms (bound: {options.count} inputs, 0, {MEMORY_BOUND_MB} MB, "
        f"{INPUT_BOUND_MS} ms) " + ("OK" if passed else "FAILED")
    )
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
