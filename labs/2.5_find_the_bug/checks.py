"""Checks of lab 2.5: a mended engine is held against the right one.

The student's function is called through the pipe for every token, in an engine of ours: nothing of
the submission runs here. Owns: the list, three checks an engine. Must not know: solutions,
sandboxes. Read before: course/broken/trial.py (the comparison), mistakes.py
beside it (wrong fixes by name).
"""

from __future__ import annotations

import functools

import numpy as np

from autograder.checks import Check, check
from autograder.errors import CheckFailed
from course import broken
from course.broken import mistakes, network, scenes, trial
from course.broken.mistakes import MISTAKES

JUDGES = (broken, mistakes, network, scenes, trial)  # a result depends on what stands there
TITLES = {
    "foreign_words": "a merge that gives the model's own tokens",
    "noise": "weights as they were stored",
    "wanders": "the rotation that this model was trained with",
    "stutter": "a mask for prompts and for decoding",
    "late_collapse": "positions after something was forgotten",
    "obsession": "a penalty that makes tokens less likely",
}
PROMPTS = (
    "First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\n",
    "GLOUCESTER:\nNow is the winter of our discontent made glorious summer;\n",
    "KATHARINA:\nFie, fie! unknit that threatening unkind brow, and dart not",
    "MIRANDA:\nIf by your art, my dearest father, you have put the wild waters",
)
# what is asked of another prompt: little, and where tokens are forgotten enough for that
SHORT = {name: {"max_tokens": 30} for name in TITLES} | {
    "late_collapse": {"max_tokens": 60, "n_cells": 48}
}


def same(got: object, want: object) -> bool:
    """Equal as a probe compares."""
    if isinstance(want, np.ndarray):
        fits = np.shape(got) == want.shape
        return fits and np.allclose(got, want, rtol=1e-4, atol=1e-5, equal_nan=True)
    return got == want


def alone(part: str, student, rng) -> None:
    """The function by itself; a wrong fix that is known is named."""
    seed, probe = int(rng.integers(2**31)), trial.PROBES[part]
    message = trial.part_differs(part, getattr(student, part), np.random.default_rng(seed))
    if not message:
        return
    got = probe(getattr(student, part), np.random.default_rng(seed))[0]
    for tag, mistake in MISTAKES[part].items():
        with np.errstate(all="ignore"):
            if same(got, probe(mistake, np.random.default_rng(seed))[0]):
                raise CheckFailed(tag, message)
    raise CheckFailed(f"{part}-differs", message)


def scene(name: str, part: str, student, rng) -> None:
    """The scene of the symptom, word for word."""
    played = broken.BROKEN[name].scene(broken.engine(name, getattr(student, part)))
    message = trial.text_differs(played, broken.right_text(name))
    if message:
        raise CheckFailed(f"{part}-still-seen", message)


def elsewhere(name: str, part: str, student, rng) -> None:
    """Drawn tokens and another prompt, with the row's own options."""
    mended = broken.engine(name, getattr(student, part))
    message = trial.logits_differ(mended, right(), rng)
    play = broken.BROKEN[name].scene
    prompt = PROMPTS[int(rng.integers(len(PROMPTS)))]
    text = play(mended, prompt=prompt, **SHORT[name])
    message = message or trial.text_differs(text, right_text(name, prompt))
    if message:
        raise CheckFailed(f"{part}-elsewhere", message)


@functools.cache
def right() -> network.PartsEngine:
    return broken.right()


@functools.cache
def right_text(name: str, prompt: str) -> str:
    """What the right engine writes to a prompt, as the row plays it."""
    return broken.BROKEN[name].scene(broken.right(name), prompt=prompt, **SHORT[name])


def three(name: str) -> dict[str, Check]:
    """The checks of one engine, named after its part."""
    part = broken.BROKEN[name].part
    title, made = TITLES[name], {}
    for kind, points, says, visibility, function in (
        ("alone", 1, f"{title}: by itself", "visible", functools.partial(alone, part)),
        ("scene", 2, f"{name}: the symptom is gone", "visible",
         functools.partial(scene, name, part)),
        ("elsewhere", 1, f"{title}: on other texts", "hidden",
         functools.partial(elsewhere, name, part)),
    ):  # fmt: skip
        function.__name__ = f"{part}_{kind}"
        fixed = kind == "scene"
        make = check(hole=part, points=points, title=says, visibility=visibility, fixed=fixed)
        made[function.__name__] = make(function)
    return made


for name in TITLES:
    globals().update(three(name))
