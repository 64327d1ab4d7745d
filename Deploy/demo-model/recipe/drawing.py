"""Draws a scene: flat shapes with light and shade, at twice the final size, then halved."""
import math
import random

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

import things
from canvas import CLOUD, FOG, GLOW, LARGE, ORB, SIZE, WHITE, Canvas, mix
from scenes import Scene

__all__ = ["SIZE", "draw"]

# A few fixed patterns each: stars and flowers are smaller than a cell of the latent grid, so that free positions could not
# survive the autoencoder.
_patterns = random.Random(5)
STARS = [[(_patterns.uniform(8, 248), _patterns.uniform(6, 132)) for _ in range(16)] for _ in range(3)]
FLOWERS = [[(_patterns.uniform(6, 250), _patterns.uniform(0.25, 0.95)) for _ in range(11)] for _ in range(3)]


def draw(scene: Scene, random_: random.Random) -> Image.Image:
    canvas = Canvas(scene, random_)
    orb_x = sky(canvas)
    {"peaks": peaks, "hills": hills, "rocks": rocks, "none": lambda canvas: None}[scene.backdrop](canvas)
    if scene.weather == "fog":
        fog(canvas, 0.75)
    if scene.thing == "balloon":
        things.balloon(canvas)
    (water if scene.ground in ("sea", "lake") else land)(canvas, orb_x)
    thing_x = LARGE * (0.29 if scene.side == "left" else 0.71) + random_.uniform(-12, 12)
    if scene.thing == "house":
        y = canvas.horizon + random_.uniform(32, 42)
        if scene.ground == "lake":
            canvas.disc(thing_x, y + 4, 78, 17, canvas.lit((84, 142, 60)))
        things.house(canvas, thing_x, y)
    if scene.thing == "boat":
        things.boat(canvas, thing_x, canvas.horizon + random_.uniform(24, 38))
    if scene.trees != "none":
        things.trees(canvas)
    if scene.weather == "fog":
        fog(canvas, 0.25)
    return canvas.image.reduce(2)


def sky(canvas: Canvas) -> float:
    """Sky, stars, sun or moon, clouds. Returns where the sun or moon stands."""
    scene, r, horizon = canvas.scene, canvas.random, canvas.horizon
    y = np.linspace(0, 1, horizon)[:, None]
    high, middle, low = (np.array(c, float) for c in (canvas.high, canvas.middle, canvas.low))
    gradient = np.where(y < 0.55, high + (middle - high) * y / 0.55, middle + (low - middle) * (y - 0.55) / 0.45)
    pixels = np.empty((LARGE, LARGE, 3), np.float32)
    pixels[:horizon], pixels[horizon:] = gradient[:, None], low

    x = LARGE * ({"left": 0.2, "centre": 0.5, "right": 0.8}[scene.place] + r.uniform(-0.04, 0.04))
    y = LARGE * r.uniform(0.13, 0.22) if scene.time in ("noon", "night") else horizon - LARGE * r.uniform(0.07, 0.15)
    radius = {"dawn": 23, "noon": 22, "sunset": 26, "night": 22}[scene.time]
    if scene.orb != "none":
        rows, columns = np.mgrid[0:LARGE, 0:LARGE].astype(np.float32)
        distance = (columns - x) ** 2 + (rows - y) ** 2
        wide = 40 if scene.time == "night" else 70
        glow = 0.44 * np.exp(-distance / (2 * wide**2)) + 0.24 * np.exp(-distance / (2 * 30**2))
        pixels += (np.array(GLOW[scene.time], np.float32) - pixels) * glow[..., None]
    canvas.replace(pixels)

    if scene.time == "night" and scene.weather != "fog":
        for sx, sy in r.choice(STARS):
            if scene.orb == "none" or (sx - x) ** 2 + (sy - y) ** 2 > 45**2:
                canvas.disc(sx, sy, 2.6, 2.6, (225, 228, 250))
    if scene.orb != "none":
        behind = canvas.image.copy()
        canvas.disc(x, y, radius, radius, ORB[scene.time])
        if scene.orb == "crescent":
            shadow = Image.new("L", (LARGE, LARGE))
            ImageDraw.Draw(shadow).ellipse([x - radius + 14, y - radius - 7, x + radius + 14, y + radius - 7], fill=255)
            canvas.image.paste(behind, (0, 0), shadow)
    if scene.weather == "clouds":
        clouds(canvas)
    return x


