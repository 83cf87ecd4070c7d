"""What comes in goes out."""

import numpy as np

FAILS = {
    "softmax_values": "x",
    "softmax_of_any_size": "x",
    "softmax_refuses": "x",
    "softmax_contract": "x",
    "greedy_values": "x",
    "greedy_refuses": "x",
    "temperature_values": "x",
    "temperature_zero": "x",
    "temperature_contract": "x",
    "top_k_values": "x",
    "top_k_ties": "x",
    "top_k_ends": "x",
    "top_k_contract": "x",
    "top_p_values": "x",
    "top_p_exact": "x",
    "top_p_ends": "x",
    "top_p_after_top_k": "x",
    "top_p_min_keep": "x",
    "top_p_contract": "x",
    "min_p_values": "x",
    "min_p_ends": "x",
    "min_p_min_keep": "x",
    "min_p_contract": "x",
    "typical_values": "x",
    "typical_ends": "x",
    "typical_ruled_out": "x",
    "typical_contract": "x",
    "penalties_repeat": "x",
    "penalties_counts": "x",
    "penalties_last_n": "x",
    "penalties_contract": "x",
    "draw_values": "x",
    "draw_ends": "x",
    "draw_large": "x",
    "draw_many_law": "x",
    "draw_many_seed": "x",
    "mirostat2_steps": "x",
    "mirostat2_run": "x",
    "mirostat2_keeps_one": "x",
    "mirostat1_steps": "x",
    "mirostat1_run": "x",
    "sampler_order": "x",
    "sampler_history": "x",
    "sampler_uniforms": "x",
    "sampler_bias": "x",
    "sampler_alone": "x",
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
