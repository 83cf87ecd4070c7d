"""Matrices joined (q, k, v; gate, up), rotation by complex numbers, keys repeated for their heads."""

import struct


class Bytes:
    """What is left of a file, eaten from the front."""

    def __init__(self, data: bytes) -> None:
        self.rest, self.total = memoryview(data), len(data)

    @property
    def at(self) -> int:
        """How far we are."""
        return self.total - len(self.rest)

    def eat(self, n: int) -> memoryview:
        """The next n bytes."""
        if len(self.rest) < n:
            raise ValueError(f"{n} bytes wanted, {len(self.rest)} left")
        eaten, self.rest = self.rest[:n], self.rest[n:]
        return eaten

    def array(self, dtype: str, n: int = 1) -> np.ndarray:
        """n numbers."""
        dtype = np.dtype(dtype).newbyteorder("<")
        return np.frombuffer(self.eat(n * dtype.itemsize), dtype)

    def one(self, dtype: str) -> object:
        """One number."""
        return self.array(dtype)[0].item()

    def text(self) -> str:
        """One string."""
        return str(self.eat(self.one("u8")), "utf-8")


DTYPES = ("u1", "i1", "u2", "i2", "u4", "i4", "f4", "?", "", "", "u8", "i8", "f8")


def value_of(source: Bytes, kind: int) -> object:
    """Any metadata value."""
    if kind == 8:
        return source.text()
    if kind == 9:
        kind, n = source.one("u4"), source.one("u8")
        if kind == 8:
            return [source.text() for _ in range(n)]
        if kind >= len(DTYPES) or not DTYPES[kind]:
            raise ValueError(f"an array of type {kind}")
        return source.array(DTYPES[kind], n)
    if kind >= len(DTYPES):
        raise ValueError(f"a value of type {kind}")
    return source.one(DTYPES[kind])


def read_gguf(data: bytes) -> tuple[dict, dict]:
    """Everything in one walk."""
    source = Bytes(data)
    if bytes(source.eat(4)) != b"GGUF":
        raise ValueError("this is no GGUF file")
    if source.one("u4") not in (2, 3):
        raise ValueError("this version is not known")
    n_tensors, n_pairs = source.one("u8"), source.one("u8")
    metadata, rows = {}, {}
    for _ in range(n_pairs):
        key = source.text()
        if metadata.setdefault(key, rows) is not rows:
            raise ValueError(f"{key} twice")
        metadata[key] = value_of(source, source.one("u4"))
    for _ in range(n_tensors):
        name, n_dims = source.text(), source.one("u4")
        if name in rows or not 1 <= n_dims <= 4:
            raise ValueError(f"{name}: twice, or {n_dims} dimensions")
        sizes = [int(n) for n in source.array("i8", n_dims)]
        rows[name] = sizes, source.one("u4"), source.one("u8")
    return metadata, body(source, rows, metadata.get("general.alignment", 32))


