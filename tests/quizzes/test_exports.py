"""`quiz export`: files, what is said on stderr, errors. What stands in the files: the tests of each
format."""

from __future__ import annotations

import json
import zipfile

import pytest
from typer.testing import CliRunner

from quizzes import exports
from quizzes.cli.main import app
from quizzes.exports import ASPECTS, FORMATS
from quizzes.paper import draw, draw_all
from quizzes.schema import FOLDER, load_bank

from .conftest import SMALL, small_bank

BANK = FOLDER / "bank" / "2.1.yaml"


@pytest.fixture
def export(state, tmp_path):
    small_bank(tmp_path)

    def run(*arguments):
        return CliRunner().invoke(app, ["export", *map(str, arguments)])

    return run


@pytest.mark.parametrize("name", FORMATS)
def test_help_names_every_format(export, name):
    shown = " ".join(export("--help").output.split())
    assert f"{name}:" in shown


@pytest.mark.parametrize("name", FORMATS)
def test_a_paper_of_a_student_is_the_one_that_is_taken(export, tmp_path, name):
    out = tmp_path / "out"
    made = export("2.1", "-f", name, "--student", "ada", "--seed", "3", "-o", out)
    assert made.exit_code == 0
    assert out.read_bytes() == exports.as_bytes(FORMATS[name], draw("2.1", "ada", "3"))


@pytest.mark.parametrize("name", FORMATS)
def test_a_bank_is_exported_whole(export, tmp_path, name):
    out = tmp_path / "out"
    assert export(tmp_path / "9.1.yaml", "-f", name, "-o", out).exit_code == 0
    if name == "qti":
        with zipfile.ZipFile(out) as packed:
            text = packed.read(packed.namelist()[1]).decode()
        assert text.count("<item ") == SMALL.count("  - id:")
    else:
        assert len(json.loads(out.read_text()) if name == "jupyterquiz" else
                   out.read_text().split("\n\n")[1:]) == SMALL.count("  - id:")  # fmt: skip


def test_questions_of_a_bank_are_drawn_as_on_a_paper():
    on_paper = {q.id: q for q in draw("2.1", "ada", 1).questions}
    in_bank = {q.id: q for q in draw_all(load_bank(BANK), "ada", 1).questions}
    assert on_paper.items() <= in_bank.items()


def test_several_students_get_a_file_each_in_a_folder(export, tmp_path):
    out = tmp_path / "papers"
    made = export("2.1", "-f", "gift", "-s", "ada", "-s", "grace", "-o", out)
    assert made.exit_code == 0
    assert sorted(p.name for p in out.iterdir()) == ["ada.gift", "grace.gift"]
    assert (out / "ada.gift").read_text() != (out / "grace.gift").read_text()


def test_without_a_file_the_text_is_printed_and_nothing_else_on_stdout(export, tmp_path):
    made = export(tmp_path / "9.1.yaml", "-f", "jupyterquiz")
    assert len(json.loads(made.stdout)) == SMALL.count("  - id:")


def test_a_secret_draws_the_papers_that_it_deals(export, tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("the course's own secret")
    made = export("2.1", "-f", "gift", "-s", "ada", "--secret", secret)
    assert made.stdout == FORMATS["gift"].write(draw("2.1", "ada", b"the course's own secret"))


@pytest.mark.parametrize("name", FORMATS)
def test_what_a_format_cannot_say_is_said_with_the_ids_of_its_questions(export, tmp_path, name):
    said = export(tmp_path / "9.1.yaml", "-f", name, "-o", tmp_path / "out").stderr.splitlines()
    of = {line.split(": ")[1]: line.split(": ")[2] for line in said}
    assert all(line.startswith(f"{name}: ") for line in said)
    for aspect, sentence in FORMATS[name].changes.items():
        want = {"order": "steps", "line": "printed", "several": "sharing",
                "mistakes": "heads, printed"}.get(aspect)  # fmt: skip
        assert of.get(sentence) == want


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_speaks_of_aspects_that_exist(name):
    assert FORMATS[name].changes.keys() <= ASPECTS.keys()
    assert {"unit", "order", "line"} <= FORMATS[name].changes.keys()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["9.9", "-f", "gift"], "there is no quiz '9.9'; there is 2.1"),
        (["missing.yaml", "-f", "gift"], "missing.yaml: cannot be read"),
        (["2.1", "-f", "gift", "-s", "a", "-s", "b"], "2 papers and no --out FOLDER"),
        (
            ["2.1", "-f", "gift", "-s", "a/b", "-s", "b", "-o", "{tmp}/x"],
            "'a/b' cannot be the name",
        ),
        (
            ["2.1", "-f", "gift", "-s", "a", "-s", "b", "-o", "{tmp}/9.1.yaml"],
            "want a folder for 2",
        ),
        (["2.1", "-f", "gift", "--seed", "1", "--secret", "x"], "--seed and --secret"),
        (["2.1", "-f", "gift", "-o", "{tmp}/no/such"], "No such file or directory"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(export, tmp_path, arguments, says):
    made = export(*(a.replace("{tmp}", str(tmp_path)) for a in arguments))
    assert made.exit_code == 2
    assert says in made.stderr
    assert made.stderr.count("\n") == 1


def test_an_unknown_format_is_answered_with_those_there_are(export):
    made = export("2.1", "-f", "moodle")
    assert made.exit_code == 2
    assert all(name in made.stderr for name in FORMATS)
