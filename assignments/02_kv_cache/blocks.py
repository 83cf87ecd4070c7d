"""Checks of assignment 2, the pool: each states one idea about who holds what.

Owns: the checks of cache_bytes, slots, allocate, free, fork, append. Must not know: solutions,
sandboxes, seeds. Read before: handout.py (the contract), scene.py (pools of a known history, what
must hold).

Where the contract leaves a choice (which unused block is taken), any choice passes: what is asked
is who holds what, what each sequence reads, and what nobody touched.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import mistakes
import numpy as np
from scene import (
    B,
    blocks_for,
    called,
    changed_blocks,
    difference,
    done,
    draw,
    ints,
    recount,
    refused,
    rows_agree,
    scene,
    stored,
)

from autograder.checks import check, equal, relying_on, require
from minengine import oracle_cache


def near(table: dict, args: tuple) -> dict[str, Any]:
    return {tag: partial(mistake, *args) for tag, mistake in table.items()}


@check(hole="cache_bytes", points=1, title="keys and values of every layer, in whole blocks")
def cache_bytes_values(student, rng):
    for args in ((10, 4, 3, 8, 2, 16, 8), (int(rng.integers(2, 9)) * 5 + 3, 5, 4, 6, 2, 8)):
        want = mistakes.n_bytes(*args)
        got = student.cache_bytes(*args)
        equal(got, want, near=near(mistakes.BYTES, args), what=f"cache_bytes{args}")


@check(hole="cache_bytes", points=1, title="exactly full blocks, no tokens", visibility="hidden")
def cache_bytes_at_the_edges(student, rng):
    one, two, n = (student.cache_bytes(n, 8, 1, 2, 2, 4) for n in (8, 16, 0))
    require(n == 0, f"no tokens take {n} bytes", "blocks-one-more")
    n_blocks = int(rng.integers(3, 9))
    many = student.cache_bytes(8 * n_blocks, 8, 1, 2, 2, 4)
    said = f"{n_blocks} blocks, all full, take {many} bytes, and one more block {two - one}"
    require(many == n_blocks * (two - one) > 0, said, "blocks-one-more")


@check(hole="slots", points=1, title="token j lies in block table[j // B] at offset j % B")
def slots_values(student, rng):
    for table, n in (([7, 2, 5, 9], 14), ([int(b) for b in rng.permutation(12)[:5]], 19)):
        args = table, 0, n, 4
        equal(
            np.asarray(student.slots(*args)),
            mistakes.slots(*args),
            near=near(mistakes.SLOTS, args),
            what=f"slots{args}",
            axes=("token",),
        )


@check(hole="slots", points=1, title="start is in, stop is not", visibility="hidden")
def slots_of_a_range(student, rng):
    first, note = int(rng.integers(3, 14)), None
    rest = [int(b) for b in rng.permutation(np.arange(3, 16)) if b not in (first, first + 1)]
    table = [first, first + 1, *rest[:3]]  # neighbours: who swaps block and offset meets himself
    for start, stop in ((5, 11), (4, 8), (int(rng.integers(1, 9)), 15), (6, 6)):
        args = table, start, stop, 4
        ranges = (start, stop), (0, 19)
        got, whole = (np.asarray(student.slots(table, *ends, 4)) for ends in ranges)
        got = got if got.size else got.astype(int)  # np.array([]) is of floats
        own = whole[start:stop] if len(set(whole)) == 19 else None  # which slots is judged above
        want, known = mistakes.slots(*args), near(mistakes.SLOTS, args)
        note = equal(got, want, near=known, own=own, what=f"slots{args}", axes=("token",)) or note
    return note


def took(student: Any, world: Any, n: int) -> Any:
    """``allocate(pool, n)`` that can be done -> the call and the blocks, judged as blocks."""
    seen = called(student, "allocate", world.pool, n)
    n_unused = sum(count == 0 for count in world.pool["refs"]) - len(world.pool["cached"])
    said = f"allocate(pool, {n}) gives None, with {n_unused} unused blocks"
    held = max((b for b, count in enumerate(world.pool["refs"]) if count), default=-1)
    behind = len(world.pool["refs"]) - 1 - held < n <= n_unused
    require(seen.value is not None, said, "alloc-never-reused" if behind else "alloc-refuses")
    blocks = ints(seen.value)
    said = f"allocate(pool, {n}) gives {blocks}"
    require(len(blocks) == n, said, "alloc-count")
    require(len(set(blocks)) == n, said, "alloc-same-twice")
    inside = all(0 <= b < len(world.pool["refs"]) for b in blocks)
    require(inside, f"{said} of {len(world.pool['refs'])} blocks", "alloc-never-reused")
    for block in set(blocks):
        count = world.pool["refs"][block]
        require(count == 0, f"{said}, and block {block} is held {count} times", "alloc-in-use")
    return seen, blocks


@check(hole="allocate", points=1, title="n blocks that nobody held, now held once")
def allocate_values(student, rng):
    world = scene(rng, a=("PQR", 10), n_unused=5, unused="last")
    for n in (1, int(rng.integers(2, 5)), 5, 0):
        seen, blocks = took(student, world, n)
        want = [1 if b in blocks else count for b, count in enumerate(world.pool["refs"])]
        said = f"after allocate(pool, {n}) = {blocks}: refs {seen.pool['refs']}, want {want}"
        require(seen.pool["refs"] == want, said, "alloc-uncounted")
        unlike = difference(world.pool | {"refs": want}, seen.pool)
        require(not unlike, f"after allocate(pool, {n}): {unlike}", "touches-others")


@check(hole="allocate", points=1, title="too few: None, and nothing has changed")
def allocate_refuses(student, rng):
    more = int(rng.integers(1, 4))
    for cached in ("", "XYZ"):
        world = scene(rng, a=("PQR", 10), n_unused=3, cached=cached)
        n = 3 + len(cached) + more
        refused(student, "alloc-too-many", "alloc-half-change", "allocate", world.pool, n)
        done(student, "alloc-refuses", "allocate", world.pool, 1)


@check(hole="allocate", points=1, title="blocks that came back are used", visibility="hidden")
def allocate_reuses(student, rng):
    for unused in ("first", "last"):
        world = scene(rng, a=("PQR", 10), n_unused=4, unused=unused)
        for n in (int(rng.integers(1, 4)), 4):
            took(student, world, n)


@check(hole="allocate", points=1, title="then the findable, oldest first", visibility="hidden")
def allocate_evicts(student, rng):
    world = scene(rng, a=("PQ", 7), findable="P", cached="XYZW", n_unused=2)
    n_victims = int(rng.integers(1, 4))
    for n in (1, 2):  # there are unused blocks for so many
        seen, blocks = took(student, world, n)
        early = [b for b in world.pool["cached"] if b in blocks or b not in seen.pool["cached"]]
        said = f"findable block {early} was given up while unused ones were there"
        require(not early, said, "evicts-early")
    seen, blocks = took(student, world, 2 + n_victims)
    cached = world.pool["cached"]
    victims = [b for b in cached if b in blocks]
    said = f"cached was {cached}, the oldest first; given up were {victims}"
    require(victims == cached[:n_victims], said, "evicts-not-the-oldest")
    found = {key: b for key, b in world.pool["found_by"].items() if b not in victims}
    said = f"found_by is {seen.pool['found_by']} after {victims} were given to somebody"
    require(seen.pool["found_by"] == found, said, "evicted-still-findable")
    said = f"cached is {seen.pool['cached']} after {victims} were given to somebody"
    require(seen.pool["cached"] == cached[n_victims:], said, "evicted-still-cached")


def let_go(student: Any, pool: dict, blocks: list[int], counts: list[int]) -> Any:
    """``free(pool, blocks)`` that can be done, its counts and its value judged."""
    seen = called(student, "free", pool, blocks)
    what = f"free(pool, {blocks}) with refs {pool['refs']}"
    require(seen.value is not None, f"{what}: got None", "free-refuses")
    zeroed = any(
        now == 0 < want for now, want in zip(seen.pool["refs"], counts, strict=True)
    )  # fmt: skip
    said = f"{what}: refs {seen.pool['refs']}, want {counts}"
    tag = "free-ignores-count" if zeroed else "free-uncounted"
    require(seen.pool["refs"] == counts, said, tag)
    unheld = sorted(b for b in blocks if counts[b] == 0)
    said = f"{what}: got {seen.value}, and nobody holds {unheld} any more"
    require(sorted(ints(seen.value)) == unheld, said, "free-value")
    return seen


@check(hole="free", points=1, title="each block is let go once; at zero nobody holds it")
def free_counts(student, rng):
    world = scene(rng, a=("PQR", 10), b=("PQS", 11), c=("P", 4))
    first, second = (list(world.seqs[name]["table"]) for name in rng.permutation(["a", "b"]))
    left = recount(len(world.pool["refs"]), [world.seqs["c"], {"table": second}])
    seen = let_go(student, world.pool, first, left)
    unlike = difference(world.pool | {"refs": left}, seen.pool)
    require(not unlike, f"after free(pool, {first}): {unlike}", "touches-others")
    left = recount(len(world.pool["refs"]), [world.seqs["c"]])
    let_go(student, seen.pool, second, left)


@check(hole="free", points=1, title="not held as often: None, and nothing has changed")
def free_refuses(student, rng):
    world = scene(rng, a=("PQR", 10), b=("P", 4))
    p, q, r = world.seqs["a"]["table"]
    nobody = world.pool["refs"].index(0)
    for blocks in ([nobody], [q, q], [p, p, p], [q, nobody, r], [r, q, r]):
        refused(student, "free-twice", "free-half-change", "free", world.pool, blocks)
    done(student, "free-refuses", "free", world.pool, [r])


@check(
    hole="free", points=1, title="findable blocks become cached, the end first", visibility="hidden"
)
def free_caches(student, rng):
    world = scene(rng, a=("PQRS", 15), b=("P", 4), findable="PQR", cached="XY")
    p, q, r, s = world.seqs["a"]["table"]
    old, counts = world.pool["cached"], list(world.pool["refs"])
    for block in (p, q, r, s):
        counts[block] -= 1
    seen = let_go(student, world.pool, [p, q, r, s], counts)
    now = seen.pool["cached"]
    said = f"cached was {old}; let go were {[p, q, r, s]}, of which {p} is still held and "
    said += f"{s} is not findable: cached is {now}, want {[*old, r, q]}"
    require(p not in now, said, "cached-though-held")
    require(s not in now, said, "cached-though-unfindable")
    require({q, r} <= set(now), said, "free-forgets-findable")
    require(now[-2:] in ([q, r], [r, q]), said, "cached-at-the-front")
    require(now == [*old, r, q], said, "cached-head-first")
    kept = seen.pool["found_by"] == world.pool["found_by"]
    require(kept, "a block that was let go cannot be found any more", "free-forgets-findable")


@check(hole="fork", points=1, title="the same blocks, each held once more")
def fork_counts(student, rng):
    world = scene(rng, a=("PQR", int(rng.integers(9, 12))), b=("PS", 7))
    parent = world.seqs["a"]
    seen = called(student, "fork", world.pool, parent)
    child = seen.value
    require(isinstance(child, dict) and {"table", "n"} <= child.keys(),
            f"got {child!r:.60}, want a dict with table and n", "fork-no-sequence")  # fmt: skip
    table, said = ints(child["table"]), f"parent {parent}, child {child}"
    require(table == parent["table"], said, "fork-copies")
    require(int(child["n"]) == parent["n"], said, "fork-no-sequence")
    want = recount(len(world.pool["refs"]), [*world.seqs.values(), child])
    n_more = sum(seen.pool["refs"]) - sum(world.pool["refs"])
    tag = "fork-counted-twice" if n_more > len(table) else "fork-uncounted"
    require(seen.pool["refs"] == want, f"refs {seen.pool['refs']}, want {want}", tag)
    unlike = difference(world.pool | {"refs": want}, seen.pool)
    require(not unlike, f"after fork: {unlike}", "fork-copies")


@check(hole="fork", points=1, title="a table with a free block: None", visibility="hidden")
def fork_refuses(student, rng):
    world = scene(rng, a=("PQR", 10))
    done(student, "fork-no-sequence", "fork", world.pool, world.seqs["a"])
    gone = world.seqs["a"]["table"][int(rng.integers(1, 3))]
    world.pool["refs"][gone] = 0
    refused(student, "fork-of-free", "fork-half-change", "fork", world.pool, world.seqs["a"])


SLOTS = (slots_values, slots_of_a_range)
ALLOCATE = (allocate_values, allocate_refuses, allocate_reuses, allocate_evicts)
FREE = (free_counts, free_refuses, free_caches)
on_parts = partial(relying_on, right=oracle_cache)


def appended(student: Any, world: Any, name: str, n_new: int, rng: Any) -> Any:
    """``append`` of drawn rows to a sequence, and all that must hold after any append."""
    pool, seq = world.pool, world.seqs[name]
    others = {other: s for other, s in world.seqs.items() if other != name}
    new = draw(rng, n_new), draw(rng, n_new)
    seen = called(student, "append", pool, seq, *new)
    what = f"append of {n_new} to {seq['n']} tokens in blocks of {B}"
    what += f", table {seq['table']}, refs {pool['refs']}"
    require(seen.value is not None, f"{what}: got None, and there was room", "append-refuses")
    require(seen.seq["n"] == seq["n"] + n_new, f"{what}: n is {seen.seq['n']}", "append-length")
    table, n_blocks = seen.seq["table"], blocks_for(seen.seq["n"])
    said = f"{what}: the table was {seq['table']} and is {table}"
    require(len(table) >= n_blocks, said, "append-drops-blocks")
    require(len(table) == n_blocks, f"{said}, want {n_blocks} blocks", "append-extra-block")
    of_others = {block for s in others.values() for block in s["table"]}
    written = of_others.intersection(changed_blocks(pool, seen.pool, "k"))
    others_too = f"{what}: block {sorted(written)} was written, and others hold it"
    require(not written, others_too, "append-writes-shared")
    full = seq["n"] // B
    require(table[:full] == seq["table"][:full], said, "append-other-blocks")
    old = stored(pool, seq)
    want = np.concatenate([old, np.stack(new)], axis=2)
    rows_agree(seen.pool, seen.seq, want, append_mistakes(old, want), what)
    refs = recount(len(pool["refs"]), [*others.values(), seen.seq])
    too_many = sum(seen.pool["refs"]) > sum(refs)
    tag = "append-old-not-released" if too_many else "append-uncounted"
    require(seen.pool["refs"] == refs, f"{what}: refs {seen.pool['refs']}, want {refs}", tag)
    mine = set(ints(np.asarray(seen.value) // B)) <= set(table) and len(seen.value) == n_new
    require(mine, f"{what}: got {seen.value}, want the slots of the new tokens", "append-value")
    return seen


def append_mistakes(old: np.ndarray, want: np.ndarray) -> dict[str, np.ndarray]:
    """Rows where something was not written: what is not there is NaN, as in an unused slot."""
    n, table = old.shape[2], {}
    for tag, where in {
        "append-keys-only": (1, slice(None), slice(n, None)),
        "append-values-only": (0, slice(None), slice(n, None)),
        "append-one-layer": (slice(None), slice(1, None), slice(n, None)),
        "copy-keys-only": (1, slice(None), slice(n - n % B, n)),
        "copy-one-layer": (slice(None), slice(1, None), slice(n - n % B, n)),
        "copy-missing": (slice(None), slice(None), slice(n - n % B, n)),
        "append-last-row-only": (slice(None), slice(None), slice(n, -1)),
    }.items():
        rows = want.copy()
        rows[where] = np.nan
        table[tag] = rows
    return table


@check(hole="append", points=1, title="new rows go after the old, in new blocks where needed")
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_fills(student, rng):
    world = scene(rng, a=("PQ", int(rng.integers(5, 7))), b=("R", 3), c=("", 0), n_unused=6)
    for how in (("a", 1), ("a", 8), ("c", 6)):
        appended(student, world, *how, rng)


@check(
    hole="append", points=1, title="to the end of a block, and on from there", visibility="hidden"
)
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_at_the_edges(student, rng):
    world = scene(rng, a=("PQ", 6), b=("RS", 8), c=("T", 1), n_unused=6)
    steps = (("a", 2), ("b", 1), ("b", 4), ("c", 3 + 4 * int(rng.integers(0, 3))), ("a", 0))
    for how in steps:
        appended(student, world, *how, rng)


@check(hole="append", points=2, title="a block that others hold is copied before it is written")
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_copies_on_write(student, rng):
    n = int(rng.integers(5, 7))
    world = scene(rng, a=("PQ", n), b=("PQ", n), c=("P", 4), n_unused=5)
    for how in (("b", 1), ("a", 5)):
        appended(student, world, *how, rng)


@check(hole="append", points=1, title="nothing else is copied", visibility="hidden")
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_copies_no_more(student, rng):
    world = scene(rng, a=("PQR", 10), b=("PQ", 8), n_unused=5)
    for name, n_new in (("a", 1), ("b", int(rng.integers(1, 4)))):
        seen = appended(student, world, name, n_new, rng)
        before = world.seqs[name]["table"]
        kept = seen.seq["table"][: len(before)]
        said = f"nobody else holds the block, yet the table was {before} and is {seen.seq['table']}"
        require(kept == before, said, "append-copies-own")
        written = changed_blocks(world.pool, seen.pool, "k")
        said = f"{n_new} rows were appended, and blocks {written} were written"
        require(len(written) == 1, said, "append-copies-own")
    for tables in ({"a": ("PQ", 6), "b": ("PQ", 6)}, {"a": ("PQ", 6)}):
        world = scene(rng, findable="PQ", **tables)
        seen = appended(student, world, "a", 0, rng)
        unlike = difference(world.pool, seen.pool)
        require(not unlike, f"no token was appended, and {unlike}", "append-copies-own")


@check(
    hole="append", points=2, title="out of blocks: None, nothing has changed", visibility="hidden"
)
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_refuses(student, rng):
    alone = scene(rng, a=("PQ", 6), b=("R", 3), n_unused=1)
    shared = scene(rng, a=("PQ", 6), b=("PQ", 6), n_unused=0)
    both = scene(rng, a=("PQ", 6), b=("PQ", 6), n_unused=1)
    cached = scene(rng, a=("PQ", 6), findable="P", cached="XY", n_unused=0)
    more = int(rng.integers(0, 3))
    for world, n_new in ((alone, 7 + more), (shared, 1), (both, 3 + more), (cached, 11 + more)):
        rows = draw(rng, n_new), draw(rng, n_new)
        args = world.pool, world.seqs["a"], *rows
        refused(student, "append-too-much", "append-half-change", "append", *args)
    args = alone.pool, alone.seqs["a"], draw(rng, 1), draw(rng, 1)
    done(student, "append-refuses", "append", *args)


@check(hole="append", points=1, title="what is written over is not findable", visibility="hidden")
@on_parts(*SLOTS, *ALLOCATE, *FREE)
def append_withdraws(student, rng):
    n = 6
    world = scene(rng, a=("PQ", n), findable="PQ")
    seen = appended(student, world, "a", 1, rng)
    said = f"block {world.at['Q']} is written over and still found by {seen.pool['found_by']}"
    require("q" not in seen.pool["found_by"], said, "append-stays-findable")
    kept = seen.pool["found_by"] == {"p": world.at["P"]}
    require(
        kept,
        f"found_by is {seen.pool['found_by']}: a full block is missing",
        "append-withdraws-all",
    )
    world = scene(rng, a=("PQ", n), b=("PQ", n), findable="PQ")
    seen = appended(student, world, "a", 1, rng)
    kept = seen.pool["found_by"] == world.pool["found_by"]
    require(kept, "the block that was copied from is findable no more", "append-withdraws-all")


FORK = (fork_counts, fork_refuses)
APPEND = (append_fills, append_at_the_edges, append_copies_on_write, append_copies_no_more,
          append_refuses, append_withdraws)  # fmt: skip
