#!/usr/bin/env python3
"""Writes Tests/Fixtures/scheduler/euler.json: schedules and step traces of diffusers' Euler schedulers.

Made with diffusers 0.42.1, torch 2.15.0, numpy. Run: make_scheduler_goldens.py Tests/Fixtures/scheduler
Numbers are fp32 values written with enough digits to be exact.
"""
import json
import pathlib
import sys

import diffusers
import numpy
import torch
from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler

torch_power = torch.Tensor.__pow__


def power(base, exponent):
    """torch's square root of a long tensor is MKL's, which is off by one unit in the last place on some processors.

    The correctly rounded root is what torch gives on all others, and what the tables should hold on every machine.
    """
    if exponent == 0.5:
        return torch.from_numpy(numpy.asarray(numpy.sqrt(base.numpy())))
    return torch_power(base, exponent)


torch.Tensor.__pow__ = power

TURBO = dict(
    num_train_timesteps=1000, beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear",
    prediction_type="epsilon", timestep_spacing="trailing", steps_offset=1,
)
# The published configuration and one change at a time.
CONFIGS = {
    "turbo": {},
    "leading": dict(timestep_spacing="leading"),
    "linspace": dict(timestep_spacing="linspace"),
    "velocity": dict(prediction_type="v_prediction"),
    "linear_betas": dict(beta_schedule="linear", beta_start=0.0001, beta_end=0.02),
    "short": dict(num_train_timesteps=100),
}
STEPS = {"turbo": range(1, 51), "leading": [1, 2, 3, 4, 7, 50], "linspace": [1, 2, 3, 4, 7, 50],
         "velocity": [4], "linear_betas": [1, 4, 25], "short": [1, 3, 4, 7, 50]}
TRACED = {"turbo": [1, 2, 4, 7], "velocity": [4], "leading": [4], "linspace": [4]}
STRENGTHS = [0.05, 0.1, 0.25, 0.3, 0.5, 0.58, 0.6, 0.75, 0.9, 0.99, 1.0]


def table(cls, config, n):
    scheduler = cls(**config)
    scheduler.set_timesteps(n)
    return {"steps": n, "timesteps": scheduler.timesteps.tolist(), "sigmas": scheduler.sigmas.tolist(),
            "initNoiseSigma": float(scheduler.init_noise_sigma)}


def trace(cls, config, n):
    scheduler = cls(**config)
    scheduler.set_timesteps(n)
    generator = torch.Generator("cpu").manual_seed(100 + n)
    # The noise of each step comes from its own seed, so that a test can draw it again.
    sample = torch.randn(32, generator=generator) * scheduler.init_noise_sigma
    steps = []
    for i, t in enumerate(scheduler.timesteps):
        scaled = scheduler.scale_model_input(sample, t)
        output = torch.randn(32, generator=torch.Generator("cpu").manual_seed(1000 + i))
        noise_generator = torch.Generator("cpu").manual_seed(2000 + i)
        following = scheduler.step(output, t, sample, generator=noise_generator).prev_sample
        steps.append({"sample": sample.tolist(), "scaled": scaled.tolist(), "next": following.tolist()})
        sample = following
    return {"steps": n, "trace": steps}


def img2img(config):
    cases = []
    for n in list(range(1, 11)) + [20, 25, 30, 50]:
        for strength in STRENGTHS:
            kept = min(int(n * strength), n)
            begin = max(n - kept, 0)
            scheduler = EulerDiscreteScheduler(**config)
            scheduler.set_timesteps(n)
            cases.append({"steps": n, "strength": strength, "begin": begin,
                          "timesteps": scheduler.timesteps[begin:].tolist()})
    return cases


result = {"diffusers": diffusers.__version__, "classes": [], "imageToImage": img2img(TURBO)}
for cls in (EulerAncestralDiscreteScheduler, EulerDiscreteScheduler):
    for name, change in CONFIGS.items():
        config = TURBO | change
        result["classes"].append({
            "className": cls.__name__, "name": name, "config": config,
            "tables": [table(cls, config, n) for n in STEPS[name]],
            "traces": [trace(cls, config, n) for n in TRACED.get(name, [])],
        })
out = pathlib.Path(sys.argv[1]) / "euler.json"
out.write_text(json.dumps(result, separators=(",", ":")).replace('{"className"', '\n{"className"') + "\n")