def clouds(canvas: Canvas):
    r, mask = canvas.random, Image.new("L", (LARGE, LARGE))
    pen = ImageDraw.Draw(mask)
    for i in range(3):
        x, y, w = LARGE * (0.16 + 0.34 * i) + r.uniform(-20, 20), LARGE * r.uniform(0.1, 0.32), r.uniform(24, 32)
        for dx, dy, q in ((-1.1, 0.15, 0.55), (-0.45, -0.2, 0.75), (0.35, -0.12, 0.7), (1.05, 0.18, 0.5)):
            pen.ellipse([x + (dx - q) * w, y + (dy - q * 0.62) * w, x + (dx + q) * w, y + (dy + q * 0.62) * w], fill=230)
        pen.rectangle([x - 1.2 * w, y + 0.15 * w, x + 1.2 * w, y + 0.45 * w], fill=230)
    canvas.image.paste(CLOUD[canvas.scene.time], (0, 0), mask.filter(ImageFilter.BoxBlur(2)))


def fog(canvas: Canvas, strength: float):
    """Thickest at the horizon, thinner above and below."""
    y = (np.arange(LARGE, dtype=np.float32) - canvas.horizon) / LARGE
    amount = strength * np.exp(-((y / np.where(y < 0, 0.34, 0.24)) ** 2))[:, None, None]
    pixels = np.asarray(canvas.image, np.float32)
    canvas.replace(pixels + (np.array(FOG[canvas.scene.time], np.float32) - pixels) * amount)


def peaks(canvas: Canvas):
    r, horizon = canvas.random, canvas.horizon
    xs = [LARGE * (0.12 + 0.26 * i) + r.uniform(-16, 16) for i in range(4)]
    r.shuffle(xs)
    for i, x in enumerate(xs):
        h = r.uniform(60, 108)
        w, q, y, haze = h * r.uniform(0.75, 1.0), r.uniform(0.4, 0.52), horizon - h, max(0.42 - 0.12 * i, 0.06)
        sunny, shady, snow, blue = (
            mix(canvas.lit(c), canvas.low, haze)
            for c in ((122, 132, 156), (78, 88, 118), (250, 252, 255), (176, 194, 226)))
        canvas.polygon([(x, y), (x - w, horizon), (x + w, horizon)], sunny)
        canvas.polygon(
            [(x, y), (x + w * 0.06, y + h * 0.35), (x - w * 0.05, y + h * 0.6), (x + w * 0.12, horizon), (x + w, horizon)],
            shady)
        right = [(x, y + h * q * 0.85), (x + w * q * 0.3, y + h * (q + 0.1)), (x + w * q * 0.6, y + h * q * 0.85),
                 (x + w * q, y + h * q)]
        canvas.polygon(
            [(x, y), (x - w * q, y + h * q), (x - w * q * 0.55, y + h * q * 0.85), (x - w * q * 0.25, y + h * (q + 0.1)),
             *right], snow)
        canvas.polygon([(x, y), (x + w * 0.06, y + h * 0.78 * q), *right], blue)


def hills(canvas: Canvas):
    layers = ((44, 12, (116, 170, 120), 0.4), (26, 10, (92, 158, 84), 0.22), (10, 7, (70, 140, 62), 0.06))
    for rise, height, colour, haze in layers:
        line = canvas.ridge(canvas.horizon - rise, height)
        canvas.polygon([*line, (LARGE, canvas.horizon + 1), (0, canvas.horizon + 1)], mix(canvas.lit(colour), canvas.low, haze))


