"""What figures are drawn from, as NumPy arrays."""

from typing import Any

import numpy as np

__all__ = ["to_numpy"]


def to_numpy(values: Any) -> np.ndarray:
    """Tensors (any device, with or without gradient), lists and arrays as a NumPy array."""
    if hasattr(values, "detach"):
        values = values.detach().cpu()
        if values.is_floating_point():
            values = values.float()  # NumPy has no bfloat16
        return values.numpy()
    if isinstance(values, list | tuple) and any(hasattr(value, "detach") for value in values):
        return np.stack([to_numpy(value) for value in values])
    return np.asarray(values)
