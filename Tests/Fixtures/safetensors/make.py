"""Makes python.safetensors, the file that the Swift reader and writer are compared with.

    pip install numpy==2.* ml_dtypes safetensors==0.8.0 && python make.py
"""

import os

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

tensors = {
    "floats": np.array([[1.5, -2.25, 3e-40], [np.inf, -0.0, 65504.0]], dtype=np.float32),
    "halves": np.array([1.0, -2.5, 6e-8, 65504.0, 0.333251953125], dtype=np.float16),
    "brain": np.array([[1.0], [-3.140625], [1e38]], dtype=ml_dtypes.bfloat16),
    "ids": np.array([[49406, 320, 49407], [-1, 2**31 - 1, -(2**31)]], dtype=np.int32),
    "long": np.array([2**40, -7], dtype=np.int64),
    "scalar": np.array(42.0, dtype=np.float32),
    "empty": np.zeros((0, 3), dtype=np.float32),
    'näme "quoted"\\\n': np.array([7.0], dtype=np.float32),
}
here = os.path.dirname(os.path.abspath(__file__))
save_file(tensors, os.path.join(here, "python.safetensors"), metadata={"format": "pt"})
