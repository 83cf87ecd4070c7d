"""Checks of assignment 2: reading a sequence back, and making it shorter.

Owns: the checks of gather and rewind. Must not know: solutions, sandboxes, seeds. Read before:
handout.py (the contract), scene.py, checks.py.
"""

from __future__ import annotations

from functools import partial
from types import SimpleNamespace
from typing import Any

import numpy as np
from blocks import FREE, SLOTS, on_parts
from scene import (
    EXACT,
    PARTS,
    B,
    E,
    G,
    called,
    difference,
    ints,
    recount,
    refused,
    scene,
    stored,
)

from autograder.checks import check, close, require

MANY = {"n_unused": 40, "unused": "anywhere"}  # no two draws have one table
ROWS = EXACT | {"axes": ("token", "head", "dimension")}


def gathered(student: Any, world: Any, name: str, layer: int, before: Any = None) -> None:
    """``gather`` of one layer, its rows and its memory judged.

    ``before`` is a pool that this one was.
    """
    pool, seq = world.pool, world.seqs[name]
    seen = called(student, "gather", pool, seq, layer)
    pair = isinstance(seen.value, list | tuple) and len(seen.value) == 2
    require(pair, "what came back is not a pair (k, v)", "gather-no-pair")
    rows = stored(pool, seq)
    whole = {"table": seq["table"], "n": len(seq["table"]) * B}
    whole = stored(pool, whole)
    for part, got in enumerate(seen.value):
        near = {
            "gather-whole-blocks": whole[part, layer],
            "gather-other-layer": rows[part, 1 - layer],
            "gather-swapped": rows[1 - part, layer],
        }
        if before:
            near["gather-remembered"] = stored(before, seq)[part, layer]
        near["gather-other-rows"] = partial(of_others, got, pool[PARTS[part]])
        what = f"gather of layer {layer}, {PARTS[part]}"
        close(got, rows[part, layer], near=near, what=what, **ROWS)
    message = "what came back is a view of the pool: a later write there would change it"
    require(not seen.shares_memory, message, "gather-view")
    unlike = difference(pool, seen.pool)
    require(not unlike, f"after gather: {unlike}", "touches-others")


def of_others(got: Any, pool_part: Any) -> Any:
    """``got`` where each of its rows stands somewhere in the pool, or is a slot's never written."""
    there = {row.tobytes() for row in np.asarray(pool_part).reshape(-1, G, E)}
    rows = np.asarray(got, np.float32)
    return got if all(row.tobytes() in there for row in rows) else None


@check(hole="gather", points=1, title="the rows of one layer, in the order of the text")
@on_parts(*SLOTS)
def gather_values(student, rng):
    world = scene(rng, a=("PQR", 12), b=("PS", 8), **MANY)
    calls = [("a", 0), ("a", 1), ("b", int(rng.integers(0, 2)))]
    for call in calls:
        gathered(student, world, *call)


@check(hole="gather", points=1, title="slots that hold no token are not read", visibility="hidden")
@on_parts(*SLOTS)
def gather_unused_slots(student, rng):
    n = int(rng.integers(9, 12))
    world = scene(rng, a=("PQR", n), b=("ST", 5), c=("", 0), **MANY)
    calls = [("a", 1), ("b", 0), ("c", 0)]
    for call in calls:
        gathered(student, world, *call)


@check(
    hole="gather", points=1, title="memory of its own; what is in the pool now", visibility="hidden"
)
@on_parts(*SLOTS)
def gather_one_block(student, rng):
    world = scene(rng, a=("P", 4), b=("Q", 4))
    later = SimpleNamespace(pool={**world.pool}, seqs=world.seqs)
    for part in PARTS:
        later.pool[part] = world.pool[part] + np.float32(1)
    calls = [(world, "a", 0), (world, "b", 0), (later, "a", 0), (later, "b", 1)]
    for call in calls:
        gathered(student, *call, before=world.pool)


def rewound(student: Any, world: Any, name: str, n: int) -> None:
    """``rewind`` that can be done, and all that must hold after it."""
    pool, seq = world.pool, world.seqs[name]
    seen = called(student, "rewind", pool, seq, n)
    what = f"rewind of {seq['n']} tokens to {n} in blocks of {B}, table {seq['table']}"
    require(seen.value is not None, f"{what}: got None", "rewind-refuses")
    require(seen.seq["n"] == n, f"{what}: n is {seen.seq['n']}", "rewind-length")
    n_blocks, table = -(-n // B), seen.seq["table"]
    require(len(table) <= n_blocks, f"{what}: it keeps {table}", "rewind-extra-block")
    same = table == seq["table"][:n_blocks]
    require(same, f"{what}: it keeps {table}", "rewind-lets-go-too-much")
    others = [s for other, s in world.seqs.items() if other != name]
    refs = recount(len(pool["refs"]), [*others, seen.seq])
    tail = seq["table"][n_blocks:]
    unheld = [b for b in reversed(tail) if refs[b] == 0]
    findable = set(pool["found_by"].values())
    want = pool | {"refs": refs}
    want["cached"] = pool["cached"] + [b for b in unheld if b in findable]
    unlike = difference(want, seen.pool)
    right = not unlike and sorted(ints(seen.value)) == sorted(unheld)
    said = f"{what}: {unlike}, want refs {refs}, cached {want['cached']}"
    require(not unlike, said, "rewind-not-through-free")
    said = f"{what}: got {seen.value}, and nobody holds {sorted(unheld)} any more"
    require(right, said, "free-value")


@check(hole="rewind", points=1, title="blocks that hold no token any more are let go")
@on_parts(*FREE)
def rewind_lets_go(student, rng):
    for n in (int(rng.integers(9, 11)), int(rng.integers(5, 8)), 8, 0, 11):
        rewound(student, scene(rng, a=("PQR", 11), b=("S", 2)), "a", n)


@check(hole="rewind", points=1, title="others keep theirs; no rewind forward", visibility="hidden")
@on_parts(*FREE)
def rewind_edges(student, rng):
    world = scene(rng, a=("PQR", 12), b=("PQ", 8), findable="PQR", cached="X")
    for n in (8, 5 + int(rng.integers(0, 3)), 0):
        rewound(student, world, "a", n)
    for n in (13, 16, -1):
        args = world.pool, world.seqs["a"], n
        refused(student, "rewind-forward", "rewind-half-change", "rewind", *args)


GATHER = (gather_values, gather_unused_slots, gather_one_block)
REWIND = (rewind_lets_go, rewind_edges)
