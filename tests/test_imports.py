"""Who may import whom, from one literal table, and the style checks that a machine can do."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
ROOMS = (
    "minengine",
    "cudasim",
    "autograder",
    "quizzes",
    "assignments",
    "solutions",
    "labs",
    "course",
)

# file or folder -> rooms of ours it may import from ("" is none). The longest matching prefix wins.
MAY_IMPORT = {
    "minengine": {"minengine"},
    "minengine/errors.py": set(),
    "minengine/oracle.py": set(),
    "minengine/render.py": set(),
    "minengine/oracle_formats.py": set(),
    "minengine/oracle_cache.py": set(),
    "minengine/models": {"minengine"},
    "cudasim": {"cudasim"},
    "autograder": {"autograder"},
    "autograder/child.py": set(),
    "autograder/kernels.py": {"autograder", "cudasim"},
    "autograder/kernel_checks.py": {"autograder", "cudasim"},
    "autograder/forkserver.py": set(),
    "autograder/lent.py": set(),
    "quizzes": {"quizzes", "minengine"},
    # the interview bank lies in course/, and its debugging questions start an engine from there
    "quizzes/interview.py": {"quizzes", "minengine", "course"},
    "quizzes/sitting.py": {"quizzes", "minengine", "course"},
    "quizzes/cli/interviewing.py": {"quizzes", "minengine", "course"},
    "assignments": {"autograder", "minengine", "cudasim"},
    "solutions": set(),
    "course": {"minengine", "autograder", "quizzes", "course"},
    "course/experiments/kernels.py": {"minengine", "cudasim", "course"},
    "course/examples/cuda": {"minengine", "cudasim", "course"},
    "course/charts.py": set(),
    "course/lab/native.py": set(),  # its text runs in the place of a submission
    "labs": {"minengine", "cudasim", "course", "autograder"},
    "bench": {"minengine", "autograder", "quizzes", "cudasim", "course"},
}
# file -> the modules of its own room that it may import, where that is not all of them
ONLY = {"minengine/oracle_models.py": {"minengine", "minengine.oracle"}}
# third-party package -> the only files that may import it
ONE_DOOR = {
    "nbgrader": {"autograder/nbgrader_bridge.py"},
    "dask": {"autograder/scale.py"},
    "distributed": {"autograder/scale.py"},
    "jupytext": set(),  # tests compare with it; a student reads handouts without it
    "matplotlib": {"autograder/report.py", "course/charts.py"},
    "copydetect": {"autograder/similarity.py"},
    "pygments": {"autograder/similarity.py"},
    "cupy": {"cudasim/device.py"},
    "cuda": {"cudasim/nvrtc.py"},
    "ipywidgets": {"quizzes/notebook.py"},
    "jinja2": {"minengine/render.py", "autograder/pages.py"},
    "starlette": {"minengine/server/app.py"},
    "uvicorn": {"minengine/server/connections.py"},
    "docutils": {"course/site/directives.py"},
    "sphinx": {"course/site/directives.py", "course/site/__main__.py"},
    "myst_nb": {"course/site/execution.py"},
    "jupyter_cache": {"course/site/execution.py"},
}
NEVER_IN_ENGINE = {"torch", "pandas", "dask", "nbgrader", "gguf", "llama_cpp", "scipy"}
CAPS = {".py": 400, ".pyx": 700}
FUNCTION_CAP = 60


def files() -> list[Path]:
    """Every source file of ours that git tracks or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "*.py", "*.pyx"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    names = listed.stdout.split() if listed.returncode == 0 else []
    found = [ROOT / n for n in names if (ROOT / n).exists()]
    return found or [p for r in (*ROOMS, "bench", "tests") for p in (ROOT / r).rglob("*.py*")]


