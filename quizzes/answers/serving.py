"""Answers about serving: sizes of models, times of phases, guesses ahead, ranges of numbers.

Owns: what interview questions ask beyond the banks. Must not know: YAML, interviews. Read before:
``memory.py``, ``cache.py``.
"""

from __future__ import annotations

import math

import numpy as np

from .memory import bits_per_weight


def model_bytes(billions: float, format_name: str) -> int:
    """Bytes of the weights of a model that has all of them in one format."""
    return round(billions * 10**9 * bits_per_weight(format_name) / 8)


def prefill_seconds(n_parameters: float, n_tokens: int, peak: float) -> float:
    """Least time of a prompt's matrix products: two operations a weight and token."""
    return 2 * n_parameters * n_tokens / peak


def tokens_per_pass(accept: float, k: int) -> float:
    """Tokens that a pass with k guesses gives: the sum of accept^i for i = 0 .. k.

    Leviathan et al. 2023, "Fast Inference from Transformers via Speculative Decoding", equation 1.
    """
    return sum(accept**i for i in range(k + 1))


def speculation_gain(accept: float, k: int, cost: float) -> float:
    """Speed with guesses over speed without, where a guess costs a share of a pass."""
    return tokens_per_pass(accept, k) / (1 + k * cost)


def overflows_at(format_name: str) -> float:
    """The x from which exp(x) is infinite in a float format: ln of its largest number."""
    return math.log(float(np.finfo(f"f{ {'F16': 2, 'F32': 4}[format_name] }").max))


def largest_number(format_name: str) -> float:
    """The largest finite number of a float format."""
    return float(np.finfo(f"f{ {'F16': 2, 'F32': 4}[format_name] }").max)


def shared_blocks_saved(n_users: int, n_common: int, B: int) -> int:
    """Blocks that n users need not hold since their whole common blocks are there once."""
    return (n_users - 1) * (n_common // B)


ROWS = (
    largest_number,
    model_bytes,
    overflows_at,
    prefill_seconds,
    shared_blocks_saved,
    speculation_gain,
    tokens_per_pass,
)
