"""Float64 and einsum all the way, plain functions, a dict for a file, tests by property."""

import struct


def scan(data: bytes) -> object:
    """A generator that is sent a struct code, or a number of bytes, and yields what is there."""
    at, found = 0, None
    while True:
        want = yield found
        n = want if isinstance(want, int) else struct.calcsize("<" + want)
        piece = data[at : at + n]
        if len(piece) != n:
            raise ValueError(f"at {at}: {n} bytes are wanted, {len(piece)} are left")
        at += n
        if n == 0:
            found = at
        else:
            found = piece if isinstance(want, int) else struct.unpack("<" + want, piece)[0]


def counted_text(source: object) -> str:
    """A counted string."""
    n = source.send("Q")
    return source.send(n).decode() if n else ""


def typed(source: object, kind: int, inside: bool = False) -> object:
    """A value of a type."""
    if kind == 8:
        return counted_text(source)
    if kind == 9 and not inside:
        inner, n = source.send("I"), source.send("Q")
        return [typed(source, inner, inside=True) for _ in range(n)]
    codes = "B b H h I i f ? - - Q q d".split()
    if kind >= len(codes) or codes[kind] == "-":
        raise ValueError(f"value type {kind}")
    return source.send(codes[kind])


def described(source: object) -> tuple:
    """A row of the directory: name, shape, kind, offset, bytes."""
    name, n_dims = counted_text(source), source.send("I")
    if not 0 < n_dims < 5:
        raise ValueError(f"{name}: {n_dims} dimensions")
    shape = tuple(source.send("q") for _ in range(n_dims))[::-1]
    kind, offset = source.send("I"), source.send("Q")
    if kind not in (0, 1, 2, 8):
        raise ValueError(f"{name}: kind {kind}")
    block, size = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}[kind]
    if any(n < 1 for n in shape) or shape[-1] % block:
        raise ValueError(f"{name}: shape {shape}")
    n_bytes = size
    for n in (*shape[:-1], shape[-1] // block):
        n_bytes *= n
    return name, shape, kind, offset, n_bytes


def unique(pairs: list, what: str) -> dict:
    """A dict of pairs; ValueError where a key stands twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        raise ValueError(f"a {what} stands twice")
    return made


def read_gguf(data: bytes) -> tuple[dict, dict]:
    """Head, then body."""
    source = scan(bytes(data))
    next(source)
    if source.send(4) != b"GGUF" or source.send("I") not in (2, 3):
        raise ValueError("no GGUF of version 2 or 3")
    n_tensors, n_pairs = source.send("Q"), source.send("Q")
    pairs = [(counted_text(source), typed(source, source.send("I"))) for _ in range(n_pairs)]
    metadata = unique(pairs, "key")
    rows = [described(source) for _ in range(n_tensors)]
    unique([(row[0], None) for row in rows], "tensor")
    step, at = metadata.get("general.alignment", 32), source.send(0)
    if step <= 0 or bin(step).count("1") != 1:
        raise ValueError(f"alignment {step}")
    ends = np.cumsum([0] + [-(-row[4] // step) * step for row in rows]).tolist()
    begin, tensors = (at + step - 1) // step * step, {}
    for (name, shape, kind, offset, n), want in zip(rows, ends, strict=False):
        piece = data[begin + want : begin + want + n]
        if offset != want or len(piece) < n:
            raise ValueError(f"{name}: offset {offset}, want {want}; {len(piece)} bytes of {n}")
        tensors[name] = (kind, shape, np.frombuffer(piece, "u1"))
    return metadata, tensors


def dequantize(kind: int, shape: tuple, raw: np.ndarray) -> np.ndarray:
    """By tables of places and divisors."""
    per = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}.get(kind)
    if per is None or raw.size * per[0] != np.prod(shape, dtype=int) * per[1]:
        raise ValueError(f"kind {kind}, {raw.size} bytes, shape {shape}")
    if kind in (0, 1):
        return np.frombuffer(raw.tobytes(), f"<f{per[1]}").astype("f4").reshape(shape)
    rows = raw.reshape(-1, per[1])
    d = np.frombuffer(rows[:, :2].tobytes(), "<f2").astype("f4")
    if kind == 8:
        q = np.frombuffer(rows[:, 2:].tobytes(), "i1").reshape(-1, 32)
    else:
        place = np.arange(32)
        q = (rows[:, 2 + place % 16] >> (4 * (place // 16)).astype("u1") & 15).astype("f4") - 8
    return np.einsum("b,bi->bi", d, q.astype("f4")).reshape(shape)


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """In float64."""
    x = np.asarray(x, np.float64)
    power = np.einsum("...d,...d->...", x, x) / x.shape[-1]
    return np.einsum("...d,...,d->...d", x, (power + eps) ** -0.5, weight)


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """A rotation matrix for each position and pair."""
    T, n, E = x.shape
    angle = np.outer(positions, np.power(float(base), -2 * np.arange(E // 2) / E))
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    pairs = np.asarray(x, np.float64).reshape(T, n, E // 2, 2)
    return np.einsum("abti,tnib->tnia", turn, pairs).reshape(T, n, E)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Groups and their heads as axes of their own."""
    T, H, E = q.shape
    q = np.asarray(q, np.float64).reshape(T, k.shape[1], -1, E)
    scores = np.einsum("tgje,sge->gjts", q, k, optimize=True) / E**0.5
    seen = start + np.arange(T)[:, None] >= np.arange(len(k))
    scores = np.where(seen, scores, -np.inf)
    p = np.exp(scores - scores.max(-1, keepdims=True))
    p = p / p.sum(-1)[..., None]
    return np.einsum("gjts,sge->tgje", p, v, optimize=True).reshape(T, H, E)


def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """silu by tanh, which does not overflow."""
    h = np.matmul(x, np.transpose(gate))
    silu = h * 0.5 * (1 + np.tanh(0.5 * h))
    return np.matmul(silu * np.matmul(x, np.transpose(up)), np.transpose(down))


class KVCache:
    """Two arrays for each layer that grow by twice when they are full."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        self.most, self.n = capacity, np.zeros(n_layers, int)
        self.rows = [np.zeros((2, 1, n_kv_heads, head_width)) for _ in range(n_layers)]

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """Grow if need be, then write."""
        first, last = self.n[layer], self.n[layer] + len(k)
        if last > self.most:
            raise ValueError(f"{last} rows, at most {self.most}")
        while self.rows[layer].shape[1] < last:
            self.rows[layer] = np.concatenate([self.rows[layer]] * 2, axis=1)
        self.rows[layer][0, first:last] = k
        self.rows[layer][1, first:last] = v
        self.n[layer] = last

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """What was written."""
        return tuple(self.rows[layer][:, : self.n[layer]])

    def length(self) -> int:
        """The least of all layers."""
        return int(self.n.min())

    def rewind(self, n: int) -> None:
        """Only count less."""
        if n not in range(self.length() + 1):
            raise ValueError(f"rewind({n}) of {self.length()}")
        self.n[:] = n


class Model:
    """A dict of weights and a loop."""

    def __init__(self, data: bytes) -> None:
        self.about, tensors = read_gguf(data)
        if self.about.get("general.architecture") != "llama":
            raise ValueError("no llama")
        w = {name[: -len(".weight")]: dequantize(*t) for name, t in tensors.items()}
        parts = "attn_norm attn_q attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down"
        wanted = [f"blk.{i}.{p}" for i in range(self.say("block_count")) for p in parts.split()]
        for name in ["token_embd", "output_norm", *wanted]:
            if name not in w:
                raise ValueError(f"{name} is missing")
        self.w = {name: np.ascontiguousarray(v, np.float64) for name, v in w.items()}
        self.w.setdefault("output", self.w["token_embd"])

    def say(self, key: str, otherwise: object = None) -> object:
        """What the metadata say; ValueError where they have to and do not."""
        value = self.about.get("llama." + key, otherwise)
        if value is None:
            raise ValueError(f"llama.{key} is missing")
        return value

    def new_cache(self, capacity: int) -> KVCache:
        """An empty one."""
        heads = self.say("attention.head_count")
        width = self.say("attention.key_length", self.say("embedding_length") // heads)
        groups = self.say("attention.head_count_kv", heads)
        return KVCache(self.say("block_count"), groups, width, capacity)

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """Logits (T, V)."""
        cache = self.new_cache(len(tokens)) if cache is None else cache
        eps, base = self.say("attention.layer_norm_rms_epsilon"), self.say("rope.freq_base", 1e4)
        at = cache.length()
        where = at + np.arange(len(tokens))
        x = np.take(self.w["token_embd"], tokens, axis=0)
        for i in range(self.say("block_count")):
            w = {k.split(".")[2]: v for k, v in self.w.items() if k.startswith(f"blk.{i}.")}
            width = cache.read(i)[0].shape[-1]
            h = rms_norm(x, w["attn_norm"], eps)
            q, k, v = (
                np.einsum("td,od->to", h, w[f"attn_{c}"], optimize=True).reshape(len(x), -1, width)
                for c in "qkv"
            )
            cache.append(i, rope(k, where, base), v)
            a = attention(rope(q, where, base), *cache.read(i), at).reshape(len(x), -1)
            x = x + np.dot(a, w["attn_output"].T)
            h = rms_norm(x, w["ffn_norm"], eps)
            x = x + feed_forward(h, w["ffn_gate"], w["ffn_up"], w["ffn_down"])
        return np.inner(rms_norm(x, self.w["output_norm"], eps), self.w["output"])


def sample(
    logits: np.ndarray,
    u: float,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """A dict of what is left, then a walk."""
    row = dict(enumerate(np.asarray(logits, float).tolist()))
    order = sorted(row, key=lambda i: (-row[i], i))
    if not temperature:
        return order[0]
    order = order[:top_k] if top_k > 0 else order
    weights = {i: np.exp(row[i] - row[order[0]]) for i in order}
    total, running, left = sum(weights.values()), 0.0, []
    for i in order:
        if top_p < 1 and running >= top_p * total:
            break
        running += weights[i]
        if weights[i] >= min_p * weights[order[0]]:
            left.append(i)
    hot = {i: np.exp((row[i] - row[order[0]]) / temperature) for i in sorted(left)}
    goal = u * sum(hot.values())
    for i in hot:
        goal -= hot[i]
        if goal < 0:
            return i
    return max(hot)


def generate(
    model: Model,
    prompt: list,
    n_new: int,
    stop: tuple = (),
    uniforms: list | None = None,
    **settings: float,
) -> list:
    """As a stream, collected."""
    return list(stream(model, prompt, n_new, stop, uniforms, settings))


def stream(
    model: Model, prompt: list, n_new: int, stop: tuple, uniforms: list | None, settings: dict
) -> object:
    """One token after the other."""
    cache = model.new_cache(len(prompt) + n_new)
    last = model.forward(prompt, cache)[-1]
    for i in range(n_new):
        token = int(last.argmax()) if uniforms is None else sample(last, uniforms[i], **settings)
        if token in stop:
            return
        yield token
        if i + 1 < n_new:
            last = model.forward([token], cache)[-1]


def refuses(bad: bytes) -> bool:
    """Does reading end with a ValueError?"""
    try:
        read_gguf(bad)
    except ValueError:
        return True
    return False


def of_the_file(data: bytes) -> dict:
    """Claims about bytes: name -> True where it holds."""
    about, tensors = read_gguf(data)
    half = np.frombuffer(np.float16(1).tobytes(), np.uint8)
    q4 = np.concatenate([half, np.full(16, 0x2F, np.uint8)])
    q8 = np.concatenate([half, np.full(32, 0xFE, np.uint8)])
    shape = tensors["token_embd.weight"][1]
    return {
        "shapes": shape[1] == about["llama.embedding_length"] != shape[0],
        "refusals": refuses(b"") and refuses(data[:-33]) and refuses(b"x" + data[1:]),
        "q4": dequantize(2, (32,), q4).tolist() == [7.0] * 16 + [-6.0] * 16,
        "q8": dequantize(8, (32,), q8).tolist() == [-2.0] * 32,
    }


def of_the_layers(data: bytes) -> dict:
    """Claims about one layer."""
    rng, one = np.random.default_rng(0), np.eye(1)
    x, k, w = rng.normal(size=(3, 4, 8)), rng.normal(size=(3, 2, 8)), rng.normal(size=8)
    turned = rope(np.eye(8)[None, :1], [1], 9.0)[0, 0]
    nothing, something = feed_forward(one, 0 * one, one, one), feed_forward(one, one, one, one)
    return {
        "weight": np.allclose(rms_norm(x, 2 * w, 0.1), 2 * rms_norm(x, w, 0.1)),
        "pairs": np.allclose(turned[2:], 0) and np.isclose(turned[1], np.sin(1)),
        "causal": np.allclose(attention(x, k, k)[:2], attention(x[:2], k[:2], k[:2])),
        "gate": nothing[0, 0] == 0 != something[0, 0],
    }


def of_the_whole(data: bytes) -> dict:
    """Claims about cache, model and text."""
    model, tokens = Model(data), [3, 1, 4, 1, 5]
    whole, cache, k = model.forward(tokens), model.new_cache(5), np.ones((3, 2, 8))
    first = model.forward(tokens[:4], cache)[:2]
    cache.rewind(2)
    in_two = np.concatenate([first, model.forward(tokens[2:], cache)])
    other = KVCache(1, 2, 8, 3)
    other.append(0, k, -k)
    logits = np.log([0.2, 0.5, 0.3])
    return {
        "kept": np.array_equal(other.read(0), [k, -k]),
        "cache": np.allclose(in_two, whole, atol=1e-3),
        "rows": not np.allclose(whole[0], whole[-1]),
        "draws": [sample(logits, u) for u in (0.1, 0.4, 0.9)] == [0, 1, 2],
        "greedy": sample(logits, 0.9, temperature=0) == 1,
        "length": len(generate(model, tokens, 3)) == 3,
        "stop": generate(model, tokens, 3, tuple(range(len(whole[0])))) == [],
    }


def self_test(data: bytes) -> list:
    """The names of the claims that do not hold, or of a part of which none could be looked at."""
    failed = []
    for part in (of_the_file, of_the_layers, of_the_whole):
        try:
            failed += [name for name, holds in part(data).items() if not holds]
        except Exception as problem:
            failed.append(f"{part.__name__}: {problem}")
    return failed
