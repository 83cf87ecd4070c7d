"""Launches that lab 2.6 asks for: inputs, what is right, what known mistakes give.

Owns: one function for each kernel, ``(rng, *sizes) -> Case``. Must not know: points, tolerances,
students. Read before: autograder/kernels.py (Case).
"""

from __future__ import annotations

import numpy as np

from autograder.kernels import Case
from minengine import oracle

TV, THE = ("row", "place"), ("token", "head", "place")


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(np.float32)


def empty(*shape: int) -> np.ndarray:
    return np.zeros(shape, np.float32)


def traffic(*arrays: np.ndarray) -> int:
    """Each of these crosses the bus once."""
    return sum(a.nbytes for a in arrays)


def penalize(rng: np.random.Generator, V: int, n: int) -> Case:
    """A history in which some tokens stand often and every eighth entry is padding."""
    logits, alpha = normal(rng, V), np.float32(rng.uniform(0.3, 0.9))
    history = (V * rng.random(n) ** 3).astype(np.int32)
    history[rng.permutation(n)[: n // 8]] = -1
    used = np.bincount(history[history >= 0], minlength=V)
    high = oracle.f64(logits)
    near = {
        "penalty-once": lambda: high - alpha * (used > 0),
        "penalty-added": lambda: high + alpha * used,
        "penalty-padding-counted": lambda: high - alpha * np.bincount(history.clip(0), minlength=V),
    }
    args = logits, history, empty(V), np.int32(V), np.int32(n), alpha
    least = traffic(logits, history, args[2])
    return Case((V, n), args, 2, high - alpha * used, near, least)


def rotate(rng: np.random.Generator, T: int, H: int, E: int, *, far: int = 0) -> Case:
    """``far``: the position of the first token; without it positions are in no order."""
    x = normal(rng, T, H, E)
    positions = np.arange(far, far + T) if far else rng.permutation(40)[:T] + 1
    positions, base = positions.astype(np.int32), np.float32(rng.uniform(500, 20000))
    half = E // 2

    def turned(at: np.ndarray, exponent: float = 2.0, sign: int = 1) -> np.ndarray:
        frequencies = oracle.f64(base) ** (-exponent * np.arange(half) / E)
        return oracle.rope(x, sign * at, pairing="neox", frequencies=frequencies)

    def in_place() -> np.ndarray:
        angles = positions[:, None, None] * oracle.f64(base) ** (-2.0 * np.arange(half) / E)
        out = turned(positions)
        out[..., half:] = out[..., :half] * np.sin(angles) + x[..., half:] * np.cos(angles)
        return out

    near = {
        "rope-neighbours": lambda: oracle.rope(x, positions, float(base)),
        "rope-backwards": lambda: turned(positions, sign=-1),
        "rope-index": lambda: turned(np.arange(T)),
        "rope-exponent": lambda: turned(positions, exponent=1.0),
        "rope-overwritten": in_place,
    }
    args = x, positions, empty(*x.shape), *(np.int32(n) for n in (T, H, E)), base
    return Case((T, H, E), args, 2, turned(positions), near, traffic(x, positions, args[2]))


def round_q8(rng: np.random.Generator, n: int, *, zero: int | None = None) -> Case:
    """Numbers that stand clear of the halves between two codes; ``zero``: a block without any."""
    blocks = -(-n // 32)
    codes = rng.integers(-126, 127, (blocks, 32))
    x = (codes + rng.uniform(-0.4, 0.4, codes.shape)) * rng.uniform(0.01, 1, (blocks, 1))
    x = x.astype(np.float32).reshape(-1)[:n]
    for first in range(0, n, 32):
        block = x[first : first + 32]
        # the largest of a block is negative and stands anywhere in it; in a short one at 2^k - 1,
        # from where an exchange that lacks threads brings it to only half of them
        short = (1 << len(block).bit_length() - 1) - 1
        at = rng.integers(32) if len(block) == 32 else short
        block[at] = -1.25 * np.abs(block).max()
        settle(block)
    if zero is not None:
        x[32 * zero : 32 * zero + 32] = 0
    near = {
        "round-truncated": lambda: rounded(x, cut=np.trunc),
        "round-half-warp": lambda: rounded(x, width=16),
        "round-without-sign": lambda: rounded(x, magnitude=lambda v: v),
        "round-128": lambda: rounded(x, codes=128),
        "round-not-scaled-back": lambda: rounded(x, back=False),
    }
    return Case((n,), (x, empty(n), np.int32(n)), 1, rounded(x), near, 2 * x.nbytes)


def settle(block: np.ndarray) -> None:
    """Move numbers away from halves between two codes of their own block, where float32 decides."""
    d = np.abs(block).max() / 127
    codes = np.rint(block / d)
    block[...] = (codes + np.clip(block / d - codes, -0.4, 0.4)) * d


def rounded(
    x: np.ndarray, *, cut=np.rint, width: int = 32, magnitude=np.abs, codes: int = 127,
    back: bool = True,
) -> np.ndarray:  # fmt: skip
    """What blocks give back, with what a mistake changes.

    In float32, as on a GPU: a quotient that should be whole is cut off below or above.
    """
    out = np.zeros(len(x))
    for first in range(0, len(x), width):
        block = x[first : first + width]
        d = np.float32(magnitude(block).max() / np.float32(codes))
        if d:
            out[first : first + width] = cut(block / d) * (d if back else 1)
    return out


def cumulate(rng: np.random.Generator, T: int, V: int) -> Case:
    p = rng.uniform(0.1, 1, (T, V))
    p = (p / p.sum(-1, keepdims=True)).astype(np.float32)
    sums = oracle.f64(p).cumsum(-1)

    def restarted(width: int) -> np.ndarray:
        starts = np.arange(V) // width * width
        return sums - np.where(starts > 0, sums[:, starts - 1], 0)

    near = {
        "scan-exclusive": lambda: sums - p,
        "scan-warp-alone": lambda: restarted(32),
        "scan-restarts": lambda: restarted(256),
        "scan-from-the-right": lambda: oracle.f64(p)[:, ::-1].cumsum(-1)[:, ::-1],
    }
    args = p, empty(T, V), np.int32(T), np.int32(V)
    return Case((T, V), args, 1, sums, near, traffic(p, args[1]))
