"""Takes the data to begin right after the directory."""

import numpy as np

FAILS = {
    "gguf_tensors": "tensor-misplaced",
    "gguf_alignment": "tensor-misplaced",
    "gguf_refuses_tensors": "accepts-cut-data",
    "generate_stop": "error",
    # bytes out of place are NaN somewhere, and NaN explains nothing: no second chance
    "model_one_token": "nan",
    "model_prompt": "nan",
    "model_defaults": "nan",
    "model_cached": "nan",
    "model_two_texts": "nan",
    "model_packaged": "nan",
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
    start = reader.at
    tensors, expected = {}, 0
    for name, (kind, ne, offset) in rows.items():
        n_bytes = tensor_bytes(name, kind, ne)
        if offset != expected:
            raise ValueError(f"{name}: offset {offset}, want {expected}")
        reader.at = start + offset
        raw = np.frombuffer(reader.take(n_bytes), np.uint8)
        tensors[name] = (kind, tuple(ne[::-1]), raw)
        expected += -(-n_bytes // alignment) * alignment
    return metadata, tensors
