"""What is peculiar to the module project: its files, near misses, meters, points, text.

Its bank, stubs, hints and bundle are tested with those of every assignment (`test_every.py`).
"""

from __future__ import annotations

import re
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from autograder import catalog, checks
from autograder.checks import CheckFailed, Seeds
from autograder.hints import SHARED
from autograder.local import LocalStudent
from minengine import Engine, gguf, oracle

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = catalog.find_course(ROOT).assignment("05_mini_engine")
SOLUTIONS = {(s.kind, s.name): s for s in ASSIGNMENT.solutions()}
OF_KIND = {k: [s for s in SOLUTIONS.values() if s.kind == k] for k in ("alternate", "wrong")}
TEXT = "\n".join(c.source for c in ASSIGNMENT.handout.cells if c.kind == "markdown")
FOLDER = ROOT / "assignments" / ASSIGNMENT.id
SPEED = ("decode_time", "decode_time_strict", "prefill_time", "prefill_time_strict")
PARTS = {
    "function": ("reading", "layers", "running", "writing"),
    "performance": ("speed",),
    "code": ("quality",),
}


def modules(*names: str):
    """Files of the assignment's folder, as the catalog has them; they share their neighbours."""
    sys.path.insert(0, str(FOLDER))
    try:
        return [__import__(name) for name in names]
    finally:
        sys.path.remove(str(FOLDER))
        for name in [p.stem for p in FOLDER.glob("*.py")]:
            sys.modules.pop(name, None)


FILES, MISTAKES, WRITING, SPEEDS, *TABLES = modules(
    "files", "mistakes", "writing", "speed", "reading", "layers", "running", "quality"
)


def student(solution) -> LocalStudent:
    names = {"np": np}
    for source in solution.sources.values():
        exec(source, names)
    return LocalStudent(names, ASSIGNMENT.handout.holes, solution.sources)


# The bank ----------------------------------------------------------------------------------------


def test_the_bank_is_large_and_of_different_designs():
    assert len(OF_KIND["wrong"]) >= 100
    assert len(OF_KIND["alternate"]) >= 3
    for hole in ASSIGNMENT.handout.holes:
        assert any(hole in s.own for s in OF_KIND["wrong"])


def test_points_are_sixty_twenty_ten_and_ten_by_hand():
    points = dict.fromkeys(PARTS, 0.0)
    reading, layers, running, code = TABLES
    of = {"reading": reading.READING, "layers": layers.LAYERS, "running": running.RUNNING,
          "writing": WRITING.WRITING, "speed": SPEEDS.SPEED, "quality": code.QUALITY}  # fmt: skip
    for part, names in PARTS.items():
        points[part] = sum(c.points for name in names for c in of[name])
    assert points == {"function": 60, "performance": 20, "code": 10}
    assert sum(ASSIGNMENT.handout.by_hand.values()) == 10
    assert ASSIGNMENT.max_points == 100
    listed = "\n".join(line for line in TEXT.splitlines() if line.startswith("| "))
    for words in ("| function | 60 |", "| performance | 20 |", "| design | 10 |"):
        assert words in listed


# Files -------------------------------------------------------------------------------------------


def test_minengine_reads_what_the_checks_write(tmp_path):
    rng = np.random.default_rng(1)
    for kind in FILES.LABELS:
        made = FILES.random_model(rng, kind=kind, tied=False, change=FILES.Layout(alignment=32))
        (tmp_path / "x.gguf").write_bytes(made.data)
        with gguf.open(tmp_path / "x.gguf") as file:
            assert dict(file.metadata) == dict(made.metadata)
            assert list(file.tensors) == list(made.weights)


def test_minengine_writes_the_text_that_is_wanted_of_the_packaged_model():
    made, rng = FILES.packaged(), np.random.default_rng(2)
    with Engine() as engine:
        for _ in range(2):
            prompt, want = WRITING.firm_text(rng, made, 3, 6)
            text = list(prompt)
            for _ in want:
                text.append(int(engine.logits(text)[-1].argmax()))
            assert text[3:] == want


def test_a_network_without_a_twist_is_the_oracles_and_every_twist_shows():
    rng = np.random.default_rng(3)
    made = FILES.random_model(rng, tied=False, eps=0.02, scale=0.3)
    tokens = made.tokens(rng, 6)
    want = made.logits(tokens)
    np.testing.assert_allclose(MISTAKES.network(made, tokens, (3, 1, 2)), want, atol=1e-9)
    for twist in (*MISTAKES.TWISTS, *MISTAKES.CACHED):
        assert np.abs(MISTAKES.network(made, tokens, (3, 1, 2), twist) - want).max() > 0.01, twist


