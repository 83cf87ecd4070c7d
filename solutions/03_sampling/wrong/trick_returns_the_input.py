"""What comes in goes out."""

import numpy as np

FAILS = {
    "softmax_values": "wrong-value",
    "softmax_of_any_size": "softmax-overflow",
    "softmax_refuses": "softmax-accepts",
    "softmax_contract": "wrong-value",
    "greedy_values": "wrong-value",
    "greedy_refuses": "greedy-accepts-nan",
    "temperature_values": "temperature-zero-is-off",
    "temperature_zero": "temperature-zero-is-off",
    "temperature_contract": "wrong-value",
    "top_k_values": "wrong-value",
    "top_k_ties": "top-k-ties",
    "top_k_ends": "top-k-one-more",
    "top_k_contract": "wrong-value",
    "min_p_values": "wrong-value",
    "min_p_ends": "min-p-above-one-is-off",
    "min_p_min_keep": "wrong-value",
    "min_p_contract": "wrong-value",
    "penalties_repeat": "wrong-value",
    "penalties_counts": "wrong-value",
    "penalties_last_n": "wrong-value",
    "penalties_contract": "wrong-value",
    "sampler_bias": "wrong-value",
    "sampler_alone": "wrong-value",
    "top_p_values": "wrong-value",
    "top_p_exact": "wrong-value",
    "top_p_ends": "wrong-value",
    "top_p_after_top_k": "top-p-ruled-out-counts",
    "top_p_min_keep": "wrong-value",
    "top_p_contract": "wrong-value",
    "typical_values": "wrong-value",
    "typical_ends": "wrong-value",
    "typical_ruled_out": "typical-ruled-out",
    "typical_contract": "wrong-value",
    "draw_values": "wrong-value",
    "draw_ends": "draw-first",
    "draw_large": "wrong-value",
    "draw_many_law": "draw-many-law",
    "draw_many_seed": "draw-many-dependent",
    "mirostat2_steps": "wrong-value",
    "mirostat2_run": "wrong-value",
    "mirostat2_keeps_one": "mirostat-none-left",
    "mirostat1_steps": "wrong-value",
    "mirostat1_run": "wrong-value",
    "sampler_order": "wrong-value",
    "sampler_history": "wrong-value",
    "sampler_uniforms": "wrong-value",
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
