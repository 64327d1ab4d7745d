"""Measures a model folder on held-out captions and seeds: what the judge reads in its pictures, how their features are
distributed, and how much pictures of one caption differ.

    python evaluate.py --work DIR --model FOLDER --steps 4 [--guidance 0] [--sampler model|lcm] [--count 200] [--name NAME]

Adds a row to evaluation.json in the work folder and prints the table. Pictures come from diffusers' own pipeline, in fp32.

- Attributes: the caption names all of the scene's attributes; the share of pictures in which the judge reads each.
- Distance: Fréchet distance of the judge's features to those of as many drawn pictures of the same scenes. It depends on the
  number of pictures, so only rows with equal counts compare. "drawn" is the distance between two sets of drawings.
- Diversity: mean distance of the features of two pictures of one caption, by that of two drawings of one scene.
"""
import json
import random

import numpy as np
import torch

import clip
import data
import drawing
import judge as judging
import scenes
from work import Work, arguments

FIRST = data.HELD_OUT + 500_000_000  # apart from the 1000 that training looks at for its reports


def drawn(count: int, again: bool = False):
    """Held-out scenes with complete captions, and a drawing of each (another one if `again`)."""
    chosen, captions, pictures = [], [], []
    for i in range(count):
        random_ = random.Random(FIRST + i)
        scene = scenes.sample(random_)
        captions.append(scenes.caption(scene, random_, complete=True))
        pictures.append(np.asarray(drawing.draw(scene, random.Random(FIRST + i + (10**8 if again else 0)))))
        chosen.append(vars(scene))
    return chosen, captions, np.stack(pictures)


def generate(pipeline, captions: list[str], steps: int, guidance: float, first_seed: int) -> np.ndarray:
    pictures = []
    for start in range(0, len(captions), 20):
        batch = captions[start : start + 20]
        generators = [torch.Generator().manual_seed(first_seed + start + i) for i in range(len(batch))]
        result = pipeline(
            batch, num_inference_steps=steps, guidance_scale=guidance, generator=generators, height=128, width=128,
            output_type="np")
        pictures.append((result.images * 255).round().astype(np.uint8))
    return np.concatenate(pictures)


def pipeline_of(folder: str, sampler: str):
    import diffusers

    pipeline = diffusers.StableDiffusionXLPipeline.from_pretrained(folder, torch_dtype=torch.float32, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    if sampler == "lcm":
        pipeline.scheduler = diffusers.LCMScheduler.from_config(pipeline.scheduler.config, original_inference_steps=50)
    return pipeline


def frechet(first: torch.Tensor, second: torch.Tensor) -> float:
    """|m1 − m2|² + tr(C1 + C2 − 2 (C1 C2)^½) of two sets of features."""
    first, second = first.double(), second.double()
    c1, c2 = torch.cov(first.T), torch.cov(second.T)
    roots = torch.linalg.eigvals(c1 @ c2).real.clamp(min=0).sqrt().sum()
    return ((first.mean(0) - second.mean(0)).square().sum() + c1.trace() + c2.trace() - 2 * roots).item()


def row(judge, pictures, others, truth, reference, scale: float) -> dict:
    features, seen = judging.verdicts(judge, pictures)
    known = truth >= 0
    right = (seen == truth) & known
    accuracy = {name: 100 * (right[:, i].sum() / known[:, i].sum()).item() for i, name in enumerate(clip.ATTRIBUTES)}
    more, _ = judging.verdicts(judge, others)
    count = len(others)
    return dict(
        attributes={name: round(value, 1) for name, value in accuracy.items()},
        mean=round(sum(accuracy.values()) / len(accuracy), 1),
        distance=round(frechet(features, reference), 1),
        diversity=round((features[:count] - more).norm(dim=1).mean().item() / scale, 2), count=len(pictures))


def table(rows: dict) -> str:
    names = list(clip.ATTRIBUTES)
    lines = ["| | " + " | ".join(["all", *names, "distance", "diversity"]) + " |", "|---" * (len(names) + 4) + "|"]
    for name, r in rows.items():
        cells = [r["mean"], *(r["attributes"][n] for n in names), r["distance"], r["diversity"]]
        lines.append(f"| {name} | " + " | ".join(str(cell) for cell in cells) + " |")
    return "\n".join(lines)


def main(options):
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)
    work = Work(options.work)
    path = work.path("evaluation.json")
    rows = json.loads(path.read_text()) if path.exists() else {}
    judge = judging.load(work)
    entries, captions, pictures = drawn(options.count)
    _, _, again = drawn(options.count, again=True)
    truth = clip.attribute_labels(entries)
    reference, _ = judging.verdicts(judge, pictures)
    other, _ = judging.verdicts(judge, again)
    scale, few = (reference - other).norm(dim=1).mean().item(), min(options.count, 100)
    rows["drawn"] = row(judge, again, pictures, truth, reference, scale)
    if options.model:
        pipeline = pipeline_of(options.model, options.sampler)
        made = generate(pipeline, captions, options.steps, options.guidance, 0)
        more = generate(pipeline, captions[:few], options.steps, options.guidance, 10_000)
        name = options.name or f"{options.model}, {options.steps} steps"
        rows[name] = row(judge, made, more, truth, reference, scale)
        work.save_array(f"pictures/{name.replace('/', '_').replace(' ', '_')}.npy", made[:48])
    work.save_json("evaluation.json", rows)
    print(table(rows))


if __name__ == "__main__":
    main(arguments(__doc__, model="", name="", steps=4, guidance=0.0, sampler="model", count=200, threads=1))
