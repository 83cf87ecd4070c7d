"""The untrusted side: a submission's namespace, calls of its functions, this end of the pipe.

Owns: Submission, this end of the encoding. Must not know: anything of ours (it imports nothing),
checks, expected values, paths. It runs in a worker of forkserver.py, in a sandbox.
Read before: wire.py, which describes the frames.
"""

from __future__ import annotations

import contextlib
import functools
import json
import linecache
import os
import struct
import sys
import types
import warnings

import numpy as np

REQUESTS, REPLIES = 3, 4  # a worker's descriptors; 0 is /dev/null, 1 and 2 go to the grader
MAX_DEPTH = 32
MAX_PARTS = 1000  # buffers of one readv; Linux takes 1024
ONE_READ = ONE_WRITE = 1 << 16  # bytes
MAX_TEXT = 2000
MAX_INT_BITS = 8192  # Python prints no integer of more than 4300 digits


class Submission:
    """One namespace with the sources of the holes, and the objects the grader knows by number."""

    def __init__(self, reply_bytes: int) -> None:
        self.module = types.ModuleType("submission")
        self.module.__submission__ = self  # for lent.py
        sys.modules["submission"] = self.module  # dataclasses look their module up
        self.objects: dict[int, object] = {}
        self.n_objects, self.reply_bytes = 0, reply_bytes

    def serve(self) -> None:
        while (frame := read_frame()) is not None:
            request, blobs = frame
            reply, out = self.answer(request, blobs)
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(BaseException):  # whatever a submission made of it
                    stream.flush()
            write_frame({"id": request["id"], **reply}, out)

    def answer(self, request: dict, blobs: list[bytearray]) -> tuple[dict, list]:
        """Do one request, or calls that travel together until one of them raises."""
        for number in request.get("release", ()):
            self.objects.pop(number, None)
        encoder, replies = Encoder(self, self.reply_bytes), []
        if "calls" not in request:
            reply = self.reply(request, blobs, encoder)
            return reply, [] if "error" in reply else encoder.blobs
        for given in request["calls"]:
            replies.append(self.reply(request | given, blobs, encoder))
            if "error" in replies[-1]:
                break
        return {"replies": replies}, encoder.blobs

    def reply(self, request: dict, blobs: list[bytearray], encoder: Encoder) -> dict:
        """Whatever a load or a call raises becomes the reply."""
        try:
            if request["op"] == "load":
                self.load(request["name"], request["source"])
                return {"value": None}
            return self.call(request, blobs, encoder)
        except BadReply as problem:
            return {"error": {"tag": "bad-reply", "message": str(problem)}}
        except BaseException as error:  # noqa: BLE001 - SystemExit and all
            return {"error": describe(error)}

    def load(self, name: str, source: str) -> None:
        file = f"<{name}>"
        linecache.cache[file] = (len(source), None, source.splitlines(True), file)
        exec(compile(source, file, "exec", dont_inherit=True), self.module.__dict__)

    def call(self, request: dict, blobs: list[bytearray], encoder: Encoder) -> dict:
        name = request["name"]
        home = self.module if request["on"] is None else self.objects[request["on"]]
        if not hasattr(home, name):
            return {"error": {"tag": "missing", "message": f"{name} is not defined"}}
        function = getattr(home, name)
        args = [self.decode(a, blobs) for a in request["args"]]
        kwargs = {k: self.decode(v, blobs) for k, v in request["kwargs"].items()}
        if not request["observe"]:
            return {"value": encoder.encode(function(*args, **kwargs))}
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            value = function(*args, **kwargs)
        return {
            "value": encoder.encode(value),
            "args": [encoder.encode(a) for a in args],
            "kwargs": {k: encoder.encode(v) for k, v in kwargs.items()},
            "shares_memory": shares_memory(value, [*args, *kwargs.values()]),
            "warnings": [f"{w.category.__name__}: {w.message}"[:MAX_TEXT] for w in caught[:100]],
        }

    def decode(self, value: object, blobs: list[bytearray]) -> object:
        """A value of the grader's: trusted, so no checks."""
        if isinstance(value, list):
            return [self.decode(v, blobs) for v in value]
        if not isinstance(value, dict):
            return value
        ((kind, what),) = value.items()
        if kind in ("array", "scalar"):
            number, place, dtype, shape = what
            array = np.ndarray(shape, dtype, blobs[number], place)  # it may be written
            return array if kind == "array" else array[()]
        if kind == "dict":
            return {self.decode(k, blobs): self.decode(v, blobs) for k, v in what}
        if kind == "object":
            return self.objects[what]
        if kind == "bytes":
            return bytes(blobs[what])
        if kind == "complex":
            return complex(*what)
        if kind == "dtype":
            return np.dtype(what)
        return {"tuple": tuple, "set": set}[kind](self.decode(v, blobs) for v in what)

    def keep(self, value: object) -> int:
        self.n_objects += 1
        self.objects[self.n_objects] = value
        return self.n_objects


class BadReply(Exception):
    """The function gave something that can't be sent."""


