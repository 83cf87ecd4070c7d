"""K21: of a prompt longer than the ring the first rows are kept."""

import numpy as np

FAILS = {
    "ring_prefill": "ring-prompt-cut",
}


def ring_append(ring, k, v):
    n, sinks = ring["n"], ring["n_sinks"]
    n_all, n_new = len(k), min(len(k), len(ring["k"]))
    k, v = k[:n_new], v[:n_new]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = (position < sinks) | (position >= n + n_new - window)
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = n + n_all
