"""mu begins anew with every token."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-forgets",
    "mirostat2_run": "mirostat-forgets",
    "mirostat2_keeps_one": "mirostat-forgets",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        self.mu = 2 * self.tau
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = top_k(logits, max(n, 1))
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
