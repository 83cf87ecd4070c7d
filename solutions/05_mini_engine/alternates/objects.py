"""Small objects: a cursor of memory, a layer that knows its weights, heads one by one, a cache of lists."""

import struct
from dataclasses import dataclass


@dataclass
class Cursor:
    """Where we are in a file."""

    view: memoryview
    at: int = 0

    def read(self, form: str) -> tuple:
        """Numbers by a struct format; ValueError at the end of the file."""
        try:
            found = struct.unpack_from("<" + form, self.view, self.at)
        except struct.error as problem:
            raise ValueError(f"the file ends at {len(self.view)}: {problem}") from None
        self.at += struct.calcsize("<" + form)
        return found

    def text(self) -> str:
        """A counted string."""
        (n,) = self.read("Q")
        if n > len(self.view) - self.at:
            raise ValueError(f"a string of {n} bytes does not fit")
        self.at += n
        return bytes(self.view[self.at - n : self.at]).decode("utf-8")

    def list_of(self) -> list:
        """An array, element by element."""
        kind, n = self.read("IQ")
        if kind == 9:
            raise ValueError("arrays of arrays are not allowed")
        if n > len(self.view):
            raise ValueError(f"an array of {n} elements does not fit")
        return [self.any_value(kind) for _ in range(n)]

    def any_value(self, kind: int) -> object:
        """A value by the number of its type."""
        plain = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?"}
        plain |= {10: "Q", 11: "q", 12: "d"}
        if kind in plain:
            return self.read(plain[kind])[0]
        if kind == 8:
            return self.text()
        if kind == 9:
            return self.list_of()
        raise ValueError(f"there is no value type {kind}")


@dataclass
class Entry:
    """A row of the directory."""

    name: str
    sizes: tuple
    kind: int
    offset: int

    def n_bytes(self) -> int:
        """How many bytes its data take; ValueError where that cannot be."""
        per = {0: (1, 4), 1: (1, 2), 2: (32, 18), 8: (32, 34)}.get(self.kind)
        if per is None:
            raise ValueError(f"{self.name} has the unknown kind {self.kind}")
        if not self.sizes or len(self.sizes) > 4 or any(s <= 0 for s in self.sizes):
            raise ValueError(f"{self.name} has the sizes {self.sizes}")
        if self.sizes[0] % per[0] != 0:
            raise ValueError(f"{self.name}: rows of {self.sizes[0]} in blocks of {per[0]}")
        total = 1
        for size in self.sizes:
            total *= size
        return total // per[0] * per[1]


def one_entry(cursor: Cursor) -> Entry:
    """The next row of the directory."""
    name = cursor.text()
    (n_dims,) = cursor.read("I")
    if n_dims not in (1, 2, 3, 4):
        raise ValueError(f"{name} has {n_dims} dimensions")
    sizes = cursor.read(f"{n_dims}q")
    kind, offset = cursor.read("IQ")
    return Entry(name, sizes, kind, offset)


def read_gguf(data: bytes) -> tuple[dict, dict]:
    """Metadata and tensors."""
    cursor = Cursor(memoryview(data))
    magic, version, n_tensors, n_pairs = cursor.read("4sIQQ")
    if magic != b"GGUF":
        raise ValueError(f"the magic is {magic}")
    if version != 2 and version != 3:
        raise ValueError(f"version {version} is not known")
    metadata: dict = {}
    while len(metadata) < n_pairs:
        key = cursor.text()
        if key in metadata:
            raise ValueError(f"two values for {key}")
        metadata[key] = cursor.any_value(*cursor.read("I"))
    entries: dict = {}
    while len(entries) < n_tensors:
        entry = one_entry(cursor)
        if entry.name in entries:
            raise ValueError(f"two tensors {entry.name}")
        entries[entry.name] = entry
    return metadata, place(cursor, entries, metadata.get("general.alignment", 32))


