"""Plain Python: lists, floats and loops; NumPy only where a row is handed back."""

import math
import random


def softmax(logits):
    values = [float(v) for v in logits]
    top = max(values)
    if any(math.isnan(v) for v in values) or math.isinf(top):
        raise ValueError("no distribution")
    exps = [math.exp(v - top) for v in values]
    total = math.fsum(exps)
    return np.array([e / total for e in exps])


def greedy(logits):
    best = 0
    for i, v in enumerate(logits):
        if math.isnan(v):
            raise ValueError("NaN")
        if v > logits[best]:
            best = i
    return best


def row_of(logits, kept):
    return np.array([float(v) if i in kept else -math.inf for i, v in enumerate(logits)])


def temperature(logits, t):
    if t <= 0:
        return row_of(logits, {greedy(logits)})
    return np.array([float(v) / t for v in logits])


def by_logit(logits):
    return sorted(range(len(logits)), key=lambda i: -float(logits[i]))


def top_k(logits, k):
    if k <= 0:
        k = len(logits)
    return row_of(logits, set(by_logit(logits)[:k]))


def top_p(logits, p, min_keep=1):
    if p >= 1:
        return row_of(logits, set(range(len(logits))))
    q, kept, total = softmax(logits), set(), 0.0
    for i in by_logit(logits):
        kept.add(i)
        total += q[i]
        if total >= p and len(kept) >= min_keep:
            break
    return row_of(logits, kept)


def min_p(logits, p, min_keep=1):
    if p <= 0:
        return row_of(logits, set(range(len(logits))))
    least = max(float(v) for v in logits) + math.log(p)
    kept = {i for i, v in enumerate(logits) if float(v) >= least}
    if len(kept) < min_keep:
        kept = set(by_logit(logits)[:min_keep])
    return row_of(logits, kept)


def typical(logits, p):
    if p >= 1:
        return row_of(logits, set(range(len(logits))))
    q = {i: float(v) for i, v in enumerate(softmax(logits)) if v > 0}
    entropy = -sum(v * math.log(v) for v in q.values())
    kept, total = set(), 0.0
    for i in sorted(q, key=lambda i: abs(-math.log(q[i]) - entropy)):
        kept.add(i)
        total += q[i]
        if total > p:
            break
    return row_of(logits, kept)


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    times = {}
    for back, token in enumerate(reversed(history)):
        if 0 <= last_n <= back:
            break
        times[token] = times.get(token, 0) + 1
    out = [float(v) for v in logits]
    for token, n in times.items():
        out[token] = out[token] / repeat if out[token] > 0 else out[token] * repeat
        out[token] -= n * frequency
        out[token] -= presence
    return np.array(out)


def draw(logits, u):
    q, total, last = softmax(logits), 0.0, None
    for i, v in enumerate(q):
        if v > 0:
            total, last = total + v, i
            if total >= u:
                break
    return last


def draw_many(logits, n, seed):
    q = softmax(logits)
    generator, shares = random.Random(seed), [(i, float(v)) for i, v in enumerate(q) if v > 0]
    found = []
    for _ in range(n):
        u = generator.random()
        for i, v in shares:
            u -= v
            if u <= 0:
                break
        found.append(i)
    return np.array(found)


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta, self.mu = tau, eta, 2.0 * tau

    def step(self, logits, u):
        q = softmax(logits)
        kept = {i for i in range(len(q)) if q[i] > 0 and -math.log2(q[i]) <= self.mu}
        return self.draw_of(logits, kept or {greedy(logits)}, u)

    def draw_of(self, logits, kept, u):
        row = row_of(logits, kept)
        token = draw(row, u)
        self.mu = self.mu - self.eta * (-math.log2(softmax(row)[token]) - self.tau)
        return token, self.mu


class Mirostat1(Mirostat2):
    def step(self, logits, u):
        q = sorted((float(v) for v in softmax(logits)), reverse=True)
        above = below = 0.0
        for i in range(min(100, len(q)) - 1):
            t = math.log((i + 2) / (i + 1))
            above += t * math.log(q[i] / q[i + 1])
            below += t * t
        s = above / below
        epsilon = s - 1
        k = (epsilon * 2.0**self.mu / (1 - len(q) ** -epsilon)) ** (1 / s)
        k = min(max(int(k), 1), len(q))
        return self.draw_of(logits, set(by_logit(logits)[:k]), u)


class Sampler:
    def __init__(
        self, uniforms, bias=None, last_n=64, repeat=1.0, frequency=0.0, presence=0.0,
        top_k=40, typical_p=1.0, top_p=0.95, min_p=0.05, temp=0.8,
    ):
        self.uniforms, self.at = list(uniforms), 0
        self.bias = bias
        self.steps = [
            lambda x: penalties(x, self.history, last_n, repeat, frequency, presence),
            lambda x: globals()["top_k"](x, top_k),
            lambda x: typical(x, typical_p),
            lambda x: globals()["top_p"](x, top_p),
            lambda x: globals()["min_p"](x, min_p),
            lambda x: temperature(x, temp),
        ]
        self.history = []

    def accept(self, token):
        self.history = self.history + [token]

    def filter(self, logits):
        x = [float(v) for v in logits]
        for token in self.bias or ():
            x[token] = x[token] + self.bias[token]
        x = np.array(x)
        for step in self.steps:
            x = step(x)
        return x

    def sample(self, logits):
        u = self.uniforms[self.at]
        self.at += 1
        token = draw(self.filter(logits), u)
        self.accept(token)
        return token