def test_what_sample_should_draw_is_the_oracles():
    row = np.log([0.1, 0.4, 0.2, 0.3])
    assert np.isfinite(WRITING.kept(row, 3, 0.7, 0.0)).tolist() == [False, True, False, True]
    assert WRITING.drawn(row, 0.999) == 3
    assert WRITING.drawn(row, 0.0, top_k=1) == 1


# Meters ------------------------------------------------------------------------------------------


def test_multiplications_are_counted_once_however_they_are_written():
    lab = LocalStudent({"np": np, "dequantize": lambda *_: np.ones((3, 4))})
    ways = {
        "a @ b.T": 24, "np.dot(a, b.T)": 24, "np.inner(a, b)": 24, "np.matmul(a, b.T)": 24,
        "np.einsum('ij,kj->ik', a, b)": 24, "np.tensordot(a, b, (1, 1))": 24,
        "np.asarray(a, np.float32) @ b.T": 24, "np.ascontiguousarray(a.T).T @ b.T": 24,
        "np.array(a) @ b.T": 24, "a.astype('f4').reshape(3, 4) @ b.T": 24,
        "np.vstack([a, a])[:3] @ b.T": 24, "(a[:, None] * b).sum(-1)": 24,
        "np.einsum('...j,...j->...', a[:, None], b)": 24, "a + 1": 0,
    }  # fmt: skip
    source = "def count(way):\n    a, b = dequantize(), np.ones((2, 4))\n    n = METER.n\n"
    source += "    eval(way)\n    return METER.n - n\n"
    with lab.planted(SPEEDS.METER + source):
        lab.meter_on()
        got = {way: lab.count(way) for way in ways}
        lab.meter_off()
    assert got == ways
    assert type(np.asarray([1.0])) is np.ndarray
    assert np.asarray.__module__ == "numpy"


STRIPPED = (
    "weights = {n.removesuffix(\".weight\"): dequantize(*t) for n, t in tensors.items()}",
    "weights = {\n            n.removesuffix(\".weight\"): np.array(memoryview(dequantize(*t)))\n"
    "            for n, t in tensors.items()\n        }",
)  # fmt: skip


@pytest.mark.parametrize(("name", "tag"), [("reference", ""), ("model_no_cache", "recomputes")])
def test_what_is_hidden_from_the_meter_is_timed(name, tag):
    kind = "reference" if name == "reference" else "wrong"
    solution = SOLUTIONS[kind, name]
    text = solution.sources["Model"]
    assert STRIPPED[0] in text
    hidden = replace(solution, sources={**solution.sources, "Model": text.replace(*STRIPPED)})
    (check,) = [c for c in ASSIGNMENT.checks if c.id == "decode_work"]
    for _ in range(4):  # seconds are compared, and other tests run beside
        found = checks.attempt(check, student(hidden), Seeds.rng("decode_work", 0))
        if found.tag == tag:
            break
    assert found.tag == tag
    assert "timed" in (found.note or "timed")


def test_the_yardstick_does_the_work_of_a_model_of_its_sizes():
    lab = LocalStudent({"np": np})
    with lab.instead(SPEEDS.YARDSTICK) as other:
        stick = other.Yardstick(SPEEDS.model().n, 12)
        assert np.isfinite(stick.passes([0, 4], 3))


def test_a_ratio_below_the_limit_is_not_measured_again_and_one_above_it_is(monkeypatch):
    asked = []
    monkeypatch.setattr(SPEEDS, "turns", lambda *_: (asked.append(r) or r for r in ratios))
    ratios = [9.0, 3.0, 2.0]

    def work(_):
        return 0.0

    lab = LocalStudent({})
    assert "3.0 times" in SPEEDS.within(lab, 5.0, work, 1, [0], "x")
    assert asked == [9.0, 3.0]
    assert "3.0 times" in SPEEDS.within(lab, 15.0, work, 1, [0], "x")
    assert asked == [9.0, 3.0]
    ratios[:] = [8.0, 7.0, 6.0]
    with pytest.raises(CheckFailed, match=r"6\.0 times"):
        SPEEDS.within(LocalStudent({}), 5.0, work, 1, [0], "x")


# Text, hints, stubs ------------------------------------------------------------------------------


