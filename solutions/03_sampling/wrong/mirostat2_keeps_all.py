"""Nothing is dropped."""

import numpy as np

FAILS = {
    "mirostat2_steps": "mirostat-keeps-all",
    "mirostat2_run": "mirostat-keeps-all",
    "mirostat2_keeps_one": "mirostat-none-left",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = np.array(logits, np.float64)
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
