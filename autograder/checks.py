"""Checks: what one is, on which draws it runs, and what its result says.

A check is a plain function ``(student, rng)`` that calls the student's code through ``student`` and
raises CheckFailed (through close, equal, require) where the reply is wrong:

    @check(hole="rms_norm", points=2, title="eps stands inside the root")
    def eps_inside(student, rng):
        x, w = rng.normal(size=(3, 8)) * 1e-3, rng.normal(size=8)
        want = oracle.rms_norm(x, w, 1e-2)
        return close(student.rms_norm(x, w, eps=1e-2), want, rtol=1e-5, atol=0,
                     near={"eps-outside-root": lambda: ...}, what="rms_norm(x, w, eps=0.01)")

It may return a note (``close`` does where the student's own parts explain the difference). A check
of a task that builds on others says which (``relying_on``): a mistake costs its points once.
Besides calls ``student`` has ``observe``, ``several``, ``planted``, ``instead``, ``sources``,
``cpu_s``, ``measured``, ``workshop`` (sandbox.Student says what they are; LocalStudent has the
same).
Owns: the decorators, the draws, Result. Must not know: notebooks, sandboxes, files.
Read before: difference.py, hints.py, trace.py.
"""

from __future__ import annotations

import copy
import functools
import hashlib
import hmac
import itertools
import time
import warnings
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from autograder.difference import close, equal, expect_dtype, expect_shape, require
from autograder.errors import AutograderError, CheckFailed, CourseError
from autograder.hints import SHARED, Hint
from autograder.trace import Traced

__all__ = [
    "Check",
    "CheckFailed",
    "Result",
    "Seeds",
    "check",
    "close",
    "equal",
    "expect_dtype",
    "expect_shape",
    "of_module",
    "relying_on",
    "require",
    "run",
]

VISIBILITIES = ("visible", "hidden", "after_due_date", "after_published")
# A failure with one of these tags is of the code's running, not of its answer: it is the status.
STATUSES = ("error", "timeout", "killed", "memory", "missing", "bad-reply", "not-implemented")
TRIES = 20  # public seeds tried for one that shows a hidden failure
Draw = tuple[np.random.Generator, int, bool]
PROBES = 3  # public draws of each of its checks that say whether a part is right


@dataclass(frozen=True)
class Check:
    """One check of one hole; ``id`` is the function's name and stands in the CLI and in results.

    One that is ``fixed`` draws nothing, so it runs once, however many draws are asked for.
    """

    id: str
    hole: str
    points: float
    title: str
    visibility: str
    function: Callable[[Any, np.random.Generator], str | None] = field(compare=False)
    fixed: bool = False

    def __call__(self, student: Any, rng: np.random.Generator) -> str | None:
        return self.function(student, rng)


def check(
    *, hole: str, points: float, title: str, visibility: str = "visible", fixed: bool = False
) -> Callable[[Callable], Check]:
    """Make a function ``(student, rng)`` the check of its name. CourseError for a bad option."""
    if visibility not in VISIBILITIES:
        raise CourseError(f"check of {hole}: visibility {visibility!r}, want one of {VISIBILITIES}")
    if not points > 0:
        raise CourseError(f"check of {hole}: points {points!r}, want a positive number")

    def make(function: Callable[[Any, np.random.Generator], str | None]) -> Check:
        return Check(function.__name__, hole, points, title, visibility, function, fixed)

    return make


def relying_on(*parts: Check, right: Any) -> Callable[[Callable], Callable]:
    """A check whose task builds on those of ``parts``; ``right`` has right functions for them.

        @check(hole="append", points=1, title="...")
        @relying_on(slots_values, allocate_values, right=oracle_cache)
        def append_fills(student, rng): ...

    Where it fails and some of those checks fail too, it is run again on the same inputs with the
    functions of their tasks lent by the grader, so that what this task is about is judged by
    itself. A pass is then a pass, with a note that says so; a failure is this task's own.
    """

    def make(function: Callable) -> Callable:
        @functools.wraps(function)
        def judged(student: Any, rng: np.random.Generator) -> str | None:
            same = copy.deepcopy(rng)
            outcome = attempt(function, student, rng)
            if outcome.status != "passed" and (wrong := _wrong(parts, student)):
                with student.lent({name: getattr(right, name) for name in wrong}):
                    outcome = attempt(function, student, same)
                outcome = _with_parts(outcome, wrong)
            if outcome.status != "passed":
                raise CheckFailed(outcome.tag, outcome.message)
            return outcome.note

        return judged

    return make


