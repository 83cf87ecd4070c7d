"""What right samplers give, on whole rows: the engine's and the oracle's, -inf for what is gone.

Owns: the value wanted of every hole, and rows on which rounding decides nothing. Must not know:
checks, points, mistakes. Read before: handout.py (the contract), minengine/oracle.py,
minengine/candidates.py, minengine/draws.py.

The engine works in float32 and students may in float64, so a value near a threshold could fall on
either side of it. ``firm`` and ``steady`` draw inputs until none does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from minengine import candidates, oracle, penalties
from minengine.candidates import Candidates
from minengine.draws import Mirostat, draw
from minengine.sampling import Chain

OFF = {"top_k": 1000, "typical_p": 1.0, "top_p": 1.0, "min_p": 0.0, "temp": 1.0}


def logits_of(rng: np.random.Generator, n: int, scale: float = 1.5) -> np.ndarray:
    """n distinct logits in no order, float32, with half of them below zero."""
    row = np.sort(rng.normal(0, scale, n))
    row = row - np.median(row) + np.arange(n) * 1e-2  # no two within rounding of each other
    return rng.permutation(row).astype(np.float32)


def alive(logits: np.ndarray) -> np.ndarray:
    """Ids that are not ruled out."""
    return np.flatnonzero(np.asarray(logits) > -np.inf)


def only(logits: np.ndarray, ids: Sequence[int] | np.ndarray) -> np.ndarray:
    """The row with everything but these ids ruled out."""
    row = np.full(len(logits), -np.inf)
    row[list(ids)] = np.asarray(logits, np.float64)[list(ids)]
    return row


def pack(logits: np.ndarray) -> Candidates:
    """The row as the engine has it: what is ruled out is not there."""
    ids = alive(logits).astype(np.int32)
    return Candidates(ids, np.asarray(logits, np.float32)[ids])


def unpack(logits: np.ndarray, c: Candidates) -> np.ndarray:
    """A row of the engine's candidates with the engine's logits."""
    row = np.full(len(logits), -np.inf)
    row[c.ids] = c.logits
    return row


def union(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.maximum(a, b)


def min_p(logits: np.ndarray, p: float, min_keep: int = 1) -> np.ndarray:
    """The engine's, and the ``min_keep`` largest with it."""
    row = unpack(logits, candidates.min_p(pack(logits), p))
    return union(only(logits, alive(row)), oracle.top_k(logits, min_keep))


def typical(logits: np.ndarray, p: float) -> np.ndarray:
    return only(logits, candidates.typical_p(pack(logits), p).ids)


def penalised(
    logits: np.ndarray, history: Sequence[int], last_n: int = 64, repeat: float = 1.0,
    frequency: float = 0.0, presence: float = 0.0,
) -> np.ndarray:  # fmt: skip
    last_n = len(history) if last_n < 0 else last_n
    values = last_n, repeat, frequency, presence
    return unpack(logits, penalties.penalties(pack(logits), list(history), *values))


def drawn(logits: np.ndarray, u: float) -> int:
    c = pack(logits)
    return int(c.ids[draw(c, u)])


WANT: dict[str, Callable[..., Any]] = {
    "softmax": oracle.softmax,
    "greedy": lambda logits: int(np.argmax(logits)),
    "temperature": oracle.temperature,
    "top_k": oracle.top_k,
    "top_p": oracle.top_p,
    "min_p": min_p,
    "typical": typical,
    "penalties": penalised,
    "draw": drawn,
}


def chain(
    logits: np.ndarray,
    history: Sequence[int] = (),
    bias: Any = None,
    order: Sequence[str] | None = None,
    **settings: Any,
) -> np.ndarray:
    """The row that the engine's chain leaves, -inf for what is gone; ``order`` is of its names."""
    s = OFF | settings
    engine = Chain(
        seed=0,
        samplers=order,
        logit_bias=bias,
        penalty_last_n=s.get("last_n", 64),
        repeat_penalty=s.get("repeat", 1.0),
        frequency_penalty=s.get("frequency", 0.0),
        presence_penalty=s.get("presence", 0.0),
        temperature=s["temp"],
        **{name: s[name] for name in ("top_k", "typical_p", "top_p", "min_p")},
    )
    engine.recall(history)
    return unpack(logits, engine.candidates(logits))


# Mirostat ----------------------------------------------------------------------------------------


def step(
    state: Mirostat, logits: np.ndarray, u: float, pick: Callable = drawn, cut: Callable = only
) -> tuple:
    """(token, mu after it); ``cut`` makes the row that mirostat leaves, ``pick`` draws from it."""
    state.n_vocab = len(logits)
    kept = state.keep(pack(logits))
    row = cut(logits, kept.ids)
    token = pick(row, u)
    state.drawn = float(oracle.softmax(row)[token])
    state.learn()
    return token, state.mu


def mirostat(
    version: int, tau: float, eta: float, rows: Sequence, us: Sequence[float],
    make: Callable = Mirostat, pick: Callable = drawn, cut: Callable = only,
) -> np.ndarray:  # fmt: skip
    """A run: token and mu of each step, float64 (steps, 2)."""
    state = make(version, tau, eta)
    return np.array([step(state, row, u, pick, cut) for row, u in zip(rows, us, strict=True)])


def steady(
    rng: np.random.Generator, version: int, tau: float, eta: float, n: int, width: int,
    source: Callable = logits_of,
) -> tuple[list, list, np.ndarray]:  # fmt: skip
    """(rows, numbers u, the run) of n steps on which no bound or draw is a matter of rounding."""
    state, rows, us, run = Mirostat(version, tau, eta), [], [], []
    while len(rows) < n:
        row, u = source(rng, width), float(rng.random())
        c = pack(row).sorted()
        kept = state.keep(c)
        if _clear(state, c, len(kept)) and clear_draw(only(row, kept.ids), u):
            run.append(step(state, row, u))
            rows.append(row)
            us.append(u)
    return rows, us, np.array(run)


def _clear(state: Mirostat, c: Candidates, n: int) -> bool:
    """Would mirostat keep n tokens, had rounding moved mu a little?"""
    near = [replace(state, n_vocab=len(c)) for _ in range(2)]
    for other, shift in zip(near, (-2e-3, 2e-3), strict=True):
        other.mu = state.mu + shift  # a new state begins at 2 tau
    return all(len(other.keep(c)) == n for other in near)


# Rows on which rounding decides nothing ----------------------------------------------------------


def clear_draw(row: np.ndarray, u: float, margin: float = 1e-3) -> bool:
    """Is u at least this far from the end of every token's share?"""
    return bool(np.abs(np.cumsum(oracle.softmax(row)) - u).min() > margin)


def firm(want: Callable, logits: np.ndarray, *args: Any) -> bool:
    """Does ``want`` keep the same tokens when logits or fractions among ``args`` move a little?"""
    wave = 1e-3 * np.cos(7 * np.arange(len(logits)))
    kept = alive(want(logits, *args)).tolist()
    if any(alive(want(row, *args)).tolist() != kept for row in (logits + wave, logits - wave)):
        return False
    moved = [[a + d if 0 < a < 1 else a for a in args] for d in (-2e-3, 2e-3)]
    return all(alive(want(logits, *values)).tolist() == kept for values in moved)
