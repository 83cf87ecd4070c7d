"""Caches with a known history, and what must hold of a cache whatever was done to it.

Owns: pools and sequences built from a drawing of who holds what, the reading of a pool that came
back, the comparison of two. Must not know: points, tags' hints, solutions. Read before: handout.py
(the state), minengine/cells.py (which slot a token lies in).

A scene names blocks by letters: ``scene(rng, a=("PQ", 7), b=("P", 4))`` is a sequence a of 7
tokens in blocks P and Q and a sequence b of 4 tokens that shares P. Which number a letter has is
drawn. What no token stands in holds NaN.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np

from autograder.checks import close, require
from minengine.cells import Cells
from minengine.kvcache import BlockPool

B, LAYERS, G, E = 4, 2, 3, 6  # no two alike: a mix-up of axes shows
PARTS = ("k", "v")
EXACT = {"rtol": 0, "atol": 0, "axes": ("layer", "token", "head", "dimension")}


def scene(
    rng: np.random.Generator,
    *,
    findable: str = "",
    cached: str = "",
    n_unused: int = 4,
    unused: str = "last",
    **tables: tuple[str, int],
) -> SimpleNamespace:
    """``pool``, ``seqs`` by name, ``at`` (letter -> block).

    Blocks of ``findable`` and ``cached`` are found by their letter in lower case; ``cached`` ones
    are held by nobody, the oldest first. ``unused`` says which numbers those blocks have that
    nobody ever used: anywhere, first or last.
    """
    letters = sorted(set(cached).union(*(letters for letters, _ in tables.values())))
    n_blocks = len(letters) + n_unused
    first = n_unused * (unused == "first")
    among = n_blocks if unused == "anywhere" else len(letters)
    numbers = [int(b) + first for b in rng.permutation(among)]
    at = dict(zip(letters, numbers, strict=False))
    held = Counter(letter for letters, _ in tables.values() for letter in letters)
    pool = {"block_size": B, "refs": [0] * n_blocks, "found_by": {}, "cached": []}
    pool |= {part: np.full((LAYERS, n_blocks, B, G, E), np.nan, np.float32) for part in PARTS}
    seqs = {}
    for letter in letters:
        pool["refs"][at[letter]] = held[letter]
    pool["cached"] = [at[letter] for letter in cached]
    pool["found_by"] = {letter.lower(): at[letter] for letter in findable + cached}
    for name, (letters, n) in tables.items():
        seqs[name] = {"table": [at[letter] for letter in letters], "n": n}
        fill(rng, pool, places(seqs[name]))
    fill(rng, pool, [b * B + j for b in pool["cached"] for j in range(B)])
    return SimpleNamespace(pool=pool, seqs=seqs, at=at)


def fill(rng: np.random.Generator, pool: Mapping, slots: Any) -> None:
    """Draw keys and values for slots."""
    for part in PARTS:
        rows = pool[part].reshape(LAYERS, -1, G, E)
        rows[:, slots] = draw(rng, len(slots))


def draw(rng: np.random.Generator, n: int) -> np.ndarray:
    """Rows for n tokens: float32 (LAYERS, n, G, E)."""
    return rng.standard_normal((LAYERS, n, G, E)).astype(np.float32)


def blocks_for(n: int) -> int:
    """Blocks that hold n tokens, as the engine counts."""
    return BlockPool.blocks_for(SimpleNamespace(block_size=B), n)


def places(seq: Mapping) -> np.ndarray:
    """Where the tokens of a sequence lie, as the engine counts."""
    n, table = int(seq["n"]), ints(seq["table"])
    require(0 <= n <= len(table) * B, f"{n} tokens in {len(table)} blocks", "table-too-short")
    return Cells(SimpleNamespace(block_size=B), table, n).slots()


def stored(pool: Mapping, seq: Mapping, slots: Any = None) -> np.ndarray:
    """What a sequence has in a pool: (2, LAYERS, n, G, E), keys before values."""
    slots = places(seq) if slots is None else slots
    shape = np.shape(pool["k"])
    return np.stack([np.asarray(pool[p]).reshape(LAYERS, -1, *shape[3:])[:, slots] for p in PARTS])


def ints(value: Any) -> list[int]:
    """Whole numbers of a list, tuple or array."""
    fits = isinstance(value, list | tuple | np.ndarray)
    array = np.asarray(value)
    fits = fits and array.ndim == 1 and (array.dtype.kind in "iu" or not array.size)
    require(fits, f"got {value!r:.80}, want a list of whole numbers", "not-a-list")
    return [int(b) for b in array]


def called(student: Any, hole: str, *args: Any) -> SimpleNamespace:
    """One call -> its ``value``, and ``pool`` and ``seq`` (the second argument) after it."""
    seen = student.observe(hole, *args)
    pool, *rest = seen.args_after
    complete = isinstance(pool, dict) and pool.keys() >= args[0].keys()
    require(complete, "the pool lost one of its entries", "pool-broken")
    pool = pool | {name: ints(pool[name]) for name in ("refs", "cached")}
    for part in PARTS:
        shape = np.shape(pool[part])
        said = f"pool[{part!r}] has shape {shape}, had {args[0][part].shape}"
        require(shape == args[0][part].shape, said, "pool-broken")
    found = pool["found_by"]
    require(isinstance(found, dict), "pool['found_by'] is no dict any more", "pool-broken")
    pool["found_by"] = {key: int(block) for key, block in found.items()}
    seq = rest[0] if rest and isinstance(rest[0], dict) else None
    if seq is not None:
        seq = seq | {"table": ints(seq["table"]), "n": int(seq["n"])}
    return SimpleNamespace(
        value=seen.value, pool=pool, seq=seq, args=rest, shares_memory=seen.shares_memory
    )


def difference(before: Mapping, after: Mapping) -> str:
    """What of a pool is not as it was, "" where all is."""
    for name in ("refs", "cached", "found_by"):
        if before[name] != after[name]:
            return f"pool[{name!r}] was {before[name]} and is {after[name]}"
    written = [block for part in PARTS for block in changed_blocks(before, after, part)]
    return f"rows of block {written[0]} were written" if written else ""


def changed_blocks(before: Mapping, after: Mapping, part: str) -> list[int]:
    """Blocks in which some number is another now."""
    a, b = np.asarray(before[part]), np.asarray(after[part])
    other = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    return [int(block) for block in np.flatnonzero(other.any(axis=(0, 2, 3, 4)))]


def refused(student: Any, tag_done: str, tag_half: str, hole: str, *args: Any) -> None:
    """Require None of a call that cannot be done, and a pool and a sequence as they were."""
    seen = called(student, hole, *args)
    what = f"{hole} cannot be done here"
    require(seen.value is None, f"{what}: got {seen.value!r:.60}, want None", tag_done)
    unlike = difference(args[0], seen.pool)
    if not unlike and isinstance(args[1], dict):
        was, now = args[1], seen.seq
        same = list(was["table"]) == now["table"] and was["n"] == now["n"]
        unlike = "" if same else f"the sequence was {was} and is {now}"
    require(not unlike, f"{what}, and yet {unlike}", tag_half)


def done(student: Any, tag: str, hole: str, *args: Any) -> None:
    """Require anything but None of a call that can be done: who refuses everything refuses this."""
    seen = called(student, hole, *args)
    require(seen.value is not None, f"{hole} can be done here: got None", tag)


def recount(n_blocks: int, seqs: list[Mapping]) -> list[int]:
    """How many tables list each block."""
    held = Counter(block for seq in seqs for block in ints(seq["table"]))
    return [held[block] for block in range(n_blocks)]


def still_reads(before: Mapping, after: Mapping, seq: Mapping, what: str, tag: str) -> None:
    """Require that a sequence that nobody touched has what it had."""
    was, now = stored(before, seq), stored(after, seq)
    message = f"{what}, which was not asked to change, reads other rows now"
    require(np.array_equal(was, now, equal_nan=True), message, tag)


def rows_agree(pool: Mapping, seq: Mapping, want: np.ndarray, near: Mapping, what: str) -> None:
    """Require (2, LAYERS, n, G, E) rows of a sequence where the rule puts them."""
    close(stored(pool, seq), want, near=near, what=what, **EXACT)
