"""K13: the block is free at the first letting go."""

import numpy as np

FAILS = {
    "free_counts": "free-ignores-count",
    "free_caches": "free-ignores-count",
}


def free(pool, blocks):
    refs, findable = pool["refs"], set(pool["found_by"].values())
    if any(refs[block] < blocks.count(block) for block in blocks):
        return None
    unheld = []
    for block in reversed(blocks):  # the end of a text is given up before what it builds on
        refs[block] = 0
        if refs[block] == 0:
            unheld.append(block)
            if block in findable:
                pool["cached"].append(block)
    return unheld
