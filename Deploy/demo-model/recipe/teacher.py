"""Trains the teacher: a diffusion model of velocity on the frozen text encoders of clip.py.

    python teacher.py --work DIR [--steps 9000] [--batch 32]

May be stopped at any moment and goes on where the last checkpoint was; `--steps` may be raised later. The averaged weights
are what every later stage uses.
"""
import time

import torch

import clip
import data
import latents
import networks
from work import Work, arguments


class Captioned:
    """All training latents with their captions, drawn at random; the draw of a step depends on the step alone."""

    def __init__(self, work: Work):
        names = data.shards(work)
        self.latents = latents.load(work, names)
        self.ids_1, self.ids_2 = clip.tokens(work, names)
        self.encoders = load_encoders(work)
        empty = [networks.tokenize(tokenizer, [""])[0] for tokenizer in networks.tokenizers(work)]
        self.empty_1, self.empty_2 = empty

    def draw(self, count: int, without_text: float = 0.0):
        """Latents and their text; a share of the texts is all zeros, which is SDXL's way to say "no prompt"."""
        chosen, which = torch.randint(0, len(self.latents), (count,)), torch.randint(0, data.CAPTIONS, (count,))
        states, summary = self.text(chosen, which, torch.rand(count) < 0.02)
        kept = (torch.rand(count) >= without_text).float()[:, None]
        clean = self.latents[chosen].float().contiguous(memory_format=torch.channels_last)
        return clean, (states * kept[..., None], summary * kept)

    @torch.no_grad()
    def text(self, chosen, which, blank=None):
        """The conditions of scenes' captions by number; of an empty caption where `blank`."""
        ids_1, ids_2 = self.ids_1[chosen, which], self.ids_2[chosen, which]
        if blank is not None:
            ids_1[blank], ids_2[blank] = self.empty_1, self.empty_2
        return networks.encode(*self.encoders, ids_1.long(), ids_2.long())


def load_encoders(work: Work):
    state = work.load("clip.pt")["modules"]
    encoders = networks.text_encoders(len(networks.tokenizers(work)[0]))
    for name, encoder in zip(("first", "second"), encoders):
        encoder.load_state_dict({k.removeprefix(name + "."): v for k, v in state.items() if k.startswith(name + ".")})
        encoder.requires_grad_(False).eval()
    return encoders


def rate(step: int, peak: float, warm: int = 300, flat: int = 4000) -> float:
    """A short warm-up, then level, then falling as the inverse root of the steps: good at every length."""
    return peak * min(1.0, (step + 1) / warm) * min(1.0, (flat / (step + 1)) ** 0.5)


def main(options):
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = Work(options.work)
    pictures = Captioned(work)
    torch.manual_seed(2)
    network = networks.unet()
    parameters = list(network.parameters())
    optimizer = torch.optim.AdamW(parameters, options.rate, betas=(0.9, 0.98), weight_decay=0.01, fused=True)
    average, step = networks.Average([network]), 0
    if work.path("teacher.pt").exists():
        state = work.load("teacher.pt")
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average.means, step = state["means"], state["step"]
    work.log(f"teacher: {sum(p.numel() for p in parameters) / 1e6:.2f} M weights, {len(pictures.latents)} scenes, step {step}")
    predict = torch.compile(network) if options.compile else network

    def save():
        work.save("teacher.pt", dict(
            network=network.state_dict(), optimizer=optimizer.state_dict(), means=average.means, step=step))

    saved = marked = time.time()
    sums, counts = torch.zeros(4), torch.zeros(4)
    while step < options.steps:
        torch.manual_seed(2_000_000 + step)
        for group in optimizer.param_groups:
            group["lr"] = rate(step, options.rate)
        clean, text = pictures.draw(options.batch, without_text=0.1)
        # One timestep from each of as many equal parts of the range: every batch sees all noise levels.
        t = ((torch.arange(options.batch) + torch.rand(options.batch)) * 1000 / options.batch).long().clamp(max=999)
        noise = torch.randn_like(clean)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.half > 0):
            found = networks.velocity(predict, networks.add_noise(clean, noise, t), t, text, random_sizes=True)
        wanted = networks.ALPHA[t].view(-1, 1, 1, 1) * noise - networks.SIGMA[t].view(-1, 1, 1, 1) * clean
        error = (found.float() - wanted).square().mean((1, 2, 3))
        optimizer.zero_grad()
        error.mean().backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update(step)
        step += 1
        quarter = (t // 250).clamp(max=3)
        sums.index_add_(0, quarter, error.detach())
        counts.index_add_(0, quarter, torch.ones(options.batch))
        if step % 200 == 0:
            pace = 200 * options.batch / (time.time() - marked)
            work.log(f"teacher {step}: loss by quarter {[round(v, 4) for v in (sums / counts).tolist()]} {pace:.1f} pictures/s")
            sums.zero_(), counts.zero_()
            marked = time.time()
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()


def load_teacher(work: Work):
    """The averaged teacher, frozen."""
    return networks.averaged(work.load("teacher.pt"))


if __name__ == "__main__":
    main(arguments(__doc__, steps=9000, batch=32, rate=1e-3, threads=1, half=0, compile=0))
