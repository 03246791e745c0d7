"""PyTorch's side of show_unet.py: answers the orders of `groundwell-generator bench diffusion`.

    python torch_worker.py MODEL float32|bfloat16 THREADS
"""

import json
import resource
import sys
import time

import diffusers
import torch
import transformers


def answer(**values):
    print(json.dumps(values), flush=True)


def main():
    folder, kind, threads = sys.argv[1], getattr(torch, sys.argv[2]), int(sys.argv[3])
    torch.set_num_threads(threads)
    start = time.monotonic()
    unet = diffusers.UNet2DConditionModel.from_pretrained(folder, subfolder="unet", torch_dtype=kind).eval()
    vae = diffusers.AutoencoderKL.from_pretrained(folder, subfolder="vae", torch_dtype=kind).eval()
    text = transformers.CLIPTextModel.from_pretrained(folder + "/text_encoder", torch_dtype=kind).eval()
    answer(seconds=time.monotonic() - start)
    for line in sys.stdin:
        words = line.split()
        with torch.inference_mode():
            if words[0] == "text":
                ids = torch.full((int(words[1]), 77), 400)
                start, processor = time.monotonic(), time.process_time()
                text(ids)
            elif words[0] == "unet":
                batch, side = int(words[1]), int(words[2])
                latent = torch.randn(batch, unet.config.in_channels, side, side).to(kind)
                context = torch.randn(batch, 77, unet.config.cross_attention_dim).to(kind)
                start, processor = time.monotonic(), time.process_time()
                unet(latent, 981, encoder_hidden_states=context)
            elif words[0] == "vae":
                side = int(words[1])
                latent = torch.randn(1, 4, side, side).to(kind)
                start, processor = time.monotonic(), time.process_time()
                vae.decode(latent)
            elif words[0] == "gemm":
                a, b = torch.randn(2048, 2048), torch.randn(2048, 2048)
                start, processor = time.monotonic(), time.process_time()
                a @ b
            elif words[0] == "memory":
                answer(peak_bytes=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
                continue
            answer(seconds=time.monotonic() - start, cpu_seconds=time.process_time() - processor)


if __name__ == "__main__":
    main()
