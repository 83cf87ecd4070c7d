"""The packaged model as the quizzes look at it: its sizes, its tokens, its residual stream.

Owns: loading it once and the quantities that questions about it need. Must not know: banks,
students. Read before: ``minengine/engine.py``. Every number is read off the loaded file, so a
retrained model changes answers, not questions.
"""

from __future__ import annotations

import functools
import itertools
import math

import numpy as np

from minengine import oracle
from minengine.engine import Engine
from minengine.kvcache import BlockPool


@functools.cache
def packaged() -> Engine:
    """The packaged model, loaded once; what it computes is exact, so that answers are."""
    return Engine(mode="exact")


def model_size(name: str) -> int:
    """One of the model's sizes: "n_layers", "D", "H", "G", "E", "F", "V", "context_length"."""
    return int(getattr(packaged().model.hparams, name))


def model_parameters(part: str) -> int:
    """Elements of the tensors whose names start so: "blk.0.", "token_embd", "" for all."""
    tensors = packaged().model.file.tensors
    return sum(math.prod(t.shape) for name, t in tensors.items() if name.startswith(part))


def model_kv_bytes(S: int, format_name: str = "F16") -> int:
    """Bytes of keys and values of S tokens of the packaged model."""
    h = packaged().model.hparams
    return BlockPool(1, 1, h.n_layers, h.G, h.E, format_name).n_bytes * S


def token_count(text: str, bos: int = 1) -> int:
    """Tokens of a text, the beginning-of-sequence token included unless ``bos`` is 0."""
    return len(packaged().tokenize(text, add_special=bool(bos)))


@functools.lru_cache(maxsize=256)
def greedy_text(prompt: str, n: int = 6) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Texts of the n most probable next tokens, and by how much each one's logit leads the next."""
    engine = packaged()
    logits = engine.logits(engine.tokenize(prompt))[-1]
    order = np.argsort(-logits, kind="stable")[: n + 1]
    texts = tuple(engine.detokenize([int(i)]) for i in order[:n])
    return texts, tuple(float(logits[a] - logits[b]) for a, b in itertools.pairwise(order))


def residual_rms(text: str, after: int) -> float:
    """Root mean square of the residual stream of a text's last token after ``after`` layers."""
    return residual_stream(text)[after]


@functools.lru_cache(maxsize=256)
def residual_stream(text: str) -> tuple[float, ...]:
    """RMS of the last token's row after the embedding and after each layer, by the oracle."""
    h = packaged().model.hparams
    ids = np.array(packaged().tokenize(text))
    x = oracle.embed(packaged().model.token_embd.dequantize(), ids)
    sizes = [float(np.sqrt(np.mean(x[-1] ** 2)))]
    for weights in layer_weights():
        x, _ = oracle.layer(
            x, weights, np.arange(len(ids)),
            n_heads=h.H, n_kv_heads=h.G, eps=h.eps, base=h.rope_base,
        )  # fmt: skip
        sizes.append(float(np.sqrt(np.mean(x[-1] ** 2))))
    return tuple(sizes)


@functools.cache
def layer_weights() -> tuple[dict[str, np.ndarray], ...]:
    """The weights of every layer as float64, by name."""
    return tuple(
        {
            name: np.asarray(w if isinstance(w, np.ndarray) else w.dequantize(), np.float64)
            for name, w in vars(layer).items()
            if w is not None
        }
        for layer in packaged().model.layers
    )
