"""GGUF files: mapped, checked to the last offset, nothing copied.

Owns: the container: header, metadata, tensor directory. Must not know: architectures, what a key
means (but for the alignment), how a block is decoded. Read before: `errors.py`.

Layout (little-endian, versions 2 and 3): "GGUF", u32 version, u64 number of tensors, u64 number of
metadata pairs; the pairs (string key, u32 type, value); the tensor directory (string name, u32
number of dimensions, u64 each, the contiguous one first, u32 type, u64 offset); padding to the
alignment; the data, each tensor padded to the alignment. A string is a u64 length and bytes.
Source: the GGUF specification (github.com/ggml-org/ggml, docs/gguf.md).
"""

from __future__ import annotations

import array
import math
import mmap
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np

from minengine.errors import FileError, Malformed, NotGGUF, Truncated, Unsupported

VERSIONS = (2, 3)
ALIGNMENT = 32
LONGEST = 2**30  # elements of an array, bytes of a string; more is a corrupted length
LONGEST_NAME = 64  # bytes of a tensor's name
PART = re.compile(r"(.+)-(\d{5})-of-(\d{5})\.gguf")

# metadata type -> (name, struct code, NumPy type)
VALUES = {
    0: ("u8", "B", "<u1"),
    1: ("i8", "b", "<i1"),
    2: ("u16", "H", "<u2"),
    3: ("i16", "h", "<i2"),
    4: ("u32", "I", "<u4"),
    5: ("i32", "i", "<i4"),
    6: ("f32", "f", "<f4"),
    7: ("bool", "B", "<u1"),
    10: ("u64", "Q", "<u8"),
    11: ("i64", "q", "<i8"),
    12: ("f64", "d", "<f8"),
}
U32, F32, BOOL, STRING, ARRAY, U64, I64, F64 = 4, 6, 7, 8, 9, 10, 11, 12

# tensor type -> (name, elements a block, bytes a block); formats.FORMATS has those we compute with
# fmt: off
TENSOR_TYPES = {
    0: ("F32", 1, 4), 1: ("F16", 1, 2), 2: ("Q4_0", 32, 18), 3: ("Q4_1", 32, 20),
    6: ("Q5_0", 32, 22), 7: ("Q5_1", 32, 24), 8: ("Q8_0", 32, 34), 10: ("Q2_K", 256, 84),
    11: ("Q3_K", 256, 110), 12: ("Q4_K", 256, 144), 13: ("Q5_K", 256, 176),
    14: ("Q6_K", 256, 210), 15: ("Q8_K", 256, 292), 16: ("IQ2_XXS", 256, 66),
    17: ("IQ2_XS", 256, 74), 18: ("IQ3_XXS", 256, 98), 19: ("IQ1_S", 256, 50),
    20: ("IQ4_NL", 32, 18), 21: ("IQ3_S", 256, 110), 22: ("IQ2_S", 256, 82),
    23: ("IQ4_XS", 256, 136), 24: ("I8", 1, 1), 25: ("I16", 1, 2), 26: ("I32", 1, 4),
    27: ("I64", 1, 8), 28: ("F64", 1, 8), 29: ("IQ1_M", 256, 56), 30: ("BF16", 1, 2),
    34: ("TQ1_0", 256, 54), 35: ("TQ2_0", 256, 66), 39: ("MXFP4", 32, 17), 40: ("NVFP4", 64, 36),
}
# fmt: on
TYPE_IDS = {name: number for number, (name, _, _) in TENSOR_TYPES.items()}


@dataclass(frozen=True, eq=False)
class TensorInfo:
    """A tensor of a file: where it lies and what its bytes are."""

    name: str
    shape: tuple[int, ...]  # (out, in): the contiguous dimension last, as in NumPy
    format: str  # the name of its type, "Q4_K"
    offset: int  # bytes from the start of the file
    nbytes: int
    data: np.ndarray = field(repr=False)  # uint8 (nbytes,), read-only, the mapped file itself


