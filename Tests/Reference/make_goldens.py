#!/usr/bin/env python3
"""Makes Tests/Fixtures/pipelines: three tiny diffusers pipelines with random weights, and what diffusers computes with
them on the CPU in fp32. See README.md. Run: python make_goldens.py [OUT]"""

import functools
import hashlib
import json
import os
import shutil
import sys

os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["ATEN_CPU_CAPABILITY"] = "avx2"  # torch.randn has another last bit in other builds

import diffusers
import numpy as np
import PIL.Image
import torch
import transformers
from diffusers import (
    AutoencoderKL,
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from safetensors.torch import load_file, save_file
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer

diffusers.logging.set_verbosity_error()
transformers.logging.set_verbosity_error()
torch.set_grad_enabled(False)
torch.use_deterministic_algorithms(True)

SEED = 20240229
HERE = os.path.dirname(os.path.abspath(__file__))
OUT = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else f"{HERE}/../Fixtures/pipelines")

# The tokenizer has its own tests; here it only has to give different ids for different texts.
WORDS = "a an the of red blue boat house hill lake at in on under with small old fog night sun cat dog painting".split()
LONG = " ".join(["an old red boat on the small blue lake under the hill at night,"] * 8) + " with a cat"


def generator(*key):
    digest = hashlib.sha256(repr((SEED, *key)).encode()).digest()
    return torch.Generator("cpu").manual_seed(int.from_bytes(digest[:7], "big"))


