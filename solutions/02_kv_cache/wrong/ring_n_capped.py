"""K23: n is the number of rows held, so positions stop growing."""

import numpy as np

FAILS = {
    "ring_step_by_step": "ring-n-is-the-length",
    "ring_prefill": "ring-n-is-the-length",
    "ring_chunks": "ring-n-is-the-length",
}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = (position < sinks) | (position >= n + n_new - window)
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = min(n + n_new, len(ring["k"]))
