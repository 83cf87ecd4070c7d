"""The labs: each runs to a report, references get all points, wrong files what they name."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from autograder import bundle, catalog, checks, handout
from autograder.checks import Seeds
from autograder.errors import AutograderError, CheckFailed
from autograder.local import LocalStudent
from course import lab
from course.experiments import kernels
from course.lab import main, report, running

ROOT = Path(__file__).resolve().parents[2]
COURSE = catalog.find_course(ROOT)
LABS = {id_: COURSE.assignment(id_) for id_ in COURSE.labs()}
# a lab at a size for a test: what is put for what in the cells of ours
SMALLER = {
    "2.1_attention": {"(16, 64, 256, 512)": "(16, 32)"},
    "2.2_kv_cache": {
        "N_TOKENS = 64": "N_TOKENS = 4", '["prompt"], 100)': '["prompt"], 20)',
        "(1, 4, 8, 16, 32, 64, 128)": "(16, 64)", '("lru", "fifo", "lfu"), (16, 28, 48)':
        '("lru", "fifo"), (28,)',
    },
    "2.3_sampling": {
        "(0.0, 0.4, 0.7, 1.0, 1.3, 1.7)": "(0.7, 1.3)", "(1, 3, 10, 40, 0)": "(3, 0)",
        "(0.1, 0.5, 0.8, 0.95, 1.0)": "(0.5, 1.0)", '"n_tokens": 48': '"n_tokens": 8',
        "seeds, 48,": "seeds, 8,",
    },
    "2.4_memory_layout": {"32 << 20": "4 << 20", "orders(2048)": "orders(512)",
                          "range(14, 27, 2)": "range(14, 21, 2)", "formats(1024": "formats(256"},
    "2.5_find_the_bug": {"see(\"": "(lambda name: None)(\"", "70,": "66,",
                         "wrong = broken.what_is_wrong(name, part)": "wrong = []"},
    "2.6_gpu_kernels": {'sorted(chosen["lengths"])': 'sorted(chosen["lengths"])[:3]'},
}  # fmt: skip
CHARTS = {
    "2.1_attention": 1, "2.2_kv_cache": 5, "2.3_sampling": 3, "2.4_memory_layout": 7,
    "2.5_find_the_bug": 0, "2.6_gpu_kernels": 3,
}  # fmt: skip


def student(sources):
    """The functions of these sources, as a notebook has them."""
    names = {"np": np}
    for source in sources.values():
        exec(source, names)
    return LocalStudent(names)


def failures(id_, sources, ids=None):
    """Check -> tag of what fails on the first public draw."""
    chosen = [c for c in LABS[id_].checks if ids is None or c.id in ids]
    found = checks.run(chosen, student(sources), Seeds((0,)), hints=LABS[id_].hints, reveal=True)
    return {r.check: r.tag for r in found if not r.passed}


@pytest.mark.parametrize("id_", LABS)
def test_a_lab_runs_from_top_to_bottom_and_becomes_a_report(id_):
    one, left = LABS[id_], dict(SMALLER[id_])
    cells = []
    for cell in one.handout.cells:
        source = cell.source
        if cell.kind == "check":  # another test looks at those
            continue
        for old, new in SMALLER[id_].items() if cell.kind == "code" else ():
            if old in source:
                left.pop(old, None)
                source = source.replace(old, new)
        cells.append(dataclasses.replace(cell, source=source))
    assert not left, f"{id_} has no cell with {list(left)}"
    smaller = dataclasses.replace(one.handout, cells=tuple(cells))
    page = report.make(smaller, {**one.reference.sources, **one.answers})
    assert page.whole, (page.errors, page.open, page.blank)
    assert page.html.count('<div class="drawing"') == CHARTS[id_]
    assert page.html.count('class="answer"') == len(one.handout.answers)
    assert "<script" not in page.html
    assert not re.search(r"https?://(?!www\.w3\.org/)", page.html)
    assert bool(page.measured) == ("findings" in one.handout.holes)
    if page.measured:
        assert page.measured.startswith("def findings(")
        compile(page.measured, "findings", "exec")


@pytest.mark.parametrize("id_", LABS)
def test_the_reference_gets_all_points_and_the_stub_none(id_):
    one = LABS[id_]
    assert failures(id_, one.reference.sources) == {}
    assert set(failures(id_, one.stub().sources)) == {c.id for c in one.checks}
    assert set(one.answers) == set(one.handout.answers)


ALTERNATES = [(id_, s) for id_, one in LABS.items() for s in one.solutions() if s.kind != "wrong"]
WRONG = [(id_, s) for id_, one in LABS.items() for s in one.solutions() if s.kind == "wrong"]


@pytest.mark.parametrize(("id_", "one"), ALTERNATES, ids=lambda x: getattr(x, "name", x))
def test_other_ways_that_are_right_pass_the_checks_of_their_own_holes(id_, one):
    mine = {c.id for c in LABS[id_].checks if c.hole in one.own and c.hole != "findings"}
    if id_ == "2.5_find_the_bug":  # `autograder verify 2.5` also plays all scenes
        mine = {c for c in mine if c.endswith("_alone")}
    assert failures(id_, one.sources, mine) == {}


@pytest.mark.parametrize(("id_", "one"), WRONG, ids=lambda x: getattr(x, "name", x))
def test_a_wrong_file_fails_what_it_names(id_, one):
    ids = {c.id for c in LABS[id_].checks}
    if id_ == "2.5_find_the_bug":
        ids = {c for c in ids if c.endswith("_alone")}
    if id_ == "2.6_gpu_kernels":  # the others compile and launch the reference's kernels again
        ids = {c.id for c in LABS[id_].checks if c.hole in one.own}
    want = {c: tag for c, tag in one.fails.items() if c in ids}
    assert want
    assert failures(id_, one.sources, ids) == want


@pytest.mark.parametrize("id_", LABS)
def test_each_check_is_failed_by_some_wrong_file_and_each_tag_has_a_hint(id_):
    one = LABS[id_]
    failed = {c for s in one.solutions() for c in s.fails}
    assert {c.id for c in one.checks} == failed
    for solution in one.solutions():
        assert set(solution.fails.values()) <= set(one.hints)
    beside = (
        *("autograder/compiler.py", "autograder/kernels.py", "autograder/kernel_checks.py"),
        "course/broken/mistakes.py",
    )
    files = [*one.parts.glob("*.py"), *(ROOT / name for name in beside)]
    said = "".join(p.read_text(encoding="utf-8") for p in files)
    for tag in set(one.hints) - set(checks.SHARED):
        kind = tag.removeprefix(tag.split("-")[0])
        assert tag in said or f'{{part}}{kind}"' in said, f"{tag} is given by no check"


def test_the_command_writes_a_notebook_a_report_and_what_was_measured(tmp_path, monkeypatch):
    run = CliRunner()
    started = run.invoke(main.app, ["start", "2.4", "--to", str(tmp_path)])
    assert started.exit_code == 0, started.output
    path = tmp_path / "2.4_memory_layout.ipynb"
    assert isinstance(run.invoke(main.app, ["start", "2.4", "--to", str(tmp_path)]).exception,
                      AutograderError)  # fmt: skip
    made = report.Page("<p>page</p>", ("x: y",), (), (), running.written({"a": 1.5}), 0.1)
    monkeypatch.setattr(report, "make", lambda *_, **__: made)
    done = run.invoke(main.app, ["report", str(path)])
    assert done.exit_code == 1  # something is not done
    assert (tmp_path / "2.4_memory_layout.html").read_text() == "<p>page</p>"
    notebook = json.loads(path.read_text())
    cell = next(c for c in notebook["cells"] if main.cell_id(c) == "findings")
    names: dict = {}
    exec("".join(cell["source"]), names)
    assert names["findings"]() == {"a": 1.5}
    assert "2.5_find_the_bug" in run.invoke(main.app, ["list"], env={"COLUMNS": "160"}).output


def test_a_report_says_what_failed_and_escapes_what_was_written(tmp_path):
    text = (
        "# %% [markdown]\n# # Title\n\n# %%\nfrom course import lab\n\n# %%\nprint('<b>')\n1 / 0\n"
        '\n# %% answer="said" points="2"\n# YOUR ANSWER HERE\n'
    )
    (tmp_path / "9.9_x.py").write_text(text)
    one = handout.parse(tmp_path / "9.9_x.py")
    page = report.make(one, {"said": "<img src=x onerror=alert(1)> **fine**"})
    assert page.errors == ("code_03: ZeroDivisionError: division by zero (line 2: 1 / 0)",)
    assert "&lt;b&gt;" in page.html
    assert "<img" not in page.html
    assert "<strong>fine</strong>" in page.html
    assert report.make(one, {}).blank == ("said",)


def test_what_is_noted_is_plain_and_finite():
    value = {"a": [np.float32(0.123456789), np.int64(3)], 4: (True, "x")}
    assert lab.plain(value) == {"a": [0.123457, 3], "4": [True, "x"]}
    with pytest.raises(ValueError, match="finite"):
        lab.plain(float("nan"))
    with pytest.raises(TypeError, match="set"):
        lab.plain({1, 2})


def test_what_lab_2_6_predicts_of_strides_is_what_is_counted():
    checks_ = LABS["2.6_gpu_kernels"].module
    strides = [*range(18), 24, 31, 32, 33, 48, 64]
    assert kernels.sectors(strides) == {s: checks_.right_sectors(s) for s in strides}
    names: dict = {}
    exec(LABS["2.6_gpu_kernels"].reference.sources["ways"], names)
    assert kernels.ways(strides) == {s: names["ways"](s) for s in strides}


def test_counts_of_a_kernel_that_is_not_clean_are_refused():
    source = """extern "C" __global__ void late(float* x) { x[threadIdx.x] = 1; }"""
    launch = kernels.Launch("late", 1, 8, ("x",))
    with pytest.raises(ValueError, match=r"late: .*x"):
        kernels.counted(source, [launch], {"x": np.zeros(7, np.float32)})
    made = kernels.counted(source, [launch, launch], {"x": np.zeros(8, np.float32)})
    assert (made.launches, made.moved_bytes, made.requests, made.sectors) == (2, 64, 2, 2)


def test_a_compiler_of_hostile_text_sees_the_system_alone(tmp_path):
    from autograder import compiler, sandbox

    secret = tmp_path / "secret"
    secret.write_text("int secret = 1;")
    for text in (
        f'#include "{secret}"\nint x;',
        f'__asm__(".incbin \\"{secret}\\""); int x;',
        "int x = ;",
        "x" * (compiler.MOST_TEXT + 1),
    ):
        with (
            sandbox.Student({}) as student,
            pytest.raises(CheckFailed) as failed,
        ):
            compiler.compile_cpp(text, student)
        assert failed.value.tag == "cpp-does-not-compile"
        assert "secret = 1" not in str(failed.value)


@pytest.mark.parametrize("name", catalog.find_course(ROOT).labs())
def test_no_line_of_a_reference_is_in_a_labs_bundle(name, tmp_path):
    """`autograder bundle` refuses where one is; checks say mistakes in other words than fixes."""
    course = catalog.find_course(ROOT)
    names = bundle.write_zip(tmp_path / "lab.zip", course, course.assignment(name))
    assert f"{name}/labs/{name}/checks.py" in names
