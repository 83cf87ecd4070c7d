"""K21: of a long prompt the last rows are kept, the sinks are not."""

import numpy as np

FAILS = {
    "ring_prefill": "ring-prompt-without-sinks",
}


def ring_append(ring, k, v):
    n, n_new, sinks = ring["n"], len(k), ring["n_sinks"]
    window = len(ring["k"]) - sinks
    position = np.arange(n, n + n_new)
    stays = position >= n + n_new - window
    position = position[stays]
    cell = np.where(position < sinks, position, sinks + (position - sinks) % window)
    ring["k"][cell], ring["v"][cell] = k[stays], v[stays]
    ring["n"] = n + n_new
