"""Every hyper-parameter, read from one TOML file; unknown keys are refused by name."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Union, get_args, get_origin, get_type_hints


class ConfigError(ValueError):
    """The file, the key, and what was expected there."""


@dataclass(frozen=True)
class Data:
    """Scenes from the daemon."""

    #: Names of categories, or the single entry ``all``: every one that has drawings.
    categories: list[str]
    #: Pixels along a side.
    image_size: int
    #: Stock of each category in the store before training starts.
    scenes_per_category: int
    #: Scenes of each category in the held-out store, made from another seed.
    held_out_per_category: int
    #: Scenes in one batch of the stream; pools are filled and refreshed by whole batches.
    stream_batch: int
    #: Decides the training scenes; the held-out ones come from ``seed + 1``.
    seed: int
    #: Workers that the daemon spawns.
    workers: int
    #: Categories to draw more or less often than 1, by name.
    weights: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """Sizes of the four parts."""

    text_positions: int
    text_width: int
    text_layers: int
    text_heads: int
    latent_channels: int
    vae_channels: list[int]
    vae_layers: int
    vae_groups: int
    unet_channels: list[int]
    #: For each level from the finest: whether it has cross-attention.
    unet_attention: list[bool]
    unet_layers: int
    unet_heads: int
    unet_groups: int
    #: ``epsilon`` or ``v_prediction``.
    prediction: str
    beta_start: float
    beta_end: float


@dataclass(frozen=True)
class Autoencoder:
    """Stage (a)."""

    steps: int
    batch_size: int
    #: Scenes held in memory.
    pool_scenes: int
    #: Steps between two batches of the stream that replace the oldest of the pool.
    refresh_steps: int
    #: ``muon`` (matrices by Muon, the rest by AdamW) or ``adamw``.
    optimizer: str
    #: Of Muon's matrices; unused by ``adamw``.
    matrix_learning_rate: float
    learning_rate: float
    warmup_steps: int
    #: The share of the steps, at the end, over which the learning rate falls to nothing.
    decay_share: float
    absolute_weight: float
    kl_weight: float
    ema_decay: float
    #: ``bfloat16`` or ``float32``.
    precision: str
    #: Held-out PSNR that the stage should end with, in dB; the log says when it does not.
    minimum_psnr: float


@dataclass(frozen=True)
class Phase:
    """A part of the curriculum; it holds until ``until_step``."""

    until_step: int
    #: 16 is the model's own side; less pools the latents.
    latent_side: int
    #: Time steps are drawn as ``1000 * u ** timestep_power``: below 1 prefers much noise.
    timestep_power: float
    #: How much more a pixel in the middle counts than one far outside.
    center_weight: float
    #: Shares of scenes with one object, two different ones, and all others.
    shares: list[float]


@dataclass(frozen=True)
class Diffusion:
    """Stages (b) and (c)."""

    steps: int
    batch_size: int
    pool_scenes: int
    refresh_steps: int
    optimizer: str
    matrix_learning_rate: float
    learning_rate: float
    warmup_steps: int
    decay_share: float
    caption_dropout: float
    ema_decay: float
    precision: str
    phases: list[Phase]


@dataclass(frozen=True)
class Report:
    """What is looked at on the way."""

    checkpoint_minutes: float
    #: Steps between two lines of the log.
    log_steps: int
    #: Steps between two measurements on held-out scenes.
    validation_steps: int
    sheet_minutes: float
    sheet_prompts: int
    sampling_steps: int
    guidance_scale: float


@dataclass(frozen=True)
class Machine:
    """How the work is spread."""

    #: Processes that train together, each on its own scenes; gradients are averaged.
    processes: int
    #: Threads of each.
    threads: int
    compile: bool


@dataclass(frozen=True)
class Config:
    """The whole file."""

    seed: int
    data: Data
    model: Model
    autoencoder: Autoencoder
    diffusion: Diffusion
    report: Report
    machine: Machine
    #: The same tables again, with what differs on a CUDA device.
    cuda: dict[str, Any] = field(default_factory=dict)

    def phase(self, step: int) -> Phase:
        """The part of the curriculum that ``step`` belongs to."""
        for phase in self.diffusion.phases:
            if step < phase.until_step:
                return phase
        return self.diffusion.phases[-1]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for checkpoints."""
        return dataclasses.asdict(self)