def rocks(canvas: Canvas):
    r, horizon = canvas.random, canvas.horizon
    xs = [LARGE * (0.16 + 0.34 * i) + r.uniform(-18, 18) for i in range(3)]
    r.shuffle(xs)
    bands = ((226, 128, 82), (198, 92, 58), (216, 112, 70), (180, 80, 54))
    for x, haze in zip(xs, (0.35, 0.2, 0.06)):
        h, w = r.uniform(50, 88), r.uniform(28, 44)
        y = horizon - h
        # Half the width from top to foot, at the edges of the bands: the foot spreads.
        halves = [w * (1 + 0.22 * k / 4 + max(0, 0.9 * (k / 4 - 0.62))) for k in range(5)]
        for k, colour in enumerate(bands):
            upper, lower, u, v = halves[k], halves[k + 1], y + h * k / 4, y + h * (k + 1) / 4
            canvas.polygon(
                [(x - upper, u), (x + upper, u), (x + lower, v), (x - lower, v)], mix(canvas.lit(colour), canvas.low, haze))
        canvas.polygon(
            [(x + w * 0.45, y), (x + w, y), (x + w * 1.56, horizon), (x + w * 0.6, horizon)],
            mix(canvas.lit((140, 62, 50)), canvas.low, haze))


def water(canvas: Canvas, orb_x: float):
    scene, horizon = canvas.scene, canvas.horizon
    sea = scene.ground == "sea"
    deep = canvas.lit((20, 78, 138) if sea else (34, 96, 126))
    pixels = np.array(canvas.image, np.float32)
    rows = LARGE - horizon
    # A lake mirrors what stands above it; the sea only the colour of the sky.
    mirrored = pixels[horizon - rows:horizon][::-1] if not sea else np.array(mix(canvas.low, canvas.middle, 0.5), np.float32)
    depth = np.linspace(0, 1, rows, dtype=np.float32)[:, None, None]
    share = (0.45 if sea else 0.35) + 0.5 * depth
    pixels[horizon:] = mirrored * (1 - share) + np.array(deep, np.float32) * share
    canvas.replace(pixels)
    if scene.orb != "none":
        for i in range(6):
            y = horizon + 5 + i * 13
            below = pixels[min(y, LARGE - 1), int(orb_x)]
            canvas.disc(orb_x, y, (11 + 3.6 * i) * (1 + 0.25 * math.sin(i * 2.1)), 3, mix(ORB[scene.time], below, 0.35))
    if sea:
        for i in range(5):
            canvas.disc(LARGE * ((i * 0.37 + 0.1) % 1), horizon + 14 + i * 16, 18 + 3 * i, 1.8, mix(deep, canvas.low, 0.3))
    if not sea or scene.trees != "none":
        # The shore rises on the side of the trees.
        shore = canvas.lit((226, 200, 140) if sea else (84, 142, 60))
        line = [(0, LARGE - 42), (LARGE * 0.3, LARGE - 36), (LARGE * 0.62, LARGE - 15), (LARGE, LARGE - 9)]
        if scene.side == "left":
            line = [(LARGE - x, y) for x, y in line]
        canvas.polygon([*line, (line[-1][0], LARGE), (line[0][0], LARGE)], shore)
        canvas.pen.line(line, fill=mix(shore, WHITE, 0.25), width=3)


def land(canvas: Canvas, orb_x: float):
    colours = {
        "desert": ((240, 204, 140), (228, 182, 112), (206, 152, 86)), "meadow": ((134, 190, 84), (106, 172, 66), (80, 148, 52)),
        "snow": ((236, 242, 252), (222, 232, 248), (246, 249, 255))}[canvas.scene.ground]
    for i, (fall, height) in enumerate(((0, 3), (22, 7), (52, 9))):
        colour, line = canvas.lit(colours[i]), canvas.ridge(canvas.horizon + fall, height)
        canvas.polygon([*line, (LARGE, LARGE), (0, LARGE)], colour)
        if i:
            canvas.pen.line(line, fill=mix(colour, canvas.lit((255, 250, 235)), 0.45), width=3)
    if canvas.scene.ground == "meadow":
        for i, (x, depth) in enumerate(canvas.random.choice(FLOWERS)):
            y, q = canvas.horizon + 22 + depth * (LARGE - canvas.horizon - 24), 2.4 + 2 * depth
            canvas.disc(x, y, q, q, canvas.lit(((250, 240, 120), (250, 250, 250), (240, 110, 140))[i % 3], 0.15))
