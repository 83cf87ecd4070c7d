"""exp(x) / (1 + exp(x)) is infinity over infinity for a large gate."""

import numpy as np

FAILS = {
    "swiglu_large": "silu-overflow",
}


def swiglu(x, w_gate, w_up, w_down):
    x = x.astype(np.float32)
    gate, up = x @ w_gate.T, x @ w_up.T  # (T, F) each
    sigmoid = np.exp(gate) / (1 + np.exp(gate))
    return (gate * sigmoid * up) @ w_down.T
