"""Times Tintype and its peers on one model, one after another on one machine, and prints the ratios.

    compare.py [--model DIR] [--size 512] [--steps 1] [--repeat 3] [--json FILE]

Without --model, a full-size SDXL-Turbo of random weights is made once in .build/benchmarks. Needs PyTorch, diffusers
and transformers; OpenVINO takes part when `openvino` and `nncf` are installed. Run it on an idle machine.
"""
import argparse
import importlib.util
import json
import os
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
KEYS = ["load_s", "text_encoders_s", "unet_s", "vae_decode_s", "total_s", "peak_rss_bytes"]


def run(words):
    """The JSON that a command prints last."""
    print("#", " ".join(str(word) for word in words), file=sys.stderr, flush=True)
    text = subprocess.run([str(word) for word in words], check=True, stdout=subprocess.PIPE, text=True).stdout
    return json.loads(text if text.lstrip().startswith("{") else text.strip().splitlines()[-1])


def has(*modules):
    return all(importlib.util.find_spec(module) for module in modules)


def shown(key, value):
    if value is None:
        return "–"
    return f"{value / 1e9:.2f} GB" if key.endswith("bytes") else f"{value:.2f}"


def table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(cell.ljust(width) if index == 0 else cell.rjust(width)
                        for index, (cell, width) in enumerate(zip(row, widths))).rstrip())
    print()


def main():
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--model", type=pathlib.Path)
    options.add_argument("--tintype", type=pathlib.Path, default=ROOT / ".build/release/tintype")
    options.add_argument("--precision", nargs="*", default=["fp32"], help="Tintype's")
    options.add_argument("--cache", type=pathlib.Path, default=ROOT / ".build/benchmarks")
    for name, default in [("size", 512), ("steps", 1), ("repeat", 3), ("threads", len(os.sched_getaffinity(0)))]:
        options.add_argument(f"--{name}", type=int, default=default)
    options.add_argument("--without", nargs="*", default=[], choices=["diffusers", "openvino"])
    options.add_argument("--json", type=pathlib.Path, help="also write everything here")
    options = options.parse_args()

    model = options.model or options.cache / "sdxl-turbo"
    if not (model / "model_index.json").exists():
        subprocess.run([sys.executable, HERE / "make_model.py", "sdxl-turbo", model], check=True)
    common = [f"--{name}={getattr(options, name)}" for name in ("steps", "repeat", "threads")]
    size = f"--size={options.size}"

    reports = []
    for precision in options.precision:
        words = [options.tintype, "bench", "--model", model, f"--size={options.size}x{options.size}", *common, "--json"]
        report = run(words + ([f"--precision={precision}"] if precision != "fp32" else []))
        reports.append(report | {"engine": f"Tintype {precision}"})
    if "diffusers" not in options.without:
        if has("torch", "diffusers", "transformers"):
            reports.append(run([sys.executable, HERE / "run_diffusers.py", model, size, *common]))
        else:
            print("# diffusers is left out: install torch, diffusers and transformers", file=sys.stderr)
    if "openvino" not in options.without:
        if has("openvino", "nncf"):
            words = [sys.executable, HERE / "run_openvino.py", model, options.cache / f"openvino-{model.resolve().name}", size]
            subprocess.run([str(word) for word in words + ["--convert"]], check=True)
            reports += [run(words + common), run(words + common + ["--int8"])]
        else:
            print("# OpenVINO is left out: install openvino and nncf", file=sys.stderr)
    # stable-diffusion.cpp has no package that could be installed here, so it is not run.

    table([["engine", *KEYS]] + [[r["engine"], *(shown(key, r.get(key)) for key in KEYS)] for r in reports])
    ratios = {}
    for ours in (r for r in reports if r["engine"].startswith("Tintype")):
        for theirs in (r for r in reports if not r["engine"].startswith("Tintype")):
            ratios[f"{ours['engine']} / {theirs['engine']}"] = {
                key: ours[key] / theirs[key] for key in KEYS if ours.get(key) and theirs.get(key)}
    if ratios:
        table([["ratio", *KEYS]] + [
            [name, *(f"{row[key]:.2f}" if key in row else "–" for key in KEYS)] for name, row in ratios.items()])
    if options.json:
        options.json.write_text(json.dumps({"reports": reports, "ratios": ratios}, indent=2))


main()
