"""Checks of speed: processor time as a ratio to the yardstick's, multiplications counted.

Owns: what is measured, the limits, the margin for noise. Seconds are never judged: a submission
and yardstick.py take turns in the same sandbox, each in a process of its own, and processor time,
read from outside, is compared. A ratio above a limit is measured again, more often, before it
counts, and of all rounds the best stands, so noise costs no points; limits are several times what a
plain NumPy engine needs. Must not know: solutions, sandboxes. Read before: files.py,
yardstick.py, meter.py (and what it cannot count), composition.py.
"""

from __future__ import annotations

import inspect
import statistics
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import composition
import drive
import files
import meter
import numpy as np
import yardstick
from files import Made

from autograder.checks import CheckFailed, check, require

SIZES = {"L": 3, "D": 128, "H": 4, "G": 2, "E": 32, "F": 384, "V": 512}
DRIVE = inspect.getsource(drive)
YARDSTICK = inspect.getsource(yardstick)
METER = (
    inspect.getsource(meter)
    + """
def meter_on():
    METER.on()

def meter_off():
    METER.off()

def multiplications():
    return METER.n

def dequantize(*args, _right=dequantize, **named):
    return _counted(np.asarray(_right(*args, **named)))
"""
)

ROUNDS = (1, 3, 5)  # turns: the first mostly suffices, more only where the limit is near or passed
CLEAR = 0.7  # of a limit: below it nothing is measured again
N_PROMPT, N_STEPS, N_REPEATS = 64, 24, 3
GENEROUS, STRICT = 15.0, 6.0  # times the yardstick
RECOMPUTES = 0.5  # of what the whole text costs: more in a step than this and it was computed again
LOOPS = 2.0  # times what a right loop over the student's own model takes
GROWS = 4.0  # times: a step after 160 tokens against one after 8, where nothing can be counted


@cache
def model() -> Made:
    """One model for all measurements: 0.8 million numbers, F32, so that reading it is cheap."""
    return files.random_model(np.random.default_rng(5), **SIZES)


def right_enough(
    student: Any, tokens: list[int], got: Any, what: str, n_prompt: int | None = None
) -> None:
    """Speed counts only where the logits are right, or right of the student's own parts."""
    made = model()
    want = made.logits(tokens)[-1]

    def same(other: np.ndarray) -> bool:
        close_by = np.shape(got) == other.shape and np.allclose(
            got, other, rtol=1e-2, atol=1e-2, equal_nan=True
        )
        return bool(close_by)

    if same(want):
        return
    try:
        steps = len(tokens) - (n_prompt or len(tokens))
        chunks = (len(tokens) - steps, *[1] * steps)
        if same(composition.own(student, made, tokens, chunks)()[-1]):
            return
    except CheckFailed:
        pass
    raise CheckFailed(
        "fast-but-wrong", f"{what}: other logits than the model's; make it right first"
    )


def turns(student: Any, work: Callable[[Any], float], n_new: int, starts: list[int]) -> Iterator:
    """Ratios of processor time, better ones as more turns are taken."""
    sizes = model().n
    for rounds in ROUNDS:
        mine, theirs = [], []
        for _ in range(rounds):
            mine.append(work(student))
            with student.instead(YARDSTICK) as other:
                stick = other.Yardstick(sizes, N_PROMPT + N_STEPS + 1)
                stick.passes(starts[:1], n_new)
                before = other.cpu_s
                stick.passes(starts, n_new)
                theirs.append(other.cpu_s - before)
        yield statistics.median(mine) / max(statistics.median(theirs), 1e-4)


def within(student: Any, limit: float, work: Callable, n_new: int, starts: list[int], what: str):
    """Require a ratio below the limit in one of the measurements.

    Nothing here depends on a draw, so what was measured of a submission stands for all; only
    a ratio that is not clearly good enough is measured again.
    """
    best = student.measured.get(work.__name__, float("inf"))
    if best >= CLEAR * limit:
        for ratio in turns(student, work, n_new, starts):
            best = student.measured[work.__name__] = min(best, ratio)
            if best < CLEAR * limit:
                break
    said = f"{what}: {best:.1f} times the yardstick's processor time, at most {limit:g} is wanted"
    require(best <= limit, said, "slow")
    return f"{best:.1f} times the yardstick, {limit:g} allowed"


def decoding(student: Any) -> float:
    """Processor seconds of N_STEPS cached steps after a prompt."""
    made, rng = model(), np.random.default_rng(7)
    tokens = made.tokens(rng, N_PROMPT + N_STEPS)
    with student.planted(DRIVE):
        one = student.Model(made.data)
        cached = one.new_cache(len(tokens) + 1)
        one.forward(tokens[:N_PROMPT], cached)
        before = student.cpu_s
        got = student.drive_steps(one, cached, tokens[N_PROMPT:])
        spent = student.cpu_s - before
    right_enough(student, tokens, got, "cached decoding", N_PROMPT)
    return spent


def prefill(student: Any) -> float:
    """Processor seconds of N_REPEATS prompts."""
    made, rng = model(), np.random.default_rng(8)
    tokens = made.tokens(rng, N_PROMPT)
    with student.planted(DRIVE):
        one = student.Model(made.data)
        student.drive_prompt(one, tokens, 1)
        before = student.cpu_s
        got = student.drive_prompt(one, tokens, N_REPEATS)
        spent = student.cpu_s - before
    right_enough(student, tokens, got, "a prompt in one pass")
    return spent


STEPS = [N_PROMPT + i for i in range(N_STEPS)]


@check(hole="Model", points=3, title="cached decoding within 15 times the yardstick")
def decode_time(student, rng):
    return within(student, GENEROUS, decoding, 1, STEPS, f"{N_STEPS} cached steps")


