"""Right functions in the place of wrong ones: what is lent, for how long, and to no thief."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from autograder import checks, loans, sandbox
from autograder.checks import CheckFailed, Seeds, check, relying_on, require
from autograder.local import LocalStudent
from autograder.sandbox import Limits, Student, StudentError

SOURCES = {
    "part": "def part(state, n):\n    return -1\n",
    "whole": "def whole(state, n):\n    return part(state, n) + 1\n",
    "Box": "class Box:\n    def __init__(self): self.state = {'seen': []}\n"
    "    def whole(self, n): return whole(self.state, n)\n"
    "    def seen(self): return self.state['seen']\n",
    "thief": "kept = []\n"
    "def thief(state, n):\n    kept.append(part)\n    return part(state, n)\n"
    "def again(state, n):\n    return kept[0](state, n)\n",
}


def part(state, n):
    """The right one: notes n, doubles it."""
    state["seen"].append(n)
    state.setdefault("rows", np.zeros(2))[0] = n
    return 2 * n


@pytest.fixture(scope="module")
def server():
    with sandbox.Server(sandbox.choose()) as server:
        yield server


@pytest.fixture
def inside(server):
    """``inside(**more sources)``: a submission in the sandbox."""
    made = []

    def make(limits=None, **more):
        made.append(Student(SOURCES | more, backend=server, limits=limits or Limits(call_s=1.0)))
        return made[-1]

    yield make
    for student in made:
        student.close()


def live():
    names = {"np": np}
    for source in SOURCES.values():
        exec(source, names)
    return LocalStudent(names)


@pytest.fixture(params=["sandbox", "notebook"])
def student(request, inside):
    return inside() if request.param == "sandbox" else live()


def test_what_is_lent_stands_in_the_place_of_ones_own_and_goes_back(student):
    assert student.whole({"seen": []}, 5) == 0
    with student.lent({"part": part}):
        assert student.whole({"seen": []}, 5) == 11
    assert student.whole({"seen": []}, 5) == 0


def test_a_lent_function_changes_the_very_arguments(student):
    with student.lent({"part": part}):
        seen = student.observe("whole", {"seen": [1], "rows": np.ones(2), "gone": {}}, 7)
    (state, _) = seen.args_after
    assert state["seen"] == [1, 7]
    assert state["rows"].tolist() == [7, 1]


def test_an_object_made_before_calls_what_is_lent_while_it_is(student):
    box = student.Box()
    assert box.whole(1) == 0
    with student.lent({"part": part}):
        assert box.whole(2) == 5
    assert box.whole(3) == 0
    assert box.seen() == [2]


def test_what_was_not_there_is_there_while_it_is_lent(inside):
    student = inside(user="def user(): return absent()\n")
    with student.lent({"absent": lambda: 4}):
        assert student.user() == 4
    with pytest.raises(StudentError, match="NameError"):
        student.user()


def test_a_new_process_is_lent_to_as_well(inside):
    student = inside(dies="import os\ndef dies(): os._exit(1)\n")
    with student.lent({"part": part}):
        assert student.whole({"seen": []}, 1) == 3
        with pytest.raises(StudentError, match="exit code 1"):
            student.dies()
        assert student.whole({"seen": []}, 1) == 3
    assert student.whole({"seen": []}, 1) == 0


# Thieves -----------------------------------------------------------------------------------------


def test_who_keeps_a_lent_function_gets_no_answer_later(inside):
    student = inside()
    with student.lent({"part": part}):
        assert student.thief({"seen": []}, 4) == 8
    with pytest.raises(StudentError) as caught:
        student.again({"seen": []}, 4)
    assert caught.value.tag == "bad-reply"
    assert "not lent now" in caught.value.message
    assert student.whole({"seen": []}, 5) == 0  # in a new process


FORGED = """
import json, os, struct, sys
def forged(name):
    text = json.dumps({"ask": name, "args": [], "kwargs": {}}).encode()
    os.write(4, struct.pack("<II", len(text), 0) + text)
    head = os.read(3, 8)
    return 1
"""


@pytest.mark.parametrize("name", ["part", "secret", "__class__", ""])
def test_a_forged_question_for_what_is_not_lent_ends_the_process(inside, name):
    student = inside(forged=FORGED)
    with pytest.raises(StudentError) as caught:
        student.forged(name)
    assert caught.value.tag == "bad-reply"
    if name != "part":
        with student.lent({"part": part}), pytest.raises(StudentError) as caught:
            student.forged(name)
        assert caught.value.tag == "bad-reply"


ODD = """
class Odd:
    def append(self, n): return "called"
    def setdefault(self, *args): return "called"
    def __len__(self): return 1
