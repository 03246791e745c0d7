"""Stages (b) and (c): a pool of latents, then text encoder and U-Net on it."""

from __future__ import annotations

import copy
from typing import Any

import torch
import torch.nn.functional as functional
from diffusers import AutoencoderKL
from torch import Tensor, nn
from transformers import CLIPTokenizer

from . import autoencoder, checkpoint, models, sampling
from .config import Config
from .data import ONE_OBJECT, SceneSource, Scenes
from .optimizers import Average, Optimizers, rate_factor
from .parallel import Group
from .pools import Pool

_MAXIMUM_NORM = 1.0
#: Noise levels, and scenes, that binding of words to objects is measured at.
_VALIDATION_STEPS = (700, 800, 900)
_VALIDATION_SCENES = 192
_VALIDATION_SEED = 77
_TIMESTEPS = 1000
#: A compiled graph rounds otherwise; an error beyond this share of a gradient is no rounding.
_MAXIMUM_COMPILED_ERROR = 0.5
_NEGLIGIBLE_GRADIENT = 1e-4
#: Standard deviation of the bell that weighs the loss, in half sides.
_BELL_WIDTH = 0.45


class Captions:
    """Token ids of captions, remembered."""

    def __init__(self, tokenizer: CLIPTokenizer, positions: int) -> None:
        self._tokenizer, self._positions = tokenizer, positions
        self._known: dict[str, Tensor] = {}

    def ids(self, prompts: list[str]) -> Tensor:
        """``int64 [n, positions]``; what is too long is cut, as Stable Diffusion does."""
        for prompt in prompts:
            if prompt not in self._known:
                encoded = self._tokenizer(
                    prompt, padding="max_length", truncation=True, max_length=self._positions
                )
                self._known[prompt] = torch.tensor(encoded["input_ids"], dtype=torch.int16)
        return torch.stack([self._known[prompt] for prompt in prompts]).long()


def wrong_caption(prompt: str, category: str, other: str) -> str:
    """The caption with another category in place of its own, article and all."""
    place = prompt.split(category, 1)[-1]
    return f"a photograph of {sampling.with_article(other)}{place}"


def _pooled(value: Tensor, side: int) -> Tensor:
    """``value`` with ``side`` pixels along a side, each the mean of what it stands for."""
    factor = value.shape[-1] // side
    return value if factor == 1 else functional.avg_pool2d(value, factor)


