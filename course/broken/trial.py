"""Is a fix right? Three looks at it, each "" where nothing is wrong, else what was seen.

Owns: the comparison of an engine that is being mended with the right one. Must not know: points,
students: a part may be a function here or one that is called elsewhere. Read before:
``network.py``, ``scenes.py``. The same draws are used for a part and for what is right, so a part
that agrees with the right one agrees for every seed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from course.broken.network import RIGHT, PartsEngine, trace
from minengine.candidates import Candidates
from minengine.formats import FORMATS
from minengine.penalties import penalties

LOGITS = 1e-3  # of the deviation of the logits; float32 against float64 parts differ by 1e-5


IN_PASS = ("dequantize", "rms_norm", "rope", "mask", "softmax", "kv_head", "positions", "gather")


def part_differs(name: str, part: Callable, rng: np.random.Generator) -> str:
    """The part by itself against the right one, on drawn inputs."""
    got, want, what = PROBES[name](part, rng)
    if isinstance(want, np.ndarray) and np.shape(got) == want.shape:
        if np.allclose(got, want, rtol=1e-4, atol=1e-5, equal_nan=True):
            return ""
        at = np.unravel_index(np.argmax(~np.isclose(got, want, rtol=1e-4, atol=1e-5)), want.shape)
        place = ", ".join(map(str, at))
        return f"{what}: [{place}] is {np.asarray(got)[at]:.6g}, want {want[at]:.6g}"
    if isinstance(want, np.ndarray):
        return f"{what}: shape {np.shape(got)}, want {want.shape}"
    if isinstance(want, list) and isinstance(got, list) and len(got) == len(want):
        pairs = [(a, b) for a, b in zip(got, want, strict=True) if a != b]
        got, want = pairs[0] if pairs and len(want) <= 8 else (got, want)
    return "" if got == want else f"{what}: got {got!r}, want {want!r}"


def logits_differ(mended: PartsEngine, right: PartsEngine, rng: np.random.Generator) -> str:
    """Logits of drawn tokens, as a prompt, in pieces, and one by one at the end.

    Only parts of the network (``IN_PASS``) can change them; for others there is nothing to see.
    """
    if not any(getattr(mended.parts, name) for name in IN_PASS):
        return ""
    ids = [1, *rng.integers(3, right.model.hparams.V, 23).tolist()]
    for chunks in ((24,), (9, 13, 1, 1)):
        got, want = (trace(e, ids, chunks=chunks)["logits"] for e in (mended, right))
        error = float(np.sqrt(np.mean((got - want) ** 2)) / np.std(want))
        if not error <= LOGITS:
            cut = " + ".join(map(str, chunks))
            return f"logits of {cut} tokens: off by {error:.2g} of their deviation, want {LOGITS:g}"
    return ""


def text_differs(got: str, want: str) -> str:
    """Two texts of a scene, from the first place on where they part."""
    if got == want:
        return ""
    at = next((i for i, (a, b) in enumerate(zip(got, want, strict=False)) if a != b), len(want))
    cut = slice(max(0, at - 20), at + 40)
    return f"the text differs from character {at} on: got {got[cut]!r}, want {want[cut]!r}"


def _merge(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    letters, got, want, said = list("abcd"), [], [], []
    for _ in range(8):
        tokens = dict.fromkeys(letters, -100.0)
        for rank in range(40):
            tokens.setdefault("".join(rng.choice(letters, rng.integers(2, 6))), -float(rank))
        text = [str(c) for c in rng.choice(letters, 16)]
        got.append("|".join(part(list(text), tokens)))
        want.append("|".join(_joined(text, tokens)))
        said.append(f"{''.join(text)} of the tokens {', '.join(tokens)}")
    differs = (i for i, (a, b) in enumerate(zip(got, want, strict=True)) if a != b)
    return got, want, said[next(differs, 0)]


def _joined(symbols: list[str], scores: Mapping[str, float]) -> list[str]:
    """Of all neighbours that make a token the one of the highest score, the leftmost of equals."""
    symbols = list(symbols)
    while True:
        pairs = [a + b for a, b in itertools.pairwise(symbols)]
        best = max((scores.get(pair, -np.inf) for pair in pairs), default=-np.inf)
        if best == -np.inf:
            return symbols
        at = next(i for i, pair in enumerate(pairs) if scores.get(pair) == best)
        symbols[at : at + 2] = [pairs[at]]


def _dequantize(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    codes = rng.integers(0, 256, (3, 2, 32), dtype=np.uint8)
    codes[0, 0, :4] = (0, 127, 128, 255)
    scales = rng.uniform(-0.1, 0.1, (3, 2, 1)).astype(np.float16).view(np.uint8)
    raw = np.concatenate([scales, codes], axis=-1).reshape(3, 68)
    return part(raw.copy()), FORMATS["Q8_0"].dequantize(raw), "three rows of two blocks"


def _norm(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    x = rng.normal(size=(3, 8)) * np.array([[100.0], [1.0], [1e-3]])
    weight = rng.normal(size=8)
    return part(x, weight, 1e-2), RIGHT["rms_norm"](x, weight, 1e-2), "rows of different size"


def _rope(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    """Scores alone can be seen: to turn all pairs a step more or to reorder them changes none."""
    q, k = rng.normal(size=(2, 4, 2, 8))
    positions = np.sort(rng.choice(60, 4, replace=False)) + 3
    frequencies = 100.0 ** (-np.arange(4) / 4)
    got, want = (
        np.einsum("the,she->hts", *(np.asarray(f(x, positions, frequencies)) for x in (q, k)))
        for f in (part, RIGHT["rope"])
    )
    return got, want, f"scores q k at positions {positions.tolist()}"


def _mask(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    T, S, got, want = int(rng.integers(2, 5)), int(rng.integers(6, 10)), [], []
    for n in (1, T, S):
        shape, right = np.shape(part(n, S)), RIGHT["mask"](n, S).astype(int)
        if shape != right.shape:
            return np.zeros(shape), right, f"{n} of {S} tokens"
        got.append(np.asarray(part(n, S)).astype(int))
        want.append(right)
    return np.concatenate(got), np.concatenate(want), f"the last 1, {T} and {S} of {S} tokens"


def _softmax(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    scores = rng.normal(size=(2, 3, 5)).astype(np.float32) * 3
    scores[0] += 300.0
    scores[:, 0, 2:] = -np.inf
    return part(scores), RIGHT["softmax"](scores), "scores up to 300"


def _kv_head(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    G = int(rng.integers(2, 5))
    H = G * int(rng.integers(2, 5))
    got = [int(part(h, H, G)) for h in range(H)]
    return got, [RIGHT["kv_head"](h, H, G) for h in range(H)], f"{H} heads on {G}"


def _positions(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    got, want = [], []
    for stored in (np.arange(0), np.arange(5), np.arange(9, 14), np.array([0, 1, 7, 8, 12])):
        n = int(rng.integers(1, 4))
        got += [int(p) for p in np.ravel(part(stored, n))]
        want += RIGHT["positions"](stored, n).tolist()
    return got, want, "after 0 .. 4, 9 .. 13 and 0, 1, 7, 8, 12"


def _gather(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    rows = rng.normal(size=(6, 2, 4, 3)).astype(np.float32)
    table, where, got, want = rng.permutation(6)[:4], (0, "keys"), [], []
    for n, first in ((6, 0), (7, 6), (9, 7), (5, 4), (8, 5), (13, 7), (3, 2), (13, 3)):
        for j in range(first, n):  # a token written in a slot, some of them for the second time
            rows[table[j // 4], :, j % 4] = rng.normal(size=(2, 3))
        got.append(np.array(part(rows, table, n, where)))
        want.append(RIGHT["gather"](rows, table, n, where))
    return np.concatenate(got), np.concatenate(want), "tokens rewritten between calls"


def _block_key(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    cases = [(b, tuple(t)) for b in (0, 1, 12) for t in ((1, 2), (2, 1), (21, 2), (1, 22))]
    keys = [part(b, t) for b, t in cases]
    return len(set(keys)), len(cases), f"keys of {len(cases)} different blocks"


def _penalize(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    logits = rng.normal(size=12).astype(np.float32) * 4
    logits[:3] = (2.5, -2.5, 0.0)
    recent = [0, 1, 2, *rng.integers(0, 12, 4).tolist(), 1]
    repeat = float(rng.uniform(1.1, 2.0))
    given = logits.copy()
    want = penalties(Candidates(np.arange(12), logits), recent, 99, repeat, 0.0, 0.0).logits
    got = np.asarray(part(given, recent, repeat))
    shown = [round(float(x), 2) for x in logits]
    return got, want, f"logits {shown} after {recent} by {repeat:.2f}"


def _next_mu(part: Callable, rng: np.random.Generator) -> tuple[Any, Any, str]:
    mu = want = 10.0
    got, wanted = [], []
    for surprise in rng.uniform(0, 9, 6):
        mu, want = float(part(mu, float(surprise), 5.0, 0.3)), want - 0.3 * (surprise - 5.0)
        got, wanted = [*got, mu], [*wanted, want]
    return np.array(got), np.array(wanted), "the bound over six tokens"


PROBES: dict[str, Callable[[Callable, np.random.Generator], tuple[Any, Any, str]]] = {
    "merge": _merge,
    "dequantize": _dequantize,
    "rms_norm": _norm,
    "rope": _rope,
    "mask": _mask,
    "softmax": _softmax,
    "kv_head": _kv_head,
    "positions": _positions,
    "gather": _gather,
    "block_key": _block_key,
    "penalize": _penalize,
    "next_mu": _next_mu,
}
