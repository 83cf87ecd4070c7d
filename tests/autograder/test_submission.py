"""Of a notebook, however damaged, only the holes are taken, and what was odd is said."""

from __future__ import annotations

import json
import os

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autograder import submission
from autograder.errors import SubmissionError

RIGHT = "def center(x, weight):\n    return x * weight\n"
OTHER = "def center(x, weight):\n    return x\n"


@pytest.fixture
def read(tmp_path, tiny, tiny_sources, write_notebook):
    def read(edit=None, sources=None):
        path = tmp_path / "01_tiny" / "01_tiny.ipynb"
        write_notebook(path, sources or tiny_sources["reference"], edit)
        return submission.read(path, tiny.handout)

    return read


def cell(notebook, grade_id):
    return next(c for c in notebook["cells"] if c["id"] == grade_id)


def code(source, **more):
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": [], **more}


def test_the_holes_are_taken_in_order_and_nothing_is_said_of_a_sound_notebook(read, tiny_sources):
    found = read()
    assert dict(found.holes) == tiny_sources["reference"]
    assert list(found.holes) == ["center", "Tally"]
    assert found.notes == ()


def test_nothing_but_the_holes_matters(read):
    def edit(nb):
        nb["metadata"] = {"tags": "x"}
        nb["cells"][1]["source"] = "import evil"
        for c in nb["cells"]:
            c["metadata"]["tags"] = ["skip-execution"]
            c["outputs"] = [{"data": "full marks"}]
        cell(nb, "check_center")["metadata"]["nbgrader"]["points"] = 1000

    assert read(edit).holes == read().holes
    assert read(edit).digest == read().digest
    assert read(edit).notes == ()


def test_the_digest_changes_with_a_hole(read, tiny_sources):
    assert read().digest != read(sources=tiny_sources["no_mean"]).digest


def test_sources_may_be_lists_of_lines(read):
    def edit(nb):
        for c in nb["cells"]:
            c["source"] = c["source"].splitlines(keepends=True)

    assert read(edit) == read()


def test_a_lost_cell_is_found_by_the_name_it_defines(read):
    def edit(nb):
        for c in nb["cells"]:
            c["metadata"], c["id"] = {}, "lost"

    found = read(edit)
    assert found.holes == read().holes
    assert any("center: found by its name in cell 3" in n for n in found.notes)


def test_lost_metadata_with_a_kept_cell_id_is_enough(read):
    def edit(nb):
        for c in nb["cells"]:
            c["metadata"] = {}

    found = read(edit)
    assert found.holes == read().holes
    assert "center: found by its cell id; nbgrader's metadata was lost" in found.notes


def test_a_hole_that_is_nowhere_is_said(read):
    found = read(lambda nb: nb["cells"].remove(cell(nb, "center")))
    assert "center" not in found.holes
    assert "Tally" in found.holes
    assert found.notes == ("center: no cell with this id and none that defines it",)


def twice(second, **more):
    def edit(nb):
        copy = dict(cell(nb, "center")) | {"source": second} | more
        nb["cells"].append(copy)

    return edit


def test_of_two_cells_with_one_id_the_one_that_works_is_taken(read, tiny_sources):
    found = read(twice("def center(x, weight:\n"))
    assert found.holes["center"] == tiny_sources["reference"]["center"]
    broken = read(twice(RIGHT), {**tiny_sources["reference"], "center": "def center(:"})
    assert broken.holes["center"] == RIGHT
    assert "center: cells 3, 7 carry this id; cell 7 was taken" in broken.notes


def test_of_two_cells_with_one_id_the_stub_yields_and_then_the_last_run_counts(read, tiny_sources):
    assert read(twice(RIGHT), tiny_sources["stub"]).holes["center"] == RIGHT
    assert read(twice(OTHER, execution_count=9)).holes["center"] == OTHER
    assert read(twice(OTHER)).holes["center"] == tiny_sources["reference"]["center"]


def test_a_solution_in_a_cell_of_its_own_is_found_where_the_hole_was_left_as_it_was(
    read, tiny_sources
):
    found = read(lambda nb: nb["cells"].append(code(RIGHT)), tiny_sources["stub"])
    assert found.holes["center"] == RIGHT
    assert found.holes["Tally"] == tiny_sources["stub"]["Tally"]
    assert any("cell 7; the cell with its id was left as it was" in n for n in found.notes)


def test_a_filled_hole_is_not_replaced_by_a_later_cell(read, tiny_sources):
    found = read(lambda nb: nb["cells"].append(code(OTHER, execution_count=99)))
    assert found.holes["center"] == tiny_sources["reference"]["center"]


@pytest.mark.parametrize("kind", ["markdown", "raw", 7, None])
def test_a_changed_cell_type_does_not_lose_the_work(read, kind):
    found = read(lambda nb: cell(nb, "center").update(cell_type=kind))
    assert found.holes == read().holes
    assert any("the cell had become" in n for n in found.notes)


