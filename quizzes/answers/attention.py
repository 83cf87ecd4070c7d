"""Answers about attention: masks and windows, online softmax, grouped heads, rope's two pairings.

Owns: what bank 2.2 asks beyond ``transformer.py``. Must not know: YAML, students. Read before:
``minengine/oracle.py`` (attention, causal_mask, rope).
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minengine import oracle

from .transformer import attention_flop, kv_bytes, matmul_flop

# Masks and windows


def visible_keys(position: int, window: int = 0) -> int:
    """Keys that the query at a position sees, its own included; window 0 is none."""
    return int(oracle.causal_mask(1, position + 1, window=window).sum())


def window_pairs(T: int, window: int = 0) -> int:
    """(query, key) pairs of a prompt of T tokens that the window lets through."""
    return int(oracle.causal_mask(T, T, window=window).sum())


@functools.lru_cache(maxsize=256)
def window_reach(L: int, window: int) -> int:
    """How many tokens back something can still be felt after L layers of windowed attention.

    The masks of L layers are multiplied: what a token's row can have come from.
    """
    T = L * window + 2
    mask = oracle.causal_mask(T, T, window=window).astype(np.float64)
    reached = np.linalg.matrix_power(mask, L)[-1] > 0
    return int(T - 1 - np.flatnonzero(reached)[0])


def mask_rows(T: int, S: int, fault: str = "") -> str:
    """The causal mask as the code of a question prints it; top-left or without the diagonal by
    mistake.
    """
    mask = oracle.causal_mask(T, S)
    if fault == "top-left":
        mask = np.tri(T, S, dtype=bool)
    elif fault == "strict":
        mask = mask & ~np.eye(T, S, S - T, dtype=bool)
    return str(mask.astype(int).tolist())


# Scores and softmax


def scores_change(change: str) -> bool:
    """Does this change of queries and keys change the attention weights of a random layer?"""
    rng = np.random.default_rng(5)
    q, k, c = rng.normal(size=(3, 1, 8)), rng.normal(size=(3, 1, 8)), rng.normal(size=8)
    changed_q, changed_k = {
        "same to every key": (q, k + c),
        "same to every query": (q + c, k),
        "twice the queries": (2 * q, k),
        "swap factor": (2 * q, k / 2),
        "turn both": (q[..., ::-1], k[..., ::-1]),
    }[change]
    return not np.allclose(weights(q, k), weights(changed_q, changed_k))


def weights(q: np.ndarray, k: np.ndarray) -> np.ndarray:
    """What the oracle's attention weighs by: values that are rows of the identity show it."""
    n = k.shape[0]
    return oracle.attention(q, k, np.eye(n)[:, None, :], oracle.causal_mask(q.shape[0], n))


def largest_weight(s1: float, s2: float, s3: float, s4: float) -> float:
    """The largest of softmax(s1, s2, s3, s4)."""
    return float(oracle.softmax(np.array([s1, s2, s3, s4])).max())


def online_sum(s1: float, s2: float, s3: float, s4: float) -> float:
    """Online softmax's sum after the blocks (s1, s2) and (s3, s4): relative to the maximum of all.

    That sum is the reciprocal of the largest weight.
    """
    return 1 / largest_weight(s1, s2, s3, s4)


def online_sum_mistake(mistake: str, s1: float, s2: float, s3: float, s4: float) -> float:
    """The same without rescaling, with the wrong sum rescaled, or with both in the wrong way."""
    a, b = max(s1, s2), max(s3, s4)
    sum_a, sum_b = math.exp(s1 - a) + math.exp(s2 - a), math.exp(s3 - b) + math.exp(s4 - b)
    low = math.exp(-abs(a - b))
    return {
        "added": sum_a + sum_b,
        "other": sum_a * (low if a > b else 1) + sum_b * (low if b > a else 1),
        "first-only": math.exp(s3 - b) + math.exp(s4 - b),
        "inverse": sum_a / (low if b > a else 1) + sum_b / (low if a > b else 1),
    }[mistake]


def rescale_factor(old: float, new: float) -> float:
    """By what the accumulator is multiplied when a block of a larger maximum comes: e^(old - new).

    Read off the oracle: the weight of a score ``old`` beside one of ``new``, over that of ``new``.
    """
    p = oracle.softmax(np.array([old, max(old, new)]))
    return float(p[0] / p[1])


