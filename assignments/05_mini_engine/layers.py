"""Checks of the four operations of a layer.

Owns: checks of `rms_norm`, `rope`, `attention` and `feed_forward`. Must not know: solutions,
sandboxes. Read before: minengine/oracle.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.checks import check, close, expect_dtype, expect_shape, require
from minengine import oracle

# Sums of up to 100 products in float32, each rounded by 6e-8 of its size.
TOLERANCE = {"rtol": 1e-4, "atol": 2e-5}
HEADS = ("token", "head", "dimension")


def agrees(
    student: Any, hole: str, args: tuple, want: np.ndarray, near: Mapping[str, Callable] | None,
    what: str, axes: tuple[str, ...] = ("token", "dimension"),
) -> None:  # fmt: skip
    """Require the right numbers of float32 inputs, of a float type that keeps them."""
    got = getattr(student, hole)(*args)
    close(got, want, near=near, what=what, axes=axes, **TOLERANCE)
    expect_dtype(got, [np.float32, np.float64], what)


def kept(student: Any, hole: str, args: tuple) -> None:
    """Require that the arrays given are what they were."""
    seen = student.observe(hole, *args)
    for i, given in enumerate(args):
        if isinstance(given, np.ndarray):
            same = np.array_equal(np.asarray(seen.args_after[i]), given)
            message = f"{hole} changed its argument {i} in place; the caller still needs it"
            require(same, message, "input-changed")


def single(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    return (scale * rng.standard_normal(shape)).astype(np.float32)


@check(hole="rms_norm", points=3, title="root mean square, eps inside, then the weight")
def norm_values(student, rng):
    x, w = single(rng, 3, 8, scale=0.05) + np.float32(0.1), 1 + single(rng, 8, scale=0.3)
    x[1] *= 30
    for eps in (1e-5, 2e-2):
        mean, square = x.mean(-1, keepdims=True), (x * x).mean(-1, keepdims=True)
        near = {
            "eps-outside-root": lambda e=eps, s=square: x / (np.sqrt(s) + e) * w,
            "eps-missing": lambda s=square: x / np.sqrt(s) * w,
            "eps-fixed": lambda s=square: x / np.sqrt(s + 1e-5) * w,
            "mean-subtracted": lambda e=eps, m=mean: oracle.rms_norm(x - m, w, e),
            "sum-for-mean": lambda e=eps: x / np.sqrt((x * x).sum(-1, keepdims=True) + e) * w,
            "weight-missing": lambda e=eps: oracle.rms_norm(x, np.ones(8), e),
            "weight-plus-one": lambda e=eps: oracle.rms_norm(x, 1 + w, e),
            "root-missing": lambda e=eps, s=square: x / (s + e) * w,
            "norm-over-all": lambda e=eps: x / np.sqrt((x * x).mean() + e) * w,
        }
        what = f"rms_norm, eps = {eps}"
        agrees(student, "rms_norm", (x, w, eps), oracle.rms_norm(x, w, eps), near, what)
    kept(student, "rms_norm", (x, w, 1e-5))


def turned(x: np.ndarray, positions: np.ndarray, base: float, **how: Any) -> Callable:
    return lambda: oracle.rope(x, positions, base, **how)


@check(hole="rope", points=2, title="neighbours (2i, 2i + 1) turn by their angle")
def rope_pairs(student, rng):
    x, positions = single(rng, 3, 2, 8), np.arange(3) + int(rng.integers(2, 9))
    near = {
        "rope-pairs": turned(x, positions, 1e4, pairing="neox"),
        "rope-sign": turned(x, -positions, 1e4),
        "rope-exponent": turned(x, positions, 1e2),
        "rope-from-one": turned(x, positions + 1, 1e4),
        "rope-row-number": turned(x, np.arange(3), 1e4),
    }
    args = (x, positions, 10000.0)
    agrees(student, "rope", args, oracle.rope(x, positions), near, "rope, base 10000", HEADS)
    kept(student, "rope", args)


@check(hole="rope", points=2, title="any base, any positions")
def rope_base(student, rng):
    for base in (300.0, 5e5):
        x, positions = single(rng, 4, 3, 8), rng.permutation(40)[:4]
        near = {
            "rope-pairs": turned(x, positions, base, pairing="neox"),
            "rope-base": turned(x, positions, 1e4),
            "rope-sign": turned(x, -positions, base),
            "rope-exponent": turned(x, positions, base**0.5),
            "rope-from-one": turned(x, positions + 1, base),
            "rope-row-number": turned(x, np.arange(4), base),
        }
        want = oracle.rope(x, positions, base)
        what = f"rope, base {base:g}, positions {positions.tolist()}"
        agrees(student, "rope", (x, positions, base), want, near, what, HEADS)


def right_attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int) -> np.ndarray:
    """Queries from position ``start`` on, over the keys from the beginning."""
    return oracle.attention(q, k, v, np.arange(len(k)) <= start + np.arange(len(q))[:, None])


def attention_misses(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int) -> dict:
    """What known mistakes give."""
    times, width = q.shape[1] // k.shape[1], q.shape[2]
    t, s = np.arange(len(q))[:, None], np.arange(len(k))
    order = np.arange(q.shape[1]).reshape(times, -1).T.reshape(-1)  # h % G for h // (H/G)
    back = np.argsort(order)

    def masked(mask: np.ndarray, **how: Any) -> Callable:
        return lambda: oracle.attention(q, k, v, mask, **how)

    seen = s <= start + t
    return {
        "heads-interleaved": lambda: right_attention(q[:, order], k, v, start)[:, back],
        "scale-missing": masked(seen, scale=1.0),
        "scale-without-root": masked(seen, scale=1 / width),
        "scale-of-all-heads": masked(seen, scale=(width * q.shape[1]) ** -0.5),
        "mask-top-left": masked(s <= t),
        "mask-missing": masked(np.ones_like(seen)),
        "mask-next-visible": masked(s <= start + t + 1),
        "mask-diagonal-hidden": masked(s < start + t),
        "heads-not-transposed": lambda: right_attention(q, k, v, start)
        .transpose(1, 0, 2).reshape(q.shape),
    }  # fmt: skip


def attention_agrees(student: Any, rng: np.random.Generator, T: int, start: int, **n: int) -> None:
    n = {"H": 4, "G": 2, "E": 8} | n
    q = single(rng, T, n["H"], n["E"], scale=1.5)
    k, v = (single(rng, start + T, n["G"], n["E"]) for _ in "kv")
    args, want = (q, k, v, start), right_attention(q, k, v, start)
    what = f"attention, {T} queries from position {start}, {n['H']} heads over {n['G']}"
    agrees(student, "attention", args, want, attention_misses(*args), what, HEADS)


@check(hole="attention", points=2, title="softmax of scaled scores over the keys")
def attention_scores(student, rng):
    attention_agrees(student, rng, 1, 4, H=1, G=1)
    attention_agrees(student, rng, 1, 0, H=3, G=3)
    q, k, v = single(rng, 1, 2, 8), single(rng, 4, 2, 8), single(rng, 4, 2, 8)
    kept(student, "attention", (q, k, v, 3))


@check(hole="attention", points=2, title="query head h reads key head h // (H / G)")
def attention_groups(student, rng):
    attention_agrees(student, rng, 1, 5, H=6, G=2)
    attention_agrees(student, rng, 1, 6, H=8, G=4, E=4)


@check(hole="attention", points=2, title="no query sees a later key, wherever it starts")
def attention_mask(student, rng):
    attention_agrees(student, rng, 5, 0, H=2, G=2)
    attention_agrees(student, rng, 3, 4, H=2, G=2)
    attention_agrees(student, rng, 4, 2, H=1, G=1, E=4)


@check(hole="attention", points=1, title="large scores do not overflow", visibility="hidden")
def attention_large(student, rng):
    q, k, v = single(rng, 1, 1, 8, scale=90), single(rng, 4, 1, 8, scale=60), single(rng, 4, 1, 8)
    got = student.attention(q, k, v, 3)
    want = right_attention(q, k, v, 3)
    expect_shape(got, want.shape, "attention of large scores")
    message = "attention of large scores has NaN or infinity"
    require(bool(np.isfinite(np.asarray(got, np.float64)).all()), message, "softmax-overflow")
    near = attention_misses(q, k, v, 3)
    close(got, want, near=near, what="attention of large scores", axes=HEADS, rtol=1e-3, atol=1e-3)


@check(hole="feed_forward", points=2, title="down(silu(gate x) * up x)")
def ffn_values(student, rng):
    x, gate, up, down = (single(rng, *s) for s in ((3, 8), (12, 8), (12, 8), (8, 12)))
    g, u = x @ gate.T, x @ up.T
    near = {
        "gate-up-swapped": lambda: (oracle.silu(u) * g) @ down.T,
        "silu-of-product": lambda: oracle.silu(g * u) @ down.T,
        "gelu-for-silu": lambda: (oracle.gelu(g) * u) @ down.T,
        "sigmoid-alone": lambda: (u / (1 + np.exp(-g))) @ down.T,
        "relu-for-silu": lambda: (np.maximum(g, 0) * u) @ down.T,
        "up-missing": lambda: oracle.silu(g) @ down.T,
    }
    want = (oracle.silu(g) * u) @ down.T.astype(np.float64)
    agrees(student, "feed_forward", (x, gate, up, down), want, near, "feed_forward")
    kept(student, "feed_forward", (x, gate, up, down))


@check(hole="feed_forward", points=1, title="large inputs of both signs", visibility="hidden")
def ffn_large(student, rng):
    x = np.array([[1.0], [-1.0]], np.float32) * 200
    gate, up, down = (np.ones((1, 1), np.float32) for _ in range(3))
    got = student.feed_forward(x, gate, up, down)
    expect_shape(got, (2, 1), "feed_forward of 200 and -200")
    finite = bool(np.isfinite(np.asarray(got, np.float64)).all())
    require(finite, f"feed_forward of 200 and -200: got {np.ravel(got)}", "silu-overflow")
    # which gate it is, is asked above: all of them grow with a large input and not with a small one
    told = abs(float(np.ravel(got)[0])) > 100 > abs(float(np.ravel(got)[1]))
    require(told, f"feed_forward of 200 and -200: got {np.ravel(got)}, want 40000 and 0")


LAYERS = (norm_values, rope_pairs, rope_base, attention_scores, attention_groups, attention_mask,
          attention_large, ffn_values, ffn_large)  # fmt: skip
