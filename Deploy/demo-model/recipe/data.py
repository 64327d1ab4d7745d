"""Renders the pictures with their captions, in shards, and reduces each to what the VAE's encoder sees of it.

    python data.py --work DIR [--shards 6]

Shard n holds scenes n·SHARD ..; a picture depends on its number alone, so shards may be made in any order and at once on
several cores, and a shard that exists is kept. Each shard is three files: `pictures` (uint8, N×128×128×3), `cells` (float16,
N×4×16×16, see `cells_of`) and `scenes` (JSON: attributes and captions). Held-out scenes have numbers of their own.
"""
import dataclasses
import json
import random

import numpy as np

import drawing
import scenes
from work import Work, arguments

SHARD = 4000
CAPTIONS = 4  # of each scene
HELD_OUT = 1_000_000_000  # numbers from here on are never trained on
CELL = 8  # pixels a side: the VAE's factor


def scene_and_picture(number: int) -> tuple[scenes.Scene, np.ndarray, random.Random]:
    random_ = random.Random(number)
    scene = scenes.sample(random_)
    return scene, np.asarray(drawing.draw(scene, random_)), random_


def cells_of(pictures: np.ndarray) -> np.ndarray:
    """Of each 8×8 cell the mean colour and how much brighter its upper half is than its lower: N×4×16×16."""
    n, side = len(pictures), drawing.SIZE // CELL
    cells = (pictures.astype(np.float32) / 127.5 - 1).reshape(n, side, CELL, side, CELL, 3)
    colour = cells.mean((2, 4))
    luminance = cells @ np.array([0.3, 0.59, 0.11], np.float32)
    step = luminance[:, :, : CELL // 2].mean((2, 4)) - luminance[:, :, CELL // 2 :].mean((2, 4))
    return np.concatenate([colour, step[..., None]], -1).transpose(0, 3, 1, 2)


def make_shard(work: Work, name: str, first: int, count: int):
    if work.path(f"data/{name}.scenes.json").exists():
        return
    pictures = np.empty((count, drawing.SIZE, drawing.SIZE, 3), np.uint8)
    described = []
    for i in range(count):
        scene, pictures[i], random_ = scene_and_picture(first + i)
        captions = [scenes.caption(scene, random_) for _ in range(CAPTIONS)]
        described.append(dataclasses.asdict(scene) | {"captions": captions})
    work.save_array(f"data/{name}.pictures.npy", pictures)
    work.save_array(f"data/{name}.cells.npy", cells_of(pictures).astype(np.float16))
    work.save_json(f"data/{name}.scenes.json", described)  # last: its presence says that the shard is whole
    work.log(f"{name}: {count} scenes")


def shards(work: Work) -> list[str]:
    """The names of the training shards that exist."""
    return sorted(path.name.split(".")[0] for path in work.path("data").glob("train-*.scenes.json"))


def load(work: Work, names: list[str], what: str):
    """`pictures` or `cells` as one array (pictures stay on disk, mapped), or `scenes` as one list."""
    if what == "scenes":
        return [entry for name in names for entry in json.loads(work.path(f"data/{name}.scenes.json").read_text())]
    arrays = [np.load(work.path(f"data/{name}.{what}.npy"), mmap_mode="r") for name in names]
    return arrays if what == "pictures" else np.concatenate(arrays)


if __name__ == "__main__":
    options = arguments(__doc__, shards=6)
    work = Work(options.work)
    make_shard(work, "held", HELD_OUT, 1000)
    for index in range(options.shards):
        make_shard(work, f"train-{index:02d}", index * SHARD, SHARD)
