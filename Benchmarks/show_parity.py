"""Random models of the full published sizes in groundwell-generator and diffusers, side by side.

    python Benchmarks/show_parity.py --bin FOLDER [--models FOLDER] [--side 64] [sd15 sd21]

Needs the environment of python/fixtures/requirements.txt. The last line has the largest relative error (norm
of the difference over norm) and its bound; exits with 1 above it.
"""

import argparse
import gc
import pathlib
import subprocess
import sys
import tempfile

import diffusers
import numpy as np
import torch
import transformers
from safetensors.torch import save_file

from show_unet import HERE, Worker

MAXIMUM_ERROR = 1e-4


def reference(model, side):
    """Inputs and outputs of each part, one part in memory at a time."""
    torch.manual_seed(3)
    with torch.inference_mode():
        text = transformers.CLIPTextModel.from_pretrained(model + "/text_encoder").eval()
        ids = torch.randint(0, 49407, (2, 77))
        yield "text", {"ids": ids.float()}, text(ids).last_hidden_state
        width = text.config.hidden_size
        del text
        gc.collect()
        unet = diffusers.UNet2DConditionModel.from_pretrained(model, subfolder="unet").eval()
        for timestep in (981, 1):
            latent, context = torch.randn(2, 4, side, side), torch.randn(2, 77, width)
            yield "unet", {"latent": latent, "context": context, "timestep": torch.tensor([float(timestep)])}, unet(
                latent, timestep, encoder_hidden_states=context).sample
        del unet
        gc.collect()
        vae = diffusers.AutoencoderKL.from_pretrained(model, subfolder="vae").eval()
        scale = vae.config.scaling_factor
        latent = torch.randn(1, 4, side, side)
        yield "decoder", {"latent": latent}, vae.decode(latent / scale).sample
        picture = torch.rand(1, 3, 8 * side, 8 * side) * 2 - 1
        yield "encoder", {"picture": picture}, vae.encode(picture).latent_dist.mean * scale


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--bin", required=True)
    parser.add_argument("--models", default=str(HERE / ".models"))
    parser.add_argument("--side", type=int, default=64)
    parser.add_argument("names", nargs="*", default=["sd15", "sd21"])
    arguments = parser.parse_args()
    names = arguments.names or ["sd15", "sd21"]
    subprocess.run([sys.executable, HERE / "diffusion" / "full_models.py", arguments.models, *names], check=True)
    torch.set_num_threads(2)
    worst = 0.0
    for name in names:
        model = f"{arguments.models}/{name}"
        worker = Worker([arguments.bin + "/groundwell-generator", "bench", "diffusion", "--model", model], 2)
        with tempfile.TemporaryDirectory() as folder:
            for part, inputs, expected in reference(model, arguments.side):
                source, target = f"{folder}/in.safetensors", f"{folder}/out"
                save_file({k: v.contiguous() for k, v in inputs.items()}, source)
                worker.ask(f"file {part} {source} {target}")
                actual = np.fromfile(target, "<f4").astype(np.float64)
                wanted = expected.numpy().astype(np.float64).ravel()
                assert actual.size == wanted.size, (part, actual.size, wanted.size)
                error = np.linalg.norm(actual - wanted) / np.linalg.norm(wanted)
                worst = max(worst, error)
                print(f"{name} {part:8} {list(expected.shape)} relative error {error:.2e}", flush=True)
        worker.close()
    passed = worst <= MAXIMUM_ERROR
    print(f"show-parity: {'ok' if passed else 'SHORT'}: largest relative error {worst:.2e} (bound {MAXIMUM_ERROR:.0e})")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
