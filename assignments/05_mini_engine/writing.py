"""Checks of sampling and of the loop that writes.

Owns: checks of `sample` and `generate` but those of speed. Must not know: solutions, sandboxes.
Read before: files.py, running.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import files
import numpy as np
from files import Made

from autograder.checks import CheckFailed, check, require
from minengine import oracle

GAP = 0.02  # between the two largest logits: far above what float32 rounds
PROBES = 60  # rows on which a mistake is told from others
EDGE = 1e-3  # between a running sum and u, or between a probability and a limit


def kept(logits: np.ndarray, top_k: int, top_p: float, min_p: float) -> np.ndarray:
    """The logits that are left, the others -inf: top_k, then top_p, then min_p."""
    row = oracle.top_p(oracle.top_k(logits, top_k), top_p)
    low = row < row.max() + (np.log(min_p) if min_p > 0 else -np.inf)
    return np.where(low, -np.inf, row)


def drawn(logits: np.ndarray, u: float, temperature: float = 1.0, top_k: int = 0,
          top_p: float = 1.0, min_p: float = 0.0) -> int:  # fmt: skip
    """The token that the handout's definition draws."""
    if not temperature:
        return int(logits.argmax())
    p = oracle.softmax(kept(logits, top_k, top_p, min_p) / temperature)
    return int(np.searchsorted(np.cumsum(p), u, side="right"))


def firm(logits: np.ndarray, u: float, temperature: float = 1.0, top_k: int = 0,
         top_p: float = 1.0, min_p: float = 0.0) -> bool:  # fmt: skip
    """Does rounding decide nothing: no limit within EDGE of what it is compared with?"""
    p = oracle.softmax(oracle.top_k(logits, top_k))
    sums = np.cumsum(np.sort(p)[::-1])
    near = [np.abs(sums - top_p).min() if top_p < 1 else 1.0]
    near += [np.abs(p - min_p * p.max()).min()] if min_p > 0 else []
    q = oracle.softmax(kept(logits, top_k, top_p, min_p) / (temperature or 1))
    near += [np.abs(np.cumsum(q)[:-1] - u).min()]
    return min(near) > EDGE


def wrongs(logits: np.ndarray, u: float, temperature: float, top_k: int, top_p: float,
           min_p: float) -> dict[str, Callable[[], int]]:  # fmt: skip
    """Tag -> the token that a known mistake draws."""

    def late(order: Callable) -> int:
        p = oracle.softmax(order(logits) / 1)
        return int(np.searchsorted(np.cumsum(p), u, side="right"))

    def descending(p: np.ndarray) -> int:
        order = np.argsort(-p, kind="stable")
        return int(order[np.searchsorted(np.cumsum(p[order]), u, side="right")])

    def without_crossing() -> int:
        p = oracle.softmax(oracle.top_k(logits, top_k))
        order = np.argsort(-p, kind="stable")
        n = max(1, int((np.cumsum(p[order]) < top_p).sum()))
        row = np.full(len(p), -np.inf)
        row[order[:n]] = logits[order[:n]]
        return int(np.searchsorted(np.cumsum(oracle.softmax(row / temperature)), u, side="right"))

    def not_renormalised() -> int:
        p = oracle.softmax(logits)
        p = np.where(np.isfinite(oracle.top_k(logits, top_k)), p, 0)
        order = np.argsort(-p, kind="stable")
        n = int((np.cumsum(p[order]) < top_p).sum()) + 1
        n = min(n, top_k or n)
        row = np.full(len(p), -np.inf)
        row[order[:n]] = logits[order[:n]]
        row = np.where(row < row.max() + np.log(max(min_p, 1e-30)), -np.inf, row)
        return int(np.searchsorted(np.cumsum(oracle.softmax(row / temperature)), u, side="right"))

    def absolute() -> int:
        row = kept(logits, top_k, top_p, 0.0)
        left = (row == row.max()) | (oracle.softmax(oracle.top_k(logits, top_k)) >= min_p)
        row = np.where(left, row, -np.inf)
        return int(np.searchsorted(np.cumsum(oracle.softmax(row / temperature)), u, side="right"))

    right = kept(logits, top_k, top_p, min_p)
    hot = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p}
    return {
        "greedy-always": lambda: int(np.argmax(logits)),
        "temperature-ignored": lambda: drawn(logits, u, **hot | {"temperature": 1.0}),
        "temperature-multiplied": lambda: drawn(
            logits, u, **hot | {"temperature": 1 / temperature}
        ),
        "temperature-first": lambda: late(lambda x: kept(x / temperature, top_k, top_p, min_p)),
        "top-p-of-all": not_renormalised,
        "top-k-ignored": lambda: drawn(logits, u, **hot | {"top_k": 0}),
        "top-k-off-by-one": lambda: drawn(logits, u, **hot | {"top_k": top_k + 1 if top_k else 0}),
        "top-p-ignored": lambda: drawn(logits, u, **hot | {"top_p": 1.0}),
        "top-p-drops-crossing": without_crossing,
        "min-p-absolute": absolute,
        "min-p-ignored": lambda: drawn(logits, u, **hot | {"min_p": 0.0}),
        "draw-descending": lambda: descending(oracle.softmax(right / temperature)),
        "draw-first-always": lambda: int(np.flatnonzero(np.isfinite(right))[0]),
    }


def sampled(student: Any, logits: np.ndarray, u: float, near: Callable | None = None, **how: Any):
    """Require the token of the definition."""
    want, got = drawn(logits, u, **how), student.sample(logits, u, **how)
    given = ", ".join(f"{k}={v:.3g}" for k, v in how.items())
    what = f"sample(logits, {u:.4g}{', ' if given else ''}{given})"
    whole = isinstance(got, int | np.integer) and not isinstance(got, bool)
    require(whole, f"{what}: got {got!r}, want a token id", "wrong-type")
    if got != want:
        tag = mistake(student, len(logits), **how)
        raise CheckFailed(tag, f"{what}: got {got}, want {want}; logits {np.round(logits, 3)}")


def mistake(student: Any, n: int, **how: Any) -> str:
    """The tag of the one known mistake that draws what the student does, on many rows."""
    full = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0} | how
    rng, left = np.random.default_rng(n), None
    for _ in range(PROBES):
        logits, u = rng.normal(size=n) * 1.5, float(rng.random())
        if firm(logits, u, **full):
            got = student.sample(logits, u, **how)
            hits = [tag for tag, wrong in wrongs(logits, u, **full).items() if wrong() == got]
            left = hits if left is None else [tag for tag in left if tag in hits]
    return left[0] if left else "wrong-value"


def telling(rng: np.random.Generator, n: int, *tags: str, **how: Any) -> tuple[np.ndarray, float]:
    """Logits and u on which rounding decides nothing and each mistake named draws another token.

    Each of them another than the others, if there are tokens enough; so the tag is the right one.
    """
    full = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0} | how
    while True:
        logits, u = rng.normal(size=n) * 1.5, float(rng.random())
        if not firm(logits, u, **full):
            continue
        table, want = wrongs(logits, u, **full), drawn(logits, u, **full)
        if all(table[tag]() != want for tag in tags):
            return logits, u


@check(hole="sample", points=1, title="temperature 0 is the largest logit, the first of equal ones")
def sample_greedy(student, rng):
    for _ in range(3):
        logits = np.round(rng.normal(size=9) * 2) / 2
        logits[rng.permutation(9)[:2]] = logits.max() + 1
        got, want = student.sample(logits, float(rng.random()), temperature=0), np.argmax(logits)
        last = len(logits) - 1 - int(np.argmax(logits[::-1]))
        tag = "greedy-last-of-equals" if got == last else "greedy-not-the-largest"
        message = f"sample(logits, u, temperature=0): got {got!r}, want {want}; logits {logits}"
        require(isinstance(got, int | np.integer) and got == want, message, tag)
    row = np.array([2.0, 9.0, 1.0])
    after = student.observe("sample", row, 0.4, temperature=0.7, top_k=2).args_after[0]
    require(np.array_equal(after, row), "sample changed the logits in place", "input-changed")


@check(hole="sample", points=1, title="u and the running sum choose the token")
def sample_draw(student, rng):
    for temperature in (1.0, 0.5, 2.5):
        tags = ["greedy-always", "draw-descending", "draw-first-always"]
        tags += ["temperature-ignored"] * (temperature != 1)
        logits, u = telling(rng, 8, *tags, temperature=temperature)
        sampled(student, logits, u, temperature=temperature)
    got = student.sample(np.array([0.0, 3000.0, 1.0]), 0.5)
    message = f"sample of logits 0, 3000 and 1: got {got!r}, want 1"
    require(isinstance(got, int | np.integer) and got == 1, message, "draw-at-the-edge")
    logits = rng.normal(size=6) + 2000 * int(rng.choice([-1, 1]))
    for u in (0.0, 1 - 2**-53):
        got, want = student.sample(logits, u), 0 if u == 0 else 5
        message = f"sample of logits near 2000 or -2000 with u = {u}: got {got!r}, want {want}"
        require(isinstance(got, int | np.integer) and got == want, message, "draw-at-the-edge")


