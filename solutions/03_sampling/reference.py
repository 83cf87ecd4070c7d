"""Assignment 3, the reference: samplers over a whole row of logits, in float64 NumPy, to be read.

``np`` is what the notebook's first cell imports.
"""


def softmax(logits):
    x = np.asarray(logits, np.float64)
    if np.isnan(x).any() or not np.isfinite(x.max()):
        raise ValueError(f"no distribution: {np.isnan(x).sum()} NaN, the largest is {x.max()}")
    e = np.exp(x - x.max())
    return e / e.sum()


def greedy(logits):
    if np.isnan(logits).any():
        raise ValueError(f"{np.isnan(logits).sum()} logits are NaN")
    return int(np.argmax(logits))  # of equal ones the first


def temperature(logits, t):
    x = np.array(logits, np.float64)
    if t <= 0:
        return np.where(np.arange(len(x)) == greedy(x), x, -np.inf)
    return x / t


def top_k(logits, k):
    kept = np.array(logits, np.float64)
    if k > 0:
        kept[np.argsort(-kept, kind="stable")[k:]] = -np.inf
    return kept


def top_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p < 1:
        order = np.argsort(-kept, kind="stable")
        running = np.cumsum(softmax(kept)[order])
        n = np.count_nonzero(running < p) + 1  # the token that reaches p belongs to them
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept


def min_p(logits, p, min_keep=1):
    kept = np.array(logits, np.float64)
    if p > 0:
        order = np.argsort(-kept, kind="stable")
        n = np.count_nonzero(kept >= kept.max() + np.log(p))
        kept[order[max(n, min_keep) :]] = -np.inf
    return kept


def typical(logits, p):
    x = np.array(logits, np.float64)
    if p >= 1:
        return x
    q = softmax(x)
    there = np.flatnonzero(q)  # 0 * log 0 is NaN
    surprise = -np.log(q[there])
    entropy = q[there] @ surprise
    order = there[np.argsort(np.abs(surprise - entropy), kind="stable")]
    n = np.count_nonzero(np.cumsum(q[order]) <= p) + 1
    kept = np.full(len(x), -np.inf)
    kept[order[:n]] = x[order[:n]]
    return kept


def penalties(logits, history, last_n=64, repeat=1.0, frequency=0.0, presence=0.0):
    x = np.array(logits, np.float64)
    if last_n == 0:  # history[-0:] would be all of it
        return x
    recent = np.array(history if last_n < 0 else history[-last_n:], int)
    said, times = np.unique(recent, return_counts=True)
    x[said] = np.where(x[said] > 0, x[said] / repeat, x[said] * repeat)
    x[said] -= times * frequency + presence
    return x


def draw(logits, u):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    return int(there[np.searchsorted(running, u * running[-1])])


def draw_many(logits, n, seed):
    q = softmax(logits)
    there = np.flatnonzero(q)
    running = np.cumsum(q[there])
    us = np.random.default_rng(seed).random(n)
    return there[np.searchsorted(running, us * running[-1])]


class Mirostat2:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        n = np.count_nonzero(softmax(logits) >= 2.0**-self.mu)  # a surprise of at most mu
        kept = top_k(logits, max(n, 1))
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu


class Mirostat1:
    def __init__(self, tau, eta):
        self.tau, self.eta = tau, eta
        self.mu = 2 * tau

    def step(self, logits, u):
        q = np.sort(softmax(logits))[::-1]
        i = np.arange(1, min(len(q), 100))
        t, b = np.log((i + 1) / i), np.log(q[i - 1] / q[i])
        s = (t @ b) / (t @ t)
        k = ((s - 1) * 2**self.mu / (1 - len(q) ** (1 - s))) ** (1 / s)
        kept = top_k(logits, max(int(k), 1))
        token = draw(kept, u)
        self.mu -= self.eta * (-np.log2(softmax(kept)[token]) - self.tau)
        return token, self.mu


class Sampler:
    def __init__(
        self, uniforms, bias=None, last_n=64, repeat=1.0, frequency=0.0, presence=0.0,
        top_k=40, typical_p=1.0, top_p=0.95, min_p=0.05, temp=0.8,
    ):
        self.uniforms = iter(uniforms)
        self.bias = bias or {}
        self.penalty = last_n, repeat, frequency, presence
        self.k, self.typical_p, self.p, self.min_p, self.t = top_k, typical_p, top_p, min_p, temp
        self.history = []

    def accept(self, token):
        self.history.append(token)

    def filter(self, logits):
        x = np.array(logits, np.float64)
        for token, value in self.bias.items():
            x[token] += value
        x = penalties(x, self.history, *self.penalty)
        x = top_k(x, self.k)
        x = typical(x, self.typical_p)
        x = top_p(x, self.p)
        x = min_p(x, self.min_p)
        return temperature(x, self.t)

    def sample(self, logits):
        token = draw(self.filter(logits), next(self.uniforms))
        self.accept(token)
        return token
