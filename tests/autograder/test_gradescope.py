"""The zip for Gradescope, run in a folder laid out as its containers are."""

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from autograder import gradescope, sandbox
from autograder.classroom import Classroom
from autograder.errors import CourseError

TINY = ["--course", str(Path(__file__).parent / "tiny")]
REPOSITORY = Path(__file__).resolve().parents[2]
ID = "01_tiny"
METADATA = {
    "id": 123456,
    "created_at": "2018-07-01T14:22:32.365935-07:00",
    "assignment": {"due_date": "2018-07-31T23:00:00.000000-07:00", "title": "Tiny"},
    "submission_method": "upload",
    "users": [{"email": "ada@x.edu", "id": 1234, "name": "Ada"}],
    "previous_submissions": [],
}


@pytest.fixture(scope="module")
def packed(tmp_path_factory, command):
    root = tmp_path_factory.mktemp("spring")
    Classroom(root).make_secret()
    command("gradescope", "1", "--dir", root, "-o", root / "a.zip", *TINY)
    return root


@pytest.fixture
def container(tmp_path, packed):
    """/autograder of a container after setup.sh, in a temporary folder."""
    root = tmp_path / "autograder"
    with zipfile.ZipFile(packed / "a.zip") as archive:
        archive.extractall(root / "source")
    for folder in ("submission", "results"):
        (root / folder).mkdir()
    (root / "submission_metadata.json").write_text(json.dumps(METADATA))
    venv.EnvBuilder(symlinks=True, with_pip=False).create(root / "venv")
    # in the place of pip install: the packages of this environment, and this repository's
    places = [str(REPOSITORY), sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]
    own = next((root / "venv" / "lib").glob("python3.*")) / "site-packages"
    (own / "here.pth").write_text("\n".join(places) + "\n")
    return root


def autograde(root: Path) -> tuple[int, dict]:
    ran = subprocess.run(
        ["bash", root / "source" / "run_autograder"],
        env={"AUTOGRADER_ROOT": str(root), "PATH": os.environ["PATH"]},
        cwd=root, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    path = root / "results" / "results.json"
    assert path.exists(), ran.stderr
    return ran.returncode, json.loads(path.read_text())


def test_the_container_grades_a_submission_in_a_sandbox(container, write_notebook, tiny_sources):
    write_notebook(container / "submission" / "my.ipynb", tiny_sources["no_mean"])
    code, made = autograde(container)
    assert (code, made["score"]) == (0, 4.0)
    assert not made["extra_data"]["unsandboxed"]
    tests = {t["extra_data"]["check"]: t for t in made["tests"]}
    assert tests["center_rows"]["status"] == "failed"
    assert "The mean stays" in tests["center_rows"]["output"]
    assert tests["tally_counts"]["visibility"] == "hidden"
    first = json.dumps(made["tests"][0]["output"])
    assert json.dumps(autograde(container)[1]["tests"][0]["output"]) == first


def test_a_submission_cannot_read_the_secret_nor_the_checks(container, write_notebook):
    spy = (
        "def center(x, weight):\n    import pathlib\n"
        f"    raise ValueError(str([p.read_text()[:9] for p in pathlib.Path({str(container)!r})"
        ".glob('source/*')]))\n"
    )
    write_notebook(container / "submission" / f"{ID}.ipynb", {"center": spy})
    _, made = autograde(container)
    secret = (container / "source" / "secret").read_text()
    assert secret[:9] not in json.dumps(made)
    assert "ValueError: []" in made["tests"][0]["output"]


def test_two_notebooks_are_not_graded_and_no_score_is_made_up(container, write_notebook):
    for name in ("a", "b"):
        write_notebook(container / "submission" / f"{name}.ipynb", {})
    code, made = autograde(container)
    assert code == 1
    assert "score" not in made
    assert f"hand in one notebook named {ID}.ipynb; there is a.ipynb, b.ipynb" in made["output"]


def test_where_no_sandbox_works_nothing_is_graded(container, write_notebook, monkeypatch):
    write_notebook(container / "submission" / f"{ID}.ipynb", {})
    monkeypatch.setattr(sandbox, "probe", lambda b: "not here" if b.sandboxed else "")
    made = gradescope.run(container)
    assert "score" not in made
    assert made["output"].startswith("This was not graded: ")


def test_the_zip_has_what_runs_there_and_nothing_secret(packed):
    with zipfile.ZipFile(packed / "a.zip") as archive:
        names = archive.namelist()
        modes = {i.filename: i.external_attr >> 16 & 0o777 for i in archive.infolist()}
        key = archive.read("secret").decode()
    assert {"setup.sh", "run_autograder", "settings.json", "package/setup.py"} <= set(names)
    assert modes["setup.sh"] == modes["run_autograder"] == 0o755
    assert f"course/assignments/{ID}/checks.py" in names
    assert not [n for n in names if "solutions" in n or n.endswith((".so", ".pyc"))]
    assert key != Classroom(packed).secret().hex()
    assert bytes.fromhex(key) == gradescope.derived(Classroom(packed).secret(), ID)


def test_the_same_course_gives_the_same_zip(packed, command):
    command("gradescope", "1", "--dir", packed, "-o", packed / "b.zip", *TINY)
    assert (packed / "a.zip").read_bytes() == (packed / "b.zip").read_bytes()


def test_a_package_can_be_named_and_must_be_there(packed, tmp_path, command):
    wheel = tmp_path / "minengine-0.1.0.tar.gz"
    args = ("gradescope", "1", "--dir", packed, "-o", tmp_path / "c.zip", "--package", wheel)
    with pytest.raises(CourseError, match="no such file"):
        command(*args, *TINY)
    wheel.write_bytes(b"x")
    command(*args, *TINY)
    with zipfile.ZipFile(tmp_path / "c.zip") as archive:
        assert [n for n in archive.namelist() if "package" in n] == [f"package/{wheel.name}"]
        assert f"/source/package/{wheel.name}" in archive.read("setup.sh").decode()


@pytest.mark.parametrize("script", gradescope.SCRIPTS)
def test_the_scripts_are_bash(packed, script):
    with zipfile.ZipFile(packed / "a.zip") as archive:
        ran = subprocess.run(["bash", "-n"], input=archive.read(script), capture_output=True)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("text", "student"),
    [
        (json.dumps(METADATA), "ada@x.edu"),
        (json.dumps({"users": [{"id": 2}, {"email": "b@x.edu", "id": 1}]}), "2+b@x.edu"),
        ("[" * 100_000, "unknown"),
        ("{}", "unknown"),
    ],
)
def test_who_handed_in_is_read_from_the_metadata(tmp_path, text, student):
    path = tmp_path / "m.json"
    path.write_text(text)
    assert gradescope.student_of(path) == student
