"""minengine as a contestant, and the probes of the machine beside everybody's samples.

    python bench/minengine_speed.py        (started by ``turns.py``)

Options of a job: ``repack``, are the weights copied into strips? A pass is a Batch made of token
ids, then ``graph.forward``: the same work that ``llama_decode`` does for a filled batch.
"""

from __future__ import annotations

import functools
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from clean import machine
from contestant import Job, serve

from minengine import repacking, strips
from minengine.batch import Batch, Piece
from minengine.graph import forward
from minengine.kvcache import BlockPool
from minengine.model import Model, Tensor

PROBE_BYTES = 256_000_000  # several times what caches hold
PROBE_S = 0.02  # a probe of either kind; the median of three
CACHE = "F16"


@functools.lru_cache(maxsize=2)
def model_of(file: str, repack: bool) -> Model:
    model = Model.load(file)
    return repacking.repacked(model, n_threads=2) if repack else model


class Passes:
    """A job of ours: see ``contestant.Run``. A sequence's blocks lie one after the other."""

    def __init__(self, job: Job) -> None:
        self.job, self.model = job, model_of(job.file, job.options.get("repack", True))
        h, size = self.model.hparams, job.block_size
        n = -(-job.length // size)
        self.pool = BlockPool(n * job.n_sequences, size, h.n_layers, h.G, h.E, CACHE)
        self.tables = [list(range(s * n, s * n + n)) for s in range(job.n_sequences)]
        self.ids = job.tokens(h.V)
        for first in range(0, job.depth, 512):
            self.run(first, min(512, job.depth - first))

    def run(self, first: int, n: int, **options) -> None:
        """Tokens first .. first + n - 1 of every sequence in one pass."""
        pieces = [
            Piece(ids[first : first + n], first, table)
            for ids, table in zip(self.ids, self.tables, strict=True)
        ]
        batch = Batch.of(pieces, self.job.block_size)
        how = {"mode": "fast", "n_threads": self.job.threads, **options}
        logits = forward(self.model, batch, self.pool, **how)
        if not np.isfinite(logits[:, 0]).all():
            raise ValueError("logits that are no numbers")

    def cut(self) -> None:
        """Nothing to do: what lies after ``depth`` is not seen and written again."""

    def warm(self, i: int) -> None:
        self.run(self.job.depth + i * self.job.n_warm, self.job.n_warm)

    def step(self, i: int, **options) -> None:
        self.run(self.job.depth + i * self.job.n_tokens, self.job.n_tokens, **options)

    def close(self) -> None:
        del self.pool


def describe(message: dict) -> dict:
    """What a pass must do at least, by the file: bytes of matrices and of a stored token,
    operations a token (the head apart), which windows the layers have, how long a text may be.
    """
    model = model_of(message["file"], False)
    h = model.hparams
    inner = [t for layer in model.layers for t in vars(layer).values() if isinstance(t, Tensor)]
    return {
        "weight_bytes": sum(t.data.nbytes for t in (*inner, model.output)),
        "operations": 2 * sum(t.shape[0] * t.shape[1] for t in inner),
        "head_operations": 2 * model.output.shape[0] * model.output.shape[1],
        "cell_bytes": 2 * h.G * h.E * 2,  # of a layer: key and value, in halves
        "windows": [w or 0 for w in h.windows],
        "context": h.context_length,
        "file_bytes": Path(message["file"]).stat().st_size,
    }


@functools.cache
def memory() -> np.ndarray:
    found = repacking.large_pages(PROBE_BYTES)
    found[:] = 1
    return found


def probe(message: dict) -> dict:
    """Bytes a second from memory and products of 8 bits a second, by the fastest variant."""
    n, variant = message["threads"], next((v for v in strips.runs() if v != "portable"), None)
    if variant is None:
        return {"bandwidth": None, "products": None}
    read = functools.partial(strips.read, memory(), n_threads=n, variant=variant)
    dots = functools.partial(strips.dots, 200_000, n_threads=n, variant=variant)
    # as a sample is timed, see `contestant.sample`
    clock = time.process_time if n == 1 else time.perf_counter
    return {"bandwidth": rate(read, clock), "products": rate(dots, clock)}


def rate(call: Callable[[], float], clock: Callable[[], float]) -> float:
    """What a call returns, a second: the median of three times, each at least PROBE_S / 3."""
    call()
    found = []
    for _ in range(3):
        done, start = 0.0, clock()
        while clock() - start < PROBE_S / 3:
            done += call()
        found.append(done / (clock() - start))
    return statistics.median(found)


if __name__ == "__main__":
    serve(Passes, {"describe": describe, "probe": probe}, machine())
