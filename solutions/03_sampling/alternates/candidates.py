"""As llama.cpp has it: a list of candidates (id, logit) that is sorted and cut, and a row made of it at the end."""

import math
from dataclasses import dataclass

import numpy as np


@dataclass
class Candidate:
    id: int
    logit: float
    p: float = 0.0


def candidates_of(logits):
    return [Candidate(i, float(v)) for i, v in enumerate(logits) if v != -math.inf]


def weigh(found):
    """Sort by logit, give each candidate its probability."""
    found.sort(key=lambda c: c.logit, reverse=True)
    for c in found:
        c.p = math.exp(c.logit - found[0].logit)
    total = sum(c.p for c in found)
    for c in found:
        c.p /= total
    return found


def row_from(found, n):
    row = np.full(n, -np.inf)
    for c in found:
        row[c.id] = c.logit
    return row


def softmax(logits):
    found = candidates_of(logits)
    if not found or any(math.isnan(c.logit) or c.logit == math.inf for c in found):
        raise ValueError("these logits have no distribution")
    row = np.zeros(len(logits))
    for c in weigh(found):
        row[c.id] = c.p
    return row


def greedy(logits):
    found = candidates_of(logits)
    if any(c.logit != c.logit for c in found):
        raise ValueError("NaN among the logits")
    return max(found, key=lambda c: (c.logit, -c.id)).id


def temperature(logits, t):
    found = candidates_of(logits)
    if t <= 0:
        best = greedy(logits)
        return row_from([c for c in found if c.id == best], len(logits))
    for c in found:
        c.logit /= t
    return row_from(found, len(logits))


def top_k(logits, k):
    found = weigh(candidates_of(logits))
    return row_from(found[:k] if k > 0 else found, len(logits))


def top_p(logits, p, min_keep=1):
    found = weigh(candidates_of(logits))
    if p < 1:
        total, last = 0.0, len(found)
        for i, c in enumerate(found):
            total += c.p
            if total >= p and i + 1 >= min_keep:
                last = i + 1
                break
        del found[last:]
    return row_from(found, len(logits))


def min_p(logits, p, min_keep=1):
    found = weigh(candidates_of(logits))
    if p > 0:
        found = [c for i, c in enumerate(found) if i < min_keep or c.p >= p * found[0].p]
    return row_from(found, len(logits))


def typical(logits, p):
    found = weigh(candidates_of(logits))
    if p < 1:
        found = [c for c in found if c.p]
        entropy = sum(-c.p * math.log(c.p) for c in found)
        found.sort(key=lambda c: abs(math.log(c.p) + entropy))
        total = 0.0
        for i, c in enumerate(found):
            total += c.p
            if total > p:
                found = found[: i + 1]
                break
    return row_from(found, len(logits))


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    found = candidates_of(logits)
    recent = [] if last_n == 0 else list(history) if last_n < 0 else list(history)[-last_n:]
    for c in found:
        n = recent.count(c.id)
        if n:
            c.logit *= repeat if c.logit <= 0 else 1 / repeat
            c.logit -= n * frequency + presence
    return row_from(found, len(logits))


def draw(logits, u):
    found = sorted(weigh(candidates_of(logits)), key=lambda c: c.id)
    found = [c for c in found if c.p]
    total = 0.0
    for c in found:
        total += c.p
        if total >= u:
            return c.id
    return found[-1].id


def draw_many(logits, n, seed):
    """By a generator of our own: a multiplication modulo a prime (Lehmer), its first numbers thrown away."""
    found = sorted(weigh(candidates_of(logits)), key=lambda c: c.id)
    edges = np.cumsum([c.p for c in found])
    state, numbers = (seed * 2 + 1) % (2**61 - 1), []
    for _ in range(n + 20):
        state = state * 437799614237992725 % (2**61 - 1)
        numbers.append(state / (2**61 - 1))
    places = np.searchsorted(edges, np.array(numbers[20:]) * edges[-1])
    return np.array([found[i].id for i in places], np.int32)


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau = tau
        self.eta = eta
        self.mu = 2 * tau

    def step(self, logits, u):
        found = weigh(candidates_of(logits))
        while len(found) > 1 and -math.log2(found[-1].p) > self.mu:
            found.pop()
        return self.finish(found, len(logits), u)

    def finish(self, found, n, u):
        token = draw(row_from(found, n), u)
        p = next(c.p for c in weigh(found) if c.id == token)
        error = -math.log2(p) - self.tau
        self.mu -= self.eta * error
        return [token, self.mu]


class Mirostat1:
    def __init__(self, tau, eta):
        self.inner = Mirostat2(tau, eta)

    def step(self, logits, u):
        found = weigh(candidates_of(logits))
        m = min(100, len(found))
        pairs = [
            (math.log((i + 2) / (i + 1)), math.log(found[i].p / found[i + 1].p)) for i in range(m - 1)
        ]
        s = sum(t * b for t, b in pairs) / sum(t * t for t, _ in pairs)
        k = pow((s - 1) * 2**self.inner.mu / (1 - pow(len(logits), 1 - s)), 1 / s)
        return self.inner.finish(found[: max(1, int(k))], len(logits), u)


class Sampler:
    def __init__(
        self, uniforms, bias=None, last_n=64, repeat=1.0, frequency=0.0, presence=0.0,
        top_k=40, typical_p=1.0, top_p=0.95, min_p=0.05, temp=0.8,
    ):
        def numbers():
            yield from uniforms

        self.numbers = numbers()
        self.bias = dict(bias) if bias else {}
        self.said = []
        self.settings = (last_n, repeat, frequency, presence), top_k, typical_p, top_p, min_p, temp

    def accept(self, token):
        self.said.append(int(token))

    def filter(self, logits):
        penalty, k, typical_mass, p, least, t = self.settings
        x = np.array([float(v) + self.bias.get(i, 0.0) for i, v in enumerate(logits)])
        x = top_k(penalties(x, self.said, *penalty), k)
        x = min_p(top_p(typical(x, typical_mass), p), least)
        return temperature(x, t)

    def sample(self, logits):
        token = draw(self.filter(logits), next(self.numbers))
        self.said.append(token)
        return token
