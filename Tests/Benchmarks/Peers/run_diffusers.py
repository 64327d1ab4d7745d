"""Times diffusers (PyTorch, fp32) on a model folder; one line of JSON with the keys of `tintype bench --json`.

    run_diffusers.py DIR --size 512 --steps 1 --repeat 3 --threads 2
"""
import argparse
import json
import os
import resource
import statistics
import time

os.environ["HF_HUB_OFFLINE"] = "1"
import torch
from diffusers import DiffusionPipeline

PROMPT = "a cinematic shot of a baby racoon wearing an intricate italian priest robe"


def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder")
    for name, default in [("size", 512), ("steps", 1), ("repeat", 3), ("threads", os.cpu_count())]:
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--encode", action="store_true", help="time the VAE's encoder too")
    options = options.parse_args()
    torch.set_num_threads(options.threads)
    torch.set_grad_enabled(False)

    began = time.monotonic()
    pipeline = DiffusionPipeline.from_pretrained(options.folder, torch_dtype=torch.float32, local_files_only=True)
    pipeline.set_progress_bar_config(disable=True)
    load = time.monotonic() - began
    side = options.size // 8
    latents = torch.randn(1, 4, side, side, generator=torch.Generator().manual_seed(0))

    def encode_text():
        return pipeline.encode_prompt(
            PROMPT, device="cpu", num_images_per_prompt=1, do_classifier_free_guidance=False)

    text = encode_text()
    extra = {}
    if len(text) == 4:  # SDXL: context and pooled text, each for the prompt and for the negative one
        sizes = torch.tensor([[options.size, options.size, 0, 0, options.size, options.size]], dtype=torch.float32)
        extra = {"added_cond_kwargs": {"text_embeds": text[2], "time_ids": sizes}}

    parts = {
        "text_encoders_s": encode_text,
        "unet_s": lambda: [
            pipeline.unet(latents, 999.0, encoder_hidden_states=text[0], **extra) for _ in range(options.steps)],
        "vae_decode_s": lambda: pipeline.vae.decode(latents),
    }
    if options.encode:
        parts["vae_encode_s"] = lambda: pipeline.vae.encode(torch.zeros(1, 3, options.size, options.size))
    report = {"engine": "diffusers fp32", "version": torch.__version__, "load_s": load}
    for name, run in parts.items():
        run()
        if name == "vae_decode_s":
            # As for Tintype: the encoder, which text-to-image does not run, does not count.
            report["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        times = []
        for _ in range(options.repeat):
            began = time.monotonic()
            run()
            times.append(time.monotonic() - began)
        report[name] = statistics.median(times)
    report["total_s"] = report["text_encoders_s"] + report["unet_s"] + report["vae_decode_s"]
    print(json.dumps(report))


main()
