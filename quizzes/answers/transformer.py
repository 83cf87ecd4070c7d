"""Answers about the transformer layer: norm, heads, rope, feed-forward, sizes, the packaged model.

Owns: what bank 2.1 asks, and the sizes that later banks ask too. Must not know: YAML, students.
Read before: ``minengine/oracle.py``, ``minengine/arch.py``.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minengine import oracle
from minengine.arch import ARCHITECTURES
from minengine.kvcache import BlockPool
from quizzes.errors import Unclear
from quizzes.specimen import (
    greedy_text,
    model_kv_bytes,
    model_parameters,
    model_size,
    residual_rms,
    token_count,
)

LLAMA = ARCHITECTURES["llama"]
MATRICES = {
    "query": ("attn_q",),
    "attention": ("attn_q", "attn_k", "attn_v", "attn_output"),
    "feed-forward": ("ffn_gate", "ffn_up", "ffn_down"),
    "layer": tuple(w.name for w in LLAMA.layer),
    "matrices": tuple(w.name for w in LLAMA.layer if len(w.shape) == 2),
}


# Norm


def rms_norm(x1: float, x2: float, x3: float, x4: float, eps: float) -> float:
    """First coordinate of the normed (x1, x2, x3, x4), weight 1."""
    return float(oracle.rms_norm(np.array([x1, x2, x3, x4]), np.ones(4), eps)[0])


def rms_norm_mistake(mistake: str, x1: float, x2: float, x3: float, x4: float, eps: float) -> float:
    """The same with eps outside the root, the mean subtracted, or the sum for the mean."""
    x = np.array([x1, x2, x3, x4], np.float64)
    return {
        "eps-outside": x1 / (np.sqrt(np.mean(x * x)) + eps),
        "centred": (x1 - x.mean()) / np.sqrt(np.var(x) + eps),
        "sum": x1 / np.sqrt(np.sum(x * x) + eps),
        "no-root": x1 / (np.mean(x * x) + eps),
    }[mistake]


def norm_changes(change: str, k: float) -> bool:
    """Does this change of the input or the weight change what RMSNorm (eps 0) puts out?"""
    rng = np.random.default_rng(7)
    x, w = rng.normal(size=8), rng.uniform(0.5, 2.0, 8)
    changed_x, changed_w = {
        "scale": (k * x, w),
        "shift": (x + k, w),
        "negate": (-x, w),
        "weight": (x, k * w),
        "both": (k * x, w / k),
    }[change]
    before, after = oracle.rms_norm(x, w, 0.0), oracle.rms_norm(changed_x, changed_w, 0.0)
    return not np.allclose(before, after)


# Attention


def tensor_shape(tensor: str, D: int, H: int, G: int, E: int, F: int = 1) -> tuple[int, ...]:
    """Shape (out, in) of a tensor of a llama layer, from the row of ARCHITECTURES."""
    sizes = {"D": D, "H": H, "G": G, "E": E, "F": F}
    letters = next(w.shape for w in LLAMA.layer if w.name == tensor)
    return tuple(math.prod(sizes[k] for k in part.split("*")) for part in letters)


def n_parameters(part: str, D: int, H: int, G: int, E: int, F: int = 1) -> int:
    """Elements of the tensors of a part of a llama layer (``MATRICES``)."""
    return sum(math.prod(tensor_shape(name, D, H, G, E, F)) for name in MATRICES[part])


@functools.lru_cache(maxsize=4096)
def kv_head(h: int, H: int, G: int) -> int:
    """The key/value head that query head h reads: head g's values are g, so the output names it."""
    v = np.broadcast_to(np.arange(G, dtype=np.float64)[None, :, None], (1, G, 2))
    return round(float(oracle.attention(np.zeros((1, H, 2)), np.zeros((1, G, 2)), v)[0, h, 0]))


def shares_kv_head(h: int, other: int, H: int, G: int) -> bool:
    """Do query heads h and other read the same key/value head?"""
    return kv_head(h, H, G) == kv_head(other, H, G)


def visible_pairs(T: int, S: int) -> int:
    """How many (query, key) pairs the causal mask lets through."""
    return int(oracle.causal_mask(T, S).sum())


def attention_scale(E: int) -> float:
    """The factor on q.k, read off two weights: log(p1 / p0) where q.k is 1 and 0."""
    q, k = np.zeros((1, 1, E)), np.zeros((2, 1, E))
    q[0, 0, 0] = k[1, 0, 0] = 1.0
    v = np.zeros((2, 1, E))
    v[0, 0, 0] = v[1, 0, 1] = 1.0
    p = oracle.attention(q, k, v)[0, 0]
    return float(np.log(p[1] / p[0]))


def attention_output(s1: float, s2: float, v1: float, v2: float) -> float:
    """softmax(s1, s2) . (v1, v2)."""
    return float(oracle.softmax(np.array([s1, s2])) @ np.array([v1, v2], np.float64))


def attention_output_mistake(mistake: str, s1: float, s2: float, v1: float, v2: float) -> float:
    """The same with plain shares for the softmax, with a hard maximum, or with the plain mean."""
    return {
        "shares": (s1 * v1 + s2 * v2) / (s1 + s2),
        "hard": v1 if s1 > s2 else v2,
        "mean": (v1 + v2) / 2,
        "swapped": attention_output(s1, s2, v2, v1),
    }[mistake]


# RoPE


