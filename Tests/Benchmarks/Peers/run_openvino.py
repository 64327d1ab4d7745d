"""Times OpenVINO on the networks of a model folder, f32 arithmetic, or int8 linear layers in the UNet.

    run_openvino.py DIR CACHE --size 512 --steps 1 --repeat 3 --threads 2 [--int8]

Networks are converted once and kept in CACHE (as large as the model). Each is compiled, timed and dropped, so the
peak of memory is that of the largest network, not of a whole pipeline.
"""
import argparse
import gc
import json
import os
import pathlib
import resource
import statistics
import sys
import time

import numpy
import openvino

os.environ["HF_HUB_OFFLINE"] = "1"


def convert(folder, cache, size):
    """Writes the networks that CACHE lacks, weights stored in 16 bits."""
    import torch
    from diffusers import AutoencoderKL, UNet2DConditionModel
    from openvino.frontend.pytorch import patch_model
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    torch.set_grad_enabled(False)
    # Networks are traced in 16 bits, in which their weights are stored: in 32 the UNet alone would need 20 GB here.
    keep_16_bits = getattr(patch_model, "__make_16bit_traceable")

    class Call(torch.nn.Module):
        """A network's one result, from arguments by position."""

        def __init__(self, network, call):
            super().__init__()
            self.network, self.call = network, call

        def forward(self, *arguments):
            return self.call(self.network, *arguments)

    def save(name, network, call, *example):
        keep_16_bits(network.eval())
        model = openvino.convert_model(
            Call(network, call), example_input=example, input=[tuple(x.shape) for x in example])
        openvino.save_model(model, cache / f"{name}.xml", compress_to_fp16=True)
        print(f"# converted {name}", file=sys.stderr, flush=True)

    for name, network in (("text_encoder", CLIPTextModel), ("text_encoder_2", CLIPTextModelWithProjection)):
        if (folder / name).exists() and not (cache / f"{name}.xml").exists():
            save(name, network.from_pretrained(folder / name, torch_dtype=torch.float16, attn_implementation="eager"),
                 lambda n, ids: n(ids, output_hidden_states=True).hidden_states[-2], torch.zeros(1, 77).long())
    latents = torch.randn(1, 4, size // 8, size // 8)
    if not (cache / "vae_decode.xml").exists():
        save("vae_decode", AutoencoderKL.from_pretrained(folder / "vae", torch_dtype=torch.float32),
             lambda n, z: n.decode(z, return_dict=False)[0], latents)
    if not (cache / "unet.xml").exists():
        unet = UNet2DConditionModel.from_pretrained(folder / "unet", torch_dtype=torch.float16)
        config = unet.config
        example = [latents, torch.tensor([999.0]), torch.randn(1, 77, config.cross_attention_dim)]
        if config.addition_embed_type:
            pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
            example += [torch.randn(1, pooled), torch.zeros(1, 6)]

        def call(network, x, t, context, pooled=None, sizes=None):
            added = None if pooled is None else {"text_embeds": pooled, "time_ids": sizes}
            return network(x, t, context, added_cond_kwargs=added, return_dict=False)[0]

        save("unet", unet, call, *example)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("folder", type=pathlib.Path)
    options.add_argument("cache", type=pathlib.Path)
    for name, default in [("size", 512), ("steps", 1), ("repeat", 3), ("threads", os.cpu_count())]:
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--int8", action="store_true")
    options.add_argument("--convert", action="store_true", help="only convert")
    options = options.parse_args()
    cache = options.cache / f"{options.size}"
    cache.mkdir(parents=True, exist_ok=True)
    if options.convert:
        convert(options.folder, cache, options.size)
        if not (cache / "unet_int8.xml").exists():
            import nncf

            core = openvino.Core()
            model = nncf.compress_weights(core.read_model(cache / "unet.xml"), mode=nncf.CompressWeightsMode.INT8_SYM)
            openvino.save_model(model, cache / "unet_int8.xml")
        return

    core = openvino.Core()
    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY"}
    noise = numpy.random.default_rng(0)

    def inputs(network):
        for port in network.inputs:
            shape = tuple(port.shape)
            if port.element_type == openvino.Type.i64:
                yield noise.integers(0, 49406, shape)
            elif len(shape) == 1:
                yield numpy.full(shape, 999, numpy.float32)
            else:
                yield noise.standard_normal(shape).astype(numpy.float32)

    report = {"engine": f"OpenVINO {'int8 UNet' if options.int8 else 'f32'}", "version": openvino.__version__, "load_s": 0.0}
    parts = {"text_encoders_s": ["text_encoder", "text_encoder_2"], "vae_decode_s": ["vae_decode"],
             "unet_s": ["unet_int8" if options.int8 else "unet"]}
    for key, names in parts.items():
        report[key] = 0.0
        for name in names:
            if not (cache / f"{name}.xml").exists():
                continue
            began = time.monotonic()
            network = core.compile_model(core.read_model(cache / f"{name}.xml"), "CPU", settings)
            report["load_s"] += time.monotonic() - began
            request, arguments = network.create_infer_request(), list(inputs(network))
            request.infer(arguments)
            times = []
            for _ in range(options.repeat):
                began = time.monotonic()
                request.infer(arguments)
                times.append(time.monotonic() - began)
            report[key] += statistics.median(times) * (options.steps if key == "unet_s" else 1)
            del network, request
            gc.collect()
    report["total_s"] = report["text_encoders_s"] + report["unet_s"] + report["vae_decode_s"]
    report["peak_rss_bytes"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps(report))


main()
