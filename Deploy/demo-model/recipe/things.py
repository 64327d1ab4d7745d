"""Houses, boats, balloons and trees."""
import math

from canvas import BLACK, LARGE, PAINT, WHITE, Canvas, mix


def house(canvas: Canvas, x: float, y: float):
    scene, r = canvas.scene, canvas.random
    w, h = r.uniform(34, 40), r.uniform(38, 44)
    wall = canvas.lit(PAINT[scene.colour], 0.3)
    roof = canvas.lit((78, 70, 84) if scene.colour in ("red", "orange") else (122, 66, 50), 0.15)
    window = (255, 224, 120) if scene.time in ("night", "sunset") else canvas.lit((196, 226, 246))
    canvas.box(x - w, y - h, x + w, y, wall)
    canvas.box(x + w * 0.45, y - h, x + w, y, mix(wall, BLACK, 0.16))
    canvas.box(x + w * 0.4, y - h * 1.7, x + w * 0.65, y - h, mix(roof, BLACK, 0.25))
    canvas.polygon(
        [(x - w * 1.22, y - h * 0.95), (x - w * 0.6, y - h * 1.55), (x + w * 0.6, y - h * 1.55), (x + w * 1.22, y - h * 0.95)],
        roof)
    for side in (-0.58, 0.58):
        canvas.box(x + (side - 0.2) * w, y - h * 0.68, x + (side + 0.2) * w, y - h * 0.32, window)
    canvas.box(x - w * 0.17, y - h * 0.56, x + w * 0.17, y, canvas.lit((92, 58, 40), 0.15))


def boat(canvas: Canvas, x: float, y: float):
    scene = canvas.scene
    q, sail = canvas.random.uniform(32, 37), canvas.lit(PAINT[scene.colour], 0.3)
    canvas.disc(x, y + q * 0.44, q * 1.1, q * 0.16, canvas.lit((16, 56, 96)))
    canvas.polygon(
        [(x - q * 1.15, y), (x + q * 1.15, y), (x + q * 0.8, y + q * 0.45), (x - q * 0.8, y + q * 0.45)],
        canvas.lit((120, 70, 44), 0.2))
    canvas.box(x - q * 1.15, y - 3, x + q * 1.15, y + 5, canvas.lit((240, 232, 214), 0.2))
    canvas.box(x - 2.5, y - q * 2.1, x + 2.5, y, canvas.lit((88, 58, 40), 0.2))
    canvas.polygon([(x + 4, y - q * 2.05), (x + q * 1.1, y - q * 0.2), (x + 4, y - q * 0.2)], sail)
    shade = (150, 160, 180) if scene.colour == "white" else WHITE
    canvas.polygon([(x - 4, y - q * 1.8), (x - q * 0.95, y - q * 0.2), (x - 4, y - q * 0.2)], mix(sail, shade, 0.25))


def balloon(canvas: Canvas):
    scene, r = canvas.scene, canvas.random
    x = LARGE * (0.28 if scene.side == "left" else 0.72) + r.uniform(-12, 12)
    y, q = LARGE * r.uniform(0.21, 0.29), r.uniform(34, 40)
    silk = canvas.lit(PAINT[scene.colour], 0.35)
    stripe = mix(silk, (120, 130, 150) if scene.colour == "white" else WHITE, 0.35)
    shade = mix(silk, BLACK, 0.2)
    canvas.polygon(
        [(x - q * 0.86, y + q * 0.5), (x + q * 0.86, y + q * 0.5), (x + q * 0.18, y + q * 1.3), (x - q * 0.18, y + q * 1.3)],
        silk)
    canvas.disc(x, y, q, q, silk)
    canvas.polygon([(x + q * 0.4, y + q * 0.8), (x + q * 0.86, y + q * 0.5), (x + q * 0.18, y + q * 1.3)], shade)
    canvas.pen.chord([x - q, y - q, x + q, y + q], -62, 62, fill=shade)
    canvas.disc(x, y, q * 0.36, q, stripe)
    canvas.polygon(
        [(x - q * 0.33, y + q * 0.45), (x + q * 0.33, y + q * 0.45), (x + q * 0.08, y + q * 1.3), (x - q * 0.08, y + q * 1.3)],
        stripe)
    canvas.box(x - q * 0.22, y + q * 1.42, x + q * 0.22, y + q * 1.78, canvas.lit((130, 86, 46), 0.2))
    for rope in (-0.17, 0.17):
        canvas.pen.line([(x + rope * q, y + q * 1.28), (x + rope * q, y + q * 1.44)], fill=shade, width=3)


