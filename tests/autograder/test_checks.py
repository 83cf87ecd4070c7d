"""On which draws a check runs, and what its result shows and hides."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from autograder import checks, hints
from autograder.checks import CheckFailed, Result, Seeds, check, close, equal, require, run
from autograder.errors import CourseError
from autograder.hints import Hint
from autograder.local import LocalStudent
from autograder.wire import StudentError

SECRET = b"0123456789abcdef"
HINTS = hints.SHARED | {"twice": Hint("Doubled", "It is doubled.", "Look at the factor.")}


class Code:
    """A student whose every function is ``function``."""

    def __init__(self, function):
        self.function = function
        self.calls = 0

    def identity(self, *args, **kwargs):
        self.calls += 1
        return self.function(*args, **kwargs)


def values(student, rng):
    x = rng.normal(size=3)
    close(
        student.identity(x, eps=0.5), x, rtol=0, atol=0, near={"twice": 2 * x}, what="identity(x)"
    )


VISIBLE = check(hole="identity", points=2, title="it is itself")(values)
HIDDEN = check(hole="identity", points=2, title="it is itself", visibility="hidden")(values)


def first(chk, function, seeds=None, **kwargs) -> Result:
    return run([chk], Code(function), seeds, hints=HINTS, **kwargs)[0]


def test_a_pass_earns_the_points_and_says_nothing():
    result = first(VISIBLE, lambda x, eps: x)
    assert (result.status, result.points, result.tag, result.replay) == ("passed", 2, "", "")
    assert result.check == "values"


def test_a_check_that_draws_nothing_runs_once_and_others_on_every_draw():
    fixed = check(hole="identity", points=2, title="it is itself", fixed=True)(values)
    for seeds, n_fixed, n_all in (
        (Seeds((0, 1, 2)), 1, 3),
        (Seeds.of(SECRET, "01", "ann", draws=3), 1, 4),
        (Seeds((), SECRET, 2), 1, 2),
    ):
        for chk, n in ((fixed, n_fixed), (VISIBLE, n_all)):
            student = Code(lambda x, eps: x)
            (result,) = run([chk], student, seeds, hints=HINTS)
            assert (result.status, student.calls) == ("passed", n)


def test_a_visible_failure_shows_inputs_got_want_hint_and_how_to_run_it_again():
    result = first(VISIBLE, lambda x, eps: 2 * x)
    assert (result.status, result.points, result.max_points) == ("failed", 0, 2)
    assert result.tag == "twice"
    assert "got" in result.message
    assert "called: identity(float64 (3,) [" in result.message
    assert "eps=0.5)" in result.message
    assert result.hint == "It is doubled. Look at the factor."
    assert result.replay == "autograder check NOTEBOOK.ipynb --only values --seed 0"


def test_a_hidden_failure_shows_no_numbers():
    result = first(HIDDEN, lambda x, eps: 2 * x)
    assert (result.tag, result.hint) == ("twice", "It is doubled.")
    assert not any(c.isdigit() for c in result.message)
    assert "got" in first(HIDDEN, lambda x, eps: 2 * x, reveal=True).message


def test_a_failure_on_a_secret_draw_hides_numbers_and_names_a_public_seed_of_the_same_class():
    seen = [Seeds.rng("values", s).normal(size=3) for s in range(8)]
    secret = Seeds.of(SECRET, "01", "ann", draws=1)
    shown = secret.secret_rng("values", 0).normal(size=3)

    def wrong_in_some_draws(x, eps):
        return 2 * x if np.array_equal(x, shown) or np.array_equal(x, seen[5]) else x

    result = first(VISIBLE, wrong_in_some_draws, secret)
    assert (result.status, result.tag, result.points) == ("failed", "twice", 0)
    assert not any(c.isdigit() for c in result.message)
    assert result.replay.endswith("--seed 5")
    replayed = first(VISIBLE, wrong_in_some_draws, Seeds((5,)))
    assert replayed.tag == "twice"


def test_without_a_public_seed_of_the_same_class_the_default_is_named():
    public = [Seeds.rng("values", s).normal(size=3) for s in range(checks.TRIES + 1)]

    def wrong_in_secret(x, eps):
        return x if any(np.array_equal(x, p) for p in public) else 2 * x

    assert first(VISIBLE, wrong_in_secret, Seeds.of(SECRET, "1", "a")).replay.endswith("--seed 0")


def test_secret_draws_differ_by_student_assignment_check_and_number_and_repeat():
    def draw(assignment="1", student="ann", name="a", i=0, secret=SECRET):
        return float(Seeds.of(secret, assignment, student).secret_rng(name, i).random())

    others = [
        draw(assignment="2"),
        draw(student="bob"),
        draw(name="b"),
        draw(i=1),
        draw(secret=SECRET[::-1]),
        draw(assignment="1/ann", student=""),
        float(Seeds.rng("a", 0).random()),
    ]
    assert draw() == draw()
    assert len({draw(), *others}) == 8


def test_a_short_secret_is_refused():
    with pytest.raises(CourseError, match="want at least 16"):
        Seeds.of(b"short", "1", "ann")


@pytest.mark.parametrize("tag", checks.STATUSES)
def test_what_stopped_the_code_is_the_status(tag):
    def stop(x, eps):
        raise StudentError(tag, "stopped")

    result = first(VISIBLE, stop)
    assert (result.status, result.tag) == (tag, tag)
    assert result.hint


@pytest.mark.parametrize("tag", ["timeout", "killed", "memory"])
def test_a_child_that_died_on_a_secret_draw_is_not_tried_again_and_again(tag):
    public = Seeds.rng("values", 0).normal(size=3)

    def stop(x, eps):
        if np.array_equal(x, public):
            return x
        raise StudentError(tag, "stopped")

    student = Code(stop)
    result = run([VISIBLE], student, Seeds.of(SECRET, "1", "ann"))[0]
    assert (result.status, student.calls) == (tag, 2)


def test_a_reply_that_breaks_the_check_costs_that_check_alone():
    @check(hole="identity", points=1, title="uses an attribute")
    def uses(student, rng):
        require(student.identity().shape == (3,), "shape")

    results = run([uses, VISIBLE], Code(lambda *a, **k: None))
    assert [r.tag for r in results] == ["wrong-type", "wrong-type"]
    assert "AttributeError" in results[0].message


def test_a_warning_costs_nothing():
    def noisy(x, eps):
        warnings.warn("overflow", RuntimeWarning, stacklevel=1)
        np.array([1.0]) / np.array([0.0])
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert first(VISIBLE, noisy).passed


def test_a_note_of_a_check_stands_beside_the_pass():
    @check(hole="identity", points=1, title="own parts")
    def noted(student, rng):
        return close(1.0, 2.0, rtol=0, atol=0, own=1.0)

    result = run([noted], Code(None))[0]
    assert result.passed
    assert "own parts" in result.note


def test_a_result_survives_json_and_fields_it_does_not_know():
    result = first(VISIBLE, lambda x, eps: 2 * x)
    assert Result.from_dict(result.to_dict() | {"later": 1}) == result


def test_the_checks_of_a_module_keep_the_order_of_the_text_and_names_are_unique():
    other = check(hole="b", points=1, title="t")(lambda student, rng: None)
    assert checks.of_module({"x": 1, "values": VISIBLE, "other": other}) == [VISIBLE, other]
    with pytest.raises(CourseError, match="values"):
        checks.of_module({"a": VISIBLE, "b": HIDDEN})


@pytest.mark.parametrize("option", [{"points": 0}, {"points": -1}, {"visibility": "secret"}])
def test_a_bad_option_of_a_check_is_named(option):
    with pytest.raises(CourseError, match="want"):
        check(**{"hole": "a", "points": 1, "title": "t", **option})


def test_every_shared_tag_has_its_ladder():
    used = {*checks.STATUSES, "wrong-type", "wrong-shape", "wrong-dtype", "nan", "wrong-value"}
    assert used == set(hints.SHARED)


def test_hints_are_read_over_the_shared_ones_and_faults_are_named(tmp_path):
    path = tmp_path / "hints.yaml"
    assert hints.load(path) == hints.SHARED
    path.write_text("nan: {title: T, idea: I, example: '1 -> 2'}\n")
    assert hints.load(path)["nan"] == Hint("T", "I", "", "1 -> 2")
    for bad in ("a: {title: T}", "a: {title: T, idea: I, more: x}", "- a", "a: [", "a: 1"):
        path.write_text(bad)
        with pytest.raises(CourseError, match=r"hints\.yaml"):
            hints.load(path)


def test_errors_of_a_check_that_is_no_verdict_are_not_hidden():
    @check(hole="identity", points=1, title="t")
    def broken(student, rng):
        raise CourseError("data/model.gguf is missing")

    with pytest.raises(CourseError):
        run([broken], Code(None))


def test_a_failure_shows_the_call_of_its_own_hole():
    class Two:
        def identity(self, x):
            return x

        def part(self, x):
            raise CheckFailed("t", "x")

    @check(hole="identity", points=1, title="t")
    def both(student, rng):
        student.identity(np.zeros(2))
        student.part("later")

    assert "called: identity(" in run([both], Two())[0].message


def test_a_failure_of_an_object_shows_how_it_was_made_and_its_last_calls(tiny, tiny_sources):
    namespace = {}
    exec(tiny_sources["last_of_equals"]["Tally"], namespace)
    result = run([tiny.checks[3]], LocalStudent(namespace))[0]
    assert result.tag == "last-of-equals"
    assert "called: Tally(); .add('x'); .add('y', 2); .add('x'); .most()" in result.message


def test_of_many_calls_the_last_are_shown(tiny):
    class Tally:
        def add(self, *args):
            return self

        def most(self):
            return 1

    @check(hole="Tally", points=1, title="t")
    def many(student, rng):
        tally = student.Tally()
        for i in range(20):
            tally = tally.add(i, [tally])  # what is given back can be given again
        equal(tally.most(), 0)

    message = run([many], LocalStudent({"Tally": Tally}))[0].message
    assert "called: ...; .add(13, [<Tally object" in message
    assert message.endswith(".most()")
