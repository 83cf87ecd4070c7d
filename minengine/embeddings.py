"""Texts as vectors: what the network knows of a text just before its head, pooled into one row.

Owns: POOLING, the length of the vectors. Must not know: kernels, the cache, how texts share passes.
Read before: ``engine.py`` (rows).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from minengine.errors import RequestError


def embed(
    engine: Any,
    texts: Sequence[str | bytes | Sequence[int]],
    *,
    pooling: str = "mean",
    normalize: bool = True,
) -> np.ndarray | list[np.ndarray]:
    """One vector for each text, or its token ids: float32 (n, D); of pooling "none" a list of n
    arrays (T, D).

    Rows are those of the last norm, which the head reads; ``pooling`` makes one of a text's T rows
    (see POOLING), ``normalize`` gives every vector the length 1, so that their dot products are
    cosines (zeros stay zeros). A text's vector has the same bits whatever the other texts are.
    Errors: ``RequestError`` for a pooling that is not there, a text without tokens or longer than
    the context, something that is no list of texts.
    """
    if pooling not in POOLING:
        raise RequestError(f"pooling: got {pooling!r}, want {', '.join(POOLING)}")
    if isinstance(texts, (str, bytes)):
        raise RequestError("texts: got one text, want a list of them")
    ids = [engine.tokenize(t) if isinstance(t, (str, bytes)) else list(t) for t in texts]
    empty = [i for i, tokens in enumerate(ids) if not tokens]
    if empty:
        raise RequestError(f"text {empty[0]} has no tokens")
    parts: list[list[np.ndarray]] = [[] for _ in ids]
    for i, rows in engine.rows(ids, hidden=True):
        parts[i].append(rows)
    found = [pooled(rows, pooling, normalize) for rows in parts]
    if pooling == "none":
        return found
    return np.array(found, np.float32).reshape(len(found), engine.model.hparams.D)


def pooled(parts: Sequence[np.ndarray], pooling: str, normalize: bool = True) -> np.ndarray:
    """The rows of a text, in parts as they came, made one."""
    rows = POOLING[pooling](np.concatenate(parts))
    return unit(rows) if normalize else rows


def unit(x: np.ndarray) -> np.ndarray:
    """``x / |x|`` over the last axis, in float64; zeros stay zeros: (..., D) -> float32."""
    x = x.astype(np.float64)
    length = np.sqrt(np.sum(x * x, axis=-1, keepdims=True))
    return (x / np.where(length == 0, 1, length)).astype(np.float32)


def mean(rows: np.ndarray) -> np.ndarray:
    return rows.mean(axis=0, dtype=np.float64).astype(np.float32)


# name -> rows of a text (T, D) -> (D,). Where attention is causal the first token has seen nothing
# but itself: "cls" is for models that were trained for it.
POOLING: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "mean": mean,
    "last": lambda rows: rows[-1],
    "cls": lambda rows: rows[0],
    "none": lambda rows: rows,
}
