"""Checks of the tasks that pick a token: draws, mirostat, the sampler that chains all parts.

Owns: given numbers u, runs of many steps, chi-square. Must not know: solutions, sandboxes.
Read before: agreement.py, dense.py, mistakes.py.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import dense
import mistakes
import numpy as np
from agreement import divides, row_agrees
from dense import alive, firm, logits_of, only

from autograder.checks import CheckFailed, check, close, require
from minengine import oracle

# mu moves by a float32 logarithm a step, and a run has at most fifty
RUN = {"rtol": 1e-3, "atol": 1e-3, "axes": ("step", "token-and-mu")}
PARTS = ("penalties", "top_k", "typical", "top_p", "min_p", "temperature")


# draws -------------------------------------------------------------------------------------------


@check(hole="draw", points=1, title="u falls into a token's share")
def draw_values(student, rng):
    example = np.log([0.2, 0.5, 0.3])
    us = [0.1, 0.6, 0.9]
    tokens_agree([student.draw(example, u) for u in us], example, us, "the example")
    row = only(logits_of(rng, 8, 0.7), np.sort(rng.choice(8, 6, replace=False)))
    us = [u for u in rng.random(12).tolist() if dense.clear_draw(row, u)]
    tokens_agree([student.draw(row, u) for u in us], row, us, "draw of a row with -inf")


def tokens_agree(got: list, row: np.ndarray, us: list[float], what: str) -> None:
    """Tokens for numbers u, together: a mistake shows in all of them."""
    want = np.array([dense.drawn(row, u) for u in us])
    near = {tag: partial(many, wrong, row, us) for tag, wrong in mistakes.DRAW.items()}
    close(got, want, near=near, what=f"{what}, u = {us[:6]}", rtol=0, atol=0, axes=("draw",))


def many(one: Any, row: np.ndarray, us: list[float]) -> np.ndarray:
    return np.array([one(row, u) for u in us])


@check(hole="draw", points=1, title="u of 0, u near 1, u on an edge", visibility="hidden")
def draw_ends(student, rng):
    row = only(logits_of(rng, 6), [1, 2, 4])  # the first and the last token are ruled out
    for u, want, tag in ((0.0, 1, "draw-first"), (1 - 2.0**-53, 4, "draw-last")):
        got = student.draw(row, u)
        token = np.ndim(got) == 0 and got == want
        require(bool(token), f"u = {u!r}: got token {got}, want {want}, the outermost left", tag)
    row = np.zeros(4)  # shares of 1/4: every running sum is exact
    got = [student.draw(row, u) for u in (0.25, 0.5, 0.75)]
    message = f"4 equal logits, u = 0.25, 0.5, 0.75: got {got}, want [0, 1, 2]"
    late = got == [1, 2, 3]
    if not (late and not divides(student, 4)):
        require(got == [0, 1, 2], message, "draw-edge" if late else "wrong-value")


@check(hole="draw", points=1, title="a vocabulary of a hundred thousand", visibility="hidden")
def draw_large(student, rng):
    n = int(rng.integers(100_000, 101_000))
    token = int(rng.integers(0.6 * n, 0.9 * n))
    for want in (token, n - 1):
        u = (want + 0.5) / n  # the middle of its share: all logits are equal
        got = student.draw(np.zeros(n, np.float32), u)
        known = np.ndim(got) == 0 and 0 <= got < n
        off = abs(int(got) - want) if known else n
        # float32 shares summed in float64 are right to 1e-7 of the sum, a hundredth of a token
        message = f"u = {u:.6f} of {n} equal logits: got {got}, {off} tokens from the right one"
        require(off <= 2, message, "draw-float32")


DRAWS = 20_000
# chi-square of 5 degrees of freedom is above 60 once in 1e11 right runs, of 8 once in 2e9
UNLIKELY = 60.0


def surprising(observed: np.ndarray, shares: np.ndarray) -> float:
    """Pearson's chi-square of counts against the counts expected."""
    expected = shares * observed.sum()
    return float((((observed - expected) ** 2)[shares > 0] / expected[shares > 0]).sum())


