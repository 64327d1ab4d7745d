"""Adversarial diffusion distillation (arXiv 2311.17042): the teacher becomes a student of one to four steps.

    python student.py --work DIR [--name student] [--steps 1000] [--adversarial 1] [--distillation 2.5]

The student starts as the teacher. At each step it cleans a picture noised to one of four timesteps, and learns from two
judges of what it made:

- a discriminator: small heads on the features of clip.py's frozen picture network, told the caption's summary (projection),
  trained by the hinge loss with R1 on the heads' inputs;
- the frozen teacher: the student's picture is noised again, to any timestep, and cleaned by the teacher; the student is drawn
  towards that (squared error, weighted by alpha of the timestep; no gradient through the teacher).

`--adversarial 0` or `--distillation 0` are the paper's ablations; give them a `--name` of their own.
"""
import time

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch.nn.utils.parametrizations import spectral_norm

import clip
import networks
from teacher import Captioned, load_teacher
from work import Work, arguments


class Head(nn.Module):
    """Says of each place of a feature map how real it looks under a caption."""

    def __init__(self, channels: int, width: int = 64):
        super().__init__()
        self.norm = nn.GroupNorm(1, channels, affine=False)
        self.look = spectral_norm(nn.Conv2d(channels, width, 3, 1, 1))
        self.think = spectral_norm(nn.Conv2d(width, width, 1))
        self.judge = spectral_norm(nn.Conv2d(width, 1, 1))
        self.caption = nn.Linear(networks.WIDTH_2, width)

    def forward(self, features, summary):
        x = F.leaky_relu(self.look(self.norm(features)), 0.2)
        x = F.leaky_relu(self.think(x), 0.2) + x
        fits = (x * self.caption(summary)[:, :, None, None]).sum(1, keepdim=True) / x.shape[1] ** 0.5
        return (self.judge(x) + fits).flatten(1)


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        self.heads = nn.ModuleList([Head(channels) for channels in clip.PictureNetwork.CHANNELS])

    def forward(self, features: list, summary):
        # Each head's opinions count the same, however many places its map has.
        return [head(f, summary) for head, f in zip(self.heads, features)]


def load_picture_network(work: Work):
    network = clip.PictureNetwork()
    state = work.load("clip.pt")["modules"]
    network.load_state_dict({k.removeprefix("picture."): v for k, v in state.items() if k.startswith("picture.")})
    return network.requires_grad_(False).eval()


def discriminator_loss(discriminator, real: list, made: list, summary, gamma: float):
    """Hinge loss of all heads, with R1: the squared gradient of the verdict on real pictures by the heads' inputs."""
    real = [f.detach().requires_grad_(gamma > 0) for f in real]
    on_real = discriminator(real, summary)
    on_made = discriminator([f.detach() for f in made], summary)
    loss = sum(F.relu(1 - r).mean() + F.relu(1 + m).mean() for r, m in zip(on_real, on_made)) / len(real)
    if gamma > 0:
        gradients = torch.autograd.grad(sum(r.mean(1).sum() for r in on_real), real, create_graph=True)
        loss = loss + gamma / 2 * sum(g.square().sum((1, 2, 3)).mean() for g in gradients)
    with torch.no_grad():
        margin = sum(r.mean() - m.mean() for r, m in zip(on_real, on_made)) / len(real)
    return loss, margin.item()


def noised(clean, noise, t):
    """As sampling starts: at the last timestep there is no trace of a picture, only noise."""
    x = networks.add_noise(clean, noise, t)
    return torch.where((t == networks.STUDENT_TIMESTEPS[-1]).view(-1, 1, 1, 1), networks.SIGMA[-1] * noise, x)


def teachers_view(teacher, made, text, guidance: float):
    """The teacher's clean picture for the student's, noised to a random timestep, and that timestep's weight."""
    t = torch.randint(20, 1000, (len(made),))
    x = networks.add_noise(made, torch.randn_like(made), t)
    v = networks.velocity(teacher, x, t, text)
    if guidance != 1:
        nothing = [torch.zeros_like(part) for part in text]
        v0 = networks.velocity(teacher, x, t, nothing)
        v = v0 + guidance * (v - v0)
    return networks.clean_of(x, v.float(), t), networks.ALPHA[t]


