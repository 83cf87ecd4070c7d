"""The code examples: the C++ layer computes what the engine does, the notebooks run."""

from __future__ import annotations

import importlib
import importlib.util
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cudasim
from autograder import catalog, handout, leaks
from cudasim import device, nvrtc

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


# The ladder of kernels ----------------------------------------------------------------------------

CUDA = EXAMPLES / "cuda"


def of_the_ladder(name):
    """A module of the ladder's folder, which is no package: it runs as a program there."""
    sys.path.insert(0, str(CUDA))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(CUDA))


operations, ladder = of_the_ladder("operations"), of_the_ladder("ladder")
STEPS = [(o, sizes) for o in operations.OPERATIONS for sizes in o.awkward]


@pytest.mark.parametrize(("operation", "sizes"), STEPS, ids=lambda x: getattr(x, "name", str(x)))
def test_every_kernel_of_the_ladder_is_right_and_clean_on_awkward_sizes(operation, sizes):
    ladder.climb(operation, sizes, seed=3)


@pytest.fixture(scope="module")
def climbed():
    return {o.name: ladder.climb(o) for o in operations.OPERATIONS}


@pytest.mark.parametrize("name", [o.name for o in operations.OPERATIONS])
def test_each_step_of_the_ladder_lowers_the_count_that_it_is_for(climbed, name):
    steps = climbed[name]
    assert not steps[0].rung.falls
    for before, after in itertools.pairwise(steps):
        assert after.rung.falls
        for count in after.rung.falls:
            assert ladder.count(after, count) < 0.8 * ladder.count(before, count), count
    assert all(step.gpu_ms is None for step in steps) or device.gpu()


def test_what_the_ladders_comments_say_of_counts_is_so(climbed):
    found = {s.rung.file: s for steps in climbed.values() for s in steps}
    assert found["gate_runs.cu"].counts.sectors_a_request == 32
    assert found["gate.cu"].counts.sectors_a_request == 4
    assert found["gate_vectors.cu"].counts.moved_bytes == found["gate.cu"].counts.moved_bytes
    four = found["gate_vectors.cu"].counts.requests, found["gate.cu"].counts.requests
    assert 4 * four[0] == four[1]
    tile = found["transpose_tile.cu"].counts  # half of the requests read a column: 32 in one bank
    assert tile.bank_conflicts == tile.shared_requests / 2 * 31
    assert found["transpose_padded.cu"].counts.bank_conflicts == 0
    assert found["argmax_warp.cu"].counts.barriers == 8  # one a row
    assert found["product_batch.cu"].factor < found["product_single.cu"].factor / 3
    assert found["product_shared.cu"].factor < 1.1


def test_every_file_of_the_ladder_is_a_step_is_cuda_and_no_line_of_an_assignments_answer():
    files = sorted(p.name for p in CUDA.glob("*.cu"))
    assert files == sorted(r.file for o in operations.OPERATIONS for r in o.rungs)
    if nvrtc.is_available():
        for file in files:
            assert nvrtc.judge((CUDA / file).read_text()).costs
    reference = catalog.find_course(EXAMPLES.parents[1]).assignment("04_gpu_kernels").reference
    assert leaks.find(leaks.below(CUDA), leaks.lines_of(reference.sources)) == []


def test_the_ladder_runs_and_is_timed_by_cupys_way_where_there_is_a_gpu(monkeypatch):
    monkeypatch.setattr(device, "gpu", lambda: cudasim)  # its names are CuPy's
    for operation in operations.OPERATIONS:
        for step in ladder.climb(operation, operation.awkward[1]):
            assert step.gpu_ms > 0


def test_the_times_that_are_kept_are_of_every_step_and_bear_out_what_the_page_says():
    kept = ladder.recorded()
    assert {r.step for r in kept} == {p.stem for p in CUDA.glob("*.cu")}
    sizes = dict.fromkeys(r.sizes for r in kept if r.step == "product_batch").keys()
    few, many = ({r.step: r for r in kept if r.sizes not in sizes - {s}} for s in sizes)
    slowest = {"gate": 6, "transpose_tile": 3, "transpose_padded": 1.2, "norm_fused": 1.2}
    for step, least in {**slowest, "attention_row": 1.2, "attention_flash": 3}.items():
        assert many[step].faster > least
    assert all(0.9 < many[step].faster < 1.1 for step in ("argmax_tree", "argmax_warp"))
    products = "product_single", "product_batch", "product_shared"
    assert sorted(products, key=lambda s: many[s].us) == list(reversed(products))
    assert few["product_single"].us < few["product_shared"].us < few["product_batch"].us


def test_the_ladder_is_a_program_with_a_table_and_a_chart(tmp_path, capsys):
    ladder.main(["transpose", "--chart", str(tmp_path / "made" / "ladder.svg")])
    said = capsys.readouterr().out
    assert "transpose_padded.cu: wavefronts lost to bank conflicts 15,872 -> 0" in said
    drawn = (tmp_path / "made" / "ladder.svg").read_text(encoding="utf-8")
    assert re.findall(r">(transpose\w*)<", drawn) == [
        "transpose", "transpose_tile", "transpose_padded",
    ]  # fmt: skip
    with pytest.raises(SystemExit):
        ladder.main(["transposed"])
