"""What known mistakes in composing the layers give, so that a failure can be named.

Owns: `network`, the forward pass with one of the TWISTS. Must not know: students, points.
Read before: minengine/oracle_models.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from files import Made

from minengine import oracle

Array = np.ndarray

# Mistakes that show in one pass already, and those that only a cache shows.
TWISTS = (
    "attn-norm-missing", "ffn-norm-missing", "output-norm-missing", "attn-residual-missing",
    "ffn-residual-missing", "ffn-residual-from-input", "ffn-parallel", "norms-swapped",
    "gate-and-up-swapped", "keys-not-rotated", "queries-not-rotated", "values-rotated",
    "heads-split-wrongly", "head-always-tied", "eps-of-the-model-ignored",
    "base-of-the-model-ignored", "layer-weights-shared",
)  # fmt: skip
CACHED = (
    "positions-restart", "start-not-passed", "cache-not-read", "cache-of-one-layer",
    "keys-cached-unrotated",
)  # fmt: skip


def misses(
    made: Made, tokens: Sequence[int], chunks: Sequence[int] = ()
) -> dict[str, Callable[[], Array]]:
    """Tag -> a function that gives the logits of that mistake."""
    names = TWISTS + (CACHED if chunks else ())
    whole = chunks or (len(tokens),)
    return {name: partial(network, made, tokens, whole, name) for name in names}


def network(made: Made, tokens: Sequence[int], chunks: Sequence[int], twist: str = "") -> Array:
    """Logits (T, V) of passes of these lengths, rightly or with a twist."""
    state = _Pass(made, twist)
    rows, at = [], 0
    for size in chunks:
        rows.append(state.forward(tokens[at : at + size], at))
        at += size
    return np.concatenate(rows)


class _Pass:
    """Weights, and the rows that earlier passes left."""

    def __init__(self, made: Made, twist: str) -> None:
        self.w, self.n, self.twist = made.weights, made.n, twist
        self.eps = 1e-5 if twist == "eps-of-the-model-ignored" else made.eps
        self.base = 1e4 if twist == "base-of-the-model-ignored" else made.base
        self.rows: dict[Any, list[Array]] = {}

    def norm(self, x: Array, name: str, off: str) -> Array:
        if self.twist == off:
            return x
        if self.twist == "norms-swapped" and name.startswith("blk"):
            i, part = name.split(".")[1:3]
            name = f"blk.{i}.{'ffn_norm' if part == 'attn_norm' else 'attn_norm'}"
        return oracle.rms_norm(x, self.w[f"{name}.weight"], self.eps)

    def forward(self, tokens: Sequence[int], at: int) -> Array:
        x = oracle.embed(self.w["token_embd.weight"], np.asarray(tokens))
        for i in range(self.n["L"]):
            x = self.layer(x, 0 if self.twist == "layer-weights-shared" else i, at, i)
        head = self.w.get("output.weight", self.w["token_embd.weight"])
        head = self.w["token_embd.weight"] if self.twist == "head-always-tied" else head
        return oracle.matmul(self.norm(x, "output_norm", "output-norm-missing"), head)

    def layer(self, given: Array, i: int, at: int, slot: int) -> Array:
        p, twist = f"blk.{i}.", self.twist
        h = self.norm(given, f"{p}attn_norm", "attn-norm-missing")
        mixed = oracle.matmul(self.mixed(h, p, at, slot), self.w[f"{p}attn_output.weight"])
        x = mixed if twist == "attn-residual-missing" else given + mixed
        read = given if twist == "ffn-parallel" else x
        h = self.norm(read, f"{p}ffn_norm", "ffn-norm-missing")
        gate, up, down = (self.w[f"{p}ffn_{part}.weight"] for part in ("gate", "up", "down"))
        if twist == "gate-and-up-swapped":
            gate, up = up, gate
        y = oracle.matmul(oracle.silu(oracle.matmul(h, gate)) * oracle.matmul(h, up), down)
        if twist == "ffn-residual-missing":
            return y
        return (given if twist == "ffn-residual-from-input" else x) + y

    def mixed(self, h: Array, p: str, at: int, slot: int) -> Array:
        twist, n_new = self.twist, len(h)
        q, k, v = (self.heads(oracle.matmul(h, self.w[f"{p}attn_{part}.weight"])) for part in "qkv")
        here = (0 if twist == "positions-restart" else at) + np.arange(n_new)
        q = q if twist == "queries-not-rotated" else oracle.rope(q, here, self.base)
        if twist not in ("keys-not-rotated", "keys-cached-unrotated"):
            k = oracle.rope(k, here, self.base)
        v = oracle.rope(v, here, self.base) if twist == "values-rotated" else v
        slot = 0 if twist == "cache-of-one-layer" else slot
        before = [] if twist == "cache-not-read" else self.rows.get(slot, [])
        self.rows[slot] = [*before, (k, v)]
        old = [k for k, _ in before]
        k = np.concatenate([*old, oracle.rope(k, here, self.base)
                            if twist == "keys-cached-unrotated" else k])  # fmt: skip
        v = np.concatenate([*(v for _, v in before), v])
        start = 0 if twist in ("start-not-passed", "cache-not-read") else at
        mask = np.arange(len(k)) <= start + np.arange(n_new)[:, None]
        return oracle.attention(q, k, v, mask).reshape(n_new, -1)

    def heads(self, y: Array) -> Array:
        width = self.n["E"]
        if self.twist == "heads-split-wrongly":
            return y.reshape(len(y), width, -1).transpose(0, 2, 1)
        return y.reshape(len(y), -1, width)
