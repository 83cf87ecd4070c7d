"""Checks of assignment 2: prefixes that are found again, rings of sinks and a window, batches.

Owns: the checks of block_keys, publish, lookup, ring_append, ring_read, pad. Must not know:
solutions, sandboxes, seeds. Read before: handout.py (the contract), scene.py, checks.py.

What a key is, is the student's choice: only which keys are equal is asked. publish and lookup get
keys of ours, so that a mistake in the keys costs nothing there.
"""

from __future__ import annotations

from itertools import cycle, islice
from typing import Any

import numpy as np
from scene import EXACT, PARTS, B, E, G, called, difference, ints, recount, scene

from autograder.checks import check, close, equal, expect_dtype, require
from minengine.eviction import sinks_and_last

ROWS = EXACT | {"axes": ("cell", "head", "dimension")}


def keys_of(student: Any, tokens: list[int], size: int = B) -> list:
    """The keys of a text, each fit for a dict."""
    keys = student.block_keys(tokens, size)
    said = f"block_keys of {len(tokens)} tokens in blocks of {size}: got {keys!r:.80}"
    require(isinstance(keys, list | tuple), said, "keys-no-list")
    want = len(tokens) // size
    tag = "keys-partial" if len(keys) == want + 1 else "keys-count"
    require(len(keys) == want, f"{said}, want {want} keys", tag)
    fits = all(map(is_key, keys))
    require(fits, f"{said}: a key is a number, a string, bytes or a tuple of these", "keys-no-list")
    return list(keys)


def is_key(value: Any) -> bool:
    """Is it data that a dict can find? An object of the student's own may say what it likes."""
    if isinstance(value, tuple | frozenset):
        return all(map(is_key, value))
    return isinstance(value, int | float | complex | str | bytes | np.generic | None)


@check(hole="block_keys", points=1, title="a key stands for a block and all before it")
def block_keys_chain(student, rng):
    p, q, r, s = (tuple(int(t) for t in rng.integers(100, 999, B)) for _ in range(4))
    one, two = keys_of(student, [*p, *q, *r]), keys_of(student, [*p, *q, *s])
    again = keys_of(student, [*p, *q, *r])
    require(one == again, "the same text has other keys the second time", "keys-not-repeatable")
    require(
        one[:2] == two[:2], "two texts that begin alike have other keys there", "keys-not-shared"
    )
    require(one[2] != two[2], "other tokens in the third block, the same key", "keys-collide")
    other = keys_of(student, [*s, *q, *r])
    said = "the same tokens after another beginning have the same key"
    require(other[1] != one[1], said, "keys-without-the-parent")
    require(other[2] != one[2], f"{said}, two blocks on", "keys-without-the-chain")
    twice = keys_of(student, [*p, *p, *p])
    require(len(set(twice)) == 3, said, "keys-without-the-parent")


@check(
    hole="block_keys", points=1, title="full blocks alone; no two texts agree", visibility="hidden"
)
def block_keys_differ(student, rng):
    p = [int(t) for t in rng.permutation(np.arange(10, 99))[:6]]
    for n in range(6):
        keys_of(student, p[:n])
    texts = [p[:4], p[3::-1], [p[1], p[0], *p[2:4]], [*p[:2], p[3], p[2]]]
    texts += [[1, 23, 4, 5], [12, 3, 4, 5], [1, 2, 34, 5], [0, 0, 0, 0], [0, 0, 0, 1], [1, 0, 0, 0]]
    seen = {}
    for text in texts:
        (key,) = keys_of(student, text)
        said = f"the blocks {seen.get(key)} and {text} have the same key"
        require(key not in seen, said, "keys-collide")
        seen[key] = text
    require(len(keys_of(student, [*p, *p], 3)) == 4, "blocks of 3", "keys-count")


@check(hole="publish", points=1, title="full blocks alone can be found")
def publish_full_blocks(student, rng):
    world = scene(rng, a=("PQR", int(rng.integers(9, 12))), b=("S", 4))
    args = world.pool, world.seqs["a"], ["p", "q", "r"]
    published(student, world, args, {"p": world.at["P"], "q": world.at["Q"]})
    args = world.pool, world.seqs["b"], []
    published(student, world, args, {})