def body(source: Bytes, rows: dict, alignment: int) -> dict:
    """Tensors, one behind the other."""
    if alignment < 1 or alignment & (alignment - 1):
        raise ValueError(f"an alignment of {alignment}")
    tensors, begin = {}, None
    for name, (sizes, kind, offset) in rows.items():
        if kind not in (0, 1, 2, 8):
            raise ValueError(f"{name} is of kind {kind}")
        numbers, size = ((1, 4), (1, 2), (32, 18), None, None, None, None, None, (32, 34))[kind]
        if min(sizes) < 1 or sizes[0] % numbers:
            raise ValueError(f"{name} has sizes {sizes}")
        source.eat(-source.at % alignment)
        begin = source.at if begin is None else begin
        if offset != source.at - begin:
            raise ValueError(f"{name}: {offset} is not where it is")
        n = int(np.prod(list(sizes), dtype=object)) // numbers * size
        tensors[name] = kind, tuple(sizes[::-1]), np.frombuffer(source.eat(n), np.uint8)
    return tensors


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """By the length of a row."""
    length = np.linalg.norm(x, axis=-1, keepdims=True)
    return x * (weight / np.sqrt(length**2 / x.shape[-1] + np.float32(eps)))


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """A pair is a complex number, a turn is a product."""
    E = x.shape[-1]
    frequencies = base ** (-np.arange(0, E, 2) / E)
    turn = np.exp(1j * np.multiply.outer(np.asarray(positions, float), frequencies))
    pairs = np.ascontiguousarray(x, np.float32).view(np.complex64)
    return (pairs * turn[:, None].astype(np.complex64)).view(np.float32)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Keys and values repeated, one product for all heads."""
    times = q.shape[1] // k.shape[1]
    k, v = np.repeat(k, times, axis=1), np.repeat(v, times, axis=1)
    scores = q.transpose(1, 0, 2) @ k.transpose(1, 2, 0)
    scores *= np.float32(1 / np.sqrt(q.shape[2]))
    late = np.arange(len(k))[None] - np.arange(len(q))[:, None] > start
    scores[:, late] = -np.inf
    scores -= np.max(scores, axis=-1, keepdims=True)
    p = np.exp(scores)
    return ((p / np.sum(p, axis=-1, keepdims=True)) @ v.transpose(1, 0, 2)).transpose(1, 0, 2)


def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """gate and up in one product."""
    both = x @ np.concatenate([gate, up]).T
    return gated(both) @ down.T


def gated(both: np.ndarray) -> np.ndarray:
    """silu of the first half times the second."""
    h, u = np.split(both, 2, axis=-1)
    with np.errstate(over="ignore"):
        return h / (1 + np.exp(-h)) * u


class KVCache:
    """One array for everything: (L, 2, capacity, G, E)."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        self.all = np.full((n_layers, 2, capacity, n_kv_heads, head_width), np.nan, np.float32)
        self.filled = dict.fromkeys(range(n_layers), 0)

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """Both at once."""
        room = self.all[layer, :, self.filled[layer] :]
        if room.shape[1] < len(k):
            raise ValueError(f"room for {room.shape[1]} rows, not for {len(k)}")
        room[:, : len(k)] = np.stack([k, v])
        self.filled[layer] += len(k)

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Views of what is filled."""
        k, v = self.all[layer, :, : self.filled[layer]]
        return k, v

    def length(self) -> int:
        """The shortest layer."""
        return min(self.filled.values())

    def rewind(self, n: int) -> None:
        """Only the counts change."""
        if n > self.length() or n < 0:
            raise ValueError(f"{n} is not among 0 to {self.length()}")
        self.filled = dict.fromkeys(self.filled, n)


class Model:
    """Joined matrices, a layer a tuple."""

    def __init__(self, data: bytes) -> None:
        metadata, tensors = read_gguf(data)
        kind = metadata.get("general.architecture")
        if kind != "llama":
            raise ValueError(f"{kind} is not llama")
        about = {k[6:]: v for k, v in metadata.items() if k.startswith("llama.")}
        self.n_layers, self.H = about["block_count"], about["attention.head_count"]
        self.G = about.get("attention.head_count_kv") or self.H
        self.E = about.get("attention.key_length") or about["embedding_length"] // self.H
        self.base = about.get("rope.freq_base", 1e4)
        self.eps = about["attention.layer_norm_rms_epsilon"]

        def weight(name: str) -> np.ndarray:
            if name + ".weight" not in tensors:
                raise ValueError(f"no tensor {name}")
            return dequantize(*tensors[name + ".weight"])

        self.embedding, self.last_norm = weight("token_embd"), weight("output_norm")
        self.head = weight("output") if "output.weight" in tensors else self.embedding
        self.layers = []
        for i in range(self.n_layers):
            parts = {n: weight(f"blk.{i}.{n}") for n in (
                "attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
                "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")}
            qkv = np.vstack([parts["attn_q"], parts["attn_k"], parts["attn_v"]])
            gate_up = np.vstack([parts["ffn_gate"], parts["ffn_up"]])
            self.layers.append((parts["attn_norm"], np.asfortranarray(qkv.T), parts["attn_output"],
                                parts["ffn_norm"], np.array(gate_up), parts["ffn_down"]))

    def new_cache(self, capacity: int) -> KVCache:
        """An empty cache."""
        return KVCache(self.n_layers, self.G, self.E, capacity)

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """All logits."""
        cache = cache or self.new_cache(len(tokens))
        begin, T = cache.length(), len(tokens)
        cuts, here = (self.H, self.H + self.G), np.arange(begin, begin + T)
        x = self.embedding[tokens]
        for i, (norm_1, qkv, out, norm_2, gate_up, down) in enumerate(self.layers):
            heads = (rms_norm(x, norm_1, self.eps) @ qkv).reshape(T, -1, self.E)
            q, k, v = np.split(heads, cuts, axis=1)
            cache.append(i, rope(k, here, self.base), v)
            mixed = attention(rope(q, here, self.base), *cache.read(i), begin)
            x = x + mixed.reshape(T, -1) @ out.T
            x = x + gated(rms_norm(x, norm_2, self.eps) @ gate_up.T) @ down.T
        return rms_norm(x, self.last_norm, self.eps) @ self.head.T


def sample(
    logits: np.ndarray,
    u: float,
    temperature: float = 1.0,
    top_k: int = 0,
    top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:
    """Masks over the whole vocabulary."""
    row = np.array(logits, np.float64)
    if temperature == 0:
        return int(row.argmax())
    down = np.argsort(-row, kind="stable")
    if 0 < top_k < len(row):
        row[down[top_k:]] = -np.inf
    p = shares(row)
    before = np.concatenate([[0], np.cumsum(p[down])[:-1]])
    if top_p < 1:
        row[down[before >= top_p]] = -np.inf
    row[p < min_p * p.max()] = -np.inf
    left = np.flatnonzero(row > -np.inf)
    running = np.cumsum(shares(row[left] / temperature))
    return int(left[np.argmax(running > u)]) if (running > u).any() else int(left[-1])


def shares(row: np.ndarray) -> np.ndarray:
    """The softmax of a row."""
    e = np.exp(row - np.max(row))
    return e / e.sum()
