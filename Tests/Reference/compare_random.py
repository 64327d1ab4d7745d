#!/usr/bin/env python3
"""Compares `tintype generate` with diffusers on pipelines of random architecture: levels, widths, heads, layers, norms, text encoders,
autoencoder, scheduler, type of the weights, and for each three random requests. A difference is printed with everything that leads to it.

    python compare_random.py FIRST LAST    # seeds; TINTYPE=path for a program that is not in .build/release
"""

import os
import random
import subprocess
import sys
import tempfile

import numpy as np
import PIL.Image
import torch
from diffusers import (
    EulerAncestralDiscreteScheduler,
    EulerDiscreteScheduler,
    StableDiffusionImg2ImgPipeline,
    StableDiffusionPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLPipeline,
)
from make_goldens import (
    LONG, SCHEDULE, CLIPTextModel, CLIPTextModelWithProjection, autoencoder, case, run_case, save, text_encoder, tokenizer, unet,
)  # fmt: skip
from safetensors.torch import load_file

PROGRAM = os.environ.get("TINTYPE", os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../.build/release/tintype"))
# Of the stage's largest value: what the order of sums may change, and a hundredth of what a wrong architecture does.
TOLERANCE = 1e-4
STAGES = ("timesteps", "sigmas", "initial_latents", "noise_pred_0", "latents", "decoded")


def network(draw, groups):
    """Options of a UNet."""
    levels = draw.choice([2, 3, 3, 4])
    widths = [draw.choice([16, 24, 32, 40, 48, 64]) for _ in range(levels)]
    heads = [draw.choice([n for n in (1, 2, 3, 4, 8) if width % n == 0]) for width in widths]
    down = [draw.choice(["CrossAttnDownBlock2D", "DownBlock2D"]) for _ in widths]
    if "CrossAttnDownBlock2D" not in down:
        down[-1] = "CrossAttnDownBlock2D"
    layers = draw.choice([1, 2, [draw.choice([1, 2, 3]) for _ in widths]])
    return {
        "block_out_channels": widths, "layers_per_block": draw.choice([1, 2, 3]), "norm_num_groups": groups,
        "attention_head_dim": draw.choice([heads, heads, draw.choice([1, 2, 4, 8])]), "down_block_types": down,
        "up_block_types": [block.replace("Down", "Up") for block in reversed(down)],
        "transformer_layers_per_block": layers, "use_linear_projection": draw.random() < 0.6,
    }  # fmt: skip


def schedule(draw):
    options = SCHEDULE | {
        "timestep_spacing": draw.choice(["trailing", "trailing", "leading", "linspace"]),
        "prediction_type": draw.choice(["epsilon", "epsilon", "v_prediction"]),
        "beta_schedule": draw.choice(["scaled_linear", "scaled_linear", "linear"]), "steps_offset": draw.choice([0, 1]),
    }  # fmt: skip
    return draw.choice([EulerDiscreteScheduler, EulerAncestralDiscreteScheduler])(**options)


def pipeline(draw, folder, name):
    """A pipeline, and its options for a second one that starts from pictures."""
    vocabulary_pad = draw.choice(["!", "<|endoftext|>"])
    first, vocabulary = tokenizer(f"{folder}/tokenizer", vocabulary_pad)
    end = draw.choice([2, vocabulary - 1])

    def encoder(key, cls, width, **options):
        return text_encoder(
            name + key, cls, vocabulary, end, hidden_size=width, intermediate_size=width * draw.choice([2, 4]),
            num_hidden_layers=draw.choice([2, 3]), num_attention_heads=draw.choice([1, 2, 4]),
            hidden_act=draw.choice(["gelu", "quick_gelu"]), **options)  # fmt: skip

    width = draw.choice([16, 24, 40])
    widths = [draw.choice([8, 16, 24]) for _ in range(draw.choice([2, 3, 4]))]
    parts = {
        "tokenizer": first, "text_encoder": encoder("text", CLIPTextModel, width, projection_dim=width),
        "vae": autoencoder(name + "vae", widths, draw.choice([1, 2]), draw.choice([0.13025, 0.18215, 0.5])),
        "scheduler": schedule(draw),
    }  # fmt: skip
    options = network(draw, draw.choice([2, 4, 8]))
    if draw.random() < 0.5:
        parts["unet"] = unet(name + "unet", width, **options)
        return parts, StableDiffusionPipeline(
            **parts, safety_checker=None, feature_extractor=None, requires_safety_checker=False
        ), (StableDiffusionImg2ImgPipeline, {"requires_safety_checker": False})  # fmt: skip
    second, projection, times = draw.choice([24, 32, 48]), draw.choice([16, 32, 40]), draw.choice([4, 8])
    parts["tokenizer_2"], _ = tokenizer(f"{folder}/tokenizer_2", "!")
    parts["text_encoder_2"] = encoder("text2", CLIPTextModelWithProjection, second, projection_dim=projection)
    parts["unet"] = unet(
        name + "unet", width + second, addition_embed_type="text_time", addition_time_embed_dim=times,
        projection_class_embeddings_input_dim=6 * times + projection, **options)  # fmt: skip
    own = {"add_watermarker": False, "force_zeros_for_empty_prompt": draw.random() < 0.7}
    return parts, StableDiffusionXLPipeline(**parts, **own), (StableDiffusionXLImg2ImgPipeline, own)


def request(draw, name):
    steps, strength = draw.choice([1, 2, 3, 4, 7]), None
    if draw.random() < 0.35:
        strength = draw.choice([0.3, 0.5, 0.75, 1.0])
        strength = strength if int(steps * strength) >= 1 else 1.0
    return case(
        name, draw.choice(["a red boat", "", LONG, "An OLD house!! in the fog"]), steps=steps, strength=strength,
        size=(8 * draw.randint(4, 14), 8 * draw.randint(4, 14)), guidance=draw.choice([0, 0, 1, 3.5, 7.5]),
        negative=draw.choice([None, None, "", "fog"]), seed=draw.choice([0, 7, -1, 2**40 + 5]))  # fmt: skip


def difference(folder, item, expected, scratch):
    """What is wrong with the program's answer to a request; None if nothing is."""
    command = [PROGRAM, "generate", "--model", folder, "-o", f"{scratch}/o.png", "--save-tensors", f"{scratch}/o.safetensors"]
    for option in ("prompt", "negative_prompt", "seed", "steps", "guidance_scale", "width", "height", "strength"):
        if item[option] is not None:
            command += ["--" + option.replace("_", "-"), str(item[option])]
    if item["strength"] is not None:
        PIL.Image.fromarray(expected["init_image"].numpy()).save(f"{scratch}/i.png")
        command += ["--init-image", f"{scratch}/i.png"]
    outcome = subprocess.run(command, capture_output=True, text=True)
    if outcome.returncode:
        return f"exit status {outcome.returncode}: {outcome.stderr.strip()}"
    found = load_file(f"{scratch}/o.safetensors")
    errors = {}
    for stage in STAGES:
        a, b = found[stage].double(), expected[stage].double()
        errors[stage] = float((a - b).abs().max() / b.abs().max().clamp(min=1e-9)) if a.shape == b.shape else "shape"
    pixels = np.asarray(PIL.Image.open(f"{scratch}/o.png").convert("RGB")).astype(int)
    errors["picture"] = int(np.abs(pixels - expected["image"].numpy()[0].astype(int)).max())
    is_equal = errors["picture"] <= 1 and all(errors[stage] != "shape" and errors[stage] <= TOLERANCE for stage in STAGES)
    return None if is_equal else errors


def main():
    first, last = (int(word) for word in sys.argv[1:])
    count = faults = 0
    for seed in range(first, last):
        draw = random.Random(seed)
        with tempfile.TemporaryDirectory() as scratch:
            folder = f"{scratch}/model"
            parts, pipe, (image_class, options) = pipeline(draw, folder, f"random{seed}")
            kind = "sdxl" if "tokenizer_2" in parts else "sd"
            pipe = save(kind, folder, parts, pipe, draw.choice([torch.float16, torch.float32, torch.bfloat16]))
            components = {key: value for key, value in pipe.components.items() if kind == "sd" or value is not None}
            image_pipe = image_class(**components, **options)
            for one in (pipe, image_pipe):
                one.set_progress_bar_config(disable=True)
            for index in range(3):
                item = request(draw, f"{seed}-{index}")
                count += 1
                if problem := difference(folder, item, run_case(pipe, image_pipe, item), scratch):
                    faults += 1
                    print(seed, problem, item, dict(pipe.unet.config), dict(pipe.scheduler.config), flush=True)
    print(f"{count} requests on {last - first} pipelines, {faults} different")
    sys.exit(faults > 0)


if __name__ == "__main__":
    main()