@check(hole="sample", points=1, title="top_k, top_p and min_p, each alone")
def sample_filters(student, rng):
    for how, tags in (
        ({"top_k": 3}, ("top-k-ignored", "top-k-off-by-one")),
        ({"top_p": 0.7}, ("top-p-ignored", "top-p-drops-crossing")),
        ({"min_p": 0.2}, ("min-p-ignored",)),
    ):
        logits, u = telling(rng, 9, *tags, **how)
        sampled(student, logits, u, **how)
    logits, u = telling(rng, 5)
    sampled(student, logits, u, top_k=50, top_p=1.0)
    row = rng.normal(size=6)
    for how in ({"top_k": 1}, {"top_p": 0.0}, {"min_p": 1.0}):
        got, want = student.sample(row, 0.95, **how), int(row.argmax())
        message = f"sample with {how} leaves one token, {want}; got {got!r}"
        require(isinstance(got, int | np.integer) and got == want, message, "filter-at-its-end")
    # filters that are off drop nothing, however small it is before the temperature
    sampled(student, np.array([0.0, 60.0, 1.0]), 0.05, temperature=30.0)


@check(hole="sample", points=1, title="in this order: top_k, top_p, min_p, temperature")
def sample_order(student, rng):
    for temperature in (0.6, 2.0):
        how = {"temperature": temperature, "top_k": 5, "top_p": 0.8, "min_p": 0.1}
        logits, u = telling(rng, 9, "temperature-first", **how)
        sampled(student, logits, u, **how)
    how = {"top_k": 2, "top_p": 0.5}
    row = np.log(rng.permutation([0.4, 0.3, 0.2, 0.1]))
    for u in (0.2, 0.8):
        sampled(student, row, u, **how)


# The loop ----------------------------------------------------------------------------------------


def greedy(made: Made, prompt: Sequence[int], n: int) -> list[int] | None:
    """n tokens by the oracle's logits; None where two are so near that rounding could decide."""
    tokens = list(prompt)
    for _ in range(n):
        last = made.logits(tokens)[-1]
        second, first = np.sort(last)[-2:]
        if first - second < GAP:
            return None
        tokens.append(int(np.argmax(last)))
    return tokens[len(prompt) :]


def firm_text(rng: np.random.Generator, made: Made, n_prompt: int, n: int) -> tuple[list, list]:
    """A prompt whose greedy continuation no rounding decides, and the continuation."""
    while True:
        prompt = made.tokens(rng, n_prompt)
        if (text := greedy(made, prompt, n)) is not None:
            return prompt, text


def by_own_model(student: Any, model: Any, prompt: Sequence[int], n: int) -> list[int]:
    """Greedy text by the student's own logits: what a right loop makes of them."""
    return [*own_text(student, model, prompt, [0.5] * n, temperature=0)]


def own_text(
    student: Any, model: Any, prompt: Sequence[int], uniforms: Sequence[float], **how: float
) -> Iterator[int]:
    """The tokens that a right loop draws from the student's own model, cache and sampler."""
    cache, news = model.new_cache(len(prompt) + len(uniforms)), list(prompt)
    for u in uniforms:
        token = int(student.sample(model.forward(news, cache)[-1], u, **how))
        yield token
        news = [token]


def text_agrees(
    student: Any, model: Any, got: Any, want: list[int], prompt: Sequence[int], what: str
) -> str | None:
    """Require these tokens, or those of the student's own model and sampler."""
    tokens = tokens_of(got, what)
    if tokens == want:
        return None
    if tokens[:-1] == want or tokens == want[:-1] or tokens == want[1:]:
        message = f"{what}: {len(tokens)} tokens, want {len(want)}"
        raise CheckFailed("number-of-tokens", message)
    if tokens == [*prompt, *want]:
        raise CheckFailed("prompt-returned", f"{what}: the prompt is returned too")
    try:
        if tokens == by_own_model(student, model, prompt, len(want)):
            return "accepted: it is the text of your own model and sampler; they are judged apart"
    except CheckFailed:
        pass
    at = next((i for i, (a, b) in enumerate(zip(tokens, want, strict=False)) if a != b), 0)
    message = f"{what}: got {tokens}, want {want}; they differ from token {at} on"
    raise CheckFailed("text-differs", message)


