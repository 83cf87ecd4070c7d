"""Drops what surprises less than mu."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-keeps-surprising",
    "mirostat2_run": "mirostat-keeps-surprising",
    "mirostat2_keeps_one": "mirostat-keeps-surprising",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        order = np.argsort(-logits, kind="stable")
        kept = np.array(logits, np.float64)
        kept[order[: max(n, 1) % len(order)]] = -np.inf
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