def place(cursor: Cursor, entries: dict, alignment: int) -> dict:
    """The tensors' bytes, each where it has to be."""
    if type(alignment) is not int or alignment not in [2**i for i in range(32)]:
        raise ValueError(f"the alignment is {alignment}")
    while cursor.at % alignment:
        cursor.at += 1
    whole, found, here = np.frombuffer(cursor.view, np.uint8), {}, 0
    for name, entry in entries.items():
        n = entry.n_bytes()
        if entry.offset != here:
            raise ValueError(f"{name} is said to be at {entry.offset}, it must be at {here}")
        raw = whole[cursor.at + here : cursor.at + here + n]
        if raw.size < n:
            raise ValueError(f"{name}: the file ends")
        found[name] = (entry.kind, tuple(reversed(entry.sizes)), raw)
        here += n + (-n) % alignment
    return found


def dequantize(kind: int, shape: tuple, raw: np.ndarray) -> np.ndarray:
    """Block after block through a structured type."""
    kinds = {
        0: np.dtype("<f4"),
        1: np.dtype("<f2"),
        2: np.dtype([("d", "<f2"), ("q", "u1", 16)]),
        8: np.dtype([("d", "<f2"), ("q", "i1", 32)]),
    }
    if kind not in kinds:
        raise ValueError(f"kind {kind} is not one of {sorted(kinds)}")
    if raw.size % kinds[kind].itemsize:
        raise ValueError(f"{raw.size} bytes are no whole number of blocks")
    blocks = np.frombuffer(raw.tobytes(), kinds[kind])
    if kind < 2:
        flat = blocks.astype(np.float32)
    else:
        q = blocks["q"].astype(np.int16)
        if kind == 2:
            q = np.concatenate([q % 16, q // 16], axis=1) - 8
        flat = (q.astype(np.float32) * blocks["d"].astype(np.float32)[:, None]).ravel()
    wanted = 1
    for size in shape:
        wanted *= size
    if flat.size != wanted:
        raise ValueError(f"{flat.size} numbers for the shape {shape}")
    return flat.reshape(shape)


def attention(q: np.ndarray, k: np.ndarray, v: np.ndarray, start: int = 0) -> np.ndarray:
    """Head by head."""
    T, H, E = q.shape
    share = H // k.shape[1]
    out = np.zeros(q.shape, np.float32)
    mask = np.triu(np.full((T, len(k)), -np.inf, np.float32), k=start + 1)
    for head in range(H):
        keys, values = k[:, head // share], v[:, head // share]
        weights = q[:, head] @ keys.T * np.float32(E**-0.5) + mask
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        out[:, head] = weights @ values / weights.sum(axis=1, keepdims=True)
    return out


class KVCache:
    """A list of pieces for each layer; put together when they are read."""

    def __init__(self, n_layers: int, n_kv_heads: int, head_width: int, capacity: int) -> None:
        self.capacity = capacity
        nothing = np.zeros((0, n_kv_heads, head_width), np.float32)
        self.pieces = [[(nothing, nothing)] for _ in range(n_layers)]

    def _n(self, layer: int) -> int:
        return sum(len(k) for k, _ in self.pieces[layer])

    def append(self, layer: int, k: np.ndarray, v: np.ndarray) -> None:
        """One piece more."""
        if self._n(layer) + len(k) > self.capacity:
            raise ValueError(f"no room for {len(k)} rows")
        self.pieces[layer].append((np.array(k), np.array(v)))

    def read(self, layer: int) -> tuple[np.ndarray, np.ndarray]:
        """The pieces, joined once and kept so."""
        keys, values = zip(*self.pieces[layer], strict=True)
        self.pieces[layer] = [(np.concatenate(keys), np.concatenate(values))]
        return self.pieces[layer][0]

    def length(self) -> int:
        """Of the shortest layer."""
        return min(self._n(layer) for layer in range(len(self.pieces)))

    def rewind(self, n: int) -> None:
        """Cut every layer."""
        if n < 0 or n > self.length():
            raise ValueError(f"cannot go back to {n}")
        for layer in range(len(self.pieces)):
            k, v = self.read(layer)
            self.pieces[layer] = [(k[:n], v[:n])]


@dataclass
class Layer:
    """One layer and its weights, transposed once."""

    number: int
    weights: dict
    heads: tuple
    eps: float
    base: float

    def __call__(self, x: np.ndarray, cache: KVCache, start: int) -> np.ndarray:
        n_heads, n_groups, width = self.heads
        w, T = self.weights, len(x)
        positions = np.arange(start, start + T)
        h = rms_norm(x, w["attn_norm"], self.eps)
        q = rope((h @ w["attn_q"]).reshape(T, n_heads, width), positions, self.base)
        k = rope((h @ w["attn_k"]).reshape(T, n_groups, width), positions, self.base)
        cache.append(self.number, k, (h @ w["attn_v"]).reshape(T, n_groups, width))
        keys, values = cache.read(self.number)
        x = x + attention(q, keys, values, start).reshape(T, -1) @ w["attn_output"]
        h = rms_norm(x, w["ffn_norm"], self.eps)
        return x + feed_forward(h, w["ffn_gate"].T, w["ffn_up"].T, w["ffn_down"].T)


class Model:
    """Layers in a row."""

    def __init__(self, data: bytes) -> None:
        metadata, tensors = read_gguf(data)
        if metadata.get("general.architecture") != "llama":
            raise ValueError("only llama can be run")
        try:
            self.sizes = self._sizes(metadata)
            eps = metadata["llama.attention.layer_norm_rms_epsilon"]
            base = metadata.get("llama.rope.freq_base", 10000.0)
            self.layers = [
                Layer(i, self._layer(tensors, i), self.sizes[1:], eps, base)
                for i in range(self.sizes[0])
            ]
            self.embedding = dequantize(*tensors["token_embd.weight"])
            self.norm = dequantize(*tensors["output_norm.weight"])
        except KeyError as missing:
            raise ValueError(f"the file has no {missing}") from None
        self.head = dequantize(*tensors.get("output.weight", tensors["token_embd.weight"])).T
        self.eps = eps

    def _sizes(self, metadata: dict) -> tuple:
        n_heads = metadata["llama.attention.head_count"]
        groups = metadata.get("llama.attention.head_count_kv", n_heads)
        width = metadata["llama.embedding_length"] // n_heads
        width = metadata.get("llama.attention.key_length", width)
        return metadata["llama.block_count"], n_heads, groups, width

    def _layer(self, tensors: dict, i: int) -> dict:
        names = ["attn_norm", "attn_q", "attn_k", "attn_v", "attn_output"]
        names += ["ffn_norm", "ffn_gate", "ffn_up", "ffn_down"]
        return {n: dequantize(*tensors[f"blk.{i}.{n}.weight"]).T for n in names}

    def new_cache(self, capacity: int) -> KVCache:
        """A cache for this many tokens."""
        return KVCache(self.sizes[0], *self.sizes[2:], capacity)

    def forward(self, tokens: list, cache: KVCache | None = None) -> np.ndarray:
        """Logits of every token."""
        if cache is None:
            return self.forward(tokens, self.new_cache(len(tokens)))
        start = cache.length()
        x = self.embedding[list(tokens)]
        for layer in self.layers:
            x = layer(x, cache, start)
        return rms_norm(x, self.norm, self.eps) @ self.head


def generate(
    model: Model,
    prompt: list,
    n_new: int,
    stop: tuple = (),
    uniforms: list | None = None,
    **settings: float,
) -> list:
    """Feed the prompt, then what was written."""
    cache, text, news = model.new_cache(len(prompt) + n_new), [], list(prompt)
    settings = settings if uniforms is not None else {"temperature": 0}
    for u in list(uniforms or [0.5] * n_new)[:n_new]:
        token = sample(model.forward(news, cache)[-1], u, **settings)
        if token in stop:
            return text
        text.append(token)
        news = [token]
    return text
