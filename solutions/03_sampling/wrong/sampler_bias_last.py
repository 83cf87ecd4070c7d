"""The bias after the filters: what is banned has taken a place."""

import numpy as np

FAILS = {
    "sampler_bias": "sampler-bias-last",
}


class Sampler:
    def __init__(
        self, uniforms, bias=None, last_n=64, repeat=1.0, frequency=0.0, presence=0.0,
        top_k=40, typical_p=1.0, top_p=0.95, min_p=0.05, temp=0.8,
    ):
        self.uniforms = iter(uniforms)
        self.bias = bias or {}
        self.penalty = last_n, repeat, frequency, presence
        self.k, self.typical_p, self.p, self.min_p, self.t = top_k, typical_p, top_p, min_p, temp
        self.history = []

    def accept(self, token):
        self.history.append(token)

    def filter(self, logits):
        x = np.array(logits, np.float64)
        x = penalties(x, self.history, *self.penalty)
        x = top_k(x, self.k)
        x = typical(x, self.typical_p)
        x = top_p(x, self.p)
        x = min_p(x, self.min_p)
        x = temperature(x, self.t)
        for token, value in self.bias.items():
            x[token] += value
        return x

    def sample(self, logits):
        token = draw(self.filter(logits), next(self.uniforms))
        self.accept(token)
        return token
