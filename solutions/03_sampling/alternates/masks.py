"""Masks and partitions, float32 results, nothing sorted that need not be; of equal logits the last stay."""

import numpy as np


def softmax(logits):
    x = np.array(logits, dtype=np.float32)
    if not np.isfinite(x[x > -np.inf]).all() or not (x > -np.inf).any() or np.isnan(x).any():
        raise ValueError(x)
    x -= np.max(x)
    np.exp(x, out=x)
    x /= x.sum(dtype=np.float64)
    return x


def greedy(logits):
    if (logits != logits).any():
        raise ValueError("nan")
    return np.flatnonzero(logits == np.max(logits))[0]


def masked(logits, mask):
    out = np.array(logits, dtype=np.float32)
    out[~mask] = -np.inf
    return out


def temperature(logits, t):
    if t <= 0:
        return masked(logits, np.arange(len(logits)) == greedy(logits))
    out = np.array(logits, dtype=np.float32)
    out /= np.float32(t)
    return out


def largest(logits, n):
    """True for n of the largest; of equal ones those with the highest ids."""
    mask = np.ones(len(logits), bool)
    if n < len(logits):
        bound = np.partition(np.asarray(logits, np.float64), len(logits) - n)[len(logits) - n]
        mask = logits > bound
        tied = np.flatnonzero(logits == bound)
        spare = n - int(mask.sum())
        if spare:
            mask[tied[-spare:]] = True
    return mask


def top_k(logits, k):
    return masked(logits, largest(logits, k if k > 0 else len(logits)))


def top_p(logits, p, min_keep=1):
    if p >= 1:
        return masked(logits, np.ones(len(logits), bool))
    q = -np.sort(-softmax(logits).astype(np.float64))
    n = int(np.argmax(np.cumsum(q) >= p)) + 1
    return masked(logits, largest(logits, max(n, min_keep)))


def min_p(logits, p, min_keep=1):
    if p <= 0:
        return np.array(logits, np.float32)
    q = softmax(logits)
    mask = q >= p * q.max()
    return masked(logits, mask if mask.sum() >= min_keep else largest(logits, min_keep))


def typical(logits, p):
    if p >= 1:
        return np.array(logits, np.float32)
    q = softmax(logits).astype(np.float64)
    logs = np.log(q, where=q > 0, out=np.zeros_like(q))
    distance = np.where(q > 0, np.abs(logs - (q * logs).sum()), np.inf)
    order = np.lexsort((-np.arange(len(q)), distance))
    before = np.concatenate([[0.0], np.cumsum(q[order])[:-1]])
    mask = np.zeros(len(q), bool)
    mask[order] = before <= max(p, 0)
    return masked(logits, mask & (q > 0))


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    n = len(history) if last_n < 0 else min(last_n, len(history))
    recent = np.asarray(history, dtype=np.int64)[len(history) - n :]
    times = np.bincount(recent, minlength=len(logits))
    x = np.array(logits, np.float32)
    x = np.where((times > 0) & (x > 0), x / np.float32(repeat), x)
    x = np.where((times > 0) & (np.array(logits) <= 0), x * np.float32(repeat), x)
    return (x - times * np.float32(frequency) - (times > 0) * np.float32(presence)).astype(np.float32)


def draw(logits, u):
    running = np.cumsum(softmax(logits), dtype=np.float64)
    reached = (running >= u * running[-1]) & (softmax(logits) > 0)
    return np.argmax(reached)


def draw_many(logits, n, seed):
    return np.random.RandomState(seed % 2**32).choice(len(logits), size=n, p=softmax(np.float64(logits)).astype(np.float64) / softmax(np.float64(logits)).astype(np.float64).sum())


class Steered:
    def __init__(self, tau, eta):
        self.eta, self.tau, self.mu = eta, tau, tau + tau

    def step(self, logits, u):
        row = masked(logits, self.mask(np.asarray(logits, np.float64)))
        token = draw(row, u)
        self.mu += self.eta * (self.tau + np.log2(np.float64(softmax(row)[token])))
        return np.int32(token), np.float64(self.mu)


class Mirostat2(Steered):
    def mask(self, logits):
        q = softmax(logits)
        mask = q >= 2.0**-self.mu
        return mask | largest(logits, 1)


class Mirostat1(Steered):
    def mask(self, logits):
        q = -np.sort(-softmax(logits).astype(np.float64))[:None]
        m = min(100, len(q))
        b = -np.diff(np.log(q[:m]))
        t = np.diff(np.log(np.arange(1, m + 1)))
        s = np.dot(t, b) / np.dot(t, t)
        k = np.exp((np.log((s - 1) / (1 - len(q) ** (1 - s))) + self.mu * np.log(2)) / s)
        return largest(logits, int(np.clip(np.floor(k), 1, len(q))))


class Sampler:
    def __init__(
        self, uniforms, bias=None, last_n=64, repeat=1.0, frequency=0.0, presence=0.0,
        top_k=40, typical_p=1.0, top_p=0.95, min_p=0.05, temp=0.8,
    ):
        self.__dict__.update(locals())
        self.uniforms = np.array(uniforms, np.float64)
        self.history = np.zeros(0, np.int64)

    def accept(self, token):
        self.history = np.append(self.history, token)

    def filter(self, logits):
        x = logits.astype(np.float32)
        if self.bias:
            ids = list(self.bias)
            x[ids] += np.array([self.bias[i] for i in ids], np.float32)
        x = penalties(x, self.history, self.last_n, self.repeat, self.frequency, self.presence)
        return temperature(
            min_p(top_p(typical(top_k(x, self.top_k), self.typical_p), self.top_p), self.min_p), self.temp
        )

    def sample(self, logits):
        u, self.uniforms = self.uniforms[0], self.uniforms[1:]
        token = draw(self.filter(logits), u)
        self.accept(int(token))
        return token
