"""Trains the judge: a network that reads a scene's attributes off a picture, for evaluation only.

    python judge.py --work DIR [--steps 2500]

It looks at pixels and shares nothing with the picture network that student.py's discriminator looks through, so that a student
cannot do well by fooling what it was trained against. It learns from drawn pictures, some blurred, so that soft pictures are
not beyond it.
"""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import clip
import data
from work import Work, arguments

SIDE = 64  # pictures are halved before it looks


class Judge(nn.Module):
    def __init__(self):
        super().__init__()
        layers = []
        for before, after in ((3, 24), (24, 48), (48, 96), (96, 128)):
            layers += [nn.Conv2d(before, after, 3, 2, 1), nn.GroupNorm(8, after), nn.SiLU()]
        self.look = nn.Sequential(*layers, nn.Flatten(), nn.Linear(128 * 16, 192), nn.SiLU())
        self.names = nn.ModuleDict({name: nn.Linear(192, len(values)) for name, values in clip.ATTRIBUTES.items()})

    def forward(self, pictures):
        """Features (N×192) and the attributes' logits of N×3×64×64 pictures in −1 … 1."""
        features = self.look(pictures)
        return features, {name: head(features) for name, head in self.names.items()}


def prepared(pictures: np.ndarray) -> torch.Tensor:
    """uint8 N×128×128×3 → what the judge looks at, in fp16."""
    parts = []
    for start in range(0, len(pictures), 500):
        part = torch.from_numpy(np.array(pictures[start : start + 500])).permute(0, 3, 1, 2).float()
        parts.append((F.avg_pool2d(part, 2) / 127.5 - 1).half())
    return torch.cat(parts)


def load(work: Work) -> Judge:
    judge = Judge()
    judge.load_state_dict(work.load("judge.pt"))
    return judge.requires_grad_(False).eval()


def verdicts(judge: Judge, pictures: np.ndarray):
    """Features and, for each attribute, the value seen."""
    features, seen = [], []
    for start in range(0, len(pictures), 100):
        f, names = judge(prepared(pictures[start : start + 100]).float())
        features.append(f)
        seen.append(torch.stack([names[name].argmax(1) for name in clip.ATTRIBUTES], 1))
    return torch.cat(features), torch.cat(seen)


def main(options):
    torch.set_num_threads(options.threads)
    work = Work(options.work)
    if work.path("judge.pt").exists():
        return
    torch.manual_seed(6)
    names = data.shards(work)
    pictures = torch.cat([prepared(data.load(work, [name], "pictures")[0]) for name in names])
    labels = clip.attribute_labels(data.load(work, names, "scenes"))
    judge = Judge()
    optimizer = torch.optim.AdamW(judge.parameters(), 2e-3, weight_decay=0.02, fused=True)
    for step in range(options.steps):
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * min(1, (step + 1) / 100, 2 * (1 - step / options.steps))
        chosen = torch.randint(0, len(pictures), (64,))
        shown = pictures[chosen].float()
        blurred = F.avg_pool2d(F.pad(shown, (1, 1, 1, 1), mode="replicate"), 3, 1)
        shown = torch.lerp(shown, blurred, torch.rand(64, 1, 1, 1)) + 0.1 * torch.rand(64, 1, 1, 1) * torch.randn_like(shown)
        _, found = judge(shown)
        loss = sum(
            F.cross_entropy(found[name], labels[chosen, i], ignore_index=-1) for i, name in enumerate(clip.ATTRIBUTES))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 250 == 0:
            work.log(f"judge {step + 1}: loss {loss.item():.3f}")
    work.save("judge.pt", judge.state_dict())
    held = data.load(work, ["held"], "pictures")[0]
    truth = clip.attribute_labels(data.load(work, ["held"], "scenes"))
    _, seen = verdicts(judge.eval().requires_grad_(False), held)
    right = [(seen[:, i] == truth[:, i])[truth[:, i] >= 0].float().mean().item() for i in range(truth.shape[1])]
    work.log("judge on held-out pictures: " + " ".join(f"{n} {100 * r:.1f}" for n, r in zip(clip.ATTRIBUTES, right)))


if __name__ == "__main__":
    main(arguments(__doc__, steps=2500, threads=1))