def center_weight(side: int, center: float) -> Tensor:
    """How much each pixel's error counts, ``[side, side]``, 1 in the mean.

    A fixed bell that is ``center`` times as high in the middle as far outside: most objects lie
    there. No mask is looked at, so no category is favoured, whatever a grounding benchmark holds out.
    """
    place = (torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1
    squared = place.square()[:, None] + place.square()[None, :]
    weight = 1 + (center - 1) * torch.exp(-squared / (2 * _BELL_WIDTH**2))
    return weight / weight.mean()


class DiffusionStage:
    """Trains text encoder and U-Net; a stage of :mod:`pretrain.run`."""

    name = "diffusion"

    def __init__(
        self,
        config: Config,
        categories: list[str],
        tokenizer: CLIPTokenizer,
        vae: AutoencoderKL,
        source: SceneSource,
        held_out: Scenes,
        group: Group,
        device: str,
    ) -> None:
        self.config, self.settings = config, config.diffusion
        self.step = 0
        # The layout decides the order of sums, and so the last bits of latents.
        self.vae = vae.to(device, memory_format=torch.channels_last).eval()
        self.tokenizer = tokenizer
        self._categories = categories
        self._group, self._device = group, device
        torch.manual_seed(config.seed + 1)
        self.text = models.text_encoder(config.model, tokenizer).to(device)
        self.unet = models.unet(config).to(device, memory_format=torch.channels_last)
        self._modules: list[nn.Module] = [self.text, self.unet]
        group.broadcast(self._modules)
        # A phase with another side is compiled anew: one graph for all sides fails to compile.
        self._forward = self._predict
        self._checked_side = 0
        if config.machine.compile:
            self._forward = torch.compile(self._predict, dynamic=False)
        self._optimizers = Optimizers(
            self._modules,
            self.settings.optimizer,
            self.settings.matrix_learning_rate,
            self.settings.learning_rate,
        )
        self._average = Average(self._modules, self.settings.ema_decay)
        self._smooth = [copy.deepcopy(module).eval() for module in self._modules]
        self._generator = torch.Generator(device).manual_seed(config.seed * 2000 + group.rank)
        self._schedule = models.scheduler(config.model).alphas_cumprod.to(device)
        self._captions = Captions(tokenizer, config.model.text_positions)
        self._empty = self._captions.ids([""]).to(device)
        self._pool = Pool(
            source,
            self.settings.pool_scenes // config.data.stream_batch,
            config.data.stream_batch,
            self._encoded,
        )
        self._rows: tuple[int, Tensor, Tensor] = (-1, torch.empty(0), torch.empty(0))
        self._validation = self._validation_set(held_out)

    @property
    def steps(self) -> int:
        """Steps until the stage is over."""
        return self.settings.steps

    @property
    def batch_size(self) -> int:
        """Scenes that a step of this rank sees."""
        return self.settings.batch_size

    def begin(self) -> None:
        """Loads and encodes the first scenes, unless a state did."""
        if self._pool.frontier == 0:
            self._pool.fill()

    def advance(self, wish: int) -> tuple[Tensor, int]:
        """One step: its loss, and the largest wish of the ranks."""
        if self.step and self.step % self.settings.refresh_steps == 0:
            self._pool.advance()
        phase = self.config.phase(self.step)
        index = self._draw(phase.shares)
        latent = self._pool.tensors["latent"][index].float()
        ids = self._pool.tensors["ids"][index].long()
        count = len(index)
        drop = torch.rand(count, generator=self._generator, device=self._device)
        ids = torch.where((drop < self.settings.caption_dropout)[:, None], self._empty, ids)
        level = torch.rand(count, generator=self._generator, device=self._device)
        timestep = (level.pow(phase.timestep_power) * _TIMESTEPS).long().clamp(0, _TIMESTEPS - 1)
        latent = _pooled(latent, phase.latent_side)
        noise = torch.randn(latent.shape, generator=self._generator, device=self._device)
        if self._forward is not self._predict and self._checked_side != phase.latent_side:
            self._check_compiled(latent, noise, timestep, ids)
            self._checked_side = phase.latent_side
        error = self._error(self._forward, latent, noise, timestep, ids)
        weight = center_weight(phase.latent_side, phase.center_weight).to(error.device)
        loss = (error * weight).mean()
        loss.backward()
        parameters = [p for module in self._modules for p in module.parameters()]
        wish = self._group.average(parameters, wish)
        torch.nn.utils.clip_grad_norm_(parameters, _MAXIMUM_NORM)
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

    def _draw(self, shares: list[float]) -> Tensor:
        """Rows of the pool by kind of scene; a kind that the pool lacks counts as none."""
        if self._rows[0] != self._pool.frontier:
            kinds = self._pool.tensors["kind"]
            lists = [torch.nonzero(kinds == kind)[:, 0] for kind in range(3)]
            lengths = torch.tensor([len(rows) for rows in lists], device=self._device)
            table = nn.utils.rnn.pad_sequence(lists, batch_first=True)
            self._rows = (self._pool.frontier, table, lengths)
        _, table, lengths = self._rows
        chances = torch.tensor(shares, device=self._device) * (lengths > 0)
        count = self.settings.batch_size
        kind = torch.multinomial(chances, count, replacement=True, generator=self._generator)
        place = torch.rand(count, generator=self._generator, device=self._device)
        return table[kind, (place * lengths[kind]).long()]

    def _encoded(self, scenes: Scenes) -> dict[str, Tensor]:
        """What the pool keeps of scenes: half a kilobyte of latents, and their captions' tokens."""
        image = torch.from_numpy(scenes.image).to(self._device)
        latent = autoencoder.encode(self.vae, image) * self.vae.config.scaling_factor
        return {
            "latent": latent.half(),
            "ids": self._captions.ids(scenes.prompts).to(self._device, torch.int16),
            "kind": torch.from_numpy(scenes.kind).to(self._device),
        }

    def _predict(self, noisy: Tensor, timestep: Tensor, ids: Tensor) -> Tensor:
        is_half = self.settings.precision == "bfloat16"
        with torch.autocast(self._device, torch.bfloat16, enabled=is_half):
            states = self.text(ids).last_hidden_state
            return self.unet(noisy, timestep, states, return_dict=False)[0]

    def _error(self, predict: Any, latent: Tensor, noise: Tensor, t: Tensor, ids: Tensor) -> Tensor:
        """Squared error of the prediction, ``[n, channels, side, side]``."""
        kept = self._schedule[t].view(-1, 1, 1, 1)
        noisy = kept.sqrt() * latent + (1 - kept).sqrt() * noise
        if self.config.model.prediction == "epsilon":
            target = noise
        else:
            target = kept.sqrt() * noise - (1 - kept).sqrt() * latent
        noisy = noisy.contiguous(memory_format=torch.channels_last)
        return (predict(noisy, t, ids).float() - target).square()

    def _check_compiled(self, latent: Tensor, noise: Tensor, timestep: Tensor, ids: Tensor) -> None:
        """Refuses a compiled graph whose gradients are not those of the plain one.

        PyTorch 2.13 on a CPU gives none to all layers below the last upsampling (same loss, faster, and
        worthless), which nothing else would notice.
        """
        gradients = []
        for predict in (self._predict, self._forward):
            self._error(predict, latent, noise, timestep, ids).mean().backward()
            gradients.append([p.grad for module in self._modules for p in module.parameters()])
            for module in self._modules:
                module.zero_grad(set_to_none=True)
        names = [name for module in self._modules for name, _ in module.named_parameters()]
        for name, plain, compiled in zip(names, *gradients):
            if plain is None:
                continue
            found = torch.zeros_like(plain) if compiled is None else compiled
            error, size = float((found - plain).norm()), float(plain.norm())
            if error > _MAXIMUM_COMPILED_ERROR * size and size > _NEGLIGIBLE_GRADIENT:
                raise checkpoint.CheckpointError(
                    f"the compiled graph's gradient of '{name}' is off by {error / size:.2f} of its "
                    "size; set machine.compile = false"
                )

    def _validation_set(self, held_out: Scenes) -> dict[str, Tensor]:
        rows = [row for row in range(len(held_out)) if held_out.kind[row] == ONE_OBJECT]
        rows = rows[:_VALIDATION_SCENES]
        names = [self._categories[held_out.category[row]] for row in rows]
        prompts = [held_out.prompts[row] for row in rows]
        others = [
            self._categories[(held_out.category[row] + 1 + row) % len(self._categories)]
            for row in rows
        ]
        wrong = [wrong_caption(*entry) for entry in zip(prompts, names, others)]
        chosen = Scenes(
            held_out.image[rows], held_out.labels[rows], held_out.category[rows],
            held_out.kind[rows], prompts,
        )  # fmt: skip
        entry = self._encoded(chosen)
        generator = torch.Generator().manual_seed(_VALIDATION_SEED)
        noise = torch.randn(entry["latent"].shape, generator=generator)
        object_share = (chosen.labels > 0).reshape(len(rows), 1, chosen.labels.shape[1], -1)
        mask = functional.adaptive_avg_pool2d(
            torch.from_numpy(object_share.astype("float32")), entry["latent"].shape[-1]
        )
        return {
            "latent": entry["latent"].float(),
            "noise": noise.to(self._device),
            "mask": mask.to(self._device),
            "right": entry["ids"].long(),
            "wrong": self._captions.ids(wrong).to(self._device),
        }

    @torch.no_grad()
    def validate(self) -> dict[str, float]:
        """Loss on objects of held-out scenes at high noise, with right and wrong captions.

        While ``bound`` (how much worse a wrong caption is) stays at 0, words do not bind.
        """
        self._average.copy_to(self._smooth)
        text, unet = self._smooth

        def predict(noisy: Tensor, timestep: Tensor, ids: Tensor) -> Tensor:
            return unet(noisy, timestep, text(ids).last_hidden_state).sample

        # At the side that is trained now; the noise is the same at both.
        side = self.config.phase(self.step - 1).latent_side
        data, losses = self._validation, {"right": 0.0, "wrong": 0.0}
        latent, mask = _pooled(data["latent"], side), _pooled(data["mask"], side)
        noise = data["noise"][..., :side, :side]
        for kind in losses:
            for step in _VALIDATION_STEPS:
                timestep = torch.full((len(latent),), step, device=self._device)
                error = self._error(predict, latent, noise, timestep, data[kind])
                share = (error * mask).sum() / mask.sum() / error.shape[1]
                losses[kind] += float(share) / len(_VALIDATION_STEPS)
        return {**losses, "bound": losses["wrong"] / losses["right"] - 1}

    def sheet(self, count: int) -> tuple[Tensor, list[str]]:
        """Samples at prompts and seeds that never change."""
        prompts = sampling.sheet_prompts(self._categories, count)
        parts = self.parts()
        report = self.config.report
        side = self.config.phase(self.step - 1).latent_side
        image = parts.images(prompts, 1, report.sampling_steps, report.guidance_scale, side)
        return image.cpu(), [prompt.removeprefix("a photograph of ") for prompt in prompts]

    def parts(self) -> sampling.Parts:
        """The averaged model, ready to sample from or to be written."""
        self._average.copy_to(self._smooth)
        text, unet = self._smooth
        return sampling.Parts(
            self.vae, text, unet, self.tokenizer, models.scheduler(self.config.model)
        )

    def state(self) -> dict[str, Any]:
        """Everything that the next step depends on."""
        return {
            "step": self.step,
            "frontier": self._pool.frontier,
            "models": [module.state_dict() for module in self._modules],
            "average": self._average.state(),
            "optimizers": self._optimizers.state(),
            "generators": self._group.gather(self._generator.get_state()),
        }

    def load(self, state: dict[str, Any]) -> None:
        """Continues exactly; the pool is read and encoded anew from the stream."""
        self.step = state["step"]
        for module, values in zip(self._modules, state["models"]):
            module.load_state_dict(values)
        self._average.load(state["average"])
        self._optimizers.load(state["optimizers"])
        if len(state["generators"]) == self._group.world:
            self._generator.set_state(state["generators"][self._group.rank].cpu())
        self._pool.fill(state["frontier"])

    def begin_from(self, state: dict[str, Any]) -> None:
        """Takes averaged weights alone, such as those of a run on fewer categories."""
        with torch.no_grad():
            parameters = [p for module in self._modules for p in module.parameters()]
            for parameter, value in zip(parameters, state["average"]["values"], strict=True):
                parameter.copy_(value)
        self._average = Average(self._modules, self.settings.ema_decay)

    def close(self) -> None:
        """Ends the reading of scenes."""
        self._pool.close()


