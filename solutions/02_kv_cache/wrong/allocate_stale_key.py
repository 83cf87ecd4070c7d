"""K16: the block that is given up can still be found."""

import numpy as np

FAILS = {
    "allocate_evicts": "evicted-still-findable",
}


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b, count in enumerate(refs) if count == 0 and b not in cached]
    if n > len(unused) + len(cached):
        return None
    victims = cached[: max(0, n - len(unused))]
    del cached[: len(victims)]
    blocks = (unused + victims)[:n]
    for block in blocks:
        refs[block] = 1
    return blocks