def tokenizer(folder, pad):
    """A CLIP tokenizer of 512 byte symbols and the merges that spell WORDS."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in printable]
    symbols = [chr(b) for b in printable] + [chr(256 + n) for n in range(len(others))]
    merges = []
    for word in WORDS:
        parts = [*word[:-1], word[-1] + "</w>"]
        while len(parts) > 1:
            merge = " ".join(parts[:2])
            if merge not in merges:
                merges.append(merge)
            parts = [parts[0] + parts[1], *parts[2:]]
    tokens = symbols + [s + "</w>" for s in symbols] + [m.replace(" ", "") for m in merges]
    tokens = list(dict.fromkeys(tokens)) + ["<|startoftext|>", "<|endoftext|>"]
    os.makedirs(folder)
    with open(f"{folder}/vocab.json", "w", encoding="utf-8") as file:
        json.dump({token: i for i, token in enumerate(tokens)}, file, ensure_ascii=False)
    with open(f"{folder}/merges.txt", "w", encoding="utf-8") as file:
        file.write("#version: 0.2\n" + "\n".join(merges) + "\n")

    def special(text, **options):
        return {"content": text, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False, **options}

    end = len(tokens) - 1
    added = {
        str(end - 1): special("<|startoftext|>", special=True),
        str(end): special("<|endoftext|>", special=True),
    }
    if pad == "!":
        added["0"] = special("!", normalized=False, special=True)
    config = {
        "add_prefix_space": False, "added_tokens_decoder": added, "bos_token": "<|startoftext|>",
        "do_lower_case": True, "eos_token": "<|endoftext|>", "errors": "replace", "model_max_length": 77,
        "pad_token": pad, "tokenizer_class": "CLIPTokenizer", "unk_token": "<|endoftext|>",
    }  # fmt: skip
    with open(f"{folder}/tokenizer_config.json", "w") as file:
        json.dump(config, file, indent=1)
    special_tokens = {k: config[k] for k in ("bos_token", "eos_token", "pad_token", "unk_token")}
    with open(f"{folder}/special_tokens_map.json", "w") as file:
        json.dump(special_tokens, file, indent=1)
    return CLIPTokenizer.from_pretrained(folder), len(tokens)


def randomize(network, name):
    """Weights that keep activations near unit size."""
    for key, parameter in sorted(network.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator(name, key))
        if "norm" in key:
            value = 1 + 0.2 * noise if key.endswith("weight") else 0.1 * noise
        elif "embedding" in key and "time" not in key and parameter.ndim == 2 and "add_" not in key:
            value = 0.3 * noise
        elif parameter.ndim == 1:
            value = 0.1 * noise
        else:
            value = noise / parameter[0].numel() ** 0.5
        parameter.copy_(value)
    network.eval()
    return network


def round_to(network, dtype):
    for parameter in network.parameters():
        parameter.copy_(parameter.to(dtype).float())


def text_encoder(name, cls, vocabulary, end, **options):
    config = CLIPTextConfig(
        vocab_size=vocabulary, max_position_embeddings=77, bos_token_id=0, eos_token_id=end, pad_token_id=1, **options
    )
    return randomize(cls(config), name)


def autoencoder(name, widths, layers, scaling):
    levels = len(widths)
    vae = AutoencoderKL(
        block_out_channels=widths, layers_per_block=layers, norm_num_groups=4, latent_channels=4, sample_size=64,
        down_block_types=["DownEncoderBlock2D"] * levels, up_block_types=["UpDecoderBlock2D"] * levels,
        scaling_factor=scaling,
    )  # fmt: skip
    randomize(vae, name)
    # Pictures that are neither grey nor clipped, latents of unit size, variances that are neither nothing nor all.
    picture = vae.decode(torch.randn(1, 4, 8, 8, generator=generator(name, "latents")) / scaling).sample
    vae.decoder.conv_out.weight.mul_(0.45 / picture.std())
    moments = vae.encode(torch.rand(1, 3, 64, 64, generator=generator(name, "picture")) * 2 - 1).latent_dist
    vae.quant_conv.weight[:4].mul_(1 / scaling / moments.mean.std())
    vae.quant_conv.bias[4:].sub_(2.0)
    return vae


def unet(name, context, **options):
    network = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, cross_attention_dim=context, **{"norm_num_groups": 4} | options
    )
    randomize(network, name)
    added = {}
    if "addition_embed_type" in options:
        pooled = options["projection_class_embeddings_input_dim"] - 6 * options["addition_time_embed_dim"]
        added = {"text_embeds": torch.randn(1, pooled, generator=generator(name, "pooled")),
                 "time_ids": torch.tensor([[64.0, 64, 0, 0, 64, 64]])}  # fmt: skip
    noise = network(
        torch.randn(1, 4, 8, 8, generator=generator(name, "sample")), 500,
        encoder_hidden_states=torch.randn(1, 77, context, generator=generator(name, "context")),
        added_cond_kwargs=added,
    ).sample  # fmt: skip
    network.conv_out.weight.mul_(0.8 / noise.std())
    return network


SCHEDULE = {
    "num_train_timesteps": 1000, "beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear",
    "prediction_type": "epsilon", "timestep_spacing": "trailing", "steps_offset": 1,
}  # fmt: skip


def sdxl(folder):
    first, vocabulary = tokenizer(f"{folder}/tokenizer", "<|endoftext|>")
    second, _ = tokenizer(f"{folder}/tokenizer_2", "!")
    parts = {
        "tokenizer": first,
        "tokenizer_2": second,
        "text_encoder": text_encoder(
            "sdxl.text_encoder", CLIPTextModel, vocabulary, 2, hidden_size=24, intermediate_size=96,
            num_hidden_layers=3, num_attention_heads=3, hidden_act="quick_gelu", projection_dim=24),
        "text_encoder_2": text_encoder(
            "sdxl.text_encoder_2", CLIPTextModelWithProjection, vocabulary, 2, hidden_size=40, intermediate_size=160,
            num_hidden_layers=4, num_attention_heads=5, hidden_act="gelu", projection_dim=32),
        "unet": unet(
            "sdxl.unet", 64, block_out_channels=[16, 24, 32], layers_per_block=2, attention_head_dim=[2, 3, 4],
            down_block_types=["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
            up_block_types=["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
            transformer_layers_per_block=[1, 1, 2], use_linear_projection=True, addition_embed_type="text_time",
            addition_time_embed_dim=8, projection_class_embeddings_input_dim=6 * 8 + 32),
        "vae": autoencoder("sdxl.vae", [8, 8, 16, 16], 2, 0.13025),
        "scheduler": EulerAncestralDiscreteScheduler(**SCHEDULE),
    }  # fmt: skip
    return parts, StableDiffusionXLPipeline(**parts, force_zeros_for_empty_prompt=True, add_watermarker=False)


def sd(folder):
    only, vocabulary = tokenizer(f"{folder}/tokenizer", "!")
    parts = {
        "tokenizer": only,
        "text_encoder": text_encoder(
            "sd.text_encoder", CLIPTextModel, vocabulary, 2, hidden_size=40, intermediate_size=160,
            num_hidden_layers=3, num_attention_heads=5, hidden_act="gelu", projection_dim=32),
        "unet": unet(
            "sd.unet", 40, block_out_channels=[16, 24, 32, 32], layers_per_block=2, attention_head_dim=[2, 3, 4, 4],
            down_block_types=["CrossAttnDownBlock2D"] * 3 + ["DownBlock2D"],
            up_block_types=["UpBlock2D"] + ["CrossAttnUpBlock2D"] * 3, use_linear_projection=True),
        "vae": autoencoder("sd.vae", [8, 8, 16, 16], 1, 0.18215),
        "scheduler": EulerDiscreteScheduler(**SCHEDULE),
    }  # fmt: skip
    return parts, StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def layouts(folder):
    """Everything that older or bigger checkpoints write differently, and a VAE of three levels."""
    only, vocabulary = tokenizer(f"{folder}/tokenizer", "<|endoftext|>")
    parts = {
        "tokenizer": only,
        "text_encoder": text_encoder(
            "layouts.text_encoder", CLIPTextModel, vocabulary, vocabulary - 1, hidden_size=32, intermediate_size=64,
            num_hidden_layers=2, num_attention_heads=4, hidden_act="quick_gelu"),
        "unet": unet(
            "layouts.unet", 32, block_out_channels=[16, 32], layers_per_block=1, attention_head_dim=4,
            down_block_types=["CrossAttnDownBlock2D", "DownBlock2D"],
            up_block_types=["UpBlock2D", "CrossAttnUpBlock2D"], use_linear_projection=False),
        "vae": autoencoder("layouts.vae", [8, 16, 16], 1, 0.2),
        "scheduler": EulerDiscreteScheduler(**SCHEDULE),
    }  # fmt: skip
    return parts, StableDiffusionPipeline(
        **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
    )


def save(name, folder, parts, pipe, dtype):
    """Stores the pipeline as published repositories store theirs, and loads it again: what is measured is what is stored."""
    networks = [part for part in parts.values() if isinstance(part, torch.nn.Module)]
    for network in networks:
        round_to(network, dtype)
        network.to(dtype)
    variant = "fp16" if dtype == torch.float16 else None
    pipe.save_pretrained(folder, safe_serialization=True, variant=variant)
    for key in ("tokenizer", "tokenizer_2"):
        if key in parts:
            shutil.rmtree(f"{folder}/{key}")
            tokenizer(f"{folder}/{key}", parts[key].pad_token)
    suffix = ".fp16.safetensors" if variant else ".safetensors"
    if name == "layouts":
        os.remove(f"{folder}/unet/diffusion_pytorch_model.safetensors")
        parts["unet"].save_pretrained(f"{folder}/unet", safe_serialization=True, max_shard_size="120KB")
        path = f"{folder}/vae/diffusion_pytorch_model.safetensors"
        old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
        weights = {}
        for key, value in load_file(path).items():
            for new_name, old_name in old.items():
                if f"attentions.0.{new_name}." in key:
                    key = key.replace(new_name, old_name)
            weights[key] = value
        save_file(weights, path, metadata={"format": "pt"})
    else:
        # transformers 5 writes encoders without this prefix; all published files have it.
        for key in ("text_encoder", "text_encoder_2"):
            path = f"{folder}/{key}/model{suffix}"
            if os.path.exists(path):
                weights = {k if k.startswith("text_") else f"text_model.{k}": v for k, v in load_file(path).items()}
                if name == "sd":
                    weights["text_model.embeddings.position_ids"] = torch.arange(77)[None]
                save_file(weights, path, metadata={"format": "pt"})
    options = {"add_watermarker": False} if name == "sdxl" else {}
    if name != "layouts":  # diffusers no longer reads every old name, so there the original stands for the copy
        pipe = type(pipe).from_pretrained(
            folder, torch_dtype=torch.float32, variant=variant, local_files_only=True, **options)
    for network in networks:
        network.float()
    return pipe


def picture(name, width, height):
    """A smooth gradient with some noise, 8-bit."""
    y, x = np.mgrid[0:height, 0:width]
    waves = np.stack([np.sin(x / 9 + y / 17), np.cos(x / 13 - y / 7), np.sin((x + y) / 11)], -1)
    noise = torch.randn(height, width, 3, generator=generator("picture", name)).numpy()
    return np.clip(127 + 90 * waves + 12 * noise, 0, 255).astype(np.uint8)


class Recorder:
    """Keeps what passes through a scheduler's step: the guided prediction, and the latents before and after."""

    def __init__(self, scheduler):
        self.scheduler, self.original, self.tensors, self.count = scheduler, scheduler.step, {}, 0

        # The pipelines pass their generator only to a step whose signature has one: hence wraps.
        @functools.wraps(scheduler.step)
        def step(*args, **kwargs):
            return self.step(*args, **kwargs)

        scheduler.step = step

    def step(self, model_output, timestep, sample, *args, **kwargs):
        index = self.count
        self.count += 1
        if index == 0:
            self.tensors["initial_latents"] = sample.clone()
        result = self.original(model_output, timestep, sample, *args, **kwargs)
        if index < 4:  # the last latents are kept anyway
            self.tensors[f"noise_pred_{index}"] = model_output.clone()
            self.tensors[f"latents_after_{index}"] = result[0].clone()
        self.last = result[0]
        return result

    def close(self):
        del self.scheduler.step
        return self.tensors


