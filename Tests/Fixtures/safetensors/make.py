"""Makes python.safetensors, the file that the Swift reader and writer are compared with.

    pip install numpy==2.* torch==2.* safetensors==0.8.0 && python make.py
"""

import os

import torch
from safetensors.torch import save_file

tensors = {
    "floats": torch.tensor([[1.5, -2.25, 3e-40], [float("inf"), -0.0, 65504.0]]),
    "halves": torch.tensor([1.0, -2.5, 6e-8, 65504.0, 0.333251953125], dtype=torch.float16),
    "brain": torch.tensor([[1.0], [-3.140625], [1e38]], dtype=torch.bfloat16),
    "ids": torch.tensor([[49406, 320, 49407], [-1, 2**31 - 1, -(2**31)]], dtype=torch.int32),
    "long": torch.tensor([2**40, -7], dtype=torch.int64),
    "scalar": torch.tensor(42.0),
    "empty": torch.zeros((0, 3)),
    'näme "quoted"\\\n': torch.tensor([7.0]),
}
here = os.path.dirname(os.path.abspath(__file__))
save_file(tensors, os.path.join(here, "python.safetensors"), metadata={"format": "pt"})
