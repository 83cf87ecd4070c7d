"""What a submission is asked: frames made of calls and their arguments, any data of ours.

Owns: the encoding of requests. Must not know: processes, replies, checks. Read before: wire.py,
which describes the frames; child.py has the other end.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import Any

import numpy as np

from autograder.wire import DTYPES, Handle

Given = tuple[Sequence[Any], Mapping[str, Any]]  # arguments of a call, by place and by name
NOTHING: Mapping[str, Any] = MappingProxyType({})
PLAIN = (bool, int, float, str)
SMALL = 4096  # bytes of an array that shares a blob: who keeps one keeps its neighbours' memory
KNOWN_TYPES = 64
ALIGNED = 16  # bytes: what the strictest type wants, and what memory of a blob has


def encode_request(
    request: dict[str, Any],
    args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] = NOTHING,
    calls: Iterable[Given] = (),
) -> bytes:
    """The frame for a request: ``request`` is plain JSON, ``args`` and ``kwargs`` any data.

    ``calls`` of the same function that travel together have arguments of their own. Raises
    TypeError for a value that is no data.
    """
    sent = _Blobs()
    body = request | sent.given(args, kwargs)
    if calls:
        body["calls"] = [sent.given(*call) for call in calls]
    return sent.frame(body)


class _Blobs:
    """The data of one request: the parts of its first blob, and the other blobs."""

    def __init__(self) -> None:
        self._small: list[bytes] = []
        self._large: list[bytes] = []
        self._n_small = 0  # bytes

    def frame(self, body: dict[str, Any]) -> bytes:
        """The frame of a request whose data are all encoded."""
        text, blobs = json.dumps(body).encode(), [b"".join(self._small), *self._large]
        head = struct.pack(f"<II{len(blobs)}Q", len(text), len(blobs), *map(len, blobs))
        return b"".join([head, text, *blobs])

    def given(self, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of one call."""
        named = {k: self.encode(v) for k, v in kwargs.items()}
        return {"args": [self.encode(a) for a in args], "kwargs": named}

    def encode(self, value: Any) -> Any:
        """What stands for the value in the JSON. TypeError for what is no data."""
        if isinstance(value, np.ndarray):
            return {"array": self._array(value)}
        if isinstance(value, np.generic):
            return {"scalar": self._array(value)}
        if value is None or isinstance(value, PLAIN):
            return value
        if isinstance(value, dict):
            return {"dict": [[self.encode(k), self.encode(v)] for k, v in value.items()]}
        if isinstance(value, list):
            return [self.encode(v) for v in value]
        if isinstance(value, tuple):
            return {"tuple": [self.encode(v) for v in value]}
        if isinstance(value, set | frozenset):
            return {"set": [self.encode(v) for v in value]}
        if isinstance(value, bytes):
            self._large.append(value)
            return {"bytes": len(self._large)}
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, Handle):
            return {"object": value._number}
        if isinstance(value, np.dtype) or (
            isinstance(value, type) and issubclass(value, np.generic)
        ):
            return {"dtype": np.dtype(value).str}
        raise TypeError(f"a {type(value).__name__} can't be sent to a submission")

    def _array(self, value: np.ndarray | np.generic) -> list[Any]:
        """Where its bytes are, in C order, and what they are."""
        array = np.asarray(value)
        code, data = _code(array.dtype), array.tobytes()
        if len(data) > SMALL:
            self._large.append(data)
            return [len(self._large), 0, code, array.shape]
        at, n = self._n_small, len(data)
        self._n_small += -(-n // ALIGNED) * ALIGNED
        self._small.append(data.ljust(self._n_small - at, b"\0"))
        return [0, at, code, array.shape]


@lru_cache(KNOWN_TYPES)
def _code(dtype: np.dtype) -> str:
    if dtype.str not in DTYPES:
        raise TypeError(f"an array of dtype {dtype} can't be sent to a submission")
    return dtype.str
