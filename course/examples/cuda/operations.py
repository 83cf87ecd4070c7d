"""The operations of the ladder: inputs, what is right, and how each rung is launched.

Owns: OPERATIONS. Must not know: how launches are watched or drawn. What is right comes from
minengine.oracle where the engine has the operation, else from NumPy in float64.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from course.experiments.kernels import Launch
from minengine import oracle

Arrays = dict[str, np.ndarray]
Sizes = tuple[int, ...]
F, I32, EPS = np.float32, np.int32, np.float32(1e-5)
BATCH = 8  # sequences of the product


@dataclass(frozen=True)
class Rung:
    """A step: its file, how it is launched, and the count that it improves on the step before.

    ``falls``: fields of Counts, or "idle", the lanes that do nothing.
    """

    file: str
    launches: Callable[..., list[Launch]]
    falls: tuple[str, ...] = ()


@dataclass(frozen=True)
class Operation:
    """One operation. ``inputs(rng, *sizes)`` makes arrays, with outputs of NaN (or -1) to be
    written; ``want(arrays)`` is what must stand in ``outputs`` afterwards. ``shown``: sizes of the
    table, ``awkward``: no multiples of anything.
    """

    name: str
    title: str
    inputs: Callable[..., Arrays]
    want: Callable[[Arrays], Mapping[str, np.ndarray]]
    shown: Sizes
    awkward: tuple[Sizes, ...]
    rungs: tuple[Rung, ...]
    scratch: tuple[str, ...] = ()  # arrays that the operation would not need

    def least_bytes(self, arrays: Arrays) -> int:
        """Each input read once, each output written once."""
        return sum(a.nbytes for name, a in arrays.items() if name not in self.scratch)


def normal(rng: np.random.Generator, *shape: int) -> np.ndarray:
    return rng.standard_normal(shape).astype(F)


def unwritten(*shape: int) -> np.ndarray:
    return np.full(shape, np.nan, F)


def blocks(n: int, size: int) -> int:
    """How many blocks of a size cover n."""
    return -(-n // size)


# gate: one thread, some numbers -------------------------------------------------------------------


def gate_inputs(rng: np.random.Generator, n: int) -> Arrays:
    return {"g": normal(rng, n), "u": normal(rng, n), "out": unwritten(n)}


def gate_want(a: Arrays) -> Arrays:
    return {"out": oracle.silu(a["g"]) * oracle.f64(a["u"])}


def gate_launch(each: int) -> Callable[[int], list[Launch]]:
    """Threads for n numbers, ``each`` to a thread."""
    arrays = ("g", "u", "out")
    return lambda n: [Launch("gate", blocks(n, 128 * each), 128, (*arrays, I32(n)))]


# transpose: who writes beside whom ----------------------------------------------------------------


def transpose_inputs(rng: np.random.Generator, S: int, E: int) -> Arrays:
    return {"k": normal(rng, S, E), "out": unwritten(E, S)}


def transpose_want(a: Arrays) -> Arrays:
    return {"out": a["k"].T}


def transpose_launch(S: int, E: int) -> list[Launch]:
    args = ("k", "out", I32(S), I32(E))
    return [Launch("transpose", (blocks(E, 32), blocks(S, 32)), (32, 8), args)]


# argmax: a block agrees ---------------------------------------------------------------------------


def argmax_inputs(rng: np.random.Generator, T: int, V: int) -> Arrays:
    logits = np.round(normal(rng, T, V), 1)  # with equals among them
    return {"logits": logits, "out": np.full(T, -1, I32)}


def argmax_want(a: Arrays) -> Arrays:
    return {"out": a["logits"].argmax(-1)}


def argmax_launch(T: int, V: int) -> list[Launch]:
    return [Launch("argmax", T, 256, ("logits", "out", I32(V)))]


# residual and norm: kernels that are one ----------------------------------------------------------


def norm_inputs(rng: np.random.Generator, T: int, D: int) -> Arrays:
    x, r = (normal(rng, T, D) for _ in range(2))
    w, b = (normal(rng, D) for _ in range(2))
    return {"x": x, "r": r, "w": w, "b": b, "y": unwritten(T, D), "out": unwritten(T, D)}


def norm_want(a: Arrays) -> Arrays:
    y = oracle.f64(a["x"]) + a["r"]
    centred = y - y.mean(-1, keepdims=True)
    deviation = np.sqrt((centred**2).mean(-1, keepdims=True) + EPS)
    return {"y": y, "out": centred / deviation * a["w"] + a["b"]}


def norm_steps(T: int, D: int) -> list[Launch]:
    return [
        Launch("add", blocks(T * D, 256), 256, ("x", "r", "y", I32(T * D))),
        Launch("layer_norm", T, 256, ("y", "w", "b", "out", I32(D), EPS)),
    ]


def norm_fused(T: int, D: int) -> list[Launch]:
    return [Launch("add_norm", T, 256, ("x", "r", "w", "b", "y", "out", I32(D), EPS))]


# product: eight sequences, one set of weights -----------------------------------------------------


def product_inputs(rng: np.random.Generator, K: int, N: int) -> Arrays:
    return {"x": normal(rng, BATCH, K), "w": normal(rng, K, N), "out": unwritten(BATCH, N)}


def product_want(a: Arrays) -> Arrays:
    return {"out": oracle.matmul(a["x"], a["w"].T)}


def product_launch(rows: int) -> Callable[[int, int], list[Launch]]:
    """A grid for N columns with so many rows of blocks."""
    args = ("x", "w", "out")
    return lambda K, N: [
        Launch("product", (blocks(N, 128), rows), 128, (*args, I32(K), I32(N)))
    ]  # fmt: skip


# attention: new queries over a cache --------------------------------------------------------------


def attention_inputs(
    rng: np.random.Generator, T: int, S: int, H: int, G: int, E: int
) -> Arrays:  # fmt: skip
    q, k, v = normal(rng, T, H, E), normal(rng, S, G, E), normal(rng, S, G, E)
    return {"q": 2 * q, "k": k, "v": v, "p": unwritten(H, T, S), "out": unwritten(T, H, E)}


def attention_want(a: Arrays) -> Arrays:
    mask = oracle.causal_mask(len(a["q"]), len(a["k"]))
    return {"out": oracle.attention(a["q"], a["k"], a["v"], mask)}


def attention_scores(T: int, S: int, H: int, G: int, E: int) -> list[Launch]:
    sizes = tuple(map(I32, (T, S, H, G, E)))
    return [
        Launch("scores", (blocks(S, 128), T, H), 128, ("q", "k", "p", *sizes)),
        Launch("normalise", (T, H), 32, ("p", *sizes[:2])),
        Launch("mix", (T, H), E, ("p", "v", "out", *sizes)),
    ]


def attention_row(T: int, S: int, H: int, G: int, E: int) -> list[Launch]:
    args = ("q", "k", "v", "out", *map(I32, (T, S, H, G, E)))
    return [Launch("attention", (T, H), 64, args, 4 * S)]


def attention_flash(T: int, S: int, H: int, G: int, E: int) -> list[Launch]:
    args = ("q", "k", "v", "out", *map(I32, (T, S, H, G)))
    return [Launch("attention", (blocks(T, 8), H), (32, 8), args)]


OPERATIONS = (
    Operation(
        "gate", "SwiGLU's gate", gate_inputs, gate_want, (16384,), ((1,), (1003,), (129,)),
        (
            Rung("gate_runs.cu", gate_launch(16)),
            Rung("gate.cu", gate_launch(4), ("moved_bytes",)),
            Rung("gate_vectors.cu", gate_launch(4), ("requests",)),
        ),
    ),
    Operation(
        "transpose", "keys turned over", transpose_inputs, transpose_want, (256, 64),
        ((1, 1), (33, 70), (50, 31)),
        (
            Rung("transpose.cu", transpose_launch),
            Rung("transpose_tile.cu", transpose_launch, ("moved_bytes",)),
            Rung("transpose_padded.cu", transpose_launch, ("bank_conflicts",)),
        ),
    ),
    Operation(
        "argmax", "greedy sampling", argmax_inputs, argmax_want, (8, 4096),
        ((1, 1), (3, 300), (2, 1023)),
        (
            Rung("argmax_interleaved.cu", argmax_launch),
            Rung("argmax_tree.cu", argmax_launch, ("idle", "possible")),
            Rung("argmax_warp.cu", argmax_launch, ("barriers", "shared_requests")),
        ),
    ),
    Operation(
        "norm", "residual and LayerNorm", norm_inputs, norm_want, (32, 1024),
        ((1, 1), (3, 257), (2, 1000)),
        (
            Rung("norm_steps.cu", norm_steps),
            Rung("norm_fused.cu", norm_fused, ("moved_bytes", "launches")),
        ),
    ),
    Operation(
        "product", "eight sequences, one set of weights", product_inputs, product_want, (256, 512),
        ((1, 1), (67, 129), (130, 50)),
        (
            Rung("product_single.cu", product_launch(BATCH)),
            Rung("product_batch.cu", product_launch(1), ("moved_bytes",)),
            Rung("product_shared.cu", product_launch(1), ("moved_bytes",)),
        ),
    ),
    Operation(
        "attention", "new queries over a cache", attention_inputs, attention_want,
        (32, 128, 4, 2, 64), ((1, 1, 1, 1, 64), (5, 37, 4, 2, 64), (9, 9, 2, 1, 64)),
        (
            Rung("attention_scores.cu", attention_scores),
            Rung("attention_row.cu", attention_row, ("moved_bytes", "launches")),
            Rung("attention_flash.cu", attention_flash, ("moved_bytes",)),
        ),
        ("p",),
    ),
)  # fmt: skip
