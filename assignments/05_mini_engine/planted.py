"""Bugs that are put around a student's own functions, to see whether their tests find them.

Each is text that runs in the namespace of the package: it takes a function or class by its name,
keeps the right one as ``_right`` and puts one with a bug in its place, so it fits any design that
keeps the interfaces. Nobody's solution is needed. Owns: BUGS, by the part they belong to.
Must not know: anything else. What finds them is judged in quality.py.
"""

from __future__ import annotations

NOTHING = """
def dequantize(kind, shape, raw, _right=dequantize):
    return 0 * _right(kind, shape, raw)

def sample(logits, u, *args, _right=sample, **named):
    return 0
"""

# Nothing is changed here: a test that fails with it looks for what is planted, not at what it does.
HARMLESS = """
def read_gguf(data, _right=read_gguf):
    return _right(data)

def dequantize(kind, shape, raw, _right=dequantize):
    return _right(kind, shape, raw)

def rms_norm(x, weight, eps, _right=rms_norm):
    return _right(x, weight, eps)

def rope(x, positions, base, _right=rope):
    return _right(x, positions, base)

def attention(q, k, v, start=0, _right=attention):
    return _right(q, k, v, start)

def feed_forward(x, gate, up, down, _right=feed_forward):
    return _right(x, gate, up, down)

class KVCache(KVCache):
    def append(self, layer, k, v):
        super().append(layer, k, v)

    def rewind(self, n):
        return super().rewind(n)

class Model(Model):
    def forward(self, tokens, cache=None):
        return super().forward(tokens, cache)

def sample(logits, u, *args, _right=sample, **named):
    return _right(logits, u, *args, **named)

def generate(model, prompt, n_new, *args, _right=generate, **named):
    return _right(model, prompt, n_new, *args, **named)
"""

READING = {
    "tensors have their shape as the file has it, not turned round": """
def read_gguf(data, _right=read_gguf):
    metadata, tensors = _right(data)
    return metadata, {n: (k, tuple(s)[::-1], r) for n, (k, s, r) in tensors.items()}
""",
    "a broken file is read as an empty one": """
def read_gguf(data, _right=read_gguf):
    try:
        return _right(data)
    except ValueError:
        return {}, {}
""",
    "Q4_0: the two halves of a block are exchanged": """
def dequantize(kind, shape, raw, _right=dequantize):
    out = _right(kind, shape, raw)
    return out if kind != 2 else out.reshape(-1, 2, 16)[:, ::-1].reshape(shape)
""",
    "Q8_0: numbers below 0 lose their sign": """
def dequantize(kind, shape, raw, _right=dequantize):
    out = _right(kind, shape, raw)
    return out if kind != 8 else np.abs(out)
""",
}

LAYERS = {
    "rms_norm forgets its weight": """
def rms_norm(x, weight, eps, _right=rms_norm):
    return _right(x, np.ones_like(weight), eps)
""",
    "rope pairs number i with i + E/2": """
def rope(x, positions, base, _right=rope):
    E = x.shape[-1]
    order = np.arange(E).reshape(2, -1).T.reshape(-1)
    return _right(np.ascontiguousarray(x[..., order]), positions, base)[..., np.argsort(order)]
""",
    "attention sees later keys": """
def attention(q, k, v, start=0, _right=attention):
    return np.concatenate([_right(q[t : t + 1], k, v, len(k) - 1) for t in range(len(q))])
""",
    "feed_forward takes gate for up": """
def feed_forward(x, gate, up, down, _right=feed_forward):
    return _right(x, up, gate, down)
""",
}

RUNNING = {
    "the cache keeps keys in the place of values": """
class KVCache(KVCache):
    def append(self, layer, k, v):
        super().append(layer, k, k)
""",
    "rewind does nothing": """
class KVCache(KVCache):
    def rewind(self, n):
        return None
""",
    "a pass with a cache forgets what is in it": """
class Model(Model):
    def forward(self, tokens, cache=None):
        return super().forward(tokens, self.new_cache(len(tokens)))
""",
    "every row of logits is the last one": """
class Model(Model):
    def forward(self, tokens, cache=None):
        logits = super().forward(tokens, cache)
        return np.repeat(logits[-1:], len(tokens), axis=0)
""",
}

WRITING = {
    "temperature 0 takes the smallest logit": """
def sample(logits, u, temperature=1.0, *args, _right=sample, **named):
    if not temperature:
        return int(np.argmin(logits))
    return _right(logits, u, temperature, *args, **named)
""",
    "sample does not look at u": """
def sample(logits, u, *args, _right=sample, **named):
    return _right(logits, 0.999, *args, **named)
""",
    "generate writes one token too many": """
def generate(model, prompt, n_new, *args, _right=generate, **named):
    return _right(model, prompt, n_new + 1, *args, **named)
""",
    "generate goes on after a stop token": """
def generate(model, prompt, n_new, stop=(), *args, _right=generate, **named):
    return _right(model, prompt, n_new, (), *args, **named)
""",
}