def load(path: Union[str, Path], device: str = "cpu") -> Config:
    """Reads a file; with ``device`` ``cuda`` its ``[cuda.*]`` tables win."""
    try:
        table = tomllib.loads(Path(path).read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if device == "cuda":
        table = _merged(table, table.get("cuda", {}))
    config = _read(Config, table, str(path))
    _check(config, str(path))
    return config


def from_dict(values: dict[str, Any]) -> Config:
    """The inverse of :meth:`Config.to_dict`."""
    return _read(Config, values, "checkpoint")


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    result = dict(base)
    for key, value in over.items():
        inner = result.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        result[key] = _merged(inner, value) if both else value
    return result


def _read(kind: type, table: Any, where: str) -> Any:
    if not isinstance(table, dict):
        raise ConfigError(f"{where}: expected a table, found {table!r}")
    hints = get_type_hints(kind)
    values: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):
        if entry.name in table:
            place = f"{where}: {entry.name}"
            values[entry.name] = _value(hints[entry.name], table[entry.name], place)
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise ConfigError(f"{where}: '{entry.name}' is missing")
    unknown = sorted(set(table) - set(hints))
    if unknown:
        raise ConfigError(f"{where}: unknown key '{unknown[0]}'; known: {', '.join(hints)}")
    return kind(**values)


def _value(hint: Any, value: Any, where: str) -> Any:
    if dataclasses.is_dataclass(hint):
        return _read(hint, value, where)
    if get_origin(hint) is list:
        if not isinstance(value, list):
            raise ConfigError(f"{where}: expected a list, found {value!r}")
        return [_value(get_args(hint)[0], entry, where) for entry in value]
    if get_origin(hint) is dict:
        if not isinstance(value, dict):
            raise ConfigError(f"{where}: expected a table, found {value!r}")
        inner = get_args(hint)[1]
        if inner is Any:
            return value
        return {key: _value(inner, entry, f"{where}.{key}") for key, entry in value.items()}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not hint:
        raise ConfigError(f"{where}: expected {hint.__name__}, found {value!r}")
    return value


def _check(config: Config, where: str) -> None:
    """Refuses values that would only fail, or silently do nothing, hours later."""
    model, data = config.model, config.data
    last = config.diffusion.phases[-1].until_step if config.diffusion.phases else 0
    side = data.image_size >> (len(model.vae_channels) - 1)
    rules = [
        (model.prediction in ("epsilon", "v_prediction"), "model.prediction"),
        (len(model.unet_channels) == len(model.unet_attention), "model.unet_attention"),
        (sum(model.unet_attention) >= 2, "model.unet_attention: two levels need it"),
        (last >= config.diffusion.steps, "diffusion.phases: the last ends before the steps do"),
        (
            all(side % phase.latent_side == 0 for phase in config.diffusion.phases),
            f"diffusion.phases: latent_side has to divide {side}",
        ),
        (
            all(len(p.shares) == 3 and sum(p.shares) > 0 for p in config.diffusion.phases),
            "diffusion.phases: shares are three numbers",
        ),
        (config.machine.processes >= 1 and config.machine.threads >= 1, "machine"),
        (all(weight > 0 for weight in data.weights.values()), "data.weights: positive numbers"),
    ]
    for name in ("autoencoder", "diffusion"):
        stage = getattr(config, name)
        rules += [
            (stage.optimizer in ("muon", "adamw"), f"{name}.optimizer"),
            (stage.precision in ("bfloat16", "float32"), f"{name}.precision"),
            (
                stage.pool_scenes > 0 and stage.pool_scenes % data.stream_batch == 0,
                f"{name}.pool_scenes: a multiple of data.stream_batch ({data.stream_batch})",
            ),
            (stage.refresh_steps > 0, f"{name}.refresh_steps"),
        ]
    for holds, what in rules:
        if not holds:
            raise ConfigError(f"{where}: {what}: out of range")
