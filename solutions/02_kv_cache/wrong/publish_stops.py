"""It stops at the first block that is findable already."""

import numpy as np

FAILS = {
    "publish_keeps_the_first": "publish-missing",
}


def publish(pool, seq, keys):
    n_full = seq["n"] // pool["block_size"]
    for key, block in zip(keys[:n_full], seq["table"]):
        if key in pool["found_by"]:
            break
        else:
            pool["found_by"][key] = block
