"""Answers about sampling: what a chain leaves of a distribution, draws, mirostat, measures of text.

Owns: what bank 2.4 asks. Must not know: YAML, students. Read before: ``minengine/sampling.py``,
``candidates.py``, ``penalties.py``, ``draws.py``. Distributions come as texts of probabilities,
"0.5 0.25 0.25"; their tokens are 0, 1, 2, ... in that order.
"""

from __future__ import annotations

import functools
import math

import numpy as np

from minengine import Engine, oracle
from minengine.candidates import Candidates, typical_p
from minengine.draws import Mirostat
from minengine.penalties import penalties
from minengine.perplexity import perplexity_of
from minengine.sampling import SAMPLERS, Chain
from quizzes.errors import Unclear
from quizzes.specimen import packaged


def numbers(text: str) -> np.ndarray:
    """A text of numbers as an array."""
    return np.array([float(x) for x in text.split()])


def logits_of(p: str) -> np.ndarray:
    """Logits of a distribution."""
    with np.errstate(divide="ignore"):
        return np.log(numbers(p))


def left(p: str, samplers: str, **options: float) -> Candidates:
    """What the engine's chain leaves of a distribution. Unclear where a sum falls on a bound."""
    kept = np.sort(numbers(p))[::-1][: int(options.get("top_k", 0)) or None]
    for name, values in (("top_p", np.cumsum(kept) / kept.sum()), ("min_p", kept / kept[0])):
        if name in options and np.abs(values - options[name]).min() < 1e-3:
            raise Unclear(f"{name} {options[name]} lies on a bound of {p}")
    return Chain(samplers=samplers, seed=1, **options).candidates(logits_of(p))


# Temperature and greedy


def softmax_at(logits: str, t: float, which: int = 0) -> float:
    """Probability of a token at a temperature."""
    return float(oracle.softmax(oracle.temperature(numbers(logits), t))[which])


def softmax_at_mistake(mistake: str, logits: str, t: float) -> float:
    """The same with the temperature multiplied, on probabilities, or left out."""
    x = numbers(logits)
    p = oracle.softmax(x)
    return {
        "multiplied": float(oracle.softmax(x * t)[0]),
        "on-probabilities": float(oracle.softmax(p / t)[0]),
        "left-out": float(p[0]),
    }[mistake]


@functools.cache
def temperature_claim(claim: str) -> bool:
    """Does it hold for every rise of the temperature, on two hundred random distributions?"""
    rng = np.random.default_rng(23)
    for x in rng.normal(size=(200, 5)) * 3:
        low, high = (oracle.softmax(oracle.temperature(x, t)) for t in (0.7, 1.4))
        first, second = np.argsort(-x)[:2]
        held = {
            "first falls": high[first] < low[first],
            "second rises": high[second] > low[second],
            "order stays": (np.argsort(high) == np.argsort(low)).all(),
            "entropy rises": entropy(high) > entropy(low),
            "odds halve": np.isclose(
                2 * high[first] / high[second], low[first] / low[second], rtol=1e-3
            ),
        }[claim]
        if not held:
            return False
    return True


def entropy(p: np.ndarray) -> float:
    """Entropy in nats of a distribution without zeros."""
    return float(-np.sum(p * np.log(p)))


# What is cut


def n_left_top_p(p: str, top_p: float) -> int:
    """Tokens that top-p leaves of a distribution."""
    return len(left(p, "top_p", top_p=top_p))


def n_short_of_top_p(p: str, top_p: float) -> int:
    """Tokens of the longest beginning whose sum stays below p: the crossing one dropped."""
    return int(np.sum(np.cumsum(np.sort(numbers(p))[::-1]) < top_p))


def n_left_top_k_p(p: str, top_k: int, top_p: float) -> int:
    """Tokens that top-k and then top-p leave."""
    return len(left(p, "top_k;top_p", top_k=top_k, top_p=top_p))


def n_left_min_p(p: str, min_p: float) -> int:
    """Tokens that min-p leaves of a distribution."""
    return len(left(p, "min_p", min_p=min_p))


def n_at_least(p: str, least: float) -> int:
    """Tokens of at least a probability: min-p taken for an absolute bound."""
    return int(np.sum(numbers(p) >= least))


def n_near(p: str, min_p: float) -> int:
    """Tokens at most min_p less likely than the likeliest: a difference taken for a ratio."""
    return int(np.sum(numbers(p) >= numbers(p).max() - min_p))


def n_left_in_order(samplers: str, p: str, t: float, min_p: float) -> int:
    """Tokens that temperature and min-p leave, in this order."""
    return len(left(p, samplers, temperature=t, min_p=min_p))


@functools.cache
def order_matters(first: str, second: str) -> bool:
    """Do two steps of the chain in one order and in the other ever leave different tokens?"""
    options = {"top_k": 4, "top_p": 0.8, "min_p": 0.15, "temperature": 2.0}
    for x in np.random.default_rng(29).normal(size=(200, 8)) * 2:
        found = [
            set(Chain(samplers=s, seed=1, **options).candidates(x).ids.tolist())
            for s in (f"{first};{second}", f"{second};{first}")
        ]
        if found[0] != found[1]:
            return True
    return False


