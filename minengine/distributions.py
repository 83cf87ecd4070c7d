"""The next-token distributions of a model over a text, as they come or kept in a file.

Owns: the file and its forms. Must not know: what is compared with what, kernels, the command line.
Read before: ``perplexity.py`` (chunks), ``gguf.py``.

The file is a GGUF file, so its lengths and offsets are checked as a model's are: metadata
``distributions.*``, the tensor ``ids`` (n, window), and a tensor for each chunk, one row of
log-probabilities for each of its tokens that counts: n // 2 .. n - 2, whose next token is known.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from minengine import gguf, gguf_writer
from minengine.errors import Malformed, RequestError, Unsupported
from minengine.perplexity import Progress, chunks, log_softmax, perplexity_of

ARCHITECTURE = "next-token-distributions"  # general.architecture of such a file
VERSION = 1


def distributions(engine: Any, chunk: list[int]) -> Iterator[np.ndarray]:
    """ln p after each token of a chunk's second half but the last: float64 (V,) each."""
    for _, rows in engine.rows([chunk[:-1]], first=len(chunk) // 2):
        yield from map(log_softmax, rows)


@dataclass(frozen=True)
class Form:
    """How a row of V log-probabilities is kept: as ``width(V)`` elements of a GGUF type."""

    type: str
    dtype: type
    width: Callable[[int], int]
    encode: Callable[[np.ndarray], np.ndarray]
    decode: Callable[[np.ndarray], np.ndarray]


def encode_u16(row: np.ndarray) -> np.ndarray:
    """Codes ``round((x - low) / step)`` of 16 bits; low and step, float32, in the first four.

    From the least to the largest value are 65535 steps, so a log-probability is off by some 3e-4
    where these are 40 nats apart, and the largest ones by no more than a float32 is. llama.cpp has
    as many steps for the 16 nats below the largest, and leaves what is less out of its sums.
    """
    low = np.float32(row.min())
    step = np.float32((row.max() - low) / 65535) or np.float32(1)
    codes = np.rint((row - low) / step).clip(0, 65535).astype("<u2")
    return np.concatenate((np.array([low, step], "<f4").view("<u2"), codes))


def decode_u16(row: np.ndarray) -> np.ndarray:
    low, step = row[:4].view("<f4").astype(np.float64)
    return low + step * row[4:]


def save(
    engine: Any,
    text: str | bytes,
    path: str | os.PathLike,
    *,
    window: int | None = None,
    form: str = "U16",
    progress: Progress | None = None,
) -> None:
    """Keep a model's distributions over a text, for others to be compared with it later.

    ``form`` "F32" keeps every log-probability in 4 bytes, "U16" in 2. A chunk is written when it is
    computed. Errors: ``RequestError`` for another form, and those of ``chunks``.
    """
    if form not in FORMS:
        raise RequestError(f"form: got {form!r}, want {' or '.join(FORMS)}")
    kept, found, V = FORMS[form], chunks(engine, text, window), engine.model.hparams.V
    n_rows = found.shape[1] - found.shape[1] // 2 - 1
    nats = []

    def encoded(i: int) -> np.ndarray:
        chunk, raw = found[i].tolist(), np.empty((n_rows, kept.width(V)), kept.dtype)
        for at, row in enumerate(distributions(engine, chunk)):
            raw[at] = kept.encode(row)
            nats.append(-row[chunk[len(chunk) // 2 + 1 + at]])
        if progress is not None:
            progress(len(nats), len(found) * n_rows, perplexity_of(float(np.mean(nats))))
        return raw.view(np.uint8).reshape(-1)

    metadata = {
        "general.architecture": ARCHITECTURE,
        "distributions.version": VERSION,
        "distributions.form": form,
        "distributions.window": found.shape[1],
        "distributions.vocab_size": V,
    }
    ids = found.astype("<i4").view(np.uint8).reshape(-1)
    tensors: dict[str, tuple] = {"ids": ("I32", found.shape, ids)}
    for i in range(len(found)):
        shape = (n_rows, kept.width(V))
        tensors[f"chunk.{i}"] = (kept.type, shape, partial(encoded, i))
    gguf_writer.write(path, metadata, tensors)


def is_saved(path: str | os.PathLike) -> bool:
    """Is a GGUF file one that ``save`` has written? Errors: those of ``gguf.open``."""
    with gguf.open(path) as file:
        return file.metadata.get("general.architecture") == ARCHITECTURE


class Saved:
    """What ``save`` has written, mapped; a row is read when it is asked for.

    Errors: what ``gguf.open`` raises for a file that is none or ends too soon; ``Unsupported`` for
    another version; ``Malformed`` where tensors or numbers are not what the metadata say.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self.path, file = os.fspath(path), gguf.open(path)
        said, tensors = file.metadata, file.tensors
        if said.get("general.architecture") != ARCHITECTURE:
            raise RequestError(f"{self.path}: a model, want saved distributions")
        names = ("version", "form", "window", "vocab_size")
        version, form, self.window, self.V = (said.get(f"distributions.{name}") for name in names)
        if version != VERSION or form not in FORMS:
            raise Unsupported(
                f"{self.path}: distributions of version {version!r} and form {form!r}; this engine "
                f"has {VERSION} and {', '.join(FORMS)}"
            )
        for name, n in (("window", self.window), ("vocab_size", self.V)):
            if type(n) is not int or n < 3:
                raise Malformed(f"{self.path}: distributions.{name} is {n!r}, want a number from 3")
        self._form = FORMS[form]
        ids = tensors.get("ids")
        if ids is None or ids.format != "I32" or ids.shape[1:] != (self.window,):
            raise Malformed(f"{self.path}: no ids of windows of {self.window} tokens")
        self.ids = ids.data.view("<i4").reshape(ids.shape)
        want = (self.window - self.window // 2 - 1, self._form.width(self.V))
        self._chunks = []
        for i in range(len(self.ids)):
            chunk = tensors.get(f"chunk.{i}")
            if chunk is None or (chunk.format, chunk.shape) != (self._form.type, want):
                raise Malformed(f"{self.path}: no chunk {i} of {want} {self._form.type}")
            self._chunks.append(chunk.data.view(self._form.dtype).reshape(want))

    def need_same(self, ids: np.ndarray, V: int) -> None:
        """Errors: ``RequestError`` where a text gives other tokens than these are of."""
        if (self.V, self.window) != (V, ids.shape[1]):
            raise RequestError(
                f"{self.path}: saved with {self.V} tokens in windows of {self.window}, the model "
                f"has {V} and windows are {ids.shape[1]}"
            )
        if not np.array_equal(self.ids, ids):
            raise RequestError(f"{self.path}: saved of another text, or with another tokenizer")

    def rows(self, i: int) -> Iterator[np.ndarray]:
        """The log-probabilities of chunk i, as ``distributions`` gives them."""
        for at, row in enumerate(self._chunks[i]):
            x = self._form.decode(row)
            total = float(np.exp(x).sum())
            if not abs(total - 1) < 0.01:  # rounding makes it 1e-3 at most
                raise Malformed(
                    f"{self.path}: chunk {i}, row {at}: probabilities add up to {total:g}"
                )
            yield log_softmax(x)


FORMS = {
    "F32": Form("F32", np.float32, lambda V: V, lambda x: x, lambda x: x.astype(np.float64)),
    "U16": Form("I16", np.uint16, lambda V: V + 4, encode_u16, decode_u16),
}
