"""Where every token surprises more than mu none is left."""

import numpy as np

FAILS = {
    "mirostat2_keeps_one": "mirostat-none-left",
}


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = np.where(softmax(logits) >= 2.0**-self.mu, np.array(logits, np.float64), -np.inf)
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu
