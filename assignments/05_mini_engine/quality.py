"""Checks of the code itself: the student's own tests, and what a machine can say of a text.

Owns: what is asked and the limits. A package that writes nothing has no quality to judge. Of its
tests each group of bugs in planted.py asks for ENOUGH; a test that fails without any bug finds
none. Must not know: solutions, sandboxes, how ruff is called (autograder/style.py).
Read before: planted.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import files
import numpy as np
import planted
from files import F32, Q4_0, Q8_0, Made
from layers import LAYERS
from reading import READING
from running import RUNNING
from writing import WRITING

from autograder import style
from autograder.checks import CheckFailed, Seeds, attempt, check, require

RULES = ("E", "F", "W", "B", "C4", "PIE", "UP")
COMPLEXITY, LONGEST = 10, 50
ENOUGH = 3  # of the four bugs of a group
FUNCTION = (*READING, *LAYERS, *RUNNING, *WRITING)
SHOWN = 6  # findings in a message


def small_model(rng: np.random.Generator) -> Made:
    """The model that `self_test` is given: two layers, one of the formats at random."""
    kind = int(rng.choice([F32, Q8_0, Q4_0]))
    return files.random_model(rng, kind=kind, scale=2.0)


def failed_tests(student: Any, data: bytes) -> set[str]:
    """What `self_test` says; StudentError where it raises."""
    got = student.self_test(data)
    names = isinstance(got, list | tuple) and all(isinstance(n, str) for n in got)
    require(names, f"self_test: got {got!r:.80}, want a list of names", "wrong-type")
    return set(got)


def found(student: Any, bug: str, data: bytes, before: set[str]) -> bool:
    """Does a test fail with the bug that does not fail without it?"""
    with student.planted(bug):
        try:
            return bool(failed_tests(student, data) - before)
        except CheckFailed as failed:
            if failed.tag in ("error", "timeout", "memory"):
                return True  # it ended by an exception: nobody could take that for a success
            raise


def failing_before(student: Any, data: bytes) -> set[str]:
    """What fails without any bug, with wrappers around the pieces or without."""
    before = failed_tests(student, data)
    message = "your tests fail when a piece is wrapped and does what it did"
    require(not found(student, planted.HARMLESS, data, before), message, "tests-see-wrappers")
    return before


@check(hole="self_test", points=1, title="your tests pass on your package, and can fail")
def tests_pass(student, rng):
    data = small_model(rng).data
    before = failing_before(student, data)
    message = "with every weight 0 and every token 0 your tests fail no more than before"
    require(found(student, planted.NOTHING, data, before), message, "tests-never-fail")
    if not before:
        return None
    names = ", ".join(sorted(before))
    if wrong := wrong_part(student):
        return f"accepted: {names} fail, and rightly: see {wrong}"
    raise CheckFailed("own-tests-fail", f"these fail on your own package: {names}")


def wrong_part(student: Any) -> str:
    """The first check of function that fails; a test that fails because of that is a good one."""
    for chk in FUNCTION:
        if attempt(chk, student, Seeds.rng(chk.id, 0)).status != "passed":
            return chk.id
    return ""


def catches(student: Any, rng: np.random.Generator, bugs: Mapping[str, str]) -> str:
    """Require that ENOUGH of these bugs are found.

    A test that fails already, because the package is wrong, can show no bug more: the mistake costs
    its points where it is, so one bug is enough then.
    """
    data = small_model(rng).data
    before = failing_before(student, data)
    missed = [text for text, bug in bugs.items() if not found(student, bug, data, before)]
    n = len(bugs) - len(missed)
    said = f"your tests found {n} of {len(bugs)} bugs planted"
    said += f"; not found: {'; '.join(missed)}" if missed else ""
    masked = 1 <= n < ENOUGH and before and wrong_part(student)
    require(n >= ENOUGH or bool(masked), f"{said}; {ENOUGH} are wanted", "tests-miss-bugs")
    return said


@check(hole="self_test", points=1, title="your tests find bugs in reading")
def tests_catch_reading(student, rng):
    return catches(student, rng, planted.READING)


@check(hole="self_test", points=1, title="your tests find bugs in the layers")
def tests_catch_layers(student, rng):
    return catches(student, rng, planted.LAYERS)


@check(hole="self_test", points=1, title="your tests find bugs in cache and model")
def tests_catch_running(student, rng):
    return catches(student, rng, planted.RUNNING)


@check(hole="self_test", points=1, title="your tests find bugs in sampling and writing")
def tests_catch_writing(student, rng):
    return catches(student, rng, planted.WRITING)


# Text --------------------------------------------------------------------------------------------


def written(student: Any, rng: np.random.Generator) -> Mapping[str, str]:
    """The sources, of a package that is finished and writes three tokens."""
    sources = student.sources
    bare = style.unfinished(sources)
    require(not bare, f"not written yet: {', '.join(bare)}", "not-implemented")
    made = files.random_model(rng)
    got = student.generate(student.Model(made.data), made.tokens(rng, 2), 3)
    alive = isinstance(got, list | tuple) and len(got) > 0
    message = f"the package writes nothing (generate: {got!r:.60}); its text is judged when it does"
    require(alive, message, "nothing-to-judge")
    return sources


def linted(student: Any, sources: Mapping[str, str], rules: tuple[str, ...]) -> list[style.Finding]:
    """What ruff says of a submission, asked once."""
    key = "lint " + ",".join(rules)
    if key not in student.measured:
        student.measured[key] = style.lint(sources, rules, complexity=COMPLEXITY)
    return student.measured[key]


def clean(findings: list[style.Finding], what: str, tag: str) -> None:
    """Require that nothing was found; the first findings are shown."""
    shown = "\n".join(map(str, findings[:SHOWN]))
    more = f"\nand {len(findings) - SHOWN} more" if len(findings) > SHOWN else ""
    require(not findings, f"{what}: {len(findings)}\n{shown}{more}", tag)


@check(hole="self_test", points=2, title="ruff finds nothing (rules E, F, W, B, C4, PIE, UP)")
def style_ruff(student, rng):
    clean(linted(student, written(student, rng), RULES), "ruff's findings", "ruff-finds")


@check(hole="self_test", points=1, title="no function of more than 50 lines or complexity 10")
def style_size(student, rng):
    sources = written(student, rng)
    too_much = [*style.long_functions(sources, LONGEST), *linted(student, sources, ("C901",))]
    clean(too_much, "functions that do too much", "function-too-large")


@check(hole="self_test", points=1, title="types on every public function")
def style_types(student, rng):
    clean(style.untyped(written(student, rng)), "functions without types", "types-missing")


@check(hole="self_test", points=1, title="a docstring for every public function and class")
def style_docstrings(student, rng):
    bare = style.undocumented(written(student, rng))
    clean(bare, "without a docstring", "docstrings-missing")


QUALITY = (tests_pass, tests_catch_reading, tests_catch_layers, tests_catch_running,
           tests_catch_writing, style_ruff, style_size, style_types, style_docstrings)  # fmt: skip
