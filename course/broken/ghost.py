"""The stored keys or values of a sequence, out of the blocks they lie in.

To gather all of them anew for every token is slow, so what was gathered before is kept. An object
of the class serves one engine.
"""

from __future__ import annotations

import numpy as np


class gather:  # noqa: N801 - it is called like the function it stands for
    """``gather(rows, table, n, where)``: the first n rows of a sequence -> (n, G, E).

    rows (n_blocks, G, B, E), table the numbers of its blocks, ``where`` (layer, "keys" or
    "values").
    """

    def __init__(self) -> None:
        self.kept: dict[tuple, np.ndarray] = {}

    def __call__(
        self, rows: np.ndarray, table: np.ndarray, n: int, where: tuple[int, str]
    ) -> np.ndarray:
        B, key = rows.shape[2], (*where, int(table[0]))
        known = self.kept.get(key, np.empty((0, rows.shape[1], rows.shape[3]), rows.dtype))
        new = np.arange(len(known), n)
        known = np.concatenate([known, rows[table[new // B], :, new % B]])
        self.kept[key] = known
        return known[:n]
