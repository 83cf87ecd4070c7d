"""How well a model predicts a text: perplexity in overlapping windows, and by llama.cpp's method.

Owns: how a text is cut, which of its tokens are scored, means and their errors. Must not know:
kernels, the cache, the command line. Read before: ``engine.py`` (rows). Read after:
``divergence.py``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from minengine.errors import ModelError, RequestError

CHUNK = 512  # tokens of a window of llama.cpp's method where none is given: its program's default
# told after each window: tokens scored, tokens in all, perplexity so far
Progress = Callable[[int, int, float], None]


@dataclass(frozen=True)
class Perplexity:
    """How surprised a model is by a text.

    ``nats`` is the sum of -ln p over the tokens that were scored, ``squares`` that of its square.
    ``n_characters`` are those of the scored tokens. ``stride`` tokens were scored in a window.
    """

    method: str
    nats: float
    squares: float
    n_tokens: int
    n_characters: int
    window: int
    stride: int

    @property
    def nats_per_token(self) -> float:
        return self.nats / self.n_tokens

    @property
    def nats_per_character(self) -> float:
        """Comparable between tokenizers, which perplexity is not."""
        return self.nats / max(self.n_characters, 1)

    @property
    def perplexity(self) -> float:
        """``exp(nats per token)``."""
        return perplexity_of(self.nats_per_token)

    @property
    def error(self) -> float | None:
        """The standard error of ``perplexity``, tokens taken as independent; None of one token.

        ``perplexity sqrt((mean nats^2 - (mean nats)^2) / (n - 1))``.
        """
        if self.n_tokens < 2:
            return None
        spread = max(self.squares / self.n_tokens - self.nats_per_token**2, 0.0)
        return self.perplexity * math.sqrt(spread / (self.n_tokens - 1))


def perplexity_of(nats_per_token: float) -> float:
    """exp, but no overflow: what a model thinks impossible may be in the text."""
    return math.exp(min(nats_per_token, 709.0))


def measure(
    engine: Any,
    text: str | bytes,
    *,
    method: str = "stride",
    window: int | None = None,
    stride: int | None = None,
    progress: Progress | None = None,
) -> Perplexity:
    """The perplexity of a text, cut by a row of ``METHODS``.

    Errors: ``RequestError`` for a method that is no row, and what its function refuses.
    """
    if method not in METHODS:
        raise RequestError(f"method: got {method!r}, want {' or '.join(METHODS)}")
    cut = METHODS[method](engine, text, window, stride)
    total = _Total(progress, cut.n_tokens)
    for ids, first in cut.windows:
        total.add(engine, ids, first)
    counts = (cut.n_tokens, cut.n_characters, cut.window, cut.stride)
    return Perplexity(method, total.nats, total.squares, *counts)


@dataclass(frozen=True)
class Cut:
    """What of a text is scored: ``windows`` of (tokens, first), in each of which every token after
    the one at ``first`` is, given all before it.
    """

    windows: Iterable[tuple[list[int], int]]
    n_tokens: int
    n_characters: int
    window: int
    stride: int


def by_stride(engine: Any, text: str | bytes, window: int | None, stride: int | None) -> Cut:
    """Each token scored exactly once, in windows of ``window`` tokens (the context unless given)
    that begin with BOS.

    Each window scores the last ``stride`` tokens (half a window unless given) that none before it
    has scored; the others are there to be looked back at. Errors: ``RequestError`` for an empty
    text, a window or stride out of range.
    """
    window = window_of(engine, engine.context if window is None else window, least=1)
    stride = max(1, window // 2) if stride is None else stride
    if not 1 <= stride <= window:
        raise RequestError(f"stride: got {stride}, want 1 to the window of {window}")
    ids, bos = engine.tokenize(text, add_special=False), engine.tokenizer.bos
    if not ids or bos is None:
        raise RequestError("the text has no tokens" if not ids else "the model has no BOS token")
    n_characters = len(text if isinstance(text, str) else text.decode("utf-8", "replace"))
    return Cut(_overlapping(ids, bos, window, stride), len(ids), n_characters, window, stride)


def _overlapping(
    ids: list[int], bos: int, window: int, stride: int
) -> Iterator[tuple[list[int], int]]:
    scored, n = 0, len(ids)
    while scored < n:
        start = max(0, min(scored - (window - stride), n - window))
        part = ids[start : start + window]
        yield [bos, *part], scored - start
        scored = start + len(part)


def by_chunks(engine: Any, text: str | bytes, window: int | None, stride: int | None) -> Cut:
    """llama.cpp's perplexity: chunks of ``window`` tokens (CHUNK unless given), the second half of
    each scored.

    See ``chunks`` for how the text is cut. Of a chunk of n tokens those at n // 2 + 1 .. n - 1 are
    scored, each with all of the chunk before it. Numbers are comparable with what others publish
    for the same text and window. Errors: ``RequestError`` for a text of less than two windows, a
    window out of range, a stride.
    """
    if stride is not None:
        raise RequestError(f"stride: got {stride}, but chunks do not overlap")
    found = chunks(engine, text, window)
    window, first = found.shape[1], found.shape[1] // 2
    windows = [(chunk, first) for chunk in found.tolist()]
    scored = (engine.tokenizer.decode_bytes(chunk[first + 1 :]) for chunk, _ in windows)
    n_characters = sum(len(piece.decode("utf-8", "replace")) for piece in scored)
    stride = window - first - 1
    return Cut(windows, len(found) * stride, n_characters, window, stride)


@dataclass
class _Total:
    """Sums over the windows of a text."""

    progress: Progress | None
    n_tokens: int
    nats: float = 0.0
    squares: float = 0.0
    n_scored: int = 0

    def add(self, engine: Any, ids: list[int], first: int) -> None:
        """Score what follows each of the tokens ``first`` .. n - 2."""
        at = first
        for _, rows in engine.rows([ids[:-1]], first=first):
            nats = surprise(rows, ids[at + 1 : at + 1 + len(rows)])
            self.nats += float(nats.sum())
            self.squares += float(np.square(nats).sum())
            at += len(rows)
        self.n_scored += at - first
        if self.progress is not None:
            so_far = perplexity_of(self.nats / self.n_scored)
            self.progress(self.n_scored, self.n_tokens, so_far)


def chunks(engine: Any, text: str | bytes, window: int | None = None) -> np.ndarray:
    """A text as llama.cpp's perplexity cuts it: int32 (n, window).

    The whole text becomes tokens once, with BOS where the model adds it; it is cut into chunks, a
    rest is left out; and where the model adds BOS, BOS takes the place of each chunk's first token.
    """
    window = window_of(engine, min(CHUNK, engine.context) if window is None else window, least=3)
    ids = engine.tokenize(text)
    if len(ids) < 2 * window:
        raise RequestError(
            f"the text has {len(ids)} tokens: chunks of {window} want at least {2 * window}"
        )
    n = len(ids) // window
    found = np.array(ids[: n * window], np.int32).reshape(n, window)
    if engine.tokenizer.add_bos:
        found[:, 0] = engine.tokenizer.bos
    return found


def window_of(engine: Any, window: int, *, least: int) -> int:
    if not least <= window <= engine.context:
        raise RequestError(f"window: got {window}, want {least} to the context of {engine.context}")
    return window


def surprise(logits: np.ndarray, targets: Iterable[int]) -> np.ndarray:
    """``-ln softmax(logits)[target]`` for each row, in float64: (T, V), (T,) -> (T,) nats."""
    return np.array([-log_softmax(row)[i] for row, i in zip(logits, targets, strict=True)])


def log_softmax(row: np.ndarray) -> np.ndarray:
    """``x - ln sum_i exp x_i`` in float64: (V,) -> (V,).

    A row at a time: a batch of them in float64 is gigabytes where the vocabulary is large. Errors:
    ``ModelError`` for NaN or infinite logits, which only broken weights make.
    """
    x = row.astype(np.float64)
    x -= x.max()
    x -= np.log(np.exp(x).sum())
    if not np.isfinite(x).all():
        raise ModelError("logits that are NaN or infinite: no token has a probability")
    return x


METHODS = {"stride": by_stride, "llama.cpp": by_chunks}