@check(hole="Model", points=3, title="cached decoding within 6 times the yardstick")
def decode_time_strict(student, rng):
    return within(student, STRICT, decoding, 1, STEPS, f"{N_STEPS} cached steps")


@check(hole="Model", points=3, title="a prompt within 15 times the yardstick")
def prefill_time(student, rng):
    what = f"a prompt of {N_PROMPT} tokens"
    return within(student, GENEROUS, prefill, N_PROMPT, [0] * N_REPEATS, what)


@check(hole="Model", points=3, title="a prompt within 6 times the yardstick")
def prefill_time_strict(student, rng):
    what = f"a prompt of {N_PROMPT} tokens"
    return within(student, STRICT, prefill, N_PROMPT, [0] * N_REPEATS, what)


# Work --------------------------------------------------------------------------------------------


def weights_of(made: Made) -> int:
    """Numbers in the matrices of the layers: as many multiplications a token takes at least."""
    return sum(w.size for name, w in made.weights.items() if w.ndim == 2 and "blk" in name)


def counted(student: Any, work: Callable[[Callable[[], int]], Any]) -> Any:
    """Run ``work(reading)`` while multiplications are counted; ``reading()`` is the number now."""
    with student.planted(METER + DRIVE):
        student.meter_on()
        try:
            return work(student.multiplications)
        finally:
            student.meter_off()


def steps_grow(student: Any, made: Made) -> float:
    """Processor time of a step late in a text as a multiple of one early in it."""
    tokens = made.tokens(np.random.default_rng(9), 180)
    best = float("inf")
    for _ in range(3):
        spent = []
        with student.planted(DRIVE):
            one = student.Model(made.data)
            for start in (8, 160):
                cached = one.new_cache(200)
                one.forward(tokens[:start], cached)
                before = student.cpu_s
                student.drive_steps(one, cached, tokens[start : start + 12])
                spent.append(student.cpu_s - before)
        best = min(best, spent[1] / max(spent[0], 1e-4))
    return best


@check(hole="Model", points=4, title="a step computes one token, not the text before it")
def decode_work(student, rng):
    made = model()
    n = 30 + int(rng.integers(10))
    tokens = made.tokens(rng, n + 4)

    def work(reading: Callable[[], int]) -> tuple[list[int], Any]:
        one = student.Model(made.data)
        cached = one.new_cache(n + 8)
        marks = [reading()]
        one.forward(tokens[:n], cached)
        marks.append(reading())
        got = student.drive_steps(one, cached, tokens[n:])
        marks.append(reading())
        return marks, got

    (start, after_prompt, after_steps), got = counted(student, work)
    right_enough(student, tokens, got, "cached decoding", n)
    whole, step = after_prompt - start, (after_steps - after_prompt) / 4
    if step >= 0.5 * weights_of(made) and whole >= 0.5 * weights_of(made) * n:
        said = f"a step after {n} tokens takes {step / whole:.0%} of the multiplications of all {n}"
        require(step < RECOMPUTES * whole, f"{said}; about {1 / n:.0%} is wanted", "recomputes")
        return f"counted: {said}"
    grown = steps_grow(student, made)
    said = f"a step after 160 tokens takes {grown:.1f} times the processor time of one after 8"
    require(grown <= GROWS, f"{said}, at most {GROWS:g} is wanted", "recomputes")
    return f"not counted, timed: {said}"


@check(hole="generate", points=4, title="n new tokens cost the prompt and n passes of one token")
def generate_work(student, rng):
    """Against a right loop over the student's own model, whatever a pass of that costs."""
    made = model()
    n_prompt, n_new = 20, 12 + int(rng.integers(6))
    prompt = made.tokens(rng, n_prompt)

    def work(reading: Callable[[], int]) -> list[int]:
        one = student.Model(made.data)
        marks = [reading()]
        for loop in (_theirs, _ours):
            loop(student, one, prompt, n_new)
            marks.append(reading())
        return marks

    start, after_theirs, after_ours = counted(student, work)
    theirs, ours = after_theirs - start, after_ours - after_theirs
    if min(theirs, ours) >= 0.5 * weights_of(made) * (n_prompt + n_new - 1):
        ratio, how = theirs / ours, "multiplications"
    else:
        ratio, how = _loops_timed(student, made, prompt, n_new), "processor time"
    said = f"{n_new} tokens after {n_prompt} take {ratio:.1f} times the {how} of one pass over the"
    said += " prompt and one for each token after it"
    require(ratio <= LOOPS, f"{said}; about 1 is wanted", "generates-without-cache")
    return said


def _theirs(student: Any, one: Any, prompt: list[int], n_new: int) -> None:
    got = student.generate(one, prompt, n_new)
    there = isinstance(got, list | tuple) and len(got) == n_new
    require(there, f"generate of {n_new} tokens: got {got!r:.80}", "wrong-type")


def _ours(student: Any, one: Any, prompt: list[int], n_new: int) -> None:
    cached = one.new_cache(len(prompt) + n_new)
    one.forward(prompt, cached)
    student.drive_steps(one, cached, prompt[: n_new - 1])


def _loops_timed(student: Any, made: Made, prompt: list[int], n_new: int) -> float:
    """The best of three ratios of processor time, student's loop to right loop."""
    best = float("inf")
    with student.planted(DRIVE):
        one = student.Model(made.data)
        for _ in range(3):
            marks = [student.cpu_s]
            for loop in (_theirs, _ours):
                loop(student, one, prompt, n_new)
                marks.append(student.cpu_s)
            best = min(best, (marks[1] - marks[0]) / max(marks[2] - marks[1], 1e-4))
    return best


SPEED = (decode_time, decode_time_strict, prefill_time, prefill_time_strict, decode_work,
         generate_work)  # fmt: skip
