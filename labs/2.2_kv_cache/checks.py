"""Checks of lab 2.2: counts are computed again from the student's choices; seconds must be possible.

Owns: the list. Must not know: solutions, sandboxes. Read before: course/experiments/kv_cache.py,
which measures here as in the notebook.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

from autograder.checks import check, equal
from autograder.errors import CheckFailed
from course.experiments import kv_cache
from minengine import Engine
from minengine.kvcache import BlockPool

JUDGES = (kv_cache,)  # a result depends on what stands there
BLOCK, N_TOKENS, GROWN = 16, 64, 100  # as the notebook has them
SIZES, POLICIES, POOLS = (1, 4, 8, 16, 32, 64, 128), ("lru", "fifo", "lfu"), (16, 28, 48)
NEAR = 1e-4  # numbers are written with six digits


def loaded(student: Any) -> dict[str, Any]:
    """The student's choices, each of a size that may be computed here."""
    got = student.choices()
    if not isinstance(got, Mapping) or set(got) != {"prompt", "prefix", "questions", "seed"}:
        raise CheckFailed("choices-form", "want a dict with prompt, prefix, questions and seed")
    texts = {"prompt": (20, 400), "prefix": (200, 800)}
    for name, (low, high) in texts.items():
        text = got[name]
        if not isinstance(text, str) or not low <= len(text) <= high:
            n = len(text) if isinstance(text, str) else type(text).__name__
            raise CheckFailed("choices-size", f"{name}: got {n}, want {low} to {high} characters")
    questions = got["questions"]
    if not isinstance(questions, list | tuple) or not 6 <= len(questions) <= 10:
        raise CheckFailed("choices-size", "questions: want six to ten texts in a list")
    if not all(isinstance(q, str) and 10 <= len(q) <= 120 for q in questions):
        raise CheckFailed("choices-size", "questions: want texts of 10 to 120 characters")
    if len(set(questions)) < len(questions):
        raise CheckFailed("choices-same", "questions: two of them are the same text")
    seed = got["seed"]
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= 10**6:
        raise CheckFailed("choices-form", f"seed: got {seed!r}, want a whole number to a million")
    return {**got, "questions": list(questions)}


def noted(student: Any, name: str) -> Any:
    """One of the measured values."""
    got = student.findings()
    if not isinstance(got, Mapping) or name not in got:
        raise CheckFailed("measured-missing", f"findings() has no {name!r}: run `lab report`")
    return got[name]


def agree(got: Any, want: Any, what: str) -> None:
    """Equal, floats to the digits that are written down."""
    if isinstance(want, Mapping):
        if not isinstance(got, Mapping) or {str(k) for k in got} != {str(k) for k in want}:
            raise CheckFailed("measured-form", f"{what}: want {', '.join(map(str, want))}")
        for key, value in want.items():
            agree(got.get(key, got.get(str(key))), value, f"{what}, {key}")
    elif isinstance(want, list):
        if not isinstance(got, list | tuple) or len(got) != len(want):
            raise CheckFailed("measured-form", f"{what}: want {len(want)} numbers")
        for i, value in enumerate(want):
            agree(got[i], value, f"{what}, {i}")
    elif isinstance(got, bool) or not isinstance(got, int | float):
        raise CheckFailed("measured-form", f"{what}: got {got!r:.60}, want a number")
    elif not abs(got - want) <= NEAR * max(abs(want), 1):
        raise CheckFailed("measured-other", f"{what}: got {got:.6g}, computed again {want:.6g}")


def of_load(measure: Any) -> Any:
    """Measured once for each load."""
    kept = functools.lru_cache(16)(lambda text: measure(json.loads(text)))
    return lambda load: kept(json.dumps(load, sort_keys=True))


@of_load
def growth(load: dict[str, Any]) -> dict[str, Any]:
    engine = Engine(mode="exact", block_size=BLOCK, n_threads=1)
    steps = kv_cache.growth(engine, load["prompt"], GROWN)
    idle = sum(s.taken - s.filled for s in steps) / sum(s.taken for s in steps)
    return {"tokens": steps[-1].tokens, "blocks": steps[-1].blocks, "idle": idle}


@of_load
def reuse(load: dict[str, Any]) -> dict[str, Any]:
    shared, rate = kv_cache.reuse(load["prefix"], load["questions"], block_size=BLOCK)
    saved = 1 - sum(r.computed for r in shared) / sum(r.prompt for r in shared)
    return {"found": [r.found for r in shared], "hit_rate": rate, "saved": saved}


@of_load
def sizes(load: dict[str, Any]) -> dict[str, Any]:
    rows = kv_cache.block_sizes(load["prefix"], load["questions"], SIZES)
    return {str(r.block_size): [r.wasted, r.found, r.entries] for r in rows}


