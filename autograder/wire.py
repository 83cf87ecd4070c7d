"""The trusted end of the pipe to a submission: frames of JSON and raw .npy, parsed as data.

Owns: the parsing of replies, StudentError, Observation, Handle. Must not know: processes,
sandboxes, checks. Read before: errors.py; child.py has the other end, request.py makes requests.

A frame is ``u32 bytes of JSON, u32 number of blobs, u64 size of each blob, JSON, blobs``, little
endian. In the JSON numbers, strings, booleans, None and lists stand for themselves; everything
else is an object of one key: array, scalar, bytes (number of a blob), tuple, set, dict (pairs),
complex, dtype, object (what stays in the child: its number there and the name of its type). In a
reply the blob of an array is a .npy; a request says ``[number of the blob, place in it, dtype,
shape]``, and its small arrays stand side by side in the first blob, because a call takes many.
A reply may be a call of a function that was lent (loans.py); its answer is another request.
Nothing is ever unpickled; what comes back may be forged and can only be a value to compare.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from autograder.errors import CheckFailed

MAX_JSON_BYTES = 2 << 20
MAX_BLOBS = 4096
MAX_DEPTH = 40
MAX_VALUES = 200_000  # in one reply
MAX_KEYS = 4096  # of dicts and sets in one reply: keys that all collide cost their square
MAX_TEXT = 2000
MAX_HEADER = 4096  # bytes
KNOWN_HEADERS = 512  # remembered: 2 MiB at most
HEADER = re.compile(
    rb"\{'descr': '([<>|=]?[?a-zA-Z]\d{0,2})', 'fortran_order': (False|True), "
    rb"'shape': (\([\d, ]*\)),? ?\} *\n"
)
# every type an array may have; no objects, no strings, no structures, no dates
DTYPES = {
    np.dtype(t).str: np.dtype(t)
    for t in (
        *("?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", "c8", "c16"),
        *(">i2", ">i4", ">i8", ">u2", ">u4", ">u8", ">f2", ">f4", ">f8", np.longdouble),
    )
}
CONTROLS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class StudentError(CheckFailed):
    """The student's code raised, was stopped, or gave no data.

    ``tag`` is one of error, not-implemented, missing, timeout, killed, memory, bad-reply.
    """


class BadFrame(ValueError):
    """Bytes that no honest child writes."""


@dataclass(frozen=True)
class Observation:
    """What a call did besides giving a value.

    ``args_after`` and ``kwargs_after`` are the arguments as the call left them, ``shares_memory``
    says that an array in the value is a view of one of them, ``warnings`` has one text each
    (``"RuntimeWarning: overflow ..."``), ``seconds`` is wall time as seen from outside.
    """

    value: Any
    args_after: list[Any] = field(default_factory=list)
    kwargs_after: dict[str, Any] = field(default_factory=dict)
    shares_memory: bool = False
    warnings: list[str] = field(default_factory=list)
    seconds: float = 0.0


class Handle:
    """An object that stays in the child: ``handle.method(...)`` calls there, or pass it back."""

    def __init__(self, number: int, type_name: str, owner: Any) -> None:
        self._number, self._type_name, self._owner = number, type_name, owner

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__"):
            raise AttributeError(name)
        return lambda *args, **kwargs: self._owner.call_method(self, name, args, kwargs)

    def __repr__(self) -> str:
        return f"<{self._type_name} object of the submission>"

    def __del__(self) -> None:
        self._owner.release(self._number)


def parse_npy(blob: memoryview) -> np.ndarray:
    """An array of its own from .npy bytes: a known type, and exactly the bytes its shape needs.

    Raises BadFrame for anything else; nothing is evaluated or unpickled.
    """
    start = bytes(blob[:10])
    if len(start) < 10 or start[:8] != b"\x93NUMPY\x01\x00":
        raise BadFrame("not a .npy of version 1.0")
    n_header = struct.unpack_from("<H", start, 8)[0]
    if n_header > MAX_HEADER:
        raise BadFrame("a .npy header of another form")
    dtype, shape, order = _npy_form(bytes(blob[10 : 10 + n_header]))
    data = blob[10 + n_header :]
    if math.prod(shape) * dtype.itemsize != len(data):
        raise BadFrame(f"{len(data)} bytes for shape {shape} of {dtype}")
    if math.prod(n or 1 for n in shape) * dtype.itemsize >= 1 << 62:
        raise BadFrame(f"shape {shape} is out of range")
    return np.frombuffer(data, dtype).reshape(shape, order=order).copy()


@lru_cache(KNOWN_HEADERS)
def _npy_form(header: bytes) -> tuple[np.dtype, tuple[int, ...], str]:
    """(type, shape, order) that a header says; what raises is not remembered."""
    match = HEADER.fullmatch(header)
    if match is None:
        raise BadFrame("a .npy header of another form")
    dtype = DTYPES.get(match[1].decode())
    if dtype is None:
        raise BadFrame(f"arrays of type {match[1].decode()} are not accepted")
    shape = tuple(int(n) for n in match[3].strip(b"()").replace(b",", b" ").split())
    if repr(shape).encode() != match[3] or len(shape) > 32 or max(shape, default=0) >> 48:
        raise BadFrame("a shape of another form")
    return dtype, shape, "F" if match[2] == b"True" else "C"


class Frame:
    """One reply as it arrives; ``feed`` says True when it is complete."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._data = bytearray()
        self._n_json = 0
        self._sizes: tuple[int, ...] | None = None
        self._total = 8

    def feed(self, chunk: bytes) -> bool:
        """Take more bytes; raises BadFrame as soon as a size is beyond its cap."""
        self._data += chunk
        if self._sizes is None and len(self._data) >= 8:
            self._n_json, n_blobs = struct.unpack_from("<II", self._data)
            if self._n_json > MAX_JSON_BYTES or n_blobs > MAX_BLOBS:
                raise BadFrame("a reply larger than allowed")
            self._total = 8 + 8 * n_blobs
            if len(self._data) >= self._total:
                self._sizes = struct.unpack_from(f"<{n_blobs}Q", self._data, 8)
                if sum(self._sizes) > self._max_bytes:
                    raise BadFrame("a reply larger than allowed")
                self._total += self._n_json + sum(self._sizes)
        if self._sizes is not None and len(self._data) > self._total:
            raise BadFrame("bytes after the end of a reply")
        return self._sizes is not None and len(self._data) == self._total

    @property
    def n_bytes(self) -> int:
        """Bytes taken so far."""
        return len(self._data)

    def parse(self) -> tuple[dict[str, Any], list[memoryview]]:
        """The JSON object and the blobs of a complete frame."""
        view = memoryview(self._data)
        at = 8 + 8 * len(self._sizes or ())
        try:
            reply = json.loads(str(view[at : at + self._n_json], "utf-8"))
        except (ValueError, RecursionError) as error:
            raise BadFrame("a reply that is not JSON") from error
        if not isinstance(reply, dict):
            raise BadFrame("a reply of another form")
        at += self._n_json
        blobs = []
        for size in self._sizes or ():
            blobs.append(view[at : at + size])
            at += size
        return reply, blobs