def _wrong(parts: Iterable[Check], student: Any) -> list[str]:
    """The tasks of which a check fails on a public draw, in the order of ``parts``."""
    known = student.known if isinstance(student, Traced) else {}
    wrong: list[str] = []
    for part in parts:
        if part.hole in wrong:
            continue
        if part.id not in known:
            draws = (Seeds.rng(part.id, seed) for seed in range(PROBES))
            known[part.id] = all(attempt(part, student, rng).status == "passed" for rng in draws)
        wrong += [] if known[part.id] else [part.hole]
    return wrong


def _with_parts(outcome: Outcome, names: list[str]) -> Outcome:
    """The outcome of a run with lent parts, in words."""
    *others, last = names
    how = f"a right {last} in the place of yours"
    if others:
        how = f"right ones in the place of your {', '.join(others)} and {last}"
    if outcome.status == "passed":
        verb = "are" if others else "is"
        return replace(outcome, note=f"accepted with {how}, which {verb} judged apart")
    return replace(outcome, message=f"{outcome.message}\n(that is with {how})")


def of_module(namespace: Mapping[str, Any]) -> list[Check]:
    """The checks a module defines, in the order of the text. CourseError for a name given twice."""
    found = [v for v in namespace.values() if isinstance(v, Check)]
    ids = [c.id for c in found]
    if len(set(ids)) < len(ids):
        raise CourseError(f"two checks have one name: {sorted(i for i in ids if ids.count(i) > 1)}")
    return found


@dataclass(frozen=True)
class Result:
    """What one check said of one submission: a fact, from which marks are derived.

    ``status`` is passed, failed, or one of STATUSES; ``tag`` names the misconception (empty
    if passed); ``hint`` is its sentence; ``replay`` the public command that shows the same class of
    failure; ``note`` may stand beside a pass.
    """

    check: str
    hole: str
    title: str
    points: float
    max_points: float
    status: str
    tag: str
    message: str
    hint: str
    visibility: str
    seconds: float
    note: str = ""
    replay: str = ""

    @property
    def passed(self) -> bool:
        return self.status == "passed"

    def to_dict(self) -> dict[str, Any]:
        return dict(vars(self))  # plain values all

    @classmethod
    def from_dict(cls, row: Mapping[str, Any]) -> Result:
        return cls(**{k: row[k] for k in cls.__dataclass_fields__ if k in row})


@dataclass(frozen=True)
class Seeds:
    """The draws a check runs on: each public seed, then ``draws`` that follow from ``secret``.

    ``secret`` is a key of one student (``Seeds.of`` derives it), so inputs differ per student and a
    regrade repeats. With ``draws`` 0 there are no secret draws.
    """

    public: tuple[int, ...] = (0,)
    secret: bytes = b""
    draws: int = 0

    @classmethod
    def of(cls, secret: bytes, assignment: str, student: str, draws: int = 3) -> Seeds:
        """One student's seeds: HMAC-SHA256 of assignment and student under the course's secret."""
        if len(secret) < 16:
            raise CourseError(f"the course's secret has {len(secret)} bytes, want at least 16")
        text = f"{len(assignment)}:{assignment}/{student}".encode()
        return cls((0,), hmac.new(secret, text, hashlib.sha256).digest(), draws)

    @staticmethod
    def rng(check_id: str, seed: int) -> np.random.Generator:
        """The public draw number ``seed`` of a check; the same everywhere."""
        return np.random.default_rng([abs(int(seed)), zlib.crc32(check_id.encode())])

    def secret_rng(self, check_id: str, i: int) -> np.random.Generator:
        """The i-th secret draw of a check."""
        key = hmac.digest(self.secret, f"{i}:{check_id}".encode(), "sha256")
        return np.random.default_rng(int.from_bytes(key, "big"))

    def draws_of(self, check_id: str) -> list[Draw]:
        """(generator, its public seed or 0, is it secret) of each draw, the public ones first."""
        public = [(self.rng(check_id, seed), seed, False) for seed in self.public]
        return public + [(self.secret_rng(check_id, i), 0, True) for i in range(self.draws)]


