"""K20: cells that nothing was written to come back too."""

import numpy as np

FAILS = {
    "ring_in_order": "ring-unwritten-cells",
}


def ring_read(ring):
    size = len(ring["k"])
    if ring["n"] < size:
        return ring["k"].copy(), ring["v"].copy(), np.arange(size)
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(min(n, sinks))
    position = np.concatenate([first, np.arange(max(sinks, n - window), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    return ring["k"][cell], ring["v"][cell], position
