"""Rotates the queries alone."""

import numpy as np

FAILS = {
    "model_prompt": "keys-not-rotated",
    "model_defaults": "keys-not-rotated",
    "model_cached": "keys-not-rotated",
    "model_two_texts": "keys-not-rotated",
    "model_packaged": "keys-not-rotated",
    "decode_time": "fast-but-wrong",
    "decode_time_strict": "fast-but-wrong",
    "prefill_time": "fast-but-wrong",
    "prefill_time_strict": "fast-but-wrong",
    "decode_work": "fast-but-wrong",
}


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
            cache.append(i, k, v)
            gathered = attention(rope(q, positions, self.base), *cache.read(i), start)
            x = x + gathered.reshape(n, -1) @ w[p + "attn_output"].T
            h = rms_norm(x, w[p + "ffn_norm"], self.eps)
            x = x + feed_forward(h, w[p + "ffn_gate"], w[p + "ffn_up"], w[p + "ffn_down"])
        head = w.get("output", w["token_embd"])
        return rms_norm(x, w["output_norm"], self.eps) @ head.T
