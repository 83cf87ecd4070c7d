"""Gives all rows, those too that nobody wrote."""

import numpy as np

FAILS = {
    "cache_rows": "cache-rows",
    "cache_rewind": "cache-rows",
    "cache_full": "cache-half-full",
    "cache_apart": "cache-rows",
    "model_cached": "wrong-value",
    "decode_work": "fast-but-wrong",
    "tests_catch_running": "tests-miss-bugs",
}


class KVCache:
    """Keys and values of all layers, in memory that is taken once."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        shape = (n_layers, capacity, n_kv_heads, head_width)
        self.k, self.v = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.counts = [0] * n_layers

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """Store T rows after those that a layer has; ValueError, nothing changed, if too many."""
        n = self.counts[layer]
        end = n + len(k)
        if end > self.k.shape[1]:
            raise ValueError(f"{end} tokens, the cache holds {self.k.shape[1]}")
        self.k[layer, n:end], self.v[layer, n:end] = k, v
        self.counts[layer] = end

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values of one layer, (n, G, E) each."""
        n = self.k.shape[1]
        return self.k[layer, :n], self.v[layer, :n]

    def length(self) -> int:
        """How many tokens every layer holds."""
        return min(self.counts)

    def rewind(self, n: int) -> None:
        """Forget all tokens but the first n; ValueError where there are fewer."""
        if not 0 <= n <= self.length():
            raise ValueError(f"rewind to {n}, there are {self.length()}")
        self.counts = [n] * len(self.counts)
