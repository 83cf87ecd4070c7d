"""Takes the caller's x for scratch."""

import numpy as np

FAILS = {
    "swiglu_contract": "input-changed",
}


def swiglu(x, w_gate, w_up, w_down):
    gate, up = x.astype(np.float32) @ w_gate.T, x.astype(np.float32) @ w_up.T
    x[:] = 0  # taken for scratch
    e = np.exp(-np.abs(gate))
    return (gate * np.where(gate >= 0, 1, e) / (1 + e) * up) @ w_down.T
