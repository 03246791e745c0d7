"""The command line: ``python -m pretrain train``, ``export``, ``sample``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch

import groundwell

from . import checkpoint, run, sampling
from .config import ConfigError

_HERE = Path(__file__).resolve().parent


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="pretrain", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train, or continue where the folder stopped")
    train.add_argument("--config", type=Path, default=_HERE / "stickers.toml")
    train.add_argument("--out", type=Path, required=True, help="folder for all that is written")
    train.add_argument("--bin", type=Path, required=True, help="folder with groundwelld")
    train.add_argument("--device", default="auto", choices=["auto", "cpu", "cuda"])
    train.add_argument("--from", dest="weights", type=Path, help="folder of a run to begin with")
    train.add_argument("--minutes", type=float, help="stop with a checkpoint after so long")
    train.add_argument("--stop-before", type=int, help="stop with a checkpoint at this step")
    export = commands.add_parser("export", help="write the newest checkpoint as a directory")
    export.add_argument("run", type=Path, help="folder of a run, which may be under way")
    export.add_argument("--output", type=Path, required=True)
    slim = commands.add_parser("slim", help="write what --from needs of the newest checkpoint")
    slim.add_argument("run", type=Path, help="folder of a run, which may be under way")
    slim.add_argument("--output", type=Path, required=True, help="folder to write it to")
    sample = commands.add_parser("sample", help="draw images from a diffusers directory")
    sample.add_argument("model", type=Path)
    sample.add_argument("--prompt", action="append", required=True)
    sample.add_argument("--seed", type=int, default=1)
    sample.add_argument("--steps", type=int, default=25)
    sample.add_argument("--guidance", type=float, default=5.0)
    sample.add_argument("--output", type=Path, required=True)
    return parser


def main() -> int:
    """Runs a command; failures from outside are one sentence."""
    options = _parser().parse_args()
    if options.command in ("export", "slim"):
        write = run.export_checkpoint if options.command == "export" else run.slim
        try:
            size = write(options.run, options.output)
        except (checkpoint.CheckpointError, OSError) as error:
            print(f"pretrain: {error}", file=sys.stderr)
            return 1
        print(f"{options.output}: {size} bytes")
        return 0
    if options.command == "sample":
        parts = sampling.Parts.load(options.model)
        image = parts.images(options.prompt, options.seed, options.steps, options.guidance)
        sampling.save_sheet(options.output, image, options.prompt)
        return 0
    device = options.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    options.out.mkdir(parents=True, exist_ok=True)
    settings = run.Options(
        config=options.config, out=options.out.resolve(), binaries=options.bin.resolve(),
        device=device, weights=options.weights, minutes=options.minutes,
        stop_before=options.stop_before,
    )  # fmt: skip
    try:
        run.Run(settings).main()
    except (ConfigError, checkpoint.CheckpointError, groundwell.GroundwellError, OSError) as error:
        print(f"pretrain: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
