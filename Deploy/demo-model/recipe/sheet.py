"""Contact sheet of a model folder, every picture of it made by the product.

    python sheet.py --tintype .build/release/tintype --model Deploy/demo-model/model --to sheet.png

Rows of text-to-image at one, two and four steps under each prompt, then image-to-image: the picture it starts from beside
what became of it.
"""
import argparse
import pathlib
import random
import subprocess
import tempfile

from PIL import Image, ImageDraw

import drawing
import scenes

PROMPTS = (
    "a red house by a lake at sunset with snowy mountains", "a hot-air balloon over the desert at noon",
    "a blue sailboat on the sea at sunset", "pine trees in the snow at night with a full moon",
    "a yellow cottage on the left in a meadow at dawn with green hills", "a cherry tree in a meadow on a sunny day",
    "palm trees in the desert at sunset with red rocks", "a white boat on the right on a lake at noon, autumn trees",
    "snowy mountains at dawn", "a purple balloon over the ocean at night, stars",
    "an orange house in the snow at night, snowy peaks", "the sea at sunset, the sun in the centre, palm trees",
    "a lake at night with a crescent moon", "a green balloon over a meadow at sunset, clouds", "a red house in a desert",
    "a winter landscape with pine trees and fog")
STEPS = (1, 2, 4)
# A held-out scene's number, what to make of it, and how much of it may change.
CHANGES = (
    (1_500_000_002, "an orange house by a lake at sunset with green hills", 0.5),
    (1_500_000_007, "a lake at night with snowy mountains", 0.75),
    (1_500_000_011, "a meadow at sunset with a red balloon", 0.5), (1_500_000_015, "a desert at noon with palm trees", 0.75))
ACROSS, GAP, LINE = 8, 4, 11


def caption(pen: ImageDraw.ImageDraw, x: int, y: int, text: str):
    """In lines that fit under one picture."""
    line = ""
    for word in text.split():
        if pen.textlength(f"{line} {word}") > drawing.SIZE:
            pen.text((x, y), line.strip(), fill="black")
            line, y = "", y + LINE
        line += " " + word
    pen.text((x, y), line.strip(), fill="black")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("tintype", "model", "to"):
        parser.add_argument(f"--{name}", required=True)
    options = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/picture.png"

        def make(prompt: str, steps: int, seed: int, *more: str) -> Image.Image:
            subprocess.run(
                [options.tintype, "generate", "--model", options.model, "--prompt", prompt, "--steps", str(steps), "--seed",
                 str(seed), "--output", path, *more], check=True, capture_output=True)
            return Image.open(path).convert("RGB")

        size, cell = drawing.SIZE, drawing.SIZE + GAP
        block = len(STEPS) * size + 4 * LINE
        rows = -(-len(PROMPTS) // ACROSS)
        sheet = Image.new("RGB", (ACROSS * cell - GAP, rows * block + size + 4 * LINE), "white")
        pen = ImageDraw.Draw(sheet)
        for i, prompt in enumerate(PROMPTS):
            x, y = i % ACROSS * cell, i // ACROSS * block
            for j, steps in enumerate(STEPS):
                sheet.paste(make(prompt, steps, 10 + i), (x, y + j * size))
            caption(pen, x, y + len(STEPS) * size + 2, prompt)
        for i, (number, prompt, strength) in enumerate(CHANGES):
            random_ = random.Random(number)
            start = drawing.draw(scenes.sample(random_), random_)
            start.save(f"{folder}/start.png")
            x, y = 2 * i * cell, rows * block
            sheet.paste(start, (x, y))
            made = make(prompt, 4, 3, "--init-image", f"{folder}/start.png", "--strength", str(strength))
            sheet.paste(made, (x + cell, y))
            caption(pen, x, y + size + 2, "from this picture")
            caption(pen, x + cell, y + size + 2, f"{prompt}; strength {strength}")
        sheet.save(pathlib.Path(options.to), optimize=True)


main()
