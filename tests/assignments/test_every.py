"""What holds of every assignment: its bank, its text, its stubs, what students get of it.

An assignment that the catalog finds is tested here without a word; what is peculiar to one stands
in a file of its own. The bank runs in this process, on few draws; `autograder verify` runs all of
it in the sandbox.
"""

from __future__ import annotations

import ast
import contextlib
import inspect
import io
import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autograder import bundle, catalog, checks, handout, leaks, notebooks, verify
from autograder.checks import Seeds
from autograder.hints import SHARED
from autograder.local import LocalStudent

ROOT = Path(__file__).resolve().parents[2]
COURSE = catalog.find_course(ROOT)
ALL = {name: COURSE.assignment(name) for name in COURSE.assignments()}
# What runs here, and what `autograder verify` runs of it: all, on a hundred seeds.
RIGHT_SEEDS = {
    "01_transformer_layer": 8,
    "02_kv_cache": 4,
    "04_gpu_kernels": 1,
}  # of the others 2: they take longer
SECRET_DRAWS = 1  # beside the public one
EVERY = {
    "01_transformer_layer": 2,
    "02_kv_cache": 3,
    "03_sampling": 8,
    "04_gpu_kernels": 17,
    "05_mini_engine": 14,
}  # n-th wrong file
# Ratios of seconds are for the sandbox, where they are taken with care (test_mini_engine.py).
TIMED = {"decode_time", "decode_time_strict", "prefill_time", "prefill_time_strict"}
MOST_SHARE = 0.6  # of the lines in the bodies of a reference, what is looked for at least
TRICK = re.compile(r"^trick_")


def namespace(sources) -> dict:
    names = {"np": np}
    for source in sources.values():
        exec(source, names)
    return names


def failures(assignment, sources, seeds: Seeds) -> dict[str, str]:
    """The tag of each check that fails."""
    student = LocalStudent(namespace(sources), assignment.handout.holes)
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        rows = checks.run(assignment.checks, student, seeds, hints=assignment.hints)
    return {r.check: r.tag for r in rows if not r.passed}


def of_kind(assignment, kind: str, step: int = 1) -> list:
    return [s for s in assignment.solutions() if s.kind == kind][::step]


def bank(*kinds: str, steps=None) -> list:
    """(assignment, solution) of these kinds, as parameters with a name."""
    steps = steps or {}
    return [
        pytest.param(a, s, id=f"{a.id[:2]}-{s.name}")
        for a in ALL.values()
        for kind in kinds
        for s in of_kind(a, kind, steps.get(a.id, 1))
    ]


STEPS = {name: EVERY.get(name, 5) for name in ALL}
each = pytest.mark.parametrize("assignment", ALL.values(), ids=list(ALL))
right = pytest.mark.parametrize(("assignment", "solution"), bank("reference", "alternate"))


# The bank ----------------------------------------------------------------------------------------


@right
def test_a_right_solution_passes_every_check_on_every_seed(assignment, solution):
    seeds = Seeds(tuple(range(RIGHT_SEEDS.get(assignment.id, 2))))
    found = failures(assignment, solution.sources, seeds)
    assert {check: tag for check, tag in found.items() if check not in TIMED} == {}


@pytest.mark.parametrize(("assignment", "solution"), bank("wrong", steps=STEPS))
def test_a_wrong_solution_fails_the_checks_it_names_with_their_tags_and_no_other(
    assignment, solution
):
    secret = Seeds.of(verify.SECRET, assignment.id, solution.name, SECRET_DRAWS)
    seeds = replace(secret, public=(0,))
    assert failures(assignment, solution.sources, seeds) == dict(solution.fails)


@pytest.mark.parametrize(("assignment", "solution"), bank("wrong"))
def test_a_wrong_solution_says_its_idea_and_which_checks_it_fails(assignment, solution):
    assert solution.idea
    assert solution.fails
    assert set(solution.fails) <= {c.id for c in assignment.checks}


@each
def test_the_stub_gets_nothing_anywhere(assignment):
    found = failures(assignment, assignment.stub().sources, Seeds((0,)))
    assert found == {c.id: "not-implemented" for c in assignment.checks}


@each
def test_every_check_is_failed_by_a_file_that_is_wrong_in_one_thing(assignment):
    single = [s for s in of_kind(assignment, "wrong") if not TRICK.match(s.name)]
    assert {c.id for c in assignment.checks} == {check for s in single for check in s.fails}


@each
def test_some_answer_without_a_thought_is_tried_and_gets_nothing(assignment):
    whole = {c.id for c in assignment.checks}
    tricks = [s for s in of_kind(assignment, "wrong") if TRICK.match(s.name)]
    assert any(set(s.fails) == whole for s in tricks)


@each
def test_the_bank_is_large_and_of_different_styles(assignment):
    assert len(of_kind(assignment, "wrong")) >= 30
    assert len(of_kind(assignment, "alternate")) >= 3


# Points, tags, hints -----------------------------------------------------------------------------


@each
def test_the_points_are_whole_and_every_task_has_a_check_to_see(assignment):
    assert assignment.max_points in (40, 100)
    assert set(assignment.handout.points) == set(assignment.handout.holes)
    assert {c.visibility for c in assignment.checks} == {"visible", "hidden"}
    for hole in assignment.handout.holes:
        assert any(c.hole == hole and c.visibility == "visible" for c in assignment.checks), hole


@each
def test_every_hint_has_all_its_rungs_and_every_tag_that_is_given_a_hint(assignment):
    own = {tag: h for tag, h in assignment.hints.items() if tag not in SHARED}
    assert [t for t, h in own.items() if not (h.title and h.idea and h.where and h.example)] == []
    given = {tag for s in of_kind(assignment, "wrong") for tag in s.fails.values()}
    assert given <= set(assignment.hints)


