"""K24: the ring goes over the sinks."""

import numpy as np

FAILS = {
    "ring_step_by_step": "ring-sinks-evicted",
    "ring_prefill": "ring-sinks-evicted",
    "ring_chunks": "ring-sinks-evicted",
}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = position >= n + n_new - len(ring["k"])
    position = position[stays]
    cell = position % len(ring["k"])
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = n + n_new
