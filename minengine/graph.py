"""The graph: one forward pass for prefill and decode, one sequence or many, and every architecture.

Owns: the order of the operations, and Batch, what a forward pass is asked to do. Must not know:
where weights come from, who asked, how a token is chosen. Read before: `oracle.py` (layer,
forward), `ops.pyx`, `attention.pyx`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

import minengine.attention as attention
import minengine.ops as ops
import minengine.strips as strips
from minengine.errors import RequestError
from minengine.hparams import Hparams
from minengine.kvcache import BlockPool
from minengine.model import Model, Tensor


class Piece(NamedTuple):
    """What one sequence puts into a batch: tokens, how many of its tokens are in the cache already,
    its block table.

    ``positions`` are those of its stored tokens where they are not 0, 1, 2, ...; logits are wanted
    of the last ``n_rows`` tokens.
    """

    tokens: Sequence[int]
    start: int
    table: Sequence[int]
    positions: np.ndarray | None = None
    n_rows: int = 1


@dataclass(frozen=True, eq=False)
class Batch:
    """T tokens of N sequences to compute in one pass; all arrays int32.

    A sequence's tokens may come in any number of pieces; keys and values of earlier tokens are in
    the cache.
    """

    tokens: np.ndarray  # (T,)
    positions: np.ndarray  # (T,) in its sequence: the angle of its rotation
    slots: np.ndarray  # (T,) where its key and value go: block * B + offset
    sequences: np.ndarray  # (T,) which row of block_tables is its sequence's
    block_tables: np.ndarray  # (N, M), -1 where a sequence has no further block
    lengths: np.ndarray  # (T,) how many keys of its sequence it sees, its own included
    rows: np.ndarray  # (R,) the tokens whose logits are wanted
    # where positions have holes: of each sequence, the positions of its stored keys, increasing
    key_positions: tuple[np.ndarray, ...] | None = None

    def starts(self, window: int) -> np.ndarray:
        """The first key that each token sees through a window of so many positions: int32 (T,)."""
        least = np.maximum(self.positions - (window - 1), 0)
        if self.key_positions is None:
            return least
        found = (
            np.searchsorted(self.key_positions[s], p)
            for s, p in zip(self.sequences, least, strict=True)
        )
        return np.fromiter(found, np.int32, len(least))

    @classmethod
    def of(
        cls, pieces: Iterable[Piece | tuple], block_size: int, *, all_logits: bool = False
    ) -> Batch:
        """A batch of pieces; ``all_logits`` wants the logits of all their tokens.

        RequestError where a piece is empty or its table too short.
        """
        tokens, positions, slots, lengths, sequences, rows, tables = [], [], [], [], [], [], []
        keys, holes = [], False
        for n, (ids, start, table, at, n_rows) in enumerate(Piece(*p) for p in pieces):
            end = start + len(ids)
            if not len(ids) or start < 0 or end > len(table) * block_size:
                raise RequestError(
                    f"sequence {n}: tokens {start} .. {end} in {len(table)} blocks of {block_size}"
                )
            first = start if at is None or not start else int(at[-1]) + 1
            tokens += ids
            positions += range(first, first + len(ids))
            lengths += range(start + 1, end + 1)
            slots += [
                table[j // block_size] * block_size + j % block_size for j in range(start, end)
            ]
            sequences += [n] * len(ids)
            rows += range(len(tokens) - (len(ids) if all_logits else n_rows), len(tokens))
            tables.append(table)
            new = np.arange(first, first + len(ids), dtype=np.int32)
            keys.append(
                np.concatenate([np.arange(start, dtype=np.int32) if at is None else at, new])
            )
            holes = holes or at is not None
        block_tables = np.full((len(tables), max(map(len, tables), default=0)), -1, np.int32)
        for n, table in enumerate(tables):
            block_tables[n, : len(table)] = table
        arrays = (np.array(a, np.int32) for a in (tokens, positions, slots, sequences))
        more = (np.array(a, np.int32) for a in (lengths, rows))
        return cls(*arrays, block_tables, *more, tuple(keys) if holes else None)


MODES = ("exact", "fast")


@dataclass(frozen=True)
class How:
    """The arithmetic of the products, and on how many threads."""

    mode: str
    n_threads: int

    def __post_init__(self) -> None:
        if self.mode not in MODES:
            raise RequestError(f"mode: got {self.mode!r}, want {' or '.join(MODES)}")


def forward(
    model: Model,
    batch: Batch,
    cache: BlockPool,
    *,
    mode: str = "exact",
    n_threads: int = 1,
    mass: np.ndarray | None = None,
    hidden: bool = False,
) -> np.ndarray:
    """Logits of the wanted tokens: float32 (R, V). Their keys and values are in the cache
    afterwards.

        x = embed(tokens)
        per layer:  x += Wo attention(rope(Wq h), rope(Wk h), Wv h), h = rms_norm(x)
                    x += Wd (silu(Wg h) * (Wu h)),                  h = rms_norm(x)
        logits = head(rms_norm(x))

    ``mode`` "exact" multiplies weights by float32 activations, "fast" by activations rounded to 8
    bits. ``hidden`` gives what the head reads in place of logits: float32 (R, D). An architecture's
    row adds norms, scales, caps and windows to that. ``mass`` float32 (T, longest length) gets what
    each token looked at: the attention it pays to each key of its sequence, added up over layers
    and heads. A token's logits are the same bits however the tokens are cut into batches and
    however many threads compute them. RequestError where a token is outside the vocabulary or the
    cache was made for another model.
    """
    h, how = model.hparams, How(mode, n_threads)
    _check(model, batch, cache)
    x = np.empty((len(batch.tokens), h.D), np.float32)
    ops.embed(model.token_embd.data, model.token_embd.format, batch.tokens, x)
    _scale(x, h.embedding_scale)
    turns = {r: r.angles(batch.positions) for r in set(model.rotations) if r is not None}
    for i, layer in enumerate(model.layers):
        attended = _attention(model, i, x, batch, cache, turns.get(model.rotations[i]), how, mass)
        if i == h.n_layers - 1:  # of the other tokens nothing but keys and values is needed
            x, attended = x[batch.rows], attended[batch.rows]
        out = np.empty_like(x)
        _products(attended, (layer.attn_output,), (out,), how)
        _add(x, out, layer.post_attention_norm, h)
        normed = _norm(x, layer.ffn_norm, h.eps)
        _feed_forward(normed, layer, model.arch.gate, out, how)
        _add(x, out, layer.post_ffw_norm, h)
    normed = _norm(x, model.output_norm, h.eps)
    if hidden:
        return normed
    logits = np.empty((len(x), h.V), np.float32)
    _products(normed, (model.output,), (logits,), how)
    _scale(logits, 1 / h.logit_scale)
    if h.final_softcap:
        ops.softcap(logits, h.final_softcap)
    return logits


def _attention(
    model: Model, i: int, x: np.ndarray, batch: Batch, cache: BlockPool, turn, how: How, mass
) -> np.ndarray:
    """What the heads of layer i gather for each token, before Wo: (T, D) -> (T, H E).

    ``turn`` has the cosines and sines of the layer's rotation, None where it has none.
    """
    h, layer, n_tokens = model.hparams, model.layers[i], len(x)
    q, k, v = (np.empty((n_tokens, n * h.E), np.float32) for n in (h.H, h.G, h.G))
    normed = _norm(x, layer.attn_norm, h.eps)
    _products(normed, (layer.attn_q, layer.attn_k, layer.attn_v), (q, k, v), how)
    for y, norm, n_heads in ((q, layer.attn_q_norm, h.H), (k, layer.attn_k_norm, h.G)):
        if norm is not None:  # over each head or over the whole row, as wide as the norm's weight
            rows = y.reshape(-1, len(norm))
            ops.rms_norm(rows, norm, h.eps, rows)
        if turn is not None:
            ops.rope(y, *turn, n_heads, model.arch.pairing)
    keys, values, window = cache.keys[i], cache.values[i], h.windows[i]
    attention.store_kv(k, v, batch.slots, cache.format, keys, values, n_threads=how.n_threads)
    where = (batch.sequences, batch.block_tables, batch.lengths, h.H)
    options = {
        "starts": batch.starts(window) if window else None, "scale": h.attention_scale,
        "softcap": h.attention_softcap, "n_threads": how.n_threads,
    }  # fmt: skip
    if mass is not None:
        attention.add_mass(q, keys, cache.format, *where, np.empty_like(mass), mass, **options)
    out = np.empty_like(q)
    attention.attend(q, keys, values, cache.format, *where, out, **options)
    return out


def _feed_forward(x: np.ndarray, layer, gate_name: str, out: np.ndarray, how: How) -> None:
    """``out = (silu(x Wg^T) * (x Wu^T)) Wd^T``, or gelu for silu: (T, D) -> (T, D)."""
    gate, up = np.empty((2, len(x), layer.ffn_gate.shape[0]), np.float32)
    _products(x, (layer.ffn_gate, layer.ffn_up), (gate, up), how)
    GATES[gate_name](gate, up, gate, n_threads=how.n_threads)
    _products(gate, (layer.ffn_down,), (out,), how)


GATES = {"silu": ops.silu_mul, "gelu": ops.gelu_mul}


def _norm(x: np.ndarray, weight: np.ndarray | None, eps: float) -> np.ndarray:
    """rms_norm(x), or x itself where the architecture has no norm at this place."""
    if weight is None:
        return x
    out = np.empty_like(x)
    ops.rms_norm(x, weight, eps, out)
    return out


def _add(x: np.ndarray, y: np.ndarray, norm: np.ndarray | None, h: Hparams) -> None:
    """The residual connection, in place: ``x += scale * y``, y normed first where a norm is."""
    if norm is not None:
        ops.rms_norm(y, norm, h.eps, y)
    _scale(y, h.residual_scale)
    ops.add(x, y)


def _scale(x: np.ndarray, factor: float) -> None:
    if factor != 1:
        ops.scale(x, factor)


def _products(
    x: np.ndarray, weights: Iterable[Tensor], outs: Iterable[np.ndarray], how: How
) -> None:
    """``out = x weight^T + bias`` for every matrix that reads the same activations.

    In fast mode these are rounded once for all of them (`strips.pyx`); float formats stay exact.
    """
    rounded = None
    for weight, out in zip(weights, outs, strict=True):
        if how.mode == "fast" and weight.format.has_codes:
            if rounded is None:
                rounded = strips.rounded(x, n_threads=how.n_threads)
            copied = weight.strips is not None
            strips.matmul(
                rounded, weight.strips if copied else weight.data, weight.format, out,
                interleaved=copied, n_threads=how.n_threads,
            )  # fmt: skip
        else:
            ops.matmul(x, weight.data, weight.format, out, n_threads=how.n_threads)
        if weight.bias is not None:
            ops.add_bias(out, weight.bias)


def _check(model: Model, batch: Batch, cache: BlockPool) -> None:
    h = model.hparams
    want = (h.n_layers, h.G, cache.format.row_bytes(h.E))
    got = (cache.keys.shape[0], cache.keys.shape[2], cache.keys.shape[4])
    if got != want:
        raise RequestError(f"cache of (layers, heads, row bytes) {got}, the model wants {want}")
    bad = np.flatnonzero((batch.tokens < 0) | (batch.tokens >= h.V))
    if bad.size:
        raise RequestError(f"token {batch.tokens[bad[0]]} at {bad[0]}, want 0 .. {h.V - 1}")
