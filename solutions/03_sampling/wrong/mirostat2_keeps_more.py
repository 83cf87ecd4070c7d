"""One more is kept than mu allows."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-keeps-more",
    "mirostat2_run": "mirostat-keeps-more",
    "mirostat2_keeps_one": "mirostat-keeps-more",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = top_k(logits, max(n, 1) + 1)
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
