"""Trains both text encoders and a picture network together, as CLIP does: a caption and its picture should agree, and
disagree with the others of the batch. The picture network also learns to name the scene's attributes.

    python clip.py --work DIR [--steps 450] [--batch 128]

The text encoders are the model's, frozen from here on. The picture network, frozen too, is what the discriminator of
student.py looks through. It sees latents: a 16×16 picture whose every cell stands for 8×8 pixels.
"""
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import data
import latents
import networks
import scenes
from work import Work, arguments

ATTRIBUTES = dict(
    time=scenes.TIMES, ground=scenes.GROUNDS, backdrop=scenes.BACKDROPS, trees=scenes.TREES, thing=scenes.THINGS,
    colour=scenes.COLOURS, side=scenes.SIDES, weather=scenes.WEATHERS, orb=scenes.ORBS, place=scenes.PLACES)
WIDTH = 96  # of the space where captions and pictures meet


class Block(nn.Module):
    def __init__(self, before: int, after: int, stride: int):
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, stride, 1)
        self.second = nn.Conv2d(after, after, 3, 1, 1)
        self.norm = nn.GroupNorm(8, after)
        self.shortcut = nn.Conv2d(before, after, 1, stride)

    def forward(self, x):
        return self.shortcut(x) + self.second(F.silu(self.norm(self.first(x))))


class PictureNetwork(nn.Module):
    CHANNELS = (32, 64, 128)

    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([
            Block(4, 32, 1), Block(32, 32, 1), Block(32, 64, 2), Block(64, 64, 1), Block(64, 128, 2), Block(128, 128, 1)])
        self.embed = nn.Linear(128 * 16, WIDTH)
        self.names = nn.ModuleDict({name: nn.Linear(WIDTH, len(values)) for name, values in ATTRIBUTES.items()})

    def features(self, latent) -> list[torch.Tensor]:
        """What it sees at 16×16, 8×8 and 4×4."""
        found, x = [], latent
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i % 2:
                found.append(x)
        return found

    def forward(self, latent):
        return self.embed(F.silu(self.features(latent)[-1]).flatten(1))


def attribute_labels(entries: list[dict]) -> torch.Tensor:
    """N×10 indices into ATTRIBUTES' values; −1 where the picture does not show it (the colour of no thing)."""
    rows = []
    for entry in entries:
        row = [values.index(entry[name]) for name, values in ATTRIBUTES.items()]
        hidden = {"colour", "side"} if entry["thing"] == "none" else set()
        hidden |= {"place"} if entry["orb"] == "none" else set()
        rows.append([-1 if name in hidden else value for name, value in zip(ATTRIBUTES, row)])
    return torch.tensor(rows)


def tokens(work: Work, names: list[str]) -> list[torch.Tensor]:
    """Both tokenizers' ids of all captions of whole shards, N×CAPTIONS×77, int16; kept beside the shards."""
    found = []
    for name in names:
        path = f"data/{name}.tokens.npy"
        if not work.path(path).exists():
            captions = [caption for entry in data.load(work, [name], "scenes") for caption in entry["captions"]]
            ids = [networks.tokenize(t, captions).view(-1, data.CAPTIONS, 77) for t in networks.tokenizers(work)]
            work.save_array(path, torch.stack(ids).numpy())
        found.append(torch.from_numpy(np.load(work.path(path))))
    return list(torch.cat(found, 1))


def main(options):
    torch.manual_seed(1)
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = Work(options.work)
    names = data.shards(work)
    pictures, entries = latents.load(work, names), data.load(work, names, "scenes")
    labels, (ids_1, ids_2) = attribute_labels(entries), tokens(work, names)
    first, second = networks.text_encoders(len(networks.tokenizers(work)[0]))
    network, bridge = PictureNetwork(), nn.Linear(networks.WIDTH_1, WIDTH)
    scale = nn.Parameter(torch.tensor(2.3))
    modules = nn.ModuleDict(dict(first=first, second=second, picture=network, bridge=bridge))
    parameters = [*modules.parameters(), scale]
    optimizer = torch.optim.AdamW(parameters, options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    step = 0
    if work.path("clip.pt").exists():
        state = work.load("clip.pt")
        modules.load_state_dict(state["modules"])
        optimizer.load_state_dict(state["optimizer"])
        scale.data, step = state["scale"], state["step"]
    saved, report = time.time(), []

    def save():
        work.save("clip.pt", dict(modules=modules.state_dict(), optimizer=optimizer.state_dict(), scale=scale.data, step=step))

    while step < options.steps:
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 100, max(0.02, (options.steps - step) / (0.4 * options.steps)))
        torch.manual_seed(1_000_000 + step)
        chosen = torch.randint(0, len(pictures), (options.batch,))
        which = torch.randint(0, data.CAPTIONS, (options.batch,))
        a, b = ids_1[chosen, which].long(), ids_2[chosen, which].long()
        # Attention looks only back, so what follows the end of the longest caption changes nothing.
        longest = int((a != a[0, -1]).sum(1).max()) + 2
        picture = pictures[chosen].float()
        picture = picture + 0.3 * torch.rand(options.batch, 1, 1, 1) * torch.randn_like(picture)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.half > 0):
            seen = network(picture)
            read_1, read_2 = bridge(first(a[:, :longest]).pooler_output), second(b[:, :longest]).text_embeds
            named = {name: head(seen) for name, head in network.names.items()}
        seen, target = F.normalize(seen.float(), dim=1), torch.arange(options.batch)
        loss = hits = 0
        for read in (read_1, read_2):
            agreement = scale.exp() * F.normalize(read.float(), dim=1) @ seen.T
            loss = loss + (F.cross_entropy(agreement, target) + F.cross_entropy(agreement.T, target)) / 2
            hits = hits + (agreement.argmax(1) == target).float().mean() / 2
        right = []
        for i, name in enumerate(ATTRIBUTES):
            truth = labels[chosen, i]
            loss = loss + 0.3 * F.cross_entropy(named[name].float(), truth, ignore_index=-1)
            right.append((named[name].argmax(1) == truth)[truth >= 0].float().mean().item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        scale.data.clamp_(max=4.0)
        step += 1
        report.append([loss.item(), hits.item(), *right])
        if step % 50 == 0:
            mean = torch.tensor(report).mean(0).tolist()
            shown = " ".join(f"{name} {value:.2f}" for name, value in zip(ATTRIBUTES, mean[2:]))
            work.log(f"clip {step}: loss {mean[0]:.3f} matched {mean[1]:.2f} named {shown}")
            report = []
        if time.time() - saved > 200:
            save()
            saved = time.time()
    save()


if __name__ == "__main__":
    main(arguments(__doc__, steps=450, batch=128, rate=1.5e-3, threads=1, half=1))
