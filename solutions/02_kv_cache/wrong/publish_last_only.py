"""The last full block alone is published: its beginning is never found."""

import numpy as np

FAILS = {
    "publish_full_blocks": "publish-missing",
    "publish_keeps_the_first": "publish-missing",
}


def publish(pool, seq, keys):
    n_full = seq["n"] // pool["block_size"]
    for key, block in list(zip(keys[:n_full], seq["table"]))[-1:]:
        if key not in pool["found_by"]:
            pool["found_by"][key] = block