def tokens_of(got: Any, what: str) -> list[int]:
    whole = isinstance(got, list | tuple) and all(
        isinstance(t, int | np.integer) and not isinstance(t, bool) for t in got
    )
    require(whole, f"{what}: got {got!r:.80}, want a list of token ids", "wrong-type")
    return [int(t) for t in got]


def telling_uniforms(
    rng: np.random.Generator, made: Made, prompt: Sequence[int], n: int, **how: float
) -> list[float]:
    """Numbers of which the first alone, and these without the settings, draw another text."""

    def text(uniforms: Sequence[float], **how: float) -> list[int]:
        tokens = list(prompt)
        for u in uniforms:
            tokens.append(drawn(made.logits(tokens)[-1], u, **how))
        return tokens[len(prompt) :]

    while True:
        uniforms = rng.random(n).tolist()
        others = [text(uniforms[:1] * n, **how), text(uniforms)]
        if text(uniforms, **how) not in others:
            return uniforms


@check(hole="generate", points=2, title="greedy text of random models, to the token")
def generate_greedy(student, rng):
    note = None
    for n_prompt, n in ((1, 5), (4, 6)):
        made = files.random_model(rng, tied=False, scale=2.0)  # tied, it would repeat itself
        prompt, want = firm_text(rng, made, n_prompt, n)
        model = student.Model(made.data)
        got = student.generate(model, prompt, n)
        what = f"generate, {n} tokens after {n_prompt}"
        note = text_agrees(student, model, got, want, prompt, what) or note
    got = student.generate(model, prompt, 0)
    require(
        tokens_of(got, "generate of 0 tokens") == [], f"0 tokens: got {got}", "number-of-tokens"
    )
    return note


@check(hole="generate", points=1, title="the same text as minengine on the model of the course")
def generate_packaged(student, rng):
    made = files.packaged()
    prompt, want = firm_text(rng, made, 3, 6)
    model = student.Model(made.data)
    got = student.generate(model, [1, *prompt][1:], 6)
    return text_agrees(student, model, got, want, prompt, "generate, tiny-shakespeare")


@check(hole="generate", points=1, title="stops at a stop token, draws with the numbers given")
def generate_stop(student, rng):
    """The stop token ends the text and is no part of it; each token takes the next number."""
    made = files.random_model(rng, tied=False)
    model = student.Model(made.data)
    while True:
        prompt, want = firm_text(rng, made, 3, 6)
        at = next((i for i in range(2, 6) if want[i] not in want[:i]), 0)
        if at:
            break
    got = tokens_of(student.generate(model, prompt, 6, stop=(want[at], 999)), "generate with stop")
    own = by_own_model(student, model, prompt, 6)
    if got != want[:at]:
        tags = {tuple(want): "stop-ignored", tuple(want[: at + 1]): "stop-returned"}
        is_own = got == (own[: own.index(want[at])] if want[at] in own else own)
        text = f"generate with stop = {want[at]}: got {got}, want {want[:at]}"
        require(is_own, text, tags.get(tuple(got), "text-differs"))
    how = {"temperature": 0.6, "top_k": 12, "top_p": 0.95}
    uniforms = telling_uniforms(rng, made, prompt, 5, **how)
    got = student.generate(model, prompt, 5, uniforms=uniforms, **how)
    got = tokens_of(got, "generate with uniforms")
    # the student's own parts: the loop alone is judged here
    want = [*own_text(student, model, prompt, uniforms, **how)]
    repeated = [*own_text(student, model, prompt, uniforms[:1] * len(uniforms), **how)]
    tag = "uniform-repeated" if got == repeated else "settings-not-passed"
    require(got == want, f"generate with uniforms: got {got}, want {want}", tag)
    at = next((i for i in (1, 2, 3) if want[i] not in want[:i]), 0)
    if at:  # what is drawn after a stop token is not written either
        got = student.generate(model, prompt, 5, stop=(want[at],), uniforms=uniforms, **how)
        text = f"generate with uniforms and stop = {want[at]}: got {got}, want {want[:at]}"
        require(tokens_of(got, "generate with uniforms") == want[:at], text, "stop-ignored")


WRITING = (sample_greedy, sample_draw, sample_filters, sample_order, generate_greedy,
           generate_packaged, generate_stop)  # fmt: skip
