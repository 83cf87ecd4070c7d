"""The sequence's length stays."""

import numpy as np

FAILS = {
    "append_fills": "append-length",
    "append_at_the_edges": "append-length",
    "append_copies_on_write": "append-length",
    "append_copies_no_more": "append-length",
    "append_withdraws": "append-length",
}


def append(pool, seq, k, v):
    size, table, n, n_new = pool["block_size"], seq["table"], seq["n"], k.shape[1]
    last = n // size  # the block that the first new row goes to
    open_end = n % size > 0 and n_new > 0
    shared = open_end and pool["refs"][table[last]] > 1
    n_blocks = -(-(n + n_new) // size) - len(table)
    fresh = allocate(pool, n_blocks + shared)
    if fresh is None:
        return None
    if shared:
        copy = fresh.pop(0)
        for part in ("k", "v"):
            pool[part][:, copy] = pool[part][:, table[last]]
        pool["refs"][table[last]] -= 1
        table[last] = copy
    elif open_end:  # what it is found by is not what it will hold
        for key in [key for key, block in pool["found_by"].items() if block == table[last]]:
            del pool["found_by"][key]
    table.extend(fresh)
    written = slots(table, n, n + n_new, size)
    for part, rows in (("k", k), ("v", v)):
        pool[part][:, written // size, written % size] = rows
    return written
