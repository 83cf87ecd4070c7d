"""Forgets to multiply the sigmoid by its argument."""

import numpy as np

FAILS = {
    "ffn_values": "sigmoid-alone",
}


def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """down(silu(gate x) * up x)."""
    h = x @ gate.T
    small = np.exp(-np.abs(h))
    silu = np.where(h >= 0, 1, small) / (1 + small)
    return (silu * (x @ up.T)) @ down.T
