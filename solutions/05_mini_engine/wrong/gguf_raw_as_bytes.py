"""Gives the tensor's bytes as bytes, no array."""

import numpy as np

FAILS = {
    "gguf_tensors": "wrong-type",
    "gguf_alignment": "wrong-type",
}


import struct

# value type -> struct code; 8 is a string, 9 an array
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
# tensor kind -> (numbers in a block, bytes of it): F32, F16, Q4_0, Q8_0
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}


class Reader:
    """A place in the bytes of a file, which moves on with every read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        """The next n bytes; ValueError where the file has fewer."""
        if n > len(self.data) - self.at:
            raise ValueError(f"{n} bytes wanted at {self.at}, the file has {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, code: str) -> int:
        """One little-endian number of a struct code."""
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self) -> str:
        """A length in 8 bytes, then as many bytes of UTF-8."""
        return self.take(self.number("Q")).decode()

    def value(self, kind: int) -> object:
        """A metadata value of a type of SCALARS, a string or an array of these."""
        if kind == 8:
            return self.string()
        if kind == 9:
            inner, n = self.number("I"), self.number("Q")
            if inner == 9:
                raise ValueError("an array of arrays")
            return [self.value(inner) for _ in range(n)]
        if kind not in SCALARS:
            raise ValueError(f"value type {kind}, want 0 to 12")
        return self.number(SCALARS[kind])


def read_metadata(reader: Reader, n: int) -> dict:
    """n pairs of a key and a value; ValueError for a key that stands twice."""
    metadata = {}
    for _ in range(n):
        key = reader.string()
        if key in metadata:
            raise ValueError(f"key {key!r} stands twice")
        metadata[key] = reader.value(reader.number("I"))
    return metadata


def read_directory(reader: Reader, n: int) -> dict:
    """n rows of the tensor directory: name -> (kind, ne, offset)."""
    rows = {}
    for _ in range(n):
        name, n_dims = reader.string(), reader.number("I")
        if name in rows:
            raise ValueError(f"tensor {name!r} stands twice")
        if not 1 <= n_dims <= 4:
            raise ValueError(f"{name}: {n_dims} dimensions, want 1 to 4")
        ne = [reader.number("q") for _ in range(n_dims)]
        rows[name] = (reader.number("I"), ne, reader.number("Q"))
    return rows


def tensor_bytes(name: str, kind: int, ne: list) -> int:
    """Bytes of a tensor; ValueError where kind and sizes do not fit."""
    if kind not in BLOCKS:
        raise ValueError(f"{name}: kind {kind}, want one of {list(BLOCKS)}")
    n_block, block_bytes = BLOCKS[kind]
    if min(ne) < 1 or ne[0] % n_block:
        raise ValueError(f"{name}: sizes {ne}, want positive ones and whole blocks of {n_block}")
    n = 1
    for size in ne:
        n *= size
    return n // n_block * block_bytes


def read_gguf(data: bytes) -> tuple[dict, dict]:
    """(metadata, tensors) of a GGUF file; ValueError where it is broken."""
    reader = Reader(bytes(data))
    magic, version = reader.take(4), reader.number("I")
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError(f"starts with {magic!r}, version {version}; want b'GGUF', 2 or 3")
    n_tensors, n_pairs = reader.number("Q"), reader.number("Q")
    metadata = read_metadata(reader, n_pairs)
    rows = read_directory(reader, n_tensors)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise ValueError(f"general.alignment is {alignment!r}, want a power of two")
    start = -(-reader.at // alignment) * alignment
    tensors, expected = {}, 0
    for name, (kind, ne, offset) in rows.items():
        n_bytes = tensor_bytes(name, kind, ne)
        if offset != expected:
            raise ValueError(f"{name}: offset {offset}, want {expected}")
        reader.at = start + offset
        raw = reader.take(n_bytes)
        tensors[name] = (kind, tuple(ne[::-1]), raw)
        expected += -(-n_bytes // alignment) * alignment
    return metadata, tensors


class Model:
    """A llama: embedding, L layers of attention and feed-forward, norm, head."""

    def __init__(self, data: bytes) -> None:
        metadata, tensors = read_gguf(data)
        if metadata.get("general.architecture") != "llama":
            raise ValueError(f"architecture {metadata.get('general.architecture')!r}, want llama")
        number = {k.removeprefix("llama."): v for k, v in metadata.items()}
        wanted = ("block_count", "embedding_length", "attention.head_count",
                  "attention.layer_norm_rms_epsilon")  # fmt: skip
        missing = [f"llama.{name}" for name in wanted if name not in number]
        self.n_layers, width, self.n_heads, self.eps = (number.get(name, 0) for name in wanted)
        parts = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
                 "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")  # fmt: skip
        names = [f"blk.{i}.{part}.weight" for i in range(self.n_layers) for part in parts]
        missing += sorted({"token_embd.weight", "output_norm.weight", *names} - tensors.keys())
        if missing:
            raise ValueError(f"the file has no {', '.join(missing)}")
        self.n_groups = number.get("attention.head_count_kv", self.n_heads)
        self.head_width = number.get("attention.key_length", width // self.n_heads)
        self.base = number.get("rope.freq_base", 10000.0)
        self.weights = {
            n.removesuffix(".weight"): dequantize(kind, shape, np.frombuffer(raw, np.uint8))
            for n, (kind, shape, raw) in tensors.items()
        }

    def new_cache(self, capacity: int) -> KVCache:
        """An empty cache of this model's sizes."""
        return KVCache(self.n_layers, self.n_groups, self.head_width, capacity)

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """Logits (T, V) of T tokens that follow what the cache holds, and their rows into it."""
        if cache is None:
            cache = self.new_cache(len(tokens))
        start, n, w = cache.length(), len(tokens), self.weights
        positions = np.arange(start, start + n)
        x = w["token_embd"][np.asarray(tokens)]
        for i in range(self.n_layers):
            p = f"blk.{i}."
            h = rms_norm(x, w[p + "attn_norm"], self.eps)
            q = (h @ w[p + "attn_q"].T).reshape(n, self.n_heads, self.head_width)
            k = (h @ w[p + "attn_k"].T).reshape(n, self.n_groups, self.head_width)
            v = (h @ w[p + "attn_v"].T).reshape(n, self.n_groups, self.head_width)
            cache.append(i, rope(k, positions, self.base), v)
            gathered = attention(rope(q, positions, self.base), *cache.read(i), start)
            x = x + gathered.reshape(n, -1) @ w[p + "attn_output"].T
            h = rms_norm(x, w[p + "ffn_norm"], self.eps)
            x = x + feed_forward(h, w[p + "ffn_gate"], w[p + "ffn_up"], w[p + "ffn_down"])
        head = w.get("output", w["token_embd"])
        return rms_norm(x, w["output_norm"], self.eps) @ head.T
