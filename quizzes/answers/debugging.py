"""Answers about debugging: what known bugs do to the packaged model, to numbers and to samples.

Owns: what bank 2.6 asks, and ``FAULTS``. Must not know: YAML, students. Read before:
``specimen.py``, ``minengine/oracle.py`` (layer, PARTS). The oracle runs the packaged model with one
part wrong, so that which test sees which bug is measured, not claimed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import SimpleNamespace

import numpy as np

from minengine import Engine, oracle
from quizzes.errors import Unclear
from quizzes.specimen import layer_weights, packaged

from .sampling import logits_of, numbers

SEEN = 1e-5  # nrms from which two engines differ by more than the rounding of float32
TEXT = "What is the matter, my lord?"


# One part of the network wrong


def eps_outside(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """RMSNorm with eps added to the root, and large enough to be seen."""
    return x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + 0.01) * weight


def eps_moved(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """RMSNorm with the model's own eps added to the root."""
    return x / (np.sqrt(np.mean(x * x, axis=-1, keepdims=True)) + eps) * weight


def interleaved(q: np.ndarray, k: np.ndarray, v: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Query head h reads key/value head h % G."""
    G = k.shape[1]
    order = np.argsort(np.arange(q.shape[1]) % G, kind="stable")
    out = np.empty_like(q)
    out[:, order] = oracle.attention(q[:, order], k, v, mask)
    return out


FAULTS: dict[str, dict[str, Callable]] = {
    "": {},
    "eps-outside": {"rms_norm": eps_outside},
    "eps-moved": {"rms_norm": eps_moved},
    "pairing": {"rope": lambda x, p, base: oracle.rope(x, p, base, pairing="neox")},
    "sign": {"rope": lambda x, p, base: oracle.rope(x, -np.asarray(p), base)},
    "from-one": {"rope": lambda x, p, base: oracle.rope(x, np.asarray(p) + 1, base)},
    "restarts": {"rope": lambda x, p, base: oracle.rope(x, np.arange(len(p)), base)},
    "values-turned": {"attention": lambda q, k, v, m: oracle.attention(q, k, v[..., ::-1], m)},
    "interleaved": {"attention": interleaved},
    "no-scale": {"attention": lambda q, k, v, m: oracle.attention(q, k, v, m, scale=1.0)},
    "no-mask": {"causal_mask": lambda t, s: np.ones((t, s), bool)},
    "top-left": {"causal_mask": lambda t, s: np.tri(t, s, dtype=bool)},
    "swapped": {"swiglu": lambda x, gate, up, down: oracle.swiglu(x, up, gate, down)},
}


@functools.lru_cache(maxsize=128)
def streams(
    fault: str, n: int, cut: int = 0, layer: int = -1, half: bool = False, text: str = TEXT
) -> np.ndarray:
    """The residual stream of a text's last token after the embedding and each layer: (L + 1, D).

    Its first n tokens are read, with ``cut`` in two passes through a cache; ``layer`` says which
    layer has the fault, all of them where it is negative; ``half`` keeps keys and values in F16.
    """
    ids, h = np.array(packaged().tokenize(text))[:n], packaged().model.hparams
    right, wrong = (vars(oracle.PARTS) | FAULTS[name] for name in ("", fault))
    if half:
        right, wrong = (p | {"attention": from_half(p["attention"])} for p in (right, wrong))
    kept: list = [None] * h.n_layers
    for first, last in ((0, cut), (cut, len(ids))) if cut else ((0, len(ids)),):
        x = oracle.embed(packaged().model.token_embd.dequantize(), ids[first:last])
        rows = [x[-1]]
        for i, weights in enumerate(layer_weights()):
            x, kept[i] = oracle.layer(
                x, weights, np.arange(first, last), n_heads=h.H, n_kv_heads=h.G, eps=h.eps,
                base=h.rope_base, past=kept[i],
                parts=SimpleNamespace(**(wrong if layer in (i, -1) else right)),
            )  # fmt: skip
            rows.append(x[-1])
    return np.array(rows)


def from_half(attention: Callable) -> Callable:
    """Attention that reads keys and values from a cache in F16."""
    return lambda q, k, v, mask: attention(q, *(x.astype(np.float16) for x in (k, v)), mask)


def nrms(got: np.ndarray, want: np.ndarray) -> float:
    """Root mean square of the error over the standard deviation of what is wanted."""
    return float(np.sqrt(np.mean((got - want) ** 2)) / np.std(want))


def fault_shows(fault: str, n: int, cut: int = 0) -> bool:
    """Does the last token of n differ from a right engine's by more than rounding?"""
    return nrms(streams(fault, n, cut)[-1], streams("", n, cut)[-1]) > SEEN


def fault_hides(fault: str, n: int) -> bool:
    """Is the last token of n the same as a right engine's, but for rounding?"""
    return not fault_shows(fault, n)


def two_passes_differ(fault: str, n: int, cut: int) -> bool:
    """Does an engine with the fault differ from itself when a text is read in two passes?"""
    return nrms(streams(fault, n, cut)[-1], streams(fault, n)[-1]) > SEEN


def divergence(fault: str, broken: int) -> list[float]:
    """nrms after the embedding and each layer of an engine with an F16 cache that is wrong in one
    layer, beside a right one with an F32 cache.
    """
    pairs = zip(streams(fault, 8, 0, broken, True), streams("", 8), strict=True)
    return [nrms(a, b) for a, b in pairs]


def divergence_list(fault: str, broken: int) -> str:
    """The same as a list of lines."""
    first, *rest = divergence(fault, broken)
    lines = [f"- embedding: {first:.1e}"]
    lines += [f"- after layer {i}: {error:.1e}" for i, error in enumerate(rest)]
    return "\n".join(lines)


def broken_layer(fault: str, broken: int) -> int:
    """The layer after which the error is most times what it was before, the embedding left out."""
    errors = divergence(fault, broken)[1:]
    before = [max(errors[0], 1e-9), *errors]
    return int(np.argmax([e / b for e, b in zip(errors, before, strict=False)]))


def layer_number(layer: int) -> int:
    """A layer that somebody may name."""
    return layer


@functools.lru_cache(maxsize=64)
def cache_error(text: str, format_name: str) -> float:
    """nrms of the last token's logits with a cache in a format, beside one in F32."""
    want = packaged().logits(packaged().tokenize(text))[-1]
    with Engine(cache_format=format_name, mode="exact") as engine:
        return nrms(engine.logits(engine.tokenize(text))[-1], want)


@functools.lru_cache(maxsize=64)
def fault_error(fault: str, text: str) -> float:
    """nrms of the last token's logits with a fault in every layer."""
    model = packaged().model
    got, want = (
        oracle.matmul(
            oracle.rms_norm(streams(name, len(text), text=text)[-1], model.output_norm),
            model.output.dequantize(),
        )
        for name in (fault, "")
    )
    return nrms(got, want)


def nrms_of(a: float, b: float, c: float, d: float, error: float) -> float:
    """nrms of logits (a, b, c, d) of which the first is off by ``error`` and the third by twice."""
    want = np.array([a, b, c, d], np.float64)
    return nrms(want + np.array([error, 0.0, 2 * error, 0.0]), want)


def nrms_of_mistake(mistake: str, a: float, b: float, c: float, d: float, error: float) -> float:
    """The same without division, over the root mean square, or as a mean of magnitudes."""
    want, off = np.array([a, b, c, d], np.float64), np.array([error, 0.0, 2 * error, 0.0])
    rms = float(np.sqrt(np.mean(off**2)))
    return {
        "rms": rms,
        "over-rms": rms / float(np.sqrt(np.mean(want**2))),
        "mean": float(np.mean(np.abs(off)) / np.std(want)),
    }[mistake]


def bisect_steps(L: int) -> int:
    """Layers compared, at most, to find the first of L that differs, if the last one does."""
    worst = 0
    for first in range(L):
        low, high, n = 0, L - 1, 0
        while low < high:
            middle, n = (low + high) // 2, n + 1
            low, high = (low, middle) if first <= middle else (middle + 1, high)
        worst = max(worst, n)
    return worst


# Numbers


def makes_nan(what: str) -> bool:
    """Is the float32 result NaN?"""
    x = {name: np.float32(value) for name, value in (("inf", np.inf), ("0", 0), ("1e3", 1e3))}
    with np.errstate(all="ignore"):
        made = {
            "inf - inf": x["inf"] - x["inf"],
            "0 * inf": x["0"] * x["inf"],
            "exp": np.exp(x["1e3"]),
            "1 / 0": np.float32(1) / x["0"],
            "inf / inf": x["inf"] / x["inf"],
            "exp-down": np.exp(-x["1e3"]),
            "log": np.log(x["0"]),
            "root": np.sqrt(-x["1e3"]),
            "masked": oracle.softmax(np.array([1.0, -np.inf]))[1],
        }[what]
    return bool(np.isnan(made))


def same_rows(n: int, first: int, last: int = -1) -> str:
    """Truth of n rows that stay the same but for rows ``first`` and later, or up to ``last``."""
    end = n if last < 0 else last + 1
    return str([not first <= t < end for t in range(n)])


# Symptoms


WEIGHTS = np.log([[2.0, 2, 1], [1, 3, 4], [7, 2, 1]])  # scores whose softmax has round numbers
MASK = oracle.causal_mask(3, 3)
MASKED = np.where(MASK, WEIGHTS, -np.inf)
WRONG_WEIGHTS: dict[str, Callable[[], np.ndarray]] = {
    "right": lambda: oracle.softmax(MASKED),
    "after": lambda: oracle.softmax(WEIGHTS) * MASK,
    "axis": lambda: oracle.softmax(MASKED, axis=0),
    "none": lambda: oracle.softmax(WEIGHTS),
    "zeroed": lambda: oracle.softmax(WEIGHTS * MASK),
}


def attention_weights(bug: str) -> str:
    """Weights of three queries and keys with a bug, two decimals, as a list of rows."""
    return "\n".join("- " + "  ".join(f"{x:.2f}" for x in row) for row in WRONG_WEIGHTS[bug]())


def weights_bug(bug: str, claim: str) -> bool:
    """Is that the bug of ``attention_weights``?"""
    return told_apart(bug, claim, {name: attention_weights(name) for name in WRONG_WEIGHTS})


def told_apart(bug: str, claim: str, shown: dict[str, str]) -> bool:
    """Is that the bug? Unclear where two of them show the same."""
    if len(set(shown.values())) < len(shown):
        raise Unclear(f"two bugs look alike: {shown}")
    return bug == claim


def sampled_shares(bug: str, p: str, t: float, top_p: float) -> str:
    """Shares of tokens that a chain of temperature, then top-p draws with a bug."""
    cut = WRONG_CHAINS[bug](logits_of(p), t, top_p)
    return "  ".join(f"{share:.2f}" for share in oracle.softmax(cut))


def sampler_bug(bug: str, claim: str, p: str, t: float, top_p: float) -> bool:
    """Is that the bug of ``sampled_shares``?"""
    return told_apart(bug, claim, {b: sampled_shares(b, p, t, top_p) for b in WRONG_CHAINS})


def crossing_dropped(x: np.ndarray, top_p: float) -> np.ndarray:
    """top-p that leaves out the token by which the sum reaches p."""
    p = oracle.softmax(x)
    return np.where(np.cumsum(p) < top_p, x, -np.inf)


WRONG_CHAINS: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "right": lambda x, t, p: oracle.top_p(oracle.temperature(x, t), p),
    "order": lambda x, t, p: oracle.temperature(oracle.top_p(x, p), t),
    "multiplied": lambda x, t, p: oracle.top_p(x * t, p),
    "dropped": lambda x, t, p: crossing_dropped(oracle.temperature(x, t), p),
    "no-cut": lambda x, t, p: oracle.temperature(x, t),
}


