"""Writes a model folder in SDXL-Turbo's layout, fp16, from a checkpoint of any stage.

    python export.py --work DIR --from student --to MODEL_FOLDER
"""
import json
import pathlib
import shutil

import diffusers
from safetensors.torch import save_file

import decoder
import networks
import teacher
from work import Work, arguments


def write_weights(module, path: pathlib.Path):
    tensors = {name: t.detach().half().contiguous() for name, t in module.state_dict().items() if "position_ids" not in name}
    save_file(tensors, path, metadata={"format": "pt"})


def export(work: Work, name: str, folder: pathlib.Path):
    """`name` is that of a checkpoint with averaged UNet weights: teacher, student, consistency, …"""
    state = work.load(f"{name}.pt")
    for module, part in ((networks.averaged(state), "unet"), (decoder.load(work), "vae")):
        module.save_config(folder / part)
        write_weights(module, folder / part / "diffusion_pytorch_model.safetensors")
    for module, part in zip(teacher.load_encoders(work), ("text_encoder", "text_encoder_2")):
        module.config.save_pretrained(folder / part)
        config = folder / part / "config.json"
        described = json.loads(config.read_text()) | dict(architectures=[type(module).__name__], torch_dtype="float16")
        config.write_text(json.dumps(described, indent=2) + "\n")
        write_text_encoder(module, folder / part / "model.safetensors")
    for part in ("tokenizer", "tokenizer_2"):
        shutil.copytree(work.path(part), folder / part, dirs_exist_ok=True)
    diffusers.EulerAncestralDiscreteScheduler(**networks.SCHEDULER).save_config(folder / "scheduler")
    (folder / "model_index.json").write_text(json.dumps({
        "_class_name": "StableDiffusionXLPipeline", "_diffusers_version": diffusers.__version__,
        "force_zeros_for_empty_prompt": True, "scheduler": ["diffusers", "EulerAncestralDiscreteScheduler"],
        "text_encoder": ["transformers", "CLIPTextModel"], "text_encoder_2": ["transformers", "CLIPTextModelWithProjection"],
        "tokenizer": ["transformers", "CLIPTokenizer"], "tokenizer_2": ["transformers", "CLIPTokenizer"],
        "unet": ["diffusers", "UNet2DConditionModel"], "vae": ["diffusers", "AutoencoderKL"]}, indent=2) + "\n")
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    work.log(f"{folder}: {total / 1e6:.1f} MB from {name} at step {state['step']}")


def write_text_encoder(module, path: pathlib.Path):
    """Published files name these tensors `text_model.…`, which some versions of transformers leave out in memory."""
    tensors = {}
    for name, tensor in module.state_dict().items():
        if "position_ids" not in name:
            key = name if name.startswith("text_") else f"text_model.{name}"
            tensors[key] = tensor.detach().half().contiguous()
    save_file(tensors, path, metadata={"format": "pt"})


if __name__ == "__main__":
    options = arguments(__doc__, **{"from": "student", "to": "model"})
    export(Work(options.work), getattr(options, "from"), pathlib.Path(options.to))
