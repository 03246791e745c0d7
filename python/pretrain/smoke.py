"""The smoke test: ``python -m pretrain.smoke --bin DIR``, a few minutes on one core.

Runs every stage of ``small.toml`` without a break, then on a copy of the same store with breaks in
both stages, and compares the weights byte for byte; then draws from the result with diffusers.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from . import run, sampling
from .config import load

_HERE = Path(__file__).resolve().parent
#: Steps of all stages together at which the second run is broken off.
_BREAKS = (10, 31, None)
#: What the second run begins with: the first run's scenes and words.
_SHARED = ("store", "held-out.npz", "tokenizer")


def train(out: Path, binaries: Path, stop_before: int | None, config: Path) -> None:
    """One process of training; raises when it fails."""
    command = [sys.executable, "-m", "pretrain", "train", "--config", str(config)]
    command += ["--out", str(out), "--bin", str(binaries), "--device", "cpu"]
    if stop_before is not None:
        command += ["--stop-before", str(stop_before)]
    path = os.pathsep.join([str(_HERE.parent), os.environ.get("PYTHONPATH", "")])
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": path})


def weights(folder: Path) -> dict[str, bytes]:
    """The bytes of every file of weights, by path inside the folder."""
    paths = sorted(folder.rglob("*.safetensors"))
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def main() -> int:
    """Runs the test; 0 when all of it holds."""
    parser = argparse.ArgumentParser(prog="pretrain.smoke", description=__doc__)
    parser.add_argument("--bin", type=Path, required=True, help="folder with groundwelld")
    options = parser.parse_args()
    config, started = _HERE / "small.toml", time.monotonic()
    with tempfile.TemporaryDirectory(prefix="groundwell-pretrain-") as folder:
        whole, broken = Path(folder) / "whole", Path(folder) / "broken"
        train(whole, options.bin.resolve(), None, config)
        broken.mkdir()
        for name in _SHARED:
            source = whole / name
            copy = shutil.copytree if source.is_dir() else shutil.copy2
            copy(source, broken / name)
        for stop_before in _BREAKS:
            train(broken, options.bin.resolve(), stop_before, config)
        ours, theirs = weights(whole / "model"), weights(broken / "model")
        run.export_checkpoint(broken, Path(folder) / "exported")
        theirs |= {f"exported/{k}": v for k, v in weights(Path(folder) / "exported").items()}
        ours |= {f"exported/{name}": value for name, value in list(ours.items())}
        differing = sorted(name for name in ours if ours[name] != theirs.get(name))
        same = bool(ours) and not differing and set(ours) == set(theirs)
        image = sampling.Parts.load(whole / "model").images(["a photograph of a cat"], 1, 4, 3.0)
        size = load(config).data.image_size
        draws = tuple(image.shape) == (1, 3, size, size) and image.dtype == torch.uint8
    print(f"diffusers draws from the directory: {'yes' if draws else 'NO'}")
    outcome = "the same bytes" if same else f"DIFFER in {differing}"
    print(
        f"resumed {len(_BREAKS) - 1} times: weights {outcome} as without a break "
        f"(bound: the same); {time.monotonic() - started:.0f} s"
    )
    return 0 if same and draws else 1


if __name__ == "__main__":
    sys.exit(main())
