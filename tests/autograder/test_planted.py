"""What a check may put into a submission's process, and what it may ask of it."""

from __future__ import annotations

import linecache
import time

import pytest

from autograder import checks, grade, sandbox
from autograder.checks import CheckFailed, Seeds, check
from autograder.local import LocalStudent
from autograder.trace import Traced

SOURCES = {
    "f": "def f(n):\n    return n + 1\n",
    "g": "def g(n):\n    return 10 * f(n)\n\n\ndef spin(n):\n    return sum(range(n))\n",
}
BUG = "X = 3\n\n\ndef f(n, _right=f):\n    return -_right(n)\n\n\ndef extra():\n    return X\n"


@pytest.fixture(params=["sandbox", "local", "traced"])
def student(request):
    if request.param != "sandbox":
        namespace = {}
        for source in SOURCES.values():
            exec(source, namespace)
        local = LocalStudent(namespace, sources=SOURCES)
        yield Traced(local) if request.param == "traced" else local
        return
    with sandbox.Student(SOURCES, backend=grade.named(grade.ready())) as found:
        yield found


def test_what_is_planted_is_seen_by_all_and_gone_afterwards(student):
    with student.planted(BUG):
        assert (student.g(1), student.f(1), student.extra()) == (-20, -2, 3)
    assert (student.g(1), student.f(1)) == (20, 2)
    with pytest.raises(CheckFailed, match="not defined"):
        student.extra()


def test_it_is_gone_after_a_failure_too(student):
    with pytest.raises(ZeroDivisionError), student.planted(BUG):
        raise ZeroDivisionError
    assert student.g(1) == 20


def test_another_program_shares_nothing_with_the_submission(student):
    assert student.f(1) == 2
    with student.instead("def h():\n    return 'f' in globals()\n") as other:
        assert other.h() is False
    assert student.f(1) == 2


def test_processor_time_is_that_of_the_submission(student):
    student.spin(10)
    before, started = student.cpu_s, time.perf_counter()
    student.spin(2_000_000)
    spent = student.cpu_s - before
    assert 0 < spent <= (time.perf_counter() - started) * 1.5 + 0.02


def test_the_sources_are_those_of_the_holes(student):
    assert dict(student.sources) == SOURCES


def test_a_process_that_ends_takes_what_was_planted_with_it():
    with sandbox.Student(SOURCES, backend=grade.named(grade.ready())) as student:
        leave = "import os\n\n\ndef leave():\n    os._exit(3)\n"
        with student.planted(leave), pytest.raises(CheckFailed, match="ended"):
            student.leave()
        assert student.f(1) == 2
        with pytest.raises(CheckFailed, match="not defined"):
            student.leave()


def test_a_cell_of_a_notebook_is_found_by_the_code_it_made():
    text = "class C:\n    def m(self):\n        return helper()\n\n\ndef helper():\n    return 1\n"
    linecache.cache["<cell 7>"] = (len(text), None, text.splitlines(True), "<cell 7>")
    namespace = {}
    exec(compile(text, "<cell 7>", "exec"), namespace)
    found = LocalStudent(namespace, ["C", "helper", "missing"]).sources
    assert found == {"C": text, "helper": text}


def test_what_was_measured_of_a_submission_is_kept_for_its_other_checks():
    seen = []

    @check(hole="f", points=1, title="counts")
    def counts(student, rng):
        student.measured["n"] = student.measured.get("n", 0) + 1
        seen.append(student.measured["n"])

    local = LocalStudent({}, sources={})
    assert checks.run([counts, counts], local, Seeds((0, 1)))
    assert seen == [1, 2, 3, 4]
