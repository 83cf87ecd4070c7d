"""check("hole") on live names: the same checks, shown as text or as an escaped panel."""

from __future__ import annotations

import html
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

import autograder
from autograder import checker, hints
from autograder.checker import Checker, ChecksFailed
from autograder.checks import Result
from autograder.local import LocalHandle, LocalStudent
from autograder.wire import StudentError

TINY = str(Path(__file__).parent / "tiny")


@pytest.fixture
def namespace(tiny_sources):
    def make(name):
        found = {}
        for source in tiny_sources[name].values():
            exec(source, found)
        return found

    return make


def test_right_code_passes_and_the_points_are_said(namespace, capsys):
    check = Checker("01_tiny", namespace("reference"), TINY)
    check("center")
    check("Tally")
    said = capsys.readouterr().out
    assert "center: 2 of 2 checks passed, 3 of 3 points" in said
    assert "Tally: 1 of 1 checks passed" in said  # the hidden one is not run here


def test_wrong_code_raises_a_short_assertion_error_and_names_the_idea(namespace, capsys):
    check = autograder.Checker("01_tiny", namespace("no_mean"), TINY)
    with pytest.raises(AssertionError, match="center: 1 of 2 checks failed") as caught:
        check("center")
    assert caught.value._render_traceback_() == ["ChecksFailed: center: 1 of 2 checks failed"]
    said = capsys.readouterr().out
    assert "no-mean: The mean stays" in said
    assert "again: autograder check 01_tiny.ipynb --only center_rows --seed 0" in said


def test_another_seed_draws_other_inputs(namespace, capsys):
    check, said = Checker("1", namespace("no_mean"), TINY), []
    for seed in (0, 1):
        with pytest.raises(ChecksFailed):
            check("center", seed=seed)
        said.append(capsys.readouterr().out)
    assert said[0] != said[1]
    assert "--seed 1" in said[1]


def test_the_checker_sees_what_the_cell_defined_last(namespace):
    live = namespace("stub")
    check = Checker("1", live, TINY)
    with pytest.raises(ChecksFailed):
        check("center")
    live.update(namespace("reference"))
    check("center")


def test_an_unknown_task_is_named(namespace):
    with pytest.raises(ChecksFailed, match="there is center, Tally"):
        Checker("1", {}, TINY)("centre")


def test_nothing_of_the_students_reaches_the_panel_unescaped():
    evil = "<script>alert(1)</script>"
    row = Result("c", "h", evil, 0, 1, evil, evil, evil, evil, "visible", 0.0, evil, evil)
    for r in (row, Result("c", "h", evil, 1, 1, "passed", "", "", "", "visible", 0.0, evil)):
        panel = checker.html(evil, [r], hints.SHARED | {evil: hints.Hint(evil, evil, evil, evil)})
        assert "<script>" not in panel
        assert "&lt;script&gt;" in panel


def test_the_panel_says_the_verdict_in_words_and_unfolds_the_ladder():
    row = Result("c", "h", "t", 0, 2, "failed", "nan", "got nan", "hint", "visible", 0.0)
    panel = checker.html("h", [row], hints.SHARED)
    assert "failed" in panel
    assert "NaN in the result" in panel
    assert re.search(r"<details><summary[^>]*>Where to look</summary>", panel)


def test_an_idea_that_several_checks_fail_for_is_explained_once():
    rows = [
        Result(c, "h", c, 0, 2, "failed", "nan", f"got {c}\ncalled: f({c})", "hint", "visible", 0.0)
        for c in ("a", "b")
    ]
    panel = checker.html("h", rows, hints.SHARED)
    assert panel.count(html.escape(hints.SHARED["nan"].where)) == 1
    assert panel.count("as above") == 1
    for c in ("a", "b"):
        assert re.search(rf"The call</summary><pre[^>]*>f\({c}\)</pre>", panel)


def test_in_a_kernel_the_panel_is_html_and_the_error_one_line(tmp_path, namespace, tiny_sources):
    """IPython's own shell, made to look as a kernel's does."""
    script = tmp_path / "s.py"
    script.write_text(f"""
from IPython.core.interactiveshell import InteractiveShell
shown = []
shell = InteractiveShell.instance()
shell.kernel = None
shell.display_pub.publish = lambda data, *a, **k: shown.append(data)
shell.run_cell("import numpy as np\\nfrom autograder import Checker")
shell.run_cell({tiny_sources["no_mean"]["center"]!r})
shell.run_cell("check = Checker('01_tiny', globals(), {TINY!r})")
shell.run_cell("check('center')")
assert "<b>no-mean: The mean stays</b>" in shown[0]["text/html"], shown
""")
    ran = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, env={"HOME": str(tmp_path)}
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == "ChecksFailed: center: 1 of 2 checks failed"


def test_arguments_are_copies_and_what_became_of_them_is_observed():
    x = np.arange(4.0)

    def change(a, *, b):
        a += 1
        b["k"][0] = 9
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        return a[:2]

    seen = LocalStudent({"f": change}).observe("f", x, b={"k": x})
    assert np.array_equal(x, np.arange(4.0))
    assert np.array_equal(seen.args_after[0], np.arange(1.0, 5.0))
    assert seen.kwargs_after["b"]["k"][0] == 9
    assert seen.shares_memory
    assert seen.warnings == ["RuntimeWarning: overflow"]
    assert np.array_equal(seen.value, [1, 2])


def test_a_result_of_its_own_shares_nothing():
    seen = LocalStudent({"f": lambda x: (x.copy(), {"a": x * 2})}).observe("f", np.ones(3))
    assert not seen.shares_memory


def raising(error):
    def function():
        raise error

    return function


@pytest.mark.parametrize(
    ("target", "tag", "words"),
    [
        (raising(NotImplementedError()), "not-implemented", "not written"),
        (raising(ValueError("bad axis")), "error", "f: ValueError: bad axis"),
        (raising(MemoryError()), "memory", "MemoryError"),
        (raising(RecursionError()), "error", "endless recursion"),
        (None, "missing", "not defined"),
    ],
)
def test_what_the_code_raises_is_a_verdict(target, tag, words):
    with pytest.raises(StudentError, match=words) as caught:
        LocalStudent({"f": target}).f()
    assert caught.value.tag == tag


def test_objects_stay_behind_handles_and_can_be_passed_back():
    class Box:
        def __init__(self, x):
            self.x = x

        def get(self):
            return self.x

        def fail(self):
            raise KeyError("k")

    student = LocalStudent({"Box": Box, "open_": lambda box: box.x})
    box = student.Box(np.ones(2))
    assert isinstance(box, LocalHandle)
    assert np.array_equal(box.get(), [1, 1])
    assert np.array_equal(student.open_(box), [1, 1])
    with pytest.raises(StudentError, match="KeyError"):
        box.fail()
    with pytest.raises(StudentError) as caught:
        box.nothing()
    assert caught.value.tag == "missing"