def odd(kind):
    values = {"object": Odd(), "number": 3, "none": None, "list": [], "text": "x",
              "inside": {"seen": Odd()}, "keys": {Odd(): 1}}
    try:
        return part(values[kind], 1)
    except RuntimeError as error:
        return str(error)
"""


@pytest.mark.parametrize("kind", ["object", "number", "none", "list", "text", "inside", "keys"])
def test_arguments_that_are_no_data_are_refused_in_words_and_call_nothing(inside, kind):
    student = inside(odd=ODD)
    with student.lent({"part": part}):
        said = student.odd(kind)
        assert said.startswith("part: ")
        assert student.whole({"seen": []}, 1) == 3


def test_questions_without_end_end_with_the_time_of_a_call(inside):
    student = inside(asks="def asks():\n    while True: part({'seen': []}, 1)\n")
    with student.lent({"part": part}), pytest.raises(StudentError) as caught:
        student.asks()
    assert caught.value.tag in ("timeout", "bad-reply")
    assert student.whole({"seen": []}, 5) == 0


def test_what_a_submission_does_to_its_own_end_harms_itself_alone(inside):
    breaks = (
        "def breaks(state):\n    part(state, 1)\n    space = globals()['__submission__']\n"
        "    space.take_back = None\n    globals()['part'] = lambda *a: 99\n    return 0\n"
    )
    student = inside(breaks=breaks)
    with student.lent({"part": part}):
        assert student.breaks({"seen": []}) == 0
    assert student.whole({"seen": []}, 5) == 0


def test_the_text_that_is_sent_in_has_nothing_of_what_answers():
    text = loans.source(["part"])
    assert "2 * n" not in text
    assert "autograder." not in text
    assert "minengine" not in text


# Checks that rely on others ----------------------------------------------------------------------


@check(hole="part", points=1, title="doubles")
def part_doubles(student, rng):
    n = int(rng.integers(1, 9))
    require(student.part({"seen": []}, n) == 2 * n, "no double", "no-double")


@check(hole="whole", points=1, title="one more")
@relying_on(part_doubles, right=SimpleNamespace(part=part))
def whole_adds(student, rng):
    n = int(rng.integers(1, 9))
    got = student.whole({"seen": []}, n)
    require(got == 2 * n + 1, f"got {got}", "not-one-more")


def judged(sources, inside, seeds=(0, 1)):
    found = checks.run([part_doubles, whole_adds], inside(**sources), Seeds(seeds))
    return {r.check: r for r in found}


RIGHT = "def part(state, n):\n    return 2 * n\n"
WRONG = "def whole(state, n):\n    return part(state, n) + 2\n"


def test_a_wrong_part_costs_its_points_once_and_the_pass_says_why(inside):
    found = judged({}, inside)
    assert found["part_doubles"].tag == "no-double"
    assert found["whole_adds"].passed
    assert "with a right part in the place of yours" in found["whole_adds"].note


def test_a_right_part_is_not_replaced(inside):
    found = judged({"part": RIGHT}, inside)
    assert all(r.passed and not r.note for r in found.values())


def test_a_whole_that_is_wrong_of_itself_is_judged_with_a_right_part(inside):
    found = judged({"whole": WRONG}, inside)["whole_adds"]
    assert (found.tag, found.points) == ("not-one-more", 0)
    n = int(Seeds.rng("whole_adds", 0).integers(1, 9))
    assert f"got {2 * n + 2}\n(that is with a right part" in found.message  # on the same draw
    assert "right part" not in judged({"part": RIGHT, "whole": WRONG}, inside)["whole_adds"].message


def test_a_part_that_raises_or_is_not_written_is_replaced_too(inside):
    for body in ("raise NotImplementedError", "return 1 / 0", "return undefined"):
        found = judged({"part": f"def part(state, n):\n    {body}\n"}, inside)
        assert found["whole_adds"].passed, body


def test_a_failure_without_a_wrong_part_keeps_its_words():
    student = SimpleNamespace(part=lambda state, n: 2 * n, whole=lambda state, n: 0)
    with pytest.raises(CheckFailed, match=r"^got 0$"):
        whole_adds(student, Seeds.rng("whole_adds", 0))
