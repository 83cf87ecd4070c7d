"""Samplers that look back: what was said already becomes less likely.

Owns: the repetition penalties and DRY. Must not know: random numbers, the network. Read before:
``candidates.py``.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from minengine.candidates import Candidates, F


def penalties(
    c: Candidates, history: Sequence[int], last_n: int, repeat: float, frequency: float,
    presence: float,
) -> Candidates:  # fmt: skip
    """Make the tokens of the last ``last_n`` less likely.

    A logit above 0 is divided by ``repeat``, one below multiplied; then ``count * frequency +
    presence`` is taken away. Keskar et al. 2019, "CTRL", section 4.1, with the sign respected.
    """
    recent = history[-last_n:] if last_n > 0 else []
    if not recent or (repeat == 1 and frequency == 0 and presence == 0):
        return c
    counts = Counter(recent)
    said = np.flatnonzero(np.isin(c.ids, np.fromiter(counts, np.int64, len(counts))))
    n = np.array([counts[int(i)] for i in c.ids[said]], F)
    x = c.logits[said]
    logits = c.logits.copy()
    logits[said] = np.where(x <= 0, x * F(repeat), x / F(repeat))
    logits[said] -= n * F(frequency) + F(presence)
    return c.weigh(logits)


def dry(
    c: Candidates, history: Sequence[int], multiplier: float, base: float, allowed_length: int,
    last_n: int, breakers: Mapping[int, Sequence[Sequence[int]]],
) -> Candidates:  # fmt: skip
    """Make a token less likely that would make a repeated passage longer ("don't repeat yourself").

    Where the last L >= ``allowed_length`` tokens stood before, what followed them loses
    ``multiplier * base^(L - allowed_length)``. A passage does not reach over a breaker:
    ``breakers`` maps the first token of each to the tokens that may follow it, none where the token
    alone is one.
    """
    recent = list(history[-last_n:]) if last_n > 0 else []
    if multiplier == 0 or base < 1 or len(recent) <= allowed_length:
        return c
    longest = repeat_limit(recent, breakers)
    if longest < allowed_length:
        return c
    most: dict[int, int] = {}
    for at, n in enumerate(suffix_lengths(recent)):
        n = min(n, longest)
        if n >= allowed_length:
            most[recent[at + 1]] = max(most.get(recent[at + 1], 0), n)
    highest = int(88.7228391 / math.log(base)) if base > 1.000001 else 0
    logits = c.logits.copy()
    for token, n in most.items():
        if [] in [list(tail) for tail in breakers.get(token, ())]:
            continue
        power = n - allowed_length
        power = min(power, highest) if highest > 0 else power
        logits[c.ids == token] -= F(F(multiplier) * np.power(F(base), F(power)))
    return c.weigh(logits)


def repeat_limit(recent: Sequence[int], breakers: Mapping[int, Sequence[Sequence[int]]]) -> int:
    """How many of the last tokens lie after the last breaker."""
    n = len(recent)
    for back in range(n):  # from the last token
        tails = breakers.get(recent[n - 1 - back])
        if tails is None:
            continue
        after = recent[n - back :]
        fits = [len(t) for t in tails if len(t) <= back and list(t) == list(after[: len(t)])]
        if fits:
            return back - max(fits)
    return n


def suffix_lengths(tokens: Sequence[int]) -> list[int]:
    """For each place but the last: how many tokens up to it equal the last ones of the whole.

    The Z-algorithm on the reversed sequence: O(n).
    """
    s, n = tokens[::-1], len(tokens)
    z, left, right = [0] * n, 0, 0
    for k in range(1, n):
        if k < right:
            z[k] = min(right - k, z[k - left])
        while k + z[k] < n and s[z[k]] == s[k + z[k]]:
            z[k] += 1
        if k + z[k] > right:
            left, right = k, k + z[k]
    return z[:0:-1]


def breakers_of(
    pieces: Sequence[bytes], encode: Callable[[bytes], list[int]], texts: Sequence[bytes]
) -> dict[int, list[list[int]]]:
    """DRY's breakers for a vocabulary: token -> what must follow it to make one of the texts.

    ``pieces[i]`` is what token i prints. A token that has a text inside is a breaker alone; one
    that ends in the beginning of a text is one together with the tokens of the rest, 20 at most.
    """
    found: dict[int, list[list[int]]] = {}
    for text in (t[:40] for t in texts if t):
        for i, piece in enumerate(pieces):
            if text in piece:
                found.setdefault(i, []).append([])
                continue
            for n in range(1, min(len(text), len(piece) + 1)):
                tail = encode(text[n:])[:20] if piece.endswith(text[:n]) else None
                if tail is not None and tail not in found.get(i, ()):
                    found.setdefault(i, []).append(tail)
    return found
