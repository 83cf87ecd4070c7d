"""Checks of lab 2.3: the measures by definition, the experiments again at drawn settings.

The same seeds give the same tokens, but for a logit that another processor rounds otherwise: one
text in a few hundred may then go another way. So of the texts written again most must be the
student's (``SAME``), and the means agree within the weight of a text or two (``SLACK``). Owns: the list. Must not know: solutions. Read before:
course/experiments/sampling.py.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from autograder.checks import check, close
from autograder.errors import CheckFailed
from course.experiments import measures, sampling
from minengine import Engine, oracle

JUDGES = (measures, oracle, sampling)  # a result depends on what stands there
N_TOKENS = 48
SWEEPS = {
    "temperature": (0.0, 0.4, 0.7, 1.0, 1.3, 1.7),
    "top_k": (1.0, 3.0, 10.0, 40.0, 0.0),
    "top_p": (0.1, 0.5, 0.8, 0.95, 1.0),
}
SLACK = (0.5, 0.1, 0.1)  # bits a token, shares
SAME = 2 / 3  # of the texts of a setting


@functools.cache
def engine() -> Engine:
    return Engine(mode="exact", n_threads=1)


def chosen(student: Any) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Prompts and seeds, of a size that may be computed here."""
    got = student.choices()
    if not isinstance(got, Mapping) or set(got) != {"prompts", "seeds"}:
        raise CheckFailed("choices-form", "want a dict with prompts and seeds")
    prompts, seeds = got["prompts"], got["seeds"]
    if not isinstance(prompts, list | tuple) or not 3 <= len(prompts) <= 5:
        raise CheckFailed("choices-size", "prompts: want three to five texts in a list")
    if not all(isinstance(p, str) and 5 <= len(p) <= 200 for p in prompts):
        raise CheckFailed("choices-size", "prompts: want texts of 5 to 200 characters")
    if len(set(prompts)) < len(prompts):
        raise CheckFailed("choices-same", "prompts: two of them are the same")
    if not isinstance(seeds, list | tuple) or not 2 <= len(seeds) <= 4:
        raise CheckFailed("choices-size", "seeds: want two to four whole numbers in a list")
    if not all(type(s) is int and 0 <= s <= 10**6 for s in seeds) or len(set(seeds)) < len(seeds):
        raise CheckFailed("choices-same", f"seeds: got {seeds}, want different whole numbers")
    return tuple(prompts), tuple(seeds)


@functools.lru_cache(64)
def point(prompts: tuple, seeds: tuple, name: str, value: float) -> list[float]:
    """One setting of a sweep, measured here."""
    setting = int(value) if name == "top_k" else value
    written = sampling.write(engine(), prompts, seeds, N_TOKENS, **{name: setting})
    return sampling.measure(engine(), written, value).row


def noted(student: Any, name: str) -> Any:
    """One of the measured values."""
    got = student.findings()
    if not isinstance(got, Mapping) or name not in got:
        raise CheckFailed("measured-missing", f"findings() has no {name!r}: run `lab report`")
    return got[name]


def numbers(value: Any, n: int, what: str) -> list[float]:
    """n finite numbers."""
    fine = isinstance(value, list | tuple) and len(value) == n
    if not fine or not all(type(x) in (int, float) and np.isfinite(x) for x in value):
        raise CheckFailed("measured-form", f"{what}: got {value!r:.80}, want {n} numbers")
    return list(value)


def again(student: Any, rng: Any, name: str) -> None:
    """A sweep: all its settings are there, one that is drawn is measured here."""
    prompts, seeds = chosen(student)
    got = noted(student, name)
    rows = {float(k): v for k, v in got.items()} if isinstance(got, Mapping) else {}
    if set(rows) != set(SWEEPS[name]):
        raise CheckFailed("measured-form", f"{name}: want settings {SWEEPS[name]}")
    n = 3 + len(prompts) * len(seeds)
    rows = {k: numbers(v, n, f"{name} {k:g}") for k, v in rows.items()}
    setting = float(rng.choice(SWEEPS[name]))
    want = point(prompts, seeds, name, setting)
    same = sum(a == b for a, b in zip(rows[setting][3:], want[3:], strict=True))
    if same < SAME * (n - 3):
        message = f"{name} {setting:g}: {same} of {n - 3} texts are those of these choices"
        raise CheckFailed("measured-other", message)
    for measure, mine, right, slack in zip(
        ("surprise", "distinct pairs", "repeated triples"), rows[setting], want, SLACK, strict=False
    ):
        if not abs(mine - right) <= slack:
            raise CheckFailed(
                "measured-other",
                f"{name} {setting:g}, {measure}: got {mine:.4g}, measured again {right:.4g}",
            )


