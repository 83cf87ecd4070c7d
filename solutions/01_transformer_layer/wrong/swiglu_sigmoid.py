"""The sigmoid alone."""

import numpy as np

FAILS = {
    "swiglu_values": "swiglu-sigmoid",
    "swiglu_contract": "swiglu-sigmoid",
    "swiglu_large": "swiglu-sigmoid",
}


def swiglu(x, w_gate, w_up, w_down):
    x = x.astype(np.float32)
    gate, up = x @ w_gate.T, x @ w_up.T  # (T, F) each
    e = np.exp(-np.abs(gate))  # at most 1, so nothing overflows
    sigmoid = np.where(gate >= 0, 1, e) / (1 + e)
    return (sigmoid * up) @ w_down.T
