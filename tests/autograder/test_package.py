"""A notebook's cells as a package that Python can import."""

from __future__ import annotations

import importlib
import json
import sys

import pytest

from autograder import catalog, handout, package
from autograder.errors import CourseError
from tests.autograder.conftest import TINY

MODULES = {"one": ("f", "g"), "two": ("h",)}
SOURCES = {
    "f": "def f(x):\n    return np.sum(x) + late()\n",
    "g": "def g(x):\n    return h(x) + 1\n",
    "h": "def late():\n    return 1\n\n\ndef h(x):\n    return 2 * f(x)\n",
}


@pytest.fixture
def imported(tmp_path, monkeypatch):
    def read(name, files):
        package.write(files, tmp_path / name)
        monkeypatch.syspath_prepend(str(tmp_path))
        for module in [m for m in sys.modules if m.split(".")[0] == name]:
            del sys.modules[module]
        return importlib.import_module(name)

    return read


def test_modules_that_use_each_other_can_be_imported(imported):
    made = imported("mine_1", package.texts(SOURCES, MODULES, "Mine"))
    assert (made.f([1, 2]), made.h([1]), made.g([1])) == (4, 4, 5)
    assert made.__all__ == ["f", "g", "h"]


def test_a_piece_that_is_missing_leaves_the_others(imported):
    rest = {"f": "def f(x):\n    return x\n"}
    assert imported("mine_2", package.texts(rest, MODULES, "Mine")).f(3) == 3


def test_a_hole_without_a_module_is_refused():
    with pytest.raises(CourseError, match="k: in no module"):
        package.texts({"k": "def k():\n    pass\n"}, MODULES, "Mine")


def test_a_folder_with_other_files_or_no_name_is_refused(tmp_path):
    files = package.texts(SOURCES, MODULES, "Mine")
    with pytest.raises(CourseError, match="no name of a package"):
        package.write(files, tmp_path / "my-package")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "other.py").write_text("x = 1\n")
    with pytest.raises(CourseError, match=r"other\.py"):
        package.write(files, tmp_path / "full")


def test_the_command_writes_the_projects_package(tmp_path, command):
    root = TINY.parents[2]
    project = catalog.find_course(root).assignment("05")
    made = handout.fill(project.handout, dict(project.reference.sources))
    path = tmp_path / "05_mini_engine.ipynb"
    path.write_text(json.dumps(made))
    said = command("package", path, "--to", tmp_path / "mini", "--course", root, "--json")
    assert sorted(p.name for p in (tmp_path / "mini").iterdir()) == sorted(
        [*(f"{m}.py" for m in vars(project.module)["MODULES"]), "__init__.py"]
    )
    assert len(json.loads(said)) == 9
    with pytest.raises(CourseError, match="01_transformer_layer is no package"):
        command("package", path, "--to", tmp_path / "x", "--course", root, "-a", "1")
