"""K18: takes what is there before it sees that it is too little."""

import numpy as np

FAILS = {
    "allocate_refuses": "alloc-half-change",
}


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b, count in enumerate(refs) if count == 0 and b not in cached]
    victims = cached[: max(0, n - len(unused))]
    del cached[: len(victims)]
    for key in [key for key, block in found_by.items() if block in victims]:
        del found_by[key]
    blocks = (unused + victims)[:n]
    for block in blocks:
        refs[block] = 1
    return blocks if len(blocks) == n else None