def norm_with(bug: str, x: str, eps: float) -> str:
    """A row after RMSNorm with a bug, three decimals; the weight is 0.5 everywhere."""
    return "  ".join(f"{v:.3f}" for v in WRONG_NORMS[bug](numbers(x), 0.5, eps))


def norm_bug(bug: str, claim: str, x: str, eps: float) -> bool:
    """Is that the bug of ``norm_with``?"""
    return told_apart(bug, claim, {name: norm_with(name, x, eps) for name in WRONG_NORMS})


WRONG_NORMS: dict[str, Callable[[np.ndarray, float, float], np.ndarray]] = {
    "right": lambda x, w, eps: oracle.rms_norm(x, np.full(x.size, w), eps),
    "one-plus": lambda x, w, eps: oracle.rms_norm(x, np.full(x.size, 1 + w), eps),
    "outside": lambda x, w, eps: x / (np.sqrt(np.mean(x**2)) + eps) * w,
    "sum": lambda x, w, eps: x / np.sqrt(np.sum(x**2) + eps) * w,
    "centred": lambda x, w, eps: (x - x.mean()) / np.sqrt(np.var(x) + eps) * w,
}

ROWS = (
    attention_weights,
    bisect_steps,
    broken_layer,
    cache_error,
    divergence_list,
    fault_error,
    fault_hides,
    fault_shows,
    layer_number,
    makes_nan,
    norm_bug,
    norm_with,
    nrms_of,
    nrms_of_mistake,
    same_rows,
    sampled_shares,
    sampler_bug,
    two_passes_differ,
    weights_bug,
)
