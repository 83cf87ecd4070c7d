"""A report shows findings at their lines, and nothing in it comes alive in a browser."""

from __future__ import annotations

import numpy as np
import pytest

import cudasim as cp

CODE = """extern "C" __global__ void shifts(const float *x, float *y) {
  // <script>alert(1)</script>
  __shared__ float s[8];
  s[threadIdx.x] = x[threadIdx.x];
  y[threadIdx.x] = s[(threadIdx.x + 1) % 8];
}
extern "C" __global__ void copies(const float *x, float *y) {
  y[threadIdx.x] = x[threadIdx.x];
}
extern "C" __global__ void together(const float *x, float *y) {
  __shared__ float s[8];
  for (int i = threadIdx.x; i < 8; i += 8) s[i] = x[i];
  for (int i = threadIdx.x; i < 8; i += 8) y[i] = s[(i + 1) % 8];
}
"""
MODULE = cp.RawModule(code=CODE)


def args():
    return cp.asarray(np.arange(8, dtype=np.float32)), cp.empty(8, np.float32)


def report(name: str) -> cp.Report:
    return cp.check(MODULE.get_function(name), 1, 8, args())


def test_a_finding_is_a_sentence_with_both_lines():
    faulty = report("shifts")
    assert not faulty.clean
    assert faulty.kinds == ("race",)
    assert (
        "thread (1,0,0) of block (0,0,0) writes __shared__ s[1] at line 4; thread (0,0,0) read it "
        "at line 5 and neither a barrier nor __syncwarp orders the two" in str(faulty)
    )
    assert "  >    4   s[threadIdx.x] = x[threadIdx.x];" in str(faulty)
    assert "  <    5   y[threadIdx.x] = s[(threadIdx.x + 1) % 8];" in str(faulty)


def test_rich_gets_markup_in_which_brackets_of_the_source_stay():
    assert r"s\[threadIdx.x] = x\[threadIdx.x]" in report("shifts").__rich__()


def test_the_page_escapes_the_source_and_runs_nothing(tmp_path):
    report("shifts").save(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count('class="hit"') == 2
    assert "http-equiv" not in page


def test_a_small_launch_is_drawn_and_a_large_one_is_not():
    drawn = report("copies").html()
    assert drawn.count("<line ") == 16
    assert "threads</text>" in drawn
    big = cp.check(MODULE.get_function("copies"), 1, 64, (cp.zeros(64, "f4"), cp.zeros(64, "f4")))
    assert "<svg" not in big.html()


def test_mode_checked_raises_with_the_report_and_profiled_collects():
    shifts, copies = (MODULE.get_function(n) for n in ("shifts", "copies"))
    with cp.configured(mode="checked") as settings:
        copies((1,), (8,), args())
        with pytest.raises(cp.Unsafe) as caught:
            shifts((1,), (8,), args())
    assert [r.clean for r in settings.reports] == [True, False]
    assert caught.value.report is settings.reports[1]
    with cp.configured(mode="profiled") as settings:
        shifts((1,), (8,), args())
    assert settings.reports[0].counters.moved_bytes == 64
    with pytest.raises(cp.CudasimError, match="mode 'quick'"), cp.configured(mode="quick"):
        pass


def test_bytes_that_a_checked_kernel_wrote_count_as_written_afterwards():
    x, y = args()
    cp.check(MODULE.get_function("copies"), 1, 4, (x, y))
    half = cp.check(MODULE.get_function("copies"), 1, 8, (y, cp.empty(8, "f4")))
    assert half.kinds == ("uninitialised-read",)
    assert "reads x[4]" in half.findings[0].message
    y[4:] = 1.0
    assert cp.check(MODULE.get_function("copies"), 1, 8, (y, cp.empty(8, "f4"))).clean


def test_in_lockstep_a_race_between_lanes_comes_out_as_on_a_gpu():
    args = cp.arange(8, dtype=np.float32), cp.empty(8, np.float32)
    faulty = cp.check(MODULE.get_function("together"), 1, 8, args, lockstep=True)
    assert faulty.kinds == ("race",)
    assert args[1].get().tolist() == [1, 2, 3, 4, 5, 6, 7, 0]
