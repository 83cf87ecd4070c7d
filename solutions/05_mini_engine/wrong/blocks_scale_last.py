"""Takes the scale of Q8_0 from the end of a block."""

import numpy as np

FAILS = {
    "format_q8_0": "scale-last",
    # two codes read as a half are NaN in some block, and NaN explains nothing: no second chance
    "model_packaged": "nan",
}


def dequantize(kind: int, shape: tuple, raw: np.ndarray) -> np.ndarray:
    """The numbers of a tensor, float32; ValueError for another kind or another size."""
    sizes = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}
    if kind not in sizes:
        raise ValueError(f"kind {kind}, want one of {list(sizes)}")
    n_block, block_bytes = sizes[kind]
    n = int(np.prod(shape))
    if n % n_block or len(raw) != n // n_block * block_bytes:
        raise ValueError(f"{len(raw)} bytes for shape {shape} of kind {kind}")
    if kind < 2:
        return raw.view(["<f4", "<f2"][kind]).astype(np.float32).reshape(shape)
    blocks = raw.reshape(-1, block_bytes)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    if kind == 8:
        scale = blocks[:, -2:].copy().view("<f2").astype(np.float32)
        return (scale * blocks[:, :-2].view(np.int8)).reshape(shape)
    codes = np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]).astype(np.float32)
    return (scale * (codes - 8)).reshape(shape)
