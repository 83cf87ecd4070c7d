"""A paged cache as functions over plain state: what each operation does to who holds which block.

Owns: the meaning of the operations of assignment 2 on its pools and sequences, dicts as its handout
describes them. Must not know: the engine; it imports NumPy alone. The grader lends these functions
to submissions whose own are wrong, so every argument may be a stranger's: sizes are bounded, each
function takes time in proportion to its arguments, and one that cannot do what was asked gives None
and has changed nothing. Read before: `kvcache.py`, which does the same fast. Source: Kwon et al.
2023, "PagedAttention", sections 4.2 to 4.4.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable
from typing import Any

import numpy as np

Pool = dict[str, Any]
Sequence = dict[str, Any]
MOST_BLOCKS, MOST = 4096, 1 << 20  # blocks, slots: beyond is no cache of an exercise


def slots(table: Iterable[int], start: int, stop: int, block_size: int) -> np.ndarray:
    """``table[j // B] * B + j % B`` for j = start .. stop - 1: int64 (stop - start,)."""
    blocks = np.asarray(list(table), np.int64)
    if not 0 <= start <= stop <= min(len(blocks) * block_size, MOST):
        raise ValueError(f"tokens {start} to {stop} of {len(blocks)} blocks of {block_size}")
    used = blocks[: _blocks(stop, block_size)]
    whole = used[:, None] * block_size + np.arange(min(block_size, stop))
    return whole.ravel()[start:stop]


def allocate(pool: Pool, n: int) -> list[int] | None:
    """n blocks that nobody held, each held once now: unused ones, then cached ones, the oldest
    first, which cannot be found any more. None where there are fewer.
    """
    idle = set(_few(pool["cached"]))
    fresh = [b for b, holders in enumerate(_few(pool["refs"])) if not holders and b not in idle]
    given = [*fresh, *pool["cached"]][: max(int(n), 0)]
    if len(given) != n:
        return None
    lost = idle.intersection(given)
    pool["cached"][:] = [b for b in pool["cached"] if b not in lost]
    _forget(pool, lost)
    for b in given:
        pool["refs"][b] = 1
    return given


def _few(blocks: list[int]) -> list[int]:
    """These, if they are not too many: numbers that all collide cost their square."""
    if len(blocks) > MOST_BLOCKS:
        raise ValueError(f"{len(blocks)} blocks, at most {MOST_BLOCKS}")
    return blocks


def _forget(pool: Pool, blocks: set[int]) -> None:
    """No key leads to these blocks any more."""
    for key in [k for k, b in pool["found_by"].items() if b in blocks]:
        pool["found_by"].pop(key)


def free(pool: Pool, blocks: list[int]) -> list[int] | None:
    """Let go of each block once -> those that nobody holds now, the last of the list first; of
    these the findable ones become cached in that order. None where one is held too seldom.
    """
    times, refs = Counter(_few(blocks)), pool["refs"]
    if any(refs[b] < n for b, n in times.items()):
        return None
    for b, n in times.items():
        refs[b] -= n
    unheld = list(dict.fromkeys(b for b in blocks[::-1] if not refs[b]))
    known = set(pool["found_by"].values())
    pool["cached"].extend(b for b in unheld if b in known)
    return unheld


def fork(pool: Pool, seq: Sequence) -> Sequence | None:
    """A second sequence over the same blocks, each held once more; None if nobody holds one."""
    if not all(pool["refs"][b] for b in seq["table"]):
        return None
    for b, n in Counter(_few(seq["table"])).items():
        pool["refs"][b] += n
    return {"table": seq["table"][:], "n": seq["n"]}


def append(pool: Pool, seq: Sequence, k: np.ndarray, v: np.ndarray) -> np.ndarray | None:
    """Store rows (L, T, G, E) after the n tokens of a sequence -> their slots; the block at the
    open end is copied first if others hold it. None where there are too few blocks.
    """
    B, old, new = pool["block_size"], seq["n"], np.shape(k)[1]
    inside = old % B and new  # rows go into a block that has some
    tail = seq["table"][old // B] if inside else None
    copied = bool(inside) and pool["refs"][tail] > 1
    taken = allocate(pool, _blocks(old + new, B) - len(seq["table"]) + copied)
    if taken is None:
        return None
    if copied:
        own, taken = taken[0], taken[1:]
        for rows in (pool["k"], pool["v"]):
            rows[:, own] = rows[:, tail]
        pool["refs"][tail] -= 1
        seq["table"][old // B] = own
    elif inside:
        _forget(pool, {tail})
    seq["table"] += taken
    seq["n"] = old + new
    places = slots(seq["table"], old, old + new, B)
    block, offset = np.divmod(places, B)
    pool["k"][:, block, offset], pool["v"][:, block, offset] = k, v
    return places


def _blocks(n: int, block_size: int) -> int:
    """``ceil(n / B)``."""
    return (n + block_size - 1) // block_size


def gather(pool: Pool, seq: Sequence, layer: int) -> tuple[np.ndarray, np.ndarray]:
    """Keys and values (n, G, E) of one layer, copies, in the order of the text."""
    block, offset = np.divmod(
        slots(seq["table"], 0, seq["n"], pool["block_size"]), pool["block_size"]
    )
    return pool["k"][layer][block, offset], pool["v"][layer][block, offset]


def rewind(pool: Pool, seq: Sequence, n: int) -> list[int] | None:
    """Forget all tokens but the first n -> blocks that nobody holds now; None unless 0 <= n and
    there are as many.
    """
    if n < 0 or n > seq["n"]:
        return None
    kept = _blocks(n, pool["block_size"])
    unheld = free(pool, seq["table"][kept:])
    if unheld is not None:
        seq["table"][kept:] = []
        seq["n"] = n
    return unheld


def block_keys(tokens: Iterable[int], block_size: int) -> list[Hashable]:
    """A key for each full block, equal exactly where the texts up to its end are."""
    text = tuple(int(t) for t in tokens)[:MOST]
    if not 0 < block_size <= MOST:
        raise ValueError(f"blocks of {block_size} tokens")
    if len(text) ** 2 > MOST * block_size:  # the keys of a text hold it again and again
        raise ValueError(f"{len(text)} tokens in blocks of {block_size}")
    return [text[:end] for end in range(block_size, len(text) + 1, block_size)]


def publish(pool: Pool, seq: Sequence, keys: Iterable[Hashable]) -> None:
    """The full blocks of a sequence can be found by these keys, but by one that has a block."""
    full = seq["table"][: seq["n"] // pool["block_size"]]
    for b, key in zip(full, keys, strict=False):
        pool["found_by"].setdefault(key, b)


def lookup(pool: Pool, keys: Iterable[Hashable]) -> Sequence:
    """A sequence of the longest prefix that is findable, its blocks held once more, not cached."""
    found = []
    for key in keys:
        if (b := pool["found_by"].get(key)) is None:
            break
        found.append(b)
    held = set(_few(found))
    pool["cached"][:] = [b for b in _few(pool["cached"]) if b not in held]
    for b in found:
        pool["refs"][b] += 1
    return {"table": found, "n": len(found) * pool["block_size"]}
