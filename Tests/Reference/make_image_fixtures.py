#!/usr/bin/env python3
"""Writes Tests/Fixtures/images: small PNG and JPEG files of every kind, and what Pillow makes of them.

goldens.json holds, for each file, the bytes of `ImageOps.exif_transpose(Image.open(file)).convert("RGB")`, and for
some sizes those of `resize(size, LANCZOS)`. Made with Pillow 13.0.0. PNG files are written by the code below, because
Pillow does not write all kinds. Run: make_image_fixtures.py Tests/Fixtures/images
"""
import base64
import io
import json
import pathlib
import random
import struct
import sys
import zlib

import PIL
from PIL import Image, ImageOps

root = pathlib.Path(sys.argv[1])
rng = random.Random(7)
CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
DEPTHS = {0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]}
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]


def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def pack(samples, depth):
    """Samples of one row, most significant bit first."""
    if depth == 16:
        return b"".join(struct.pack(">H", s) for s in samples)
    if depth == 8:
        return bytes(samples)
    out, bits, n = bytearray(), 0, 0
    for sample in samples:
        bits, n = bits << depth | sample, n + depth
        if n == 8:
            out.append(bits)
            bits = n = 0
    if n:
        out.append(bits << (8 - n))
    return bytes(out)


def filtered(rows, distance):
    """Each row with another of the five filters, so that all are decoded."""
    out, above = bytearray(), None
    for y, row in enumerate(rows):
        kind = y % 5
        above = above or bytes(len(row))
        out.append(kind)
        for i, value in enumerate(row):
            a = row[i - distance] if i >= distance else 0
            b = above[i]
            c = above[i - distance] if i >= distance else 0
            p = a + b - c
            paeth = min((a, b, c), key=lambda v: abs(p - v))
            out.append((value - (0, a, b, (a + b) // 2, paeth)[kind]) & 255)
        above = row
    return bytes(out)


def png(width, height, color, depth, interlaced=False, before=(), after=(), palette=None, pixels=None):
    channels = CHANNELS[color]
    top = (1 << depth) - 1
    if pixels is None:
        # The ends, anything, a slope, and small values: Pillow cuts 16-bit grey off at 255.
        pixels = [[[rng.choice([0, top, rng.randint(0, top), rng.randint(0, min(top, 300)),
                                x * top // max(width - 1, 1)]) for _ in range(channels)]
                   for x in range(width)] for _ in range(height)]
    distance = max(1, channels * depth // 8)
    passes = ADAM7 if interlaced else [(0, 0, 1, 1)]
    data = b""
    for x0, y0, dx, dy in passes:
        part = [[s for pixel in row[x0::dx] for s in pixel] for row in pixels[y0::dy]]
        if part and part[0]:
            data += filtered([pack(row, depth) for row in part], distance)
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, int(interlaced)))]
    chunks += [chunk(*c) for c in before]
    if color == 3:
        entries = palette if palette is not None else 1 << depth
        chunks.append(chunk(b"PLTE", bytes(rng.randint(0, 255) for _ in range(3 * entries))))
        chunks.append(chunk(b"tRNS", bytes(rng.randint(0, 255) for _ in range(entries // 2))))
    elif color == 0:
        chunks.append(chunk(b"tRNS", struct.pack(">H", pixels[0][0][0])))
    elif color == 2:
        chunks.append(chunk(b"tRNS", struct.pack(">HHH", *pixels[0][0])))
    compressed = zlib.compress(data)
    half = len(compressed) // 2
    chunks += [chunk(b"IDAT", compressed[:half]), chunk(b"IDAT", b""), chunk(b"IDAT", compressed[half:])]
    chunks += [chunk(*c) for c in after]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks) + chunk(b"IEND", b"")


def exif(orientation, endian="<", kind=3):
    mark = b"II*\0" if endian == "<" else b"MM\0*"
    value = struct.pack(endian + ("HH" if kind == 3 else "I"), *((orientation, 0) if kind == 3 else (orientation,)))
    entries = struct.pack(endian + "HHI", 0x10F, 3, 1) + b"\0\0\0\0"
    entries += struct.pack(endian + "HHI", 0x112, kind, 1) + value
    return mark + struct.pack(endian + "I", 8) + struct.pack(endian + "H", 2) + entries + b"\0\0\0\0"


files = {}
for color, depths in DEPTHS.items():
    for depth in depths:
        for interlaced in (False, True):
            name = f"png_color{color}_depth{depth}{'_adam7' if interlaced else ''}.png"
            files[name] = png(19, 13, color, depth, interlaced)
for size in ((1, 1), (2, 3), (5, 1), (4, 8)):
    files[f"png_adam7_{size[0]}x{size[1]}.png"] = png(*size, 2, 8, True)
files["png_palette_short.png"] = png(
    9, 5, 3, 8, palette=10, pixels=[[[rng.randint(0, 20)] for _ in range(9)] for _ in range(5)])
for orientation in range(0, 10):
    files[f"png_exif{orientation}.png"] = png(7, 4, 2, 8, before=[(b"eXIf", exif(orientation, "<>"[orientation % 2]))])
files["png_exif_after.png"] = png(7, 4, 2, 8, after=[(b"eXIf", exif(6, ">", 4))])
xmp = b'<x:xmpmeta><rdf:Description tiff:Orientation="8"/></x:xmpmeta>'
files["png_xmp.png"] = png(7, 4, 2, 8, before=[(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)])
files["png_text.png"] = png(3, 2, 2, 8, before=[
    (b"tEXt", "parameters\0café, Steps: 1".encode("latin-1")),
    (b"iTXt", b"tintype\0\0\0en\0key\0" + '{"prompt": "猫"}'.encode()),
    (b"zTXt", b"Comment\0\0" + zlib.compress(b"compressed")),
], after=[(b"tEXt", b"Software\0after the pixels")])


def photo(width, height):
    """Something smooth with edges: sums of gradients and a few rectangles."""
    image = Image.new("RGB", (width, height))
    image.putdata([((x * 7 + y * 3) % 256, (x * y) % 256, 255 - (x * 2 + y * 5) % 256)
                   for y in range(height) for x in range(width)])
    for _ in range(4):
        x, y = rng.randrange(width), rng.randrange(height)
        image.paste(tuple(rng.randint(0, 255) for _ in range(3)), (x, y, min(x + 9, width), min(y + 6, height)))
    return image


def jpeg(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


base = photo(37, 29)
for name, sampling in (("444", 0), ("422", 1), ("420", 2)):
    files[f"jpeg_{name}.jpg"] = jpeg(base, quality=85, subsampling=sampling)
    files[f"jpeg_{name}_progressive.jpg"] = jpeg(base, quality=70, subsampling=sampling, progressive=True)
files["jpeg_gray.jpg"] = jpeg(base.convert("L"), quality=80)
files["jpeg_cmyk.jpg"] = jpeg(base.convert("CMYK"), quality=80)
files["jpeg_rgb.jpg"] = jpeg(base, quality=90, keep_rgb=True)
files["jpeg_restart.jpg"] = jpeg(base, quality=80, restart_marker_blocks=2)
files["jpeg_1x1.jpg"] = jpeg(photo(1, 1), quality=80)
files["jpeg_optimized.jpg"] = jpeg(photo(64, 48), quality=30, optimize=True)
for orientation in range(1, 9):
    files[f"jpeg_exif{orientation}.jpg"] = jpeg(
        photo(11, 6), quality=90, exif=b"Exif\0\0" + exif(orientation, "<>"[orientation % 2]))

# Exif as older programs stored it: in hexadecimal in a text. No random numbers from here on: the pictures above stay as they are.
upright = [[[40 * x, 60 * y, 10 * x * y] for x in range(7)] for y in range(4)]


def raw_profile(data, name="exif"):
    digits = data.hex()
    lines = "\n".join(digits[i:i + 72] for i in range(0, len(digits), 72))
    return f"\n{name}\n{len(data):8}\n{lines}\n".encode()


def compressed_itxt(keyword, text):
    return keyword + b"\0\1\0\0\0" + zlib.compress(text)


profile, spin = b"Raw profile type exif", exif(6, ">")
bare, prefixed, xmp6 = raw_profile(spin), raw_profile(b"Exif\0\0" + spin), xmp.replace(b"8", b"6")
stored = {
    "text": [(b"tEXt", profile + b"\0" + bare)],
    "text_prefixed": [(b"tEXt", profile + b"\0" + prefixed)],
    "compressed": [(b"zTXt", profile + b"\0\0" + zlib.compress(prefixed))],
    "international": [(b"iTXt", profile + b"\0\0\0\0\0" + bare)],
    "international_compressed": [(b"iTXt", compressed_itxt(profile, bare))],
    # An eXIf chunk wins, a later text over an earlier one; upper case digits and white space do not matter.
    "behind_exif": [(b"tEXt", profile + b"\0" + bare), (b"eXIf", exif(3))],
    "last": [(b"tEXt", profile + b"\0" + raw_profile(exif(2))), (b"zTXt", profile + b"\0\0" + zlib.compress(bare))],
    "spaced": [(b"tEXt", profile + b"\0\nexif\n 38\n" + b" ".join(b"%02X" % b for b in spin) + b"\n")],
    # Another name says nothing; neither does a text cut short or damaged.
    "app1": [(b"zTXt", b"Raw profile type APP1\0\0" + zlib.compress(raw_profile(b"Exif\0\0" + spin, "APP1")))],
    "damaged": [(b"zTXt", profile + b"\0\0" + b"no zlib stream"), (b"iTXt", compressed_itxt(b"XML:com.adobe.xmp", xmp6))],
    "no_orientation": [(b"tEXt", profile + b"\0" + raw_profile(exif(6)[:22].replace(b"\2\0", b"\1\0", 1) + b"\0\0\0\0"))],
    # An orientation that is none is still Exif's word, and XMP is not asked.
    "illegal_and_xmp": [(b"tEXt", profile + b"\0" + raw_profile(exif(9))), (b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp)],
    "xmp_last": [(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + xmp), (b"iTXt", compressed_itxt(b"XML:com.adobe.xmp", xmp6))],
}
for name, before in stored.items():
    files[f"png_profile_{name}.png"] = png(7, 4, 2, 8, before=before, pixels=upright)
files["png_profile_after.png"] = png(7, 4, 2, 8, after=stored["compressed"], pixels=upright)

golden = {"pillow": PIL.__version__, "files": [], "resizes": []}
for name, data in files.items():
    (root / name).write_bytes(data)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    golden["files"].append({"name": name, "width": image.width, "height": image.height,
                            "rgb": base64.b64encode(image.tobytes()).decode()})

# Up, down, both at once, one direction only, extreme ratios, single pixels; and both sides of the border at which
# Pillow 13 resizes columns first: a height that loses more than twice the pixels that the width loses.
source = photo(43, 31)
golden["source"] = {"width": 43, "height": 31, "rgb": base64.b64encode(source.tobytes()).decode()}
for size in ((43, 31), (16, 8), (40, 24), (56, 48), (96, 8), (8, 96), (43, 16), (20, 31), (1, 1), (44, 32), (129, 93),
             (42, 29), (42, 28), (38, 21), (38, 20), (50, 30), (50, 32)):
    image = source.resize(size, Image.Resampling.LANCZOS)
    golden["resizes"].append({"width": size[0], "height": size[1], "rgb": base64.b64encode(image.tobytes()).decode()})
(root / "goldens.json").write_text(json.dumps(golden, separators=(",", ":")).replace("},{", "},\n{") + "\n")
