"""A sequence in a file: its tokens, cells and random numbers, to go on with another day.

Owns: the layout of the file. Must not know: scheduling, kernels. Read before: ``memory.py``.

Layout, little endian: the magic, the length of the header (u32), the header (JSON), then the arrays
it lists one after the other without gaps, and at last the CRC-32 of all before it (u32). Sizes in
the header are held against the file's before anything is read, and nothing in the file is executed.
Keys and values are stored as rows of the cache's format, cell by cell, so blocks of any size read
them. A file belongs to one model: the header has a digest of its metadata and tensor directory.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from minengine.cells import Cells
from minengine.errors import Malformed, NotGGUF, RequestError, Truncated
from minengine.grammar import Matcher
from minengine.memory import Memory
from minengine.sampling import Chain
from minengine.sequence import Sequence

MAGIC = b"MINESEQ1"
MOST_HEADER_BYTES = 64 << 20
COUNTS = ("n_prompt", "n_cached", "n_preempted", "n_found", "n_drafted", "n_accepted")


def save(memory: Memory, sequence: Sequence, path: str | os.PathLike) -> int:
    """Write a sequence to a file -> its bytes. The file is whole or not there.

    RequestError where the sequence is another engine's; what the system raises for a full disk.
    """
    cells = memory.cells_of(sequence)
    keys, values = memory.pool.rows(cells.slots())
    arrays = {
        "tokens": np.array(sequence.tokens, "<i4"),
        "positions": cells.positions.astype("<i4"),
    }
    arrays |= {"keys": keys, "values": values}
    if cells.mass is not None:
        arrays["mass"] = cells.mass.astype("<f8")
    header = {
        "model": fingerprint(memory),
        "cache_format": memory.pool.format.name,
        "arrays": {name: [a.dtype.str, list(a.shape)] for name, a in arrays.items()},
        "whole": cells.whole,
        "pinned": sequence.pinned,
        "counts": {name: getattr(sequence, name) for name in COUNTS},
        "limit": [sequence.limit, sequence.limit_reason],
        "budget": sequence.budget and sequence.budget.numbers(),
        "user": sequence.user,
        "chain": sequence.chain.state(),
    }
    text = json.dumps(header).encode()
    data = [MAGIC, struct.pack("<I", len(text)), text]
    data += [np.ascontiguousarray(a).tobytes() for a in arrays.values()]
    crc = 0
    for part in data:
        crc = zlib.crc32(part, crc)
    data.append(struct.pack("<I", crc))
    beside = Path(f"{os.fspath(path)}.part")
    try:
        with open(beside, "wb") as file:
            file.writelines(data)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return sum(map(len, data))


def load(memory: Memory, path: str | os.PathLike, matcher: Callable[[str], Matcher]) -> Sequence:
    """The sequence of a file, not under way yet, its cells in the engine's cache; ``matcher`` makes
    one of a grammar's text.

    Errors: NotGGUF for a file of another kind, Truncated and Malformed for one that is damaged,
    RequestError for another model's or another cache format's, OutOfBlocks where there is no room.
    """
    header, arrays = read(Path(path))
    try:
        if header["model"] != fingerprint(memory):
            raise RequestError(f"{path}: the state of another model")
        if header["cache_format"] != memory.pool.format.name:
            raise RequestError(
                f"{path}: keys and values in {header['cache_format']}, this engine's cache has "
                f"{memory.pool.format.name}"
            )
        return _sequence(memory, header, arrays, matcher)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as e:
        raise Malformed(f"{path}: a header that no engine writes ({e})") from None


def _sequence(
    memory: Memory, header: dict[str, Any], arrays: dict[str, np.ndarray], matcher: Callable
) -> Sequence:
    h, pool = memory.model.hparams, memory.pool
    tokens, positions = arrays["tokens"], arrays["positions"]
    counts = header["counts"]
    n, shape = len(positions), (h.n_layers, h.G, pool.format.row_bytes(h.E))
    fits = (
        arrays["keys"].shape == arrays["values"].shape == (n, *shape)
        and tokens.ndim == positions.ndim == 1
        and 0 <= counts["n_cached"] < len(tokens)
        and n <= counts["n_cached"]
        and (n == counts["n_cached"] or not header["whole"])
        and (not n or (positions[0] >= 0 and (np.diff(positions) > 0).all()))
        and (not len(tokens) or (tokens.min() >= 0 and tokens.max() < h.V))
    )
    limit, reason = header["limit"]
    if not fits or not isinstance(limit, int) or not all(type(c) is int for c in counts.values()):
        raise ValueError("sizes that do not fit each other")
    budget = header["budget"]
    chain = Chain.from_state(header["chain"], matcher)
    found = Sequence(tokens.tolist(), chain, limit, str(reason))
    found.budget = budget and memory.budget(**budget)
    found.user, found.pinned = str(header["user"]), bool(header["pinned"])
    for name in COUNTS:
        setattr(found, name, counts[name])
    cells = Cells(pool)
    slots = cells.room(n)
    cells.restore(positions, header["whole"], arrays.get("mass"))
    pool.put(np.array(slots, np.int64), arrays["keys"], arrays["values"])
    found.cells = cells
    return found


def read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Header and arrays of a file, its sizes and checksum checked."""
    size = path.stat().st_size
    with open(path, "rb") as file:
        head = file.read(len(MAGIC) + 4)
        if not head.startswith(MAGIC):
            raise NotGGUF(f"{path}: not the state of a sequence: {head[:8]!r}, want {MAGIC!r}")
        if len(head) < len(MAGIC) + 4:
            raise Truncated(f"{path}: ends within its head")
        (length,) = struct.unpack("<I", head[len(MAGIC) :])
        if length > MOST_HEADER_BYTES:
            raise Malformed(f"{path}: a header of {length:,} bytes")
        text = file.read(length)
        header, listed = _header(path, text, length)
        want = len(head) + length + sum(n for _, _, n in listed.values()) + 4
        if size != want:
            kind = Truncated if size < want else Malformed
            raise kind(f"{path}: {size:,} bytes, its header promises {want:,}")
        crc, arrays = zlib.crc32(text, zlib.crc32(head)), {}
        for name, (dtype, shape, n) in listed.items():
            raw = file.read(n)
            crc = zlib.crc32(raw, crc)
            arrays[name] = np.frombuffer(raw, dtype).reshape(shape)
        if struct.unpack("<I", file.read(4)) != (crc,):
            raise Malformed(f"{path}: its checksum does not fit; the file was damaged")
    return header, arrays


def _header(path: Path, text: bytes, length: int) -> tuple[dict, dict]:
    """The header, and of each array its type, shape and bytes."""
    if len(text) < length:
        raise Truncated(f"{path}: ends within its header")
    try:
        header = json.loads(text)
        listed = {}
        for name, (dtype, shape) in header["arrays"].items():
            if dtype not in ("<i4", "<f8", "|u1") or not all(
                type(n) is int and n >= 0 for n in shape
            ):
                raise ValueError(f"array {name}")
            listed[name] = dtype, tuple(shape), math.prod(shape) * np.dtype(dtype).itemsize
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as e:
        raise Malformed(f"{path}: a header that no engine writes ({e})") from None
    return header, listed


def fingerprint(memory: Memory) -> str:
    """A digest of what a file says of itself: hyperparameters, and each tensor's shape, format and
    place. Weights are not read.
    """
    file = memory.model.file
    directory = [(t.name, t.shape, t.format, t.nbytes) for t in file.tensors.values()]
    said = [dataclasses.astuple(memory.model.hparams), sorted(directory), file.size]
    return hashlib.sha256(repr(said).encode()).hexdigest()
