"""K19: the ring has one cell less."""

import numpy as np

FAILS = {
    "ring_step_by_step": "ring-window-short",
    "ring_prefill": "ring-window-short",
    "ring_chunks": "ring-window-short",
}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks - 1
    position = np.arange(n, n + n_new)
    stays = (position < sinks) | (position >= n + n_new - window)
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = n + n_new
