"""Every sampler of groundwell-generator on real weights, pixel by pixel against diffusers.

    python Benchmarks/show_samplers.py --bin FOLDER --model DIRECTORY

Both draw the same prompts from the same seeds, in single precision. The last line has the largest difference of
any colour value and its bound, that of the runtime's fixtures; exits with 1 above it.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import diffusers
import numpy as np
import torch
from PIL import Image

MAXIMUM_DIFFERENCE = 1
SEED = 500
PROMPTS = [
    "a photograph of a cat on the grass",
    "a photograph of a bus and a teddy bear on a wooden floor",
    "a photograph of an umbrella at sunset",
]
#: The runtime's name, diffusers' class, steps, guidance.
SAMPLERS = [
    ("ddim", diffusers.DDIMScheduler, 25, 4.0),
    ("pndm", diffusers.PNDMScheduler, 20, 4.0),
    ("euler", diffusers.EulerDiscreteScheduler, 20, 4.0),
    ("dpm", diffusers.DPMSolverMultistepScheduler, 12, 4.0),
    ("lcm", diffusers.LCMScheduler, 4, 1.0),
]


def reference(pipeline, kind, steps, guidance):
    """What diffusers draws, one picture at a time, ``uint8 [3, s, s, 3]``."""
    extra = {"skip_prk_steps": True} if kind is diffusers.PNDMScheduler else {}
    pipeline.scheduler = kind.from_config(pipeline.scheduler.config, **extra)
    pictures = []
    for place, prompt in enumerate(PROMPTS):
        generator = torch.Generator().manual_seed(SEED + place)
        answer = pipeline(
            prompt, num_inference_steps=steps, guidance_scale=guidance, generator=generator,
            output_type="np",
        )  # fmt: skip
        pictures.append(np.rint(answer.images[0] * 255).astype(np.int16))
    return np.stack(pictures)


def runtime(program, model, name, steps, guidance, folder):
    """What the Swift runtime draws."""
    table = folder / "prompts.tsv"
    rows = [f"{SEED + place}\t{prompt}\n" for place, prompt in enumerate(PROMPTS)]
    table.write_text("".join(rows))
    out = folder / name
    subprocess.run(
        [program, "sample", "--model", model, "--prompt-table", table, "--out", out, "--sampler", name,
         "--steps", str(steps), "--guidance", str(guidance)],
        check=True, stdout=subprocess.DEVNULL,
    )  # fmt: skip
    paths = [out / f"{SEED + place}.png" for place in range(len(PROMPTS))]
    return np.stack([np.asarray(Image.open(path).convert("RGB"), np.int16) for path in paths])


def main():
    """Compares all samplers."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--model", required=True)
    arguments = parser.parse_args()
    diffusers.utils.logging.set_verbosity_error()
    pipeline = diffusers.StableDiffusionPipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    program = str(pathlib.Path(arguments.bin) / "groundwell-generator")
    worst = 0
    with tempfile.TemporaryDirectory() as scratch:
        for name, kind, steps, guidance in SAMPLERS:
            theirs = reference(pipeline, kind, steps, guidance)
            ours = runtime(program, arguments.model, name, steps, guidance, pathlib.Path(scratch))
            difference = int(np.abs(ours - theirs).max())
            worst = max(worst, difference)
            print(
                f"{name}: {steps} steps, largest difference {difference} of 255, "
                f"{np.mean(ours != theirs):.5f} of the values differ; mean {theirs.mean():.1f}, "
                f"spread {theirs.std():.1f}"
            )
    verdict = "ok" if worst <= MAXIMUM_DIFFERENCE else "SHORT"
    print(f"{verdict}: largest difference {worst} of 255 (bound: at most {MAXIMUM_DIFFERENCE})")
    return 0 if worst <= MAXIMUM_DIFFERENCE else 1


if __name__ == "__main__":
    sys.exit(main())