def typical_first(p: str) -> int:
    """The token that locally typical sampling would keep if it kept one."""
    kept = typical_p(Candidates(np.arange(len(numbers(p))), logits_of(p).astype(np.float32)), 0.01)
    return int(kept.ids[0])


def is_typical(p: str, which: int) -> bool:
    """Is that the token at an index, counted from the end where it is negative?"""
    return typical_first(p) == which % len(numbers(p))


def likeliest(p: str) -> int:
    """The token of the largest probability."""
    return int(np.argmax(numbers(p)))


def sampler_place(name: str) -> int:
    """Where a step stands in the engine's chain."""
    return [row.name for row in SAMPLERS].index(name) + 1


# Penalties and draws


def penalized(
    logit: float, n: int, repeat: float = 1.0, frequency: float = 0.0, presence: float = 0.0
) -> float:
    """A token's logit after the penalties, when it stands n times among the last tokens."""
    c = Candidates(np.array([0, 1], np.int32), np.array([logit, 0.0], np.float32))
    return float(penalties(c, [0] * n, 64, repeat, frequency, presence).logits[0])


def penalized_mistake(mistake: str, logit: float, n: int, repeat: float = 1.0) -> float:
    """The same with the sign taken the wrong way, once for each use, or subtracted."""
    return {
        "wrong-way": logit * repeat if logit > 0 else logit / repeat,
        "each-use": logit / repeat**n if logit > 0 else logit * repeat**n,
        "subtracted": logit - repeat,
    }[mistake]


def drawn(p: str, u: float) -> int:
    """The token that inverse sampling picks by a uniform number. Unclear near a step."""
    steps = np.cumsum(numbers(p))
    if np.abs(steps - u).min() < 1e-3:
        raise Unclear(f"{u} lies on a step of {p}")
    return oracle.draw(logits_of(p), u)


def mirostat_mu(tau: float, eta: float, mu: float, p: float) -> float:
    """The bound after a token of probability p (among those that were kept) was drawn."""
    state = Mirostat(2, tau, eta)
    state.mu, state.drawn = mu, p
    state.learn()
    return state.mu


def mirostat_mu_mistake(mistake: str, tau: float, eta: float, mu: float, p: float) -> float:
    """The same in nats, with the sign turned, or towards tau itself."""
    surprise = -math.log2(p)
    return {
        "nats": mu - eta * (-math.log(p) - tau),
        "sign": mu + eta * (surprise - tau),
        "no-target": mu - eta * surprise,
        "from-tau": tau - eta * (surprise - tau),
    }[mistake]


def mirostat_kept(p: str, mu: float) -> int:
    """Tokens that mirostat 2 keeps of a distribution by its bound."""
    state = Mirostat(2, mu / 2, 0.1)  # mu begins at twice tau
    state.n_vocab = len(numbers(p))
    x = logits_of(p).astype(np.float32)
    return len(state.keep(Candidates(np.arange(len(x)), x)))


def mirostat_kept_nats(p: str, mu: float) -> int:
    """The same with the surprise in nats."""
    return max(1, int(np.sum(-np.log(numbers(p)) <= mu)))


# Measures, seeds


def perplexity(p: str) -> float:
    """Perplexity of a text whose tokens got these probabilities."""
    return perplexity_of(float(-np.mean(np.log(numbers(p)))))


def perplexity_mistake(mistake: str, p: str) -> float:
    """The same by the mean of reciprocals, the reciprocal of the mean, or the exponent alone."""
    q = numbers(p)
    return {
        "mean-reciprocal": float(np.mean(1 / q)),
        "reciprocal-mean": float(1 / np.mean(q)),
        "nats": float(-np.mean(np.log(q))),
        "bases": float(2 ** -np.mean(np.log(q))),
    }[mistake]


@functools.cache
def same_text(change: str) -> bool:
    """Does the packaged model write the same text when this alone is changed?"""
    base = {"max_tokens": 24, "seed": 5, "temperature": 0.9}
    prompt, plain = "What is the", packaged()
    first = "".join(plain.generate(prompt, **base))
    if change == "neighbours":
        other = plain.generate("My lord, I", max_tokens=24, seed=1)
        next(other)
        second = "".join(plain.generate(prompt, **base))
        other.close()
    elif change == "threads":
        second = "".join(Engine(n_threads=1, block_size=16, mode="exact").generate(prompt, **base))
    elif change in ("greedy seed", "one candidate"):
        alone = {"greedy": True} if change == "greedy seed" else {"top_k": 1}
        texts = (plain.generate(prompt, max_tokens=24, seed=s, **alone) for s in (5, 6))
        first, second = map("".join, texts)
    else:
        changed = {
            "seed": {"seed": 6},
            "temperature": {"temperature": 1.3},
        }[change]
        second = "".join(plain.generate(prompt, **(base | changed)))
    return first == second


ROWS = (
    drawn,
    is_typical,
    likeliest,
    mirostat_kept,
    mirostat_kept_nats,
    mirostat_mu,
    mirostat_mu_mistake,
    n_at_least,
    n_left_in_order,
    n_left_min_p,
    n_left_top_k_p,
    n_left_top_p,
    n_near,
    n_short_of_top_p,
    order_matters,
    penalized,
    penalized_mistake,
    perplexity,
    perplexity_mistake,
    same_text,
    sampler_place,
    softmax_at,
    softmax_at_mistake,
    temperature_claim,
)
