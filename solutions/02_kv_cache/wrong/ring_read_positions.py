"""K23: positions are counted from 0 again once something was evicted."""

import numpy as np

FAILS = {
    "ring_in_order": "ring-positions-from-length",
}


def ring_read(ring):
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(min(n, sinks))
    position = np.concatenate([first, np.arange(max(sinks, n - window), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    return ring["k"][cell], ring["v"][cell], np.arange(len(position))
