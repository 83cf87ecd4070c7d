"""The values are not written."""

import numpy as np

FAILS = {
    "ring_step_by_step": "ring-not-written",
    "ring_prefill": "ring-not-written",
    "ring_chunks": "ring-not-written",
}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = (position < sinks) | (position >= n + n_new - window)
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell] = k[stays]
    ring["n"] = n + n_new
