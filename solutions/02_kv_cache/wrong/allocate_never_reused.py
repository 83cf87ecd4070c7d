"""K4: a counter that only goes up; what came back is not used again."""

import numpy as np

FAILS = {
    "allocate_reuses": "alloc-never-reused",
}


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b in range(max([b for b, c in enumerate(refs) if c], default=-1) + 1, len(refs)) if b not in cached]
    if n > len(unused) + len(cached):
        return None
    victims = cached[: max(0, n - len(unused))]
    del cached[: len(victims)]
    for key in [key for key, block in found_by.items() if block in victims]:
        del found_by[key]
    blocks = (unused + victims)[:n]
    for block in blocks:
        refs[block] = 1
    return blocks
