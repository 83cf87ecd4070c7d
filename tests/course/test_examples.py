"""The code examples: the C++ layer computes what the engine does, the notebooks run."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autograder import handout

EXAMPLES = Path(__file__).resolve().parents[2] / "course" / "examples"
NOTEBOOKS = sorted((EXAMPLES / "python").glob("*.py"))


def test_the_layer_in_cpp_is_the_engines(tmp_path):
    command = ["make", "-s", "-C", str(EXAMPLES / "cpp"), f"BUILD={tmp_path}"]
    made = subprocess.run(command, capture_output=True, text=True)
    assert made.returncode == 0, made.stderr
    assert not made.stderr  # no warning
    spec = importlib.util.spec_from_file_location("compare", EXAMPLES / "cpp" / "compare.py")
    compare = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(compare)
    for whole, single in compare.differences(tmp_path / "layer", 2):
        assert whole < 1e-4  # float32 sums in another order
        assert single < 1e-4
    cut = tmp_path / "cut"
    cut.write_bytes(b"\x01\x00\x00\x00" * 8)
    failed = subprocess.run([tmp_path / "layer", cut, tmp_path / "out"], capture_output=True)
    assert failed.returncode == 1
    assert shutil.which("make")


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_notebook_of_the_examples_runs_and_is_percent_text(path):
    ran = subprocess.run([sys.executable, path], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    cells = handout.parse(path).cells
    assert {c.kind for c in cells} == {"markdown", "code"}
    assert cells[0].kind == "markdown"