def test_every_hint_s_tag_is_given_somewhere_and_every_near_miss_has_a_hint():
    text = "".join(p.read_text() for p in FOLDER.glob("*.py") if p.name != "handout.py")
    quoted = set(re.findall(r'"([a-z0-9]+(?:-[a-z0-9]+)*)"', text))
    own = set(ASSIGNMENT.hints) - set(SHARED)
    assert own <= quoted
    assert {*MISTAKES.TWISTS, *MISTAKES.CACHED} <= own


def test_no_line_of_the_reference_stands_in_what_students_get():
    given = "\n".join(p.read_text() for p in sorted(FOLDER.iterdir()) if p.is_file())
    given = {line.strip() for line in given.splitlines()}
    body = "\n".join(ASSIGNMENT.reference.sources.values()).splitlines()
    skipped = ("def ", "class ", "    def ", "import ", ") -> ", "    logits: np", "    model: M")
    solved = {line.strip() for line in body if not line.startswith(skipped)}
    assert {line for line in solved & given if len(line) > 24} <= SHARED_LINES


SHARED_LINES = {'"""How many tokens every layer holds."""'}


def block_file() -> str:
    pairs, tensors = [("a", FILES.U32, 7)], [("b", FILES.quantized(0, np.arange(1, 4, dtype="f4")))]
    data = FILES.pack(pairs, tensors)
    rows = [data[i : i + 16] for i in range(0, len(data), 16)]
    return "\n".join(f"{16 * i:3}  {row.hex(' ')}" for i, row in enumerate(rows))


def block_q4_0() -> str:
    codes = bytes([0xA3, 0x5F, 0x08, *range(3, 15), 0x71])
    raw = np.float16(0.5).tobytes() + codes
    x = FILES.Tensor(2, (32,), raw).values
    shown = [0, 1, 2, 15]
    heads = ("byte of Q4_0  ", "numbers 0-15  ", "numbers 16-31 ")
    low, high = [c & 15 for c in codes], [c >> 4 for c in codes]

    def numbers(values, width: int = 5, form: str = "") -> str:
        cells = [f"{values[i]:{form}}".rjust(width) for i in shown]
        return f"{''.join(cells[:3])}  ...{cells[3]}"

    return "\n".join(
        [
            f"{heads[0]}{numbers(range(16), 4)}          d = 0.5",
            " " * 14 + "".join(f"{codes[i]:02x}".rjust(5)[-4:] for i in shown[:3]) + "  ...  71",
            f"{heads[1]}{numbers(low, 4)}     ->{numbers(x[:16], 7, '.1f')}",
            f"{heads[2]}{numbers(high, 4)}     ->{numbers(x[16:], 7, '.1f')}",
        ]
    )


def block_rope() -> str:
    angle = oracle.rope_angles(np.array([1, 2]), 4, 100.0)
    x = oracle.rope(np.array([[[1.0, 0, 1, 0]]]), np.array([2]), 100.0)[0, 0]
    rows = ["E = 4, base 100     pair 0   pair 1"]
    rows += [f"angle at p = {p}   " + "".join(f"{a:9.4f}" for a in angle[p - 1]) for p in (1, 2)]
    rows += ["(1, 0, 1, 0)        ->" + "".join(f"{v:9.4f}" for v in x) + "   at p = 2"]
    return "\n".join(rows)


def block_sample() -> str:
    p = np.array([0.1, 0.4, 0.2, 0.3])
    left = WRITING.kept(np.log(p), 3, 0.7, 0.0)

    def row(head: str, cells) -> str:
        return f"{head:32}" + "".join(f"{c:>8}" for c in cells).removeprefix("  ")

    rows = [row("id", range(4)), row("probability", [f"{v:.4f}" for v in p])]
    rows += [row("top_k = 3, top_p = 0.7", ["keep" if np.isfinite(v) else "." for v in left])]
    for t in (1, 0.5):
        q = oracle.softmax(left / t)
        rows += [row(f"at temperature {t:g}", [f"{v:.4f}" if v else "." for v in q])]
    drawn = [WRITING.drawn(np.log(p), 0.6, t, 3, 0.7) for t in (1, 0.5)]
    end = f"temperature 1 draws id {drawn[0]}, temperature 0.5 draws id {drawn[1]}"
    return "\n".join([*rows, f"{'u = 0.6':30}{end}"])


BLOCKS = [block_file, block_q4_0, block_rope, block_sample]
FENCED = re.findall(r"```\n(.*?)\n```", TEXT, re.S)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_a_block_of_numbers_in_the_handout_is_what_the_engine_gives(block):
    assert block() in FENCED, f"want this block in the handout:\n{block()}"
