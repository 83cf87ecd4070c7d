"""Takes ReLU."""

import numpy as np

FAILS = {
    "ffn_values": "relu-for-silu",
}


def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """down(silu(gate x) * up x)."""
    h = x @ gate.T
    small = np.exp(-np.abs(h))
    silu = np.maximum(h, 0) + 0 * small
    return (silu * (x @ up.T)) @ down.T
