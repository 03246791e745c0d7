"""The four parts, as diffusers and transformers define them, and the directory they make."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from .config import Config, Model

#: What the shipped model may weigh.
MAXIMUM_PARAMETERS = 12_000_000
MAXIMUM_HALF_BYTES = 24_000_000

_MLP_RATIO = 4


def text_encoder(model: Model, tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """A CLIP text encoder for the tokenizer's vocabulary."""
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=model.text_width,
            intermediate_size=model.text_width * _MLP_RATIO,
            projection_dim=model.text_width,
            num_hidden_layers=model.text_layers,
            num_attention_heads=model.text_heads,
            max_position_embeddings=model.text_positions,
            hidden_act="quick_gelu",
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def autoencoder(model: Model, image_size: int) -> AutoencoderKL:
    """A variational autoencoder without attention; ``scaling_factor`` is set when it is trained."""
    levels = len(model.vae_channels)
    return AutoencoderKL(
        block_out_channels=tuple(model.vae_channels),
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=model.vae_layers,
        latent_channels=model.latent_channels,
        norm_num_groups=model.vae_groups,
        mid_block_add_attention=False,
        sample_size=image_size,
        scaling_factor=1.0,
    )


def latent_side(config: Config) -> int:
    """Latent pixels along a side."""
    return config.data.image_size >> (len(config.model.vae_channels) - 1)


def unet(config: Config) -> UNet2DConditionModel:
    """The denoiser."""
    model = config.model
    down = [("CrossAttnDownBlock2D" if a else "DownBlock2D") for a in model.unet_attention]
    up = [("CrossAttnUpBlock2D" if a else "UpBlock2D") for a in reversed(model.unet_attention)]
    return UNet2DConditionModel(
        sample_size=latent_side(config),
        in_channels=model.latent_channels,
        out_channels=model.latent_channels,
        layers_per_block=model.unet_layers,
        block_out_channels=tuple(model.unet_channels),
        down_block_types=tuple(down),
        up_block_types=tuple(up),
        cross_attention_dim=model.text_width,
        attention_head_dim=model.unet_heads,
        norm_num_groups=model.unet_groups,
    )


def scheduler(model: Model) -> DDIMScheduler:
    """Stable Diffusion's schedule with this model's bounds."""
    return DDIMScheduler(
        num_train_timesteps=1000,
        beta_start=model.beta_start,
        beta_end=model.beta_end,
        beta_schedule="scaled_linear",
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type=model.prediction,
    )


def parameter_count(*modules: nn.Module) -> int:
    """Parameters of all modules together."""
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


def export(
    folder: Path,
    vae: AutoencoderKL,
    text: CLIPTextModel,
    denoiser: UNet2DConditionModel,
    tokenizer_folder: Path,
    tokenizer: CLIPTokenizer,
    model: Model,
    categories: list[str],
    dtype: torch.dtype = torch.float16,
) -> int:
    """Writes a diffusers directory and returns the bytes of its weights.

    Raises ``ValueError`` when the model is larger than may be shipped.
    """
    count = parameter_count(vae, text, denoiser)
    if count > MAXIMUM_PARAMETERS:
        raise ValueError(f"{count} parameters; at most {MAXIMUM_PARAMETERS} may be shipped")
    parts = [copy.deepcopy(part).cpu().eval().to(dtype) for part in (vae, text, denoiser)]
    pipeline = StableDiffusionPipeline(
        parts[0], parts[1], tokenizer, parts[2], scheduler(model),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip
    pipeline.save_pretrained(folder)
    # Newer versions of transformers save tokenizer.json alone; most programs read these two.
    for name in ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json"):
        (folder / "tokenizer" / name).write_bytes((tokenizer_folder / name).read_bytes())
    (folder / "categories.txt").write_text("\n".join(categories) + "\n", "utf-8")
    index = json.loads((folder / "model_index.json").read_text("utf-8"))
    index["_name_or_path"] = "stickers"
    (folder / "model_index.json").write_text(json.dumps(index, indent=2) + "\n", "utf-8")
    size = sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
    if dtype == torch.float16 and size > MAXIMUM_HALF_BYTES:
        raise ValueError(f"{size} bytes of weights; at most {MAXIMUM_HALF_BYTES} may be shipped")
    return size