# Text and stubs ----------------------------------------------------------------------------------


def texts(assignment) -> list[str]:
    return [c.source for c in assignment.handout.cells if c.kind == "markdown"]


@each
def test_the_text_has_one_sentence_a_line(assignment):
    for line in "\n".join(texts(assignment)).splitlines():
        text = re.sub(r"\*\*[A-Z][^*]*\.\*\*", "", line)  # a bold word that leads a paragraph
        assert not re.search(r"[a-z)`*]\. [A-Z]", text), line


def signatures(thing) -> dict[str, inspect.Signature]:
    if inspect.isclass(thing):
        members = inspect.getmembers(thing, inspect.isfunction)
        return {name: inspect.signature(f) for name, f in members}
    return {"": inspect.signature(thing)}


@right
def test_stub_and_solutions_have_one_signature(assignment, solution):
    stubs, theirs = namespace(assignment.stub().sources), namespace(solution.sources)
    for hole in assignment.handout.holes:
        assert signatures(stubs[hole]).items() <= signatures(theirs[hole]).items()


@each
def test_every_stub_says_what_it_gives_and_is_not_implemented(assignment):
    for name, source in assignment.handout.stubs.items():
        *texts, node = ast.parse(source).body  # a kernel's text may stand before the function
        assert all(isinstance(t, ast.Assign) for t in texts)
        assert node.name == name
        assert "->" in source
        methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
        for function in methods or [node]:
            assert ast.get_docstring(function) or function.name == "__init__"
            assert isinstance(function.body[-1], ast.Raise)


# What students get -------------------------------------------------------------------------------


@each
def test_the_students_notebook_has_a_hole_and_a_check_for_every_task_and_no_output(assignment):
    notebook = handout.student_notebook(assignment.handout)
    marks = [c.metadata.nbgrader for c in notebook.cells]
    holes = [m.grade_id for m in marks if m.solution and not m.grade]
    assert holes == list(assignment.handout.holes)
    by_hand = {m.grade_id: m.points for m in marks if m.solution and m.grade}
    assert sum(by_hand.values()) == sum(assignment.handout.by_hand.values())
    graded = {m.grade_id: m.points for m in marks if m.grade and not m.solution}
    assert graded == {f"check_{h}": p for h, p in assignment.handout.points.items()}
    assert all(not c.get("outputs") for c in notebook.cells)
    assert handout.source_notebook(assignment.handout, assignment.reference.sources)


@each
def test_no_line_of_a_reference_or_alternate_is_in_the_bundle(assignment, tmp_path):
    bundle.write_zip(tmp_path / "a.zip", COURSE, assignment)
    files = list(leaks.below(tmp_path / "a.zip"))
    assert leaks.find(files, leaks.lines_of(assignment.reference.sources)) == []
    # of the others only what is not also a way to say it in a check
    for solution in of_kind(assignment, "alternate"):
        lines = leaks.lines_of(solution.own)
        assert len(leaks.find(files, lines)) <= len(lines) // 20, solution.name


@each
def test_the_rule_for_leaks_finds_each_task_of_the_reference(assignment):
    """Most lines count, and one task solved in the notebook, in a comment or a hint is found."""
    sources = assignment.reference.sources
    sought = leaks.lines_of(sources)
    bodies = {
        (hole, source.splitlines()[n - 1].split("#")[0].strip())
        for hole, source in sources.items()
        for n in leaks._inside(source)
    }
    assert len(sought) >= MOST_SHARE * len({line for _, line in bodies if line})
    for hole, source in sources.items():
        notebook = notebooks.text(handout.fill(assignment.handout, {hole: source}))
        assert leaks.find([("a.ipynb", notebook.encode())], sought), hole
        line = next(line for line, of in sought.items() if of == hole)
        for name in ("AGENTS.md", "hints.yaml", "checks.py"):
            assert leaks.find([(name, f"# so: {line}".encode())], sought), hole


# Exploits ----------------------------------------------------------------------------------------


@each
def test_exploits_attack_it_through_its_own_shapes(assignment):
    folder = ROOT / catalog.EXPLOITS / assignment.id
    own = [e for e in assignment.exploits() if (folder / f"{e.name}.py").exists()]
    assert len(own) >= (1 if assignment.id == "01_transformer_layer" else 10)
    for exploit in own:
        tree = ast.parse((folder / f"{exploit.name}.py").read_text(encoding="utf-8"))
        assert ast.get_docstring(tree)
        assert any(isinstance(n, ast.Assign) and n.targets[0].id == "HONEST" for n in tree.body)
        assert exploit.honest <= 1


EXPLOITS = [
    pytest.param(a, e, id=f"{a.id[:2]}-{e.name}")
    for a in ALL.values()
    for e in a.exploits()
    if (ROOT / catalog.EXPLOITS / a.id / f"{e.name}.py").exists()
]


@pytest.fixture(scope="module")
def trials():
    """An entered Trial for each assignment, made when first asked for."""
    with contextlib.ExitStack() as stack:
        made = {}

        def trial(name):
            if name not in made:
                backend = verify.sandbox.choose().name
                made[name] = stack.enter_context(
                    verify.Trial(ROOT, name, backend, draws=SECRET_DRAWS)
                )
            return made[name]

        yield SimpleNamespace(of=trial)


@pytest.mark.parametrize(("assignment", "exploit"), EXPLOITS)
def test_an_exploit_of_its_shapes_gets_its_honest_marks(trials, assignment, exploit):
    row = trials.of(assignment.id)(("exploit", exploit.name))
    assert row.problems == ()
    assert row.points <= exploit.honest
