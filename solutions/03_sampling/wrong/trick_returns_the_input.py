"""What comes in goes out."""

import numpy as np

FAILS = {
    "softmax_values": "wrong-value",
    "softmax_of_any_size": "softmax-overflow",
    "softmax_refuses": "softmax-accepts",
    "softmax_contract": "dtype-narrow",
    "greedy_values": "wrong-value",
    "greedy_refuses": "greedy-accepts-nan",
    "temperature_values": "temperature-zero-is-off",
    "temperature_zero": "temperature-zero-is-off",
    "temperature_contract": "dtype-narrow",
    "top_k_values": "wrong-value",
    "top_k_ties": "top-k-ties",
    "top_k_ends": "top-k-one-more",
    "top_k_contract": "dtype-narrow",
    "top_p_values": "softmax-first",
    "top_p_exact": "softmax-first",
    "top_p_ends": "softmax-first",
    "top_p_after_top_k": "softmax-first",
    "top_p_min_keep": "softmax-first",
    "top_p_contract": "softmax-first",
    "min_p_values": "wrong-value",
    "min_p_ends": "min-p-above-one-is-off",
    "min_p_min_keep": "wrong-value",
    "min_p_contract": "dtype-narrow",
    "typical_values": "softmax-first",
    "typical_ends": "softmax-first",
    "typical_ruled_out": "softmax-first",
    "typical_contract": "softmax-first",
    "penalties_repeat": "wrong-value",
    "penalties_counts": "wrong-value",
    "penalties_last_n": "wrong-value",
    "penalties_contract": "dtype-narrow",
    "draw_values": "softmax-first",
    "draw_ends": "softmax-first",
    "draw_large": "softmax-first",
    "draw_many_law": "softmax-first",
    "draw_many_seed": "softmax-first",
    "mirostat2_steps": "softmax-first",
    "mirostat2_run": "softmax-first",
    "mirostat2_keeps_one": "softmax-first",
    "mirostat1_steps": "softmax-first",
    "mirostat1_run": "softmax-first",
    "sampler_order": "softmax-first",
    "sampler_history": "softmax-first",
    "sampler_uniforms": "softmax-first",
    "sampler_bias": "wrong-value",
    "sampler_alone": "wrong-value",
}


def softmax(logits):
    return logits


def greedy(logits):
    return 0


def temperature(logits, t):
    return logits


def top_k(logits, k):
    return logits


def top_p(logits, p, min_keep=1):
    return logits


def min_p(logits, p, min_keep=1):
    return logits


def typical(logits, p):
    return logits


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    return logits


def draw(logits, u):
    return 0


def draw_many(logits, n, seed):
    return np.zeros(n, int)


class Mirostat2:
    def __init__(self, tau, eta):
        self.mu = 2 * tau

    def step(self, logits, u):
        return 0, self.mu


class Mirostat1(Mirostat2):
    pass


class Sampler:
    def __init__(self, uniforms, **settings):
        pass

    def accept(self, token):
        pass

    def filter(self, logits):
        return logits

    def sample(self, logits):
        return 0
