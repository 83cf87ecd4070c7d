"""The shipped reference of speed: the arithmetic of a forward pass in plain NumPy, on noise.

The products, sums and softmaxes of a llama of given sizes, in the shapes and the number of calls
that a straightforward NumPy engine needs, on random numbers: no file, no rotation, no cache to get
right, so nothing can be copied from it. A submission's processor time is compared with its own in
the same sandbox, in a process of its own. It is sent there as text. Must not know: anything.
"""

import numpy as np


class Yardstick:
    """Random matrices of the sizes n (L, D, H, G, E, F, V), and room for the keys of S tokens."""

    def __init__(self, n: dict, S: int) -> None:
        rng = np.random.default_rng(0)
        self.n = n

        def noise(*shape: int) -> np.ndarray:
            return rng.standard_normal(shape, np.float32) / np.float32(shape[-1] ** 0.5)

        q_width, kv_width = n["H"] * n["E"], n["G"] * n["E"]
        shapes = [(q_width, n["D"]), (kv_width, n["D"]), (kv_width, n["D"]), (n["D"], q_width),
                  (n["F"], n["D"]), (n["F"], n["D"]), (n["D"], n["F"])]  # fmt: skip
        self.layers = [[noise(*s) for s in shapes] for _ in range(n["L"])]
        self.keys = noise(n["L"], 2, S, n["G"], n["E"])
        self.head = noise(n["V"], n["D"])

    def passes(self, starts: list, n_new: int) -> float:
        """A pass of n_new tokens at each of these positions."""
        total = 0.0
        for start in starts:
            total += float(self.one(start, n_new)[-1, 0])
        return total

    def one(self, start: int, n_new: int) -> np.ndarray:
        """One pass: (n_new, V)."""
        n, end = self.n, start + n_new
        x = self.head[np.arange(n_new) % n["V"]]
        for layer, stored in zip(self.layers, self.keys, strict=True):
            a, b, c, d, gate, up, down = layer
            h = self.scaled(x)
            q = self.halves((h @ a.T).reshape(n_new, n["H"], n["E"]))
            stored[0, start:end] = self.halves((h @ b.T).reshape(n_new, n["G"], n["E"]))
            stored[1, start:end] = (h @ c.T).reshape(n_new, n["G"], n["E"])
            q = q.reshape(n_new, n["G"], -1, n["E"]).transpose(1, 2, 0, 3)
            scores = q.reshape(n["G"], -1, n["E"]) @ stored[0, :end].transpose(1, 2, 0)
            scores = np.where(scores < 9, scores, -9)
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            mixed = scores @ stored[1, :end].transpose(1, 0, 2)
            mixed = mixed.reshape(n["H"], n_new, n["E"]).transpose(1, 0, 2)
            x = x + mixed.reshape(n_new, -1) @ d.T
            h = self.scaled(x)
            g = h @ gate.T
            x = x + (g / (1 + np.exp(-np.abs(g))) * (h @ up.T)) @ down.T
        return self.scaled(x) @ self.head.T

    def scaled(self, x: np.ndarray) -> np.ndarray:
        """Rows of one length."""
        return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-5)

    def halves(self, x: np.ndarray) -> np.ndarray:
        """As many products as a rotation takes."""
        turned = np.empty_like(x)
        even, odd = x[..., 0::2], x[..., 1::2]
        turned[..., 0::2] = even * 0.6 - odd * 0.8
        turned[..., 1::2] = even * 0.8 + odd * 0.6
        return turned
