"""Checks of the sampler that chains all parts.

Owns: the order of the steps, the history, the stream of numbers. Must not know: solutions,
sandboxes. Read before: agreement.py, dense.py, mistakes.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import dense
import mistakes
import numpy as np
from agreement import firm_row, row_agrees
from dense import alive, firm, logits_of
from filter_checks import reads_softmax

from autograder.checks import CheckFailed, check, close, require

PARTS = ("penalties", "top_k", "typical", "top_p", "min_p", "temperature")


class Settings(dict):
    """Settings of a sampler; all that is not named is off."""

    def __init__(self, **named: Any) -> None:
        super().__init__(dense.OFF | named)


def filtered_agrees(
    student: Any, sampler: Any, row: np.ndarray, settings: Settings, history: list, what: str,
    others: dict[str, list] | None = None,
) -> str | None:  # fmt: skip
    """The row that the sampler leaves, by the engine's chain or by the student's own parts.

    ``others`` are histories that a known mistake would have, by its tag.
    """
    values = {"history": history, **settings}
    near = {tag: partial(twist, row, **values) for tag, twist in mistakes.SAMPLER.items()}
    for tag, said in (others or {}).items():
        near[tag] = partial(dense.chain, row, **values | {"history": said})
    own = partial(composed, student, row, settings, history)
    return row_agrees(sampler.filter(row), dense.chain(row, **values), near, what, own)


def composed(student: Any, row: np.ndarray, settings: Settings, history: list) -> np.ndarray:
    """The chain of the student's own parts; parts that do nothing carry no chain."""
    x = np.array(row, np.float64)
    for said, added in (settings.get("bias") or {}).items():
        x[said] += added
    penalty = [settings.get(n, d) for n, d in zip(PENALTY, (64, 1.0, 0.0, 0.0), strict=True)]
    values = [[history, *penalty], *([settings[n]] for n in SETTINGS)]
    before = x
    for part, args in zip(PARTS, values, strict=True):
        x = np.asarray(getattr(student, part)(x, *args), np.float64)
    idle = np.array_equal(before, x) or not np.isfinite(x).any()
    require(not idle, "the parts change nothing", "wrong-value")
    return x


PENALTY = ("last_n", "repeat", "frequency", "presence")
SETTINGS = ("top_k", "typical_p", "top_p", "min_p", "temp")


TWISTS = ("temperature-first", "filters-apart", "filters-reversed")


def telling(rng: np.random.Generator, n: int, **settings: Any) -> tuple[np.ndarray, Settings]:
    """A row on which each order of the steps leaves something else, and rounding nothing."""
    settings = Settings(**settings)
    while True:
        row = logits_of(rng, n)
        rows = [dense.chain(row, **settings)]
        rows += [mistakes.SAMPLER[f"sampler-{t}"](row, **settings) for t in TWISTS]
        told = len({np.round(r, 4).tobytes() for r in rows}) == len(rows)
        if told and len(alive(rows[0])) > 1 and firm(lambda x: dense.chain(x, **settings), row):
            return row, settings


@check(hole="Sampler", points=2, title="the steps in their order, temperature last")
@reads_softmax
def sampler_order(student, rng):
    row, settings = telling(rng, 9, top_k=6, typical_p=0.7, min_p=0.2, temp=2.0)
    sampler = student.Sampler([], **settings)
    note = filtered_agrees(student, sampler, row, settings, [], "Sampler.filter")
    example, settings = np.array([2.0, 1, 0]), Settings(top_p=0.9, temp=2.0)
    sampler = student.Sampler([], **settings)
    note = filtered_agrees(student, sampler, example, settings, [], "the example") or note
    for name, part, value in (
        ("typical_p", "typical", 0.5),
        ("top_p", "top_p", 0.6),
        ("min_p", "min_p", 0.2),
    ):
        row, settings = firm_row(rng, part, value), Settings(**{name: value, "temp": 2.0})
        sampler = student.Sampler([], **settings)
        what = f"Sampler.filter with {name} = {value} alone"
        note = filtered_agrees(student, sampler, row, settings, [], what) or note
    return note


