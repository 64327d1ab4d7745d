"""Trains the VAE's decoder on the latents of the fixed encoder.

    python decoder.py --work DIR [--steps 10600] [--start FILE] [--adversarial 0.3] [--alone 6000] [--drawn 8000]

Most steps see crops of 64×64 pixels, eight of which cost what two whole pictures do; every fourth step sees whole pictures.
`--start` begins with the decoder of another run (a state dict saved by this script) instead of a plain enlargement.

From step `--alone` on a critic of small patches has a say too, as in the VAEs of published models: where a cell's detail is
not in its latent, the mean of all that it may be is a smear, and only a critic prefers one crisp guess to it.

Up to step `--drawn` the latents are those of drawn pictures. Then half of them are what the student makes of such a latent with
noise: its cells are less sure of where things end than any drawing's, and a decoder that never saw the like shows just that.
"""
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

import data
import latents
import linear
import networks
from teacher import Captioned, rate
from work import Work, arguments


def difference(found, wanted):
    """Absolute and squared error, of the pixels, of their gradients (edges), and of 4×4 means (colour)."""
    d = found - wanted
    across, down = d[..., 1:] - d[..., :-1], d[..., 1:, :] - d[..., :-1, :]
    edges = across.abs().mean() + down.abs().mean()
    return d.abs().mean() + 2 * d.square().mean() + 0.7 * edges + 0.5 * F.avg_pool2d(d, 4).abs().mean()


class Critic(nn.Module):
    """Says of each patch of some 30×30 pixels whether it was drawn or decoded."""

    def __init__(self):
        super().__init__()
        layers, widths = [], (3, 24, 48, 96)
        for before, after in zip(widths, widths[1:]):
            layers += [nn.Conv2d(before, after, 4, 2, 1), nn.LeakyReLU(0.2)]
        # No spectral norm: what tells a decoded picture is faint, and a critic that may not enlarge it says next to nothing.
        self.layers = nn.Sequential(*layers, nn.Conv2d(widths[-1], 1, 3, 1, 1))

    def forward(self, pictures):
        return self.layers(pictures)


def balance(loss, verdict, weight):
    """How often the verdict goes into the loss for both to pull equally hard at the decoder's last layer (Esser et al. 2021)."""
    ours, theirs = (torch.autograd.grad(part, weight, retain_graph=True)[0].norm() for part in (loss, verdict))
    return (ours / (theirs + 1e-4)).clamp(max=100).item()


def as_tensor(pictures):
    tensor = torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    return tensor.contiguous(memory_format=torch.channels_last)


def build(work: Work):
    """The autoencoder with its fixed encoder and an untrained decoder."""
    torch.manual_seed(3)
    vae, whitening = networks.vae(), work.load("whitening.pt")
    linear.write_encoder(vae, whitening)
    linear.write_decoder(vae, whitening)
    return vae.to(memory_format=torch.channels_last)


def load(work: Work):
    """The autoencoder with the averaged decoder of the last checkpoint, frozen."""
    vae = build(work)
    if work.path("decoder.pt").exists():
        state = work.load("decoder.pt")
        with torch.no_grad():
            for weight, mean in zip(trained(vae), state["means"]):
                weight.copy_(mean)
    return vae.requires_grad_(False).eval()


@torch.no_grad()
def cleaned_by_student(work: Work, coded) -> torch.Tensor:
    """The first shard's latents, noised to one of the student's two lower timesteps in turn and cleaned by it."""
    student, pictures = networks.averaged(work.load("student.pt")), Captioned(work)
    result = torch.empty_like(coded[: data.SHARD])
    torch.manual_seed(3)
    for start in range(0, data.SHARD, 50):
        chosen = torch.arange(start, start + 50)
        t = torch.tensor(networks.STUDENT_TIMESTEPS)[chosen % 2]
        x = networks.add_noise(coded[chosen].float(), torch.randn(50, 4, networks.LATENT, networks.LATENT), t)
        v = networks.velocity(student, x, t, pictures.text(chosen, chosen % data.CAPTIONS))
        result[chosen] = networks.clean_of(x, v, t).half()
    return result


def trained(vae):
    return [*vae.decoder.parameters(), *vae.post_quant_conv.parameters()]


