"""What a wheel carries, for instructors and for students, and what it never does."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from autograder import catalog, leaks

ROOT = Path(__file__).resolve().parent.parent
OTHER_THINGS = {  # named as a task is, and no answer to it
    "arch.py attention",  # names of tensors
    "arch.py feed_forward",
    "bpe.py merge",  # by ranks, in a heap; the task's is SentencePiece's, by scores
    "cli/run.py generate",  # prints what the engine says
    "grammar.py rewind",  # a parser's
    "memory.py fork",  # asks the cells
    "memory.py rewind",
    "model.py Model",  # binds tensors; the graph is closed
    "model.py dequantize",  # asks the format
    "model.py layer",  # binds tensors
    "sequence.py append",  # a token
    "server/jobs.py sample",  # asks the chain
}
LARGEST_BYTES = 5 << 20  # a committed file beyond this belongs elsewhere


def build(folder: Path, student: bool) -> Path:
    """The files setup.py puts into a wheel, compiled units aside, in a folder as site-packages."""
    env = {**os.environ, "MINENGINE_STUDENT": "1" if student else "0"}
    ran = subprocess.run(
        [sys.executable, "setup.py", "-q", "build_py", "--build-lib", str(folder)],
        cwd=ROOT, env=env, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    return folder


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    return {s: build(tmp_path_factory.mktemp(f"wheel{s:d}"), s) for s in (False, True)}


@pytest.fixture(scope="module")
def wheels(built):
    return {
        s: {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
        for s, folder in built.items()
    }


@pytest.mark.parametrize("student", [False, True])
def test_a_wheel_carries_what_its_commands_need_and_no_solution(wheels, student):
    files = wheels[student]
    assert {
        "minengine/models/tiny-shakespeare.gguf",
        "autograder/child.py",
        "autograder/forkserver.py",
        "quizzes/bank/2.1.yaml",
        "quizzes/web/quiz.js",
        "quizzes/web/quiz.css",
        "course/interview/debugging.yaml",
        "cudasim/include/cudasim.h",
        "cudasim/runtime/scheduler.cpp",
        "minengine_course/course/syllabus.yaml",
        "minengine_course/assignments/01_transformer_layer/checks.py",
        "minengine_course/assignments/01_transformer_layer/hints.yaml",
        "minengine_course/assignments/01_transformer_layer/handout.py",
        "minengine_course/labs/2.1_attention.py",
        "minengine_course/labs/2.1_attention/checks.py",
        "minengine_course/labs/2.1_attention/hints.yaml",
        "course/lab/main.py",
        "course/experiments/kv_cache.py",
    } <= files
    assert not [f for f in files if re.search(r"solution|reference|alternate|wrong|exploit", f)]
    assert not [f for f in files if f.startswith("tests/")]


def test_no_line_of_a_reference_is_in_the_students_wheel(built):
    """An open file may say one line of a task by chance (self.accept(token) is one), not two.

    How a GGUF file is read is open: the project's students may read the engine's own reader. So are
    the broken parts that lab 2.5 gives out, of which most lines are right.
    """
    course, sought = catalog.find_course(ROOT), {}
    for name in course.graded():
        lines = leaks.lines_of(course.assignment(name).reference.sources)
        sought |= {line: f"{name} {hole}" for line, hole in lines.items()}
    files = [f for f in leaks.below(built[True]) if f[0].endswith((".py", ".yaml", ".md", ".txt"))]
    assert len(files) > 100
    found = Counter(where.rpartition(": ")[0] for where in leaks.find(files, sought))
    by_choice = re.compile(
        "minengine/gguf.py: a line of 05_mini_engine read_gguf|course/broken/.*: a line of 2.5_.*"
    )
    assert {w: n for w, n in found.items() if n > 1 and not by_choice.fullmatch(w)} == {}


def test_an_open_function_of_the_engine_that_is_called_as_a_task_does_something_else(built):
    """A line by line comparison sees no answer in other words; a name is where one would look."""
    course = catalog.find_course(ROOT)
    tasks = {hole for name in course.graded() for hole in course.assignment(name).handout.holes}
    found = {
        f"{path.relative_to(built[True] / 'minengine').as_posix()} {node.name}"
        for path in (built[True] / "minengine").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name.strip("_") in tasks
    }
    assert found == OTHER_THINGS


def test_the_source_distribution_has_what_the_wheels_are_built_of(tmp_path, wheels):
    """Both wheels are built of it, so what only the repository has would be missing in them."""
    ran = subprocess.run(
        [sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    listed = set((tmp_path / "minengine.egg-info" / "SOURCES.txt").read_text().split("\n"))
    wanted = {name.removeprefix("minengine_course/") for name in wheels[False]}
    assert {n for n in wanted - listed if ".egg-info" not in n} == set()
    assert not [n for n in listed if n.startswith(("solutions/", "tests/"))]


def test_every_module_of_the_rooms_is_in_the_instructors_wheel(wheels):
    for room in ("minengine", "autograder", "quizzes", "cudasim"):
        modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / room).glob("*.py")}
        assert modules <= wheels[False]


def test_students_get_no_source_of_what_is_closed(wheels):
    syllabus = yaml.safe_load((ROOT / "course" / "syllabus.yaml").read_text(encoding="utf-8"))
    closed = set()

    def collect(node):
        if isinstance(node, dict):
            closed.update(node.get("closed", []))
            for value in node.values():
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(syllabus)
    modules = {m.group(1) for s in closed if (m := re.match(r"minengine\.(\w+)", s))}
    assert "oracle" in modules
    for module in modules:
        assert not [
            f for f in wheels[True] if re.fullmatch(rf"minengine/{module}\.(py|pyx|pxd)", f)
        ]
    assert not [f for f in wheels[True] if f.endswith((".pyx", ".pxd"))]
    rights = (
        "broken/mistakes.py",
        "broken/network.py",
        "broken/trial.py",
        "experiments/measures.py",
    )
    for right in (f"course/{name}" for name in rights):
        assert right in wheels[False]
        assert right not in wheels[True]
    assert "course/broken/stutter.py" in wheels[True]
    assert "course/broken/answers.yaml" not in wheels[True] | wheels[False]


def test_no_built_or_huge_file_is_tracked():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    for name in listed.stdout.splitlines():
        assert not name.endswith((".so", ".ipynb", ".db")) or name.startswith("tests/golden/")
        if (ROOT / name).exists():
            assert (ROOT / name).stat().st_size <= LARGEST_BYTES, name