class Reply:
    """Decodes the values of one frame; ``owner`` is given to the handles made."""

    def __init__(self, reply: dict[str, Any], blobs: list[memoryview], owner: Any) -> None:
        self._reply, self._owner = reply, owner
        self._blobs: dict[int, memoryview] = dict(enumerate(blobs))
        self._n_values = self._n_keys = 0

    def value(self) -> Any:
        """The value of a plain call. Raises StudentError, BadFrame."""
        error = self._reply.get("error")
        if error is not None:
            raise _student_error(error)
        if "value" not in self._reply:
            raise BadFrame("a reply of another form")
        return self._decode(self._reply["value"], 0)

    def each(self, n: int) -> list[Reply]:
        """The replies to ``n`` calls that travelled together, up to the first that raised."""
        rows = self._reply.get("replies")
        if not (isinstance(rows, list) and all(isinstance(r, dict) for r in rows)):
            raise BadFrame("a reply of another form")
        if not rows or len(rows) > n or (len(rows) < n and "error" not in rows[-1]):
            raise BadFrame("a reply of another form")
        found = [Reply(row, [], self._owner) for row in rows]
        for one in found:
            one._blobs = self._blobs
        return found

    def observation(self, seconds: float) -> Observation:
        """The value and what else happened. Raises StudentError, BadFrame."""
        value = self.value()
        args, kwargs, notes = (self._reply.get(k) for k in ("args", "kwargs", "warnings"))
        if not (isinstance(args, list) and isinstance(kwargs, dict) and isinstance(notes, list)):
            raise BadFrame("a reply of another form")
        return Observation(
            value,
            [self._decode(a, 0) for a in args],
            {clean_text(k): self._decode(v, 0) for k, v in kwargs.items()},
            self._reply.get("shares_memory") is True,
            [clean_text(n) for n in notes[:100] if isinstance(n, str)],
            seconds,
        )

    @property
    def asks(self) -> str | None:
        """The name of the lent function that this is no answer but a call of, else None."""
        name = self._reply.get("ask")
        return name if isinstance(name, str) else None

    def asked(self) -> tuple[list[Any], dict[str, Any]]:
        """Arguments, by place and by name, of such a call. Raises BadFrame."""
        args, kwargs = self._reply.get("args"), self._reply.get("kwargs")
        if not (isinstance(args, list) and isinstance(kwargs, dict)):
            raise BadFrame("a reply of another form")
        return self._list(args, 0), {clean_text(k): self._decode(v, 0) for k, v in kwargs.items()}

    def _decode(self, value: Any, depth: int) -> Any:
        self._n_values += 1
        if depth > MAX_DEPTH or self._n_values > MAX_VALUES:
            raise BadFrame("a value nested too deep, or of too many parts")
        if isinstance(value, str):
            return value.encode("utf-8", "replace").decode()
        if isinstance(value, list):
            return [self._decode(v, depth + 1) for v in value]
        if not isinstance(value, dict):
            return value
        if len(value) != 1:
            raise BadFrame("a value of another form")
        ((kind, what),) = value.items()
        decoder = DECODERS.get(kind)
        if decoder is None:
            raise BadFrame("a value of another form")
        try:
            return decoder(self, what, depth + 1)
        except (TypeError, KeyError, ValueError, OverflowError) as error:
            if isinstance(error, BadFrame):
                raise
            raise BadFrame("a value of another form") from error

    def _blob(self, number: Any) -> memoryview:
        if type(number) is not int:
            raise BadFrame("a value of another form")
        return self._blobs.pop(number)  # each blob stands for one value

    def _array(self, what: Any, _: int) -> np.ndarray:
        return parse_npy(self._blob(what))

    def _scalar(self, what: Any, _: int) -> Any:
        array = parse_npy(self._blob(what))
        if array.shape != ():
            raise BadFrame("a scalar with a shape")
        return array[()]

    def _bytes(self, what: Any, _: int) -> bytes:
        return bytes(self._blob(what))

    def _tuple(self, what: list, depth: int) -> tuple:
        return tuple(self._list(what, depth))

    def _set(self, what: list, depth: int) -> set:
        self._count_keys(what)
        return set(self._list(what, depth))

    def _list(self, what: Any, depth: int) -> list:
        if not isinstance(what, list):
            raise BadFrame("a value of another form")
        return [self._decode(v, depth) for v in what]

    def _count_keys(self, what: list) -> None:
        self._n_keys += len(what)
        if self._n_keys > MAX_KEYS:
            raise BadFrame(f"dicts and sets of more than {MAX_KEYS} keys")

    def _dict(self, what: Any, depth: int) -> dict:
        self._count_keys(what)
        return {self._decode(k, depth): self._decode(v, depth) for k, v in what}

    def _complex(self, what: Any, _: int) -> complex:
        real, imag = what
        return complex(float(real), float(imag))

    def _dtype(self, what: Any, _: int) -> np.dtype:
        return DTYPES[what]

    def _object(self, what: Any, _: int) -> Handle:
        number, type_name = what
        if type(number) is not int or not isinstance(type_name, str):
            raise BadFrame("a value of another form")
        return Handle(number, clean_text(type_name)[:200], self._owner)


def _student_error(error: Any) -> StudentError:
    if not isinstance(error, dict):
        raise BadFrame("a reply of another form")
    tag, kind, text, where = (
        clean_text(error.get(k, "")) for k in ("tag", "type", "message", "where")
    )
    if tag not in ("error", "not-implemented", "missing", "memory", "bad-reply"):
        tag = "error"
    message = ": ".join(part for part in (kind, text) if part)
    return StudentError(tag, f"{message} ({where})" if where else message)


def clean_text(text: Any) -> str:
    """Text of a submission made fit to print: no control or direction characters, 2000 at most."""
    text = text if isinstance(text, str) else ""
    return CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text[:MAX_TEXT])


DECODERS: dict[str, Callable[[Reply, Any, int], Any]] = {
    "array": Reply._array,
    "scalar": Reply._scalar,
    "bytes": Reply._bytes,
    "tuple": Reply._tuple,
    "set": Reply._set,
    "dict": Reply._dict,
    "complex": Reply._complex,
    "dtype": Reply._dtype,
    "object": Reply._object,
}
