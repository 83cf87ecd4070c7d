"""The tiny course: two holes, four checks, a solution for each verdict; quick to grade."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from autograder import catalog, handout

TINY = Path(__file__).parent / "tiny"


@pytest.fixture(scope="session")
def tiny_course():
    return catalog.find_course(TINY)


@pytest.fixture(scope="session")
def tiny(tiny_course):
    """The tiny course's assignment."""
    return tiny_course.assignment("01_tiny")


@pytest.fixture(scope="session")
def tiny_sources(tiny):
    """Name of a solution -> its sources, the stub included."""
    return {s.name: dict(s.sources) for s in [*tiny.solutions(), tiny.stub()]}


@pytest.fixture
def write_notebook(tiny):
    """``write_notebook(path, sources, edit)``: a submission; ``edit`` may change its dict."""

    def write(path: Path, sources: dict[str, str], edit=None) -> Path:
        notebook = json.loads(json.dumps(handout.fill(tiny.handout, sources)))
        if edit:
            edit(notebook)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        return path

    return write


@pytest.fixture(scope="session")
def command():
    """``command("grade", "1", ..., code=0)``: run it in this process; what it printed on stdout."""
    from typer.testing import CliRunner

    from autograder.cli import main as cli

    def run(*args, code=0):
        result = CliRunner().invoke(cli.app, [str(a) for a in args], env={"COLUMNS": "160"})
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result.stdout

    return run
