"""K24: the last rows come back, the sinks do not."""

import numpy as np

FAILS = {
    "ring_in_order": "ring-sinks-evicted",
}


def ring_read(ring):
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(0)
    position = np.concatenate([first, np.arange(max(0, n - len(ring["k"])), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    return ring["k"][cell], ring["v"][cell], position
