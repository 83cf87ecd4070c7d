"""How far a model's next-token distributions are from a base's, on the same tokens of a text.

Owns: Kullback-Leibler divergence and the numbers that go with it. Must not know: kernels, the
cache, files, the command line. Read before: ``perplexity.py`` (chunks), ``distributions.py``. The
tokens that count are those of llama.cpp's perplexity: the second half of each chunk.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from minengine.distributions import Saved, distributions
from minengine.errors import RequestError
from minengine.perplexity import Progress, chunks, perplexity_of


@dataclass(frozen=True, eq=False)
class Divergence:
    """A model and its base on n tokens; arrays are float64 (n,) but for ``same_top``, bool (n,)."""

    window: int
    kl: np.ndarray  # sum_i p_i (ln p_i - ln q_i) in nats, p the base's, q the model's
    nats: np.ndarray  # -ln q of the token that is there
    base_nats: np.ndarray  # -ln p of it
    same_top: np.ndarray  # do both think the same token the likeliest

    @property
    def delta_p(self) -> np.ndarray:
        """How much likelier the token that is there is to the model than to the base."""
        return np.exp(-self.nats) - np.exp(-self.base_nats)

    def summary(self) -> dict[str, Any]:
        """The numbers of SUMMARY. A name with ``_error`` is a standard error, tokens taken as
        independent; None of one token.
        """
        return {"n_tokens": len(self.kl), "window": self.window} | {
            name: number(self) for name, number in SUMMARY.items()
        }


def error(x: np.ndarray) -> float | None:
    """Of the mean of x: ``std / sqrt(n - 1)``."""
    return float(x.std() / math.sqrt(len(x) - 1)) if len(x) > 1 else None


def perplexity_error(nats: np.ndarray) -> float | None:
    spread = error(nats)
    return None if spread is None else spread * perplexity_of(nats.mean())


def compare(
    engine: Any,
    text: str | bytes,
    base: Any,
    *,
    window: int | None = None,
    progress: Progress | None = None,
) -> Divergence:
    """KL(base || engine) and more, chunk by chunk, as ``perplexity.chunks`` cuts the text.

    ``base`` is another Engine, run side by side, or ``Saved``. ``window`` is that of what was
    saved, else CHUNK, unless given. ``progress`` is called with tokens done, tokens in all and the
    mean divergence so far. Errors: ``RequestError`` where base and engine have other vocabularies
    or the base was saved of other tokens, and those of ``chunks``.
    """
    saved = isinstance(base, Saved)
    found = chunks(engine, text, base.window if saved and window is None else window)
    if saved:
        base.need_same(found, engine.model.hparams.V)
    else:
        need_same_vocabulary(engine.tokenizer.texts, base.tokenizer.texts)
    window, first = found.shape[1], found.shape[1] // 2
    n_tokens, rows, total = len(found) * (window - first - 1), [], 0.0
    for i, chunk in enumerate(found.tolist()):
        theirs = base.rows(i) if saved else distributions(base, chunk)
        for p, q, target in zip(
            theirs, distributions(engine, chunk), chunk[first + 1 :], strict=True
        ):
            kl = float(np.sum(np.exp(p) * (p - q)))
            total += kl
            rows.append((kl, -q[target], -p[target], np.argmax(p) == np.argmax(q)))
        if progress is not None:
            progress(len(rows), n_tokens, total / len(rows))
    kl, nats, base_nats, same = np.array(rows, np.float64).T
    return Divergence(window, kl, nats, base_nats, same.astype(bool))


def need_same_vocabulary(texts: list[bytes], base_texts: list[bytes]) -> None:
    if len(texts) != len(base_texts):
        raise RequestError(f"the base has {len(base_texts)} tokens, the model {len(texts)}")
    for i, (a, b) in enumerate(zip(texts, base_texts, strict=True)):
        if a != b:
            raise RequestError(f"token {i} is {b!r} to the base and {a!r} to the model")


SUMMARY: dict[str, Callable[[Divergence], float | None]] = {
    "perplexity": lambda d: perplexity_of(d.nats.mean()),
    "perplexity_error": lambda d: perplexity_error(d.nats),
    "base_perplexity": lambda d: perplexity_of(d.base_nats.mean()),
    "base_perplexity_error": lambda d: perplexity_error(d.base_nats),
    # of the ratio of the two: their errors are mostly the same ones
    "ln_ratio": lambda d: float((d.nats - d.base_nats).mean()),
    "ln_ratio_error": lambda d: error(d.nats - d.base_nats),
    "kl": lambda d: float(d.kl.mean()),
    "kl_error": lambda d: error(d.kl),
    "kl_median": lambda d: float(np.median(d.kl)),
    "kl_90": lambda d: float(np.percentile(d.kl, 90)),
    "kl_99": lambda d: float(np.percentile(d.kl, 99)),
    "kl_max": lambda d: float(d.kl.max()),
    "same_top": lambda d: float(d.same_top.mean()),
    "same_top_error": lambda d: error(d.same_top),
    "delta_p": lambda d: float(d.delta_p.mean()),
    "delta_p_error": lambda d: error(d.delta_p),
    "delta_p_rms": lambda d: float(np.sqrt(np.mean(d.delta_p**2))),
}