def trees(canvas: Canvas):
    """On the other side than the thing, from the outside inwards."""
    scene, r = canvas.scene, canvas.random
    inward = -1 if scene.side == "left" else 1
    kind, count = {"pine": (pine, 3), "palm": (palm, 2), "cherry": (broadleaf, 1), "autumn": (broadleaf, 2)}[scene.trees]
    for aside, rise, size in ((0.36, 16, 1.15), (0.22, 26, 0.85), (0.46, 34, 0.8))[:count]:
        x = LARGE * (0.5 - inward * aside) + r.uniform(-7, 7)
        kind(canvas, x, LARGE - rise + r.uniform(-4, 4), size * r.uniform(0.95, 1.08), inward)


def pine(canvas: Canvas, x, y, q, inward):
    canvas.box(x - 5 * q, y - 14 * q, x + 5 * q, y, canvas.lit((96, 62, 42)))
    for j, (w, foot, top) in enumerate(((32, 10, 56), (26, 36, 80), (18, 60, 102))):
        needles = canvas.lit(mix((24, 84, 58), (66, 132, 84), j / 3))
        canvas.polygon([(x - w * q, y - foot * q), (x + w * q, y - foot * q), (x, y - top * q)], needles)
        shade = mix(needles, BLACK, 0.22)
        canvas.polygon([(x + w * q * 0.1, y - foot * q), (x + w * q, y - foot * q), (x, y - top * q)], shade)
        if canvas.scene.ground == "snow":
            cap = y - (foot + (top - foot) * 0.52) * q
            canvas.polygon([(x - w * q * 0.48, cap), (x + w * q * 0.48, cap), (x, y - top * q)], canvas.lit((244, 248, 255)))


def palm(canvas: Canvas, x, y, q, inward):
    q *= 1.12
    crown_x, crown_y = x + inward * 10 * q, y - 84 * q
    canvas.pen.line(
        [(x, y), (x + inward * q, y - 32 * q), (x + inward * 4 * q, y - 60 * q), (crown_x, crown_y)],
        fill=canvas.lit((134, 96, 60)), width=int(11 * q), joint="curve")
    for j in range(7):
        angle = math.radians(-200 + j * 36.7)
        tip = (crown_x + 40 * q * math.cos(angle), crown_y + 28 * q * math.sin(angle) + 13 * q)
        bend_x, bend_y = crown_x + 22 * q * math.cos(angle), crown_y + 26 * q * math.sin(angle) - 9 * q
        leaf = canvas.lit(((44, 132, 62), (62, 156, 70))[j % 2])
        canvas.polygon([(crown_x, crown_y + 6), (bend_x, bend_y), tip, (bend_x, bend_y + 15 * q)], leaf)


def broadleaf(canvas: Canvas, x, y, q, inward):
    cherry = canvas.scene.trees == "cherry"
    leaves = ((228, 120, 164), (248, 164, 196), (255, 196, 216)) if cherry else ((190, 84, 30), (226, 118, 36), (246, 164, 60))
    q *= 1.2 if cherry else 0.98
    canvas.polygon([(x - 7 * q, y), (x + 7 * q, y), (x + 4 * q, y - 50 * q), (x - 4 * q, y - 50 * q)], canvas.lit((96, 62, 42)))
    crown = ((-18, -50, 19, 0), (19, -48, 18, 0), (0, -46, 18, 0), (-12, -64, 19, 1), (14, -62, 18, 1), (0, -78, 17, 1),
             (-8, -72, 11, 2), (-19, -57, 8, 2), (9, -70, 8, 2))
    for dx, dy, radius, shade in crown:
        canvas.disc(x + dx * q, y + dy * q, radius * q, radius * 0.9 * q, canvas.lit(leaves[shade]))
