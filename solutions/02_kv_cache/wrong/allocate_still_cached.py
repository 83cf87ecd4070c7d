"""K16: the block given up stays in cached, and will be given up again."""

import numpy as np

FAILS = {
    "allocate_evicts": "evicted-still-cached",
}


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b, count in enumerate(refs) if count == 0 and b not in cached]
    if n > len(unused) + len(cached):
        return None
    victims = cached[: max(0, n - len(unused))]
    for key in [key for key, block in found_by.items() if block in victims]:
        del found_by[key]
    blocks = (unused + victims)[:n]
    for block in blocks:
        refs[block] = 1
    return blocks
