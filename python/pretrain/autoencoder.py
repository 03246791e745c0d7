"""Stage (a): the autoencoder."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch
import torch.nn.functional as functional
from diffusers import AutoencoderKL
from torch import Tensor

from . import models
from .config import Config
from .data import SceneSource, Scenes
from .optimizers import Average, Optimizers, rate_factor
from .parallel import Group
from .pools import Pool

#: Scenes that the latents' mean and spread are measured on.
_STATISTICS_SCENES = 1024
_CHUNK = 64
#: Gradients longer than this are shortened to it.
_MAXIMUM_NORM = 1.0


def to_float(image: Tensor) -> Tensor:
    """Bytes to -1...1, channels last in memory."""
    return image.contiguous(memory_format=torch.channels_last).float().div(127.5).sub(1)


@torch.no_grad()
def encode(vae: AutoencoderKL, image: Tensor) -> Tensor:
    """Latents (the mode, unscaled) of ``uint8 [n, 3, s, s]``, in chunks."""
    chunks = image.split(_CHUNK)
    return torch.cat([vae.encode(to_float(chunk)).latent_dist.mode() for chunk in chunks])


@torch.no_grad()
def decode(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """``uint8 [n, 3, s, s]`` of latents, in chunks."""
    pixels = torch.cat([vae.decode(chunk).sample for chunk in latents.split(_CHUNK)])
    return pixels.clamp(-1, 1).add(1).mul(127.5).round().to(torch.uint8)


def psnr(image: Tensor, other: Tensor) -> float:
    """Mean over the images of each one's PSNR, in dB; both ``uint8 [n, 3, s, s]``."""
    errors = (image.float() - other.float()).square().mean((1, 2, 3)).clamp(min=1e-6)
    return float((10 * torch.log10(255.0**2 / errors)).mean())


class AutoencoderStage:
    """Trains the autoencoder; a stage of :mod:`pretrain.run`."""

    name = "autoencoder"

    def __init__(
        self, config: Config, source: SceneSource, held_out: Scenes, group: Group, device: str
    ) -> None:
        self.settings = config.autoencoder
        self.step = 0
        self._group, self._device = group, device
        torch.manual_seed(config.seed)
        vae = models.autoencoder(config.model, config.data.image_size)
        self.vae = vae.to(device, memory_format=torch.channels_last)
        group.broadcast([self.vae])
        self._forward = torch.compile(self._loss) if config.machine.compile else self._loss
        self._optimizers = Optimizers(
            [self.vae],
            self.settings.optimizer,
            self.settings.matrix_learning_rate,
            self.settings.learning_rate,
        )
        self._average = Average([self.vae], self.settings.ema_decay)
        self._smooth = copy.deepcopy(self.vae).eval()
        self._generator = torch.Generator(device).manual_seed(config.seed * 1000 + group.rank)
        self._pool = Pool(
            source,
            self.settings.pool_scenes // config.data.stream_batch,
            config.data.stream_batch,
            lambda scenes: {"image": torch.from_numpy(scenes.image).to(device)},
        )
        self._held_out = torch.from_numpy(held_out.image).to(device)
        self.last_psnr = math.nan

    @property
    def steps(self) -> int:
        """Steps until the stage is over."""
        return self.settings.steps

    @property
    def batch_size(self) -> int:
        """Scenes that a step of this rank sees."""
        return self.settings.batch_size

    def begin(self) -> None:
        """Loads the first scenes, unless a state did."""
        if self._pool.frontier == 0:
            self._pool.fill()

    def advance(self, wish: int) -> tuple[Tensor, int]:
        """One step: its loss, and the largest wish of the ranks."""
        if self.step and self.step % self.settings.refresh_steps == 0:
            self._pool.advance()
        index = torch.randint(
            len(self._pool),
            (self.settings.batch_size,),
            generator=self._generator,
            device=self._device,
        )
        image = self._pool.tensors["image"][index]
        loss = self._forward(image)
        loss.backward()
        wish = self._group.average(self.vae.parameters(), wish)
        torch.nn.utils.clip_grad_norm_(self.vae.parameters(), _MAXIMUM_NORM)
        self._optimizers.step(self.rate_factor())
        self._average.update()
        self.step += 1
        return loss.detach(), wish

    def rate_factor(self) -> float:
        """The share of the full learning rate at this step."""
        settings = self.settings
        return rate_factor(
            self.step, settings.steps, settings.warmup_steps, settings.decay_share
        )

    def _loss(self, image: Tensor) -> Tensor:
        settings = self.settings
        target = to_float(image)
        is_half = settings.precision == "bfloat16"
        with torch.autocast(self._device, torch.bfloat16, enabled=is_half):
            latents = self.vae.encode(target).latent_dist
            pixels = self.vae.decode(latents.mode()).sample
        pixels = pixels.float()
        loss = functional.mse_loss(pixels, target)
        loss = loss + settings.absolute_weight * functional.l1_loss(pixels, target)
        values = latents.mean[0].numel()
        return loss + settings.kl_weight * latents.kl().float().mean() / values

    def validate(self) -> dict[str, float]:
        """PSNR of the averaged weights on held-out scenes, in dB."""
        self._average.copy_to([self._smooth])
        again = decode(self._smooth, encode(self._smooth, self._held_out))
        self.last_psnr = psnr(self._held_out, again)
        return {"psnr": self.last_psnr}

    def sheet(self, count: int) -> tuple[Tensor, list[str]]:
        """Held-out scenes, each above what the autoencoder makes of it."""
        self._average.copy_to([self._smooth])
        image = self._held_out[:count]
        again = decode(self._smooth, encode(self._smooth, image))
        pairs = torch.stack([image, again], 1).flatten(0, 1).cpu()
        return pairs, ["scene", "decoded"] * len(image)

    def result(self) -> AutoencoderKL:
        """The averaged autoencoder with latents of mean 0 and spread 1 in each channel."""
        vae = copy.deepcopy(self.vae).eval()
        self._average.copy_to([vae])
        image = self._pool.tensors["image"][:_STATISTICS_SCENES]
        normalize(vae, encode(vae, image))
        vae.requires_grad_(False)
        return vae

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": self.step,
            "frontier": self._pool.frontier,
            "model": self.vae.state_dict(),
            "average": self._average.state(),
            "optimizers": self._optimizers.state(),
            "generators": self._group.gather(self._generator.get_state()),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continues exactly; the pool is read anew from the stream."""
        self.step = state["step"]
        self.vae.load_state_dict(state["model"])
        self._average.load(state["average"])
        self._optimizers.load(state["optimizers"])
        if len(state["generators"]) == self._group.world:
            self._generator.set_state(state["generators"][self._group.rank].cpu())
        self._pool.fill(state["frontier"])

    def close(self) -> None:
        """Ends the reading of scenes."""
        self._pool.close()


@torch.no_grad()
def normalize(vae: AutoencoderKL, latents: Tensor) -> None:
    """Moves the mean and spread of each latent channel into the 1x1 convolutions beside it.

    What is decoded stays the same, and ``scaling_factor`` can be 1.
    """
    mean, spread = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    channels = len(mean)
    into, out = vae.quant_conv, vae.post_quant_conv
    into.weight[:channels] /= spread.view(-1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - mean) / spread
    into.bias[channels:] -= 2 * spread.log()
    out.bias += (out.weight[:, :, 0, 0] * mean).sum(1)
    out.weight *= spread.view(1, -1, 1, 1)
    vae.register_to_config(scaling_factor=1.0)
