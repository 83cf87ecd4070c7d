"""The module project, worked: a GGUF file in, text out."""

import struct

# value type -> struct code; 8 is a string, 9 an array
SCALARS = dict(enumerate("BbHhIif?")) | {10: "Q", 11: "q", 12: "d"}
# tensor kind -> (numbers in a block, bytes of it): F32, F16, Q4_0, Q8_0
BLOCKS = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}


class Reader:
    """A place in the bytes of a file, which moves on with every read."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, n: int) -> bytes:
        """The next n bytes; ValueError where the file has fewer."""
        if n > len(self.data) - self.at:
            raise ValueError(f"{n} bytes wanted at {self.at}, the file has {len(self.data)}")
        self.at += n
        return self.data[self.at - n : self.at]

    def number(self, code: str) -> int:
        """One little-endian number of a struct code."""
        return struct.unpack("<" + code, self.take(struct.calcsize("<" + code)))[0]

    def string(self) -> str:
        """A length in 8 bytes, then as many bytes of UTF-8."""
        return self.take(self.number("Q")).decode()

    def value(self, kind: int) -> object:
        """A metadata value of a type of SCALARS, a string or an array of these."""
        if kind == 8:
            return self.string()
        if kind == 9:
            inner, n = self.number("I"), self.number("Q")
            if inner == 9:
                raise ValueError("an array of arrays")
            return [self.value(inner) for _ in range(n)]
        if kind not in SCALARS:
            raise ValueError(f"value type {kind}, want 0 to 12")
        return self.number(SCALARS[kind])


def read_metadata(reader: Reader, n: int) -> dict:
    """n pairs; ValueError for a key that stands twice."""
    metadata = {}
    for _ in range(n):
        key = reader.string()
        if key in metadata:
            raise ValueError(f"key {key!r} stands twice")
        metadata[key] = reader.value(reader.number("I"))
    return metadata


def read_directory(reader: Reader, n: int) -> dict:
    """n rows of the tensor directory: name -> (kind, ne, offset)."""
    rows = {}
    for _ in range(n):
        name, n_dims = reader.string(), reader.number("I")
        if name in rows:
            raise ValueError(f"tensor {name!r} stands twice")
        if not 1 <= n_dims <= 4:
            raise ValueError(f"{name}: {n_dims} dimensions, want 1 to 4")
        ne = [reader.number("q") for _ in range(n_dims)]
        rows[name] = (reader.number("I"), ne, reader.number("Q"))
    return rows


def tensor_bytes(name: str, kind: int, ne: list) -> int:
    """Bytes of a tensor; ValueError where kind and sizes do not fit."""
    if kind not in BLOCKS:
        raise ValueError(f"{name}: kind {kind}, want one of {list(BLOCKS)}")
    n_block, block_bytes = BLOCKS[kind]
    if min(ne) < 1 or ne[0] % n_block:
        raise ValueError(f"{name}: sizes {ne}, want positive ones and whole blocks of {n_block}")
    n = 1
    for size in ne:
        n *= size
    return n // n_block * block_bytes


def read_gguf(data: bytes) -> tuple[dict, dict]:
    """(metadata, tensors) of a GGUF file; ValueError where it is broken."""
    reader = Reader(bytes(data))
    magic, version = reader.take(4), reader.number("I")
    if magic != b"GGUF" or version not in (2, 3):
        raise ValueError(f"starts with {magic!r}, version {version}; want b'GGUF', 2 or 3")
    n_tensors, n_pairs = reader.number("Q"), reader.number("Q")
    metadata = read_metadata(reader, n_pairs)
    rows = read_directory(reader, n_tensors)
    alignment = metadata.get("general.alignment", 32)
    if not isinstance(alignment, int) or alignment < 1 or alignment & (alignment - 1):
        raise ValueError(f"general.alignment is {alignment!r}, want a power of two")
    start = -(-reader.at // alignment) * alignment
    tensors, expected = {}, 0
    for name, (kind, ne, offset) in rows.items():
        n_bytes = tensor_bytes(name, kind, ne)
        if offset != expected:
            raise ValueError(f"{name}: offset {offset}, want {expected}")
        reader.at = start + offset
        raw = np.frombuffer(reader.take(n_bytes), np.uint8)
        tensors[name] = (kind, tuple(ne[::-1]), raw)
        expected += -(-n_bytes // alignment) * alignment
    return metadata, tensors


def dequantize(kind: int, shape: tuple, raw: np.ndarray) -> np.ndarray:
    """The numbers of a tensor, float32; ValueError for another kind or another size."""
    sizes = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}
    if kind not in sizes:
        raise ValueError(f"kind {kind}, want one of {list(sizes)}")
    n_block, block_bytes = sizes[kind]
    n = int(np.prod(shape))
    if n % n_block or len(raw) != n // n_block * block_bytes:
        raise ValueError(f"{len(raw)} bytes for shape {shape} of kind {kind}")
    if kind < 2:
        return raw.view(["<f4", "<f2"][kind]).astype(np.float32).reshape(shape)
    blocks = raw.reshape(-1, block_bytes)
    scale = blocks[:, :2].copy().view("<f2").astype(np.float32)
    if kind == 8:
        return (scale * blocks[:, 2:].view(np.int8)).reshape(shape)
    codes = np.hstack([blocks[:, 2:] & 15, blocks[:, 2:] >> 4]).astype(np.float32)
    return (scale * (codes - 8)).reshape(shape)


def rms_norm(x: np.ndarray, weight: np.ndarray, eps: float) -> np.ndarray:
    """x over the root of its mean square, times weight."""
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps) * weight


def rope(x: np.ndarray, positions: np.ndarray, base: float) -> np.ndarray:
    """Each pair (2i, 2i + 1) turned by its angle at its position."""
    width = x.shape[-1]
    frequencies = float(base) ** (-np.arange(0, width, 2) / width)
    angles = np.asarray(positions)[:, None, None] * frequencies
    cos, sin = np.cos(angles).astype(x.dtype), np.sin(angles).astype(x.dtype)
    a, b = x[..., 0::2], x[..., 1::2]
    out = np.empty_like(x)
    out[..., 0::2] = a * cos - b * sin
    out[..., 1::2] = a * sin + b * cos
    return out


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Causal grouped attention of T queries from position start on over S keys."""
    n_new, n_heads, width = q.shape
    n_keys, n_groups = k.shape[:2]
    # (G, H/G * T, E): the heads of a group stand together and share its keys
    heads = q.reshape(n_new, n_groups, -1, width).transpose(1, 2, 0, 3)
    scores = heads.reshape(n_groups, -1, width) @ k.transpose(1, 2, 0) / np.sqrt(np.float32(width))
    scores = scores.reshape(n_groups, -1, n_new, n_keys)
    if n_new > 1:
        hidden = np.arange(n_keys) > start + np.arange(n_new)[:, None]
        scores = np.where(hidden, np.float32(-np.inf), scores)
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    out = scores.reshape(n_groups, -1, n_keys) @ v.transpose(1, 0, 2)
    return out.reshape(n_heads, n_new, width).transpose(1, 0, 2)