@check(hole="publish", points=1, title="what is findable stays where it is", visibility="hidden")
def publish_keeps_the_first(student, rng):
    world = scene(rng, a=("XQR", 12), b=("PS", 7), findable="P", cached="W")
    args = world.pool, world.seqs["a"], ["p", "q", "r"]
    found = world.pool["found_by"] | {"q": world.at["Q"], "r": world.at["R"]}
    published(student, world, args, found)


def published(student: Any, world: Any, args: tuple, found: dict) -> None:
    seen, was = called(student, "publish", *args), world.pool["found_by"]
    now, what = seen.pool["found_by"], f"publish with keys {args[2]}, n {args[1]['n']}"
    partial = set(now) - set(found)
    said = f"{what}: found_by is {now}, want {found}"
    require(not partial, said, "publish-partial")
    require(all(now.get(key) == block for key, block in was.items()), said, "publish-replaces")
    require(now == found, said, "publish-missing")
    unlike = difference(world.pool | {"found_by": found}, seen.pool)
    require(not unlike, f"{what}: {unlike}", "touches-others")


def looked_up(student: Any, world: Any, keys: list[str], letters: str) -> None:
    """Require that ``lookup`` finds the blocks of these letters, and all that follows from it."""
    seen = called(student, "lookup", world.pool, keys)
    found, what = seen.value, f"lookup of {keys}"
    is_seq = isinstance(found, dict) and {"table", "n"} <= found.keys()
    require(is_seq, f"{what}: got {found!r:.60}, want a dict with table and n", "fork-no-sequence")
    want, table = [world.at[letter] for letter in letters], ints(found["table"])
    said = f"{what}: got {table}, want {want}; found_by {world.pool['found_by']}"
    require(len(table) <= len(want), said, "lookup-over-a-gap")
    require(table == want, said, "lookup-shorter")
    n = len(want) * B
    require(int(found["n"]) == n, f"{what}: n is {found['n']}, want {n}", "lookup-length")
    refs = recount(len(world.pool["refs"]), [*world.seqs.values(), found])
    said = f"{what}: refs {seen.pool['refs']}, want {refs}"
    require(seen.pool["refs"] == refs, said, "lookup-uncounted")
    cached = [b for b in world.pool["cached"] if b not in want]
    said = f"{what}: cached is {seen.pool['cached']}, want {cached}: the others are held now"
    require(seen.pool["cached"] == cached, said, "lookup-still-cached")
    unlike = difference(world.pool | {"refs": refs, "cached": cached}, seen.pool)
    require(not unlike, f"{what}: {unlike}", "touches-others")


@check(hole="lookup", points=1, title="the longest prefix that is there")
def lookup_longest(student, rng):
    world = scene(rng, a=("PQRS", 15), b=("TU", 8), findable="PQRTU")
    gap = ["p", "q", "z", "r"] if rng.integers(0, 2) else ["p", "q", "z", "u"]
    for keys, letters in ((["p", "q", "r"], "PQR"), (gap, "PQ"), (["z", "q"], ""), ([], "")):
        looked_up(student, world, keys, letters)


@check(hole="lookup", points=1, title="what is found is held, not cached", visibility="hidden")
def lookup_holds(student, rng):
    world = scene(rng, a=("P", 4), findable="P", cached="YQXR")
    for keys, letters in ((["p", "q", "r"], "PQR"), (["x"], "X"), (["y", "x", "q", "r"], "YXQR")):
        looked_up(student, world, keys, letters)