def rescale_inverse(old: float, new: float) -> float:
    """The same the other way round: e^(new - old)."""
    return 1 / rescale_factor(old, new)


def score_matrix_bytes(H: int, T: int, S: int, width: int = 4) -> int:
    """Bytes of the scores (H, T, S) of all heads, held at once, each ``width`` bytes."""
    return np.broadcast_to(np.zeros((), f"f{width}"), (H, T, S)).nbytes


# Grouped heads


def kv_heads_read(H: int, G: int, how: str = "group") -> str:
    """Which key/value head each query head reads, as a list; interleaved by mistake."""
    v = np.broadcast_to(np.arange(G, dtype=np.float64)[None, :, None], (1, G, 2))
    out = oracle.attention(np.zeros((1, H, 2)), np.zeros((1, G, 2)), v)[0, :, 0]
    rows = {"group": out, "interleaved": np.arange(H) % G, "first": np.minimum(range(H), G - 1)}
    return str(np.rint(rows[how]).astype(int).tolist())


def cache_intensity(H: int, G: int, E: int, S: int) -> float:
    """Operations of decode attention for each byte of keys and values that it reads, in F16."""
    return attention_flop(H, E, S) / kv_bytes(1, G, E, S)


def crossover(D: int, H: int, G: int, E: int, F: int, part: str = "matrices") -> float:
    """Context at which a token's attention takes as many operations as its matrix products."""
    return matmul_flop(part, D, H, G, E, F) / attention_flop(H, E, 1)


# Rope


def rope_partner(c: int, E: int, pairing: str) -> int:
    """The coordinate that coordinate c of a head turns with: a unit vector, turned, shows it."""
    x = np.zeros((1, 1, E))
    x[0, 0, c] = 1.0
    turned = oracle.rope(x, np.array([1]), pairing=pairing)[0, 0]
    return next(int(i) for i in np.flatnonzero(np.abs(turned) > 1e-15) if i != c)


@functools.cache
def wrong_pairing_shows(probe: str) -> bool:
    """Does a probe tell a rope that pairs by halves from the one that pairs neighbours?"""
    q, k = np.random.default_rng(13).normal(size=(2, 1, 1, 16))

    def score(pairing: str, m: int, n: int) -> float:
        turned = (oracle.rope(x, np.array([at]), pairing=pairing) for x, at in ((q, m), (k, n)))
        return float(np.sum(np.multiply(*turned)))

    right, wrong = (oracle.rope(q, np.array([3]), pairing=p) for p in ("norm", "neox"))
    first = [oracle.rope(q, np.array([0]), pairing=p) for p in ("norm", "neox")]
    return {
        "first position": not np.allclose(*first),
        "length": not np.isclose(np.linalg.norm(right), np.linalg.norm(wrong)),
        "shifted": not np.isclose(score("neox", 9, 4), score("neox", 29, 24)),
        "third position": not np.allclose(right, wrong),
        "score": not np.isclose(score("norm", 9, 4), score("neox", 9, 4)),
    }[probe]


def rope_wavelength(pair: int, E: int, base: float) -> float:
    """Positions after which a pair has turned once around."""
    return float(2 * np.pi / oracle.rope_frequencies(E, base)[pair])


def rope_wavelength_mistake(mistake: str, pair: int, E: int, base: float) -> float:
    """The same in radians, with half the exponent, or for the pair before."""
    return {
        "radians": 1 / oracle.rope_frequencies(E, base)[pair],
        "half-exponent": 2 * np.pi * base ** (pair / E),
        "pair-before": rope_wavelength(max(pair - 1, 0), E, base),
    }[mistake]


def scaled_angle(position: int, pair: int, E: int, scale: float, base: float = 1e4) -> float:
    """Angle of a pair by position interpolation: s positions turn as far as one did."""
    return position * float(oracle.rope_frequencies(E, base, scale=scale)[pair])


ROWS = (
    cache_intensity,
    crossover,
    kv_heads_read,
    mask_rows,
    online_sum,
    online_sum_mistake,
    rescale_factor,
    rescale_inverse,
    rope_partner,
    rope_wavelength,
    rope_wavelength_mistake,
    scaled_angle,
    score_matrix_bytes,
    scores_change,
    visible_keys,
    window_pairs,
    window_reach,
    wrong_pairing_shows,
)
