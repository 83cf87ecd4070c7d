"""The blocks are handed out and counted for nobody."""

import numpy as np

FAILS = {
    "allocate_values": "alloc-uncounted",
    "append_fills": "parts-first",
    "append_at_the_edges": "parts-first",
    "append_copies_on_write": "parts-first",
    "append_copies_no_more": "parts-first",
    "append_withdraws": "parts-first",
    "cache_trace": "parts-first",
    "cache_gives_the_text": "parts-first",
    "cache_of_many": "parts-first",
}


def allocate(pool, n):
    refs, cached, found_by = pool["refs"], pool["cached"], pool["found_by"]
    unused = [b for b, count in enumerate(refs) if count == 0 and b not in cached]
    if n > len(unused) + len(cached):
        return None
    victims = cached[: max(0, n - len(unused))]
    del cached[: len(victims)]
    for key in [key for key, block in found_by.items() if block in victims]:
        del found_by[key]
    blocks = (unused + victims)[:n]
    return blocks