def name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@functools.cache
def imports(path: Path) -> set[tuple[str, bool]]:
    """(module, is it a star import) of every import statement, relative ones made absolute."""
    here = name(path).split("/")[:-1]
    if path.suffix == ".pyx":
        return cython_imports(path.read_text(encoding="utf-8"), here)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {(a.name, False) for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            found.add((module, any(a.name == "*" for a in node.names)))
            found |= {(f"{module}.{a.name}", False) for a in node.names}
    return found


def cython_imports(text: str, here: list[str]) -> set[tuple[str, bool]]:
    found = set()
    for module in re.findall(r"^\s*(?:from\s+(\S+)\s+)?import\s+\S+", text, re.M):
        if module.startswith("."):
            module = ".".join([*here, module.lstrip(".")])
        found.add((module, False))
    found |= {(m, False) for m in re.findall(r"^\s*import\s+(\S+)", text, re.M)}
    return found


SOURCES = [p for p in files() if name(p).split("/")[0] in {*ROOMS, "bench"}]


def rule_for(path: Path) -> set[str]:
    prefixes = [p for p in MAY_IMPORT if name(path) == p or name(path).startswith(p + "/")]
    return MAY_IMPORT[max(prefixes, key=len)]


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_a_file_imports_only_the_rooms_its_row_allows(path):
    rooms = {m.split(".")[0] for m, _ in imports(path)} & set(ROOMS)
    assert rooms <= rule_for(path), f"{name(path)} imports {sorted(rooms - rule_for(path))}"


@pytest.mark.parametrize("path", sorted(ONLY))
def test_a_file_imports_only_the_modules_its_row_names(path):
    ours = {m for m, _ in imports(ROOT / path) if m.split(".")[0] in ROOMS}
    assert ours <= ONLY[path], f"{path} imports {sorted(ours - ONLY[path])}"


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_no_star_import_and_no_library_file_imports_a_cli(path):
    for module, star in imports(path):
        assert not star, f"{name(path)}: from {module} import *"
        in_cli = path.parent.name == "cli" or path.name in ("__main__.py", "demo.py")
        if module.split(".")[0] in ROOMS and not in_cli:
            assert "cli" not in module.split("."), f"{name(path)}: {module}"


@pytest.mark.parametrize("path", [p for p in SOURCES if p.suffix == ".pyx"], ids=name)
def test_a_compiled_unit_imports_no_python_file_of_ours_but_errors(path):
    compiled = {f"minengine.{p.stem}" for p in SOURCES if p.suffix == ".pyx"} | {"minengine.sums"}
    if path.name == "graph.pyx":  # it is compiled for speed alone: it composes what the others do
        return
    ours = {m for m, _ in imports(path) if m.startswith("minengine.")}
    assert {m for m in ours if not m.startswith("minengine.errors")} <= compiled


@pytest.mark.parametrize("package", sorted(ONE_DOOR))
def test_a_foreign_giant_has_one_door(package):
    users = {name(p) for p in SOURCES if any(m.split(".")[0] == package for m, _ in imports(p))}
    users = {u for u in users if not u.startswith(("bench/", "labs/"))}
    assert users <= ONE_DOOR[package]


def test_the_engine_stays_light():
    for path in SOURCES:
        if name(path).startswith("minengine/") and not name(path).startswith("minengine/models/"):
            heavy = {m.split(".")[0] for m, _ in imports(path)} & NEVER_IN_ENGINE
            assert not heavy, f"{name(path)} imports {heavy}"


def test_no_import_cycles():
    graph = {}
    for path in SOURCES:
        module = name(path).removesuffix(path.suffix).replace("/", ".").removesuffix(".__init__")
        graph[module] = {m for m, _ in imports(path)} - {module}
    done: set[str] = set()

    def visit(module: str, trail: tuple[str, ...]) -> None:
        assert module not in trail, " -> ".join([*trail, module])
        if module in done or module not in graph:
            return
        for target in graph[module]:
            visit(target, (*trail, module))
        done.add(module)

    for module in graph:
        visit(module, ())


@pytest.mark.parametrize("path", SOURCES, ids=name)
def test_files_and_functions_stay_small(path):
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    if path.name == "handout.py":  # its text stands in comments, and the cap is for code
        lines = [line for line in lines if not line.startswith("#")]
    assert len(lines) <= CAPS[path.suffix], f"{name(path)}: {len(lines)} lines"
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = node.end_lineno - node.lineno + 1
                assert length <= FUNCTION_CAP, f"{name(path)}: {node.name} has {length} lines"


@pytest.mark.parametrize("command", [["format", "--check"], ["check"]], ids=["format", "lint"])
def test_ruff_finds_nothing(command):
    ran = subprocess.run(
        [sys.executable, "-m", "ruff", *command, "--quiet", str(ROOT)],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
