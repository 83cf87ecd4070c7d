"""mu moves the wrong way."""

import numpy as np

FAILS = {
    "mirostat1_steps": "mirostat-adds",
    "mirostat1_run": "mirostat-adds",
}


class Mirostat1:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        q = np.sort(softmax(logits))[::-1]
        i = np.arange(1, min(len(q), 100))
        t, b = np.log((i + 1) / i), np.log(q[i - 1] / q[i])
        s = (t @ b) / (t @ t)
        k = ((s - 1) * 2**self.mu / (1 - len(q) ** (1 - s))) ** (1 / s)
        kept = top_k(logits, max(int(k), 1))
        token = draw(kept, u)
        self.mu += self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
