"""The baseline: a latent consistency model (arXiv 2310.04378) of the same teacher.

    python consistency.py --work DIR [--steps 1000]

The teacher goes one DDIM step down from a noised picture; the student learns to give the same clean picture at both ends.
The lower end is judged by the student's own average.
"""
import copy
import time

import torch

import networks
from teacher import Captioned, load_teacher
from work import Work, arguments

STRIDE = 20  # timesteps between the ends


def descend(teacher, x, t, text, guidance: float):
    """One DDIM step of the teacher, `STRIDE` timesteps down."""
    v = networks.velocity(teacher, x, t, text)
    if guidance != 1:
        v0 = networks.velocity(teacher, x, t, [torch.zeros_like(part) for part in text])
        v = v0 + guidance * (v - v0)
    v = v.float()
    return networks.add_noise(networks.clean_of(x, v, t), networks.noise_of(x, v, t), t - STRIDE)


def main(options):
    torch.set_num_threads(options.threads)
    torch.set_flush_denormal(True)
    work = Work(options.work)
    pictures, teacher = Captioned(work), load_teacher(work)
    student = load_teacher(work).requires_grad_(True).train()
    target, parameters = copy.deepcopy(teacher), list(student.parameters())
    optimizer = torch.optim.AdamW(parameters, options.rate, betas=(0.9, 0.98), weight_decay=0, fused=True)
    average, step = networks.Average([student]), 0
    if work.path("consistency.pt").exists():
        state = work.load("consistency.pt")
        student.load_state_dict(state["network"])
        target.load_state_dict(state["target"])
        optimizer.load_state_dict(state["optimizer"])
        average.means, step = state["means"], state["step"]

    def save():
        work.save("consistency.pt", dict(
            network=student.state_dict(), target=target.state_dict(), optimizer=optimizer.state_dict(), means=average.means,
            step=step))

    saved, report = time.time(), []
    while step < options.steps:
        torch.manual_seed(5_000_000 + step)
        clean, text = pictures.draw(options.batch)
        # The grid of 50 trailing timesteps: 19, 39, … 999.
        t = STRIDE * torch.randint(2, 51, (options.batch,)) - 1
        x = networks.add_noise(clean, torch.randn_like(clean), t)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.half > 0):
            with torch.no_grad():
                below = descend(teacher, x, t, text, options.guidance)
                v = networks.velocity(target, below, t - STRIDE, text).float()
                wanted = networks.clean_of(below, v, t - STRIDE)
            found = networks.clean_of(x, networks.velocity(student, x, t, text).float(), t)
        loss = ((found - wanted).square() + 0.01).sqrt().mean() - 0.1
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        average.update(step)
        with torch.no_grad():
            torch._foreach_lerp_(list(target.parameters()), [p.detach() for p in parameters], 0.05)
        step += 1
        report.append(loss.item())
        if step % 100 == 0:
            work.log(f"consistency {step}: loss {sum(report) / len(report):.4f}")
            report = []
        if time.time() - saved > 240:
            save()
            saved = time.time()
    save()


if __name__ == "__main__":
    main(arguments(__doc__, steps=1000, batch=32, rate=2e-4, guidance=2.0, threads=1, half=0))
