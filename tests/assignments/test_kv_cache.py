"""What is peculiar to assignment 2: its numbers, its tags, what is lent, the engine beside it.

What holds of every assignment is in test_every.py.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from autograder import catalog, checks
from autograder.checks import Seeds
from autograder.hints import SHARED
from autograder.local import LocalStudent
from minengine import oracle_cache
from minengine.cells import Cells
from minengine.eviction import sinks_and_last
from minengine.kvcache import BlockPool

ROOT = Path(__file__).resolve().parents[2]
ASSIGNMENT = catalog.find_course(ROOT).assignment("02_kv_cache")
SOLUTIONS = {(s.kind, s.name): s for s in ASSIGNMENT.solutions()}
OF_KIND = {k: [s for s in SOLUTIONS.values() if s.kind == k] for k in ("alternate", "wrong")}
TEXT = "\n".join(c.source for c in ASSIGNMENT.handout.cells if c.kind == "markdown")
FOLDER = ROOT / "assignments" / ASSIGNMENT.id


def namespace(solution) -> dict:
    names = {"np": np}
    for source in solution.sources.values():
        exec(source, names)
    return names


# The bank ----------------------------------------------------------------------------------------


def test_a_mistake_costs_its_points_at_its_own_task_alone():
    holes = {c.id: c.hole for c in ASSIGNMENT.checks}
    for solution in OF_KIND["wrong"]:
        if len(solution.own) == 1:
            (hole,) = solution.own
            elsewhere = {holes[check] for check in solution.fails} - {hole}
            # a fork that shares the list itself shows only in one process, so in KVCache
            assert not elsewhere or solution.name == "fork_one_table", solution.name


@pytest.mark.parametrize("hole", ["slots", "allocate", "append", "block_keys"])
def test_a_task_that_is_not_written_costs_no_points_elsewhere_and_that_is_said(hole):
    sources = {**ASSIGNMENT.reference.sources, hole: ASSIGNMENT.handout.stubs[hole]}
    student = LocalStudent(namespace(SimpleNamespace(sources=sources)), ASSIGNMENT.handout.holes)
    found = checks.run(ASSIGNMENT.checks, student, Seeds((0,)), hints=ASSIGNMENT.hints)
    assert {r.hole for r in found if not r.passed} == {hole}
    notes = [r.note for r in found if r.hole == "KVCache"]
    assert all(f"a right {hole} in the place of yours" in note for note in notes)


def test_right_parts_do_not_carry_a_wrong_whole():
    """Nothing but the class is there, and it does nothing: lent parts give it no point."""
    wrong = SOLUTIONS["wrong", "trick_does_nothing"].own["KVCache"]
    sources = {**ASSIGNMENT.handout.stubs, "KVCache": wrong}
    student = LocalStudent(namespace(SimpleNamespace(sources=sources)), ASSIGNMENT.handout.holes)
    found = checks.run(ASSIGNMENT.checks, student, Seeds((0,)), reveal=True)
    assert not any(r.passed for r in found)
    whole = [r for r in found if r.hole == "KVCache"]
    assert all("with right ones in the place of your slots, allocate," in r.message for r in whole)


def test_every_line_of_the_list_of_mistakes_has_a_file():
    named = {n for s in OF_KIND["wrong"] for n in re.findall(r"^K(\d+):", s.idea)}
    assert {int(n) for n in named} == set(range(1, 32))


def test_what_the_grader_lends_passes_every_check_of_its_own_task():
    names = namespace(ASSIGNMENT.reference)
    lent = ("slots", "allocate", "free", "fork", "append", "gather", "rewind", "block_keys",
            "publish", "lookup")  # fmt: skip
    names |= {name: getattr(oracle_cache, name) for name in lent}
    for source in (s for h, s in ASSIGNMENT.reference.sources.items() if h not in lent):
        exec(source, names)
    found = checks.run(ASSIGNMENT.checks, LocalStudent(names), Seeds(tuple(range(10))))
    assert [r.check for r in found if not r.passed or r.note] == []


# Tags --------------------------------------------------------------------------------------------

IN_CHECKS = {
    tag
    for path in FOLDER.glob("*.py")
    if path.name != "handout.py"
    for tag in re.findall(r'"([a-z]+(?:-[a-z]+)+)"', path.read_text())
}


def test_every_tag_has_a_hint_with_all_rungs_and_every_hint_a_tag():
    own = {t: h for t, h in ASSIGNMENT.hints.items() if t not in SHARED}
    assert set(own) == IN_CHECKS - set(SHARED)
    assert [t for t, h in own.items() if not (h.title and h.idea and h.where and h.example)] == []


# The engine and the contract ---------------------------------------------------------------------


def scene_module():
    sys.path.insert(0, str(FOLDER))
    try:
        return catalog._import(FOLDER / "scene.py")
    finally:
        sys.path.remove(str(FOLDER))


def test_the_reference_and_the_engine_agree_on_a_long_history():
    """The same appends, forks and drops; what each sequence reads and the room left are equal."""
    rng, ours = np.random.default_rng(7), namespace(ASSIGNMENT.reference)
    B, L, G, E, n_blocks = 4, 2, 3, 6, 14
    engine = BlockPool(n_blocks, B, L, G, E, "F32")
    pool = scene_module().scene(rng, n_unused=n_blocks).pool
    pairs: list[tuple[Cells, dict]] = []
    for _ in range(400):
        kind = rng.choice(["new", "append", "append", "fork", "rewind", "drop"])
        if not pairs or (kind == "new" and len(pairs) < 6):
            pairs.append((Cells(engine), {"table": [], "n": 0}))
            continue
        cells, seq = pairs[rng.integers(0, len(pairs))]
        if kind == "append":
            n = int(rng.integers(1, 6))
            if engine.wanted(cells.table, cells.n, n) > engine.n_free:
                rows = np.zeros((L, n, G, E), np.float32)
                assert ours["append"](pool, seq, rows, rows) is None
                continue
            k, v = rng.standard_normal((2, L, n, G, E)).astype(np.float32)
            slots = np.array(cells.room(n))
            rows = [np.ascontiguousarray(part.swapaxes(0, 1)).view(np.uint8) for part in (k, v)]
            engine.put(slots, *rows)
            cells.wrote(n)
            assert ours["append"](pool, seq, k, v) is not None
        elif kind == "fork" and len(pairs) < 6:
            pairs.append((cells.fork(), ours["fork"](pool, seq)))
        elif kind == "rewind":
            n = int(rng.integers(0, cells.n + 1))
            cells.truncate(n)
            ours["rewind"](pool, seq, n)
        elif kind == "drop":
            cells.free()
            ours["free"](pool, seq["table"])
            pairs = [p for p in pairs if p[1] is not seq]
        assert pool["refs"].count(0) == engine.n_free
        for cells, seq in pairs:
            want = engine.rows(cells.slots())
            for layer in range(L):
                for got, rows in zip(ours["gather"](pool, seq, layer), want, strict=True):
                    right = np.ascontiguousarray(rows[:, layer]).view(np.float32)
                    assert np.array_equal(got, right.reshape(got.shape))


# The text ----------------------------------------------------------------------------------------


REFERENCE = namespace(ASSIGNMENT.reference)


def block_bytes() -> str:
    lines = ["tokens      blocks        bytes"]
    for n in (1, 16, 17, 4096):
        n_bytes = BlockPool.bytes_for(n, 16, 32, 8, 128, "F16")
        n_blocks = BlockPool.blocks_for(SimpleNamespace(block_size=16), n)
        lines.append(f"{n:6}{n_blocks:12}{n_bytes:13}")
    return "\n".join(lines)


def block_slots() -> str:
    slots = Cells(SimpleNamespace(block_size=4), [7, 2, 5], 10).slots()
    rows = {"token": np.arange(10), "block": slots // 4, "offset": slots % 4, "slot": slots}
    return "\n".join(f"{name:8}" + "  ".join(f"{n:2}" for n in v) for name, v in rows.items())


def block_allocate() -> str:
    pool = {"refs": [2, 0, 1, 0, 0, 0], "cached": [4, 1], "found_by": {"p": 0, "x": 4, "y": 1}}

    def line(name: str) -> str:
        refs = " ".join(map(str, pool["refs"]))
        return f"{name:11}{refs}   {pool['cached']!s:9}{pool['found_by']}"

    lines = ["           refs          cached   found_by", line("before")]
    assert REFERENCE["allocate"](pool, 3) == [3, 5, 4]
    return "\n".join([*lines, line("after") + "            3 and 5 were unused, 4 was given up"])


def block_append() -> str:
    shape = (1, 4, 4, 1, 1)
    pool = {"block_size": 4, "refs": [0, 1, 0, 1], "cached": [], "found_by": {}}
    pool |= {"k": np.zeros(shape), "v": np.zeros(shape)}
    parent = {"table": [3, 1], "n": 6}
    child = REFERENCE["fork"](pool, parent)
    lines = ["             table        n    refs of 3, 1, 0, 2"]

    def two(note: str) -> list[str]:
        refs = " ".join(str(pool["refs"][b]) for b in (3, 1, 0, 2))
        rows = [
            f"{name:13}{s['table']!s:13}{s['n']}"
            for name, s in (("parent", parent), ("child", child))
        ]
        return [f"{rows[0]}    {refs}", f"{rows[1]}    {note or refs}"]

    lines += [*two(""), ""]
    REFERENCE["append"](pool, child, np.zeros((1, 3, 1, 1)), np.zeros((1, 3, 1, 1)))
    note = "          0 is a copy of 1, then tokens 6 and 7 in 0, token 8 in 2"
    return "\n".join(lines + two(note))


def block_rewind() -> str:
    ends = (8, 5, 4, 1, 0)
    blocks = [BlockPool.blocks_for(SimpleNamespace(block_size=4), n) for n in ends]
    row = lambda name, v: f"{name:14}" + "   ".join(map(str, v))  # noqa: E731
    return row("rewind to", ends) + "\n" + row("blocks", blocks)


def block_ring() -> str:
    lines = ["cell     " + "".join(f"{c:4}" for c in range(5))]
    for n in (4, 5, 6, 9):
        ring = {"n_sinks": 2, "n": 0, "k": np.full((5, 1, 1), -1.0), "v": np.zeros((5, 1, 1))}
        for p in range(n):
            REFERENCE["ring_append"](ring, np.full((1, 1, 1), p), np.zeros((1, 1, 1)))
        held = [f"{int(p):4}" if p >= 0 else "   ." for p in ring["k"][:, 0, 0]]
        assert sorted(int(h) for h in held if "." not in h) == list(
            sinks_and_last(n, min(n, 5), 2, None)
        )
        lines.append(f"n = {n}    " + "".join(held))
    return "\n".join(lines)


def block_pad() -> str:
    seqs = [{"table": t, "n": n} for t, n in (([7, 2, 5], 9), ([1], 2), ([3, 6], 8))]
    tables, mask = REFERENCE["pad"](seqs, 4)
    lines = ["tables     mask"]
    for table, row in zip(tables, mask, strict=True):
        marks = ["".join(" " + ".#"[int(b)] for b in part)[1:] for part in row.reshape(3, 4)]
        lines.append(" ".join(map(str, table)) + "      " + "   ".join(marks))
    return "\n".join(lines)


BLOCKS = [
    block_bytes, block_slots, block_allocate, block_append, block_rewind, block_ring, block_pad,
]  # fmt: skip
DRAWINGS = (
    'pool["refs"]',
    "refs     in cached",
    "parent  [4, 0, 2]",
    "tokens   p p p p",
    "keys          p",
)


@pytest.mark.parametrize("block", BLOCKS, ids=lambda b: b.__name__)
def test_a_block_of_numbers_in_the_handout_is_what_the_code_gives(block):
    fenced = re.findall(r"```\n(.*?)\n```", TEXT, re.S)
    assert block() in fenced, f"want this block in the handout:\n{block()}"


def test_every_block_of_the_handout_is_recomputed_or_a_drawing():
    fenced = re.findall(r"```\n(.*?)\n```", TEXT, re.S)
    drawings = [f for f in fenced if any(d in f for d in DRAWINGS)]
    assert len(drawings) == len(DRAWINGS)
    assert sorted(set(fenced) - set(drawings)) == sorted(block() for block in BLOCKS)


def test_numbers_in_the_sentences_are_what_the_engine_says():
    assert "n = 9 gives the positions 0 1 6 7 8" in TEXT
    assert list(sinks_and_last(9, 5, 2, None)) == [0, 1, 6, 7, 8]
