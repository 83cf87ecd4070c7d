"""How the weights of format Q8_0 become numbers.

A row is blocks of 34 bytes: a scale (float16), then 32 codes of 8 bits.
"""

from __future__ import annotations

import numpy as np


def dequantize(raw: np.ndarray) -> np.ndarray:
    """``x = scale * code``: uint8 (rows, 34 n) -> float32 (rows, 32 n)."""
    blocks = raw.reshape(len(raw), -1, 34)
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    codes = blocks[:, :, 2:].astype(np.float32)
    return (scales * codes).reshape(len(raw), -1)
