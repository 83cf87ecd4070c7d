"""The wrong fixes that people try first, each with the tag that names it.

Owns: what each of them gives. Must not know: points. Said as variants of right fixes, so students
get it compiled. Read before: network.py (what each part gets and gives).
"""

from __future__ import annotations

import itertools

import numpy as np


def _leftmost(symbols, scores):
    symbols, at = list(symbols), 0
    while at < len(symbols) - 1:
        if symbols[at] + symbols[at + 1] in scores:
            symbols[at : at + 2] = [symbols[at] + symbols[at + 1]]
            at = 0
        else:
            at += 1
    return symbols


def _best(symbols, scores, better):
    symbols = list(symbols)
    while True:
        pairs = [a + b for a, b in itertools.pairwise(symbols)]
        known = [p for p in pairs if p in scores]
        if not known:
            return symbols
        at = pairs.index(better(known))
        symbols[at : at + 2] = [pairs[at]]


def _blocks(raw, codes):
    blocks = np.asarray(raw).reshape(len(raw), -1, 34)
    scales = blocks[:, :, :2].copy().view(np.float16).astype(np.float32)
    return (scales * codes(blocks[:, :, 2:])).reshape(len(raw), -1)


def _rotated(x, positions, frequencies, sign=1.0):
    angles = sign * positions[:, None, None] * frequencies
    cos, sin = np.cos(angles), np.sin(angles)
    out, a, b = np.empty_like(x), x[..., 0::2], x[..., 1::2]
    out[..., 0::2], out[..., 1::2] = a * cos - b * sin, a * sin + b * cos
    return out


def _neox(x, positions, frequencies, sign=1.0):
    angles = sign * positions[:, None, None] * frequencies
    cos, sin, half = np.cos(angles), np.sin(angles), x.shape[-1] // 2
    a, b = x[..., :half], x[..., half:]
    return np.concatenate([a * cos - b * sin, a * sin + b * cos], axis=-1)


def _said(logits, recent, change):
    out, said = np.array(logits), np.unique(recent)
    out[said] = change(out[said])
    return out


MISTAKES = {
    "merge": {
        "merge-unmended": lambda s, scores: _pairs(s, scores),
        "merge-rounds": lambda s, scores: _rounds(s, scores),
        "merge-leftmost": _leftmost,
        "merge-lowest": lambda s, scores: _best(s, scores, lambda k: min(k, key=scores.get)),
    },
    "dequantize": {
        "dequantize-unmended": lambda raw: _blocks(raw, lambda c: c.astype(np.float32)),
        "dequantize-offset": lambda raw: _blocks(raw, lambda c: c.astype(np.float32) - 128),
        "dequantize-sign-bit": lambda raw: _blocks(
            raw, lambda c: np.where(c > 127, 128.0 - c, c).astype(np.float32)
        ),
    },
    "rope": {
        "rope-unmended": _neox,
        "rope-backwards": lambda x, p, f: _rotated(x, p, f, sign=-1.0),
        "rope-halves-backwards": lambda x, p, f: _neox(x, p, f, sign=-1.0),
    },
    "mask": {
        "mask-unmended": lambda T, S: np.tril(np.ones((T, S), bool)),
        "mask-everything": lambda T, S: np.ones((T, S), bool),
        "mask-one-only": lambda T, S: (
            np.ones((1, S), bool) if T == 1 else np.tril(np.ones((T, S), bool))
        ),
        "mask-next": lambda T, S: np.tril(np.ones((T, S), bool), S - T + 1),
    },
    "positions": {
        "positions-unmended": lambda stored, n: len(stored) + np.arange(n),
        "positions-last": lambda stored, n: (stored[-1] if len(stored) else 0) + np.arange(n),
        "positions-span": lambda stored, n: (
            (stored[-1] - stored[0] + 1 if len(stored) else 0) + np.arange(n)
        ),
    },
    "penalize": {
        "penalize-unmended": lambda x, recent, r: _said(
            x, recent, lambda y: np.where(y > 0, y * r, y / r)
        ),
        "penalize-divides-all": lambda x, recent, r: _said(x, recent, lambda y: y / r),
        "penalize-multiplies-all": lambda x, recent, r: _said(x, recent, lambda y: y * r),
        "penalize-subtracts": lambda x, recent, r: _said(x, recent, lambda y: y - r),
        "penalize-per-use": lambda x, recent, r: _per_use(x, recent, r),
    },
}


def _pairs(symbols, scores):
    symbols = list(symbols)
    pairs = [a + b for a, b in itertools.pairwise(symbols)]
    for _, at in sorted((-scores[p], at) for at, p in enumerate(pairs) if p in scores):
        if symbols[at] + symbols[at + 1] == pairs[at]:
            symbols[at], symbols[at + 1] = pairs[at], ""
    return [s for s in symbols if s]


def _rounds(symbols, scores):
    before = None
    while symbols != before:
        before, symbols = symbols, _pairs(symbols, scores)
    return symbols


def _per_use(logits, recent, repeat):
    out = np.array(logits)
    for token in recent:
        out[token] = out[token] / repeat if out[token] > 0 else out[token] * repeat
    return out