def main(options):
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = Work(options.work)
    names = data.shards(work)
    shards = [data.load(work, [name], "pictures")[0] for name in names]
    coded, held = latents.load(work, names), data.load(work, ["held"], "pictures")[0][:32]
    vae = build(work)
    step, start = 0, "decoder.pt" if work.path("decoder.pt").exists() else options.start
    optimizer = torch.optim.AdamW(trained(vae), options.rate, betas=(0.9, 0.98), weight_decay=0, fused=True)
    parts = [vae.decoder, vae.post_quant_conv]
    critic = Critic().to(memory_format=torch.channels_last)
    opponent = torch.optim.AdamW(critic.parameters(), options.critic_rate, betas=(0.5, 0.99), weight_decay=0, fused=True)
    average = networks.Average(parts)
    if start:
        state = torch.load(work.path(start) if start == "decoder.pt" else start, weights_only=True)
        vae.decoder.load_state_dict(state["decoder"])
        vae.post_quant_conv.load_state_dict(state["post_quant_conv"])
        average = networks.Average(parts)
        if start == "decoder.pt":
            optimizer.load_state_dict(state["optimizer"])
            average.means, step = state["means"], state["step"]
            critic.load_state_dict(state["critic"])
            opponent.load_state_dict(state["opponent"])

    def save():
        work.save("decoder.pt", dict(
            critic=critic.state_dict(), opponent=opponent.state_dict(),
            decoder=vae.decoder.state_dict(), post_quant_conv=vae.post_quant_conv.state_dict(), means=average.means,
            optimizer=optimizer.state_dict(), step=step))

    def held_out() -> float:
        average.swap()
        with torch.no_grad():
            wanted = as_tensor(held)
            found = vae.decode(vae.encode(wanted).latent_dist.mode()).sample.clamp(-1, 1)
        average.swap()
        return (10 * torch.log10(4 / (found - wanted).square().mean((1, 2, 3)))).mean().item()

    saved = marked = time.time()
    margins, cleaned = [], None
    while step < options.steps:
        torch.manual_seed(3_000_000 + step)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, options.rate, warm=100, flat=2000)
        whole = step % 4 == 3
        side = 16 if whole else 8
        count = 2 if whole else 8
        by_student = step >= options.drawn and step // 4 % 2 == 1
        if by_student and cleaned is None:
            cleaned = cleaned_by_student(work, coded)
        pictures, cells = [], []
        for _ in range(count):
            shard, number = (int(torch.randint(0, n, ())) for n in (1 if by_student else len(shards), data.SHARD))
            y, x = (int(torch.randint(0, 17 - side, ())) for _ in range(2))
            pictures.append(torch.from_numpy(shards[shard][number, 8 * y : 8 * (y + side), 8 * x : 8 * (x + side)].copy()))
            latent = cleaned[number] if by_student else coded[shard * data.SHARD + number]
            cells.append(latent[:, y : y + side, x : x + side].float())
        wanted = as_tensor(torch.stack(pictures).numpy())
        latent = torch.stack(cells)
        latent = latent + 0.04 * torch.randn_like(latent)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.half > 0):
            found = vae.decode(latent.contiguous(memory_format=torch.channels_last) / networks.SCALING).sample
        found = found.float()
        loss = difference(found, wanted)
        judged = options.adversarial > 0 and step >= options.alone
        if judged:
            verdict = -critic(found).mean()
            loss = loss + options.adversarial * balance(loss, verdict, vae.decoder.conv_out.weight) * verdict
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained(vae), 0.5)
        optimizer.step()
        average.update(step)
        if judged:
            on_wanted, on_found = critic(wanted), critic(found.detach())
            opponent.zero_grad()
            (F.relu(1 - on_wanted).mean() + F.relu(1 + on_found).mean()).backward()
            opponent.step()
            margins.append((on_wanted.mean() - on_found.mean()).item())
        step += 1
        if step % 250 == 0:
            margin = f", critic's margin {sum(margins) / len(margins):.3f}" if margins else ""
            work.log(f"decoder {step}: {held_out():.2f} dB held out{margin}, {250 / (time.time() - marked):.2f} steps/s")
            marked, margins = time.time(), []
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()


if __name__ == "__main__":
    main(arguments(
        __doc__, steps=10600, rate=1e-3, start="", adversarial=0.3, alone=6000, drawn=8000, critic_rate=1e-3, threads=1,
        half=0))
