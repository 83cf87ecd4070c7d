"""K19: the window has one row less."""

import numpy as np

FAILS = {
    "ring_in_order": "ring-window-short",
}


def ring_read(ring):
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(min(n, sinks))
    position = np.concatenate([first, np.arange(max(sinks, n - window + 1), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    return ring["k"][cell], ring["v"][cell], position
