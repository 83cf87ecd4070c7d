"""GGUF files in memory: whole ones, broken ones, and random models, for the checks to hand over.

Owns: the bytes (`pack`), what a random model is made of (`random_model`), its logits by the
oracle. Must not know: students, points. Read before: the handout's first two tasks;
minengine/oracle_models.py, which says what such a file means.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from minengine import arch, formats, gguf, oracle_models
from minengine.engine import packaged_model

Array = np.ndarray
F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8
LABELS = {F32: "F32", F16: "F16", Q4_0: "Q4_0", Q8_0: "Q8_0"}
BLOCKS = {F32: (1, 4), F16: (1, 2), Q4_0: (32, 18), Q8_0: (32, 34)}
CODES = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U32, FLOAT, TEXT, LIST = 4, 6, 8, 9


@dataclass(frozen=True)
class Tensor:
    """A tensor as the file has it: ``shape`` is NumPy's, (rows, in); ``raw`` its blocks."""

    kind: int
    shape: tuple[int, ...]
    raw: bytes

    @property
    def values(self) -> Array:
        """The numbers, float32 of this shape."""
        blocks = np.frombuffer(self.raw, np.uint8)
        flat = formats.FORMATS[LABELS[self.kind]].dequantize(blocks)
        return np.asarray(flat).reshape(self.shape)


@dataclass(frozen=True)
class Layout:
    """What `pack` writes besides pairs and tensors; every field but the last two may be wrong.

    ``ne`` and ``kinds`` replace sizes and kinds in the directory, ``shift`` is added to offsets,
    all by name; ``cut`` bytes are missing at the end.
    """

    magic: bytes = b"GGUF"
    version: int = 3
    alignment: int = 32
    n_tensors: int | None = None
    n_pairs: int | None = None
    ne: Mapping[str, Sequence[int]] = field(default_factory=dict)
    kinds: Mapping[str, int] = field(default_factory=dict)
    shift: Mapping[str, int] = field(default_factory=dict)
    cut: int = 0
    filler: bytes = b"\0"


def pack(
    pairs: Sequence[tuple[str, int, Any]],
    tensors: Sequence[tuple[str, Tensor]],
    layout: Layout | None = None,
) -> bytes:
    """The bytes of a GGUF file: pairs (key, type, value), a list as (key, LIST, (type, values))."""
    how = layout or Layout()
    n_tensors = len(tensors) if how.n_tensors is None else how.n_tensors
    n_pairs = len(pairs) if how.n_pairs is None else how.n_pairs
    head = [how.magic, struct.pack("<IQQ", how.version, n_tensors, n_pairs)]
    head += [_text(key) + struct.pack("<I", kind) + _value(kind, v) for key, kind, v in pairs]
    offset, body = 0, b""
    for name, one in tensors:
        ne = how.ne.get(name, one.shape[::-1])
        head.append(_text(name) + struct.pack(f"<I{len(ne)}q", len(ne), *ne))
        kind = how.kinds.get(name, one.kind)
        head.append(struct.pack("<IQ", kind, offset + how.shift.get(name, 0)))
        body += one.raw + how.filler * (-len(one.raw) % how.alignment)
        offset = len(body)
    start = b"".join(head)
    whole = start + how.filler * (-len(start) % how.alignment) + body
    return whole[: len(whole) - how.cut]