def test_lines_of_ipython_are_left_out_and_said(read, tiny_sources):
    magic = "%matplotlib inline\n" + RIGHT.replace("    return", "    !ls\n    return")
    found = read(sources={**tiny_sources["reference"], "center": magic})
    assert compile(found.holes["center"], "x", "exec")
    assert "center: lines of IPython (% or !) were left out" in found.notes


def test_names_of_other_cells_are_known_for_a_later_note(read):
    found = read(lambda nb: nb["cells"].insert(0, code("import math as m\ndef helper(): pass")))
    assert found.elsewhere["helper"] == 1
    assert found.elsewhere["m"] == 1
    assert "center" not in found.elsewhere


def test_the_old_notebook_format_is_read(read):
    def edit(nb):
        for c in nb["cells"]:
            c["input"] = c.pop("source")
        nb["worksheets"] = [{"cells": nb.pop("cells")}]
        nb["nbformat"] = 3

    assert read(edit).holes == read().holes


def test_a_hole_of_absurd_size_is_not_read(read, tiny_sources):
    huge = RIGHT + "#" * submission.MAX_HOLE
    found = read(sources={**tiny_sources["reference"], "center": huge})
    assert found.holes["center"] == ""
    assert any("256 KiB" in n for n in found.notes)


def test_bytes_that_are_no_utf8_are_replaced_and_said(tmp_path, tiny, read):
    read()
    path = tmp_path / "01_tiny" / "01_tiny.ipynb"
    path.write_bytes(path.read_bytes().replace(b"Two holes", b"Two\xff holes"))
    found = submission.read(path, tiny.handout)
    assert found.holes == read().holes
    assert "not UTF-8" in found.notes[0]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "broken JSON"),
        (b"{", "broken JSON"),
        (b"\x00\xff" * 40, "broken JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a":' * 100_000, "nested too deeply"),
        (b"[]", "no list of cells"),
        (b"null", "no list of cells"),
        (b'{"cells": 3}', "no list of cells"),
        (b'{"worksheets": {}}', "no list of cells"),
    ],
)
def test_what_is_no_notebook_is_refused_in_words(tmp_path, tiny, data, words):
    path = tmp_path / "x.ipynb"
    path.write_bytes(data)
    with pytest.raises(SubmissionError, match=words):
        submission.read(path, tiny.handout)


@pytest.mark.parametrize(
    "text",
    [
        '{"cells": ' + '{"x": ' * 900 + "[" + "1," * 2_000_000,
        '{"cells": ' + '{"x": "' * 20_000 + "y" * 4_000_000,
        '{"cells": ' + "{" * 4_000_000,
        '{"cells": ' + '{"a": {}}' * 400_000 + "]",
    ],
    ids=["no end", "texts without an end", "nested", "no cells"],
)
def test_the_search_for_whole_cells_is_bounded(text, monkeypatch):
    read = 0

    class Decoder(json.JSONDecoder):
        def raw_decode(self, s, idx=0):
            nonlocal read
            read += 1
            return super().raw_decode(s, idx)

    monkeypatch.setattr(submission.json, "JSONDecoder", Decoder)
    assert submission.whole_cells(text) == []
    assert read <= submission.MOST_TRIES


def test_a_file_beyond_the_cap_is_refused(tmp_path, tiny):
    path = tmp_path / "x.ipynb"
    with path.open("wb") as file:
        file.truncate(submission.MAX_BYTES + 1)
    with pytest.raises(SubmissionError, match="larger than 50 MiB"):
        submission.read(path, tiny.handout)


def test_links_pipes_and_folders_are_refused(tmp_path, tiny, read):
    read()
    real = tmp_path / "01_tiny" / "01_tiny.ipynb"
    (tmp_path / "link.ipynb").symlink_to(real)
    (tmp_path / "linked").symlink_to(real.parent)
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    for name in ("link.ipynb", "linked/01_tiny.ipynb", "pipe.ipynb", "folder.ipynb", "none.ipynb"):
        with pytest.raises(SubmissionError):
            submission.read(tmp_path / name, tiny.handout)


@pytest.mark.parametrize(
    "source",
    ["(" * 5000, "-" * 20_000 + "1", "x\0y", "\ud800", "[" * 150 + "]" * 150, "1" * 10_000],
)
def test_sources_that_break_parsers_break_nothing(read, tiny_sources, source):
    def edit(nb):
        nb["cells"].append(code(source))
        cell(nb, "center")["source"] = source

    found = read(edit)
    assert found.holes["Tally"] == tiny_sources["reference"]["Tally"]
    json.dumps(dict(found.holes)).encode()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["cells", "cell_type", "source", "metadata", "nbgrader", "grade_id"])
            | st.text(max_size=5),
            inner,
            max_size=4,
        )
    ),
    max_leaves=30,
)


@given(JSON)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_any_json_is_read_or_refused(tmp_path, tiny, document):
    path = tmp_path / "any.ipynb"
    path.write_text(json.dumps({"cells": [document, {"cell_type": "code", "metadata": document}]}))
    found = submission.read(path, tiny.handout)
    assert set(found.holes) <= {"center", "Tally"}
