"""What each mistake of arithmetic in assignment 2 would give: a table a hole, tag -> function.

Owns: the near misses of holes that compute a value. A key is a tag of hints.yaml; a value takes the
arguments of the hole. Said in terms of the engine with other arguments, so that no text here is a
solution. Must not know: checks, points, submissions. Read before: minengine/kvcache.py.
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from minengine.cells import Cells
from minengine.kvcache import BlockPool


def n_bytes(n_tokens, block_size, n_layers, n_heads, n_kv_heads, head_width, itemsize=2):
    """What the engine says."""
    shape = n_layers, n_kv_heads, head_width
    return BlockPool.bytes_for(n_tokens, block_size, *shape, "F16") // 2 * itemsize


BYTES = {
    "bytes-of-query-heads": lambda n, b, l, h, g, e, s=2: n_bytes(n, b, l, h, h, e, s),
    "bytes-of-keys-alone": lambda *args: n_bytes(*args) // 2,
    "bytes-of-one-layer": lambda n, b, l, *rest: n_bytes(n, b, 1, *rest),
    "bytes-in-elements": lambda n, b, l, h, g, e, s=2: n_bytes(n, b, l, h, g, e, s) // s,
    "bytes-itemsize-fixed": lambda *args: n_bytes(*args[:6], 2),
    "blocks-floor": lambda n, b, *rest: n_bytes(n - n % b, b, *rest),
    "blocks-one-more": lambda n, b, *rest: n_bytes(n - n % b + b, b, *rest),
    "bytes-of-tokens-alone": lambda n, b, *rest: n_bytes(n, 1, *rest),
}


def slots(table, start, stop, block_size):
    """What the engine says."""
    pool = SimpleNamespace(block_size=block_size)
    return Cells(pool, table, len(table) * block_size).slots()[start:stop]


def swapped(table, start, stop, block_size):
    """The quotient taken for the offset and the remainder for the block."""
    block, offset = np.divmod(np.arange(start, stop), block_size)
    return np.take(table, offset) * block_size + block


SLOTS = {
    "slots-swapped": swapped,
    "slots-last-included": lambda table, start, stop, b: slots(table, start, stop + 1, b),
    "slots-table-ignored": lambda table, start, stop, b: np.arange(start, stop),
    "slots-from-zero": lambda table, start, stop, b: slots(table, 0, stop - start, b),
    "slots-from-one": lambda table, start, stop, b: slots(table, start + 1, stop + 1, b),
    "slots-offset-lost": lambda table, start, stop, b: slots(table, start, stop, b) // b * b,
    "slots-blocks-alone": lambda table, start, stop, b: slots(table, start, stop, b) // b,
}
