"""An engine whose parts can be exchanged one by one, and a look at every value inside it.

    engine = PartsEngine(Parts(rope=my_rope))
    seen = trace(engine, engine.tokenize("ROMEO:"))     # "blk.0.q_rope" -> (T, H, E), ...

Everything that is not exchanged is the engine's own: scheduler, cache, sampler, tokenizer. The
forward pass is NumPy in float32, over the same blocks of the same cache, so that a part may be a
Python function; without an exchanged part its logits are those of ``Engine`` but for rounding.
Owns: ``Parts`` (what each part gets and gives), where a part is called. Must not know: which parts
are broken. Read before: ``minengine/oracle.py``, ``graph.pyx``, ``engine.py``.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

import minengine.attention as attention
from minengine import Engine, oracle, spm
from minengine.batch import Batch, Piece
from minengine.cells import Cells
from minengine.draws import Mirostat
from minengine.errors import RequestError
from minengine.formats import FORMATS
from minengine.kvcache import BlockPool
from minengine.memory import Memory
from minengine.penalties import penalties
from minengine.scheduler import Scheduler
from minengine.tokenizer import SPACE, Tokenizer

Array = np.ndarray
F = np.float32


@dataclass(frozen=True)
class Parts:
    """What can be exchanged; None is the engine's own.

    merge(symbols, scores)              the symbols of a text joined: strings -> strings; scores
                                        has what every token of the vocabulary is worth
    dequantize(raw)                     Q8_0: uint8 (rows, row_bytes) -> float32 (rows, n)
    rms_norm(x, weight, eps)            (T, D), (D,) -> (T, D)
    rope(x, positions, frequencies)     (T, heads, E), (T,), (E / 2,) -> (T, heads, E)
    mask(n_queries, n_keys)             -> bool (T, S), true where query t sees key s
    softmax(scores)                     (H, T, S), -inf where nothing is seen -> (H, T, S)
    kv_head(head, n_heads, n_kv_heads)  which key/value head a query head reads
    positions(stored, n_new)            the positions of the stored tokens -> those of the new ones
    gather(rows, table, n, where)       the first n stored rows of a sequence: see ``gather`` below
    block_key(before, tokens)           what a full block is found by, after the block ``before``
    penalize(logits, recent, repeat)    (V,), ids, factor -> (V,)
    next_mu(mu, surprise, tau, eta)     mirostat's bound after a token of so many bits

    A part that has to remember is a class; every engine makes an object of it.
    """

    merge: Callable | None = None
    dequantize: Callable | None = None
    rms_norm: Callable | None = None
    rope: Callable | None = None
    mask: Callable | None = None
    softmax: Callable | None = None
    kv_head: Callable | None = None
    positions: Callable | None = None
    gather: Callable | None = None
    block_key: Callable | None = None
    penalize: Callable | None = None
    next_mu: Callable | None = None

    def get(self, name: str) -> Callable:
        """The part that is exchanged, else what is right."""
        return getattr(self, name) or RIGHT[name]


NAMES = tuple(f.name for f in fields(Parts))


def gather(rows: Array, table: Array, n: int, where: tuple[int, str]) -> Array:
    """The first n stored rows of a sequence -> (n, G, E).

    rows (n_blocks, G, B, E), table the numbers of its blocks, ``where`` (layer, "keys" or
    "values").
    """
    _, G, B, E = rows.shape
    return rows[table[: -(-n // B)]].transpose(0, 2, 1, 3).reshape(-1, G, E)[:n]


RIGHT: dict[str, Callable] = {
    "rms_norm": oracle.rms_norm,
    "rope": lambda x, positions, frequencies: oracle.rope(x, positions, frequencies=frequencies),
    "mask": oracle.causal_mask,
    "softmax": oracle.softmax,
    "kv_head": lambda head, n_heads, n_kv_heads: head // (n_heads // n_kv_heads),
    "positions": lambda stored, n_new: (stored[-1] + 1 if len(stored) else 0) + np.arange(n_new),
    "gather": gather,
    "block_key": lambda before, tokens: (before, tokens),
}


class PartsEngine(Engine):
    """An ``Engine`` with some parts exchanged; options are those of ``Engine``.

    RequestError for a model that is not of the llama architecture or has other formats than Q8_0
    and F32, for that is what the parts are written for.
    """

    def __init__(self, parts: Parts | None = None, *args: Any, **options: Any) -> None:
        super().__init__(*args, **({"mode": "exact"} | options))
        parts = parts or Parts()
        made = {n: p() for n in NAMES if isinstance(p := getattr(parts, n), type)}
        self.parts = replace(parts, **made)
        h = self.model.hparams
        formats = {t.format for t in self.model.file.tensors.values()}
        if h.architecture != "llama" or not formats <= {"Q8_0", "F32"}:
            raise RequestError(
                f"parts are exchanged in llama models of Q8_0 and F32, got {h.architecture} of "
                + ", ".join(sorted(formats))
            )
        self._weights: dict[str, Array] = {}
        if self.parts.merge is not None:
            self.tokenizer = Merging(self.model.file.metadata, self.parts.merge)
        if self.parts.block_key is not None:
            old = self.pool
            self.pool = KeyedPool(
                self.parts.block_key, old.n_blocks, old.block_size, h.n_layers, h.G, h.E,
                old.format.name,
            )  # fmt: skip
            self.scheduler = Scheduler(self.pool, n_batch=self.scheduler.n_batch)
            self.memory = Memory(self.scheduler, self.model, self.context)

    def sequence(self, *args: Any, **options: Any) -> Any:
        """As ``Engine.sequence``; its chain has this engine's penalties and mirostat."""
        found = super().sequence(*args, **options)
        chain = found.chain
        if self.parts.penalize is not None:
            chain.steps = tuple(
                replace(step, apply=self._penalties) if step.name == "penalties" else step
                for step in chain.steps
            )
        if self.parts.next_mu is not None and isinstance(chain._end, Mirostat):
            end = chain._end
            chain._end = Bounded(end.version, end.tau, end.eta)
            chain._end.part = self.parts.next_mu
        return found

    def _penalties(self, c: Any, chain: Any, last_n: int, repeat: float, *others: float) -> Any:
        recent = chain.history[-last_n:] if last_n > 0 else []
        if recent and repeat != 1:
            c = c.weigh(np.asarray(self.parts.penalize(c.logits.copy(), recent, repeat), F))
        return penalties(c, chain.history, last_n, 1.0, *others)

    def _forward(
        self, batch: Batch, *, pool: BlockPool | None = None, mass: Array | None = None,
        hidden: bool = False, record: dict[str, Array] | None = None,
    ) -> Array:  # fmt: skip
        if mass is not None:
            raise RequestError("h2o: an engine of exchanged parts counts no attention")
        return Pass(self, batch, pool or self.pool, {} if record is None else record).run(hidden)

    def weight(self, name: str) -> Array:
        """A tensor of the file, float32, dequantized once."""
        if name not in self._weights:
            info = self.model.file.tensors[name]
            raw = info.data.reshape(info.shape[0] if len(info.shape) > 1 else 1, -1)
            read = FORMATS[info.format].dequantize
            if info.format == "Q8_0" and self.parts.dequantize is not None:
                read = self.parts.dequantize
            self._weights[name] = np.asarray(read(np.array(raw)), F).reshape(info.shape)
        return self._weights[name]