@check(hole="Sampler", points=1, title="what it drew and was told is penalised")
@reads_softmax
def sampler_history(student, rng):
    # last_n is above all that is said, so that only what is remembered matters
    settings = Settings(last_n=20, repeat=1.5, frequency=0.4, presence=0.3, top_k=4)
    sampler, history, note = student.Sampler(rng.random(9).tolist(), **settings), [], None
    for token in rng.integers(0, 6, 2).tolist():
        sampler.accept(token)
        history.append(token)
    told = list(history)
    for _ in range(3):
        row = penalised_row(rng, settings, history)
        what = f"Sampler.filter after {history}"
        drew = history[len(told) :]
        others = {"sampler-draws-not-noted": told, "sampler-draws-noted-twice": [*history, *drew]}
        others = others if drew else {}
        args = sampler, row, settings, history, what, others
        note = filtered_agrees(student, *args) or note
        token = sampler.sample(row)
        whole = np.ndim(token) == 0 and float(token).is_integer() and 0 <= token < 6
        require(whole, f"Sampler.sample: got {token!r}, want a token id", "wrong-type")
        history.append(int(token))
    return note


def penalised_row(rng: np.random.Generator, settings: Settings, history: list) -> np.ndarray:
    """A row of which penalties before the filters leave others than penalties after them."""
    while True:
        row = logits_of(rng, 6, 0.5)
        values = {"history": history, **settings}
        right = dense.chain(row, **values)
        late = mistakes.SAMPLER["sampler-penalties-last"](row, **values)
        apart = alive(right).tolist() != alive(late).tolist()
        if apart and firm(lambda x, v=values: dense.chain(x, **v), row):
            return row


@check(hole="Sampler", points=1, title="one number u for each token", visibility="hidden")
@reads_softmax
def sampler_uniforms(student, rng):
    settings = Settings(top_k=6, temp=1.5)
    rows, us = [], []
    while len(us) < 12:
        row, u = logits_of(rng, 8), float(rng.random())
        if dense.clear_draw(dense.chain(row, **settings), u):
            rows.append(row)
            us.append(u)
    stream = us + rng.random(12).tolist()
    sampler = student.Sampler(stream, **settings)
    got = [sampler.sample(row) for row in rows]
    left = [dense.chain(row, **settings) for row in rows]

    def drawn(numbers):
        return [dense.drawn(row, u) for row, u in zip(left, numbers, strict=True)]

    def mine():
        chains = [composed(student, row, settings, []) for row in rows]
        return [int(student.draw(x, u)) for x, u in zip(chains, us, strict=True)]

    near = {
        "sampler-two-numbers": lambda: drawn(stream[::2]),
        "sampler-second-number": lambda: drawn(stream[1::2]),
        "sampler-first-number": lambda: drawn([us[0]] * len(us)),
        "sampler-skips-a-number": lambda: drawn(stream[1:13]),
        "sampler-last-number": lambda: drawn(stream[::-1][:12]),
        "sampler-largest": lambda: [int(np.argmax(row)) for row in rows],
    }
    what = f"12 tokens from u = {[round(u, 3) for u in us]}"
    axes = ("draw",)
    return close(got, drawn(us), near=near, own=mine, what=what, rtol=0, atol=0, axes=axes)


@check(hole="Sampler", points=1, title="bias comes before everything", visibility="hidden")
def sampler_bias(student, rng):
    while True:
        row = logits_of(rng, 8)
        order = np.argsort(-row)
        bias = {int(order[0]): -np.inf, int(order[5]): float(row[order[0]] - row[order[5]] + 1)}
        settings = Settings(bias=bias, top_k=3)
        if firm(lambda x, s=settings: dense.chain(x, **s), row):
            break
    sampler = student.Sampler([0.5], **settings)
    what = f"Sampler.filter with bias {bias}"
    return filtered_agrees(student, sampler, row, settings, [], what)


@check(hole="Sampler", points=0.5, title="two samplers share nothing", visibility="hidden")
def sampler_alone(student, rng):
    settings = Settings(repeat=1.5, presence=0.5, bias={2: 0.5})
    plain = Settings(repeat=1.5, presence=0.5)
    first, second = student.Sampler([0.4], **settings), student.Sampler([0.8], **plain)
    first.accept(1)
    first.accept(3)
    row, note = logits_of(rng, 6), None
    for sampler, values, history in ((second, plain, []), (first, settings, [1, 3])):
        what = f"Sampler.filter of one of two, after {history}"
        try:
            note = filtered_agrees(student, sampler, row, values, history, what) or note
        except CheckFailed as failed:
            both = dense.chain(row, [1, 3], **values)
            shared = history == [] and np.allclose(sampler.filter(row), both, atol=1e-4)
            raise CheckFailed("sampler-shared" if shared else failed.tag, str(failed)) from None
    return note