def feed_forward(x: np.ndarray, gate: np.ndarray, up: np.ndarray, down: np.ndarray) -> np.ndarray:
    """down(silu(gate x) * up x)."""
    h = x @ gate.T
    small = np.exp(-np.abs(h))
    silu = h * np.where(h >= 0, 1, small) / (1 + small)
    return (silu * (x @ up.T)) @ down.T


class KVCache:
    """Keys and values of all layers, in memory that is taken once."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        shape = (n_layers, capacity, n_kv_heads, head_width)
        self.k, self.v = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
        self.counts = [0] * n_layers

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """Store T rows after those that a layer has; ValueError, nothing changed, if too many."""
        n = self.counts[layer]
        end = n + len(k)
        if end > self.k.shape[1]:
            raise ValueError(f"{end} tokens, the cache holds {self.k.shape[1]}")
        self.k[layer, n:end], self.v[layer, n:end] = k, v
        self.counts[layer] = end

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """Keys and values of one layer, (n, G, E) each."""
        n = self.counts[layer]
        return self.k[layer, :n], self.v[layer, :n]

    def length(self) -> int:
        """How many tokens every layer holds."""
        return min(self.counts)

    def rewind(self, n: int) -> None:
        """Forget all tokens but the first n; ValueError where there are fewer."""
        if not 0 <= n <= self.length():
            raise ValueError(f"rewind to {n}, there are {self.length()}")
        self.counts = [n] * len(self.counts)


class Model:
    """A llama: embedding, L layers of attention and feed-forward, norm, head."""

    def __init__(self, data: bytes) -> None:
        metadata, tensors = read_gguf(data)
        if metadata.get("general.architecture") != "llama":
            raise ValueError(f"architecture {metadata.get('general.architecture')!r}, want llama")
        number = {k.removeprefix("llama."): v for k, v in metadata.items()}
        wanted = ("block_count", "embedding_length", "attention.head_count",
                  "attention.layer_norm_rms_epsilon")  # fmt: skip
        missing = [f"llama.{name}" for name in wanted if name not in number]
        self.n_layers, width, self.n_heads, self.eps = (number.get(name, 0) for name in wanted)
        parts = ("attn_norm", "attn_q", "attn_k", "attn_v", "attn_output",
                 "ffn_norm", "ffn_gate", "ffn_up", "ffn_down")  # fmt: skip
        names = [f"blk.{i}.{part}.weight" for i in range(self.n_layers) for part in parts]
        missing += sorted({"token_embd.weight", "output_norm.weight", *names} - tensors.keys())
        if missing:
            raise ValueError(f"the file has no {', '.join(missing)}")
        self.n_groups = number.get("attention.head_count_kv", self.n_heads)
        self.head_width = number.get("attention.key_length", width // self.n_heads)
        self.base = number.get("rope.freq_base", 10000.0)
        self.weights = {n.removesuffix(".weight"): dequantize(*t) for n, t in tensors.items()}

    def new_cache(self, capacity: int) -> KVCache:
        """An empty cache of this model's sizes."""
        return KVCache(self.n_layers, self.n_groups, self.head_width, capacity)

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """Logits (T, V) of T tokens that follow what the cache holds, and their rows into it."""
        if cache is None:
            cache = self.new_cache(len(tokens))
        start, n, w = cache.length(), len(tokens), self.weights
        positions = np.arange(start, start + n)
        x = w["token_embd"][np.asarray(tokens)]
        for i in range(self.n_layers):
            p = f"blk.{i}."
            h = rms_norm(x, w[p + "attn_norm"], self.eps)
            q = (h @ w[p + "attn_q"].T).reshape(n, self.n_heads, self.head_width)
            k = (h @ w[p + "attn_k"].T).reshape(n, self.n_groups, self.head_width)
            v = (h @ w[p + "attn_v"].T).reshape(n, self.n_groups, self.head_width)
            cache.append(i, rope(k, positions, self.base), v)
            gathered = attention(rope(q, positions, self.base), *cache.read(i), start)
            x = x + gathered.reshape(n, -1) @ w[p + "attn_output"].T
            h = rms_norm(x, w[p + "ffn_norm"], self.eps)
            x = x + feed_forward(h, w[p + "ffn_gate"], w[p + "ffn_up"], w[p + "ffn_down"])
        head = w.get("output", w["token_embd"])
        return rms_norm(x, w["output_norm"], self.eps) @ head.T


