"""Calls that travel together: what they give, cost and say is what it is one by one."""

from __future__ import annotations

import numpy as np
import pytest

from autograder import sandbox
from autograder.checks import Seeds, check, close, run
from autograder.local import LocalStudent
from autograder.sandbox import Limits, Student, StudentError
from autograder.trace import Traced

SOURCES = {
    "f": "made = 0\ndef f(x, k=1):\n    global made\n    made += 1\n"
    "    if isinstance(x, str):\n        return leave(x)\n"
    "    if x is None:\n        raise ValueError('no x')\n    return x * k\n",
    "leave": "import os\ndef leave(how):\n    while how == 'late': pass\n    os._exit(3)\n",
    "times": "def times(): return made\n",
    "Part": "class Part:\n    def __init__(self, n): self.n = n\n"
    "    def get(self): return self.n\n",
    "own": "def own(x): return part(x) + 1\n",
    "part": "def part(x): return 0\n",
}


@pytest.fixture(scope="module")
def server():
    with sandbox.Server(sandbox.choose()) as server:
        yield server


@pytest.fixture
def walled(server):
    with Student(SOURCES, limits=Limits(call_s=0.4, total_s=20), backend=server) as student:
        yield student


def live():
    names = {"np": np}
    for source in SOURCES.values():
        exec(source, names)
    return LocalStudent(names)


@pytest.fixture(params=["sandbox", "notebook", "traced"])
def student(request, walled):
    return {"sandbox": lambda: walled, "notebook": live, "traced": lambda: Traced(walled)}[
        request.param
    ]()


def heard(student, name, *calls):
    """The values until one raises, and the tag of that."""
    values = []
    try:
        for value in student.several(name, calls):
            values.append(value)
    except StudentError as error:
        return values, error.tag
    return values, ""


def test_they_give_the_values_in_order(student):
    calls = ((2,), {}), ((), {"x": 3, "k": 5}), ((np.ones(3),), {})
    (two, fifteen, ones), tag = heard(student, "f", *calls)
    assert (two, fifteen, tag) == (2, 15, "")
    assert np.array_equal(ones, np.ones(3))
    assert student.times() == 3


def test_the_first_that_raises_ends_them(student):
    assert heard(student, "f", ((1,), {}), ((None,), {}), ((2,), {})) == ([1], "error")
    assert student.times() == 2


def test_none_and_what_is_not_there(student):
    assert heard(student, "f") == ([], "")
    assert heard(student, "nothing", ((1,), {})) == ([], "missing")


def test_objects_come_and_go(student):
    (one, two), tag = heard(student, "Part", ((1,), {}), ((2,), {}))
    assert (one.get(), two.get(), tag) == (1, 2, "")


def test_they_are_one_frame(walled):
    walled.times()
    before = walled._n_requests
    assert heard(walled, "f", ((1,), {}), ((2,), {}), ((3,), {})) == ([1, 2, 3], "")
    assert walled._n_requests == before + 1


@pytest.mark.parametrize(("how", "tag"), [("at once", "killed"), ("late", "timeout")])
def test_where_the_process_ends_they_are_made_again_one_by_one(walled, how, tag):
    assert heard(walled, "f", ((1,), {}), ((how,), {}), ((2,), {})) == ([1], tag)
    assert walled._timeouts.get("f", 0) == (tag == "timeout")
    before = walled._n_requests
    assert heard(walled, "f", ((1,), {}), ((2,), {})) == ([1, 2], "")
    assert walled._n_requests > before + 2  # a new process; and they travel together no more


def test_slow_calls_have_their_own_limits(server):
    slow = {"f": "import time\ndef f(x):\n    time.sleep(0.3)\n    return x\n"}
    with Student(slow, limits=Limits(call_s=0.5, total_s=2), backend=server) as student:
        assert heard(student, "f", *(((n,), {}) for n in range(4))) == ([0, 1, 2, 3], "")
        assert student._timeouts == {}
        assert 1.2 < student._spent_s < 2  # what the first try took is not charged


def test_what_is_lent_is_called_by_each(walled):
    with walled.lent({"part": lambda x: 10 * x}):
        assert heard(walled, "own", ((1,), {}), ((2,), {})) == ([11, 21], "")
    assert heard(walled, "own", ((1,), {})) == ([1], "")


def test_a_failure_shows_the_inputs_of_the_call_that_failed(student):
    @check(hole="f", points=1, title="it gives back")
    def gives_back(student, rng):
        numbers = [1.0, 2.0, 3.0]
        for n, got in zip(
            numbers, student.several("f", [((n, n), {}) for n in numbers]), strict=True
        ):
            close(got, 1 if n == 1 else 5, rtol=0, atol=0, what="f")

    (result,) = run([gives_back], student, Seeds())
    assert "called: f(2, 2)" in result.message


@pytest.mark.parametrize(
    "forged",
    [
        "{}", "{'replies': []}", "{'replies': [1]}", "{'replies': [{'value': 1}] * 3}",
        "{'replies': [{'value': 1}]}", "{'replies': {'error': {}}}",
        "{'replies': [{'error': 1}, {}]}",
    ],
)  # fmt: skip
def test_forged_replies_are_no_data(server, forged):
    source = (
        "import sys\nchild = sys.modules[type(__submission__).__module__]\n"
        f"def f(x):\n    child.write_frame({{'id': x, **{forged}}}, [])\n    return 1\n"
    )
    with Student({"f": source}, limits=Limits(call_s=0.4), backend=server) as student:
        values, tag = heard(student, "f", ((3,), {}), ((3,), {}))
        assert tag == "bad-reply"
        assert values in ([], [1])