@dataclass(frozen=True)
class Outcome:
    """One run of one check on one draw."""

    status: str
    tag: str = ""
    message: str = ""
    note: str = ""


def run(
    checks: Iterable[Check],
    student: Any,
    seeds: Seeds | None = None,
    *,
    hints: Mapping[str, Hint] | None = None,
    reveal: bool = False,
    notebook: str = "NOTEBOOK.ipynb",
) -> list[Result]:
    """Run each check on every draw of ``seeds`` until one fails, one that draws nothing once.

    Never raises for what a student did. A failure on the public draw of a visible check shows all.
    A failure that only a secret draw shows, or of a check that is not visible, shows title, tag,
    hint and a command to replay it, unless ``reveal`` (at home there is nothing to hide).
    """
    ladder, chosen = SHARED if hints is None else hints, list(checks)
    seeds, known = seeds or Seeds(), {}
    drawn = [seeds.draws_of(c.id) for c in chosen]  # at once: one between calls costs four times it
    return [
        one(c, Traced(student, known), draws, ladder, reveal, notebook)
        for c, draws in zip(chosen, drawn, strict=True)
    ]


def one(
    chk: Check,
    traced: Traced,
    draws: Iterable[Draw],
    hints: Mapping[str, Hint],
    reveal: bool = False,
    notebook: str = "NOTEBOOK.ipynb",
) -> Result:
    """The result of one check."""
    started = time.perf_counter()
    outcome, seed, secret = _first_failure(chk, traced, draws)
    message, replay = outcome.message, ""
    hint = hints.get(outcome.tag) or SHARED.get(outcome.tag)
    sentence = hint.idea if hint else ""
    if outcome.status != "passed":
        if not reveal and (secret or chk.visibility != "visible"):
            message = "fails on inputs that are not shown"
            seed = _similar(chk, traced, outcome) if secret else seed
        else:
            message = "\n".join(filter(None, (message, traced.inputs(chk.hole))))
            sentence = " ".join(filter(None, (sentence, hint.where if hint else "")))
        replay = f"autograder check {notebook} --only {chk.id} --seed {seed}"
    return Result(
        check=chk.id,
        hole=chk.hole,
        title=chk.title,
        points=chk.points if outcome.status == "passed" else 0.0,
        max_points=chk.points,
        status=outcome.status,
        tag=outcome.tag,
        message=message,
        hint=sentence,
        visibility=chk.visibility,
        seconds=round(time.perf_counter() - started, 6),
        note=outcome.note,
        replay=replay,
    )


def _first_failure(chk: Check, student: Traced, draws: Iterable[Draw]) -> tuple[Outcome, int, bool]:
    """(the first outcome that is no pass, or the first; its public seed; was the draw secret)."""
    passed = Outcome("passed")
    for rng, seed, secret in itertools.islice(draws, 1) if chk.fixed else draws:
        outcome = attempt(chk, student, rng)
        if outcome.status != "passed":
            return outcome, seed, secret
        if not secret:
            passed = replace(passed, note=passed.note or outcome.note)
    return passed, 0, False


def _similar(chk: Check, student: Traced, outcome: Outcome) -> int:
    """A public seed that fails with the same tag, else 0; a child that died is not tried."""
    if outcome.status in ("timeout", "killed", "memory"):
        return 0
    for seed in range(1, TRIES + 1):
        if attempt(chk, student, Seeds.rng(chk.id, seed)).tag == outcome.tag:
            return seed
    return 0


def attempt(chk: Check, student: Any, rng: np.random.Generator) -> Outcome:
    """One run of a check; whatever the reply makes the check raise is a failure, no crash."""
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            note = chk(student, rng)
    except CheckFailed as failed:
        status = failed.tag if failed.tag in STATUSES else "failed"
        return Outcome(status, failed.tag, str(failed))
    except AutograderError:
        raise
    except Exception as error:  # noqa: BLE001 - a reply of an unforeseen kind must cost one check only
        text = f"the check could not use what came back ({type(error).__name__}: {error})"
        return Outcome("failed", "wrong-type", text[:2000])
    return Outcome("passed", note=note if isinstance(note, str) else "")