def run_case(pipe, image_pipe, case):
    seeds = [case["seed"] + k for k in range(case["image_count"])]
    generators = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    common = {
        "prompt": case["prompt"], "negative_prompt": case["negative_prompt"], "output_type": "latent",
        "num_inference_steps": case["steps"], "guidance_scale": case["guidance_scale"],
        "num_images_per_prompt": len(seeds), "generator": generators,
    }  # fmt: skip
    tensors = {}
    if case["strength"] is None:
        recorder = Recorder(pipe.scheduler)
        latents = pipe(width=case["width"], height=case["height"], **common).images
        begin, scheduler = 0, pipe.scheduler
    else:
        init = picture(case["name"], case["width"], case["height"])
        tensors["init_image"] = torch.from_numpy(init)
        recorder = Recorder(image_pipe.scheduler)
        latents = image_pipe(image=PIL.Image.fromarray(init), strength=case["strength"], **common).images
        begin, scheduler = case["steps"] - min(int(case["steps"] * case["strength"]), case["steps"]), image_pipe.scheduler
    tensors |= recorder.close()
    assert torch.equal(latents, recorder.last)
    decoded = pipe.vae.decode(latents / pipe.vae.config.scaling_factor).sample
    tensors |= {"latents": latents, "decoded": decoded, "timesteps": scheduler.timesteps[begin:].float(),
                "sigmas": scheduler.sigmas[begin:].float()}  # fmt: skip
    pixels = (decoded * 0.5 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).float().numpy()
    tensors["image"] = torch.from_numpy((pixels * 255).round().astype(np.uint8))
    return tensors


