#!/usr/bin/env python3
"""Writes Tests/Fixtures/random/randn.json: what torch's CPU generator draws.

Made with torch 2.15.0 on an x86-64 machine with AVX2. Run: make_random_goldens.py Tests/Fixtures/random
"""
import base64
import json
import pathlib
import sys

import torch

# Draws below sixteen take the scalar path and leave a cached value behind; 468 and 16900 are not multiples of
# sixteen and take the tail path; the cached value must survive the block draws between the small ones.
SEQUENCE = [15, 16, 4, 468, 3, 1, 256, 20]
SEEDS = [0, 1, 42, 1234567, 2**31, 2**32 + 5, 2**63 - 1, -1]


def draws(seed, counts):
    generator = torch.Generator("cpu").manual_seed(seed)
    return [
        {"count": n, "values": base64.b64encode(torch.randn(n, generator=generator).numpy().tobytes()).decode()}
        for n in counts
    ]


cases = [{"seed": s, "draws": draws(s, SEQUENCE)} for s in SEEDS]
cases.append({"seed": 42, "draws": draws(42, [4 * 65 * 65])})
out = pathlib.Path(sys.argv[1]) / "randn.json"
out.write_text(json.dumps({"torch": torch.__version__, "cases": cases}, indent=1) + "\n")