def main(options):
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = Work(options.work)
    pictures, teacher, seer = Captioned(work), load_teacher(work), load_picture_network(work)
    torch.manual_seed(4)
    student, discriminator = load_teacher(work).requires_grad_(True).train(), Discriminator()
    own, heads = list(student.parameters()), list(discriminator.parameters())
    optimizer = torch.optim.AdamW(own, options.rate, betas=(0.0, 0.99), weight_decay=0, fused=True)
    opponent = torch.optim.AdamW(heads, options.head_rate, betas=(0.0, 0.99), weight_decay=0, fused=True)
    average, step, name = networks.Average([student]), 0, f"{options.name}.pt"
    if work.path(name).exists():
        state = work.load(name)
        student.load_state_dict(state["network"])
        discriminator.load_state_dict(state["discriminator"])
        optimizer.load_state_dict(state["optimizer"])
        opponent.load_state_dict(state["opponent"])
        average.means, step = state["means"], state["step"]

    def save():
        work.save(name, dict(
            network=student.state_dict(), discriminator=discriminator.state_dict(), optimizer=optimizer.state_dict(),
            opponent=opponent.state_dict(), means=average.means, step=step))

    grid = torch.tensor(networks.STUDENT_TIMESTEPS)
    saved, report = time.time(), []
    while step < options.steps:
        torch.manual_seed(4_000_000 + step)
        for group in optimizer.param_groups:
            group["lr"] = options.rate * min(1, (step + 1) / 100)
        clean, text = pictures.draw(options.batch)
        s = grid[torch.arange(options.batch) % 4]
        with torch.autocast("cpu", torch.bfloat16, enabled=options.half > 0):
            x = noised(clean, torch.randn_like(clean), s)
            made = networks.clean_of(x, networks.velocity(student, x, s, text).float(), s)
            # A little noise on both hides from the discriminator what no viewer sees.
            noise, noise_2 = torch.randn_like(made), torch.randn_like(made)
            if options.adversarial > 0:
                shown = seer.features(made + 0.05 * noise)
            with torch.no_grad():
                if options.adversarial > 0:
                    real = seer.features(clean + 0.05 * noise_2)
                if options.distillation > 0:
                    view, weight = teachers_view(teacher, made.detach(), text, options.guidance)
        judgement = distance = torch.zeros(())
        if options.adversarial > 0:
            shown, real = [f.float() for f in shown], [f.float() for f in real]
            judgement = -sum(verdict.mean() for verdict in discriminator(shown, text[1])) / len(shown)
        if options.distillation > 0:
            distance = (weight * (made - view).square().mean((1, 2, 3))).mean()
        optimizer.zero_grad()
        (options.adversarial * judgement + options.distillation * distance).backward()
        torch.nn.utils.clip_grad_norm_(own, 1.0)
        optimizer.step()
        average.update(step)
        margin = 0.0
        if options.adversarial > 0:
            loss, margin = discriminator_loss(discriminator, real, shown, text[1], options.gamma)
            opponent.zero_grad()
            loss.backward()
            opponent.step()
        step += 1
        with torch.no_grad():
            error = (made - clean).square().mean((1, 2, 3)).view(-1, 4).mean(0).tolist()
        report.append([judgement.item(), distance.item(), margin, *error])
        if step % 100 == 0:
            mean = torch.tensor(report).mean(0).tolist()
            work.log(
                f"{options.name} {step}: generator {mean[0]:.3f} distillation {mean[1]:.4f} margin {mean[2]:.3f} "
                f"error at {networks.STUDENT_TIMESTEPS}: {[round(v, 3) for v in mean[3:]]}")
            report = []
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()


if __name__ == "__main__":
    main(arguments(
        __doc__, name="student", steps=1000, batch=32, rate=2e-4, head_rate=1e-3, adversarial=1.0, distillation=2.5,
        guidance=2.0, gamma=1e-5, threads=1, half=0))