class Strings(Sequence):
    """A read-only list of strings that lie in the file; each is decoded when it is asked for.

    A vocabulary has up to a quarter of a million of them and most callers want a handful.
    """

    def __init__(self, data: mmap.mmap, starts: array.array, end: int, what: str) -> None:
        self._data, self._starts, self._what = data, starts, what
        self._starts.append(end + 8)  # so that string i ends 8 bytes before start i + 1

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, i):
        if isinstance(i, slice):
            return [self[j] for j in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        raw = self._data[self._starts[i] : self._starts[i + 1] - 8]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Malformed(f"{self._what}[{i}]: {raw[:40]!r} is not UTF-8") from None

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))

    def encoded(self) -> list[bytes]:
        """All of them as UTF-8, checked at once. Malformed names one that is not."""
        data = self._data
        found = [data[start : next_start - 8] for start, next_start in pairwise(self._starts)]
        try:
            b"\n".join(found).decode()  # a line feed completes no half of a character
        except UnicodeDecodeError:
            list(self)  # raises at the one that is wrong, with its index
            raise
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    __hash__ = None

    def __repr__(self) -> str:
        return f"Strings({len(self)}: {self[:3]}...)"


class Cursor:
    """A position in the mapped bytes. Every read says what it is about, for errors to name it."""

    def __init__(self, data: mmap.mmap) -> None:
        self.data, self.at, self.end = data, 0, len(data)

    def need(self, n: int, what: str) -> int:
        """Step over n bytes and return where they start; Truncated where the file has fewer."""
        if n > self.end - self.at:
            raise Truncated(f"{what}: {n} bytes wanted at {self.at}, the file has {self.end}")
        self.at += n
        return self.at - n

    def number(self, code: str, what: str):
        return struct.unpack_from("<" + code, self.data, self.need(struct.calcsize(code), what))[0]

    def length(self, what: str, smallest: int) -> int:
        """A u64 count of things of at least ``smallest`` bytes that must fit into the file."""
        n = self.number("Q", what)
        if n > LONGEST:
            raise Malformed(f"{what}: a length of {n}, want at most {LONGEST}")
        if n * smallest > self.end - self.at:
            raise Truncated(f"{what}: a length of {n}, but {self.end - self.at} bytes are left")
        return n

    def string(self, what: str) -> str:
        start = self.need(self.length(what, 1), what)
        raw = self.data[start : self.at]
        try:
            return raw.decode()
        except UnicodeDecodeError:
            raise Malformed(f"{what}: {raw[:40]!r} is not UTF-8") from None

    def strings(self, count: int, what: str) -> Strings:
        """Walk over ``count`` strings, noting where each starts."""
        unpack, data, at, end = struct.Struct("<Q").unpack_from, self.data, self.at, self.end
        starts = array.array("q")
        for i in range(count):
            if at + 8 > end:
                raise Truncated(f"{what}[{i}]: the file ends at {end}")
            (n,) = unpack(data, at)
            at += 8
            if n > end - at:
                kind = Malformed if n > LONGEST else Truncated
                raise kind(f"{what}[{i}]: a string of {n} bytes, but {end - at} are left")
            starts.append(at)
            at += n
        self.at = at
        return Strings(data, starts, at, what)

    def value(self, kind: int, what: str):
        """A metadata value: int, float, bool, str, a read-only NumPy array, or Strings."""
        if kind == STRING:
            return self.string(what)
        if kind == ARRAY:
            return self.array(what)
        if kind not in VALUES:
            raise Malformed(f"{what}: unknown value type {kind}, want 0 .. 12")
        value = self.number(VALUES[kind][1], what)
        if kind != BOOL:
            return value
        if value > 1:
            raise Malformed(f"{what}: a bool of {value}, want 0 or 1")
        return bool(value)

    def array(self, what: str):
        kind = self.number("I", what)
        if kind == ARRAY:
            raise Malformed(f"{what}: an array of arrays")
        if kind == STRING:
            return self.strings(self.length(what, 8), what)
        if kind not in VALUES:
            raise Malformed(f"{what}: unknown element type {kind}, want 0 .. 12 but 9")
        dtype = np.dtype(VALUES[kind][2])
        n = self.length(what, dtype.itemsize)
        start = self.need(n * dtype.itemsize, what)
        values = np.frombuffer(self.data, dtype, n, start)
        if kind == BOOL:
            if n and int(values.max()) > 1:
                raise Malformed(f"{what}: a bool of {values.max()}, want 0 or 1")
            values = values.view(np.bool_)
        return values


