"""The forward pass made of a student's own parts, so that a mistake in a part costs once.

Owns: `Composed`, which calls read_gguf, dequantize, rms_norm, rope, attention, feed_forward and
KVCache through the proxy and composes them rightly. Must not know: points, solutions. A result
equal to this one is accepted, and the check says so. Read before: files.py.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from files import Made

Array = np.ndarray


class Composed:
    """A model whose parts are the student's and whose order is ours."""

    def __init__(self, student: Any, made: Made) -> None:
        self.student, self.n = student, made.n
        self.eps, self.base = made.eps, made.base
        _, tensors = student.read_gguf(made.data)
        self.weights = {name: student.dequantize(*one) for name, one in tensors.items()}

    def logits(self, tokens: Sequence[int], chunks: Sequence[int]) -> Array:
        """(T, V): the tokens in passes of these lengths, through the student's own cache."""
        n = self.n
        cache = self.student.KVCache(n["L"], n["G"], n["E"], len(tokens))
        rows, at = [], 0
        for size in chunks:
            rows.append(self._pass(tokens[at : at + size], at, cache))
            at += size
        return np.concatenate(rows)

    def alone(self, tokens: Sequence[int]) -> Array:
        """The same in one pass, without a cache."""
        return self._pass(tokens, 0, None)

    def _pass(self, tokens: Sequence[int], start: int, cache: Any) -> Array:
        w, n, student = self.weights, self.n, self.student
        x = w["token_embd.weight"][np.asarray(tokens)]
        positions = np.arange(start, start + len(tokens))
        for i in range(n["L"]):
            p = f"blk.{i}."
            h = student.rms_norm(x, w[f"{p}attn_norm.weight"], self.eps)
            q, k, v = (
                (h @ w[f"{p}attn_{part}.weight"].T).reshape(len(tokens), -1, n["E"])
                for part in "qkv"
            )
            q, k = (student.rope(y, positions, self.base) for y in (q, k))
            if cache is not None:
                cache.append(i, k, v)
                k, v = cache.read(i)
            mixed = student.attention(q, k, v, start).reshape(len(tokens), -1)
            x = x + mixed @ w[f"{p}attn_output.weight"].T
            h = student.rms_norm(x, w[f"{p}ffn_norm.weight"], self.eps)
            x = x + student.feed_forward(
                h, *(w[f"{p}ffn_{part}.weight"] for part in ("gate", "up", "down"))
            )
        head = w.get("output.weight", w["token_embd.weight"])
        return student.rms_norm(x, w["output_norm.weight"], self.eps) @ head.T


def own(student: Any, made: Made, tokens: Sequence[int], chunks: Sequence[int] = ()) -> Any:
    """A function that gives the composed logits; computed only where something differs."""

    def composed() -> Array:
        model = Composed(student, made)
        return model.logits(tokens, chunks) if chunks else model.alone(tokens)

    return composed