def sample(
    logits: np.ndarray, u: float, temperature: float = 1.0, top_k: int = 0, top_p: float = 1.0,
    min_p: float = 0.0,
) -> int:  # fmt: skip
    """The token that u chooses of what top_k, top_p and min_p leave, at a temperature."""
    logits = np.asarray(logits, np.float64)
    if temperature == 0:
        return int(np.argmax(logits))
    order = np.argsort(-logits, kind="stable")
    order = order[: top_k if top_k > 0 else None]
    p = np.exp(logits[order] - logits[order[0]])
    p /= p.sum()
    keep = int(np.searchsorted(np.cumsum(p), top_p)) + 1 if top_p < 1 else len(p)
    keep = min(keep, int((p >= min_p * p[0]).sum()))
    left = np.sort(order[:keep])
    p = np.exp((logits[left] - logits[order[0]]) / temperature)
    running = np.cumsum(p)
    return int(left[min(np.searchsorted(running, u * running[-1], side="right"), keep - 1)])


def generate(
    model: Model, prompt: list, n_new: int, stop: tuple = (), uniforms: list | None = None,
    **settings: float,
) -> list:  # fmt: skip
    """Up to n_new tokens after the prompt; greedy where there are no uniforms."""
    cache = model.new_cache(len(prompt) + n_new)
    logits, made = model.forward(prompt, cache)[-1], []
    for i in range(n_new):
        if uniforms is None:
            token = sample(logits, 0.0, temperature=0)
        else:
            token = sample(logits, uniforms[i], **settings)
        if token in stop:
            break
        made.append(token)
        if len(made) < n_new:
            logits = model.forward([token], cache)[-1]
    return made


import contextlib
import struct


