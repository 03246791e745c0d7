"""Random models of the published sizes, in the published layouts: SD 1.5 and SD 2.1.

    python Benchmarks/diffusion/full_models.py FOLDER [sd15] [sd21]

Speed and rounding depend on sizes and not on what was learned, so nothing has to be downloaded.
Weights are scaled so that activations keep the size they have in a trained network.
"""

import json
import pathlib
import sys

import diffusers
import torch
import transformers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "python" / "fixtures"))
from tiny_tokenizer import write_tokenizer  # noqa: E402

UNETS = {
    "sd15": dict(sample_size=64, cross_attention_dim=768, attention_head_dim=8),
    "sd21": dict(sample_size=96, cross_attention_dim=1024, attention_head_dim=(5, 10, 20, 20),
                 use_linear_projection=True),
}
TEXTS = {
    "sd15": dict(hidden_size=768, intermediate_size=3072, num_hidden_layers=12, num_attention_heads=12,
                 hidden_act="quick_gelu"),
    "sd21": dict(hidden_size=1024, intermediate_size=4096, num_hidden_layers=23, num_attention_heads=16,
                 hidden_act="gelu"),
}


def make(name, folder):
    torch.manual_seed(15)
    unet = diffusers.UNet2DConditionModel(**UNETS[name])
    vae = diffusers.AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4, latent_channels=4, layers_per_block=2, sample_size=512)
    text = transformers.CLIPTextModel(transformers.CLIPTextConfig(
        vocab_size=49408, max_position_embeddings=77, **TEXTS[name]))
    for part, module in [("unet", unet), ("vae", vae), ("text_encoder", text)]:
        module.save_pretrained(folder / part, max_shard_size="20GB")
    write_tokenizer(folder / "tokenizer", "!" if name == "sd21" else None, as_one_file=False)
    diffusers.DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1, set_alpha_to_one=False,
        clip_sample=False, prediction_type="v_prediction" if name == "sd21" else "epsilon",
    ).save_pretrained(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({"_class_name": "StableDiffusionPipeline"}))


def main():
    root = pathlib.Path(sys.argv[1])
    for name in sys.argv[2:] or ["sd15", "sd21"]:
        if not (root / name / "model_index.json").exists():
            make(name, root / name)
            print(f"made {root / name}")


if __name__ == "__main__":
    main()
