"""tau and eta are swapped in the update."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-swapped",
    "mirostat2_run": "mirostat-swapped",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = top_k(logits, max(n, 1))
        token = draw(kept, u)
        self.mu -= self.tau * (-np.log2(softmax(kept)[token]) - self.eta)
        return token, self.mu
