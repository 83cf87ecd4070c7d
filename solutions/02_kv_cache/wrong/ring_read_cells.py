"""The rows come in the order of the cells, not of the text."""

import numpy as np

FAILS = {
    "ring_in_order": "ring-order-of-cells",
}


def ring_read(ring):
    n, sinks = ring["n"], ring["n_sinks"]
    window = len(ring["k"]) - sinks
    first = np.arange(min(n, sinks))
    position = np.concatenate([first, np.arange(max(sinks, n - window), n)])
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    cell, position = np.sort(cell), position[np.argsort(cell)]
    return ring["k"][cell], ring["v"][cell], position
