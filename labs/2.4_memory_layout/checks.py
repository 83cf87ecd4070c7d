"""Checks of lab 2.4: the rule by definition, the file's numbers again, times that are possible.

Owns: the list. Must not know: solutions. Times are compared with each other alone, and with bounds
that a slow and busy machine keeps as well. Read before: course/experiments/layout.py.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import numpy as np

import minengine.gguf as gguf
from autograder.checks import check, equal
from autograder.errors import CheckFailed
from autograder.sandbox import StudentError
from course.experiments import layout, measures
from minengine.engine import packaged_model
from minengine.formats import FORMATS

JUDGES = (layout, measures)  # a result depends on what stands there
STEPS = (1, 2, 4, 8, 16, 32, 64)
BYTES = tuple(1 << i for i in range(14, 27, 2))
TIMED = ("F32", "F16", "Q8_0", "Q4_0", "Q4_K")
NS = (1e-3, 1e4)  # an element, on any machine that runs Python
GBS = (1e-2, 1e4)


@functools.cache
def file() -> gguf.File:
    return gguf.open(packaged_model())


def noted(student: Any, name: str) -> Any:
    """One of the measured values."""
    got = student.findings()
    if not isinstance(got, Mapping) or name not in got:
        raise CheckFailed("measured-missing", f"findings() has no {name!r}: run `lab report`")
    return got[name]


def times(got: Any, keys: tuple, bounds: tuple[float, float], what: str) -> dict[str, float]:
    """Positive numbers in bounds under these keys, not all of them the same."""
    rows = {str(k): v for k, v in got.items()} if isinstance(got, Mapping) else {}
    if set(rows) != {str(k) for k in keys}:
        raise CheckFailed("measured-form", f"{what}: want {', '.join(map(str, keys))}")
    for key, value in rows.items():
        if type(value) not in (int, float) or not bounds[0] <= value <= bounds[1]:
            raise CheckFailed("measured-impossible", f"{what}, {key}: {value!r:.40}")
    if len(set(rows.values())) < len(rows):
        raise CheckFailed("measured-impossible", f"{what}: two times are the same to six digits")
    return rows


@check(hole="strides", points=2, title="bytes to the next, for plain and quantized rows")
def strides_values(student, rng):
    name = str(rng.choice(["Q4_0", "Q8_0", "Q4_K"]))
    form = FORMATS[name]
    ne = [int(rng.integers(2, 5)) * form.block_size, *rng.integers(2, 9, 2).tolist()]
    want = [form.block_bytes, form.row_bytes(ne[0])]
    want.append(want[1] * ne[1])
    outer = [form.row_bytes(ne[0]) * ne[1] * ne[2] // int(np.prod(ne[: i + 1])) for i in range(3)]
    near = {
        "strides-elements": [form.block_bytes, form.block_bytes * ne[0], want[2]],
        "strides-outermost-first": list(reversed(want)),
        "strides-per-element": outer,
        "strides-in-elements": [1, ne[0], ne[0] * ne[1]],
        "strides-blocks-forgotten": [
            form.block_bytes, form.block_bytes * ne[0], form.block_bytes * ne[0] * ne[1],
        ],
    }  # fmt: skip
    got = [int(x) for x in student.strides(ne, form.block_size, form.block_bytes)]
    what = f"strides({ne}, {form.block_size}, {form.block_bytes})"
    return equal(got, want, near=near, what=what)


@check(hole="strides", points=1, title="a row that is no whole number of blocks")
def strides_refuses(student, rng):
    n = 32 * int(rng.integers(1, 9)) + int(rng.integers(1, 32))
    try:
        got = student.strides([n, 4], 32, 34)
    except StudentError as error:
        if "ValueError" in str(error):
            return
        raise
    raise CheckFailed("strides-accepts", f"strides([{n}, 4], 32, 34): got {got}, want a ValueError")


@check(hole="strides", points=1, title="one and four dimensions", visibility="hidden")
def strides_dimensions(student, rng):
    got = [int(x) for x in student.strides([64], 32, 18)]
    equal(got, [18], what="strides([64], 32, 18)")
    ne = [32, *rng.integers(2, 6, 3).tolist()]
    want = [4, 128, 128 * ne[1], 128 * ne[1] * ne[2]]
    return equal([int(x) for x in student.strides(ne, 1, 4)], want, what=f"strides({ne}, 1, 4)")


@check(hole="place", points=2, title="an element of a quantized matrix")
def place_quantized(student, rng):
    n_blocks, rows = int(rng.integers(2, 6)), int(rng.integers(3, 9))
    nb = [34, 34 * n_blocks, 34 * n_blocks * rows]
    i, j = int(rng.integers(33, 32 * n_blocks)), int(rng.integers(1, rows))
    want = (i // 32 * 34 + j * nb[1], i % 32)
    near = {
        "place-element-stride": (i * 34 + j * nb[1], i % 32),
        "place-row-and-column": (j // 32 * 34 + i * nb[1], j % 32),
        "place-inside-added": (i // 32 * 34 + j * nb[1] + i % 32, i % 32),
        "place-scale-skipped": (i // 32 * 34 + j * nb[1] + 2, i % 32),
    }
    got = tuple(int(x) for x in student.place((i, j), nb, 32))
    return equal(got, want, near=near, what=f"place(({i}, {j}), {nb}, 32)")


@check(hole="place", points=2, title="a view: strides that no shape gives", visibility="hidden")
def place_view(student, rng):
    nb = [4, int(rng.integers(200, 300)) * 4, 12, 40_000]
    index = tuple(rng.integers(0, 9, 4).tolist())
    want = (sum(a * b for a, b in zip(index, nb, strict=True)), 0)
    got = tuple(int(x) for x in student.place(index, nb, 1))
    return equal(got, want, what=f"place({index}, {nb}, 1)")


@check(hole="findings", points=2, title="the file's numbers, counted again")
def findings_file(student, rng):
    rows = layout.inventory(file())
    want: dict[str, int] = {"tensors": len(rows), "bytes": sum(r[5] for r in rows)}
    for _, form, _, _, _, n_bytes in rows:
        want[form] = want.get(form, 0) + n_bytes
    got = noted(student, "file")
    if not isinstance(got, Mapping) or dict(got) != want:
        raise CheckFailed("measured-other", f"file: got {got!r:.120}, counted again {want}")
    info = file().tensors["blk.0.attn_q.weight"]
    value = FORMATS[info.format].dequantize(info.data.reshape(256, -1))[100, 77]
    got = noted(student, "element")
    fine = isinstance(got, Mapping) and all(k in got for k in ("byte", "inside", "value"))
    if not fine or not abs(float(got["value"]) - float(value)) < 1e-5 * abs(float(value)) + 1e-9:
        raise CheckFailed("measured-other", f"element: got {got!r:.80}, its value is {value:.6g}")


@check(hole="findings", points=2, title="times of reading that are possible")
def findings_reading(student, rng):
    steps = times(noted(student, "steps"), tuple(4 * s for s in STEPS), NS, "steps")
    if not steps["256"] > 1.5 * steps["4"]:
        raise CheckFailed(
            "measured-impossible",
            f"an element in a line of its own took {steps['256']:.3g} ns, one of a whole line "
            f"{steps['4']:.3g} ns",
        )
    orders = times(
        noted(student, "orders"), ("row by row", "column by column", "at random"), NS, "orders"
    )
    if not orders["at random"] > orders["row by row"]:
        raise CheckFailed("measured-impossible", f"orders: {orders}")


@check(hole="findings", points=2, title="times of copies and products that are possible")
def findings_bytes(student, rng):
    times(noted(student, "sizes"), BYTES, GBS, "sizes")
    got = noted(student, "formats")
    if not isinstance(got, Mapping) or set(got) != set(TIMED):
        raise CheckFailed("measured-form", f"formats: want {', '.join(TIMED)}")
    for name, pair in got.items():
        want = FORMATS[name].row_bytes(1024)
        if not isinstance(pair, list | tuple) or len(pair) != 2 or pair[0] != want:
            raise CheckFailed(
                "measured-other", f"formats, {name}: got {pair!r:.60}, want {want} bytes"
            )
    times({k: v[1] for k, v in got.items()}, TIMED, NS, "formats")