def small_file(width: int = 32, alignment: int = 32) -> bytes:
    """A file of one pair and two tensors, by hand: F32 of (3,), Q8_0 of (2, width)."""
    head = b"GGUF" + struct.pack("<IQQ", 3, 2, 1)
    head += struct.pack("<Q", 17) + b"general.alignment" + struct.pack("<II", 4, alignment)
    head += struct.pack("<Q", 1) + b"a" + struct.pack("<IqIQ", 1, 3, 0, 0)
    head += struct.pack("<Q", 1) + b"b" + struct.pack("<IqqIQ", 2, width, 2, 8, alignment)
    body = np.arange(3, dtype="<f4").tobytes().ljust(alignment, b"\0")
    block = np.float16(0.5).tobytes() + np.arange(-16, 16, dtype=np.int8).tobytes()
    return head.ljust(-(-len(head) // alignment) * alignment, b"\0") + body + 2 * block


def numbers(*shape: int) -> np.ndarray:
    """Numbers that are all different, the same at every call."""
    return np.sin(np.arange(1, 1 + int(np.prod(shape)), dtype=np.float32) * 1.7).reshape(shape)


def _a_file_is_read_rows_first(data: bytes) -> None:
    for alignment in (32, 64):
        metadata, tensors = read_gguf(small_file(alignment=alignment))
        assert metadata == {"general.alignment": alignment}
        assert [row[:2] for row in tensors.values()] == [(0, (3,)), (8, (2, 32))]
        assert tensors["a"][2].view("<f4").tolist() == [0, 1, 2]


def _a_broken_file_is_refused(data: bytes) -> None:
    whole = small_file()
    for bad in (b"GGML" + whole[4:], whole[:-1], whole[:40], small_file(width=40)):
        with contextlib.suppress(ValueError):
            raise AssertionError(read_gguf(bad))


def _blocks_become_numbers(data: bytes) -> None:
    scale = np.frombuffer(np.float16(0.5).tobytes(), np.uint8)
    codes = np.arange(-16, 16, dtype=np.int8)
    got = dequantize(8, (32,), np.concatenate([scale, codes.view(np.uint8)]))
    assert np.array_equal(got, codes / 2)
    low_and_high = np.arange(16, dtype=np.uint8) + 16 * np.arange(15, -1, -1, dtype=np.uint8)
    got = dequantize(2, (32,), np.concatenate([scale, low_and_high]))
    assert np.array_equal(got, np.concatenate([np.arange(16), np.arange(15, -1, -1)]) / 2 - 4)


def _norm_rope_and_gate_by_hand(data: bytes) -> None:
    x, weight = np.array([[3.0, 4.0]], np.float32), np.array([1.0, 10.0], np.float32)
    assert np.allclose(rms_norm(x, weight, 0.0), [[3 / 12.5**0.5, 40 / 12.5**0.5]])
    x = np.array([[[1, 0, 0, 0]]], np.float32)  # the first pair turns by a radian a position
    turned, one = rope(x, np.array([2]), 100.0)[0, 0], np.ones((1, 1), np.float32)
    assert np.allclose(turned, [np.cos(2.0), np.sin(2.0), 0, 0], atol=1e-6)
    assert np.isclose(feed_forward(one, one, 2 * one, one)[0, 0], 2 / (1 + np.exp(-1)))


def _attention_looks_back_alone(data: bytes) -> None:
    q, k, v = numbers(3, 4, 4), numbers(3, 2, 4), numbers(3, 2, 4)
    whole = attention(q, k, v, 0)
    assert np.allclose(whole[:2], attention(q[:2], k[:2], v[:2], 0), atol=1e-6)
    assert np.allclose(whole[0], v[0][[0, 0, 1, 1]], atol=1e-6)


def _a_cache_gives_back_what_it_got(data: bytes) -> None:
    cache, k, v = KVCache(1, 2, 4, 5), numbers(3, 2, 4), numbers(3, 2, 4) + 5
    cache.append(0, k, v)
    assert np.array_equal(cache.read(0), [k, v])
    cache.rewind(1)
    cache.append(0, k[1:2], v[1:2])
    assert cache.length() == 2


def _a_model_says_the_same_with_a_cache(data: bytes) -> None:
    model, tokens = Model(data), [1, 5, 2, 7]
    cache, want = model.new_cache(8), model.forward(tokens)
    assert np.ptp(want, axis=0).max() > 0
    got = np.concatenate([model.forward(tokens[:3], cache), model.forward(tokens[3:], cache)])
    assert np.allclose(got, want, atol=1e-3)
    cache.rewind(2)
    assert np.allclose(model.forward(tokens[2:], cache), want[2:], atol=1e-3)


def _a_draw_follows_u(data: bytes) -> None:
    logits = np.log(np.array([0.5, 0.3, 0.2]))
    assert [sample(logits, u) for u in (0.1, 0.6, 0.9)] == [0, 1, 2]
    assert sample(logits, 0.9, temperature=0) == 0
    assert sample(logits, 0.99, top_k=2) == sample(logits, 0.99, top_p=0.7) == 1


def _text_ends_where_it_should(data: bytes) -> None:
    model, prompt = Model(data), [1, 2, 3]
    text = generate(model, prompt, 4)
    assert len(text) == 4
    assert text == model.forward([*prompt, *text[:-1]])[2:].argmax(axis=1).tolist()
    assert generate(model, prompt, 4, stop=(text[0],)) == []


def self_test(data: bytes) -> list:
    """Names of the tests that fail."""
    failed = []
    for test in (
        _a_file_is_read_rows_first, _a_broken_file_is_refused, _blocks_become_numbers,
        _norm_rope_and_gate_by_hand, _attention_looks_back_alone, _a_cache_gives_back_what_it_got,
        _a_model_says_the_same_with_a_cache, _a_draw_follows_u, _text_ends_where_it_should,
    ):  # fmt: skip
        try:
            test(data)
        except Exception:
            failed.append(test.__name__)
    return failed