def text_goldens(pipe, prompts):
    tensors = {}
    for key, field in (("tokenizer", "input_ids"), ("tokenizer_2", "input_ids_2")):
        if hasattr(pipe, key):
            ids = getattr(pipe, key)(
                prompts, padding="max_length", max_length=77, truncation=True, return_tensors="pt").input_ids  # fmt: skip
            tensors[field] = ids
    encoded = [
        pipe.encode_prompt(p, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False) for p in prompts
    ]
    tensors["prompt_embeds"] = torch.cat([e[0] for e in encoded])
    if hasattr(pipe, "tokenizer_2"):
        tensors["pooled_prompt_embeds"] = torch.cat([e[2] for e in encoded])
    return tensors


def unet_goldens(pipe, text, name, index, height, width, timestep):
    tensors = {
        "sample": torch.randn(2, 4, height, width, generator=generator(name, "unit", index)),
        "timestep": torch.tensor([timestep]),
        "context": text["prompt_embeds"][:2],
    }
    added = {}
    if "pooled_prompt_embeds" in text:
        tensors["text_embeds"] = text["pooled_prompt_embeds"][:2]
        tensors["time_ids"] = torch.tensor([[8.0 * height, 8 * width, 16, 24, 8 * height, 8 * width], [512, 768, 0, 0, 64, 80]])
        added = {"text_embeds": tensors["text_embeds"], "time_ids": tensors["time_ids"]}
    tensors["output"] = pipe.unet(
        tensors["sample"], torch.tensor(timestep), encoder_hidden_states=tensors["context"], added_cond_kwargs=added).sample  # fmt: skip
    return tensors


