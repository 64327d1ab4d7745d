"""Makes a model with the published architecture and random weights, in the diffusers layout, fp16.

    make_model.py sdxl-turbo|sd-turbo DIR

Speed and memory do not depend on what the weights are, as long as nothing overflows; so nobody has to download
anything. SDXL-Turbo takes 6.9 GB, SD-Turbo 2.6 GB.
"""
import json
import math
import pathlib
import shutil
import sys

import torch
from diffusers import AutoencoderKL, EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, UNet2DConditionModel
from safetensors.torch import save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "Fixtures/tokenizer/full"
VAE = {
    "latent_channels": 4, "block_out_channels": [128, 256, 512, 512], "layers_per_block": 2,
    "down_block_types": ["DownEncoderBlock2D"] * 4, "up_block_types": ["UpDecoderBlock2D"] * 4,
}
UNET = {"sample_size": 64, "in_channels": 4, "out_channels": 4, "layers_per_block": 2, "use_linear_projection": True}


def text_config(width, layers, heads, activation, projection):
    return CLIPTextConfig(
        vocab_size=49408, hidden_size=width, intermediate_size=4 * width, num_hidden_layers=layers,
        num_attention_heads=heads, hidden_act=activation, projection_dim=projection)


def networks(kind):
    """The networks by folder, without memory for their weights."""
    with torch.device("meta"):
        if kind == "sdxl-turbo":
            return {
                "text_encoder": CLIPTextModel(text_config(768, 12, 12, "quick_gelu", 768)),
                "text_encoder_2": CLIPTextModelWithProjection(text_config(1280, 32, 20, "gelu", 1280)),
                "vae": AutoencoderKL(sample_size=512, scaling_factor=0.13025, **VAE),
                "unet": UNet2DConditionModel(
                    block_out_channels=[320, 640, 1280], transformer_layers_per_block=[1, 2, 10],
                    down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                    up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                    attention_head_dim=[5, 10, 20], cross_attention_dim=2048, addition_embed_type="text_time",
                    addition_time_embed_dim=256, projection_class_embeddings_input_dim=2816, **UNET),
            }
        return {
            "text_encoder": CLIPTextModel(text_config(1024, 23, 16, "gelu", 512)),
            "vae": AutoencoderKL(sample_size=768, scaling_factor=0.18215, **VAE),
            "unet": UNet2DConditionModel(
                block_out_channels=[320, 640, 1280, 1280],
                down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
                up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, attention_head_dim=[5, 10, 20, 20],
                cross_attention_dim=1024, **UNET),
        }


def random_weights(network):
    """Values that keep activations near one: norms are the identity, other weights have a variance of 1 / inputs."""
    for name, parameter in network.named_parameters():
        shape = parameter.shape
        if "norm" in name:
            value = torch.ones(shape) if name.endswith("weight") else torch.zeros(shape)
        elif parameter.ndim == 1:
            value = torch.zeros(shape)
        else:
            spread = 0.02 if "embedding" in name and parameter.shape[0] > 70 else 1 / math.sqrt(parameter[0].numel())
            value = torch.randn(shape) * spread
        yield name, value.half()


def main():
    kind, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    if kind not in ("sdxl-turbo", "sd-turbo"):
        sys.exit(f"{kind}: expected sdxl-turbo or sd-turbo")
    torch.manual_seed(0)
    index = {"_class_name": "StableDiffusionXLPipeline" if kind == "sdxl-turbo" else "StableDiffusionPipeline"}
    for name, network in networks(kind).items():
        is_text = name.startswith("text")
        (folder / name).mkdir(parents=True, exist_ok=True)
        if is_text:
            network.config.save_pretrained(folder / name)
            tokenizer = name.replace("text_encoder", "tokenizer")
            shutil.copytree(TOKENIZER, folder / tokenizer, dirs_exist_ok=True)
            index[tokenizer] = ["transformers", "CLIPTokenizer"]
        else:
            network.save_config(folder / name)
        prefix = lambda key: key if not is_text or key.startswith("text_") else f"text_model.{key}"
        file = folder / name / ("model.safetensors" if is_text else "diffusion_pytorch_model.safetensors")
        save_file({prefix(key): value for key, value in random_weights(network)}, file, metadata={"format": "pt"})
        index[name] = ["transformers" if is_text else "diffusers", type(network).__name__]
        print(f"{file}: {file.stat().st_size / 1e9:.2f} GB", file=sys.stderr)
    scheduler = EulerAncestralDiscreteScheduler if kind == "sdxl-turbo" else EulerDiscreteScheduler
    scheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", timestep_spacing="trailing",
              steps_offset=1).save_config(folder / "scheduler")
    index["scheduler"] = ["diffusers", scheduler.__name__]
    if kind == "sd-turbo":
        index |= {"safety_checker": [None, None], "feature_extractor": [None, None], "requires_safety_checker": False}
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))


main()
