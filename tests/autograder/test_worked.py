"""The instructor's worked notebook: right, run, its owner's alone, never where students read."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from autograder import worked
from autograder.errors import CourseError

TINY = Path(__file__).parent / "tiny"
COURSE = ["--course", str(TINY)]
ID = "01_tiny"


def cells(path: Path) -> dict[str, dict]:
    return {c["id"]: c for c in json.loads(path.read_text())["cells"]}


def test_the_notebook_has_the_reference_and_the_outputs_of_its_run(tmp_path, command, tiny):
    said = json.loads(command("solutions", "1", "-o", tmp_path / "w.ipynb", "--json", *COURSE))
    assert said == {
        "assignment": ID, "notebook": str(tmp_path / "w.ipynb"), "executed": True, "failed": [],
        "seconds": said["seconds"],
    }  # fmt: skip
    found = cells(tmp_path / "w.ipynb")
    for hole, source in tiny.reference.sources.items():
        assert "".join(found[hole]["source"]) == source
        shown = json.dumps(found[f"check_{hole}"]["outputs"])
        assert "checks passed" in shown
        assert "failed" not in shown
    assert "solutions are in it" in json.dumps(next(iter(found.values())))
    assert (tmp_path / "w.ipynb").stat().st_mode & 0o077 == 0


def test_without_running_there_are_no_outputs(tmp_path, command):
    said = command("solutions", "1", "-o", tmp_path / "w.ipynb", "--no-execute", *COURSE)
    assert "not run" in said
    assert all(not c.get("outputs") for c in cells(tmp_path / "w.ipynb").values())


def test_a_reference_that_fails_its_check_is_said(tmp_path, command):
    copy = tmp_path / "c"
    shutil.copytree(TINY, copy)
    path = copy / "solutions" / ID / "reference.py"
    path.write_text(path.read_text().replace("* weight", "+ weight"))
    said = json.loads(
        command("solutions", "1", "-o", tmp_path / "w.ipynb", "--json", "--course", copy, code=1)
    )
    assert said["failed"] == ["check_center"]


@pytest.mark.parametrize(
    "place", ["release/w.ipynb", "room/submitted/ada/w.ipynb", "feedback/w.ipynb",
              "exchange/outbound/w.ipynb"]
)  # fmt: skip
def test_a_place_where_students_read_is_refused(tmp_path, tiny, place):
    path = tmp_path / place
    path.parent.mkdir(parents=True)
    with pytest.raises(CourseError, match="students read"):
        worked.write(tiny, path, execute=False)
    assert not path.exists()


def test_a_link_into_a_release_is_followed_and_refused(tmp_path, tiny):
    (tmp_path / "release").mkdir()
    (tmp_path / "mine").symlink_to(tmp_path / "release")
    with pytest.raises(CourseError, match="students read release/"):
        worked.write(tiny, tmp_path / "mine" / "w.ipynb", execute=False)


def test_what_bundles_are_made_from_and_the_name_of_a_submission_are_refused(tmp_path, tiny):
    for path, words in (
        (TINY / "assignments" / ID / "w.ipynb", "wheels and bundles"),
        (tmp_path / f"{ID}.ipynb", "what a student's notebook is called"),
        (tmp_path, "name of a file"),
        (tmp_path / "gone" / "w.ipynb", "name of a file"),
    ):
        with pytest.raises(CourseError, match=words):
            worked.write(tiny, path, execute=False)
        assert not path.is_file()