def vae_goldens(pipe, name, width, height):
    factor = 2 ** (len(pipe.vae.config.block_out_channels) - 1)
    image = torch.from_numpy(picture(name + "vae", width, height)).float().div(255).mul(2).sub(1).permute(2, 0, 1)[None]
    latents = torch.randn(1, 4, height // factor, width // factor, generator=generator(name, "vae", width))
    posterior = pipe.vae.encode(image).latent_dist
    return {"image": image, "mean": posterior.mean, "logvar": posterior.logvar, "latents": latents,
            "decoded": pipe.vae.decode(latents).sample}  # fmt: skip


def case(name, prompt, steps=1, size=(64, 64), guidance=0.0, negative=None, strength=None, count=1, seed=None):
    if seed is None:
        seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
    return {"name": name, "prompt": prompt, "negative_prompt": negative, "steps": steps, "guidance_scale": guidance,
            "seed": seed, "width": size[0], "height": size[1], "strength": strength, "image_count": count}  # fmt: skip


COMMON = [
    case("text_1_step", "a red boat"),
    case("text_4_steps_long_prompt", LONG, steps=4),
    case("text_2_steps_odd_latents", "the old house, fog!", steps=2, size=(104, 72)),
    case("text_guided", "a cat at night", steps=2, guidance=5.0, negative="a dog in the sun"),
    case("text_guided_no_negative", "a cat at night", steps=3, guidance=2.0, size=(64, 96)),
    case("picture_2_steps", "a blue lake", steps=2, strength=0.5, size=(96, 64)),
    case("picture_guided", "a small house", steps=4, strength=0.75, guidance=2.0, negative="fog"),
]
CASES = {
    "sdxl": [
        *COMMON,
        case("text_guided_empty_negative", "a cat at night", steps=1, guidance=2.0, negative=""),
        case("text_empty_prompt", "", steps=3, size=(128, 64)),
        case("text_two_pictures", "a painting of a hill", steps=2, count=2),
        case("text_wrapped_seed", "a painting of a hill", steps=1, seed=-1, count=2),
        case("text_50_steps", "a painting of a lake", steps=50),
        case("picture_1_step_all_noise", "a blue lake", steps=1, strength=1.0),
        case("picture_odd_latents", "a blue lake", steps=4, strength=0.3, size=(104, 72)),
        case("picture_two_pictures", "the sun", steps=2, strength=0.5, count=2),
    ],
    "sd": [
        *COMMON,
        case("text_two_pictures", "a painting of a hill", steps=2, count=2),
        case("text_50_steps", "a painting of a lake", steps=50),
        case("picture_odd_latents", "a blue lake", steps=4, strength=0.3, size=(104, 72)),
    ],
    "layouts": [COMMON[0], COMMON[2], COMMON[6]],
}
PROMPTS = ["a red boat", "", LONG, "An OLD house!! in the fog, x<|endoftext|>y", "42 cats\u2026 \u732b"]


def write(path, tensors):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    save_file({key: value.contiguous() for key, value in tensors.items()}, path)


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    manifest = {
        "seed": SEED,
        "versions": {"diffusers": diffusers.__version__, "transformers": transformers.__version__,
                     "torch": torch.__version__.split("+")[0], "numpy": np.__version__},
        "prompts": PROMPTS, "models": {},
    }  # fmt: skip
    for name, build, dtype in (
        ("sdxl", sdxl, torch.float16), ("sd", sd, torch.float32), ("layouts", layouts, torch.bfloat16),
    ):  # fmt: skip
        folder, expected = f"{OUT}/{name}/model", f"{OUT}/{name}/expected"
        parts, pipe = build(folder)
        pipe = save(name, folder, parts, pipe, dtype)
        pipe.set_progress_bar_config(disable=True)
        image_class = StableDiffusionXLImg2ImgPipeline if name == "sdxl" else StableDiffusionImg2ImgPipeline
        options = {"add_watermarker": False} if name == "sdxl" else {"requires_safety_checker": False}
        components = {k: v for k, v in pipe.components.items() if not (name == "sdxl" and v is None)}
        image_pipe = image_class(**components, **options)
        image_pipe.set_progress_bar_config(disable=True)

        text = text_goldens(pipe, PROMPTS)
        write(f"{expected}/text.safetensors", text)
        units = [(8, 8, 999.0), (9, 13, 249.0)] if name != "layouts" else [(7, 10, 499.0)]
        for index, (height, width, timestep) in enumerate(units):
            tensors = unet_goldens(pipe, text, name, index, height, width, timestep)
            write(f"{expected}/unet_{width}x{height}.safetensors", tensors)
        write(f"{expected}/vae_72x40.safetensors", vae_goldens(pipe, name, 72, 40))
        for item in CASES[name]:
            write(f"{expected}/{item['name']}.safetensors", run_case(pipe, image_pipe, item))
        manifest["models"][name] = CASES[name]
    with open(f"{OUT}/manifest.json", "w") as file:
        json.dump(manifest, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
