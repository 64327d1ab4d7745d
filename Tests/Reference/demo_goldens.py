"""Pictures of the bundled demo model as diffusers makes them on the CPU in fp32: what `tintype generate` must equal.

    python Tests/Reference/demo_goldens.py      (torch 2, diffusers 0.42, transformers 5, Pillow)

Writes Tests/Fixtures/demo/*.png and goldens.json, which the end-to-end tests read: each entry is a command line's options.
"""
import json
import pathlib

import diffusers
import torch
import transformers
from PIL import Image

root = pathlib.Path(__file__).resolve().parents[2]
model, out = root / "Deploy/demo-model/model", root / "Tests/Fixtures/demo"

CASES = [
    dict(name="lake", prompt="a red house by a lake at sunset", steps=1, seed=7),
    dict(name="meadow", prompt="a cherry tree in a meadow on a sunny day", steps=4, seed=2024),
    dict(name="odd-size", prompt="snowy mountains at dawn", steps=2, seed=2147483643, width=152, height=104),
    dict(name="guided", prompt="palm trees in the desert", negative_prompt="night", steps=3, seed=11, guidance_scale=2.0),
    dict(name="from-lake", prompt="pine trees in the snow at night", steps=4, seed=3, strength=0.5, init_image="lake.png"),
]


def main():
    torch.set_grad_enabled(False)
    out.mkdir(parents=True, exist_ok=True)
    text_to_image = diffusers.StableDiffusionXLPipeline.from_pretrained(
        model, torch_dtype=torch.float32, add_watermarker=False)
    image_to_image = diffusers.StableDiffusionXLImg2ImgPipeline(**text_to_image.components, add_watermarker=False)
    for pipe in (text_to_image, image_to_image):
        pipe.set_progress_bar_config(disable=True)
    for case in CASES:
        options = {k: v for k, v in case.items() if k not in ("name", "steps", "seed", "init_image", "width", "height")}
        options.setdefault("guidance_scale", 0.0)
        options |= dict(num_inference_steps=case["steps"], generator=torch.Generator("cpu").manual_seed(case["seed"]))
        if "init_image" in case:
            result = image_to_image(image=Image.open(out / case["init_image"]).convert("RGB"), **options)
        else:
            result = text_to_image(width=case.get("width", 128), height=case.get("height", 128), **options)
        result.images[0].save(out / f"{case['name']}.png", optimize=True)
        print(case["name"], result.images[0].size)
    versions = dict(torch=torch.__version__, diffusers=diffusers.__version__, transformers=transformers.__version__)
    (out / "goldens.json").write_text(json.dumps(dict(versions=versions, cases=CASES), indent=2) + "\n")


main()
