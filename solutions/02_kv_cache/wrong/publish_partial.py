"""K15: the block that is not full yet can be found."""

import numpy as np

FAILS = {
    "publish_full_blocks": "publish-partial",
}


def publish(pool, seq, keys):
    n_full = len(seq["table"])
    for key, block in zip(keys[:n_full], seq["table"]):
        if key not in pool["found_by"]:
            pool["found_by"][key] = block