class Pass:
    """One forward pass; ``record`` gets every value by name."""

    def __init__(
        self, engine: PartsEngine, batch: Batch, pool: BlockPool, record: dict[str, Array]
    ) -> None:
        self.engine, self.batch, self.pool, self.record = engine, batch, pool, record
        self.h, self.part = engine.model.hparams, engine.parts.get
        self.positions = np.concatenate([self.positions_of(s) for s in self.sequences()])

    def sequences(self) -> Iterable[int]:
        return range(len(self.batch.block_tables))

    def positions_of(self, s: int) -> Array:
        """The positions of the tokens that sequence s puts into this pass."""
        lengths = self.batch.lengths[self.batch.sequences == s]
        n_new, n_stored = len(lengths), int(lengths[0]) - 1
        keys = self.batch.key_positions
        stored = np.arange(n_stored) if keys is None else keys[s][:n_stored]
        return np.asarray(self.part("positions")(stored, n_new), np.int64)

    def run(self, hidden: bool) -> Array:
        """Logits of the wanted rows (R, V), or what the head reads (R, D)."""
        embedding = self.engine.weight("token_embd.weight")
        x = self.seen("embed", embedding[self.batch.tokens])
        for i in range(self.h.n_layers):
            x = self.seen(f"blk.{i}.after_attention", x + self.attention(x, f"blk.{i}.", i))
            x = self.seen(f"blk.{i}.after_ffn", x + self.feed_forward(x, f"blk.{i}."))
        x = self.norm(x[self.batch.rows], "output_norm")
        if hidden:
            return np.ascontiguousarray(x)
        head = "output.weight" if "output.weight" in self.engine.model.file.tensors else None
        return self.seen("logits", self.product(x, head or "token_embd.weight"))

    def attention(self, x: Array, p: str, i: int) -> Array:
        """(T, D) -> (T, D), with the keys and values of these tokens put into the cache."""
        h, n_tokens, cache = self.h, len(x), self.pool
        normed = self.norm(x, f"{p}attn_norm")
        q, k, v = (self.product(normed, f"{p}attn_{name}.weight") for name in "qkv")
        frequencies = self.engine.model.rotations[i].frequencies
        q, k = (
            self.seen(
                f"{p}{name}_rope",
                self.part("rope")(y.reshape(n_tokens, -1, h.E), self.positions, frequencies),
            )
            for name, y in (("q", q), ("k", k))
        )
        rows = (np.ascontiguousarray(y.reshape(n_tokens, -1)) for y in (k, v))
        attention.store_kv(*rows, self.batch.slots, cache.format, cache.keys[i], cache.values[i])
        out = np.empty((n_tokens, h.H * h.E), F)
        for s in self.sequences():
            mine = np.flatnonzero(self.batch.sequences == s)
            out[mine] = self.heads(q[mine], s, i, int(self.batch.lengths[mine[-1]]))
        return self.product(self.seen(f"{p}attended", out), f"{p}attn_output.weight")

    def heads(self, q: Array, s: int, i: int, n_keys: int) -> Array:
        """What the heads of one sequence gather: (T, H, E) -> (T, H E)."""
        h, table = self.h, self.batch.block_tables[s]
        stored = {"keys": self.pool.keys[i], "values": self.pool.values[i]}
        k, v = (
            self.part("gather")(self.pool.format.dequantize(rows), table, n_keys, (i, name))
            for name, rows in stored.items()
        )
        group = [self.part("kv_head")(n, h.H, h.G) for n in range(h.H)]
        scores = np.einsum("the,she->hts", q, k[:, group]) / np.sqrt(F(h.E))
        mask = np.asarray(self.part("mask")(len(q), n_keys), bool)
        weights = self.part("softmax")(np.where(mask, scores, F(-np.inf)))
        self.seen(f"blk.{i}.weights", np.asarray(weights, F))
        return np.einsum("hts,she->the", weights, v[:, group]).reshape(len(q), -1)

    def feed_forward(self, x: Array, p: str) -> Array:
        normed = self.norm(x, f"{p}ffn_norm")
        gate, up = (self.product(normed, f"{p}ffn_{name}.weight") for name in ("gate", "up"))
        return self.product(oracle.silu(gate) * up, f"{p}ffn_down.weight")

    def norm(self, x: Array, name: str) -> Array:
        weight = self.engine.weight(f"{name}.weight").reshape(-1)
        return self.seen(name, self.part("rms_norm")(x, weight, self.h.eps))

    def product(self, x: Array, name: str) -> Array:
        y = np.asarray(x, F) @ self.engine.weight(name).T
        return self.seen(name.removesuffix(".weight"), y)

    def seen(self, name: str, value: Array) -> Array:
        """Float32, noted under its name."""
        self.record[name] = np.asarray(value, F)
        return self.record[name]


