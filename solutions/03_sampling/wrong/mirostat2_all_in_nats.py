"""Surprise is in nats throughout."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-nats",
    "mirostat2_run": "mirostat-nats",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= np.exp(-self.mu))  # a surprise of at most mu
        kept = top_k(logits, max(n, 1))
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log(softmax(kept)[token]) - self.tau)
        return token, self.mu