class File:
    """An open GGUF file: ``version``, ``alignment``, ``metadata`` and ``tensors`` by key and name.

    The file stays mapped while anything holds a view of it; ``close`` lets go of this object's own.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path = Path(path)
        with self.path.open("rb") as f:
            if not stat.S_ISREG(os.fstat(f.fileno()).st_mode):
                raise FileError("not a regular file")
            self.size = os.fstat(f.fileno()).st_size
            if self.size == 0:
                raise Truncated("the file is empty")
            data = mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ)
        self.size = len(data)
        cursor = Cursor(data)
        self.version, n_tensors, n_pairs = _header(cursor)
        self.metadata = _metadata(cursor, n_pairs)
        self.alignment = _alignment(self.metadata)
        self.tensors = _directory(cursor, n_tensors, self.alignment)

    def close(self) -> None:
        """Let go of the mapping; the system unmaps it when no view is left."""
        self.metadata, self.tensors = {}, {}

    def __enter__(self) -> File:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"File({str(self.path)!r}: {len(self.metadata)} keys, {len(self.tensors)} tensors)"


def open(path: str | os.PathLike) -> File:  # noqa: A001 - reads gguf.open(path)
    """Map a GGUF file and read its metadata and tensor directory; the data are not touched.

    Of a model in parts (``name-00001-of-00003.gguf``) any part may be given: the metadata are the
    first one's, the tensors those of all. Raises NotGGUF, Truncated, Malformed or Unsupported with
    the path and what was got and wanted, and OSError where a file cannot be opened. A file that
    shrinks while it is mapped is out of this function's hands.
    """
    if sys.byteorder != "little":
        raise Unsupported(
            "GGUF data are little-endian and read in place; this machine is big-endian"
        )
    first = _open(path)
    n_parts = first.metadata.get("split.count", 0)
    if type(n_parts) is int and n_parts in (0, 1):
        return first
    return _joined(Path(path), first)


def _open(path: str | os.PathLike) -> File:
    try:
        return File(path)
    except (FileError, Unsupported) as e:
        raise type(e)(f"{path}: {e}") from None


def _joined(path: Path, given: File) -> File:
    """The first part with the tensors of all; each part's data stay mapped by their views."""
    n_parts, found = given.metadata["split.count"], PART.fullmatch(path.name)
    if type(n_parts) is not int or not 0 < n_parts < 10**5:
        raise Malformed(f"{path}: split.count is {n_parts!r}, want 1 to 99999")
    if found is None or int(found[3]) != n_parts:
        raise Malformed(
            f"{path}: a part of {n_parts}, want a name like x-00001-of-{n_parts:05}.gguf"
        )
    parts = []
    for i in range(n_parts):
        name = path.with_name(f"{found[1]}-{i + 1:05}-of-{n_parts:05}.gguf")
        if not name.exists():
            raise FileError(f"{name}: part {i + 1} of {n_parts} is missing")
        part = _open(name)
        for key, want in (("split.no", i), ("split.count", n_parts)):
            got = part.metadata.get(key)
            if type(got) is not int or got != want:
                raise Malformed(f"{name}: {key} is {got!r}, want {want}")
        parts.append(part)
    whole = parts[0]
    for part in parts[1:]:
        twice = whole.tensors.keys() & part.tensors.keys()
        if twice:
            raise Malformed(f"{part.path}: tensor {min(twice)!r} stands in another part too")
        whole.tensors |= part.tensors
        whole.size += part.size
    want = whole.metadata.get("split.tensors.count", len(whole.tensors))
    if type(want) is not int or len(whole.tensors) != want:
        raise Malformed(f"{path}: {len(whole.tensors)} tensors in all parts, want {want!r}")
    return whole


