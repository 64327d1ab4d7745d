"""What the painters share: colours, the light of the hour, and a canvas to paint on.

Coordinates are in a picture of twice the final size, x to the right and y down; sizes are in its pixels. Colours are what noon
shows; `lit` gives them the light of the hour.
"""
import math
import random

import numpy as np
from PIL import Image, ImageDraw

from scenes import Scene

SIZE = 128  # of the finished picture
LARGE = 2 * SIZE

# Top, middle and foot of the sky; the light on everything below it; the sun or moon and its glow; clouds.
SKY = {
    "dawn": ((116, 134, 196), (214, 170, 196), (255, 218, 184)), "noon": ((46, 118, 214), (112, 178, 242), (206, 234, 252)),
    "sunset": ((70, 44, 118), (216, 84, 92), (255, 188, 84)), "night": ((8, 10, 38), (18, 28, 76), (54, 68, 128))}
LIGHT = {"dawn": (0.98, 0.88, 0.90), "noon": (1, 1, 1), "sunset": (0.92, 0.70, 0.64), "night": (0.34, 0.40, 0.62)}
ORB = {"dawn": (255, 244, 206), "noon": (255, 248, 196), "sunset": (255, 226, 130), "night": (240, 240, 222)}
GLOW = {"dawn": (255, 226, 190), "noon": (255, 252, 225), "sunset": (255, 190, 90), "night": (110, 125, 190)}
CLOUD = {"dawn": (255, 226, 220), "noon": (255, 255, 255), "sunset": (255, 160, 130), "night": (66, 78, 124)}
FOG = {"dawn": (232, 212, 214), "noon": (218, 226, 232), "sunset": (214, 158, 142), "night": (62, 72, 108)}
PAINT = {
    "red": (214, 44, 40), "blue": (44, 92, 214), "yellow": (246, 206, 44), "green": (48, 160, 72), "white": (242, 242, 240),
    "purple": (140, 60, 180), "orange": (244, 136, 36), "pink": (246, 138, 180)}
BLACK, WHITE = (0, 0, 0), (255, 255, 255)



def mix(first, second, amount):
    return tuple(int(a + (b - a) * amount) for a, b in zip(first, second))


class Canvas:
    """The picture in the making, with the light of its hour and the random choices of its layout."""

    def __init__(self, scene: Scene, random_: random.Random):
        self.scene, self.random = scene, random_
        self.light = LIGHT[scene.time]
        self.horizon = int(LARGE * random_.uniform(0.58, 0.65))
        self.high, self.middle, self.low = (
            mix(colour, [random_.randint(0, 255) for _ in range(3)], 0.03) for colour in SKY[scene.time])
        self.image = Image.new("RGB", (LARGE, LARGE), self.low)
        self.pen = ImageDraw.Draw(self.image)

    def replace(self, pixels: np.ndarray):
        self.image = Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8))
        self.pen = ImageDraw.Draw(self.image)

    def lit(self, colour, lift=0.0):
        """`colour` in the light of the hour; `lift` lets things that must be recognised keep more of their own."""
        return tuple(int(min(255, c * min(1, l + lift))) for c, l in zip(colour, self.light))

    def polygon(self, points, colour):
        self.pen.polygon(points, fill=colour)

    def disc(self, x, y, rx, ry, colour):
        self.pen.ellipse([x - rx, y - ry, x + rx, y + ry], fill=colour)

    def box(self, left, top, right, bottom, colour):
        self.pen.rectangle([left, top, right, bottom], fill=colour)

    def ridge(self, y, height, points=65):
        """A line of soft hills from edge to edge."""
        r = self.random
        p, q, f, g = r.uniform(0, 6.28), r.uniform(0, 6.28), r.uniform(0.6, 1.2), r.uniform(1.6, 2.4)
        places = [i / (points - 1) for i in range(points)]
        return [(LARGE * u, y + height * (math.sin(p + f * 6.28 * u) + 0.4 * math.sin(q + g * 6.28 * u))) for u in places]