def trace(
    engine: PartsEngine, ids: Iterable[int], *, chunks: Iterable[int] | None = None
) -> dict[str, Array]:
    """Every value of a pass by name, in the order they come to be.

    ``chunks`` cuts the tokens into passes, say (10, 1) for a prompt of ten and one step of
    decoding; what is given is the last of them.
    """
    ids, h, at = engine.checked(list(ids)), engine.model.hparams, 0
    cells = Cells(BlockPool(-(-len(ids) // 32) or 1, 32, h.n_layers, h.G, h.E))
    record: dict[str, Array] = {}
    for n in [len(ids)] if chunks is None else chunks:
        cells.room(n)
        record = {}
        piece = Piece(ids[at : at + n], at, cells.table)
        batch = Batch.of([piece], 32, all_logits=True)
        engine._forward(batch, pool=cells.pool, record=record)
        cells.wrote(n)
        at += n
    return record


class Merging(Tokenizer):
    """The tokenizer of a file with another way to join symbols."""

    def __init__(self, metadata: Mapping[str, Any], merge: Callable) -> None:
        super().__init__(metadata)
        self._merge = merge
        texts = [text.decode("utf-8", "replace") for text in self.texts]
        self._scores = dict(zip(texts, self.scores, strict=True))

    def segment(self, text: bytes) -> list[int]:
        space = SPACE if self.add_space_prefix else b""
        text = space + text.replace(b" ", SPACE)
        starts = [*spm.characters(text), len(text)]
        symbols = [text[a:b].decode("utf-8", "replace") for a, b in itertools.pairwise(starts)]
        out: list[int] = []
        for piece in self._merge(symbols, self._scores):
            raw = piece.encode()
            known = self.ids.get(raw)
            out += [known] if known is not None else [self.byte_ids[b] for b in raw]
        return [i for i in out if i is not None]


class KeyedPool(BlockPool):
    """A pool whose full blocks are found by what ``block_key`` says."""

    def __init__(self, block_key: Callable, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._prefixes = Keyed(block_key)


class Keyed(dict):
    """A dictionary over (block before, tokens) that looks there through a function."""

    def __init__(self, key: Callable) -> None:
        super().__init__()
        self._key = key

    def get(self, key: tuple, default: Any = None) -> Any:
        return super().get(self._key(*key), default)

    def __getitem__(self, key: tuple) -> Any:
        return super().__getitem__(self._key(*key))

    def __setitem__(self, key: tuple, value: Any) -> None:
        super().__setitem__(self._key(*key), value)

    def __delitem__(self, key: tuple) -> None:
        super().pop(self._key(*key), None)


class Bounded(Mirostat):
    """Mirostat whose bound moves as a part says."""

    part: Callable | None = None

    def learn(self) -> None:
        surprise = -float(np.log2(max(self.drawn, 1e-45)))
        self.mu = float(self.part(self.mu, surprise, self.tau, self.eta))
