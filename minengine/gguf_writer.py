"""Writing GGUF files, version 3.

Owns: how values and tensors are laid out. Must not know: what they mean. Read before: ``gguf.py``.
"""

from __future__ import annotations

import math
import os
import struct
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from minengine.gguf import (
    ALIGNMENT,
    ARRAY,
    BOOL,
    F32,
    F64,
    I64,
    STRING,
    TYPE_IDS,
    U32,
    U64,
    VALUES,
    Strings,
    size_of,
)

LARGEST_F32 = float(np.finfo(np.float32).max)


def write(
    path: str | os.PathLike,
    metadata: Mapping,
    tensors: Mapping[str, tuple[str, Sequence[int], np.ndarray | Callable[[], np.ndarray]]],
) -> None:
    """Write a model: tensors are name -> (format name, shape (out, in), raw uint8 blocks).

    Blocks may be a function that gives them: it is called when they are written, so that a large
    model is never in memory as a whole.

    Metadata types follow the values: bool, str, int (u32, else i64 or u64), float (f32, else f64),
    NumPy arrays by their type, lists of str, int (i32) or float (f32). ValueError where the blocks
    of a tensor do not have the size of its shape. The file is written beside its place and moved
    there when it is whole: blocks may come from the file that it replaces, which stays mapped until
    then.
    """
    alignment = metadata.get("general.alignment", ALIGNMENT)
    head = [b"GGUF", struct.pack("<IQQ", 3, len(tensors), len(metadata))]
    for key, value in metadata.items():
        head += [_packed_string(key), _packed(value)]
    offset, sizes = 0, {}
    for name, (label, shape, raw) in tensors.items():
        ne = [int(n) for n in shape][::-1]
        _, nbytes = size_of(name, ne, TYPE_IDS[label])
        sizes[name] = nbytes
        if not callable(raw):
            _need_size(name, label, raw, nbytes)
        head += [_packed_string(name), struct.pack(f"<I{len(ne)}q", len(ne), *ne)]
        head.append(struct.pack("<IQ", TYPE_IDS[label], offset))
        offset += -(-nbytes // alignment) * alignment
    part = Path(f"{os.fspath(path)}.part")
    try:
        with part.open("wb") as f:
            f.write(b"".join(head))
            for name, (label, _, raw) in tensors.items():
                if callable(raw):
                    raw = raw()
                    _need_size(name, label, raw, sizes[name])
                f.write(bytes(-f.tell() % alignment))
                f.write(np.ascontiguousarray(raw).data)
            f.write(bytes(-f.tell() % alignment))
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def _need_size(name: str, label: str, raw: np.ndarray, nbytes: int) -> None:
    if raw.dtype != np.uint8 or raw.size != nbytes:
        raise ValueError(f"{name}: {raw.size} of {raw.dtype}, want {nbytes} bytes of {label}")


def _packed_string(text: str) -> bytes:
    raw = text.encode()
    return struct.pack("<Q", len(raw)) + raw


def _packed(value) -> bytes:
    """A metadata value with its type in front."""
    if isinstance(value, str):
        return struct.pack("<I", STRING) + _packed_string(value)
    if isinstance(value, bool):
        return struct.pack("<IB", BOOL, value)
    if isinstance(value, int):
        kind = U32 if 0 <= value < 2**32 else I64 if value < 2**63 else U64
        return struct.pack("<I" + VALUES[kind][1], kind, value)
    if isinstance(value, float):
        kind = F64 if LARGEST_F32 < abs(value) < math.inf else F32
        return struct.pack("<I" + VALUES[kind][1], kind, value)
    if isinstance(value, Strings) or (len(value) and isinstance(value[0], str)):
        head = struct.pack("<IIQ", ARRAY, STRING, len(value))
        return head + b"".join(_packed_string(s) for s in value)
    a = np.asarray(value)
    if not isinstance(value, np.ndarray):
        a = a.astype({"f": "<f4", "i": "<i4"}.get(a.dtype.kind, a.dtype))
    wanted = "<u1" if a.dtype == np.bool_ else a.dtype.newbyteorder("<").str.replace("|", "<")
    kind = BOOL if a.dtype == np.bool_ else next(k for k, v in VALUES.items() if v[2] == wanted)
    return struct.pack("<IIQ", ARRAY, kind, a.size) + a.astype(a.dtype.newbyteorder("<")).tobytes()
