"""Engines broken on purpose: each in exactly one part, for lab 2.5 and the interview's questions.

    from course.broken import BROKEN, engine
    print(BROKEN["stutter"].symptom)
    print(BROKEN["stutter"].scene(engine("stutter")))     # a text in which it is seen
    print(source("stutter"))                              # the part that is broken
    print(what_is_wrong("stutter", my_mask))              # with another function in its place

Owns: BROKEN, a row an engine, named after what one sees. Must not know: labs, questions, marks.
Each row's part is the function of its name in ``course/broken/NAME.py``; ``network.py`` says what
it gets and gives. Nothing global is changed: a part belongs to the engine that was made with it.
"""

from __future__ import annotations

import functools
import importlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from course.broken import scenes, trial
from course.broken.network import Parts, PartsEngine, trace
from minengine.errors import RequestError

__all__ = [
    "BROKEN",
    "Broken",
    "Parts",
    "PartsEngine",
    "engine",
    "right",
    "right_text",
    "source",
    "trace",
    "what_is_wrong",
]

ANSWERS = Path(__file__).with_name("answers.yaml")  # instructors have it, students do not


@dataclass(frozen=True)
class Broken:
    """One broken engine: ``part`` is the field of ``Parts`` that is exchanged.

    ``symptom`` is what a user would report; ``scene(engine)`` gives a text in which it is seen, on
    an engine made with ``options``.
    """

    name: str
    part: str
    symptom: str
    scene: Callable[[PartsEngine], str]
    options: tuple[tuple[str, Any], ...] = ()

    @property
    def title(self) -> str:
        """What is wrong, in a few words: for instructors, empty where their file is not there."""
        return self._answer("title")

    @property
    def differs(self) -> str:
        """How the part differs from a right one, in a sentence or two: for instructors."""
        return self._answer("differs")

    def broken(self) -> Callable:
        """The part that is broken, as ``course/broken/NAME.py`` has it."""
        return getattr(importlib.import_module(f"course.broken.{self.name}"), self.part)

    def _answer(self, key: str) -> str:
        if not ANSWERS.exists():
            return ""
        return yaml.safe_load(ANSWERS.read_text(encoding="utf-8"))[self.name][key]


def engine(name: str, part: Callable | None = None, /, *args: Any, **options: Any) -> PartsEngine:
    """The engine of this row of BROKEN; the packaged model unless a path is given.

    ``part`` takes the place of the one that is broken: a fix to be tried. Options are those of
    ``minengine.Engine``, those of the row unless given. RequestError for a name that has no row.
    """
    row = _row(name)
    parts = Parts(**{row.part: part or row.broken()})
    return PartsEngine(parts, *args, **(dict(row.options) | options))


def right(name: str | None = None, /, *args: Any, **options: Any) -> PartsEngine:
    """The engine with nothing broken, made with the options of a row of BROKEN."""
    return PartsEngine(None, *args, **((dict(_row(name).options) if name else {}) | options))


@functools.cache
def right_text(name: str) -> str:
    """The scene of a row as an engine with nothing broken plays it."""
    return _row(name).scene(right(name))


def source(name: str) -> str:
    """The text of the part that is broken."""
    return inspect.getsource(inspect.getmodule(_row(name).broken()))


def what_is_wrong(name: str, part: Callable, *, seed: int = 0, first: bool = False) -> list[str]:
    """All that tells an engine with this part from the right one; nothing where the fix is right.

    By itself, in the logits (prompt, pieces, single tokens), in the text of the row's scene;
    ``first`` stops at the first difference.
    """
    row, rng, mended = _row(name), np.random.default_rng(seed), engine(name, part)
    looks = (
        lambda: trial.part_differs(row.part, mended.parts.get(row.part), rng),
        lambda: trial.logits_differ(mended, right(), rng),
        lambda: trial.text_differs(row.scene(engine(name, part)), right_text(name)),
    )
    found: list[str] = []
    for look in looks:
        try:
            text = look()
        except Exception as error:  # noqa: BLE001 - a part under repair may do anything
            text = f"{type(error).__name__}: {error}"
        found += [text] if text else []
        if found and first:
            break
    return found


def _row(name: str) -> Broken:
    if name not in BROKEN:
        raise RequestError(f"engine {name!r}: there is {', '.join(BROKEN)}")
    return BROKEN[name]


def _spoken(**options: Any) -> Callable[[PartsEngine], str]:
    return functools.partial(scenes.spoken, **options)


GREEDY = _spoken(greedy=True)
ROWS = (
    # the six of lab 2.5
    Broken(
        "foreign_words",
        "merge",
        "English, but an answer to something else: a love scene is answered with lords and crowns.",
        GREEDY,
    ),
    Broken(
        "noise",
        "dequantize",
        "Not one readable word, whatever the prompt is.",
        _spoken(seed=1),
    ),
    Broken(
        "wanders",
        "rope",
        "Real words, but no sentence holds together, and phrases come again and again.",
        GREEDY,
    ),
    Broken(
        "stutter",
        "mask",
        "The first word fits, then the text falls into a stutter.",
        GREEDY,
    ),
    Broken(
        "late_collapse",
        "positions",
        "Good for a while; once the window is full the text decays into scraps of words.",
        _spoken(seed=3, max_tokens=110, token_eviction="window", n_cells=64),
    ),
    Broken(
        "obsession",
        "penalize",
        "The stronger the repetition penalty, the more it repeats itself.",
        _spoken(temperature=0.0, repeat_penalty=1.3),
    ),
    # those of the interview
    Broken(
        "crowd",
        "rms_norm",
        "Names and empty lines; the same prompt read one token a pass is answered well.",
        GREEDY,
    ),
    Broken(
        "other_heads",
        "kv_head",
        "Words run together and stop in the middle; the layout of a play is still there.",
        _spoken(prompt="ROMEO:\nWhat", greedy=True),
    ),
    Broken(
        "overflow",
        "softmax",
        "An error about NaN for some prompts, at the first token.",
        GREEDY,
    ),
    Broken(
        "eavesdropper",
        "block_key",
        "With several users an answer names somebody who stands in another user's prompt only.",
        scenes.shared,
        (("block_size", scenes.BLOCK),),
    ),
    Broken(
        "ghost",
        "gather",
        "The first answer is fine; after 'try again' the second one falls apart.",
        scenes.again,
    ),
    Broken(
        "monotony",
        "next_mu",
        "With mirostat the text starts well and ends in a loop, whatever tau is.",
        _spoken(seed=3, max_tokens=80, mirostat=2, mirostat_tau=3.0, mirostat_eta=0.3),
    ),
)
BROKEN: dict[str, Broken] = {row.name: row for row in ROWS}