def _header(cursor: Cursor) -> tuple[int, int, int]:
    magic = cursor.data[:4]
    if magic != b"GGUF"[: len(magic)]:
        raise NotGGUF(f"starts with {magic!r}, want b'GGUF'")
    cursor.need(4, "magic")
    version = cursor.number("I", "version")
    if version & 0xFFFF == 0 and version:
        raise NotGGUF(
            f"version {version:#010x} is byte-swapped: a big-endian file, want little-endian"
        )
    if version not in VERSIONS:
        raise NotGGUF(f"version {version}, want 2 or 3")
    n_tensors = cursor.number("Q", "number of tensors")
    n_pairs = cursor.number("Q", "number of metadata pairs")
    for n, smallest, what in ((n_tensors, 33, "tensors"), (n_pairs, 13, "metadata pairs")):
        if n > LONGEST:
            raise Malformed(f"{n} {what}, want at most {LONGEST}")
        if n * smallest > cursor.end - cursor.at:
            raise Truncated(f"{n} {what} do not fit into {cursor.end - cursor.at} bytes")
    return version, n_tensors, n_pairs


def _metadata(cursor: Cursor, n_pairs: int) -> dict:
    metadata = {}
    for i in range(n_pairs):
        key = cursor.string(f"key {i}")
        if not key:
            raise Malformed(f"key {i} is empty")
        if key in metadata:
            raise Malformed(f"key {key!r} stands twice")
        metadata[key] = cursor.value(cursor.number("I", f"type of {key!r}"), repr(key))
    return metadata


def _alignment(metadata: Mapping) -> int:
    alignment = metadata.get("general.alignment", ALIGNMENT)
    if type(alignment) is not int or alignment <= 0 or alignment & (alignment - 1):
        raise Malformed(f"general.alignment is {alignment!r}, want a power of two")
    return alignment


def _directory(cursor: Cursor, n_tensors: int, alignment: int) -> dict[str, TensorInfo]:
    """Read the directory, then lay the tensors out: each must start where the last one ends."""
    entries: dict[str, tuple] = {}
    for i in range(n_tensors):
        name = cursor.string(f"name of tensor {i}")
        if not name or len(name.encode()) >= LONGEST_NAME:
            raise Malformed(f"tensor {i}: name {name[:80]!r}, want 1 .. {LONGEST_NAME - 1} bytes")
        if name in entries:
            raise Malformed(f"tensor {name!r} stands twice")
        n_dims = cursor.number("I", f"dimensions of {name!r}")
        if not 1 <= n_dims <= 4:
            raise Malformed(f"{name}: {n_dims} dimensions, want 1 .. 4")
        ne = [cursor.number("q", f"shape of {name!r}") for _ in range(n_dims)]
        kind = cursor.number("I", f"type of {name!r}")
        entries[name] = (ne, kind, cursor.number("Q", f"offset of {name!r}"))
    start = -(-cursor.at // alignment) * alignment
    everything = np.frombuffer(cursor.data, np.uint8)
    tensors, expected = {}, 0
    for name, (ne, kind, offset) in entries.items():
        label, nbytes = size_of(name, ne, kind)
        if offset != expected:
            raise Malformed(f"{name}: offset {offset}, want {expected}, where the one before ends")
        if start + offset + nbytes > cursor.end:
            raise Truncated(
                f"{name}: bytes {start + offset} .. {start + offset + nbytes}, "
                f"the file has {cursor.end}"
            )
        data = everything[start + offset : start + offset + nbytes]
        tensors[name] = TensorInfo(name, tuple(ne[::-1]), label, start + offset, nbytes, data)
        expected += -(-nbytes // alignment) * alignment
    return tensors


def size_of(name: str, ne: list[int], kind: int) -> tuple[str, int]:
    """The format and the bytes of a tensor: ne as in the file, the contiguous dimension first."""
    if kind not in TENSOR_TYPES:
        raise Unsupported(f"{name}: unknown tensor type {kind}")
    label, block_size, block_bytes = TENSOR_TYPES[kind]
    if min(ne) < 1:
        raise Malformed(f"{name}: shape {tuple(ne[::-1])}, want positive numbers")
    if ne[0] % block_size:
        raise Malformed(f"{name}: rows of {ne[0]}, want a multiple of {block_size} for {label}")
    return label, math.prod(ne) // block_size * block_bytes