def cells(kind: str, n: int, n_sinks: int, window: int) -> list[int]:
    """Which cell each of n tokens goes to, by the rule or by a known mistake."""
    size = n_sinks + window
    first, ring = {
        "": (range(n_sinks), range(n_sinks, size)),
        "ring-sinks-evicted": (range(0), range(size)),
        "ring-window-short": (range(n_sinks), range(n_sinks, size - 1)),
        "ring-starts-late": (
            range(n_sinks),
            np.roll(np.arange(n_sinks, size), -(n_sinks % window)),
        ),
        "ring-no-wrap": (range(size), [size - 1]),
        "ring-one-sink-more": (range(n_sinks + 1), range(n_sinks + 1, size)),
    }[kind]
    return [*first, *islice(cycle(ring), max(0, n - len(first)))][:n]


MISTAKES = ("ring-no-wrap", "ring-sinks-evicted", "ring-window-short", "ring-starts-late",
            "ring-one-sink-more")  # fmt: skip


def ring_of(k: np.ndarray, v: np.ndarray, n: int, n_sinks: int, window: int, kind="") -> dict:
    """The ring after the first n rows of k and v."""
    ring = {"n_sinks": n_sinks, "n": n}
    for part, rows in zip(PARTS, (k, v), strict=True):
        ring[part] = np.full((n_sinks + window, *rows.shape[1:]), np.nan, np.float32)
        for row, cell in zip(rows, cells(kind, n, n_sinks, window), strict=False):
            ring[part][cell] = row
    return ring


def filled(student: Any, rng: Any, n_sinks: int, window: int, chunks: list[int]) -> None:
    """``ring_append`` of chunks, one after the other, each on the ring as it should be."""
    n = 0
    k, v = (rng.standard_normal((sum(chunks), G, E)).astype(np.float32) for _ in PARTS)
    for n_new in chunks:
        ring = ring_of(k, v, n, n_sinks, window)
        seen = student.observe("ring_append", ring, k[n : n + n_new], v[n : n + n_new])
        after, n, old = seen.args_after[0], n + n_new, n
        want = ring_of(k, v, n, n_sinks, window)
        what = f"{n_new} rows after {old}, {n_sinks} sinks, a window of {window}"
        said = f"{what}: n is {after['n']}, want {n}, the tokens seen so far"
        capped = int(after["n"]) == min(n, n_sinks + window)
        require(int(after["n"]) == n, said, "ring-n-is-the-length" if capped else "ring-n")
        for part, rows in zip(PARTS, (k, v), strict=True):
            near = {"ring-not-written": ring[part]}
            near |= {tag: ring_step(ring, rows, old, n, tag)[part] for tag in MISTAKES}
            near["ring-prompt-cut"] = ring_step(ring, rows, old, min(n, old + len(ring[part])))[
                part
            ]
            near["ring-prompt-without-sinks"] = ring_step(ring, rows, max(old, n - window), n)[part]
            close(after[part], want[part], near=near, what=f"{what}: {part}", **ROWS)


def ring_step(ring: dict, rows: np.ndarray, old: int, n: int, kind: str = "") -> dict:
    """The right ring of ``old`` rows after some more that a mistake puts elsewhere."""
    n_sinks = ring["n_sinks"]
    places = cells(kind, n, n_sinks, len(ring["k"]) - n_sinks)
    after = {part: ring[part].copy() for part in PARTS}
    for at in range(old, n):
        for part in PARTS:
            after[part][places[at]] = rows[at]
    return after


@check(hole="ring_append", points=1, title="one row at a time: sinks stay, the rest goes round")
def ring_step_by_step(student, rng):
    n_sinks, window = ((2, 3), (2, 5), (3, 4))[rng.integers(0, 3)]
    filled(student, rng, n_sinks, window, [1] * (n_sinks + 2 * window + 1))


@check(hole="ring_append", points=1, title="a prompt longer than the ring", visibility="hidden")
def ring_prefill(student, rng):
    more = int(rng.integers(1, 7))
    filled(student, rng, 2, 5, [7 + more])
    filled(student, rng, 3, 4, [1, 14 + more])


@check(hole="ring_append", points=1, title="chunks that wrap; no sinks", visibility="hidden")
def ring_chunks(student, rng):
    chunks = [int(c) for c in rng.integers(2, 5, 5)]
    filled(student, rng, 2, 5, chunks)
    filled(student, rng, 0, 4, [3, 3, 1, 2])


