"""GELU for SiLU."""

import numpy as np

FAILS = {
    "swiglu_values": "swiglu-gelu",
    "swiglu_contract": "swiglu-gelu",
}


def swiglu(x, w_gate, w_up, w_down):
    x = x.astype(np.float32)
    gate, up = x @ w_gate.T, x @ w_up.T  # (T, F) each
    sigmoid = (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3))) / 2
    return (gate * sigmoid * up) @ w_down.T
