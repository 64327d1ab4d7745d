"""The folder that a training run lives in, and what every stage needs: checkpoints, a log, command-line arguments.

Whatever is written appears whole or not at all (a temporary file, renamed), so a stage may be killed at any moment and
started again with the same command.
"""
import argparse
import json
import os
import pathlib
import time

import numpy as np


class Work:
    def __init__(self, folder: str):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started = time.time()

    def path(self, name: str) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def replace(self, name: str, write):
        """Calls `write` with a temporary path and moves what it wrote to `name`."""
        path = self.path(name)
        temporary = path.with_name(f".{os.getpid()}.{path.name}")
        write(temporary)
        os.replace(temporary, path)

    def save(self, name: str, state: dict):
        import torch

        self.replace(name, lambda path: torch.save(state, path))

    def load(self, name: str) -> dict:
        import torch

        return torch.load(self.path(name), map_location="cpu", weights_only=True)

    def save_array(self, name: str, array: np.ndarray):
        def write(path):
            with open(path, "wb") as file:
                np.save(file, array)

        self.replace(name, write)

    def save_json(self, name: str, value):
        self.replace(name, lambda path: path.write_text(json.dumps(value)))

    def log(self, text: str):
        line = f"{time.strftime('%H:%M:%S')} {text}"
        print(line, flush=True)
        with open(self.path("log.txt"), "a") as file:
            file.write(line + "\n")


def arguments(description: str, **defaults) -> argparse.Namespace:
    """`--work` (or the environment's TINTYPE_TRAINING) and one option for each default, of the default's type."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    folder = os.environ.get("TINTYPE_TRAINING")
    parser.add_argument("--work", default=folder, required=folder is None, help="folder of data and checkpoints")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", default=default, type=type(default), help=f"default: {default}")
    return parser.parse_args()
