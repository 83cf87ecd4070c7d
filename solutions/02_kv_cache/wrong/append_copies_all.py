"""K10: every block that others hold is copied."""

import numpy as np

FAILS = {
    "append_copies_on_write": "append-other-blocks",
    "append_copies_no_more": "append-other-blocks",
    "append_withdraws": "append-other-blocks",
}


def append(pool, seq, k, v):
    size, table, n, n_new = pool["block_size"], seq["table"], seq["n"], k.shape[1]
    last = n // size  # the block that the first new row goes to
    open_end = n % size > 0 and n_new > 0
    others = [i for i, b in enumerate(table) if pool["refs"][b] > 1]
    n_blocks = -(-(n + n_new) // size) - len(table)
    fresh = allocate(pool, n_blocks + len(others))
    if fresh is None:
        return None
    for i in others:
        copy = fresh.pop(0)
        for part in ("k", "v"):
            pool[part][:, copy] = pool[part][:, table[i]]
        pool["refs"][table[i]] -= 1
        table[i] = copy
    if open_end:  # what it is found by is not what it will hold
        for key in [key for key, block in pool["found_by"].items() if block == table[last]]:
            del pool["found_by"][key]
    table.extend(fresh)
    written = slots(table, n, n + n_new, size)
    for part, rows in (("k", k), ("v", v)):
        pool[part][:, written // size, written % size] = rows
    seq["n"] = n + n_new
    return written