READ = {
    "ring-window-short": lambda n, s, w: sinks_and_last(n, min(n, s + w - 1), s, None),
    "ring-positions-from-length": lambda n, s, w: np.arange(min(n, s + w)),
    "ring-unwritten-cells": lambda n, s, w: np.arange(s + w),
    "ring-sinks-evicted": lambda n, s, w: np.arange(max(0, n - s - w), n),
}


def cell_order(n: int, n_sinks: int, window: int) -> np.ndarray:
    held = dict(zip(cells("", n, n_sinks, window), range(n), strict=True))
    return np.array([held[cell] for cell in sorted(held)])


@check(hole="ring_read", points=1, title="what is there, in the order of the text, with positions")
def ring_in_order(student, rng):
    s, w = ((2, 5), (3, 4))[rng.integers(0, 2)]
    for n in (s + w + 2, s + w, s - 1, s + 2, s + 3 * w + int(rng.integers(1, w)), 0):
        k, v = (rng.standard_normal((n, G, E)).astype(np.float32) for _ in PARTS)
        seen = student.observe("ring_read", ring_of(k, v, n, s, w))
        three = isinstance(seen.value, list | tuple) and len(seen.value) == 3
        require(three, "what came back is not (k, v, positions)", "ring-no-triple")
        what = f"ring_read after {n} rows, {s} sinks, a window of {w}"
        kept = sinks_and_last(n, min(n, s + w), s, None)
        got = np.asarray(seen.value[2])
        got = got if got.size else got.astype(int)
        near = {tag: mistake(n, s, w) for tag, mistake in READ.items()}
        near["ring-order-of-cells"] = cell_order(n, s, w)
        equal(got, kept, near=near, what=f"{what}: positions", axes=("row",))
        for got, rows in zip(seen.value, (k, v), strict=False):
            near = {"ring-order-of-cells": rows[cell_order(n, s, w)]} if n else {}
            close(got, rows[kept], near=near, what=what, **ROWS)


@check(hole="pad", points=1, title="tables side by side; the mask says what is a token")
def pad_masks(student, rng):
    lengths = [int(n) for n in rng.permutation([1, 5, 8, 11, 0])]
    for shuffled in (lengths, lengths[::-1]):  # the same sizes, other tables
        numbers = iter(int(b) for b in rng.permutation(np.arange(1, 30)))
        seqs = [{"table": list(islice(numbers, -(-n // B))), "n": n} for n in shuffled]
        tables, mask = student.pad(seqs, B)
        shapes = np.shape(tables), np.shape(mask)
        said = f"shapes {shapes}, want {((5, 3), (5, 3 * B))}"
        require(shapes == ((5, 3), (5, 3 * B)), said, "pad-shape")
        for seq, row in zip(seqs, np.asarray(tables), strict=True):
            n = len(seq["table"])
            said = f"row {row} for table {seq['table']}"
            require([int(b) for b in row[:n]] == seq["table"], said, "pad-tables")
            readable = all(0 <= b < 30 for b in row[n:])
            require(readable, f"{said}: no block has the number of the padding", "pad-unreadable")
        want = np.array([[n > j for j in range(3 * B)] for n in shuffled])
        whole = np.array([[-(-n // B) * B > j for j in range(3 * B)] for n in shuffled])
        near = {
            "pad-unmasked": np.ones_like(want),
            "pad-whole-blocks": whole,
            "pad-inverted": ~want,
        }
        near["pad-one-more"] = np.array([[n >= j for j in range(3 * B)] for n in shuffled])
        expect_dtype(mask, bool, "mask", "pad-mask-kind")
        equal(mask, want, near=near, what="mask", axes=("sequence", "slot"))


PREFIXES = (block_keys_chain, block_keys_differ, publish_full_blocks, publish_keeps_the_first,
            lookup_longest, lookup_holds)  # fmt: skip