@check(hole="choices", points=2, title="prompts and seeds of your own")
def choices_sizes(student, rng):
    chosen(student)


@check(hole="surprise", points=2, title="bits a token under the model")
def surprise_bits(student, rng):
    logits, ids = rng.normal(size=(5, 7)) * 3, rng.integers(0, 7, 5).tolist()
    want = sampling.surprise(logits, ids)
    near = {
        "surprise-nats": want * np.log(2),
        "surprise-sum": want * 5,
        "surprise-perplexity": 2**want,
        "surprise-sign": -want,
        "surprise-of-mean": lambda: -np.log2(np.mean(oracle.softmax(logits)[np.arange(5), ids])),
    }
    got = student.surprise(logits, ids)
    return close(got, want, rtol=1e-6, atol=1e-9, near=near, what="surprise(logits, tokens)")


@check(hole="surprise", points=1, title="logits of hundreds", visibility="hidden")
def surprise_large(student, rng):
    logits, ids = rng.normal(size=(4, 6)) * 900, rng.integers(0, 6, 4).tolist()
    want = sampling.surprise(logits, ids)
    return close(student.surprise(logits, ids), want, rtol=1e-6, atol=1e-6, what="surprise, large")


@check(hole="distinct", points=2, title="different runs of all texts together")
def distinct_share(student, rng):
    texts = [rng.integers(0, 4, int(rng.integers(5, 9))).tolist() for _ in range(3)]
    texts.append(texts[0][:5])
    n = 2
    joined, n_runs = [t for text in texts for t in text], sum(len(t) - n + 1 for t in texts)
    want = sampling.distinct(texts, n)
    near = {
        "distinct-mean-of-texts": float(np.mean([sampling.distinct([t], n) for t in texts])),
        "distinct-over-ends": sampling.distinct([joined], n),
        "distinct-of-tokens": want * n_runs / len(joined),
        "distinct-count": want * n_runs,
        "distinct-rest": 1 - want,
    }
    return close(
        student.distinct(texts, n), want, rtol=1e-9, atol=1e-12, near=near, what="distinct"
    )


@check(hole="distinct", points=1, title="texts shorter than a run", visibility="hidden")
def distinct_short(student, rng):
    want = sampling.distinct([[1, 2], [3, 4, 5], [3, 4, 5]], 3)
    got = student.distinct([[1, 2], [3, 4, 5], [3, 4, 5]], 3)
    close(got, want, rtol=1e-9, atol=1e-12, what="distinct, one text too short")
    return close(student.distinct([[1]], 2), 0.0, rtol=0, atol=0, what="distinct, no run at all")


@check(hole="repetition", points=2, title="what stood in the text before")
def repetition_share(student, rng):
    n, near, want = 2, {}, 0.0  # n-grams of two: pairs
    # no mistake gives the right number by chance
    while not near or any(abs(want - wrong) < 1e-6 for wrong in near.values()):
        text = [1, 2, 3, 1, 2, *rng.integers(0, 4, 14).tolist()]
        runs = list(itertools.pairwise(text))
        want = sampling.repetition(text, n)
        near = {
            "repetition-distinct": 1 - want,
            "repetition-both": sum(runs.count(r) > 1 for r in runs) / len(runs),
            "repetition-neighbours": sum(a == b for a, b in runs) / len(runs),
        }
    got = student.repetition(text, n)
    return close(got, want, rtol=1e-9, atol=1e-12, near=near, what=f"repetition({text}, {n})")


@check(hole="findings", points=3, title="temperature, measured again")
def measured_temperature(student, rng):
    again(student, rng, "temperature")


@check(hole="findings", points=3, title="top-k and top-p, measured again")
def measured_cuts(student, rng):
    again(student, rng, str(rng.choice(("top_k", "top_p"))))


@check(hole="findings", points=2, title="survivors of each cut, counted again")
def measured_left(student, rng):
    prompts, _ = chosen(student)
    cuts = {"top_k 40": {"top_k": 40}, "top_p 0.9": {"top_p": 0.9}, "min_p 0.05": {"min_p": 0.05}}
    want, got = sampling.survivors(engine(), prompts[0], cuts), noted(student, "left")
    if not isinstance(got, Mapping) or set(got) != set(want):
        raise CheckFailed("measured-form", f"left: want {', '.join(want)}")
    for name, counts in want.items():
        mine = got[name]
        if not isinstance(mine, list | tuple) or len(mine) != len(counts):
            raise CheckFailed("measured-form", f"left, {name}: want {len(counts)} numbers")
        off = sum(abs(a - b) > 1 for a, b in zip(mine, counts, strict=True))
        if off > 1:  # a probability at the very edge
            raise CheckFailed("measured-other", f"left, {name}: {off} of {len(counts)} differ")