class Encoder:
    """Turns what a function gave into JSON and blobs; an object that is no data stays here."""

    def __init__(self, submission: Submission, max_bytes: int) -> None:
        self.submission = submission
        self.room = max_bytes
        self.blobs: list = []

    def encode(self, value: object, depth: int = 0) -> object:
        if depth > MAX_DEPTH:
            raise BadReply(f"the value is nested more than {MAX_DEPTH} deep")
        if isinstance(value, np.ndarray | np.generic):
            array = np.ascontiguousarray(np.ndarray.view(np.asarray(value), np.ndarray))
            if array.dtype.hasobject or array.dtype.kind not in "biufc":
                raise BadReply(f"an array of dtype {array.dtype}: only numbers and booleans count")
            kind = "scalar" if isinstance(value, np.generic) else "array"
            return {kind: self.blob(dump_array(array.reshape(np.shape(value))))}
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, int) and int(value).bit_length() > MAX_INT_BITS:
            raise BadReply(f"an integer of more than {MAX_INT_BITS} bits")
        for type_ in (int, float, str):
            if isinstance(value, type_):
                return type_(value)
        if isinstance(value, complex):
            return {"complex": [value.real, value.imag]}
        if isinstance(value, bytes | bytearray):
            return {"bytes": self.blob([bytes(value)])}
        if isinstance(value, list):
            return [self.encode(v, depth + 1) for v in value]
        if isinstance(value, tuple):
            return {"tuple": [self.encode(v, depth + 1) for v in value]}
        if isinstance(value, set | frozenset):
            return {"set": [self.encode(v, depth + 1) for v in value]}
        if isinstance(value, dict):
            pairs = (p for pair in value.items() for p in pair)
            flat = [self.encode(p, depth + 1) for p in pairs]
            return {"dict": [list(p) for p in zip(flat[::2], flat[1::2], strict=True)]}
        if isinstance(value, np.dtype):
            return {"dtype": value.str}
        return {"object": [self.submission.keep(value), type(value).__name__[:200]]}

    def blob(self, parts: list) -> int:
        self.room -= sum(memoryview(p).nbytes for p in parts)
        if self.room < 0:
            raise BadReply("the value is larger than a reply may be")
        self.blobs.append(parts)
        return len(self.blobs) - 1


def dump_array(array) -> list:
    """.npy, version 1.0: magic, header padded to 64 bytes, data in C order."""
    return [npy_start(array.dtype.str, array.shape), array.reshape(-1).view("u1").data]


@functools.lru_cache(512)
def npy_start(dtype: str, shape: tuple[int, ...]) -> bytes:
    """What stands before the data; the same few come again and again."""
    header = repr({"descr": dtype, "fortran_order": False, "shape": shape})
    header += " " * (-(len(header) + 11) % 64) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode()


def shares_memory(value: object, arguments: list) -> bool:
    """True where an array in the value lies within the memory of an array in the arguments."""
    given = arrays_in(arguments)
    return any(np.may_share_memory(a, b) for a in arrays_in(value) for b in given)


def arrays_in(value: object, depth: int = 0) -> list:
    if isinstance(value, np.ndarray):
        return [value]
    parts = list(value.values()) if isinstance(value, dict) else value
    if depth > MAX_DEPTH or not isinstance(parts, list | tuple):
        return []
    return [a for part in parts for a in arrays_in(part, depth + 1)]


def describe(error: BaseException) -> dict:
    """Type, text and the last line of the submission that was running."""
    tags = {NotImplementedError: "not-implemented", MemoryError: "memory"}
    tag = next((t for kind, t in tags.items() if isinstance(error, kind)), "error")
    try:
        text = str(error)[:MAX_TEXT]
    except BaseException:  # noqa: BLE001 - its own __str__ failed
        text = ""
    where = ""
    if isinstance(error, SyntaxError) and error.filename:
        where = f"{error.filename.strip('<>')}, line {error.lineno}"
        text = str(error.msg)[:MAX_TEXT]
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename
        if file in linecache.cache and file.startswith("<"):
            line = linecache.getline(file, trace.tb_lineno).strip()[:200]
            where = f"{file.strip('<>')}, line {trace.tb_lineno}: {line}"
        trace = trace.tb_next
    return {"tag": tag, "type": type(error).__name__[:200], "message": text, "where": where}


def read_frame() -> tuple[dict, list[bytearray]] | None:
    """The next request and its blobs, None where the grader closed the pipe.

    The grader waits for the answer before it sends another, so most come with one system call.
    """
    data = b""
    while len(data) < 8 or len(data) < 8 + 8 * struct.unpack_from("<I", data, 4)[0]:
        if not (more := os.read(REQUESTS, ONE_READ)):
            return None
        data += more
    n_json, n_blobs = struct.unpack_from("<II", data)
    sizes = struct.unpack_from(f"<{n_blobs}Q", data, 8)
    parts, at = [], 8 + 8 * n_blobs
    for size in (n_json, *sizes):
        part = bytearray(data[at : at + size])
        parts.append(part if len(part) == size else part.ljust(size, b"\0"))
        at += size
    if at > len(data) and not read_rest(parts, at - len(data)):
        return None
    return json.loads(parts[0]), parts[1:]


def read_rest(parts: list[bytearray], n_bytes: int) -> bool:
    """Read what is missing at the end of these, False where the pipe was closed."""
    left: list[memoryview] = []
    for part in reversed(parts):
        if n_bytes:
            left.insert(0, memoryview(part)[-n_bytes:])
            n_bytes -= len(left[0])
    while left:
        if (n := os.readv(REQUESTS, left[:MAX_PARTS])) == 0:
            return False
        while left and n >= len(left[0]):
            n -= len(left.pop(0))
        left[:1] = [left[0][n:]] if left else []
    return True


def write_frame(reply: dict, blobs: list[list]) -> None:
    text = json.dumps(reply).encode()
    sizes = [sum(memoryview(p).nbytes for p in parts) for parts in blobs]
    head = struct.pack(f"<II{len(blobs)}Q", len(text), len(blobs), *sizes)
    parts = [head, text, *(p for parts in blobs for p in parts)]
    for part in [b"".join(parts)] if sum(sizes) <= ONE_WRITE else parts:  # each wakes the grader
        view = memoryview(part).cast("B")
        while view:
            view = view[os.write(REPLIES, view) :]
