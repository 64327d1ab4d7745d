"""From cells (see data.cells_of) to latents and back: the linear map that makes the four channels uncorrelated, of unit
variance. The VAE's encoder is this map, written into its convolutions, so nothing needs to be trained before the teacher.

    python latents.py --work DIR        writes whitening.pt from the first shards
"""
import numpy as np
import torch

import data
from work import Work, arguments


def measure(work: Work):
    cells = torch.from_numpy(data.load(work, data.shards(work)[:2], "cells").astype(np.float32))
    flat = cells.permute(0, 2, 3, 1).reshape(-1, 4)
    mean = flat.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov(flat.T))
    # The symmetric root: each channel stays as close as can be to what it was (red, green, blue, step).
    work.save("whitening.pt", dict(mean=mean, matrix=vectors @ torch.diag(values.rsqrt()) @ vectors.T))
    work.log(f"whitening: standard deviations {[round(v, 3) for v in values.sqrt().tolist()]}")


def load(work: Work, names: list[str]) -> torch.Tensor:
    """The latents of whole shards, N×4×16×16, fp16."""
    whitening = work.load("whitening.pt")
    cells = torch.from_numpy(data.load(work, names, "cells"))
    result = torch.empty_like(cells)
    for start in range(0, len(cells), 4000):
        part = cells[start : start + 4000].float() - whitening["mean"].view(1, 4, 1, 1)
        result[start : start + 4000] = torch.einsum("ij,njhw->nihw", whitening["matrix"], part).half()
    return result


if __name__ == "__main__":
    work = Work(arguments(__doc__).work)
    if not work.path("whitening.pt").exists():
        measure(work)
