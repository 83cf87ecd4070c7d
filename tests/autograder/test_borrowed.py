"""What a hole needs of other cells is taken along, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autograder import borrowed

HOLE = "def f(x):\n    y = g(x)\n    return y * N\n"
NP = frozenset({"np"})


def test_what_is_needed_is_taken_with_what_that_needs_in_the_order_of_the_notebook():
    cells = {
        3: "N = 2\nprint('scratch')\nunused = 1",
        5: "import math\n\ndef g(x):\n    return h(x)\n",
        8: "@decorated\ndef h(x):\n    return math.sqrt(x)\n\ndef decorated(f):\n    return f\n",
    }
    made, came_from = borrowed.taken({"f": HOLE}, cells, NP)
    assert came_from == {"N": 3, "math": 5, "g": 5, "h": 8, "decorated": 8}
    assert "scratch" not in made["f"]
    assert "unused" not in made["f"]
    assert made["f"].endswith(HOLE)
    assert "@decorated\ndef h(x)" in made["f"]
    places = [made["f"].index(w) for w in ("N = 2", "import math", "def g", "def decorated")]
    assert places == sorted(places)


@pytest.mark.parametrize(
    "source",
    [
        "def f(x):\n    return x\n",  # needs nothing
        "def f(g, N=1):\n    return g * N\n",  # names of its own
        "def f(x):\n    def g(y): return y\n    return [N for N in g(x)]\n",
        "import g\nN = 3\ndef f(x):\n    return g.x * N\n",
        "def f(x):\n    return np.sum(x) + len(x)\n",
        "def f(x:\n",  # does not compile
    ],
)
def test_a_hole_that_needs_nothing_stays_as_it_is(source):
    cells = {1: "def g(x): ...\nN = 1\nnp = 3\nlen = 4"}
    assert borrowed.taken({"f": source}, cells, NP) == ({"f": source}, {})


@pytest.mark.parametrize(
    "statement",
    ["g = open('x')", "g = 1; print(g)", "for g in []: pass", "g = x[0]", "g += 1", "(g := 1)",
     "if 1:\n    def g(): pass", "from os import *"],
)  # fmt: skip
def test_what_does_more_than_define_is_left(statement):
    made, came_from = borrowed.taken({"f": "def f(): return g"}, {1: statement}, NP)
    assert "print" not in made["f"]
    assert came_from in ({}, {"g": 1})
    assert came_from == {} or statement.startswith("g = 1;")


def test_the_last_definition_of_a_name_counts_and_each_is_taken_once():
    cells = {1: "def g(x): return 1", 2: "def g(x): return 2"}
    made, _ = borrowed.taken({"f": HOLE, "k": "def k(): return g(0)"}, cells, NP)
    assert "return 2" in made["f"]
    assert "return 1" not in made["f"]
    assert made["k"] == "def k(): return g(0)"  # one namespace: f's copy serves


def test_definitions_that_need_each_other_end():
    cells = {1: "def g(x): return h(x)\ndef h(x): return g(x)\nN = N2\nN2 = N"}
    assert set(borrowed.taken({"f": HOLE}, cells, NP)[1]) == {"g", "h", "N", "N2"}


@settings(deadline=None)
@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_is_taken_from_or_left(hole, cell):
    made, came_from = borrowed.taken({"f": hole}, {1: cell}, NP)
    assert made["f"].endswith(hole)
    assert set(came_from.values()) <= {1}