def _text(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _value(kind: int, value: Any) -> bytes:
    if kind == TEXT:
        return _text(value)
    if kind == LIST:
        inner, values = value
        return struct.pack("<IQ", inner, len(values)) + b"".join(_value(inner, v) for v in values)
    return struct.pack("<" + CODES[kind], value) if kind in CODES else b"\0" * 8


def tensor(rng: np.random.Generator, kind: int, shape: tuple[int, ...], scale: float = 1.0):
    """A tensor of normal numbers; quantized by the engine's own function."""
    values = (scale * rng.standard_normal(shape)).astype(np.float32)
    return quantized(kind, values)


def quantized(kind: int, values: Array) -> Tensor:
    """These numbers in a format."""
    raw = np.asarray(formats.FORMATS[LABELS[kind]].quantize(values.reshape(-1)))
    return Tensor(kind, values.shape, raw.tobytes())


# Models ------------------------------------------------------------------------------------------

SIZES = {"L": 2, "D": 32, "H": 4, "G": 2, "E": 8, "F": 64, "V": 40}
KEYS = {
    "L": "block_count", "D": "embedding_length", "H": "attention.head_count",
    "G": "attention.head_count_kv", "E": "attention.key_length", "F": "feed_forward_length",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Made:
    """A random llama: its file, and what is in it."""

    data: bytes
    metadata: Mapping[str, Any]
    weights: Mapping[str, Array]
    n: Mapping[str, int]

    @property
    def eps(self) -> float:
        return float(self.metadata["llama.attention.layer_norm_rms_epsilon"])

    @property
    def base(self) -> float:
        return float(self.metadata.get("llama.rope.freq_base", 10000.0))

    def logits(self, tokens: Sequence[int]) -> Array:
        """(T, V) in float64 by `minengine.oracle_models`: what is right."""
        row = arch.ARCHITECTURES["llama"]
        return oracle_models.forward(row, self.metadata, self.weights, np.asarray(tokens))

    def tokens(self, rng: np.random.Generator, n: int) -> list[int]:
        return rng.integers(0, self.n["V"], n).tolist()


def random_model(
    rng: np.random.Generator,
    *,
    kind: int = F32,
    tied: bool = True,
    eps: float = 1e-5,
    base: float | None = 500.0,
    leave_out: Sequence[str] = (),
    change: Layout | None = None,
    scale: float = 1.0,
    **sizes: int,
) -> Made:
    """A llama of random weights, variance 1 / width, its norms around 1.

    ``leave_out`` are sizes ("G", "E") that the file does not say and a reader has to know the
    default of; with ``base`` None it says none either. ``scale`` multiplies the embedding.
    """
    n = SIZES | sizes
    if "E" in leave_out:
        n["E"] = n["D"] // n["H"]
    if "G" in leave_out:
        n["G"] = n["H"]
    pairs = [("general.architecture", TEXT, "llama")]
    pairs += [(f"llama.{KEYS[s]}", U32, n[s]) for s in KEYS if s not in leave_out]
    pairs += [("llama.attention.layer_norm_rms_epsilon", FLOAT, eps)]
    pairs += [("llama.rope.freq_base", FLOAT, base)] if base is not None else []
    pairs += [("llama.context_length", U32, 512)]
    tensors = list(_tensors(rng, n, kind, tied, scale))
    data = pack(pairs, tensors, change)
    metadata = {key: value for key, _, value in pairs}
    metadata["llama.attention.layer_norm_rms_epsilon"] = float(np.float32(eps))
    return Made(data, metadata, {name: t.values for name, t in tensors}, n)


def _tensors(rng: np.random.Generator, n: Mapping[str, int], kind: int, tied: bool, scale: float):
    """(name, tensor) in the order of a file."""

    def matrix(rows: int, width: int, times: float = 1.0) -> Tensor:
        return tensor(rng, kind, (rows, width), times / math.sqrt(width))

    def norm(name: str) -> tuple[str, Tensor]:
        values = 1 + 0.3 * rng.standard_normal(n["D"])
        return name, quantized(F32, values.astype(np.float32))

    q_width, kv_width = n["H"] * n["E"], n["G"] * n["E"]
    yield "token_embd.weight", matrix(n["V"], n["D"], scale * math.sqrt(n["D"]) / 2)
    for i in range(n["L"]):
        p = f"blk.{i}."
        yield norm(f"{p}attn_norm.weight")
        yield f"{p}attn_q.weight", matrix(q_width, n["D"], 2.0)
        yield f"{p}attn_k.weight", matrix(kv_width, n["D"], 2.0)
        yield f"{p}attn_v.weight", matrix(kv_width, n["D"])
        yield f"{p}attn_output.weight", matrix(n["D"], q_width)
        yield norm(f"{p}ffn_norm.weight")
        for part in ("ffn_gate", "ffn_up"):
            yield f"{p}{part}.weight", matrix(n["F"], n["D"])
        yield f"{p}ffn_down.weight", matrix(n["D"], n["F"])
    yield norm("output_norm.weight")
    if not tied:
        yield "output.weight", matrix(n["V"], n["D"], 2.0)


@cache
def packaged() -> Made:
    """The model that comes with the engine, as a file and as numbers."""
    path = Path(packaged_model())
    with gguf.open(path) as file:
        flat = {n: formats.FORMATS[t.format].dequantize(t.data) for n, t in file.tensors.items()}
        # raised once: the oracle computes in float64
        row = {n: np.asarray(v, np.float64).reshape(file.tensors[n].shape) for n, v in flat.items()}
        metadata = dict(file.metadata)
    n = {"L": 5, "D": 256, "H": 8, "G": 2, "E": 32, "F": 768, "V": 1024}
    n |= {s: int(metadata[f"llama.{key}"]) for s, key in KEYS.items() if f"llama.{key}" in metadata}
    return Made(path.read_bytes(), metadata, row, n)


def without(made: Made, name: str) -> bytes:
    """The same file with one tensor fewer."""
    pairs = [(k, TEXT if isinstance(v, str) else FLOAT if isinstance(v, float) else U32, v)
             for k, v in made.metadata.items()]  # fmt: skip
    rest = [(k, quantized(F32, v)) for k, v in made.weights.items() if k != name]
    return pack(pairs, rest)


def other_architecture(made: Made) -> bytes:
    """The same file, of an architecture of which the project knows nothing."""
    pairs = [(k, TEXT if isinstance(v, str) else FLOAT if isinstance(v, float) else U32, v)
             for k, v in made.metadata.items()]  # fmt: skip
    pairs[0] = ("general.architecture", TEXT, "gpt2")
    return pack(pairs, [(k, quantized(F32, v)) for k, v in made.weights.items()])


def broken(layout: Layout, **changes: Any) -> Layout:
    """A layout with some fields replaced."""
    return replace(layout, **changes)