@of_load
def pressure(load: dict[str, Any]) -> dict[str, Any]:
    rows = kv_cache.pressure(load["policies"], load["pools"], seed=load["seed"])
    return {f"{r.policy} {r.n_blocks}": [r.hit_rate, r.evicted] for r in rows}


@check(hole="choices", points=2, title="a load of your own, in the sizes asked for")
def choices_sizes(student, rng):
    loaded(student)


@check(hole="cache_bytes", points=2, title="keys and values of whole blocks")
def cache_bytes_formula(student, rng):
    n, B = int(rng.integers(2, 2000)), int(rng.integers(2, 64))
    L, G, E = (int(rng.integers(2, high)) for high in (80, 32, 256))
    n += n % B == 0  # a last block that is not full
    want = BlockPool.bytes_for(n, B, L, G, E, "F16")
    whole = 2 * L * G * E * 2
    near = {
        "bytes-one-of-two": want // 2,
        "bytes-not-whole": n * whole,
        "bytes-block-more": -(-n // B) * B * whole + (B * whole if n % B else 0),
        "bytes-floor": n // B * B * whole,
    }
    what = f"cache_bytes({n}, {B}, {L}, {G}, {E}, 2)"
    return equal(student.cache_bytes(n, B, L, G, E, 2), want, near=near, what=what)


@check(hole="cache_bytes", points=1, title="exactly full blocks", visibility="hidden")
def cache_bytes_full(student, rng):
    B, k = int(rng.integers(2, 64)), int(rng.integers(1, 9))
    want = BlockPool.bytes_for(B * k, B, 3, 2, 32, "F32")
    near = {
        "bytes-block-more": BlockPool.bytes_for(B * k + 1, B, 3, 2, 32),
        "bytes-one-of-two": want // 2,
    }
    what = f"cache_bytes({B * k}, {B}, 3, 2, 32, 4)"
    return equal(student.cache_bytes(B * k, B, 3, 2, 32, 4), want, near=near, what=what)


@check(hole="findings", points=2, title="memory over time, counted again")
def measured_growth(student, rng):
    load = loaded(student)
    agree(noted(student, "growth"), growth({"prompt": load["prompt"]}), "growth")


@check(hole="findings", points=2, title="work and seconds that fit each other")
def measured_work(student, rng):
    load, work, took = loaded(student), noted(student, "work"), noted(student, "seconds")
    n_prompt = len(Engine().tokenize(load["prompt"]))
    want = {
        "with": kv_cache.work(n_prompt, N_TOKENS, cached=True),
        "without": kv_cache.work(n_prompt, N_TOKENS, cached=False),
        "n_prompt": n_prompt,
        "n_tokens": N_TOKENS,
    }
    agree(work, want, "work")
    for name in ("with", "without"):
        s = took.get(name) if isinstance(took, Mapping) else None
        if isinstance(s, bool) or not isinstance(s, int | float) or not 1e-3 < s < 3600:
            raise CheckFailed("measured-form", f"seconds, {name}: got {s!r:.60}")
    if not 1.2 < took["without"] / took["with"] < 10 * want["without"] / want["with"]:
        ratio = took["without"] / took["with"]
        raise CheckFailed(
            "measured-impossible",
            f"seconds without a cache are {ratio:.3g} times those with one, and the work "
            f"{want['without'] / want['with']:.3g} times",
        )


@check(hole="findings", points=2, title="reuse of the prefix, counted again")
def measured_reuse(student, rng):
    load = loaded(student)
    part = {"prefix": load["prefix"], "questions": load["questions"]}
    agree(noted(student, "reuse"), reuse(part), "reuse")


@check(hole="findings", points=2, title="block sizes, counted again")
def measured_sizes(student, rng):
    load = loaded(student)
    part = {"prefix": load["prefix"], "questions": load["questions"]}
    got = noted(student, "sizes")
    got = {str(k): v for k, v in got.items()} if isinstance(got, Mapping) else got
    agree(got, sizes(part), "sizes")


@check(hole="findings", points=2, title="eviction under pressure, counted again")
def measured_pressure(student, rng):
    load, got = loaded(student), noted(student, "pressure")
    if not isinstance(got, Mapping) or len(got) != len(POLICIES) * len(POOLS):
        raise CheckFailed("measured-form", f"pressure: want {len(POLICIES) * len(POOLS)} rows")
    policy, n = str(rng.choice(POLICIES)), int(rng.choice(POOLS))  # one of them, drawn
    want = pressure({"policies": [policy], "pools": [n], "seed": load["seed"]})
    agree({k: v for k, v in got.items() if k in want}, want, "pressure")