def counts_of(student: Any, row: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    got = np.asarray(student.draw_many(row, DRAWS, seed))
    usable = got.shape == (DRAWS,) and got.dtype.kind in "iu"
    message = f"draw_many(logits, {DRAWS}, seed): got shape {got.shape} of {got.dtype}"
    require(usable, f"{message}, want {DRAWS} token ids", "wrong-shape")
    require(bool(((got >= 0) & (got < len(row))).all()), "ids outside the row", "draw-many-law")
    return got, np.bincount(got, minlength=len(row))


@check(hole="draw_many", points=1, title="token i comes up in its share of the draws")
def draw_many_law(student, rng):
    row = only(logits_of(rng, 8, 0.8), np.sort(rng.choice(8, 6, replace=False)))
    _, counts = counts_of(student, row, int(rng.integers(2**31)))
    shares = oracle.softmax(row)
    impossible = counts[shares == 0].sum()
    message = f"{impossible} of {DRAWS} draws are of tokens that are ruled out"
    require(impossible == 0, message, "draw-many-ruled-out")
    far = surprising(counts, shares)
    message = f"counts {counts.tolist()}, expected {np.round(shares * DRAWS).tolist()}"
    require(far < UNLIKELY, f"{message}: chi-square {far:.0f}", "draw-many-law")


@check(hole="draw_many", points=1, title="a seed is a sequence of draws", visibility="hidden")
def draw_many_seed(student, rng):
    row = logits_of(rng, 3, 0.5)
    seeds = rng.choice(2**31, 2, replace=False).tolist()
    first, again, other = (counts_of(student, row, s)[0] for s in (seeds[0], seeds[0], seeds[1]))
    require(np.array_equal(first, again), "one seed gave two sequences", "draw-many-unseeded")
    message = "two seeds gave the same sequence"
    require(not np.array_equal(first, other), message, "draw-many-one-seed")
    pairs = np.bincount(first[:-1] * 3 + first[1:], minlength=9)
    shares = oracle.softmax(row)
    far = surprising(pairs, np.outer(shares, shares).ravel())
    # Pairs that overlap vary a little more than pairs that do not.
    message = f"pairs of neighbours are not independent: chi-square {far:.0f}"
    require(far < 2 * UNLIKELY, message, "draw-many-dependent")


# mirostat ----------------------------------------------------------------------------------------


def run_agrees(
    student: Any, version: int, tau: float, eta: float, rows: Any, us: Any, want: np.ndarray
) -> str | None:
    """A run of the student's object against the engine's, step by step."""
    state = getattr(student, f"Mirostat{version}")(tau, eta)
    got = []
    for row, u in zip(rows, us, strict=True):
        reply = state.step(row, u)
        pair = isinstance(reply, list | tuple | np.ndarray) and np.size(reply) == 2
        require(pair, f"step: got {reply!r}, want (token, mu)", "wrong-type")
        got.append([float(v) for v in reply])
    args = tau, eta, rows, us
    near = {tag: partial(wrong, *args) for tag, wrong in mistakes.MIROSTAT[version].items()}
    mine = partial(dense.mirostat, version, *args, pick=lambda row, u: int(student.draw(row, u)))
    what = f"Mirostat{version}({tau:.3g}, {eta:.3g})"
    return close(np.array(got), want, near=near, own=mine, what=what, **RUN)


def telling_run(
    rng: np.random.Generator, version: int, tau: float, eta: float, n: int, width: int
) -> tuple:
    """The arguments of a steady run in which no known mistake looks like another."""
    table = {t: m for t, m in mistakes.MIROSTAT[version].items() if t != "mirostat-vocabulary"}
    while True:
        rows, us, want = dense.steady(rng, version, tau, eta, n, width)
        runs = [wrong(tau, eta, rows, us) for wrong in table.values()]
        if len({np.round(r, 2).tobytes() for r in [*runs, want]}) == len(runs) + 1:
            return tau, eta, rows, us, want


@check(hole="Mirostat2", points=1, title="drop what surprises more than mu, then move mu")
def mirostat2_steps(student, rng):
    example = 1.2, 0.5, [np.log([0.5, 0.25, 0.125, 0.125])] * 2, [0.9, 0.6]
    note = run_agrees(student, 2, *telling_run(rng, 2, float(rng.uniform(1.2, 1.6)), 0.7, 5, 10))
    return run_agrees(student, 2, *example, dense.mirostat(2, *example)) or note


@check(hole="Mirostat2", points=1.5, title="mu stays right for fifty steps", visibility="hidden")
def mirostat2_run(student, rng):
    tau, eta = float(rng.uniform(1.4, 2)), float(rng.uniform(0.3, 0.6))
    return run_agrees(student, 2, tau, eta, *dense.steady(rng, 2, tau, eta, 50, 12))


@check(hole="Mirostat2", points=0.5, title="one token always stays", visibility="hidden")
def mirostat2_keeps_one(student, rng):
    tau = float(rng.uniform(0.01, 0.05))  # below the surprise of the likeliest
    run = dense.steady(rng, 2, tau, 0.5, 4, 8)
    try:
        return run_agrees(student, 2, tau, 0.5, *run)
    except CheckFailed as failed:
        known = {"error", "wrong-value", "nan"}
        tag = "mirostat-none-left" if failed.tag in known else failed.tag
        raise CheckFailed(tag, f"no token is within mu: {failed}") from None


@check(hole="Mirostat1", points=1, title="as many tokens as Zipf's exponent says")
def mirostat1_steps(student, rng):
    return run_agrees(student, 1, *telling_run(rng, 1, float(rng.uniform(0.6, 0.9)), 0.5, 8, 5))


@check(hole="Mirostat1", points=1, title="mu over fifty steps, V above 100", visibility="hidden")
def mirostat1_run(student, rng):
    tau, eta = float(rng.uniform(2.5, 3.5)), float(rng.uniform(0.2, 0.4))
    return run_agrees(student, 1, tau, eta, *dense.steady(rng, 1, tau, eta, 50, 160))


# The sampler -------------------------------------------------------------------------------------


class Settings(dict):
    """Settings of a sampler; all that is not named is off."""

    def __init__(self, **named: Any) -> None:
        super().__init__(dense.OFF | named)


def filtered_agrees(
    student: Any, sampler: Any, row: np.ndarray, settings: Settings, history: list, what: str
) -> str | None:
    """The row that the sampler leaves, by the engine's chain or by the student's own parts."""
    wrong = mistakes.SAMPLER.items()
    values = {"history": history, **settings}
    near = {tag: partial(twist, row, **values) for tag, twist in wrong}
    own = partial(composed, student, row, settings, history)
    return row_agrees(sampler.filter(row), dense.chain(row, **values), near, what, own)


def composed(student: Any, row: np.ndarray, settings: Settings, history: list) -> np.ndarray:
    """The chain of the student's own parts; parts that do nothing carry no chain."""
    x = np.array(row, np.float64)
    for token, value in (settings.get("bias") or {}).items():
        x[token] += value
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


def telling(rng: np.random.Generator, n: int, **settings: Any) -> tuple[np.ndarray, Settings]:
    """A row on which each order of the steps would leave others, and rounding nothing."""
    settings = Settings(**settings)
    while True:
        row = logits_of(rng, n)
        right = dense.chain(row, **settings)
        others = [mistakes.SAMPLER[f"sampler-{t}"] for t in ("temperature-first", "filters-apart")]
        apart = all(alive(o(row, **settings)).tolist() != alive(right).tolist() for o in others)
        moved = firm(lambda x: dense.chain(x, **settings), row)
        if apart and moved and len(alive(right)) > 1:
            return row, settings


@check(hole="Sampler", points=2, title="the steps in their order, temperature last")
def sampler_order(student, rng):
    example = np.array([2.0, 1, 0])
    settings = Settings(top_p=0.9, temp=2.0)
    note = filtered_agrees(
        student, student.Sampler([], **settings), example, settings, [], "the example"
    )
    row, settings = telling(rng, 9, top_k=5, top_p=float(rng.uniform(0.6, 0.8)), temp=2.5)
    sampler = student.Sampler([], **settings)
    note = filtered_agrees(student, sampler, row, settings, [], "Sampler.filter") or note
    row, settings = telling(rng, 9, top_k=6, typical_p=0.6, min_p=0.3, temp=1.5)
    sampler = student.Sampler([], **settings)
    return filtered_agrees(student, sampler, row, settings, [], "Sampler.filter") or note


@check(hole="Sampler", points=1, title="what it drew and was told is penalised")
def sampler_history(student, rng):
    # last_n is above all that is said, so that only what is remembered matters
    settings = Settings(last_n=20, repeat=1.5, frequency=0.3, presence=0.2)
    us = [0.3, 0.7, 0.5, 0.2]
    sampler, history, note = student.Sampler(us, **settings), [], None
    for token in rng.integers(0, 6, 2).tolist():
        sampler.accept(token)
        history.append(token)
    for _ in us[:3]:
        row = logits_of(rng, 6)
        what = f"Sampler.filter after {history}"
        note = filtered_agrees(student, sampler, row, settings, history, what) or note
        token = sampler.sample(row)
        whole = np.ndim(token) == 0 and float(token).is_integer() and 0 <= token < 6
        require(whole, f"Sampler.sample: got {token!r}, want a token id", "wrong-type")
        history.append(int(token))
    return note


@check(hole="Sampler", points=1, title="one number u for each token", visibility="hidden")
def sampler_uniforms(student, rng):
    settings = Settings(top_k=6, temp=1.5)
    rows, us = [], []
    while len(us) < 12:
        row, u = logits_of(rng, 8), float(rng.random())
        if dense.clear_draw(dense.chain(row, **settings), u):
            rows.append(row)
            us.append(u)
    sampler = student.Sampler(us + us[::-1], **settings)
    got = [sampler.sample(row) for row in rows]
    left = [dense.chain(row, **settings) for row in rows]

    def drawn(numbers):
        return [dense.drawn(row, u) for row, u in zip(left, numbers, strict=True)]

    def mine():
        chains = [composed(student, row, settings, []) for row in rows]
        return [int(student.draw(x, u)) for x, u in zip(chains, us, strict=True)]

    stream = us + us[::-1]
    near = {
        "sampler-two-numbers": lambda: drawn(stream[::2]),
        "sampler-second-number": lambda: drawn(stream[1::2]),
        "sampler-first-number": lambda: drawn([us[0]] * len(us)),
        "sampler-skips-a-number": lambda: drawn(stream[1:13]),
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
        settings = Settings(bias=bias, top_k=3, top_p=0.8, temp=1.5)
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
