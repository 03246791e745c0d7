"""Images from the model as it stands, and sheets of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional

import numpy as np
import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from PIL import Image, ImageDraw
from torch import Tensor
from transformers import CLIPTextModel, CLIPTokenizer

#: The places of the sheet's prompts, in turn; all are words of the scenes engine.
PLACES = [
    "on the grass", "on the sand", "on the water", "in the sky", "on the road", "in the snow",
    "in front of a wall", "on a wooden floor", "at sunset", "in the forest", "on a blue background",
    "on a white background", "on a stone floor", "on a pink background",
]  # fmt: skip
_PAIRS = {"scissors", "glasses", "jeans"}
_MASSES = {
    "bread", "broccoli", "cheese", "cherries", "corn", "cutlery", "french fries", "grapes",
    "ice cream", "peanuts", "popcorn", "sushi", "yarn",
}  # fmt: skip
_CHUNK = 64
_LABEL_HEIGHT = 12


def with_article(noun: str) -> str:
    """``an owl``, ``a pair of scissors``, ``some bread``: as the scenes engine writes it."""
    if noun in _PAIRS:
        return f"a pair of {noun}"
    if noun in _MASSES:
        return f"some {noun}"
    is_vowel = noun[0] in "aeiou" and not noun.startswith(("uni", "use", "eu", "one", "ukulele"))
    return f"{'an' if is_vowel else 'a'} {noun}"


def prompt_for(names: list[str], place: str) -> str:
    """``a photograph of a cat and a dog on the grass``."""
    phrases = [with_article(name) for name in names]
    text = phrases[0] if len(phrases) == 1 else ", ".join(phrases[:-1]) + " and " + phrases[-1]
    return f"a photograph of {text} {place}"


def sheet_prompts(categories: list[str], count: int) -> list[str]:
    """The first ``count`` prompts: every category alone, then pairs of neighbours."""
    single = [prompt_for([n], PLACES[i % len(PLACES)]) for i, n in enumerate(categories)]
    pairs = [
        prompt_for([n, categories[(i + 7) % len(categories)]], PLACES[i % len(PLACES)])
        for i, n in enumerate(categories)
    ]
    return (single + pairs)[:count]


@dataclass(frozen=True)
class Parts:
    """A model to sample from."""

    vae: AutoencoderKL
    text: CLIPTextModel
    unet: UNet2DConditionModel
    tokenizer: CLIPTokenizer
    scheduler: DDIMScheduler

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> Parts:
        """Reads a diffusers directory, in single precision."""
        pipeline = StableDiffusionPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        pipeline = pipeline.to(device)
        return cls(
            pipeline.vae.eval(), pipeline.text_encoder.eval(), pipeline.unet.eval(),
            pipeline.tokenizer, DDIMScheduler.from_config(pipeline.scheduler.config),
        )  # fmt: skip

    def images(
        self, prompts: list[str], seed: int, steps: int, guidance: float, side: Optional[int] = None
    ) -> Tensor:
        """``uint8 [n, 3, s, s]``: image ``i`` begins with the noise of seed ``seed + i``.

        ``side`` is that of the latents; one below the model's own is for a look at the beginning of
        training, and is enlarged before it is decoded.
        """
        chunks = []
        for start in range(0, len(prompts), _CHUNK):
            part = prompts[start : start + _CHUNK]
            chunks.append(self._chunk(part, seed + start, steps, guidance, side))
        return torch.cat(chunks)

    @torch.no_grad()
    def _chunk(
        self, prompts: list[str], seed: int, steps: int, guidance: float, side: Optional[int]
    ) -> Tensor:
        unet, device = self.unet, self.unet.device
        own, channels = unet.config.sample_size, unet.config.in_channels
        side = own if side is None else side
        noise = [
            torch.randn((channels, side, side), generator=torch.Generator().manual_seed(seed + i))
            for i in range(len(prompts))
        ]
        latent = torch.stack(noise).to(device)
        positions = self.text.config.max_position_embeddings
        encoded: Any = self.tokenizer(
            prompts + [""],
            padding="max_length",
            truncation=True,
            max_length=positions,
            return_tensors="pt",
        )
        states = self.text(encoded["input_ids"].to(device)).last_hidden_state
        context = torch.cat([states[-1:].expand(len(prompts), -1, -1), states[:-1]])
        self.scheduler.set_timesteps(steps)
        for t in self.scheduler.timesteps:
            both = unet(torch.cat([latent, latent]), t, context).sample
            plain, prompted = both.chunk(2)
            guided = plain + guidance * (prompted - plain)
            latent = self.scheduler.step(guided, t, latent).prev_sample
        if side != own:
            latent = torch.nn.functional.interpolate(latent, (own, own))
        pixels = self.vae.decode(latent / self.vae.config.scaling_factor).sample
        return pixels.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)


def save_sheet(path: Path, image: Tensor, labels: list[str], columns: int = 12) -> None:
    """Writes ``uint8 [n, 3, s, s]`` as a grid with a line of text under each."""
    side = image.shape[-1]
    rows = (len(image) + columns - 1) // columns
    width, height = max(side, 64) + 4, side + _LABEL_HEIGHT + 4
    sheet = Image.new("RGB", (columns * width, rows * height), (246, 246, 244))
    draw = ImageDraw.Draw(sheet)
    for place, (pixels, label) in enumerate(zip(image, labels)):
        left, top = place % columns * width + 2, place // columns * height + 2
        rows_first = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
        sheet.paste(Image.fromarray(rows_first), (left, top))
        draw.text((left, top + side), label[:11], fill=(40, 40, 40))
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial.png")
    sheet.save(partial)
    partial.rename(path)