def rope_angle(position: int, pair: int, E: int, base: float) -> float:
    """The angle by which a pair of coordinates turns, radians."""
    return float(oracle.rope_angles(np.array([position]), E, base)[0, pair])


def rope_angle_mistake(mistake: str, position: int, pair: int, E: int, base: float) -> float:
    """The same with exponent pair / E, with positions from 1, or with the pair counted from 1."""
    return {
        "half-exponent": position * base ** (-pair / E),
        "from-one": rope_angle(position + 1, pair, E, base),
        "pair-from-one": rope_angle(position, max(pair - 1, 0), E, base),
    }[mistake]


@functools.lru_cache(maxsize=4096)
def same_score(m: int, n: int, other_m: int, other_n: int) -> bool:
    """Is rope(q, m) . rope(k, n) the same as rope(q, other_m) . rope(k, other_n)?"""
    q, k = np.random.default_rng(11).normal(size=(2, 1, 1, 16))
    scores = [
        np.sum(oracle.rope(q, np.array([a])) * oracle.rope(k, np.array([b])))
        for a, b in ((m, n), (other_m, other_n))
    ]
    return bool(np.isclose(*scores))


# Feed-forward and residual stream


def swiglu_unit(gate: float, up: float) -> float:
    """One hidden unit of SwiGLU, from its gate and up pre-activations."""
    one = np.ones((1, 1))
    return float(oracle.swiglu(one, one * gate, one * up, one)[0, 0])


def swiglu_unit_mistake(mistake: str, gate: float, up: float) -> float:
    """The same with sigmoid alone, with ReLU for SiLU, with silu(gate * up), or added."""
    silu = lambda x: float(oracle.silu(np.array(x)))  # noqa: E731
    return {
        "sigmoid": up * silu(gate) / gate,
        "relu": up * max(gate, 0.0),
        "outside": silu(gate * up),
        "sum": silu(gate) + up,
    }[mistake]


@functools.cache
def zeroed_layer_is(zeroed: str, claim: str) -> bool:
    """With these matrices all zero, is a layer's output what the claim says, for a random x?"""
    rng = np.random.default_rng(3)
    sizes = {"D": 8, "H": 4, "G": 2, "E": 4, "F": 12}
    w = {t.name: rng.normal(size=tensor_shape(t.name, **sizes)) for t in LLAMA.layer}
    x, positions = rng.normal(size=(3, 8)), np.arange(3)
    run = functools.partial(oracle.layer, positions=positions, n_heads=4, n_kv_heads=2)
    claims = {
        "x": x,
        "zero": np.zeros_like(x),
        "normed": oracle.rms_norm(x, w["attn_norm"]),
        "x + ffn": x
        + oracle.swiglu(
            oracle.rms_norm(x, w["ffn_norm"]), w["ffn_gate"], w["ffn_up"], w["ffn_down"]
        ),
        "unchanged": run(x, w)[0],
    }
    broken = {k: np.zeros_like(v) if k in zeroed.split("+") else v for k, v in w.items()}
    return np.allclose(run(x, broken)[0], claims[claim])


# Memory and work


def kv_bytes(L: int, G: int, E: int, S: int = 1, format_name: str = "F16") -> int:
    """Bytes of the keys and values of S tokens: those of a cache of one token, S times."""
    return BlockPool(1, 1, L, G, E, format_name).n_bytes * S


def kv_tokens(budget_bytes: int, L: int, G: int, E: int, format_name: str = "F16") -> int:
    """How many whole tokens of cache fit into a budget."""
    return budget_bytes // kv_bytes(L, G, E, 1, format_name)


def kv_share(H: int, G: int) -> float:
    """Bytes of a cache with G key/value heads over bytes of one with H."""
    return kv_bytes(1, G, 64) / kv_bytes(1, H, 64)


def matmul_flop(part: str, D: int, H: int, G: int, E: int, F: int = 1, T: int = 1) -> int:
    """Operations of T tokens times the matrices of a part: a product and a sum per element."""
    return 2 * T * n_parameters(part, D, H, G, E, F)


def attention_flop(H: int, E: int, S: int) -> int:
    """Operations of q.k and of weights.v for one query token and S keys, over all query heads."""
    scores, values = 2 * H * S * E, 2 * H * S * E
    return scores + values


def next_token(prompt: str, rank: int) -> str:
    """The text, quoted, of the packaged model's rank-th most probable next token; 0 is greedy."""
    texts, gaps = greedy_text(prompt)
    if min(gaps[: rank + 1]) < 0.01:
        raise Unclear(f"{prompt!r}: the model's first tokens are nearly tied")
    return repr(texts[rank])


def text_length(text: str) -> int:
    """Characters of a text."""
    return len(text)


def word_count(text: str) -> int:
    """Words of a text."""
    return len(text.split())


ROWS = (
    attention_flop,
    attention_output,
    attention_output_mistake,
    attention_scale,
    kv_bytes,
    kv_head,
    kv_share,
    kv_tokens,
    matmul_flop,
    model_kv_bytes,
    model_parameters,
    model_size,
    n_parameters,
    next_token,
    norm_changes,
    residual_rms,
    rms_norm,
    rms_norm_mistake,
    rope_angle,
    rope_angle_mistake,
    same_score,
    shares_kv_head,
    swiglu_unit,
    swiglu_unit_mistake,
    tensor_shape,
    text_length,
    token_count,
    visible_pairs,
    word_count,
    zeroed_layer_is,
)
